// form[data-live-filters]: a changed filter is applied without a reload, and the address follows; so do its chips
// ([data-live-link]). Where that is not possible (an older page of history) the browser goes there itself.

const form = document.querySelector("form[data-live-filters]");
const list = document.querySelector("live-list");
const TYPING_MS = 200;

function addressOfForm() {
  const query = new URLSearchParams(new FormData(form));
  for (const [name, value] of [...query]) if (!value) query.delete(name);
  return `${location.pathname}${query.size ? `?${query}` : ""}`;
}

function fill() {
  const query = new URLSearchParams(location.search);
  for (const field of form.elements) {
    if (!field.name || field.type === "hidden") continue;
    field.value = query.get(field.name) ?? "";
    if (field.selectedIndex === -1) field.selectedIndex = 0; // a value nobody has heard of filters nothing
  }
}

// Saved views: the one whose filters these are, and what a new one would hold.
function markViews() {
  const here = location.search.slice(1);
  for (const link of document.querySelectorAll("[data-views] [data-live-link]")) {
    if (link.search.slice(1) === here) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  const views = document.querySelector("[data-views]");
  if (!views) return;
  views.querySelector("[data-save-view]").elements.query.value = here;
  views.hidden = !here && !views.querySelector("[data-live-link]");
}

// An older page does not change, and neither does what a search of the output found; words of names are no search.
function isStill(address) {
  if ("liveWords" in list.dataset) return false;
  return "still" in list.dataset || new URL(address, location).searchParams.has("q");
}

let typing = 0;

// While one types the address follows, and going back does not walk through each letter.
function typed() {
  clearTimeout(typing);
  typing = setTimeout(() => {
    history.replaceState(null, "", addressOfForm());
    list.refresh();
  }, TYPING_MS);
}

async function go(address) {
  if (isStill(address)) {
    location.assign(address);
    return;
  }
  history.pushState(null, "", address);
  markViews();
  if (!(await list.refresh())) location.reload();
}

if (form && list) {
  form.addEventListener("change", () => go(addressOfForm()));
  if ("liveWords" in list.dataset) form.addEventListener("input", (event) => event.target.type === "search" && typed());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    go(addressOfForm());
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("[data-live-link]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(link.href).then(() => {
      fill();
      if (!link.isConnected) form.querySelector("select, input")?.focus(); // the chip is gone: stay near
    });
  });
  window.addEventListener("popstate", () => {
    fill();
    markViews();
    if (isStill(location.href)) location.reload();
    else list.refresh();
  });
}
