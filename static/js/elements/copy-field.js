// <copy-field>: a read-only text with a button that copies it.

class CopyField extends HTMLElement {
  connectedCallback() {
    this.text = this.querySelector("input, textarea");
    this.said = this.querySelector("[data-said]");
    const button = this.querySelector("[data-copy]");
    button.hidden = false;
    button.addEventListener("click", () => this.copy());
  }

  async copy() {
    try {
      await navigator.clipboard.writeText(this.text.value);
      this.said.textContent = "Copied.";
    } catch {
      // Without HTTPS browsers offer no clipboard: the text is selected, the keyboard does the rest.
      this.text.focus();
      this.text.select();
      this.said.textContent = "Selected: press Ctrl+C to copy.";
    }
  }
}

customElements.define("copy-field", CopyField);
