// A WebSocket that comes back: the wait doubles after each failure; a message heard makes the count start anew. The
// document hears `socket:lost` of each failure.

import { address } from "./base-path.js";

const FIRST_WAIT_MS = 500;
const MAX_WAIT_MS = 10000;
const REFUSED = 4400; // codes from here on are the server's answer, not a broken line

/**
 * @param {() => string} path where to connect, asked again at each attempt
 * @param {{message: (data: string, send: (text: string) => void) => void, opened?: () => void,
 *          lost: (failures: number) => boolean|void, refused?: (code: number) => void}} on
 *   `lost` may return false: then no further attempt is made.
 * @returns {() => void} closes it for good
 */
export function connect(path, on) {
  let failures = 0;
  let isOver = false;
  let socket = null;
  let timer = 0;

  function open() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(`${scheme}//${location.host}${address(path())}`);
    socket.addEventListener("open", () => on.opened?.());
    socket.addEventListener("message", (event) => {
      failures = 0;
      on.message(event.data, (text) => socket.readyState === WebSocket.OPEN && socket.send(text));
    });
    socket.addEventListener("close", closed);
  }

  function closed(event) {
    if (isOver) return;
    if (event.code >= REFUSED) {
      isOver = true;
      on.refused?.(event.code);
      return;
    }
    failures += 1;
    document.dispatchEvent(new Event("socket:lost"));
    if (on.lost(failures) === false) {
      isOver = true;
      return;
    }
    const wait = Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - 1));
    timer = setTimeout(open, wait * (0.75 + Math.random() / 2)); // not everybody at once after a restart
  }

  open();
  return () => {
    isOver = true;
    clearTimeout(timer);
    socket.close();
  };
}
