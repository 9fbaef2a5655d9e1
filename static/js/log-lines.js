// The lines of a run: what came so far, by number, and what still comes. Few are kept; the rest is fetched when it is looked at.

import { connect } from "./live-socket.js";

export const BLOCK = 50; // lines that come and go together
const KEPT = 200; // blocks
const AT_MOST = 1000; // lines of one answer
const LAST = 300; // lines that are fetched when there is a gap
const POLL_MS = 2000;
const GIVE_UP_AFTER = 3;
const LONGEST = 64 * 1024; // letters of one line
const RECORD = /^(\d{1,15}) ([OES]) ([FP]) /;

// --- colours -----------------------------------------------------------------------------------------------------------
const SEQUENCE =
  /\x1b(?:\[([0-?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~])|[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
const FLAGS = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike" };
const SIXTEEN = [
  [0, 0, 0], [205, 0, 0], [0, 205, 0], [205, 205, 0], [0, 0, 238], [205, 0, 205], [0, 205, 205], [229, 229, 229],
  [127, 127, 127], [255, 0, 0], [0, 255, 0], [255, 255, 0], [92, 92, 255], [255, 0, 255], [0, 255, 255], [255, 255, 255],
]; // prettier-ignore

/** The one of sixteen colours that is nearest to one of 256, or to red, green and blue. */
function nearest(red, green, blue) {
  const distances = SIXTEEN.map(([r, g, b]) => (r - red) ** 2 + (g - green) ** 2 + (b - blue) ** 2);
  return distances.indexOf(Math.min(...distances));
}

function ofPalette(number) {
  if (number < 16) return number;
  if (number >= 232) return nearest(...Array(3).fill((number - 232) * 10 + 8));
  const level = (step) => (step ? step * 40 + 55 : 0);
  const cube = number - 16;
  return nearest(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
}

function paint(style, parameters) {
  const codes = parameters.split(/[;:]/).map(Number);
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at];
    if (code === 38 || code === 48) {
      const isTrue = codes[at + 1] === 2;
      const colour = isTrue ? nearest(...codes.slice(at + 2, at + 5)) : ofPalette(codes[at + 2] ?? 0);
      style[code === 38 ? "fg" : "bg"] = colour;
      at += isTrue ? 4 : 2;
    } else if (code === 0) for (const key of Object.keys(style)) delete style[key];
    else if (FLAGS[code]) style[FLAGS[code]] = true;
    else if (code === 22) style.bold = style.dim = false;
    else if (FLAGS[code - 20]) style[FLAGS[code - 20]] = false;
    else if (code >= 30 && code <= 37) style.fg = code - 30;
    else if (code >= 90 && code <= 97) style.fg = code - 82;
    else if (code >= 40 && code <= 47) style.bg = code - 40;
    else if (code >= 100 && code <= 107) style.bg = code - 92;
    else if (code === 39) delete style.fg;
    else if (code === 49) delete style.bg;
  }
}

function classesOf(style) {
  const names = Object.values(FLAGS).flatMap((flag) => (style[flag] ? [`a-${flag}`] : []));
  if (style.fg >= 0) names.push(`fg-${style.fg}`);
  if (style.bg >= 0) names.push(`bg-${style.bg}`);
  return names.join(" ");
}

/** Cut a line into [text, classes]: colours become classes, every other control sequence is dropped. */
export function pieces(text) {
  const found = [];
  const style = {};
  let classes = "";
  let from = 0;
  for (const match of text.matchAll(SEQUENCE)) {
    if (match.index > from) found.push([text.slice(from, match.index), classes]);
    from = match.index + match[0].length;
    if (match[2] !== "m") continue;
    paint(style, match[1]);
    classes = classesOf(style);
  }
  if (from < text.length) found.push([text.slice(from), classes]);
  return found;
}

/** Text without colours and control sequences. */
export function plain(text) {
  return text.replace(SEQUENCE, "");
}

/** What a terminal would show of a line: what stands before a carriage return is gone. */
export function shownText(text) {
  const whole = text.replace(/\r+$/, "");
  return whole.slice(whole.lastIndexOf("\r") + 1);
}

// --- what a run wrote ----------------------------------------------------------------------------------------------------
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
    this.unfinished = {}; // stream -> the line that its next record goes on
    this.isComplete = false;
  }

  // --- the store ---
  get(block) {
    const lines = this.blocks.get(block);
    const size = Math.min(BLOCK, this.total - block * BLOCK);
    return lines?.length === size ? lines : null;
  }

  /** Fetch what lacks of these blocks; one question at a time, the newest wish wins. */
  async want(first, last) {
    this.wish = [first, last];
    for (let block = first; block <= last; block += 1) if (this.blocks.has(block)) this.put(block, this.blocks.get(block));
    if (this.isFetching) return;
    this.isFetching = true;
    try {
      for (let missing = this.missing(); missing; missing = this.missing()) await this.fetchBlocks(...missing);
    } catch (error) {
      console.warn("could not fetch lines:", error);
      this.later(() => this.want(...this.wish), POLL_MS);
    } finally {
      this.isFetching = false;
    }
  }

  missing() {
    let [first, last] = this.wish;
    while (first <= last && this.get(first)) first += 1;
    while (last >= first && this.get(last)) last -= 1;
    return first <= last && !this.isClosed ? [first, Math.min(last, first + AT_MOST / BLOCK - 1)] : null;
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
    for (const line of lines.filter(({ o, raw }) => o && raw === undefined)) line.x = shownText((line.raw = line.x));
    this.blocks.delete(block); // it goes behind those that were looked at before
    this.blocks.set(block, lines);
    for (const old of this.blocks.keys()) {
      if (this.blocks.size <= KEPT) return;
      this.blocks.delete(old);
    }
  }

  async ask(question) {
    const answer = await fetch(`/runs/${this.run}/lines?${question}`);
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
    this.unfinished = {};
    for (const [stream, number] of Object.entries(window.open)) this.unfinished[stream] = Object.assign(this.at(number) ?? { x: "" }, { number });
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
      this.begin(await this.ask(`last=${LAST}`));
      if (!this.isClosed) this.listen();
    } catch (error) {
      console.warn("could not catch up:", error);
      this.later(() => this.catchUp(), POLL_MS);
    }
  }

  lost(failures) {
    if (failures >= GIVE_UP_AFTER) {
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
      const answer = await fetch(`/runs/${this.run}/output?offset=${this.end}`);
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
    this.on.said(this.end ? "All of its output." : "It wrote nothing.");
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
      const line = this.unfinished[head[2]] ?? this.newLine(Number(head[1]), head[2]);
      line.raw = (line.raw ?? line.x) + record.slice(head[0].length);
      line.x = shownText(line.raw).slice(0, LONGEST);
      if (line.raw.length > LONGEST) line.raw = line.x;
      if (head[3] === "F") {
        delete this.unfinished[head[2]];
        delete line.raw;
      } else this.unfinished[head[2]] = line;
      if (this.at(line.number) !== line) this.blocks.delete(Math.floor((line.number - 1) / BLOCK)); // fetched since
    }
    this.end = end;
    this.on.changed();
  }

  newLine(t, s) {
    const block = Math.floor(this.total / BLOCK);
    const line = { t, s, x: "", number: this.total + 1 };
    const lines = this.blocks.get(block);
    if (this.total % BLOCK === 0) this.put(block, [line]);
    else if (lines?.length === this.total % BLOCK) lines.push(line);
    this.total += 1;
    return line;
  }
}
