// Sentences whose `words in backticks` are shown as code, as the server's templates show them.

/** Put a sentence in the place of what an element holds. */
export function showInlineCode(element, sentence) {
  const parts = sentence.split(/`([^`\n]+)`/);
  element.replaceChildren(...parts.map((part, at) => (at % 2 ? code(part) : part)));
}

function code(text) {
  return Object.assign(document.createElement("code"), { textContent: text });
}
