// [data-new-script]: a link to the page "New script" that opens its form in a dialog instead.

async function open(link) {
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

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-new-script]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  open(link).catch((error) => {
    console.warn("the page is opened instead of the dialog:", error);
    location.assign(link.href);
  });
});
