// What every page of both halves does by itself: times tick, keys act, forms warn before their text is lost, and a link
// to "New script" opens a dialog.
//
// Times: `data-elapsed-s` (how long ago) and `data-until-s` (how far away) are what the server said when it made the
// page, so the browser's clock does not matter.
// Keys: an element with data-key="r", or "g s" for two keys one after the other, is pressed by that key. They are off
// while one types, and can be turned off for good (WCAG 2.1.4): the dialog of `?` has the switch.

import * as storage from "./lib/storage.js";

const STORAGE_NAME = "tempo.keys"; // "off"
const SECOND_KEY_MS = 1500;
const TYPED_IN =
  "input:not([type=checkbox], [type=radio], [type=submit], [type=button]), textarea, select, [contenteditable], " +
  "dialog, .ace_editor";
const ROWS = ".rows tbody tr, .results tbody tr, .lines > li, .entries > li";
const begun = new WeakMap();
let first = ""; // the first of two keys
let forget = 0;

// --- times --------------------------------------------------------------------------------------
/** A duration in at most two units, as tempo_site/lib/humanize.py writes it. */
function span(seconds) {
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

function since(element, seconds) {
  if (!begun.has(element)) begun.set(element, performance.now() - seconds * 1000);
  return (performance.now() - begun.get(element)) / 1000;
}

function tick() {
  for (const element of document.querySelectorAll("[data-elapsed-s]")) {
    element.textContent = span(since(element, Number(element.dataset.elapsedS)));
  }
  for (const element of document.querySelectorAll("[data-until-s]")) {
    const left = -since(element, -Number(element.dataset.untilS));
    element.textContent = left > 0 ? span(left) : "now";
  }
}

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
  if (event.defaultPrevented || event.altKey || event.repeat) return;
  if (event.ctrlKey || event.metaKey) {
    const isLatin = /^[a-z]$/i.test(event.key);
    const isK = event.key.toLowerCase() === "k" || (event.code === "KeyK" && !isLatin);
    if (!isK || event.shiftKey || event.target.closest?.("dialog, .ace_editor")) return;
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
  focusOn(rows[next]?.querySelector("a[href]"));
}

// --- what is loaded when it is wanted -----------------------------------------------------------
function openPalette() {
  open(import("./palette.js"));
}

function open(loading, ...given) {
  // The page works without it.
  loading.then((module) => module.open(...given)).catch((error) => console.warn("not opened:", error));
}

function clicked(event) {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  const link = event.target.closest?.("[data-new-script], [data-palette], [data-keys-help]");
  if (!link) return;
  event.preventDefault();
  if ("palette" in link.dataset) openPalette();
  else if ("keysHelp" in link.dataset) ACTS["?"]();
  else import("./new-script.js").then((module) => module.open(link)).catch((error) => goTo(link, error));
}

function goTo(link, error) {
  console.warn("the page is opened instead of the dialog:", error);
  location.assign(link.href);
}

// --- forms --------------------------------------------------------------------------------------
const GUARDED = "form[data-guard], #content-main > form[id$=_form]"; // ours, and the admin's

function isChanged(field) {
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.options)
    return [...field.options].some(
      (option, at, all) =>
        option.selected !== (option.defaultSelected || (at === 0 && !all.some((one) => one.defaultSelected))),
    );
  return field.type !== "hidden" && "defaultValue" in field && field.value !== field.defaultValue;
}

function leaving(event) {
  const isAtRisk = [...document.querySelectorAll(GUARDED)].some(
    (form) => !("sent" in form.dataset) && [...form.elements].some(isChanged),
  );
  if (isAtRisk) event.preventDefault();
}

// The filters of the admin's lists are <details>: they close like menus.
function closeFilters({ target, key }) {
  for (const open of document.querySelectorAll("details.filter[open]")) {
    if (key !== "Escape" && (key || open.contains(target))) continue;
    open.open = false;
    if (key) open.querySelector("summary").focus();
  }
}

window.addEventListener("beforeunload", leaving);
document.addEventListener("submit", ({ target }) => (target.dataset.sent = ""));
document.addEventListener("click", closeFilters);
document.addEventListener("keydown", closeFilters);
visible("main [aria-invalid=true]")?.focus(); // after a refusal: there is what has to change

for (const button of document.querySelectorAll("[data-keys-help]")) button.hidden = false;
tick();
setInterval(tick, 1000);
document.addEventListener("live-list:fresh", tick);
document.addEventListener("click", clicked);
window.addEventListener("keydown", pressed); // after the page's own keys, which are asked first
