// <log-view data-run>: a run's output, live, with tools to follow, search, copy it and to address its lines.

import * as storage from "../lib/storage.js";
import { Lines } from "../log-lines.js";
import { Rows } from "../log-rows.js";
import { areOff } from "../site.js";

const SEARCH_DELAY_MS = 250; // after the last letter of a search
const STORAGE_NAME = "tempo.log"; // what this browser's user chose
const TIMES = ["", "clock", "since"];
const TIMES_NAMES = { "": "Times", clock: "Clock", since: "Since start" };
const KEYS = { f: "follow", w: "wrap", T: "times", "/": "find", n: "next", N: "previous", F: "full" };
const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 };
const PHONE = "(max-width: 47.5rem)";

class LogView extends HTMLElement {
  connectedCallback() {
    this.rows = null;
    this.console = this.querySelector("[data-console]");
    this.isPage = "permalinks" in this.dataset;
    this.address = this.isPage ? "" : this.dataset.address;
    this.wanted = "";
    this.found = null;
    this.marked = [0, 0];
    this.unseenFrom = 0;
    this.choices = { wrap: matchMedia(PHONE).matches, times: "", ...storage.readJson(STORAGE_NAME) };
    this.clock = new Intl.DateTimeFormat("en-GB", { ...CLOCK, timeZone: this.dataset.zone });
    this.begin();
    this.wire();
    this.showChoices();
    if (this.isPage) this.goToAddress();
    this.lines.listen();
  }

  disconnectedCallback() {
    this.lines.close();
    this.rows.close();
    this.keyboard?.abort();
  }

  begin() {
    this.console.replaceChildren();
    this.lines = new Lines(this.dataset.run, {
      changed: () => this.changed(),
      said: (sentence, isLost) => this.say(sentence, isLost),
      status: (status, isFinal) => this.tell(status, isFinal),
    });
    this.rows = new Rows(this.console, this.lines, this);
    const state = this.part("state").textContent; // the server knows better why there is nothing
    const window = JSON.parse(this.querySelector("script[type='application/json']").textContent);
    this.lines.begin(window);
    if (window.final) this.say(state);
    this.rows.draw();
  }

  part(name) {
    return this.querySelector(`[data-${name}]`);
  }

  wire() {
    this.keyboard = new AbortController();
    const { signal } = this.keyboard;
    for (const tool of this.querySelectorAll("[data-needs-script]")) tool.hidden = false;
    this.addEventListener("click", (event) => this.clicked(event), { signal });
    (this.isPage ? document : this).addEventListener("keydown", (event) => this.pressed(event), { signal });
    this.part("find").addEventListener("input", () => this.searchSoon(), { signal });
    this.part("find").addEventListener("keydown", (event) => this.pressedInFind(event), { signal });
    document.addEventListener("fullscreenchange", () => this.rows.resizing(false), { signal });
    if (this.isPage) addEventListener("hashchange", () => this.goToAddress(), { signal });
  }

  // --- what the rows ask ------------------------------------------------------------------------
  isMarked(number) {
    return number >= this.marked[0] && number <= this.marked[1];
  }

  timeOf(line) {
    if (!this.choices.times) return "";
    if (this.choices.times === "clock") return this.clock.format(line.t);
    const seconds = (line.t - (Number(this.dataset.began) || line.t)) / 1000;
    return `${seconds < 0 ? "" : "+"}${seconds.toFixed(3)}`; // the clock may have been set back
  }

  moved() {
    if (this.rows.isFollowing) this.unseenFrom = this.lines.total;
    this.showNew();
  }

  // --- what the lines tell ----------------------------------------------------------------------
  changed() {
    if (!this.rows) return;
    if (this.rows.isFollowing) this.unseenFrom = this.lines.total;
    this.showNew();
    this.rows.soon();
  }

  say(sentence, isLost = false) {
    const state = this.part("state");
    if (state.textContent !== sentence) state.textContent = sentence;
    state.classList.toggle("is-lost", isLost);
  }

  tell(status, isFinal) {
    this.status = status ?? this.status;
    this.dispatchEvent(
      new CustomEvent("run-status", { bubbles: true, detail: { status: this.status, final: isFinal } }),
    );
  }

  showNew() {
    const count = this.lines.total - this.unseenFrom;
    const pill = this.part("new");
    pill.hidden = this.rows.isFollowing || count <= 0;
    if (!pill.hidden) pill.textContent = `↓ ${count.toLocaleString("en")} new line${count === 1 ? "" : "s"}`;
    const { written } = this.lines;
    this.part("total").textContent = `${written.toLocaleString("en")} line${written === 1 ? "" : "s"}`;
    this.press("follow", this.rows.isFollowing);
    this.console.style.setProperty("--digits", Math.max(2, String(written).length));
  }

  // --- tools ------------------------------------------------------------------------------------
  clicked(event) {
    const number = event.target.closest(".row-n");
    if (number) return this.isPage && event.shiftKey && this.stretch(event, Number(number.dataset.n));
    const tool = event.target.closest("[data-tool]")?.dataset.tool;
    if (tool) this[tool]();
  }

