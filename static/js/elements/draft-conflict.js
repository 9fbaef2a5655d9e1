// <draft-conflict>: somebody else saved first. A banner with three ways out; nothing is decided without the reader.

import { clockTime } from "../lib/clock-time.js";
import { diffElement, lineDiff } from "../lib/line-diff.js";

const PARTS = [
  ["code", "Code"],
  ["requirements", "Requirements"],
  ["python_version", "Python"],
];

class DraftConflict extends HTMLElement {
  connectedCallback() {
    this.dialog = this.querySelector("dialog");
    this.button("view").addEventListener("click", () => this.view());
    for (const button of this.querySelectorAll("[data-keep]"))
      button.addEventListener("click", () => this.decide("keep"));
    for (const button of this.querySelectorAll("[data-take]"))
      button.addEventListener("click", () => this.decide("take"));
    this.querySelector("[data-close]").addEventListener("click", () => this.dialog.close());
  }

  button(name) {
    return this.querySelector(`[data-${name}]`);
  }

  /** @param {object} theirs what the server has; `read` returns what is here, asked when it is looked at */
  show(theirs, { read, zone }) {
    this.theirs = theirs;
    this.read = read;
    const when = clockTime(theirs.saved_at, zone);
    const who = theirs.author || "Somebody else";
    this.querySelector("[data-who]").textContent =
      `${who} saved this script at ${when}, while you were editing. Your text is still here, and not on the server.`;
    this.hidden = false;
  }

  view() {
    const mine = this.read();
    const shown = [];
    for (const [field, title] of PARTS) {
      const theirs = this.theirs[field] ?? "";
      if (theirs === mine[field]) continue;
      const heading = document.createElement("h3");
      heading.textContent = title;
      shown.push(heading, diffElement(lineDiff(theirs, mine[field])));
    }
    if (!shown.length) {
      const alike = document.createElement("p");
      alike.textContent = "Both texts are the same.";
      shown.push(alike);
    }
    this.querySelector("[data-difference]").replaceChildren(...shown);
    this.dialog.showModal();
  }

  decide(choice) {
    this.dialog.close();
    this.hidden = true;
    this.dispatchEvent(
      new CustomEvent("draft-conflict:decided", { bubbles: true, detail: { choice, theirs: this.theirs } }),
    );
  }
}

customElements.define("draft-conflict", DraftConflict);
