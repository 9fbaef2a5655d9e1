// <key-box>: a key typed here stands in every curl line of the page. It is stored nowhere and sent nowhere.

class KeyBox extends HTMLElement {
  connectedCallback() {
    this.hidden = false;
    const lines = document.querySelectorAll("[data-curl]");
    const texts = Array.from(lines, (line) => line.textContent);
    const input = this.querySelector("input");
    input.addEventListener("input", () => {
      const key = input.value.trim() || this.dataset.standsFor;
      for (const [number, line] of lines.entries()) {
        line.textContent = texts[number].replace(this.dataset.standsFor, () => key);
      }
    });
  }
}

customElements.define("key-box", KeyBox);
