// Copies of a script's text in this browser, for as long as the server does not have it. Each tab writes one of its
// own, and removes no other: what another visit left is kept under a name of its own until somebody decides.

import * as storage from "../lib/storage.js";

const OTHERS_AFTER_MS = 15000; // a younger copy of another tab may be saved any moment
const FIELDS = ["code", "requirements", "python_version"];

/** What is compared of a text. */
export function fingerprint(text) {
  return JSON.stringify(FIELDS.map((field) => text[field]));
}

export class DraftCopies {
  /** @param {string} slug of the script */
  constructor(slug) {
    this.prefix = `tempo.draft.${slug}.`;
    this.own = this.prefix + storage.tabName();
  }

  write(text, { isDiscarded = false } = {}) {
    storage.write(this.own, JSON.stringify({ at: Date.now(), text, isDiscarded }));
  }

  /** The server has the text of this tab. */
  forget(name = this.own) {
    storage.remove(name);
  }

  /** Copies that are not what is `shown`, the newest first: [{name, at, text, isDiscarded}]. They stay. */
  found(shown) {
    const others = [];
    for (const copy of storage.names(this.prefix).map((name) => this.read(name))) {
      if (!copy) continue;
      if (fingerprint(copy.text) === shown) this.forget(copy.name);
      else others.push(this.setAside(copy));
    }
    return others.sort((one, other) => other.at - one.at);
  }

  read(name) {
    const copy = storage.readJson(name);
    const isWhole = FIELDS.every((field) => typeof copy?.text?.[field] === "string");
    return isWhole && (this.isOurs(name) || Date.now() - copy.at > OTHERS_AFTER_MS) ? { name, ...copy } : null;
  }

  isOurs(name) {
    return name === this.own || name.startsWith(`${this.prefix}kept-`);
  }

  // This tab will write its own copy again: what it left at its last visit needs another name.
  setAside(copy) {
    if (copy.name !== this.own) return copy;
    const name = `${this.prefix}kept-${copy.at}`;
    const { at, text, isDiscarded } = copy;
    if (!storage.write(name, JSON.stringify({ at, text, isDiscarded }))) return copy;
    storage.remove(this.own);
    return { ...copy, name };
  }
}
