// <script-editor>: the Code tab. Saves drafts by itself, makes versions, runs them, and shows what is wrong where.

import { BuildLog } from "../build-log.js";
import { fingerprint } from "../editor/draft-copies.js";
import { offerRecovery } from "../editor/draft-recovery.js";
import { DraftSaver } from "../editor/draft-saver.js";
import { clockTime } from "../lib/clock-time.js";
import { csrfToken } from "../lib/csrf.js";
import { isKeyS } from "../lib/keys.js";
import { showInlineCode } from "../lib/inline-code.js";
import { ProblemList } from "../editor/problem-list.js";
import { SavedLine } from "../editor/saved-line.js";
import { ScriptRunner } from "../editor/script-runner.js";
import "./code-editor.js";
import "./console-drawer.js";
import "./draft-conflict.js";
import "./package-table.js";

const WAITING = {
  offline: "Not saved, trying again",
  "signed-out": "Not saved: you are logged out.",
};

class ScriptEditor extends HTMLElement {
  connectedCallback() {
    this.code = this.querySelector("code-editor");
    this.packages = this.querySelector("package-table");
    this.form = this.querySelector("#script-text");
    this.python = this.form.elements.python_version;
    this.conflict = this.querySelector("draft-conflict");
    this.saved = new SavedLine(this.querySelector("[data-saved]"));
    this.problems = new ProblemList(this.querySelector("[data-problems]"), {
      choose: (problem) => this.goTo(problem),
      fix: (fix) => this.applyFix(fix),
      add: (lines) => this.addPackages(lines),
    });
    this.setUpSaver();
    this.showProblems(this.problems.problems);
    this.runner = new ScriptRunner(this);
    this.listen();
    this.offerDrafts();
    this.buildLog = new BuildLog(this);
    this.buildLog.show();
  }

  setUpSaver() {
    const { slug, revision, api, version, draft } = this.dataset;
    this.version = Number(version);
    this.isDraft = draft === "yes";
    this.saver = new DraftSaver({
      url: `${api}/draft`,
      scriptUrl: api,
      slug,
      revision: Number(revision),
      read: () => this.text,
      note: () => this.form.elements.note.value,
      csrf: () => this.csrf,
      on: {
        saving: () => this.saved.sayOfSaving("Saving…"),
        saved: (answer) => this.showSaved(answer),
        same: () => this.showSame(),
        waiting: (why) => this.showWaiting(why),
        conflict: (theirs) => this.showConflict(theirs),
        refused: (error) => this.showRefusal(error),
      },
    });
  }

  listen() {
    this.form.addEventListener("submit", (event) => this.submitted(event));
    for (const kind of ["input", "change"]) {
      this.addEventListener(
        kind,
        (event) => event.target.name && event.target.form === this.form && this.changed(kind),
      );
    }
    this.addEventListener("code-editor:cursor", ({ detail }) => this.showCursor(detail));
    this.addEventListener("code-editor:said", ({ detail }) => this.saved.tell(detail.sentence, detail.isLost));
    this.addEventListener("draft-conflict:decided", ({ detail }) => this.decided(detail));
    this.addEventListener("live-list:fresh", () => this.buildLog.show());
    this.addEventListener("console-drawer:closed", () => this.code.focus());
    document.addEventListener("keydown", (event) => this.keyPressed(event), true);
    document.addEventListener("visibilitychange", () => document.hidden && this.saver.leave());
    window.addEventListener("pagehide", () => this.saver.leave());
    window.addEventListener("online", () => this.saver.save());
    window.addEventListener("focus", () => this.saver.failures && this.saver.save());
    window.addEventListener("beforeunload", (event) => this.saver.isAtRisk && event.preventDefault());
    window.addEventListener("pageshow", (event) => this.shownAgain(event));
    this.querySelector("#discard").addEventListener("submit", ({ target }) => this.discarding(target));
  }

  // The text may be another by now.
  shownAgain({ persisted }) {
    if (persisted && !this.saver.isDirty) location.reload();
  }

  get text() {
    return {
      code: this.code.value,
      requirements: this.form.elements.requirements.value,
      python_version: this.python.value,
    };
  }

  set text({ code, requirements, python_version: python }) {
    this.code.value = code;
    this.packages.value = requirements;
    if (![...this.python.options].some(({ value }) => value === python)) this.python.add(new Option(python, python));
    this.python.value = python;
  }

  get csrf() {
    return csrfToken(this.form);
  }

  get hasChanged() {
    return this.isDraft || this.saver.isDirty || !this.version;
  }

  // --- acts -------------------------------------------------------------------------------------
  changed(kind) {
    if (kind === "change") return this.saver.leave(); // a field was left
    if (!this.saver.failures && !this.saver.theirs && this.saver.isDirty) this.saved.sayOfSaving("Changed");
    this.saver.changed();
  }

  submitted(event) {
    event.preventDefault();
    if (event.submitter?.value === "run") this.runner.run();
    else this.saveVersion();
  }

