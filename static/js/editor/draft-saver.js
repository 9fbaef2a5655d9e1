// Carries the text to the server soon after it changed: one request under way at a time, nothing lost on the way.

import { DraftCopies, fingerprint } from "./draft-copies.js";

const AFTER_LAST_KEY_MS = 800;
const MAX_UNSAVED_MS = 5000; // somebody who never pauses is saved all the same
const COPY_AFTER_MS = 250;
const MAX_WAIT_MS = 10000;
const MAX_KEEPALIVE_BYTES = 60000; // browsers refuse more in a request that may outlive its page
const LOGGED_OUT = new Set([401, 403]);

export class DraftSaver {
  /**
   * @param {{url: string, scriptUrl: string, slug: string, revision: number}} setting what and where; beside that
   *   `read()` returns {code, requirements, python_version}, `note()` what goes with a version, `csrf()` the token.
   *   `on` has {saving, saved, same, waiting, conflict, refused}: `same()` is told that the text is again what the
   *   server has; `waiting(why)` is told "offline" or "signed-out" and the saver goes on trying; `refused(error)` is
   *   told what the server will not take.
   */
  constructor(setting) {
    Object.assign(this, setting);
    this.copies = new DraftCopies(this.slug);
    this.sent = fingerprint(this.read());
    this.underWay = Promise.resolve();
    this.failures = 0;
    this.theirs = null;
    this.unsavedSince = 0;
    this.isVersionWanted = false; // it was asked for while the server was away
  }

  /** Whether leaving now would lose something that only this browser has. */
  get isAtRisk() {
    return this.isDirty && Boolean(this.failures || this.theirs);
  }

  get isDirty() {
    return fingerprint(this.read()) !== this.sent;
  }

  changed() {
    if (this.isStopped) return;
    this.copyTimer ||= setTimeout(() => this.copy(), COPY_AFTER_MS);
    this.unsavedSince ||= performance.now();
    const patience = this.unsavedSince + MAX_UNSAVED_MS - performance.now();
    this.later(Math.max(0, Math.min(AFTER_LAST_KEY_MS, patience)));
  }

  later(wait) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), wait);
  }

  /** At once: the page may be about to go. */
  leave() {
    if (this.isStopped || !this.isDirty) return;
    this.copy();
    this.save();
  }

  /** Saves the draft when there is something to save; resolves to whether the server has the text. */
  save() {
    clearTimeout(this.timer);
    return this.next(async () => {
      if (this.theirs || this.isStopped) return false;
      if (this.isVersionWanted) return this.sendVersion();
      if (!this.isDirty) {
        this.failures = 0;
        this.unsavedSince = 0;
        this.forget();
        this.on.same();
        return true;
      }
      return this.send("PUT", this.url, {});
    });
  }

  /** No further word to the server from this page, which throws the draft away; a copy stays, to be brought back. */
  discard() {
    this.copy({ isDiscarded: true });
    clearTimeout(this.timer);
    this.isStopped = true;
  }

  /** Saves a version; resolves to what the server says of the script, or null. */
  saveVersion() {
    clearTimeout(this.timer);
    return this.next(async () => {
      if (this.theirs) {
        this.on.conflict(this.theirs);
        return null;
      }
      return (await this.sendVersion()) || null;
    });
  }

  sendVersion() {
    return this.send("PATCH", this.scriptUrl, { isVersion: true });
  }

  /** After a conflict: my text goes on top of theirs. */
  keepMine() {
    this.revision = this.theirs.revision;
    this.theirs = null;
    this.sent = "";
    return this.save();
  }

  /** After a conflict: the caller has put their text in the place of mine. */
  tookTheirs() {
    this.revision = this.theirs.revision;
    this.theirs = null;
    this.sent = fingerprint(this.read());
    this.forget();
  }

  next(act) {
    this.underWay = this.underWay.then(act, act);
    return this.underWay;
  }

  async send(method, url, { isVersion = false }) {
    const text = this.read();
    const body = JSON.stringify(isVersion ? { ...text, note: this.note() } : text);
    this.unsavedSince = 0;
    this.isVersionWanted = isVersion;
    this.on.saving();
    let answer;
    try {
      answer = await fetch(url, {
        method,
        body,
        keepalive: new Blob([body]).size < MAX_KEEPALIVE_BYTES,
        headers: { "Content-Type": "application/json", "X-CSRFToken": this.csrf(), "If-Match": `"${this.revision}"` },
      });
    } catch {
      return this.again("offline");
    }
    return this.answered(answer, fingerprint(text), isVersion);
  }

  async answered(answer, sent, isVersion) {
    if (LOGGED_OUT.has(answer.status)) return this.again("signed-out");
    if (answer.status >= 500 || answer.status === 429) return this.again("offline");
    const body = await answer.json().catch(() => null);
    if (!body) return this.again("offline");
    this.failures = 0;
    this.isVersionWanted = false;
    if (answer.status === 412 && body.draft) {
      this.theirs = body.draft;
      this.copy();
      this.on.conflict(body.draft);
      return false;
    }
    if (!answer.ok) {
      this.copy();
      this.on.refused(body.error ?? { message: `The server answered ${answer.status}.` });
      return false;
    }
    return this.accepted(body, sent, isVersion);
  }

  accepted(body, sent, isVersion) {
    this.revision = body.revision;
    this.sent = sent;
    if (this.isDirty)
      this.later(AFTER_LAST_KEY_MS); // typed on meanwhile
    else this.forget();
    this.on.saved({ ...body, isVersion });
    return body;
  }

  again(why) {
    this.copy();
    this.failures += 1;
    this.on.waiting(why);
    this.later(Math.min(MAX_WAIT_MS, 500 * 2 ** this.failures));
    return false;
  }

  // --- the copy in this browser, until the server has the text ----------------------------------
  copy(about) {
    clearTimeout(this.copyTimer);
    this.copyTimer = 0;
    this.copies.write(this.read(), about);
  }

  forget() {
    clearTimeout(this.copyTimer);
    this.copyTimer = 0;
    this.copies.forget();
  }

  /** Texts of earlier visits that never reached the server, or were discarded, and are not what is shown. */
  recoverable() {
    return this.copies.found(this.sent);
  }
}
