// <package-table>: the lines of a requirements <textarea> as rows to add, change and remove. The text stays the truth.

import { showInlineCode } from "../lib/inline-code.js";

const NAME = String.raw`[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?`;
const CLAUSE = String.raw`(?:===|==|~=|!=|<=|>=|<|>)\s*[A-Za-z0-9.*+!_-]+`;
const RANGE = String.raw`(?:${CLAUSE}(?:\s*,\s*${CLAUSE})*)`;
// name, [extras], range, ; marker, # comment: only the range is ever rewritten, the rest stays as it was typed.
const LINE = new RegExp(String.raw`^(\s*)(${NAME})(\s*\[[^\]]*\])?(\s*)(${RANGE})?(\s*;[^#]*?)?(\s+#.*|\s*)$`);
const WHOLE_RANGE = new RegExp(`^${RANGE}$`);
const BARE_VERSION = /^[0-9][A-Za-z0-9.*+!_-]*$/;
const RANGE_HINT = "Like >=2.31 or ~=1.4,!=1.4.2; a bare 2.31 means exactly that version.";

/** A line as {name, extras, range, marker}, or null when it is no plain requirement. */
function parse(line) {
  const found = LINE.exec(line);
  if (!found) return null;
  const [, lead, name, extras = "", space, range = "", marker = "", rest] = found;
  return { lead, name, extras, space, range, marker, rest };
}

/** The line with another range, everything else as it was. */
function withRange(line, range) {
  const { lead, name, extras, space, marker, rest } = parse(line);
  return `${lead}${name}${extras}${range ? space : ""}${range}${marker}${rest}`;
}

/** What a person typed as a range, as requirements write it; null when it is none. */
function asRange(typed) {
  const text = typed.trim();
  if (BARE_VERSION.test(text)) return `==${text}`;
  return text === "" || WHOLE_RANGE.test(text) ? text : null;
}

class PackageTable extends HTMLElement {
  connectedCallback() {
    if (this.area) return;
    this.area = this.querySelector("textarea");
    this.table = this.querySelector("[data-packages]");
    this.rows = this.querySelector("[data-rows]");
    this.note = this.querySelector("[data-note]");
    this.newName = this.querySelector("[data-new-name]");
    this.newRange = this.querySelector("[data-new-range]");
    this.plain = this.querySelector("details");
    this.area.addEventListener("input", () => {
      if (this.isOwn) return;
      this.say("");
      this.show();
    });
    this.querySelector("[data-add]").addEventListener("click", () => this.add());
    for (const field of [this.newName, this.newRange]) {
      field.addEventListener("keydown", (event) => event.key === "Enter" && (event.preventDefault(), this.add()));
    }
    this.table.hidden = false;
    this.plain.open = false; // without JavaScript it stands open
    this.show();
  }

  get lines() {
    return this.area.value.split("\n");
  }

  /** Another text from outside. */
  set value(text) {
    this.area.value = text;
    this.say("");
    this.show();
  }

  /** Shows a line of the text. */
  goTo(line) {
    this.plain.open = true;
    const start = this.lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    this.area.focus();
    this.area.setSelectionRange(start, start + (this.lines[line - 1] ?? "").length);
  }

  show() {
    const lines = this.lines;
    const shown = lines.map((line, index) => [line, index]).filter(([line]) => line.trim());
    this.rows.replaceChildren(...shown.map(([line, index]) => this.row(line, index)));
    this.rows.hidden = shown.length === 0;
    this.querySelector("[data-none]").hidden = shown.length > 0;
  }

  row(line, index) {
    const found = parse(line);
    const row = document.createElement("li");
    if (!found) {
      row.className = "package is-text";
      row.append(words("bdi", line.trim()));
      if (!line.trim().startsWith("#")) row.append(words("span", "as typed", "quiet small"));
      return row;
    }
    row.className = "package";
    const name = words("span", "", "package-name");
    name.append(words("bdi", found.name), words("span", found.extras.trim(), "quiet"));
    row.append(name, this.rangeField(found, index), this.removeButton(found, index));
    const more = `${found.marker}${found.rest}`.trim();
    if (more) row.append(words("bdi", more, "package-marker quiet small"));
    return row;
  }

  rangeField({ name, range }, index) {
    const field = document.createElement("input");
    Object.assign(field, {
      value: range,
      placeholder: "any version",
      spellcheck: false,
      autocomplete: "off",
      title: RANGE_HINT,
    });
    field.className = "package-range";
    field.setAttribute("aria-label", `Version range of ${name}`);
    field.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
    field.addEventListener("input", () => this.change(field, index));
    field.addEventListener(
      "change",
      () => field.checkValidity() && (field.value = parse(this.lines[index])?.range ?? ""),
    );
    return field;
  }

  removeButton({ name }, index) {
    const button = words("button", "✕", "button is-small is-plain");
    button.type = "button";
    button.title = `Remove ${name}`;
    button.setAttribute("aria-label", `Remove ${name}`);
    button.addEventListener("click", () => this.remove(index, name));
    return button;
  }

  change(field, index) {
    const range = asRange(field.value);
    field.setCustomValidity(range === null ? RANGE_HINT : "");
    this.say(range === null ? RANGE_HINT : "");
    if (range === null) {
      field.setAttribute("aria-describedby", this.note.id);
      return field.setAttribute("aria-invalid", "true");
    }
    field.removeAttribute("aria-invalid");
    const lines = this.lines;
    lines[index] = withRange(lines[index], range);
    this.write(lines);
  }

  remove(index, name) {
    const lines = this.lines;
    lines.splice(index, 1);
    this.write(lines);
    this.show();
    this.say(`${name} removed.`);
    this.newName.focus();
  }

  add() {
    const typed = parse(this.newName.value);
    const range = asRange(this.newRange.value || typed?.range || "");
    if (!typed) return this.refuse(this.newName, "A package's name has letters, digits, `.`, `-` and `_`.");
    if (range === null) return this.refuse(this.newRange, RANGE_HINT);
    const lines = this.lines;
    while (lines.length && !lines.at(-1).trim()) lines.pop();
    const there = lines.findIndex((line) => canonical(parse(line)?.name) === canonical(typed.name));
    if (there >= 0) lines[there] = withRange(lines[there], range);
    else lines.push(`${typed.name}${typed.extras}${range}${typed.marker}`);
    this.write(lines);
    this.show();
    this.say(
      there >= 0
        ? `${typed.name} was there already: its range is now ${range || "any version"}.`
        : `${typed.name} added.`,
    );
    for (const field of [this.newName, this.newRange]) field.value = "";
    for (const field of [this.newName, this.newRange]) field.removeAttribute("aria-invalid");
    this.newName.focus();
  }

  /** Puts lines behind the others, but for those that are there. */
  append(added) {
    const lines = this.lines.filter((line) => line.trim());
    const missing = added.filter((line) => !lines.includes(line));
    this.write([...lines, ...missing]);
    this.show();
    this.say(`${added.at(-1)} added.`);
  }

  refuse(field, sentence) {
    field.setAttribute("aria-invalid", "true");
    field.focus();
    this.say(sentence);
  }

  say(sentence) {
    showInlineCode(this.note, sentence);
  }

  write(lines) {
    this.isOwn = true; // the rows are as they should be: do not build them anew under the reader's hands
    this.area.value = lines.join("\n");
    this.area.dispatchEvent(new Event("input", { bubbles: true }));
    this.isOwn = false;
  }
}

function canonical(name) {
  return name?.toLowerCase().replace(/[-_.]+/g, "-");
}

function words(tag, text, className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

customElements.define("package-table", PackageTable);
