// Times that tick: `data-elapsed-s` (how long ago) and `data-until-s` (how far away) are what the server said when it
// made the page, so the browser's clock does not matter.

const begun = new WeakMap();

/** A duration in at most two units, as tempo_site/lib/words.py writes it. */
export function span(seconds) {
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

function since(element, seconds) {
  if (!begun.has(element)) begun.set(element, performance.now() - seconds * 1000);
  return (performance.now() - begun.get(element)) / 1000;
}

function tick() {
  for (const element of document.querySelectorAll("[data-elapsed-s]")) {
    element.textContent = span(since(element, Number(element.dataset.elapsedS)));
  }
  for (const element of document.querySelectorAll("[data-until-s]")) {
    const left = -since(element, -Number(element.dataset.untilS));
    element.textContent = left > 0 ? span(left) : "now";
  }
}

tick();
document.addEventListener("live-list:fresh", tick);
setInterval(tick, 1000);
