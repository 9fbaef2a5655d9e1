// <build-progress>: asks how far the build of an environment is and shows it, as long as it is under way and looked at.

import { address } from "../lib/base-path.js";

const POLL_MS = 1000;
const LABELS = {
  resolving: "Resolving",
  downloading: "Downloading",
  installing: "Installing",
  compiling: "Compiling byte code",
  checking: "Checking",
};

class BuildProgress extends HTMLElement {
  connectedCallback() {
    this.timer = setInterval(() => document.hidden || this.look(), POLL_MS);
  }

  disconnectedCallback() {
    clearInterval(this.timer);
  }

  async look() {
    if (this.isAsking) return;
    this.isAsking = true;
    try {
      const answer = await fetch(address(`/api/v1/environments/${this.dataset.environment}`));
      if (answer.ok) this.show(await answer.json());
    } catch (error) {
      console.warn("could not ask how far the build is:", error); // the next look may
    } finally {
      this.isAsking = false;
    }
  }

  show({ state, step, done, total }) {
    if (!["wanted", "building"].includes(state)) return clearInterval(this.timer); // the list around it shows the end
    if (!step) return;
    const count = total ? `: ${done} of ${total} ${step === "compiling" ? "files" : "packages"}` : "";
    this.querySelector("[data-words]").textContent =
      `${LABELS[step]}${count} (step ${Object.keys(LABELS).indexOf(step) + 1} of 5)`;
    const bar = this.querySelector("progress");
    bar.max = total || 1;
    if (total) bar.value = done;
    else bar.removeAttribute("value");
  }
}

customElements.define("build-progress", BuildProgress);
