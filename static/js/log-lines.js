// The lines of a run: what came so far, by number, and what still comes. Few are kept; the rest is fetched when it is
// looked at.

import { address } from "./lib/base-path.js";
import { Cursors, numberOf, rowOf } from "./lib/cursors.js";
import { connect } from "./lib/socket.js";
import { BEGIN, write } from "./lib/terminal.js";

export const BLOCK = 50; // lines that come and go together
const MAX_BLOCKS = 200;
const MAX_LINES_OF_ANSWER = 1000; // lines of one answer
const TAIL_LINES = 300; // lines that are fetched when there is a gap
const POLL_MS = 2000;
const MAX_FAILURES = 3;
const MAX_LETTERS = 64 * 1024; // letters of one line
const RECORD = /^(\d{1,15}) ([OES]) ([FP]) /;

// --- what a run wrote ---------------------------------------------------------------------------
/** Split a frame into its JSON header and the raw records below it. */
function parseFrame(data) {
  const end = data.indexOf("\n");
  return end < 0 ? [JSON.parse(data), ""] : [JSON.parse(data.slice(0, end)), data.slice(end + 1)];
}

export class Lines {
  /** `on`: changed() when there are other lines, said(sentence, isLost), status(status, isFinal). */
  constructor(run, on) {
    Object.assign(this, { run, on });
    this.total = this.end = 0;
    this.blocks = new Map(); // block -> its lines; the least used ones come first
    this.cursors = new Cursors();
    this.held = new Map(); // number -> the line, for lines that a stream may come to again
    this.isComplete = false;
  }

  get gaps() {
    return this.cursors.gaps;
  }

  /** How many lines the script wrote, with those that were left out. */
  get written() {
    return this.numberOf(this.total);
  }

  numberOf(row) {
    return numberOf(row, this.gaps);
  }

  rowOf(number) {
    return rowOf(number, this.gaps);
  }

  // --- the store ---
  get(block) {
    const lines = this.blocks.get(block);
    const size = Math.min(BLOCK, this.total - block * BLOCK);
    return lines?.length === size ? lines : null;
  }

  /** Fetch what lacks of these blocks; one question at a time, the newest counts. */
  async want(first, last) {
    this.wanted = [first, last];
    for (let block = first; block <= last; block += 1)
      if (this.blocks.has(block)) this.put(block, this.blocks.get(block));
    if (this.isFetching) return;
    this.isFetching = true;
    try {
      for (let missing = this.missing(); missing; missing = this.missing()) await this.fetchBlocks(...missing);
    } catch (error) {
      console.warn("could not fetch lines:", error);
      this.later(() => this.want(...this.wanted), POLL_MS);
    } finally {
      this.isFetching = false;
    }
  }

  missing() {
    let [first, last] = this.wanted;
    while (first <= last && this.get(first)) first += 1;
    while (last >= first && this.get(last)) last -= 1;
    return first <= last && !this.isClosed ? [first, Math.min(last, first + MAX_LINES_OF_ANSWER / BLOCK - 1)] : null;
  }

  async fetchBlocks(first, last) {
    const window = await this.ask(`from=${first * BLOCK + 1}&count=${(last - first + 1) * BLOCK}`);
    if (window.total < this.total) return this.gone(window.total);
    for (let block = first; block <= last; block += 1) {
      const lines = window.lines.slice((block - first) * BLOCK, (block - first + 1) * BLOCK);
      if (!this.get(block)) this.put(block, lines.slice(0, this.total - block * BLOCK));
    }
    this.on.changed();
  }

  /** The log is shorter than it was: retention, or somebody, has deleted it. */
  gone(total) {
    this.total = total;
    this.blocks.clear();
    this.stop?.();
    this.on.said("Its output is not there any more.", true);
    this.on.changed();
  }

  put(block, lines) {
    for (const line of lines.filter(({ o, back }) => o && back === undefined)) openAgain(line);
    this.blocks.delete(block); // it goes behind those that were looked at before
    this.blocks.set(block, lines);
    for (const old of this.blocks.keys()) {
      if (this.blocks.size <= MAX_BLOCKS) return;
      this.blocks.delete(old);
    }
  }

  async ask(question) {
    const answer = await fetch(address(`/runs/${this.run}/lines?${question}`));
    if (!answer.ok || answer.redirected) throw new Error(`HTTP ${answer.status}`);
    return answer.json();
  }

  /** Begin from a window of the last lines. */
  begin(window) {
    this.blocks.clear();
    this.total = window.total;
    this.end = window.end;
    const from = Math.ceil((window.first - 1) / BLOCK); // the first block that is whole
    for (let block = from; block * BLOCK < this.total; block += 1) {
      this.put(block, window.lines.slice(block * BLOCK + 1 - window.first, (block + 1) * BLOCK + 1 - window.first));
    }
    this.cursors = new Cursors(window.total, window.cursors, window.gaps);
    this.held.clear();
    for (const { rows } of Object.values(window.cursors)) for (const row of rows) this.hold(row);
    this.on.changed();
    this.on.status(window.status, window.final);
    if (window.final) this.ended();
  }

