// Carries the text to the server soon after it changed: one request under way at a time, nothing lost on the way.

const AFTER_LAST_KEY_MS = 800;
const COPY_AFTER_MS = 250;
const LONGEST_WAIT_MS = 10000;
const KEEPALIVE_BYTES = 60000; // browsers refuse more in a request that may outlive its page
const LOGGED_OUT = new Set([401, 403]);
const FIELDS = ["code", "requirements", "python_version"];

export class DraftSaver {
  /**
   * @param {{url: string, scriptUrl: string, key: string, revision: number, read: () => object, csrf: () => string,
   *          on: {saving: Function, saved: Function, waiting: Function, conflict: Function, refused: Function}}} setting
   *   `read` returns {code, requirements, python_version}; `waiting(why)` is told "offline" or "signed-out" and the
   *   saver goes on trying; `refused(error)` is told what the server will not take.
   */
  constructor(setting) {
    Object.assign(this, setting);
    this.sent = fingerprint(this.read());
    this.underWay = Promise.resolve();
    this.failures = 0;
    this.theirs = null;
  }

  get isDirty() {
    return fingerprint(this.read()) !== this.sent;
  }

  changed() {
    if (this.isStopped) return;
    clearTimeout(this.copyTimer);
    this.copyTimer = setTimeout(() => this.copy(), COPY_AFTER_MS);
    this.later(AFTER_LAST_KEY_MS);
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
      if (!this.isDirty) {
        this.forget();
        this.on.saved(null);
        return true;
      }
      return this.send("PUT", this.url, {});
    });
  }

  /** No further word to the server from this page; the copy in this browser stays, so that it can be brought back. */
  stop() {
    this.copy();
    clearTimeout(this.copyTimer);
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
      return (await this.send("PATCH", this.scriptUrl, { isVersion: true })) || null;
    });
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
    const body = JSON.stringify(text);
    this.on.saving();
    let answer;
    try {
      answer = await fetch(url, {
        method,
        body,
        keepalive: new Blob([body]).size < KEEPALIVE_BYTES,
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
    if (answer.status === 409 && body.draft) {
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
    if (this.isDirty) this.later(AFTER_LAST_KEY_MS); // typed on meanwhile
    else this.forget();
    this.on.saved({ ...body, isVersion });
    return body;
  }

  again(why) {
    this.copy();
    this.failures += 1;
    this.on.waiting(why);
    this.later(Math.min(LONGEST_WAIT_MS, 500 * 2 ** this.failures));
    return false;
  }

  // --- the copy in this browser, until the server has the text ----------------------------------------------------------
  copy() {
    clearTimeout(this.copyTimer);
    try {
      localStorage.setItem(this.key, JSON.stringify({ at: Date.now(), text: this.read() }));
    } catch (error) {
      console.warn("no copy of the text is kept in this browser:", error); // full or forbidden
    }
  }

  forget() {
    clearTimeout(this.copyTimer);
    try {
      localStorage.removeItem(this.key);
    } catch {
      // then there is no copy either
    }
  }

  /** Text of an earlier visit that never reached the server and is not what is shown: {at, text}, or null. */
  lost() {
    try {
      const copy = JSON.parse(localStorage.getItem(this.key));
      if (copy && FIELDS.every((field) => typeof copy.text?.[field] === "string") && fingerprint(copy.text) !== this.sent) return copy;
    } catch (error) {
      console.warn("the copy of the text cannot be read:", error);
    }
    this.forget();
    return null;
  }
}

function fingerprint(text) {
  return JSON.stringify(FIELDS.map((field) => text[field]));
}
