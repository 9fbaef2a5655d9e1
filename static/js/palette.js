// The palette: a dialog that leads to whatever a few typed letters name. What they name, and in which order, the server
// says.

import { address } from "./lib/base-path.js";
import { csrfToken } from "./lib/csrf.js";

const SEARCH_DELAY_MS = 90; // after the last key
const KEYS = { ArrowDown: 1, ArrowUp: -1 };

let palette = null;

export function open() {
  if (palette?.dialog.isConnected) return;
  palette = new Palette();
}

class Palette {
  constructor() {
    this.asked = 0;
    this.dialog = element("dialog", { className: "dialog palette" }, { "aria-label": "Search or jump to" });
    this.field = element(
      "input",
      { type: "search", placeholder: "Search or jump to…", autocomplete: "off", spellcheck: false, maxLength: 200 },
      {
        role: "combobox",
        "aria-label": "A script, a page, or a run's number",
        "aria-expanded": "true",
        "aria-controls": "palette-list",
        "aria-autocomplete": "list",
      },
    );
    this.list = element("ul", { id: "palette-list" }, { role: "listbox", "aria-label": "Where to" });
    this.state = element("p", { className: "quiet small" }, { role: "status" });
    this.list.tabIndex = -1; // the arrows walk through it
    this.dialog.append(this.field, this.list, this.state);
    this.field.addEventListener("input", () => this.askSoon());
    this.field.addEventListener("keydown", (event) => this.pressed(event));
    this.list.addEventListener("click", (event) => this.go(event.target.closest("[role=option]")));
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    this.dialog.addEventListener("close", () => this.dialog.remove());
    document.body.append(this.dialog);
    this.dialog.showModal();
    this.ask();
  }

  askSoon() {
    this.isGoing = false;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), SEARCH_DELAY_MS);
  }

  async ask() {
    clearTimeout(this.timer);
    this.timer = 0;
    const number = ++this.asked;
    try {
      const answer = await fetch(address(`/jump/?q=${encodeURIComponent(this.field.value)}`));
      if (!answer.ok || answer.redirected) throw new Error(`HTTP ${answer.status}`);
      const { items } = await answer.json();
      if (number !== this.asked) return; // more was typed meanwhile
      this.answered = number;
      this.show(items);
      if (this.isGoing) this.go(this.chosen);
    } catch (error) {
      console.warn("nothing found out:", error);
      if (number === this.asked) this.state.textContent = "The server does not answer. Try again.";
    }
  }

  show(items) {
    this.list.replaceChildren(...items.map(option));
    this.state.textContent = items.length ? "" : "Nothing is called so.";
    this.choose(this.list.firstElementChild);
  }

  get chosen() {
    return this.list.querySelector("[aria-selected=true]");
  }

  choose(row) {
    this.chosen?.setAttribute("aria-selected", "false");
    this.field.setAttribute("aria-activedescendant", row?.id ?? "");
    row?.setAttribute("aria-selected", "true");
    row?.scrollIntoView({ block: "nearest" });
  }

  pressed(event) {
    if (event.isComposing) return;
    if (event.key === "Escape") {
      event.preventDefault(); // a search field would take the first one for itself
      return this.dialog.close();
    }
    const by = KEYS[event.key];
    if (by) {
      event.preventDefault();
      const rows = [...this.list.children];
      if (rows.length) this.choose(rows[(rows.indexOf(this.chosen) + by + rows.length) % rows.length]);
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.enter();
    }
  }

  // Enter before the answer is there means the answer's first row.
  enter() {
    if (!this.timer && this.answered === this.asked) return this.go(this.chosen);
    this.isGoing = true;
    if (this.timer) this.ask();
  }

  go(row) {
    this.isGoing = false;
    if (!row) return;
    if (row.dataset.act === "post") return post(row.dataset.url);
    if (row.dataset.act !== "theme") return location.assign(row.dataset.url);
    document.querySelector(".theme-toggle")?.click();
    this.dialog.close();
  }
}

// As the button in the menu does.
function post(url) {
  const form = element("form", { method: "post", action: url });
  const token = csrfToken(document.querySelector("#user-menu form"));
  form.append(element("input", { type: "hidden", name: "csrfmiddlewaretoken", value: token }));
  document.body.append(form);
  form.submit();
}

function option({ label, place, url, act }, index) {
  const row = element("li", { id: `palette-${index}` }, { role: "option", "aria-selected": "false" });
  row.dataset.url = url;
  row.dataset.act = act;
  row.append(element("bdi", { textContent: label }), element("bdi", { textContent: place, className: "quiet small" }));
  return row;
}

function element(tag, properties, attributes = {}) {
  const made = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
