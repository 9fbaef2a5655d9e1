// Times as pages write them, in the server's zone: two digits each, also before ten o'clock.

const TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZoneName: "short" };
const DAY = { year: "numeric", month: "2-digit", day: "2-digit" };

/** @param {string} moment ISO 8601 */
export function clockTime(moment, timeZone) {
  return new Date(moment).toLocaleTimeString("en-GB", { ...TIME, timeZone });
}

/** `2026-11-29 07:15:30 CET` */
export function dayAndTime(moment, timeZone) {
  const day = new Date(moment).toLocaleDateString("sv-SE", { ...DAY, timeZone });
  return `${day} ${clockTime(moment, timeZone)}`;
}
