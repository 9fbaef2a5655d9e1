// The engine's pill in the top bar, kept true: it says so when the server does not answer, and what fails when it does.

import { address } from "./lib/base-path.js";

const LOOK_MS = 15_000;
const LOOK_AGAIN_MS = 3_000; // while there is no answer
const PATIENCE_MS = 5_000;
const UNANSWERED = "is-unanswered"; // of the whole page: what it says of runs may not hold any more

const pill = document.querySelector(".engine");
const page = document.documentElement;
let timer = 0;

/** Whether the server gave no answer when it was last asked. */
export function isUnanswered() {
  return page.classList.contains(UNANSWERED);
}

async function look() {
  clearTimeout(timer);
  timer = setTimeout(look, LOOK_MS);
  if (document.hidden) return; // nobody looks
  try {
    const answer = await fetch(address("/healthz"), { signal: AbortSignal.timeout(PATIENCE_MS) });
    show(await answer.json());
  } catch (error) {
    console.warn("the server does not answer:", error);
    clearTimeout(timer);
    timer = setTimeout(look, LOOK_AGAIN_MS);
    say("no answer", "The server does not answer: what this page shows may have changed.", true);
    page.classList.add(UNANSWERED);
  }
}

function show({ status, failing, parts }) {
  const isWell = status === "ok";
  const troubles = failing.map((name) => `${name}: ${parts[name]}`).join("; ");
  say(isWell ? "engine ok" : "engine failing", troubles, !isWell);
  page.classList.remove(UNANSWERED);
}

function say(words, title, isFailing) {
  if (pill.textContent.trim() !== words) pill.textContent = words;
  pill.title = title;
  pill.classList.toggle("is-failing", isFailing);
}

if (pill) {
  timer = setTimeout(look, LOOK_MS);
  document.addEventListener("visibilitychange", look);
  document.addEventListener("socket:lost", look);
}
