// The banner that offers, one after the other, texts which this browser kept and the page does not show.

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
    before + new Date(copy.at).toLocaleString("en-GB", { timeZoneName: "short" }) + after;
  for (const name of ["restore", "forget"]) {
    banner.querySelector(`[data-${name}]`).onclick = () => {
      on[name](copy);
      offerRecovery(banner, others, on);
    };
  }
}
