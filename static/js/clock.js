// Durations that tick: `data-elapsed-s` is what the server said when it made the page, so the browser's clock does not matter.

const begun = new WeakMap();

/** A duration in at most two units, as tempo_site/lib/words.py writes it. */
export function span(seconds) {
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

function tick() {
  for (const element of document.querySelectorAll("[data-elapsed-s]")) {
    if (!begun.has(element)) begun.set(element, performance.now() - Number(element.dataset.elapsedS) * 1000);
    element.textContent = span((performance.now() - begun.get(element)) / 1000);
  }
}

tick();
setInterval(tick, 1000);
