// <file-editor>: a file of the script in the editor. Saves without leaving the page; a conflict stands above the text.

import { clockTime } from "../lib/clock-time.js";
import { SavedLine } from "../editor/saved-line.js";
import { isKeyS } from "../lib/keys.js";
import "./code-editor.js";

class FileEditor extends HTMLElement {
  connectedCallback() {
    this.code = this.querySelector("code-editor");
    this.form = this.querySelector("form");
    this.saved = new SavedLine(this.querySelector("[data-saved]"));
    this.stored = this.form.elements.based_on.value && !this.trouble.childElementCount ? this.code.value : null;
    this.form.addEventListener("submit", (event) => this.submitted(event));
    this.form.addEventListener("input", (event) => event.target.name === "text" && this.changed());
    this.addEventListener("code-editor:said", ({ detail }) => this.say(detail.sentence, detail.isLost));
    this.addEventListener("code-editor:cursor", ({ detail: { line, column } }) => {
      this.querySelector("[data-cursor]").textContent = `Ln ${line} Col ${column}`;
    });
    document.addEventListener("keydown", (event) => this.keyPressed(event), true);
    window.addEventListener("beforeunload", (event) => this.isDirty && event.preventDefault());
  }

  get trouble() {
    return this.querySelector("[data-trouble]");
  }

  get isDirty() {
    return this.code.value !== (this.stored ?? "");
  }

  changed() {
    this.say(this.isDirty ? "Changed" : "");
  }

  keyPressed(event) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || !isKeyS(event)) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat) this.save();
  }

  submitted(event) {
    event.preventDefault();
    this.save();
  }

  async save() {
    if (this.isSaving) return;
    this.isSaving = true;
    this.say("Saving…");
    const text = this.code.value;
    try {
      const body = new FormData(this.form);
      body.set("text", text);
      const answer = await fetch(this.form.action, { method: "POST", body });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      this.answered(answer, page, text);
    } catch (error) {
      console.warn("could not save the file:", error);
      this.say("Not saved: the server does not answer. Try again.", true);
    } finally {
      this.isSaving = false;
    }
  }

  answered(answer, page, text) {
    const fresh = page.querySelector("file-editor");
    if (!fresh) return this.say("Not saved: you are logged out, or the script is gone. Your text is still here.", true);
    this.form.elements.based_on.value = fresh.querySelector("[name=based_on]").value;
    this.trouble.replaceWith(document.adoptNode(fresh.querySelector("[data-trouble]")));
    if (!answer.ok) {
      this.trouble.scrollIntoView({ block: "nearest" });
      return this.say("Not saved: see above", true);
    }
    this.stored = text;
    return this.say(this.isDirty ? "Changed" : `Saved ${clockTime(fresh.dataset.at, fresh.dataset.zone)}`);
  }

  say(sentence, isLost = false) {
    this.saved.say(sentence, isLost);
  }
}

customElements.define("file-editor", FileEditor);
