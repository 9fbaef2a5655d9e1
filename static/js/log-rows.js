// The rows of a log: only those near the viewport are in the page, whatever the log's length. Text by textContent only.

import { appendLine } from "./lib/ansi.js";
import { BLOCK } from "./log-lines.js";

const MAX_HEIGHT_PX = 8_000_000; // browsers stop at 16 to 33 million; beyond this the scroll bar is a map of the log
const MAX_MEASURED = 400; // blocks whose height is remembered; the others are estimated
const NEAR_END_PX = 24;
const MAX_SHOWN = 4000; // letters of a line, until more are asked for
const KINDS = { E: "stderr", S: "system" }; // stdout is the rule and bears no mark

/** Build the row of a line; `view` gives address, number, time, marks and the text searched for. */
function makeRow(place, line, view) {
  const number = view.lines.numberOf(place);
  const row = document.createElement("div");
  const kind = KINDS[line.s];
  row.className = kind ? `row row-${kind}` : "row";
  row.classList.toggle("is-marked", view.isMarked(number));
  row.classList.toggle("is-current", view.current === place);
  row.dataset.n = number;
  const link = Object.assign(document.createElement("a"), { className: "row-n", href: `${view.address}#L${number}` });
  row.append(link);
  link.dataset.n = number; // shown by the style sheet, so that it is not copied with the text
  link.tabIndex = -1;
  link.setAttribute("aria-label", `Line ${number}${kind ? `, ${kind}` : ""}`);
  if (kind) link.title = kind;
  const time = view.timeOf(line);
  if (time) Object.assign(row.appendChild(document.createElement("span")), { className: "row-t" }).dataset.t = time;
  const text = row.appendChild(document.createElement("span"));
  text.className = "row-x";
  const isLong = line.x.length > MAX_SHOWN && !line.isWhole;
  appendLine(text, isLong ? line.x.slice(0, MAX_SHOWN) : line.x, view.wanted);
  if (!text.hasChildNodes()) text.append("\n"); // so that an empty line is copied with the others
  if (!isLong && !line.c) return row;
  const more = Object.assign(document.createElement("button"), { type: "button", className: "row-more" });
  more.textContent = isLong
    ? `${(line.x.length - MAX_SHOWN).toLocaleString("en")} more letters`
    : "Cut here: the raw log has it whole";
  more.disabled = !isLong;
  row.append(more);
  return row;
}

export class Rows {
  /** `lines` is the store (total, get(block), want(first, last)); `view` see makeRow, and `moved()` after a scroll. */
  constructor(scroller, lines, view) {
    Object.assign(this, { scroller, lines, view });
    this.sizer = scroller.appendChild(document.createElement("div"));
    this.body = this.sizer.appendChild(document.createElement("div"));
    [this.sizer.className, this.body.className] = ["rows-sizer", "rows-body"];
    this.rendered = new Map(); // block -> its element
    this.heights = new Map(); // block -> px of its rows in the mean, measured
    this.rowPx = 19;
    this.top = 0; // where the viewport begins in the whole log, in px
    this.base = this.seen = 0; // base = top - scrollTop
    this.isFollowing = true;
    this.target = 0; // a line on its way to the middle of the viewport
    scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    scroller.addEventListener("keydown", (event) => this.pressed(event));
    this.body.addEventListener("click", (event) => this.expand(event));
    this.observer = new ResizeObserver(() => this.remeasure());
    this.observer.observe(scroller);
  }

  close() {
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
  }

  get count() {
    return Math.ceil(this.lines.total / BLOCK);
  }

  sizeOf(block) {
    return Math.min(BLOCK, this.lines.total - block * BLOCK);
  }

  heightOf(block) {
    return this.sizeOf(block) * (this.heights.get(block) ?? this.rowPx);
  }

  topOf(block) {
    let top = Math.min(block * BLOCK, this.lines.total) * this.rowPx;
    for (const [measured, px] of this.heights) if (measured < block) top += this.sizeOf(measured) * (px - this.rowPx);
    return top;
  }

