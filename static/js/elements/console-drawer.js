// <console-drawer>: the output of a run at the foot of the page it was started from.

import { address } from "../lib/base-path.js";
import "./log-view.js";

const POLL_MS = 1000;
const WORDS = { timed_out: "timed out" };
const WAITS = {
  environment: "Waits until its environment is built.",
  "": "Waits for its turn.",
};

class ConsoleDrawer extends HTMLElement {
  connectedCallback() {
    this.body = this.querySelector("[data-body]");
    this.status = this.querySelector("[data-status]");
    this.say = this.querySelector("[data-say]");
    this.link = this.querySelector("[data-link]");
    this.cancel = this.querySelector("[data-cancel]");
    this.again = this.querySelector("[data-again]");
    this.cancel.addEventListener("click", () => this.askToCancel());
    this.querySelector("[data-close]").addEventListener("click", () => this.close());
    this.addEventListener("keydown", (event) => event.key === "Escape" && !document.fullscreenElement && this.close());
    this.addEventListener("run-status", ({ detail }) => this.showStatus(detail.status, detail.final));
  }

  disconnectedCallback() {
    clearTimeout(this.timer);
  }

  get isWaiting() {
    return Boolean(this.stop);
  }

  /** Whether it shows a run that goes on. */
  get isBusy() {
    return !this.hidden && !this.isFinal && !this.isWaiting;
  }

  remind() {
    this.say.textContent = "It is still running: cancel it first.";
    this.scrollIntoView({ block: "nearest" });
  }

  /** Says that a run cannot start yet; `stop` is called when the reader does not want to wait. */
  wait(stop) {
    if (this.isWaiting) return;
    clearTimeout(this.timer);
    this.run = null;
    this.isFinal = false;
    this.body.replaceChildren();
    this.link.hidden = true;
    this.showStatus("queued", false);
    this.say.textContent = WAITS.environment;
    this.hidden = false;
    this.stop = stop;
  }

  /** Shows a run; `csrf` returns the token that cancelling needs. */
  async open(run, csrf) {
    clearTimeout(this.timer);
    this.stop = null;
    this.run = run;
    this.csrf = csrf;
    this.link.hidden = false;
    this.isFinal = false;
    this.link.href = address(`/runs/${run}/`);
    this.link.textContent = `Run #${run}`;
    this.showStatus("queued", false);
    this.say.textContent = "";
    this.body.replaceChildren();
    this.hidden = false;
    document.documentElement.classList.add("has-drawer");
    this.look();
    try {
      this.body.replaceChildren(await consoleOf(run));
    } catch (error) {
      console.warn("the output is not shown here:", error);
      this.say.textContent = "Its output cannot be shown here: open the run.";
    }
  }

  close() {
    clearTimeout(this.timer);
    this.stop?.();
    this.stop = null;
    this.hidden = true;
    this.body.replaceChildren(); // the log stops listening
    document.documentElement.classList.remove("has-drawer");
    this.dispatchEvent(new CustomEvent("console-drawer:closed", { bubbles: true }));
  }

  // The row, until the run is over: why it waits is not in its log.
  async look() {
    const run = this.run;
    try {
      const answer = await fetch(address(`/api/v1/runs/${run}`));
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      const facts = await answer.json();
      if (run !== this.run || this.hidden) return;
      this.showStatus(facts.status, facts.duration_s !== null || facts.finished_at !== null);
      this.say.textContent = this.sentence(facts);
    } catch (error) {
      console.warn("could not look at the run:", error);
    }
    if (!this.isFinal) this.timer = setTimeout(() => this.look(), POLL_MS);
  }

  sentence({ status, reason, exit_code: code, duration_s: seconds, message }) {
    if (status === "queued") return WAITS[reason] ?? WAITS[""];
    if (seconds === null) return "";
    const exit = code === null ? "" : `Exit code ${code}`;
    const [why] = message.replaceAll("`", "").split("\n");
    const after = `after ${seconds < 10 ? seconds.toFixed(2) : Math.round(seconds)} s.`;
    return [why.replace(/\.$/, "") || exit, after].filter(Boolean).join(", ");
  }

  showStatus(status, isFinal) {
    if (this.isFinal) return; // a late word from the row must not bring it back to life
    this.isFinal = isFinal;
    this.status.textContent = WORDS[status] ?? status;
    this.status.className = `status status-${status}`;
    if (status !== "queued") this.say.textContent = "";
    const hadFocus = [this.cancel, this.again].includes(document.activeElement);
    this.cancel.hidden = isFinal;
    this.again.hidden = !isFinal;
    if (hadFocus) (isFinal ? this.again : this.cancel).focus(); // one takes the other's place
    this.markAsked(false);
    if (isFinal) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.look(), 0); // once more, for its exit code
    }
  }

  // Not `disabled`: that would take the focus away.
  markAsked(isAsked) {
    this.cancel.setAttribute("aria-disabled", isAsked);
  }

  async askToCancel() {
    if (this.isWaiting) return this.close();
    if (this.cancel.getAttribute("aria-disabled") === "true") return;
    this.markAsked(true);
    try {
      const answer = await fetch(address(`/api/v1/runs/${this.run}/cancel`), {
        method: "POST",
        headers: { "X-CSRFToken": this.csrf() },
      });
      if (!answer.ok && answer.status !== 409) throw new Error(`HTTP ${answer.status}`);
      this.say.textContent = "Being cancelled.";
    } catch (error) {
      console.warn("could not cancel:", error);
      this.markAsked(false);
      this.say.textContent = "It could not be cancelled: try again.";
    }
  }
}

/** The console of a run as an element, to be put into a page. */
export async function consoleOf(run) {
  const answer = await fetch(address(`/runs/${run}/?part=console`));
  if (!answer.ok || answer.redirected) throw new Error(`HTTP ${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const view = page.querySelector("log-view");
  if (!view) throw new Error("there is no console in the answer");
  return document.adoptNode(view);
}

customElements.define("console-drawer", ConsoleDrawer);
