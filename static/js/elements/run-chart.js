// <run-chart>: CPU and memory of a run, drawn by the server; while the run goes, asked for again and again.

const POLL_MS = 2000;

class RunChart extends HTMLElement {
  connectedCallback() {
    this.onVisible = () => this.look();
    document.addEventListener("visibilitychange", this.onVisible);
    this.look();
  }

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this.onVisible);
    clearTimeout(this.timer);
  }

  look() {
    clearTimeout(this.timer);
    if (!this.isConnected || !("live" in this.dataset) || document.hidden) return;
    this.timer = setTimeout(() => this.refresh(), POLL_MS);
  }

  async refresh() {
    try {
      const answer = await fetch(this.dataset.address);
      if (answer.redirected) return; // logged out: the console says so
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      this.replace(page.querySelector("run-chart"));
    } catch (error) {
      console.warn("could not refresh the chart:", error);
    }
    this.look();
  }

  replace(fresh) {
    if (!fresh) return;
    const old = this.querySelector("details");
    if (old?.open && "live" in fresh.dataset)
      fresh.querySelector("details")?.replaceWith(old); // being read: it stays
    else if (old?.open) fresh.querySelector("details")?.setAttribute("open", "");
    this.replaceChildren(...fresh.childNodes);
    this.hidden = fresh.hidden;
    this.toggleAttribute("data-live", "live" in fresh.dataset);
  }
}

customElements.define("run-chart", RunChart);
