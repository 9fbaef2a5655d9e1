// The dialog of `?`: every key that does something on this page, and the switch that turns those without Ctrl off.

import * as storage from "./lib/storage.js";

const EVERYWHERE = [
  ["Ctrl K", "Search or jump to"],
  ["/", "Search this page"],
  ["t", "Light, dark or as the system"],
  ["?", "These keys"],
];
const IN_EDITOR = [
  ["Ctrl S", "Save a version"],
  ["Ctrl Enter", "Run"],
  ["F8", "Next problem"],
  ["Esc Tab", "Leave the editor"],
];
const IN_LOG = [
  ["f", "Follow the output"],
  ["w", "Wrap long lines"],
  ["Shift T", "Times"],
  ["Shift F", "Full screen"],
  ["n N", "Next, previous match"],
];
const IN_ROWS = [
  ["j k", "Next, previous row"],
  ["Enter", "Open it"],
];
const IN_PARTS = [
  ["code-editor", IN_EDITOR],
  ["log-view", IN_LOG],
  [".rows, .lines, .results", IN_ROWS],
  [".rows .ticks, .results .action-checkbox", [["x", "Tick it"]]],
];

/**
 * @param {string} storageName under which name this browser remembers "off"
 * @param {boolean} areOff whether they are off now
 */
export function open(storageName, areOff) {
  const dialog = document.createElement("dialog");
  dialog.className = "dialog keys-help";
  dialog.setAttribute("aria-labelledby", "keys-help-title");
  const title = part("h2", "Keys");
  title.id = "keys-help-title";
  dialog.append(title, list(keys()), offSwitch(storageName, areOff), closer(dialog));
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

function keys() {
  const found = [...EVERYWHERE];
  for (const element of document.querySelectorAll("[data-key]")) found.push([element.dataset.key, nameOf(element)]);
  for (const [selector, some] of IN_PARTS) if (document.querySelector(selector)) found.push(...some);
  return [...new Map(found)]; // a key that stands twice on a page does one thing
}

function nameOf(element) {
  return element.dataset.keyName || element.getAttribute("aria-label") || element.textContent.trim();
}

function list(some) {
  const made = document.createElement("dl");
  for (const [key, does] of some) {
    const term = document.createElement("dt");
    for (const one of key.split(" ")) term.append(part("kbd", one), " ");
    made.append(term, part("dd", does));
  }
  return made;
}

function offSwitch(storageName, areOff) {
  const label = document.createElement("label");
  const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: !areOff });
  label.append(box, " Keys without Ctrl do something");
  box.addEventListener("change", () => remember(storageName, box.checked));
  return label;
}

function remember(storageName, areOn) {
  if (areOn) storage.remove(storageName);
  else storage.write(storageName, "off");
}

function closer(dialog) {
  const button = part("button", "Close");
  Object.assign(button, { type: "button", className: "button" });
  button.addEventListener("click", () => dialog.close());
  const actions = document.createElement("div");
  actions.className = "actions";
  actions.append(button);
  return actions;
}

function part(tag, text) {
  return Object.assign(document.createElement(tag), { textContent: text });
}
