// <live-list>: fetches `data-source` (or its own page) again when a run changes and puts the fresh [data-part] in the
// place of the old one.

import { connect } from "../lib/socket.js";

const GATHER_MS = 300;
const GAP_MS = 1500; // between two fetches, however busy the service is
const POLL_MS = 10000;
const BEAT_MS = 60000; // "2 min ago" grows old without any run
const HOLDERS = "a[href], button, input, select, summary, [id]"; // what may hold the focus in a part

class LiveList extends HTMLElement {
  connectedCallback() {
    if ("still" in this.dataset) return; // an older page of history does not change
    this.timer = 0;
    this.poll = 0;
    this.asked = 0;
    this.last = -GAP_MS;
    this.beat = setInterval(() => this.refreshSoon(), BEAT_MS);
    this.shown = () => this.isStale && this.refreshSoon();
    document.addEventListener("visibilitychange", this.shown);
    // How old the page is: facts since it was asked for are told as missed.
    this.close = connect(() => `/ws/events/?age=${Math.ceil(performance.now())}`, {
      message: (data) => this.heard(JSON.parse(data)),
      opened: () => this.opened(),
      lost: () => this.lost(),
      refused: () => this.say("Live updates are not available: reload the page to see what is new."),
    });
  }

  disconnectedCallback() {
    this.close?.();
    clearInterval(this.poll);
    clearInterval(this.beat);
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.shown);
  }

  heard(fact) {
    if (fact.t === "missed") return this.refreshSoon();
    const only = this.dataset.script;
    if (fact.t === "run" && (!only || fact.run.script === only || fact.run.kind !== "script")) this.refreshSoon();
  }

  opened() {
    if (!this.poll) return;
    clearInterval(this.poll);
    this.poll = 0;
    this.say("");
    this.refreshSoon(); // what happened meanwhile
  }

  lost() {
    if (this.poll) return;
    this.say("Live updates lost, retrying");
    this.poll = setInterval(() => this.refresh(), POLL_MS);
  }

  say(sentence) {
    const state = this.querySelector("[data-state]");
    if (state) state.textContent = sentence;
  }

  refreshSoon() {
    this.isStale = document.hidden; // nobody looks: wait until somebody does
    if (this.isStale) return;
    this.timer ||= setTimeout(() => this.refresh(), Math.max(GATHER_MS, this.last + GAP_MS - performance.now()));
  }

  // Fetches now; tells whether it could.
  async refresh() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.last = performance.now();
    const number = ++this.asked;
    try {
      const answer = await fetch(this.dataset.source || location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok || answer.redirected) throw new Error(`HTTP ${answer.status}`);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (number !== this.asked) return true; // a later question was asked meanwhile: its answer counts
      this.replace(page.querySelector("live-list [data-part]") ?? page.querySelector("[data-part]"));
      return true;
    } catch (error) {
      console.warn("could not refresh the list:", error); // the next fact, or the poll, tries again
      return false;
    }
  }

  replace(fresh) {
    const old = this.querySelector("[data-part]");
    if (!fresh || !old || text(old) === text(fresh)) return;
    const restore = remember(old);
    const part = document.adoptNode(fresh);
    old.replaceWith(part);
    restore(part);
    this.dispatchEvent(new CustomEvent("live-list:fresh", { bubbles: true }));
  }
}

// A part as text, without what differs each time although nothing changed.
function text(part) {
  return part.outerHTML.replace(/(name="csrfmiddlewaretoken" value=)"[^"]*"/g, "$1");
}

// What the reader did to a part (focus, ticked boxes, opened details), to be done again to the one in its place.
function remember(part) {
  const focused = part.contains(document.activeElement) ? name(document.activeElement) : "";
  const ticked = new Set([...part.querySelectorAll("input:checked")].map(name));
  const opened = new Set([...part.querySelectorAll("details[open]")].map(name));
  return (fresh) => {
    for (const box of fresh.querySelectorAll("input[type=checkbox]")) if (ticked.has(name(box))) box.checked = true;
    for (const details of fresh.querySelectorAll("details")) if (opened.has(name(details))) details.open = true;
    if (focused)
      [...fresh.querySelectorAll(HOLDERS)].find((one) => name(one) === focused)?.focus({ preventScroll: true });
  };
}

function name(element) {
  const form = element.form?.getAttribute("action") ?? "";
  const mark = element.id || element.getAttribute("href") || `${form} ${element.name ?? ""} ${element.value ?? ""}`;
  return `${element.localName} ${mark} ${words(element)}`;
}

function words(element) {
  if (element.localName === "summary") return element.textContent;
  return element.localName === "details" ? (element.querySelector("summary")?.textContent ?? "") : "";
}

customElements.define("live-list", LiveList);
