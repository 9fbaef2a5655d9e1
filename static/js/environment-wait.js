// Waits until the environment that a script's version asks for is built, or is known not to come.

const POLL_MS = 700;

/**
 * @param {string} api the script's address in the API
 * @param {{waiting: () => void, signal: AbortSignal}} on `waiting` is called as long as it is being built
 * @returns {Promise<{state: string, message: string}|null>} ready or failed; null when the script has none
 */
export async function settledEnvironment(api, { waiting, signal }) {
  for (;;) {
    const answer = await fetch(api, { signal });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const { environment } = await answer.json();
    if (!environment || ["ready", "failed"].includes(environment.state)) return environment;
    waiting();
    await new Promise((done) => setTimeout(done, POLL_MS));
    signal.throwIfAborted();
  }
}