  pressed(event) {
    const tool = KEYS[event.key];
    const isTyping = event.target.closest("input, textarea, select, [contenteditable], dialog[open], code-editor");
    if (event.key === "Escape" && this.classList.contains("is-full")) return this.full();
    if (!tool || isTyping || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || areOff())
      return;
    if ((tool === "next" || tool === "previous") && !this.current) return;
    event.preventDefault();
    this[tool]();
  }

  follow() {
    if (document.activeElement === this.part("new")) this.console.focus({ preventScroll: true }); // it is about to go
    if (!this.rows.isFollowing) return this.rows.moveTo(Infinity, true);
    this.rows.isFollowing = false;
    this.moved();
  }

  wrap() {
    this.choose({ wrap: !this.choices.wrap });
    this.rows.width = 0;
    this.rows.remeasure();
  }

  times() {
    this.choose({ times: TIMES[(TIMES.indexOf(this.choices.times) + 1) % TIMES.length] });
    this.rows.redraw();
  }

  full() {
    this.rows.resizing(true);
    if (document.fullscreenElement) document.exitFullscreen();
    else if (this.requestFullscreen && !this.classList.contains("is-full"))
      this.requestFullscreen().catch(() => this.fill(true));
    else this.fill(!this.classList.contains("is-full")); // phones that know it for films only
    this.console.focus({ preventScroll: true });
  }

  fill(isFull) {
    this.classList.toggle("is-full", isFull);
    this.rows.resizing(false);
  }

  async copy() {
    const word = this.part("copied");
    try {
      const { copyOutput } = await import("../log-copy.js");
      await copyOutput(this.part("raw").href);
      word.textContent = "Copied";
    } catch (error) {
      console.warn("could not copy:", error);
      word.textContent = "Not copied";
    }
    setTimeout(() => (word.textContent = "Copy all"), 2000);
  }

  choose(choice) {
    Object.assign(this.choices, choice);
    storage.write(STORAGE_NAME, JSON.stringify(this.choices));
    this.showChoices();
  }

  showChoices() {
    this.console.classList.toggle("is-wrapped", this.choices.wrap);
    this.press("wrap", this.choices.wrap);
    this.press("times", this.choices.times !== "");
    this.querySelector("[data-tool='times']").textContent = TIMES_NAMES[this.choices.times] ?? "Times";
  }

  press(tool, isOn) {
    this.querySelector(`[data-tool='${tool}']`).setAttribute("aria-pressed", isOn);
  }

  // --- addresses of lines -----------------------------------------------------------------------
  goToAddress() {
    const found = /^#L(\d{1,15})(?:-L(\d{1,15}))?$/.exec(location.hash);
    if (!found) return;
    const [one, other] = [Number(found[1]), Number(found[2] ?? found[1])];
    this.marked = [Math.min(one, other), Math.max(one, other)];
    const place = this.lines.rowOf(this.marked[0]);
    const isInView = this.rows.isInView(place);
    this.rows.redraw();
    if (!isInView) this.rows.goTo(place);
    if (this.marked[0] > this.lines.written)
      this.part("found").textContent = `The output ends at line ${this.lines.written.toLocaleString("en")}`;
    this.moved();
  }

  stretch(event, number) {
    event.preventDefault();
    const from = this.marked[0] || number;
    location.hash = from === number ? `#L${number}` : `#L${Math.min(from, number)}-L${Math.max(from, number)}`;
  }

  // --- search -----------------------------------------------------------------------------------
  find() {
    this.part("find").focus();
    this.part("find").select();
  }

  pressedInFind(event) {
    if (event.key === "Enter") {
      event.preventDefault();
      if (this.part("find").value.trim().toLowerCase() !== this.wanted) this.search();
      else this.step(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape") {
      event.stopPropagation(); // it ends the search, not what is around it
      this.part("find").value = "";
      this.search();
      this.console.focus({ preventScroll: true });
    }
  }

  searchSoon() {
    clearTimeout(this.searchTimer);
    this.searchTimer = setTimeout(() => this.search(), SEARCH_DELAY_MS);
  }

  async search() {
    clearTimeout(this.searchTimer);
    const text = (this.wanted = this.part("find").value.trim().toLowerCase());
    this.found = null;
    if (text) {
      try {
        const { search } = await import("../log-search.js");
        const found = await search(text, this.rows.firstInView(), (question) => this.lines.ask(question));
        if (text !== this.wanted) return; // more was typed meanwhile
        this.found = found;
      } catch (error) {
        console.warn("could not search:", error);
        return this.part("found").replaceChildren("The search failed");
      }
    }
    this.showMatch();
  }

  next() {
    return this.step(1);
  }

  previous() {
    return this.step(-1);
  }

  async step(by) {
    const found = this.found;
    if (!found?.current || this.isStepping) return;
    this.isStepping = true;
    try {
      await found.step(by, this.lines.total);
      if (found === this.found) this.showMatch();
    } catch (error) {
      console.warn("could not search on:", error);
    } finally {
      this.isStepping = false;
    }
  }

  showMatch() {
    this.part("found").textContent = this.found?.describe() ?? "";
    for (const tool of ["next", "previous"]) this.querySelector(`[data-tool='${tool}']`).disabled = !this.current;
    this.rows.redraw();
    if (this.current) this.rows.goTo(this.current);
    this.moved();
  }

  get current() {
    return this.found?.current ?? 0;
  }
}

customElements.define("log-view", LogView);
