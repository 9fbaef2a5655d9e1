// Copies the whole output of a run, as a terminal would show it.

import { plain } from "./lib/ansi.js";
import { Cursors } from "./lib/cursors.js";
import { write } from "./lib/terminal.js";

/** Rejects when the output cannot be had, or when the browser lets nobody copy. */
export async function copyOutput(url) {
  const answer = await fetch(url);
  if (!answer.ok || answer.redirected) throw new Error(`HTTP ${answer.status}`);
  await toClipboard(shownText(await answer.text()));
}

/** What a terminal would show of all that a script wrote, without colours. */
export function shownText(text) {
  const cursors = new Cursors();
  const lines = [];
  text.split("\n").forEach((line, at, all) => {
    for (const piece of cursors.follow("O", line, at < all.length - 1)) {
      lines[piece.number - 1] ??= { x: "", back: 0 };
      write(lines[piece.number - 1], piece.text);
    }
  });
  return lines.map(({ x }) => plain(x)).join("\n");
}

// Browsers offer their clipboard on https and localhost only; elsewhere a selection does it.
async function toClipboard(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.body.appendChild(document.createElement("textarea"));
  field.value = text;
  field.select();
  const isDone = document.execCommand("copy");
  field.remove();
  if (!isDone) throw new Error("the browser refused");
}
