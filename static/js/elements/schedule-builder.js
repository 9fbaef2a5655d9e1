// <schedule-builder>: asks the server what the form would save whenever it changes, and keeps the ways of saying it in
// step. The form works without it: its Preview button asks the same question.

import { CronFields } from "../cron-fields.js";
import { showInlineCode } from "../lib/inline-code.js";

const PREVIEW_DELAY_MS = 250; // after the last key
const SIMPLE_FIELD = /^simple_/;

class ScheduleBuilder extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.asked = 0;
    this.timer = 0;
    this.isSimpleChanged = false;
    this.cron = this.form.elements.cron;
    this.boxes = new CronFields(this.querySelector(".pane-cron"), this.cron);
    this.querySelector("[data-plain]").hidden = true;
    this.form.addEventListener("input", (event) => this.changed(event.target));
    this.offerOwnZone();
    if ([...this.form.elements].some(isRestored)) this.ask(); // else the server has said it with the page
  }

  disconnectedCallback() {
    clearTimeout(this.timer);
    this.asked += 1; // no answer is waited for any more
  }

  get mode() {
    return this.form.elements.kind.value;
  }

  changed(field) {
    if (SIMPLE_FIELD.test(field.name ?? "")) this.isSimpleChanged = true;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), PREVIEW_DELAY_MS);
  }

  async ask() {
    const number = ++this.asked;
    try {
      const answer = await fetch(this.dataset.preview, { method: "POST", body: new FormData(this.form) });
      if (number !== this.asked) return; // the form has changed since
      if (!answer.ok || answer.redirected) throw new Error(answer.redirected ? "signed out" : `HTTP ${answer.status}`);
      const meaning = await answer.json();
      if (number !== this.asked) return;
      this.show(meaning);
      this.keepInStep(meaning);
    } catch (error) {
      if (number !== this.asked) return;
      console.warn("no preview:", error);
      this.say("There is no preview right now: reload the page if that lasts.");
    }
  }

  show(meaning) {
    const fresh = new DOMParser().parseFromString(meaning.html, "text/html").querySelector("[data-shown]");
    this.querySelector("[data-shown]").replaceWith(document.adoptNode(fresh));
    this.say(meaning.sentence ? `${meaning.sentence}, ${meaning.zone}` : "");
    for (const place of this.querySelectorAll("[data-errors]"))
      this.showErrors(place, meaning.errors[place.dataset.errors] ?? []);
  }

  say(sentence) {
    const line = this.querySelector("[data-said]");
    if (line.textContent !== sentence) line.textContent = sentence;
  }

  showErrors(place, errors) {
    const list = document.createElement("ul");
    list.className = "errorlist";
    for (const error of errors) showInlineCode(list.appendChild(document.createElement("li")), error);
    place.replaceChildren(...(errors.length ? [list] : []));
    const name = place.dataset.errors;
    for (const field of this.form.querySelectorAll(`[name="${name}"], [name="${name}_0"], [name="${name}_1"]`)) {
      if (errors.length) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
      if (errors.length) field.setAttribute("aria-describedby", place.id);
    }
    if (errors.length) place.closest("details")?.setAttribute("open", "");
  }

  // A cron line that plain choices can say is shown in them; plain choices that were changed are shown as a line.
  keepInStep(meaning) {
    const note = this.querySelector("[data-too-much]");
    if (this.mode === "cron" && meaning.cron) {
      note.hidden = Boolean(meaning.simple);
      if (this.cron.value.trim().startsWith("@")) this.boxes.read(meaning.fields);
      if (meaning.simple) this.fillSimple(meaning.simple);
    } else if (this.mode === "simple" && meaning.cron && this.isSimpleChanged) {
      this.isSimpleChanged = false;
      note.hidden = true;
      this.cron.value = meaning.cron;
      this.boxes.read();
    }
  }

  fillSimple(values) {
    for (const [name, value] of Object.entries(values)) {
      for (const field of this.form.querySelectorAll(`[name="${name}"]`)) {
        if (field.type === "radio") field.checked = field.value === value;
        else if (field.type === "checkbox") field.checked = value.includes(Number(field.value));
        else field.value = value;
      }
    }
  }

  offerOwnZone() {
    const button = this.querySelector("[data-own-zone]");
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const field = this.form.elements.timezone;
    const look = () => (button.hidden = !zone || field.value === zone);
    button.textContent = `Use this browser’s: ${zone}`;
    button.addEventListener("click", () => {
      field.value = zone;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      field.focus();
    });
    field.addEventListener("input", look);
    look();
  }
}

// Whether the browser put back what was typed before a reload, which the server has not seen.
function isRestored(field) {
  if (field.type === "radio" || field.type === "checkbox") return field.name && field.checked !== field.defaultChecked;
  return field.name && "defaultValue" in field && field.value !== field.defaultValue;
}

customElements.define("schedule-builder", ScheduleBuilder);
