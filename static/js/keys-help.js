// The dialog of `?`: every key that does something on this page, and the switch that turns those without Ctrl off.

const EVERYWHERE = [["Ctrl K", "Search or jump to"], ["/", "Search this page"], ["t", "Light, dark or as the system"], ["?", "These keys"]];
const IN_PARTS = [
  ["code-editor", [["Ctrl S", "Save a version"], ["Ctrl Enter", "Run"], ["F8", "Next problem"], ["Esc Tab", "Leave the editor"]]],
  ["log-view", [["f", "Follow the output"], ["w", "Wrap long lines"], ["Shift T", "Times"], ["Shift F", "Full screen"], ["n N", "Next, previous match"]]],
  [".rows, .lines, .results", [["j k", "Next, previous row"], ["Enter", "Open it"]]],
  [".rows .ticks, .results .action-checkbox", [["x", "Tick it"]]],
]; // prettier-ignore

/** @param {string} memory under which name localStorage keeps "off"; @param {boolean} areOff whether they are off now */
export function open(memory, areOff) {
  const dialog = document.createElement("dialog");
  dialog.className = "dialog keys-help";
  dialog.setAttribute("aria-labelledby", "keys-help-title");
  const title = part("h2", "Keys");
  title.id = "keys-help-title";
  dialog.append(title, list(keys()), offSwitch(memory, areOff), closer(dialog));
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

function offSwitch(memory, areOff) {
  const label = document.createElement("label");
  const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: !areOff });
  label.append(box, " Keys without Ctrl do something");
  box.addEventListener("change", () => remember(memory, box.checked));
  return label;
}

function remember(memory, areOn) {
  try {
    if (areOn) localStorage.removeItem(memory);
    else localStorage.setItem(memory, "off");
  } catch (error) {
    console.warn("not remembered:", error);
  }
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