  blockAt(px) {
    let [low, high] = [0, Math.max(0, this.count - 1)];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.topOf(middle) <= px) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Where the scroll bar stands for a place in the log, and back: one to one near both ends, a map in between. */
  toBar(top, height, page, isBack = false) {
    const [far, room] = [height - page, Math.min(height, MAX_HEIGHT_PX) - page];
    const edge = room / 50;
    const [from, to] = isBack ? [room, far] : [far, room];
    if (top <= edge || far <= room) return top;
    if (top >= from - edge) return to - (from - top);
    return edge + ((top - edge) * (to - 2 * edge)) / (from - 2 * edge);
  }

  scrolled() {
    const { scrollTop: at, clientHeight: page } = this.scroller;
    if (Math.abs(at - this.seen) < 1) return;
    if (page !== this.page || this.isResizing) return this.soon(); // the browser moved it, as its height changed
    const height = this.topOf(this.count);
    const isJump = Math.abs(at - this.seen) > 1.5 * page; // or dragged
    if (isJump) this.base = this.toBar(at, height, page, true) - at;
    const isDownward = at > this.seen;
    this.seen = at;
    this.moveTo(at + this.base, isDownward);
  }

  moveTo(top, isDownward) {
    const room = this.topOf(this.count) - this.scroller.clientHeight;
    this.top = Math.max(0, Math.min(top, room));
    this.target = 0;
    this.isFollowing = isDownward && this.top >= room - NEAR_END_PX;
    this.view.moved();
    this.soon();
  }

