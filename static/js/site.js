// What every page of both halves does by itself: times tick, keys act, and a link to "New script" opens a dialog. Forms
// and the engine's pill have files of their own.
//
// Times: `data-elapsed-s` (how long it goes), `data-until-s` (how far away) and `data-away-s` (the same in words, less
// than 0 in the past) are what the server said when it made the page, so the browser's clock does not matter.
// Keys: an element with data-key="r", or "g s" for two keys one after the other, is pressed by that key. They are off
// while one types, and can be turned off for good (WCAG 2.1.4): the dialog of `?` has the switch.

import { isUnanswered } from "./engine-pill.js";
import "./forms.js";
import * as storage from "./lib/storage.js";

const STORAGE_NAME = "tempo.keys"; // "off"
const SECOND_KEY_MS = 1500;
const TYPED_IN =
  "input:not([type=checkbox], [type=radio], [type=submit], [type=button]), textarea, select, [contenteditable], " +
  "dialog[open], .ace_editor";
const ROWS = ".rows tbody tr, .results tbody tr, .lines > li, .entries > li";
const begun = new WeakMap();
let first = ""; // the first of two keys
let forget = 0;

// --- times --------------------------------------------------------------------------------------
const UNITS = [
  ["d", 86400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
];

/** A duration in at most two units, as tempo_site/lib/humanize.py writes it. */
function span(seconds) {
  const at = UNITS.findIndex(([, size]) => seconds >= size);
  if (at < 0) return "0 s";
  const [unit, size] = UNITS[at];
  const [smallerUnit, smallerSize] = UNITS[at + 1] ?? ["", Infinity];
  const rest = Math.floor((seconds % size) / smallerSize);
  return `${Math.floor(seconds / size)} ${unit}${rest ? ` ${rest} ${smallerUnit}` : ""}`;
}

function since(element, seconds) {
  if (!begun.has(element)) begun.set(element, performance.now() - seconds * 1000);
  return (performance.now() - begun.get(element)) / 1000;
}

function away(element) {
  const said = Number(element.dataset.awayS);
  const passed = Math.round(since(element, -said));
  if (said < 0) return `${span(passed)} ago`;
  return passed < 0 ? `in ${span(-passed)}` : "now";
}

function show(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function tick() {
  for (const element of document.querySelectorAll("[data-away-s]")) show(element, away(element));
  for (const element of document.querySelectorAll("[data-until-s]")) {
    const left = Math.floor(-since(element, -Number(element.dataset.untilS)));
    show(element, left > 0 ? span(left) : "now");
  }
  if (isUnanswered()) return; // nobody knows whether it still goes
  for (const element of document.querySelectorAll("[data-elapsed-s]")) {
    show(element, span(Math.floor(since(element, Number(element.dataset.elapsedS)))));
  }
}

// --- tabs ---------------------------------------------------------------------------------------
// On a phone they scroll sideways: the one that is open is brought into sight.
function showTab(tab) {
  const tabs = tab.closest(".tabs, :is(.guide-places, .folders) > ul");
  const left = tab.getBoundingClientRect().left - tabs.getBoundingClientRect().left;
  tabs.scrollLeft += left - (tabs.clientWidth - tab.offsetWidth) / 2;
}

for (const tab of document.querySelectorAll(":is(.tabs, .guide-places, .folders) [aria-current]")) showTab(tab);

// --- keys ---------------------------------------------------------------------------------------
const ACTS = {
  "/": () => focusOn(visible("main input[type=search]")) || openPalette(),
  "?": () => open(import("./keys-help.js"), STORAGE_NAME, areOff()),
  t: () => document.querySelector(".theme-toggle")?.click(),
  j: () => step(1),
  k: () => step(-1),
  x: () => document.activeElement.closest("tr")?.querySelector("input[type=checkbox]")?.click(),
};

function pressed(event) {
  if (typedAhead !== null) return typeAhead(event);
  if (event.defaultPrevented || event.altKey || event.repeat) return;
  if (event.ctrlKey || event.metaKey) {
    const isLatin = /^[a-z]$/i.test(event.key);
    const isK = event.key.toLowerCase() === "k" || (event.code === "KeyK" && !isLatin);
    if (!isK || event.shiftKey || event.target.closest?.("dialog[open], .ace_editor")) return;
    event.preventDefault();
    openPalette();
    return;
  }
  if (event.target.closest?.(TYPED_IN) || areOff()) return;
  const act = actOf(event.key);
  if (!act) return;
  event.preventDefault();
  act();
}

function actOf(key) {
  const before = first;
  clearTimeout(forget);
  first = "";
  const element = withKey(before ? `${before} ${key}` : key);
  if (element) return () => (element.matches("a, button, summary") ? element.click() : focusOn(element));
  if (before || ACTS[key]) return before ? null : ACTS[key];
  if (/^[a-z]$/.test(key) && document.querySelector(`[data-key^="${key} "]`)) {
    first = key;
    forget = setTimeout(() => (first = ""), SECOND_KEY_MS);
  }
  return null;
}

function withKey(keys) {
  return visible(`[data-key="${CSS.escape(keys)}"]:not(:disabled)`);
}

/** Whether the keys without Ctrl are turned off in this browser. */
export function areOff() {
  return storage.read(STORAGE_NAME) === "off";
}

function visible(selector) {
  return [...document.querySelectorAll(selector)].find((element) => element.checkVisibility());
}

function focusOn(element) {
  element?.focus();
  element?.select?.();
  return Boolean(element);
}

function step(by) {
  const rows = [...document.querySelectorAll(ROWS)].filter(
    (row) => row.checkVisibility() && row.querySelector("a[href]"),
  );
  const here = rows.findIndex((row) => row.contains(document.activeElement));
  const next = here < 0 && by < 0 ? rows.length - 1 : Math.max(0, Math.min(here + by, rows.length - 1));
  focusOn(rows[next]?.querySelector("a[data-row]") ?? rows[next]?.querySelector("a[href]"));
}

// --- what is loaded when it is wanted -----------------------------------------------------------
let typedAhead = null; // what is typed while a dialog is on its way is meant for its field, and presses no button

function openPalette() {
  open(import("./palette.js"));
}

async function open(loading, ...given) {
  typedAhead ??= "";
  try {
    const module = await loading;
    await module.open(...given);
    fill(document.activeElement);
  } catch (error) {
    console.warn("not opened:", error); // the page works without it
    const page = given[0]?.href;
    if (page) location.assign(page);
  } finally {
    typedAhead = null;
  }
}

function fill(field) {
  if (!typedAhead || !field?.matches("dialog input")) return;
  field.value += typedAhead;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

function typeAhead(event) {
  if (event.ctrlKey || event.metaKey || event.key.length > 1) return;
  event.preventDefault();
  typedAhead += event.key;
}

function clicked(event) {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  const link = event.target.closest?.("[data-new-script], [data-palette], [data-keys-help]");
  if (!link) return;
  event.preventDefault();
  if ("palette" in link.dataset) openPalette();
  else if ("keysHelp" in link.dataset) ACTS["?"]();
  else open(import("./new-script.js"), link);
}

// --- menus ---------------------------------------------------------------------------------------
// The filters of the admin's lists are <details>: they close like menus.
function closeFilters({ target, key }) {
  for (const open of document.querySelectorAll("details.filter[open]")) {
    if (key !== "Escape" && (key || open.contains(target))) continue;
    open.open = false;
    if (key) open.querySelector("summary").focus();
  }
}

document.addEventListener("click", closeFilters);
document.addEventListener("keydown", closeFilters);
visible("main [aria-invalid=true]")?.focus(); // after a refusal: there is what has to change

for (const button of document.querySelectorAll("[data-keys-help]")) button.hidden = false;
tick();
setInterval(tick, 1000);
document.addEventListener("live-list:fresh", tick);
document.addEventListener("click", clicked);
window.addEventListener("keydown", pressed); // after the page's own keys, which are asked first
