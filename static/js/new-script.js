// The dialog "New script": the form of the page of that name, opened where one is.

/** @param {HTMLAnchorElement} link to that page; rejects when the form cannot be had */
export async function open(link) {
  const address = new URL(link.href);
  address.searchParams.set("part", "form");
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) throw new Error(`HTTP ${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const form = page.querySelector("form");
  if (!form) throw new Error("no form in the answer");
  show(form, link);
}

function show(form, link) {
  const dialog = document.createElement("dialog");
  dialog.className = "dialog";
  const title = document.createElement("h2");
  title.id = "new-script-title";
  title.textContent = "New script";
  dialog.setAttribute("aria-labelledby", title.id);
  form.setAttribute("action", link.getAttribute("href")); // a refusal is shown by the page itself, with what was typed
  dialog.append(title, document.adoptNode(form));
  form.querySelector(".actions")?.append(closer(dialog));
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  form.querySelector("[name=start]:checked")?.scrollIntoView({ block: "nearest" });
  form.querySelector("input:not([type=hidden])")?.focus();
}

function closer(dialog) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button";
  button.textContent = "Cancel";
  button.addEventListener("click", () => dialog.close());
  return button;
}
