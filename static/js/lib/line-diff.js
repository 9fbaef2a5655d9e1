// The difference between two texts, line by line, and how it is shown.

// Beyond that comparing is felt: everything between the first and last change counts as changed.
const MAX_CELLS = 4_000_000;
const CONTEXT = 3;

/** [{sign: " " | "-" | "+", text}] that turns `before` into `after`. */
export function lineDiff(before, after) {
  const a = before.split("\n");
  const b = after.split("\n");
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  return [
    ...signed(" ", a.slice(0, start)),
    ...changes(a.slice(start, a.length - end), b.slice(start, b.length - end)),
    ...signed(" ", a.slice(a.length - end)),
  ];
}

function signed(sign, lines) {
  return lines.map((text) => ({ sign, text }));
}

function changes(a, b) {
  if (a.length * b.length > MAX_CELLS) return [...signed("-", a), ...signed("+", b)];
  const width = b.length + 1;
  const longest = new Uint32Array((a.length + 1) * width); // of the common subsequence from (i, j) on
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      const [down, right] = [longest[(i + 1) * width + j], longest[i * width + j + 1]];
      longest[i * width + j] = a[i] === b[j] ? longest[(i + 1) * width + j + 1] + 1 : Math.max(down, right);
    }
  }
  const rows = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      rows.push({ sign: " ", text: a[i++] });
      j += 1;
    } else if (j >= b.length || (i < a.length && longest[(i + 1) * width + j] >= longest[i * width + j + 1])) {
      rows.push({ sign: "-", text: a[i++] });
    } else {
      rows.push({ sign: "+", text: b[j++] });
    }
  }
  return rows;
}

/** A list of rows; far from a change, lines that are alike are left out and counted. */
export function diffElement(rows) {
  const list = document.createElement("div");
  list.className = "diff";
  const isNear = rows.map((_, index) =>
    rows.slice(Math.max(0, index - CONTEXT), index + CONTEXT + 1).some(({ sign }) => sign !== " "),
  );
  let skipped = 0;
  rows.forEach((row, index) => {
    if (!isNear[index]) {
      skipped += 1;
      return;
    }
    if (skipped) list.append(gap(skipped));
    skipped = 0;
    list.append(diffRow(row));
  });
  if (skipped) list.append(gap(skipped));
  return list;
}

const KINDS = { "-": ["is-removed", "−", "only theirs: "], "+": ["is-added", "+", "only yours: "], " ": ["", " ", ""] };

function diffRow({ sign, text }) {
  const [kind, mark, said] = KINDS[sign];
  const row = document.createElement("div");
  row.className = `diff-row ${kind}`;
  const shown = document.createElement("span");
  shown.className = "diff-sign";
  shown.textContent = mark;
  shown.setAttribute("aria-hidden", "true");
  const hidden = document.createElement("span");
  hidden.className = "visually-hidden";
  hidden.textContent = said;
  const line = document.createElement("bdi");
  line.textContent = text;
  row.append(shown, hidden, line);
  return row;
}

function gap(count) {
  const row = document.createElement("div");
  row.className = "diff-gap";
  row.textContent = `${count.toLocaleString("en")} line${count === 1 ? "" : "s"} alike`;
  return row;
}
