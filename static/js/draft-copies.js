// Copies of a script's text in this browser, for as long as the server does not have it. Each tab writes one of its own, and
// removes no other: what another visit left is kept under a name of its own until somebody decides.

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
    this.own = this.prefix + tabName();
  }

  write(text, { isDiscarded = false } = {}) {
    try {
      localStorage.setItem(this.own, JSON.stringify({ at: Date.now(), text, isDiscarded }));
    } catch (error) {
      console.warn("no copy of the text is kept in this browser:", error); // full or forbidden
    }
  }

  /** The server has the text of this tab. */
  forget(name = this.own) {
    try {
      localStorage.removeItem(name);
    } catch {
      // then there is no copy either
    }
  }

  /** Copies that are not what is `shown`, the newest first: [{name, at, text, isDiscarded}]. They stay until forgotten. */
  found(shown) {
    const copies = this.names().map((name) => this.read(name)).filter(Boolean);
    const [alike, others] = [copies.filter(({ text }) => fingerprint(text) === shown), copies.filter(({ text }) => fingerprint(text) !== shown)];
    for (const { name } of alike) this.forget(name);
    return others.map((copy) => this.setAside(copy)).sort((one, other) => other.at - one.at);
  }

  names() {
    try {
      return Object.keys(localStorage).filter((name) => name.startsWith(this.prefix));
    } catch {
      return [];
    }
  }

  read(name) {
    try {
      const copy = JSON.parse(localStorage.getItem(name));
      const isWhole = FIELDS.every((field) => typeof copy?.text?.[field] === "string");
      const isReady = name === this.own || name.startsWith(`${this.prefix}kept-`) || Date.now() - copy.at > OTHERS_AFTER_MS;
      return isWhole && isReady ? { name, ...copy } : null;
    } catch (error) {
      console.warn("a copy of the text cannot be read:", error);
      return null;
    }
  }

  // This tab will write its own copy again: what it left at its last visit needs another name.
  setAside(copy) {
    if (copy.name !== this.own) return copy;
    const name = `${this.prefix}kept-${copy.at}`;
    const { at, text, isDiscarded } = copy;
    try {
      localStorage.setItem(name, JSON.stringify({ at, text, isDiscarded }));
      localStorage.removeItem(this.own);
    } catch {
      return copy;
    }
    return { ...copy, name };
  }
}

// The same for all visits of a tab, over reloads.
function tabName() {
  try {
    const name = sessionStorage.getItem("tempo.tab") ?? Math.random().toString(36).slice(2);
    sessionStorage.setItem("tempo.tab", name);
    return name;
  } catch {
    return "tab";
  }
}
