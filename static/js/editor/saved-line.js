// The line that says whether a text is saved, and for a while what a tool came to.

const TOLD_MS = 5000;

export class SavedLine {
  /** @param {HTMLElement} element */
  constructor(element) {
    this.element = element;
    this.toldUntil = 0;
  }

  say(sentence, isLost = false) {
    this.element.textContent = sentence;
    this.element.classList.toggle("is-lost", isLost);
  }

  /** What a tool came to can be read before the saving, which goes on by itself, speaks again. */
  tell(sentence, isLost) {
    this.say(sentence, isLost);
    this.toldUntil = performance.now() + TOLD_MS;
  }

  sayOfSaving(sentence) {
    if (performance.now() > this.toldUntil) this.say(sentence);
  }
}
