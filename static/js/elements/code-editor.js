// <code-editor>: a real <textarea> that becomes Ace where that is wanted. The textarea stays in step, so forms work.

import { CodeTools } from "../editor/code-tools.js";
import * as storage from "../lib/storage.js";

const STORAGE_NAME = "tempo.editor"; // "plain" or "rich"
// Its colours are in code-editor.css and follow the page's.
const THEME = { cssClass: "ace-tempo", cssText: "", isDark: false };
const OPTIONS = {
  theme: THEME,
  useWorker: false, // problems come from the server
  newLineMode: "unix",
  showPrintMargin: false,
  scrollPastEnd: 0.25,
  fixedWidthGutter: true,
  highlightSelectedWord: true,
};
// These open modules of Ace that Tempo does not ship.
const REMOVED_COMMANDS = [
  "showSettingsMenu",
  "openCommandPalette",
  "openCommandPallete",
  "gotoline",
  "goToNextError",
  "goToPreviousError",
];
const MODIFIERS = new Set(["Shift", "Control", "Alt", "Meta", "AltGraph"]);

let ready; // one Ace for all editors of a page

class CodeEditor extends HTMLElement {
  connectedCallback() {
    if (this.area) return; // it was only moved
    this.area = this.querySelector("textarea");
    this.shown = [];
    this.marks = [];
    this.button = this.querySelector("[data-switch]");
    this.button.hidden = false;
    this.tools = new CodeTools(this);
    this.isPlain = storage.read(STORAGE_NAME) === "plain";
    this.button.addEventListener("click", () => this.choose(this.isPlain ? "rich" : "plain"));
    for (const kind of ["keyup", "click", "input"]) this.area.addEventListener(kind, () => this.reportCursor());
    for (const label of this.area.labels) label.addEventListener("click", () => this.ace?.focus());
    const shown = this.isPlain ? this.name() : this.enrich();
    Promise.resolve(shown).then(() => this.goToAddress());
  }

  disconnectedCallback() {
    queueMicrotask(() => this.isConnected || this.simplify());
  }

  // --- its text, for whoever embeds it ----------------------------------------------------------
  get value() {
    return this.ace ? this.ace.getValue() : this.area.value;
  }

  /** Puts another text in; it can be undone. */
  set value(text) {
    if (text === this.value) return;
    if (!this.ace) {
      this.area.value = text;
      return;
    }
    const at = this.ace.getCursorPosition();
    this.ace.session.doc.setValue(text);
    this.ace.moveCursorToPosition(at);
    this.ace.clearSelection();
    this.keepStep();
  }

  /** {line, column}, counted from 1. */
  get cursor() {
    if (this.ace) {
      const { row, column } = this.ace.getCursorPosition();
      return { line: row + 1, column: column + 1 };
    }
    const before = this.area.value.slice(0, this.area.selectionStart);
    return { line: before.split("\n").length, column: before.length - before.lastIndexOf("\n") };
  }

  /** Puts texts in the place of others: [{line, column, end_line, end_column, content}], apart from each other. */
  edit(edits) {
    const lines = this.value.split("\n");
    const from = (line, column) => ({
      row: line - 1,
      column: [...(lines[line - 1] ?? "")].slice(0, column - 1).join("").length,
    }); // not a pair's half
    const ordered = [...edits].sort((one, other) => other.line - one.line || other.column - one.column);
    for (const { line, column, end_line: lastLine, end_column: end, content } of ordered) {
      const [start, stop] = [from(line, column), from(lastLine, end)];
      if (this.ace) this.ace.session.replace(window.ace.Range.fromPoints(start, stop), content);
      else this.area.setRangeText(content, offset(lines, start), offset(lines, stop));
    }
    if (this.ace) this.keepStep();
    else this.area.dispatchEvent(new Event("input", { bubbles: true }));
  }

  /** [{line, column, end_line, end_column, message, severity}], lines and columns from 1. */
  set problems(problems) {
    this.shown = problems;
    if (this.ace) this.showProblems();
  }

  focus(options) {
    (this.ace ?? this.area).focus(options);
  }

  /** Goes to the line that the page's address names, as `#L12`. */
  goToAddress() {
    const found = /^#L(\d{1,7})$/.exec(location.hash);
    if (found) this.goTo(Number(found[1]));
  }

  goTo(line, column = 1) {
    if (this.ace) {
      this.ace.gotoLine(line, column - 1, false);
      this.ace.focus();
      return;
    }
    const start =
      this.area.value
        .split("\n")
        .slice(0, line - 1)
        .join("\n").length +
      (line > 1 ? 1 : 0) +
      column -
      1;
    this.area.focus();
    this.area.setSelectionRange(start, start);
    const perLine = this.area.scrollHeight / Math.max(1, this.area.value.split("\n").length);
    this.area.scrollTop = Math.max(0, (line - 4) * perLine);
    this.reportCursor();
  }

  nextProblem() {
    const { line, column } = this.cursor;
    const sorted = [...this.shown].sort((a, b) => a.line - b.line || a.column - b.column);
    const next = sorted.find((one) => one.line > line || (one.line === line && one.column > column)) ?? sorted[0];
    if (next) this.goTo(next.line, next.column);
  }

