// What a terminal makes of a line of output: colours stay, what is written over what stood there replaces it. The same
// as runs_app/output/terminal.py, for output that comes live; tests/data/terminal.json holds both to it.

import { CONTROL, plain } from "./ansi.js";

/** So far back from the end is the begin of any line. */
export const BEGIN = 2 ** 30;
const MAX_CELLS = 4096; // of a line that is written over in its midst
const MAX_STYLE = 200; // letters
const RESET = "\x1b[0m";
const BLANK = ["", " "];
// Return, backspace, CSI n C (right), D (left), G (to a column), K (erase).
const MOVE = /(\r|\x08|\x1b\[\d{0,4}[CDGK])/;
const COLOUR = /\x1b\[([\d;:]*)m/g;
const CELL = new RegExp(`(\\x1b\\[([\\d;:]*)m)|(?:${CONTROL})|([^])`, "gu");

/** Write at a line's cursor, which stands `back` characters before the end of its text `x`. */
export function write(line, text) {
  const parts = text.split(MOVE);
  const moves = parts.filter((_, index) => index % 2);
  if ((!line.back || line.back === BEGIN) && moves.every((move) => move === "\r")) return writeReturns(line, parts);
  const cells = new Cells(line);
  parts.forEach((part, index) => {
    if (index % 2) cells.move(part);
    else if (part) cells.put(part);
  });
  [line.x, line.back] = cells.written();
}

// Most bars are of this kind; no character of theirs has to be looked at alone.
function writeReturns(line, parts) {
  parts.forEach((part, index) => {
    if (index % 2) line.back = BEGIN;
    else if (line.back && plain(part)) {
      line.x = pen(line.x) + part;
      line.back = 0;
    } else line.x += part;
  });
}

// A line character by character, with the cursor at `place`; at the begin what is put replaces all.
class Cells {
  constructor({ x, back = 0 }) {
    [this.cells, this.pen] = parsed(x, "");
    this.isAtBegin = back >= BEGIN;
    this.place = Math.max(0, this.cells.length - back);
  }

  put(text) {
    const [fresh, style] = parsed(text, this.pen);
    this.pen = style;
    if (fresh.length && this.isAtBegin) {
      this.cells = [];
      this.isAtBegin = false;
    }
    fresh.forEach((cell, index) => {
      if (this.place + index < MAX_CELLS) this.cells[this.place + index] = cell;
    });
    this.place = Math.min(this.place + fresh.length, MAX_CELLS);
  }

  move(sequence) {
    const count = Number.parseInt(sequence.slice(2), 10) || 0;
    const letter = sequence.at(-1);
    if (letter === "\r") this.goTo(0);
    else if (letter === "\x08") this.goTo(this.place - 1);
    else if (letter === "C") this.goTo(this.place + Math.max(1, count));
    else if (letter === "D") this.goTo(this.place - Math.max(1, count));
    else if (letter === "G") this.goTo(count - 1);
    else this.erase(count);
  }

  goTo(place) {
    this.place = Math.max(0, Math.min(place, MAX_CELLS));
    this.isAtBegin = place <= 0;
    while (this.cells.length < this.place) this.cells.push(BLANK);
  }

  // 0: what stands right of the cursor; 1: left of it; 2: all.
  erase(what) {
    if (what === 0) this.cells.length = this.place;
    else if (what === 1) this.cells.fill(BLANK, 0, this.place);
    else if (what === 2) {
      this.cells = [];
      this.place = 0;
    }
  }

  written() {
    return [joined(this.cells, this.pen), this.isAtBegin ? BEGIN : this.cells.length - this.place];
  }
}

function parsed(text, begin) {
  const cells = [];
  let style = begin;
  for (const [, sequence, codes, character] of text.matchAll(CELL)) {
    if (sequence) style = restyled(style, sequence, codes);
    else if (character && cells.length < MAX_CELLS) cells.push([style, character]);
  }
  return [cells, style];
}

// The colours in which a terminal would go on.
function pen(text) {
  let style = "";
  for (const [sequence, codes] of text.matchAll(COLOUR)) style = restyled(style, sequence, codes);
  return style;
}

function restyled(style, sequence, codes) {
  if (codes === "" || codes === "0") return "";
  return style.length + sequence.length > MAX_STYLE ? sequence : style + sequence;
}

function joined(cells, last) {
  const parts = [];
  let style = "";
  for (const [own, character] of cells) {
    if (own !== style) parts.push(RESET + own);
    style = own;
    parts.push(character);
  }
  if (style !== last) parts.push(RESET + last);
  return parts.join("");
}
