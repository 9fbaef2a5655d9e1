// A form that also takes a folder: each file is sent with its path in there, of which a browser sends the last part.

class FolderUpload extends HTMLElement {
  connectedCallback() {
    this.querySelector("form").addEventListener("formdata", ({ formData }) => {
      const files = formData.getAll("file").filter((file) => file.name);
      for (const file of files) formData.append("path", file.webkitRelativePath || file.name);
    });
    for (const field of this.querySelectorAll("[data-folder]")) field.hidden = false;
  }
}

customElements.define("folder-upload", FolderUpload);
