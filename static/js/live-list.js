// <live-list>: fetches its own page again when a run changes and puts the fresh [data-part] in place of the old one.

import "./clock.js";
import { connect } from "./live-socket.js";

const GATHER_MS = 300;
const POLL_MS = 10000;

class LiveList extends HTMLElement {
  connectedCallback() {
    if ("still" in this.dataset) return; // an older page of history does not change
    this.timer = 0;
    this.poll = 0;
    this.close = connect(() => "/ws/events/", {
      message: (data) => this.heard(JSON.parse(data)),
      opened: () => this.opened(),
      lost: () => this.lost(),
      refused: () => this.say("Live updates are not available: reload the page to see what is new."),
    });
  }

  disconnectedCallback() {
    this.close?.();
    clearInterval(this.poll);
    clearTimeout(this.timer);
  }

  heard(fact) {
    const only = this.dataset.script;
    if (fact.t === "run" && (!only || fact.run.script === only || fact.run.kind === "build")) this.refreshSoon();
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
    this.querySelector("[data-state]").textContent = sentence;
  }

  refreshSoon() {
    this.timer ||= setTimeout(() => this.refresh(), GATHER_MS);
  }

  async refresh() {
    this.timer = 0;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok || answer.redirected) throw new Error(`HTTP ${answer.status}`);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      this.replace(page.querySelector("live-list [data-part]"));
    } catch (error) {
      console.warn("could not refresh the list:", error); // the next fact, or the poll, tries again
    }
  }

  replace(fresh) {
    const old = this.querySelector("[data-part]");
    if (!fresh || !old || old.innerHTML === fresh.innerHTML) return;
    const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    old.replaceWith(document.adoptNode(fresh));
    if (focused) this.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }
}

customElements.define("live-list", LiveList);
