// The time of a moment as pages write it: two digits each, also before ten o'clock, in the server's zone.

const DIGITS = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZoneName: "short" };

/** @param {string} [moment] ISO 8601, now without it */
export function clockTime(moment, timeZone) {
  return new Date(moment ?? Date.now()).toLocaleTimeString("en-GB", { ...DIGITS, timeZone });
}
