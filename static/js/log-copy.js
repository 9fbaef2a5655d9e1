// Copies the whole output of a run, as a terminal would show it.

import { plain } from "./lib/ansi.js";
import { shownText } from "./log-lines.js";

/** Rejects when the output cannot be had, or when the browser lets nobody copy. */
export async function copyOutput(url) {
  const answer = await fetch(url);
  if (!answer.ok || answer.redirected) throw new Error(`HTTP ${answer.status}`);
  const lines = (await answer.text()).split("\n");
  await toClipboard(lines.map((line) => plain(shownText(line))).join("\n"));
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