  // --- plain or rich ----------------------------------------------------------------------------
  choose(kind) {
    this.isPlain = kind === "plain";
    storage.write(STORAGE_NAME, kind);
    const { line, column } = this.cursor;
    if (!this.isPlain) return this.enrich().then(() => this.goTo(line, column));
    this.simplify();
    this.name();
    return this.goTo(line, column);
  }

  async enrich() {
    try {
      await (ready ??= loadAce(this.dataset));
    } catch (error) {
      console.warn("the editor was not loaded:", error); // the textarea is there, nothing is lost
      ready = undefined;
      this.isPlain = true;
      this.name();
      return;
    }
    if (this.ace || this.isPlain || !this.isConnected) return; // plain text was asked for meanwhile
    this.box = document.createElement("div");
    this.area.after(this.box);
    const mode = `ace/mode/${this.dataset.language ?? "python"}`;
    this.ace = window.ace.edit(this.box, { ...OPTIONS, mode, value: this.area.value, readOnly: this.area.readOnly });
    this.ace.session.getUndoManager().reset();
    this.ace.setOption("textInputAriaLabel", `${labelOf(this.area)}. Press Escape, then Tab, to leave the editor.`);
    this.ace.commands.removeCommands(REMOVED_COMMANDS);
    this.ace.commands.addCommand({ name: "nextProblem", bindKey: "F8", exec: () => this.nextProblem() });
    this.listen();
    this.classList.add("is-rich");
    this.name();
    this.showProblems();
    this.ace.resize();
    this.reportCursor();
    this.dispatchEvent(new CustomEvent("code-editor:ready", { bubbles: true }));
  }

  simplify() {
    if (!this.ace) return;
    this.keepStep();
    this.classList.remove("is-rich");
    this.ace.destroy();
    this.box.remove();
    this.ace = null;
    this.marks = [];
  }

  name() {
    this.button.textContent = this.ace ? "Plain text" : "Code editor";
    this.button.title = this.ace ? "Edit in a plain text field" : "Edit with colours and line numbers";
    this.tools.showFor(Boolean(this.ace));
  }

  listen() {
    this.ace.session.on("change", () => {
      if (this.isBehind) return; // a paste is many changes
      this.isBehind = true;
      queueMicrotask(() => this.keepStep());
    });
    this.ace.selection.on("changeCursor", () => this.reportCursor());
    this.ace.on("blur", () => this.area.dispatchEvent(new Event("change", { bubbles: true })));
    this.box.addEventListener("keydown", (event) => this.maybeLeave(event), true);
    for (const kind of ["focusin", "focusout", "mousedown"])
      this.box.addEventListener(kind, () => (this.isLeaving = false));
    this.sizes = new ResizeObserver(() => this.ace?.resize());
    this.sizes.observe(this.box);
  }

  // Tab indents; after Escape it moves on, as it does everywhere else.
  maybeLeave(event) {
    if (event.key === "Escape")
      this.isLeaving = !event.target.closest(".ace_search"); // there it closes the search
    else if (event.key === "Tab" && this.isLeaving)
      event.stopPropagation(); // not seen by Ace: the browser moves the focus
    else if (!MODIFIERS.has(event.key)) this.isLeaving = false;
  }

  keepStep() {
    this.isBehind = false;
    if (!this.ace) return;
    const text = this.ace.getValue();
    if (text === this.area.value) return;
    this.area.value = text;
    this.area.dispatchEvent(new Event("input", { bubbles: true }));
  }

  reportCursor() {
    this.dispatchEvent(new CustomEvent("code-editor:cursor", { bubbles: true, detail: this.cursor }));
  }

  showProblems() {
    const session = this.ace.session;
    const Range = window.ace.Range;
    for (const mark of this.marks) session.removeMarker(mark);
    this.marks = this.shown.map(({ line, column, end_line: lastLine, end_column: end, severity }) => {
      const rest = session.getLine(line - 1).length; // the lines below are not wrong
      const last = lastLine > line ? rest : (end ?? column) - 1;
      const range = new Range(line - 1, column - 1, line - 1, Math.max(last, column));
      return session.addMarker(range, `problem-mark is-${severity}`, "text");
    });
    session.setAnnotations(
      this.shown.map(({ line, column, message, severity }) => ({
        row: line - 1,
        column: column - 1,
        text: message,
        type: severity === "error" ? severity : "warning",
      })),
    );
  }
}

function offset(lines, { row, column }) {
  return lines.slice(0, row).reduce((sum, line) => sum + line.length + 1, 0) + column;
}

function labelOf(area) {
  return area.getAttribute("aria-label") || area.labels[0]?.textContent.trim() || "Code";
}

async function loadAce({ ace: script, aceCss, mode, searchbox }) {
  await Promise.all([load("script", { src: script }), load("link", { rel: "stylesheet", href: aceCss })]);
  const { config } = window.ace;
  config.set("useStrictCSP", true); // no <style>: its rules come from the style sheet
  config.set("loadWorkerFromBlob", false);
  config.setModuleUrl("ace/mode/python", mode);
  config.setModuleUrl("ace/ext/searchbox", searchbox);
}

function load(tag, attributes) {
  return new Promise((done, failed) => {
    const element = Object.assign(document.createElement(tag), attributes);
    element.addEventListener("load", done);
    element.addEventListener("error", () => failed(new Error(`could not load ${attributes.src ?? attributes.href}`)));
    document.head.append(element);
  });
}

customElements.define("code-editor", CodeEditor);
