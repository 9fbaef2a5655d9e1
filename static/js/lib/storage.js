// What this browser remembers for its user. It may be forbidden or full: then nothing outlives the page.

/** The text under a name, or null. */
export function read(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/** The value that was written under a name as JSON, or null. */
export function readJson(name) {
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch (error) {
    console.warn(`what this browser keeps as ${name} cannot be read:`, error);
    return null;
  }
}

/** Keep a text under a name; returns whether it is kept. */
export function write(name, text) {
  try {
    localStorage.setItem(name, text);
    return true;
  } catch (error) {
    console.warn(`${name} is not kept in this browser:`, error);
    return false;
  }
}

export function remove(name) {
  try {
    localStorage.removeItem(name);
  } catch {
    // then nothing is kept there either
  }
}

/** The names that begin so. */
export function names(prefix) {
  try {
    return Object.keys(localStorage).filter((name) => name.startsWith(prefix));
  } catch {
    return [];
  }
}

/** The name of this tab: the same for all its visits, over reloads. */
export function tabName() {
  try {
    const name = sessionStorage.getItem("tempo.tab") ?? Math.random().toString(36).slice(2);
    sessionStorage.setItem("tempo.tab", name);
    return name;
  } catch {
    return "tab";
  }
}
