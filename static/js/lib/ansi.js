// The colours of a terminal: control sequences become classes of the style sheet, or are dropped.

/** A control sequence, as the text of a regular expression without groups. */
export const CONTROL = [
  String.raw`\x1b(?:\[[\x30-?]*[ -\/]*[@-~]`, // CSI
  String.raw`\][^\x07\x1b]*(?:\x07|\x1b\\)?`, // OSC, such as a window's title
  String.raw`[PX^_][^\x1b]*(?:\x1b\\)?`, // DCS, SOS, PM, APC
  String.raw`[ -\/]*[0-~])`,
  String.raw`[\x00-\x08\x0b-\x1f\x7f-\x9f]`, // single control characters
].join("|");
const SEQUENCE = new RegExp(CONTROL, "g");
const COLOUR = /^\x1b\[([0-?]*)m$/;
const FLAGS = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike" };
// biome-ignore format: a table
const SIXTEEN = [
  [0, 0, 0], [205, 0, 0], [0, 205, 0], [205, 205, 0], [0, 0, 238], [205, 0, 205], [0, 205, 205], [229, 229, 229],
  [127, 127, 127], [255, 0, 0], [0, 255, 0], [255, 255, 0],
  [92, 92, 255], [255, 0, 255], [0, 255, 255], [255, 255, 255],
];

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

// Cuts a line into [text, classes].
function pieces(text) {
  const found = [];
  const style = {};
  let classes = "";
  let from = 0;
  for (const match of text.matchAll(SEQUENCE)) {
    if (match.index > from) found.push([text.slice(from, match.index), classes]);
    from = match.index + match[0].length;
    const colour = COLOUR.exec(match[0]);
    if (!colour) continue;
    paint(style, colour[1]);
    classes = classesOf(style);
  }
  if (from < text.length) found.push([text.slice(from), classes]);
  return found;
}

/** Text without colours and control sequences. */
export function plain(text) {
  return text.replace(SEQUENCE, "");
}

/** Append a line to an element, in colours, with the places that hold `wanted` (lower case) marked. */
export function appendLine(target, line, wanted) {
  const ranges = rangesOf(plain(line).toLowerCase(), wanted);
  let done = 0;
  for (const [text, classes] of pieces(line)) {
    const places = ranges.flat().map((place) => place - done);
    const cuts = places.filter((place) => place > 0 && place < text.length);
    const edges = [0, ...cuts, text.length];
    for (let index = 1; index < edges.length; index += 1) {
      const at = done + edges[index - 1];
      const isMarked = ranges.some(([begin, end]) => at >= begin && at < end);
      append(target, text.slice(edges[index - 1], edges[index]), classes, isMarked);
    }
    done += text.length;
  }
}

function rangesOf(text, wanted) {
  const ranges = [];
  let at = wanted ? text.indexOf(wanted) : -1;
  while (at >= 0) {
    ranges.push([at, at + wanted.length]);
    at = text.indexOf(wanted, at + wanted.length);
  }
  return ranges;
}

function append(target, text, classes, isMarked) {
  if (!classes && !isMarked) return target.append(text);
  const element = document.createElement(isMarked ? "mark" : "span");
  if (classes) element.className = classes;
  element.textContent = text;
  target.append(element);
}