  at(number) {
    return this.blocks.get(Math.floor((number - 1) / BLOCK))?.[(number - 1) % BLOCK];
  }

  // --- what comes ---
  listen() {
    if (this.isComplete) return;
    this.stop = connect(() => `/ws/runs/${this.run}/?offset=${this.end}&skip=1`, {
      message: (data, send) => this.heard(data, send),
      opened: () => this.on.said("Live."),
      lost: (failures) => this.lost(failures),
      refused: () => this.pollInstead("Live updates were refused"),
    });
  }

  heard(data, send) {
    const [head, raw] = parseFrame(data);
    if (head.t === "o") {
      this.add(raw, head.n);
      send(JSON.stringify({ a: this.end }));
    } else if (head.t === "skip") {
      this.catchUp();
    } else if (head.t === "status") {
      this.on.status(head.run.status, false);
    } else if (head.t === "end") {
      this.ended();
    }
  }

  /** Too much came at once: go on from the end; what lies between is fetched when it is looked at. */
  async catchUp() {
    this.stop?.();
    try {
      this.begin(await this.ask(`last=${TAIL_LINES}`));
      if (!this.isClosed) this.listen();
    } catch (error) {
      console.warn("could not catch up:", error);
      this.later(() => this.catchUp(), POLL_MS);
    }
  }

  lost(failures) {
    if (failures >= MAX_FAILURES) {
      this.pollInstead("Live updates lost");
      return false;
    }
    this.on.said("Live updates lost, retrying", true);
    return true;
  }

  pollInstead(why) {
    this.why = `${why}: looking every ${POLL_MS / 1000} s instead`;
    this.on.said(this.why, true);
    this.look();
  }

  async look() {
    let wait = POLL_MS;
    try {
      const answer = await fetch(address(`/runs/${this.run}/output?offset=${this.end}`));
      if (answer.status === 404) return this.on.said("This run was deleted.", true);
      if (!answer.ok || answer.redirected) throw new Error(`HTTP ${answer.status}`);
      const [head, raw] = parseFrame(await answer.text());
      this.on.said(this.why, true);
      if (raw) {
        this.add(raw, head.n);
        wait = 0; // there may be more
      }
      this.on.status(head.status, false);
      if (head.final) return this.ended();
    } catch (error) {
      console.warn("could not look for output:", error);
      this.on.said("The server does not answer, trying again", true);
    }
    this.later(() => this.look(), wait);
  }

  ended() {
    this.stop?.();
    this.isComplete = true;
    const whole = this.gaps.length ? "Its output, but for what was left out." : "All of its output.";
    this.on.said(this.end ? whole : "It wrote nothing.");
    this.on.status(null, true);
  }

  later(act, wait) {
    setTimeout(() => this.isClosed || act(), wait);
  }

  close() {
    this.isClosed = true;
    this.stop?.();
  }

  /** Put raw records behind what is there; `end` is the offset behind them. */
  add(raw, end) {
    for (const record of raw.split("\n")) {
      const head = RECORD.exec(record);
      if (!head) continue; // torn by a power cut, or the empty end
      const text = record.slice(head[0].length);
      for (const piece of this.cursors.follow(head[2], text, head[3] === "F"))
        this.writeTo(piece, Number(head[1]), head[2]);
    }
    for (const number of this.held.keys()) if (!this.cursors.reaches(number)) this.held.delete(number);
    this.end = end;
    this.on.changed();
  }

  writeTo({ number, isFull, text }, t, s) {
    const line = this.held.get(number) ?? (number > this.total ? this.newLine(t, s) : this.hold(number));
    write(line, text);
    if (line.x.length > MAX_LETTERS) line.x = line.x.slice(0, MAX_LETTERS);
    line.o = !isFull;
    if (this.at(number) !== line) this.blocks.delete(Math.floor((number - 1) / BLOCK)); // fetched since
  }

  hold(number) {
    const line = this.at(number) ?? { x: "", back: 0 };
    this.held.set(number, line);
    return line;
  }

  newLine(t, s) {
    const block = Math.floor(this.total / BLOCK);
    const line = { t, s, x: "", back: 0 };
    const lines = this.blocks.get(block);
    if (this.total % BLOCK === 0) this.put(block, [line]);
    else if (lines?.length === this.total % BLOCK) lines.push(line);
    this.total += 1;
    this.held.set(this.total, line);
    return line;
  }
}

// An open line of the server's ends with a return when its cursor stands at its begin.
function openAgain(line) {
  line.back = line.x.endsWith("\r") ? BEGIN : (line.b ?? 0);
  line.x = line.x.replace(/\r$/, "");
}
