// A form that takes files and folders, chosen in it or dropped anywhere on the page: what was done last counts. Each
// file is sent with its path in its folder, of which a browser sends the last part alone.

const MADE_BY_TOOLS = new Set([".git", "__pycache__", ".venv", "venv", "node_modules"]);
const MOST = 1000;

class FolderUpload extends HTMLElement {
  #dropped = [];

  connectedCallback() {
    const form = this.querySelector("form");
    form.addEventListener("formdata", ({ formData }) => this.#addPaths(formData));
    form.addEventListener("change", () => this.#keep([]));
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => this.#take(event));
    for (const field of this.querySelectorAll("[data-folder]")) field.hidden = false;
  }

  #addPaths(formData) {
    const chosen = formData.getAll("file").filter((file) => file.name);
    for (const file of chosen) formData.append("path", file.webkitRelativePath || file.name);
    for (const { file, path } of this.#dropped) {
      formData.append("file", file);
      formData.append("path", path);
    }
  }

  async #take(event) {
    event.preventDefault();
    const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
    // Asked before the first wait: afterwards a browser has forgotten them.
    const entries = items.map((item) => item.webkitGetAsEntry()).filter(Boolean);
    if (entries.length === 0) return;
    const found = await Promise.all(entries.map((entry) => filesOf(entry, "")));
    this.querySelector("form").reset();
    this.#keep(found.flat());
  }

  #keep(dropped) {
    this.#dropped = dropped;
    const note = this.querySelector("[data-dropped]");
    note.hidden = dropped.length === 0;
    note.textContent = dropped.length > MOST ? tooMany(dropped) : described(dropped);
  }
}

function tooMany(dropped) {
  const count = dropped.length.toLocaleString("en");
  return `Dropped: ${count} files. More than ${MOST.toLocaleString("en")} are refused: pack the folder as a zip.`;
}

function described(dropped) {
  const count = dropped.length === 1 ? "1 file" : `${dropped.length} files`;
  const named = dropped.slice(0, 3).map(({ path }) => path);
  return `Dropped: ${count}, ${named.join(", ")}${dropped.length > 3 ? "…" : ""}`;
}

async function filesOf(entry, above) {
  const path = `${above}${entry.name}`;
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ file, path }];
  }
  if (MADE_BY_TOOLS.has(entry.name)) return [];
  const found = [];
  for (const inside of await entriesOf(entry)) found.push(...(await filesOf(inside, `${path}/`)));
  return found;
}

// A browser tells a hundred at a time, and nothing at the end.
async function entriesOf(folder) {
  const reader = folder.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return found;
    found.push(...some);
  }
}

customElements.define("folder-upload", FolderUpload);
