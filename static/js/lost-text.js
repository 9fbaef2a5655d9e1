// The banner that offers a text which this browser kept and the page does not show.

/** @param {HTMLElement} banner @param {{at: number}} copy @param {{restore: () => void, forget: () => void}} on */
export function offer(banner, copy, { restore, forget }) {
  banner.querySelector("[data-lost-when]").textContent = new Date(copy.at).toLocaleString("en-GB");
  banner.hidden = false;
  const choices = { restore, forget };
  for (const [name, act] of Object.entries(choices)) {
    banner.querySelector(`[data-${name}]`).addEventListener("click", () => {
      banner.hidden = true;
      act();
    });
  }
}