  keyPressed(event) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || this.querySelector("dialog[open]")) return;
    const act = { s: () => this.saveVersion(), Enter: () => this.runner.run() }[isKeyS(event) ? "s" : event.key];
    if (!act || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat) act();
  }

  discarding(form) {
    this.saver.discard();
    // Of the text that was seen here, not that of the page's beginning.
    form.elements.based_on.value = this.saver.revision;
  }

  async saveVersion() {
    this.clearErrors();
    if (this.hasChanged) return this.saver.saveVersion();
    this.say(`No changes since v${this.version}`);
    return true;
  }

  goTo({ field, line, column }) {
    if (field === "code") return this.code.goTo(line, column);
    if (field === "python_version") return this.python.focus();
    return this.packages.goTo(line);
  }

  // Where the text has moved on since it was looked at, the places of the edits are not what they were.
  applyFix({ message, edits }) {
    if (fingerprint(this.text) !== this.checkedText) return this.say("Not changed: the text is being looked at again");
    this.code.edit(edits);
    this.say(message.replaceAll("`", ""));
    return this.saver.leave();
  }

  addPackages(lines) {
    this.packages.append(lines);
    this.say(`${lines.at(-1)} added to the requirements`);
    return this.saver.leave();
  }

  // --- what is said -----------------------------------------------------------------------------
  say(sentence, isLost = false) {
    this.saved.say(sentence, isLost);
  }

  showCursor({ line, column }) {
    this.querySelector("[data-cursor]").textContent = `Ln ${line} Col ${column}`;
  }

  showSaved(answer) {
    this.querySelector("[data-logged-out]").hidden = true;
    this.clearErrors();
    if (answer.isVersion) {
      this.version = answer.version;
      this.isDraft = false;
      this.form.elements.note.value = "";
      this.say(`Saved as v${answer.version}`);
      this.checked = this.askForProblems();
    } else {
      this.isDraft = answer.is_draft;
      const at = clockTime(answer.saved_at, this.dataset.zone);
      this.saved.sayOfSaving(answer.is_draft ? `Saved ${at}` : `Same as v${this.version}`);
    }
    this.showVersion();
    if (answer.problems) this.showProblems(answer.problems);
  }

  showSame() {
    this.querySelector("[data-logged-out]").hidden = true;
    this.saved.sayOfSaving(this.isDraft ? "Saved" : `Same as v${this.version}`);
  }

  showVersion() {
    this.querySelector("[data-version-name]").textContent = this.version
      ? `v${this.version}${this.isDraft ? " + draft" : ""}`
      : "draft";
    for (const part of this.querySelectorAll("[data-draft-only]")) part.hidden = !this.isDraft || !this.version;
  }

  showProblems(problems) {
    this.checkedText = this.saver.sent;
    this.problems.show(problems);
    this.code.problems = this.problems.of("code");
  }

  // A version's answer says nothing of problems, and the draft before it may have been another text.
  async askForProblems() {
    try {
      const answer = await fetch(`${this.dataset.api}/draft`);
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      const { problems, revision } = await answer.json();
      if (revision !== this.saver.revision) return;
      this.showProblems(problems);
      this.showUnreadable(problems.find(({ code }) => code === "syntax"));
    } catch (error) {
      console.warn("could not ask for the problems:", error); // the next saving brings them
    }
  }

  showUnreadable(fault) {
    const banner = document.querySelector("[data-unreadable]");
    banner.hidden = !fault;
    banner.querySelector("bdi").textContent = fault ? `line ${fault.line}: ${fault.message}` : "";
  }

  showWaiting(why) {
    this.say(WAITING[why], true);
    this.querySelector("[data-logged-out]").hidden = why !== "signed-out";
  }

  showConflict(theirs) {
    this.say("Not saved: somebody else saved first", true);
    this.conflict.show(theirs, { read: () => this.text, zone: this.dataset.zone });
    this.conflict.scrollIntoView({ block: "nearest" });
  }

  decided({ choice, theirs }) {
    if (choice === "keep") {
      this.saver.keepMine();
    } else {
      this.text = theirs;
      this.saver.tookTheirs();
      this.isDraft = theirs.is_draft ?? true;
      this.version = theirs.version ?? this.version;
      this.say("Their text is here now");
      this.showVersion();
    }
    this.code.focus();
  }

  /** What the server refused, at its field; without a field above the editor. */
  showRefusal({ message, hint, fields }) {
    this.say("Not saved: see below", true);
    const places = Object.keys(fields ?? {}).map((field) => this.querySelector(`[data-error="${CSS.escape(field)}"]`));
    const sentences = Object.values(fields ?? {}).map((sentence) => [sentence, hint].filter(Boolean).join("\n"));
    places.forEach((place, index) => place && showInlineCode(place, sentences[index]));
    if (!places.some(Boolean)) this.alert([message, hint].filter(Boolean).join("\n"));
  }

  alert(sentence) {
    const place = this.querySelector("[data-alert]");
    showInlineCode(place, sentence);
    place.hidden = false;
    place.scrollIntoView({ block: "nearest" });
  }

  clearErrors() {
    for (const place of this.querySelectorAll("[data-error]")) place.textContent = "";
    for (const place of this.querySelectorAll("[data-alert], [data-doubts]")) place.hidden = true;
  }

  // --- text that an earlier visit could not save ------------------------------------------------
  offerDrafts() {
    const forget = ({ name }) => this.saver.copies.forget(name);
    const restore = (copy) => {
      this.text = copy.text;
      this.saver.copy(); // under this tab's name: only then may the other one go
      forget(copy);
      this.saver.changed();
      this.code.focus();
    };
    offerRecovery(this.querySelector("[data-recovery]"), this.saver.recoverable(), { restore, forget });
  }
}

customElements.define("script-editor", ScriptEditor);
