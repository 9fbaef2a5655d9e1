// On which line of the output each stream writes: as a rule a new one, after a cursor's move one that was there before.
// The same as runs_app/output/cursors.py, for output that comes live; tests/data/terminal.json holds both to it.

const SCREEN_ROWS = 50; // so far up a stream may go
const MAX_TORN = 16; // letters of a control sequence whose end has not come yet
const NOTICES = 2; // lines that Tempo puts in the place of what it left out
// CSI n A, F (up), n B, E (down); CSI H, f, 2 J, 3 J (a new screen); CSI J (erases what is below).
const MOVE = /\x1b\[(?:(\d{0,4})([ABEF])|[\d;]{0,9}[Hf]|([023]?)J)/g;
const TORN = /\x1b(?:\[[\d;]*)?$/;
const GAP =
  /^(?:[\d,]+ bytes of output(?: \(([\d,]{1,20}) lines?\))? were left out here|Output was (?:left out|lost) here.*)$/;

/** The number of a row in what the script wrote: what was left out before it counts. `gaps`: [row, skipped]. */
export function numberOf(row, gaps) {
  return gaps.reduce((number, [at, skipped]) => number + (at < row ? skipped : 0), row);
}

/** The row of a number; of one that was left out, the row of the gap. */
export function rowOf(number, gaps) {
  let row = number;
  for (const [at, skipped] of gaps) {
    if (row <= at) return row;
    row = Math.max(at, row - skipped);
  }
  return row;
}

class Cursor {
  constructor({ rows = [], at = 0, pending = "" } = {}) {
    Object.assign(this, { rows, at, pending });
  }

  get isOnLine() {
    return this.at < this.rows.length;
  }

  beginLine(number) {
    this.rows = [...this.rows, number].slice(-SCREEN_ROWS);
    this.at = this.rows.length - 1;
  }

  goTo(at) {
    this.at = Math.max(0, Math.min(at, this.rows.length));
    this.pending = this.isOnLine ? "\r" : "";
  }

  beginScreen() {
    this.rows = this.rows.slice(this.at, this.at + 1);
    this.at = 0;
  }
}

export class Cursors {
  /** `streams`: what the server says of them; `total`: how many lines there are. */
  constructor(total = 0, streams = {}, gaps = []) {
    Object.assign(this, { total, gaps });
    this.streams = Object.fromEntries(Object.entries(streams).map(([stream, cursor]) => [stream, new Cursor(cursor)]));
  }

  /** Whether a stream may come to a line again. */
  reaches(number) {
    return Object.values(this.streams).some(({ rows }) => rows.includes(number));
  }

  /** What a record writes, line by line: [{number, isFull, text}]. */
  follow(stream, text, isFull) {
    this.streams[stream] ??= new Cursor();
    const cursor = this.streams[stream];
    const pieces =
      cursor.pending || text.includes("\x1b")
        ? this.followMoves(cursor, cursor.pending + text, isFull)
        : [this.piece(cursor, text, isFull)];
    if (isFull) cursor.goTo(cursor.at + 1);
    const gap = stream === "S" && GAP.exec(text);
    if (gap) this.noteGap(gap[1]);
    return pieces;
  }

  followMoves(cursor, whole, isFull) {
    cursor.pending = "";
    const torn = isFull ? "" : (TORN.exec(whole)?.[0] ?? "");
    const held = torn.length <= MAX_TORN ? torn : "";
    const text = whole.slice(0, whole.length - held.length);
    const pieces = [];
    let done = 0;
    for (const move of text.matchAll(MOVE)) {
      if (move.index > done) pieces.push(this.piece(cursor, text.slice(done, move.index)));
      this.move(cursor, move, pieces);
      done = move.index + move[0].length;
    }
    const rest = text.slice(done);
    if (rest || isFull || !(done || held)) pieces.push(this.piece(cursor, rest, isFull));
    cursor.pending += held;
    return pieces;
  }

  move(cursor, [, count, letter, erased], pieces) {
    const by = Math.max(1, Number(count || 1));
    if (letter) cursor.goTo(cursor.at + ("AF".includes(letter) ? -by : by));
    else if (erased === "" || erased === "0") {
      if (cursor.isOnLine) pieces.push(this.piece(cursor, "\x1b[K"));
      for (const number of cursor.rows.slice(cursor.at + 1)) pieces.push({ number, isFull: false, text: "\x1b[2K" });
    } else cursor.beginScreen();
  }

  piece(cursor, text, isFull = false) {
    if (!cursor.isOnLine) {
      this.total += 1;
      cursor.beginLine(this.total);
    }
    const whole = cursor.pending + text;
    cursor.pending = "";
    return { number: cursor.rows[cursor.at], isFull, text: whole };
  }

  noteGap(lines = "0") {
    for (const cursor of Object.values(this.streams)) cursor.beginScreen();
    this.gaps = [...this.gaps, [this.total, Math.max(0, Number(lines.replaceAll(",", "")) - NOTICES)]];
  }
}
