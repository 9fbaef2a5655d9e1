// The banner that offers, one after the other, texts which this browser kept and the page does not show.

import { dayAndTime } from "../lib/clock-time.js";

const WORDS = {
  false: ["This browser keeps a text from ", " that never reached the server."],
  true: ["This browser keeps the draft that was discarded at ", "."],
};

/**
 * @param {HTMLElement} banner @param {{at: number, isDiscarded?: boolean}[]} copies the first is offered first
 * @param {{restore: (copy: object) => void, forget: (copy: object) => void}} on
 */
export function offerRecovery(banner, copies, on) {
  const [copy, ...others] = copies;
  banner.hidden = !copy;
  if (!copy) return;
  const [before, after] = WORDS[Boolean(copy.isDiscarded)];
  banner.querySelector("[data-recovery-words]").textContent =
    before + dayAndTime(copy.at, banner.closest("[data-zone]")?.dataset.zone) + after;
  for (const name of ["restore", "forget"]) {
    banner.querySelector(`[data-${name}]`).onclick = () => {
      on[name](copy);
      offerRecovery(banner, others, on);
    };
  }
}