  /** The keys that go far: the browser would glide there, through all that lies between. */
  pressed(event) {
    const pages = { Home: -Infinity, PageUp: -0.9, PageDown: 0.9, End: Infinity }[event.key];
    if (!pages || event.target !== this.scroller || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.moveTo(this.top + pages * this.scroller.clientHeight, pages > 0);
  }

  goTo(number) {
    this.isFollowing = false;
    this.target = Math.max(1, Math.min(number, this.lines.total));
    const block = Math.floor((this.target - 1) / BLOCK);
    this.top =
      this.topOf(block) + this.heightOf(block) * (((this.target - 1) % BLOCK) / BLOCK) - this.scroller.clientHeight / 3;
    this.soon();
  }

  /** Put the line that was gone to where it belongs, now that the rows above it are measured. */
  settle() {
    const row = this.rowOf(this.target);
    if (!row) return;
    const block = Math.floor((this.target - 1) / BLOCK);
    this.top = this.topOf(block) + row.offsetTop - this.rendered.get(block).offsetTop - this.scroller.clientHeight / 3;
    if ([...this.rendered.values()].every((element) => element.childElementCount)) this.target = 0;
  }

  /** The number of the line at the top of the viewport. */
  firstInView() {
    const block = this.blockAt(this.top);
    return (
      block * BLOCK +
      Math.floor(((this.top - this.topOf(block)) / (this.heightOf(block) || 1)) * this.sizeOf(block)) +
      1
    );
  }

  isInView(number) {
    const [row, view] = [this.rowOf(number)?.getBoundingClientRect(), this.scroller.getBoundingClientRect()];
    return row !== undefined && row.top >= view.top && row.bottom <= view.bottom;
  }

  rowOf(number) {
    return this.rendered.get(Math.floor((number - 1) / BLOCK))?.children[(number - 1) % BLOCK];
  }

  soon() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  /** Show what belongs near the viewport. What it measures may move things: then it looks again, four times a frame. */
  draw() {
    if (!this.scroller.clientHeight) return;
    let turns = 1;
    while (this.place() && turns < 4) turns += 1;
    if (turns === 4) this.soon();
    this.lines.want(this.first, this.last);
  }

  place() {
    const page = (this.page = this.scroller.clientHeight);
    const before = [this.topOf(this.count), this.first, this.last];
    if (this.isFollowing) this.top = before[0] - page;
    this.top = Math.max(0, Math.min(this.top, before[0] - page));
    const anchor = this.blockAt(this.top);
    const part = (this.top - this.topOf(anchor)) / (this.heightOf(anchor) || 1);
    this.first = this.blockAt(this.top - page);
    this.last = this.count ? this.blockAt(this.top + 2 * page) : -1;
    this.render();
    this.measure();
    this.top = this.topOf(anchor) + part * this.heightOf(anchor);
    if (this.target) this.settle();
    const height = this.topOf(this.count);
    if (this.isFollowing) this.top = height - page;
    this.top = Math.max(0, Math.min(this.top, height - page));
    this.scrollTo(height, page);
    return Math.abs(height - before[0]) > 1 || this.first !== before[1] || this.last !== before[2];
  }

  render() {
    for (const [block, element] of this.rendered) {
      if (block >= this.first && block <= this.last) continue;
      element.remove();
      this.rendered.delete(block);
    }
    let next = this.body.firstElementChild;
    for (let block = this.first; block <= this.last; block += 1) {
      const element =
        this.rendered.get(block) ?? Object.assign(document.createElement("div"), { className: "rows-block" });
      if (element !== next) this.body.insertBefore(element, next);
      this.rendered.set(block, element);
      this.fill(element, block);
      next = element.nextElementSibling;
    }
  }

  fill(element, block) {
    const lines = this.lines.get(block);
    element.classList.toggle("is-coming", !lines);
    element.style.height = lines ? "" : `${this.heightOf(block)}px`;
    if (!lines) return element.replaceChildren();
    for (let index = 0; index < lines.length; index += 1) {
      const shown = element.children[index];
      if (shown && shown.line === lines[index] && shown.text === lines[index].x) continue;
      const row = Object.assign(makeRow(block * BLOCK + index + 1, lines[index], this.view), {
        line: lines[index],
        text: lines[index].x,
      });
      if (shown) shown.replaceWith(row);
      else element.append(row);
    }
    while (element.childElementCount > lines.length) element.lastElementChild.remove();
  }

  measure() {
    for (const [block, element] of this.rendered) {
      if (!element.childElementCount) continue;
      this.heights.delete(block);
      this.heights.set(block, element.getBoundingClientRect().height / element.childElementCount);
    }
    const [oldest] = this.heights.keys();
    if (this.heights.size > MAX_MEASURED) this.heights.delete(oldest);
    if (!this.isEstimated && this.heights.size) this.rowPx = this.heights.values().next().value;
    this.isEstimated = this.heights.size > 0; // and so it stays: a better guess later would move everything
  }

  scrollTo(height, page) {
    this.sizer.style.height = `${Math.min(height, MAX_HEIGHT_PX)}px`;
    const due = this.toBar(this.top, height, page);
    const isAtEdge = Math.min(this.top, height - page - this.top) < MAX_HEIGHT_PX / 50;
    const isAstray = isAtEdge || Math.abs(this.top - this.base - due) > MAX_HEIGHT_PX / 100;
    const at = isAstray ? due : this.top - this.base; // moving the bar below a scrolling hand is for the rare case
    if (Math.abs(this.scroller.scrollTop - at) >= 1) this.scroller.scrollTop = at;
    this.seen = this.scroller.scrollTop;
    this.base = this.top - this.seen;
    this.body.style.top = `${this.topOf(this.first) - this.base}px`;
  }

  /** Draw every row anew: the view shows something else of them. */
  redraw() {
    for (const element of this.rendered.values()) element.replaceChildren();
    this.soon();
  }

  /** Width or wrapping changed: what was measured holds no more. The line at the top stays there. */
  remeasure() {
    const width = this.scroller.clientWidth;
    if (width !== this.width) this.heights.clear();
    this.isEstimated &&= width === this.width;
    this.width = width;
    this.soon();
  }

  /** Full screen begins or ends: the browser may clamp the scroll place on the way, which is nobody's wish to leave the
   * end. */
  resizing(isResizing) {
    this.isResizing = isResizing;
    this.page = 0; // until the next draw
    if (!isResizing) this.soon();
  }

  expand(event) {
    if (!event.target.matches(".row-more")) return;
    const row = event.target.closest(".row");
    row.line.isWhole = true;
    row.text = null;
    this.soon();
  }
}
