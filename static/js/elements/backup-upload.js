// Sends a backup in pieces: the server has stored one before the next one goes out, so nothing large lies in memory.
import { csrfToken } from "../lib/csrf.js";

const PIECE_BYTES = 4 * 2 ** 20;
const TRIES = 5;
const AGAIN_AFTER_MS = 2000;

class BackupUpload extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.note = this.querySelector("[role=status]");
    this.button = this.querySelector("button");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.upload(this.form.elements.file.files[0]);
    });
    this.form.hidden = false;
  }

  async upload(file) {
    if (!file) return;
    this.button.disabled = true;
    try {
      const name = await this.sendAll(file);
      location.search = new URLSearchParams({ backup: name });
    } catch (error) {
      this.note.textContent = error.message;
      this.button.disabled = false;
    }
  }

  async sendAll(file) {
    let offset = 0;
    for (;;) {
      const answer = await this.sendOrTryAgain(file, offset);
      if (answer.name) return answer.name;
      offset = answer.received;
      this.note.textContent = `${Math.floor((offset / file.size) * 100)} % sent`;
    }
  }

  async sendOrTryAgain(file, offset) {
    for (let left = TRIES - 1; ; left--) {
      try {
        return await this.send(file, offset);
      } catch (error) {
        if (!(error instanceof TypeError) || left === 0) throw error; // fetch's: the connection broke
        await new Promise((resolve) => setTimeout(resolve, AGAIN_AFTER_MS));
      }
    }
  }

  async send(file, offset) {
    const query = new URLSearchParams({ name: file.name, size: file.size, offset });
    const response = await fetch(`${this.form.action}?${query}`, {
      method: "POST",
      body: file.slice(offset, offset + PIECE_BYTES),
      headers: { "Content-Type": "application/octet-stream", "X-CSRFToken": csrfToken(this.form) },
    });
    const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
    const answer = isJson ? await response.json() : {};
    if (response.ok || response.status === 409) return answer;
    throw new Error(answer.error ?? "The server did not take it.");
  }
}

customElements.define("backup-upload", BackupUpload);
