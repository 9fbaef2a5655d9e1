// What the bar above a <code-editor> offers: find and replace, go to a line, format.

import { address } from "../lib/base-path.js";
import { csrfToken } from "../lib/csrf.js";
import { lineDiff } from "../lib/line-diff.js";

export class CodeTools {
  /** @param {HTMLElement} editor the <code-editor>; tools that its bar does not have are left out */
  constructor(editor) {
    this.editor = editor;
    this.find = editor.querySelector("[data-find]");
    this.go = editor.querySelector("[data-go]");
    this.line = editor.querySelector("[data-line]");
    this.format = editor.querySelector("[data-format]");
    this.find?.addEventListener("click", () => editor.ace?.execCommand("find"));
    this.format?.addEventListener("click", () => this.formatText());
    this.go?.addEventListener("click", () => this.askForLine());
    this.line?.addEventListener("keydown", (event) => this.lineTyped(event));
    this.line?.addEventListener("blur", () => this.leaveLine());
    editor.addEventListener("keydown", (event) => this.keyPressed(event), true);
    for (const tool of [this.go, this.format]) if (tool) tool.hidden = false;
  }

  /** The browser finds in a plain text by itself. */
  showFor(isRich) {
    if (this.find) this.find.hidden = !isRich;
  }

  keyPressed(event) {
    const isGo = event.ctrlKey && !event.metaKey && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "g";
    if (!isGo || !this.line) return;
    event.preventDefault();
    event.stopPropagation();
    this.askForLine();
  }

  // --- a line ---
  askForLine() {
    this.line.hidden = false;
    this.go.hidden = true;
    this.line.value = "";
    this.line.placeholder = `Line ${this.editor.cursor.line}`;
    this.line.focus();
  }

  lineTyped(event) {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    const { line, column } = this.editor.cursor;
    const wanted = event.key === "Enter" ? Number.parseInt(this.line.value, 10) : 0;
    const last = this.editor.value.split("\n").length;
    if (wanted > 0) this.editor.goTo(Math.min(wanted, last));
    else this.editor.goTo(line, column);
    this.leaveLine();
  }

  leaveLine() {
    this.line.hidden = true;
    this.go.hidden = false;
  }

  // --- the form of the whole text ---
  async formatText() {
    const before = this.editor.value;
    this.say("Formatting…");
    try {
      const after = await this.ask(before);
      if (this.editor.value !== before) return this.say("Not formatted: the text was changed meanwhile");
      if (after === before) return this.say("Nothing to format");
      this.editor.edit(editsBetween(before, after));
      return this.say("Formatted");
    } catch (error) {
      return this.say(error.message, true);
    } finally {
      this.editor.focus({ preventScroll: true });
    }
  }

  async ask(code) {
    const { form } = this.editor.area;
    const body = JSON.stringify({ code, python_version: form.elements.python_version?.value ?? "" });
    const headers = { "Content-Type": "application/json", "X-CSRFToken": csrfToken(form) };
    const answer = await fetch(address("/api/v1/format"), { method: "POST", body, headers }).catch(() => null);
    const found = await answer?.json().catch(() => null);
    if (!answer?.ok || !found) throw new Error(found?.error?.message ?? "Not formatted: the server does not answer");
    return found.code;
  }

  say(sentence, isLost = false) {
    this.editor.dispatchEvent(new CustomEvent("code-editor:said", { bubbles: true, detail: { sentence, isLost } }));
  }
}

/** The edits that turn one text into another, each as small as it can be: the cursor and what is selected stay. */
function editsBetween(before, after) {
  const lines = before.split("\n");
  const edits = [];
  let row = 0;
  let [removed, added] = [[], []];
  const close = () => {
    if (removed.length || added.length) edits.push(editOfLines(lines, row - removed.length, removed, added));
    [removed, added] = [[], []];
  };
  for (const { sign, text } of lineDiff(before, after)) {
    if (sign === " ") close();
    if (sign !== "+") row += 1;
    if (sign === "+") added.push(text);
    if (sign === "-") removed.push(text);
  }
  close();
  return edits;
}

// Lines go with the line end before them, as the last line has none behind it; at the top with the one behind.
function editOfLines(lines, row, removed, added) {
  const withEnds = (each) => [...each.map((line) => (row ? `\n${line}` : `${line}\n`)).join("")];
  const [old, fresh] = [withEnds(removed), withEnds(added)];
  const most = Math.min(old.length, fresh.length);
  let start = 0;
  while (start < most && old[start] === fresh[start]) start += 1;
  let end = 0;
  while (end < most - start && old[old.length - 1 - end] === fresh[fresh.length - 1 - end]) end += 1;
  const anchor = row ? { line: row, column: [...lines[row - 1]].length + 1 } : { line: 1, column: 1 };
  const from = placeBehind(anchor, old.slice(0, start).join(""));
  const to = placeBehind(anchor, old.slice(0, old.length - end).join(""));
  const content = fresh.slice(start, fresh.length - end).join("");
  return { ...from, end_line: to.line, end_column: to.column, content };
}

function placeBehind({ line, column }, text) {
  const lines = text.split("\n");
  const last = [...lines.at(-1)].length;
  return lines.length === 1 ? { line, column: column + last } : { line: line + lines.length - 1, column: last + 1 };
}
