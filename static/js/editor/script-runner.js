// Runs the text of the editor: saves it first, asks where something speaks against it, waits for its environment.

import { settledEnvironment } from "../environment-wait.js";
import { doubtful } from "./problem-list.js";
import { address } from "../lib/base-path.js";
import { showInlineCode } from "../lib/inline-code.js";

const MAX_DOUBTS = 10;

export class ScriptRunner {
  /** @param {HTMLElement} editor the <script-editor>: its text, what is known of it, and where to say what */
  constructor(editor) {
    this.editor = editor;
    this.api = editor.dataset.api;
    this.drawer = editor.querySelector("console-drawer");
    this.question = editor.querySelector("[data-doubts]");
    this.agreed = new Set(); // what was run anyway
    if (editor.dataset.known === "yes") this.agree();
    this.question.querySelector("[data-anyway]").addEventListener("submit", (event) => {
      event.preventDefault();
      this.agree();
      this.run();
    });
  }

  async run() {
    if (this.isStarting) return; // a second press must not make a second run
    if (this.drawer.isBusy) return this.drawer.remind();
    this.isStarting = true;
    try {
      this.editor.clearErrors();
      if (this.editor.hasChanged && !(await this.editor.saver.saveVersion())) return;
      if ((await this.isConfirmed()) && (await this.isEnvironmentSettled())) await this.start();
    } finally {
      this.isStarting = false;
    }
  }

  get doubts() {
    return doubtful(this.editor.problems.problems);
  }

  agree() {
    for (const doubt of this.doubts) this.agreed.add(name(doubt));
    this.question.hidden = true;
  }

  // What may end the run or harm is asked about once: whoever knows of it is not asked at every press.
  async isConfirmed() {
    await this.editor.checked;
    const doubts = this.doubts;
    if (doubts.every((doubt) => this.agreed.has(name(doubt)))) return true;
    const rows = doubts.slice(0, MAX_DOUBTS).map(({ line, message }) => row(`Line ${line}: ${message}`));
    if (doubts.length > MAX_DOUBTS) rows.push(row(`and ${doubts.length - MAX_DOUBTS} more`));
    this.question.querySelector("[data-doubts-list]").replaceChildren(...rows);
    this.question.hidden = false;
    this.question.scrollIntoView({ block: "nearest" });
    this.question.querySelector("button").focus();
    return false;
  }

  // A run waits for its environment by itself; but when that is not built, it takes the one before it, which nobody
  // asked for here.
  async isEnvironmentSettled() {
    const patience = new AbortController();
    const waiting = () => this.drawer.wait(() => patience.abort());
    const { version } = this.editor;
    try {
      const environment = await settledEnvironment(this.api, { waiting, signal: patience.signal });
      if (environment?.state !== "failed" || this.toldOf === version) return true;
    } catch (error) {
      if (patience.signal.aborted) return false;
      console.warn("could not look at the environment:", error); // the server decides then
      return true;
    }
    this.toldOf = version;
    if (this.drawer.isWaiting) this.drawer.close();
    this.editor.alert(
      `Not run: the environment of v${version} was not built.\n` +
        "Press Run again to run it all the same, with the environment before it.",
    );
    return false;
  }

  async start() {
    let answer;
    try {
      const headers = { "Content-Type": "application/json", "X-CSRFToken": this.editor.csrf };
      const body = JSON.stringify({ confirm: true }); // isWanted() has asked
      answer = await fetch(`${this.api}/runs`, { method: "POST", body, headers });
    } catch (error) {
      console.warn("could not start:", error);
      return this.editor.alert("The run was not started: the server does not answer. Try again.");
    }
    const body = await answer.json().catch(() => ({}));
    if (answer.ok) return this.show(body.id);
    const isInputNeeded = answer.status === 422;
    if (isInputNeeded) return location.assign(address(`/scripts/${this.editor.dataset.slug}/run-with/`));
    return this.editor.alert(
      [body.error?.message ?? "The run was not started.", body.error?.hint].filter(Boolean).join("\n"),
    );
  }

  async show(run) {
    await this.drawer.open(run, () => this.editor.csrf);
    const isWide = matchMedia("(min-width: 62.01rem)").matches; // then text and output are both in view
    if (isWide) this.editor.form.parentElement.scrollIntoView();
    else this.drawer.scrollIntoView({ block: "end" });
  }
}

/** A problem wherever its line has moved to. */
function name({ code, message }) {
  return `${code} ${message}`;
}

function row(sentence) {
  const element = document.createElement("li");
  showInlineCode(element, sentence);
  return element;
}
