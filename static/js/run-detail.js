// <run-detail>: the live console of a run and the facts above it. Text comes in by textContent only.

import "./clock.js";
import { connect } from "./live-socket.js";

const MOST_ROWS = 5000;
const LONGEST_ROW = 64 * 1024;
const POLL_MS = 2000;
const GIVE_UP_AFTER = 3;
const NEAR_END_PX = 24;
const KINDS = { E: "stderr", S: "system" }; // stdout is the rule and bears no mark
const CONTROL_SEQUENCE = /\x1b\[[0-9;?]*[ -/]*[@-~]/g;

/** Split a frame into its JSON header and the raw records below it. */
export function parseFrame(data) {
  const end = data.indexOf("\n");
  return end < 0 ? [JSON.parse(data), ""] : [JSON.parse(data.slice(0, end)), data.slice(end + 1)];
}

/** Split raw records, `<epoch ms> O|E|S F|P <text>\n`, into {stream, isFull, text}. */
export function* records(raw) {
  for (const line of raw.split("\n")) {
    const head = line.indexOf(" ");
    if (head < 0) continue;
    const text = line.slice(head + 5).replace(CONTROL_SEQUENCE, "").replace(/\r+$/, "");
    yield { stream: line[head + 1], isFull: line[head + 3] === "F", text };
  }
}

class RunDetail extends HTMLElement {
  connectedCallback() {
    this.run = this.dataset.run;
    this.offset = Number(this.dataset.offset);
    this.rows = this.querySelector("[data-console]");
    this.state = this.querySelector("[data-state]");
    this.follow = this.querySelector("[data-follow]");
    this.raw = this.querySelector("[data-raw]").href;
    this.unfinished = {}; // stream -> the row that its next record goes on
    for (const row of this.rows.querySelectorAll("[data-open]")) this.unfinished[row.dataset.open] = row;
    this.unseen = 0;
    this.rows.addEventListener("scroll", () => this.isAtEnd() && this.seen());
    this.follow.addEventListener("click", () => this.goToEnd());
    this.goToEnd();
    if (!("complete" in this.dataset)) this.listen();
  }

  disconnectedCallback() {
    this.close?.();
    clearTimeout(this.poll);
  }

  // --- the line to the server ---------------------------------------------------------------------------------------
  listen() {
    this.close = connect(() => `/ws/runs/${this.run}/?offset=${this.offset}&skip=1`, {
      message: (data, send) => this.heard(data, send),
      opened: () => this.say("Live."),
      lost: (failures) => this.lost(failures),
      refused: () => this.pollInstead("Live updates were refused"),
    });
  }

  heard(data, send) {
    const [head, raw] = parseFrame(data);
    if (head.t === "o") {
      this.show(raw, head.n);
      send(JSON.stringify({ a: this.offset }));
    } else if (head.t === "skip") {
      this.showGap(head);
    } else if (head.t === "status") {
      this.showStatus(head.run.status);
    } else if (head.t === "end") {
      this.ended();
    }
  }

  lost(failures) {
    if (failures >= GIVE_UP_AFTER) {
      this.pollInstead("Live updates lost");
      return false;
    }
    this.say("Live updates lost, retrying", true);
    return true;
  }

  pollInstead(why) {
    this.say(`${why}: looking every ${POLL_MS / 1000} s instead`, true);
    this.why = why;
    this.look();
  }

  async look() {
    let wait = POLL_MS;
    try {
      const answer = await fetch(`/runs/${this.run}/output?offset=${this.offset}`);
      if (answer.status === 404) return this.say("This run was deleted.", true);
      if (!answer.ok || answer.redirected) throw new Error(`HTTP ${answer.status}`);
      const [head, raw] = parseFrame(await answer.text());
      this.say(`${this.why}: looking every ${POLL_MS / 1000} s instead`, true);
      if (raw) {
        this.show(raw, head.n);
        wait = 0; // there may be more
      }
      this.showStatus(head.status);
      if (head.final) return this.ended();
    } catch (error) {
      console.warn("could not look for output:", error);
      this.say("The server does not answer, trying again", true);
    }
    this.poll = setTimeout(() => this.look(), wait);
  }

  ended() {
    this.close?.();
    this.say(this.offset ? "All of its output." : "It wrote nothing.");
    this.refreshFacts();
  }

  // --- what is shown --------------------------------------------------------------------------------------------------
  say(sentence, isLost = false) {
    this.state.textContent = sentence;
    this.state.classList.toggle("is-lost", isLost);
  }

  show(raw, end) {
    const wasAtEnd = this.isAtEnd();
    const fresh = document.createDocumentFragment();
    let added = 0;
    for (const record of records(raw)) added += this.addRecord(record, fresh);
    this.rows.append(fresh);
    this.offset = end;
    this.trim();
    if (wasAtEnd) this.goToEnd();
    else this.unseenLines(added);
  }

  addRecord({ stream, isFull, text }, fresh) {
    let row = this.unfinished[stream];
    const isNew = !row?.parentNode || row.textContent.length > LONGEST_ROW; // without parent: trimmed away
    if (isNew) row = fresh.appendChild(newRow(KINDS[stream]));
    row.textContent = `${row.textContent.replace(/\n$/, "")}${text}\n`;
    if (isFull) delete this.unfinished[stream];
    else this.unfinished[stream] = row;
    return isNew ? 1 : 0;
  }

  showGap({ o, n }) {
    const row = newRow("gap");
    row.textContent = `${Math.ceil((n - o) / 1024)} KB are left out here: the raw log has them.\n`;
    this.rows.append(row);
    this.unfinished = {};
    this.offset = n;
  }

  trim() {
    const surplus = this.rows.childElementCount - MOST_ROWS;
    if (surplus <= 0) return;
    for (let left = surplus; left > 0; left -= 1) this.rows.firstElementChild.remove();
    this.showTrimmed();
  }

  showTrimmed() {
    if (this.note) return;
    this.note = document.createElement("p");
    this.note.className = "console-bar";
    const link = document.createElement("a");
    link.href = this.raw;
    link.textContent = "raw log";
    this.note.append(`Only the last ${MOST_ROWS.toLocaleString("en")} lines are shown here: the `, link, " has them all.");
    this.rows.before(this.note);
  }

  showStatus(status) {
    if (status === this.status) return;
    this.status = status;
    this.refreshFacts();
  }

  async refreshFacts() {
    if (this.isRefreshing) {
      this.isStale = true; // one at a time: the last answer must be the last asked for
      return;
    }
    this.isRefreshing = true;
    try {
      const answer = await fetch(`${location.pathname}?part=facts`);
      if (!answer.ok || answer.redirected) throw new Error(`HTTP ${answer.status}`);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      this.replaceFacts(page.querySelector("[data-facts]"));
    } catch (error) {
      console.warn("could not refresh the facts:", error);
      setTimeout(() => this.refreshFacts(), POLL_MS);
    } finally {
      this.isRefreshing = false;
    }
    if (this.isStale) {
      this.isStale = false;
      this.refreshFacts();
    }
  }

  replaceFacts(fresh) {
    const old = this.querySelector("[data-facts]");
    if (!fresh) return;
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    old.replaceWith(document.adoptNode(fresh));
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }

  // --- following the end ----------------------------------------------------------------------------------------------
  isAtEnd() {
    return this.rows.scrollHeight - this.rows.scrollTop - this.rows.clientHeight < NEAR_END_PX;
  }

  goToEnd() {
    this.rows.scrollTop = this.rows.scrollHeight;
    this.seen();
  }

  unseenLines(count) {
    this.unseen += count;
    this.follow.textContent = `${this.unseen.toLocaleString("en")} new line${this.unseen === 1 ? "" : "s"}, to the end`;
    this.follow.hidden = this.unseen === 0;
  }

  seen() {
    this.unseen = 0;
    this.follow.hidden = true;
  }
}

function newRow(kind) {
  const row = document.createElement("span");
  row.className = kind ? `row row-${kind}` : "row";
  if (kind && kind !== "gap") row.title = kind;
  return row;
}

customElements.define("run-detail", RunDetail);
