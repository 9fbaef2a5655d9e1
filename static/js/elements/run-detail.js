// <run-detail>: the facts of a run, fetched again whenever its console tells of another status.

import "./log-view.js";

const RETRY_MS = 2000;

class RunDetail extends HTMLElement {
  connectedCallback() {
    this.shown = this.dataset.status;
    this.addEventListener("run-status", ({ detail }) => this.heard(detail));
  }

  heard({ status, final }) {
    const isEnd = final && !("final" in this.dataset); // the status may be known before the last of the facts
    if (isEnd) this.dataset.final = "";
    if (!isEnd && status === this.shown) return;
    this.shown = status;
    this.refresh();
  }

  async refresh() {
    if (this.isRefreshing) {
      this.isStale = true; // one at a time: the last answer must be the last asked for
      return;
    }
    this.isRefreshing = true;
    try {
      const answer = await fetch(`${location.pathname}?part=facts`);
      if (answer.redirected) return; // logged out: the console says so
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      this.replace(page.querySelector("[data-facts]"));
    } catch (error) {
      console.warn("could not refresh the facts:", error);
      setTimeout(() => this.refresh(), RETRY_MS);
    } finally {
      this.isRefreshing = false;
    }
    if (this.isStale) {
      this.isStale = false;
      this.refresh();
    }
  }

  replace(fresh) {
    const old = this.querySelector("[data-facts]");
    if (!fresh) return;
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    const isOpen = old.querySelector("details")?.open;
    old.replaceWith(document.adoptNode(fresh));
    if (isOpen) fresh.querySelector("details")?.setAttribute("open", "");
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }
}

customElements.define("run-detail", RunDetail);
