// The forms of every page: each is sent once, and warns before what was typed into it is lost. Usual values beside a
// number are buttons that put them in.

const GUARDED = "form[data-guard], #content-main > form[id$=_form]"; // ours, and the admin's
const AGAIN_MS = 10_000; // then it may be sent again: the browser may have been stopped on its way

// The server answers a second sending as it did the first; this saves the way, and shows that the first one counts.
function sending(event) {
  const form = event.target;
  if (event.defaultPrevented) return; // a script of the page sends it
  if ("sent" in form.dataset && form.getAttribute("method") === "post") {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "";
  setTimeout(() => delete form.dataset.sent, AGAIN_MS);
}

function isChanged(field) {
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.options)
    return [...field.options].some(
      (option, at, all) =>
        option.selected !== (option.defaultSelected || (at === 0 && !all.some((one) => one.defaultSelected))),
    );
  return field.type !== "hidden" && "defaultValue" in field && field.value !== field.defaultValue;
}

function leaving(event) {
  const isAtRisk = [...document.querySelectorAll(GUARDED)].some(
    (form) => !("sent" in form.dataset) && [...form.elements].some(isChanged),
  );
  if (isAtRisk) event.preventDefault();
}

// A page out of the browser's memory shows what was: its forms were sent, its times stood still. The editor sees to
// itself.
function shownAgain({ persisted }) {
  if (!persisted || document.querySelector("script-editor")) return;
  for (const form of document.forms) delete form.dataset.sent;
  if (![...document.forms].some((form) => [...form.elements].some(isChanged))) location.reload();
}

function fill(event) {
  const preset = event.target.closest?.("[data-fills]");
  if (!preset) return;
  const field = document.getElementById(preset.dataset.fills);
  field.value = preset.value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

for (const presets of document.querySelectorAll("[data-presets]")) presets.hidden = false;
document.addEventListener("click", fill);
window.addEventListener("beforeunload", leaving);
window.addEventListener("pageshow", shownAgain);
document.addEventListener("submit", sending);
