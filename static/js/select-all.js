// [data-tick-all]: one box that ticks all boxes of its form, and the count of the ticked ones in words.

function say(form) {
  const boxes = [...form.querySelectorAll("input[name=slug]")];
  const ticked = boxes.filter((box) => box.checked).length;
  const all = form.querySelector("[data-tick-all] input");
  form.querySelector("[data-tick-all]").hidden = false;
  const bulk = form.querySelector("[data-bulk]");
  bulk.hidden = boxes.length === 0;
  bulk.classList.toggle("has-none", ticked === 0);
  all.checked = ticked > 0 && ticked === boxes.length;
  all.indeterminate = ticked > 0 && ticked < boxes.length;
  const words = boxes.length === 1 ? "1 script" : `${boxes.length} scripts`;
  form.querySelector("[data-ticked]").textContent = ticked ? `${ticked} of ${words} ticked` : words;
  for (const box of boxes) box.closest("tr").classList.toggle("is-ticked", box.checked);
}

function sayAll() {
  for (const label of document.querySelectorAll("[data-tick-all]")) say(label.closest("form"));
}

document.addEventListener("change", (event) => {
  const form = event.target.closest("form");
  if (!form?.querySelector("[data-tick-all]")) return;
  if (event.target.closest("[data-tick-all]")) {
    for (const box of form.querySelectorAll("input[name=slug]")) box.checked = event.target.checked;
  }
  say(form);
});
document.addEventListener("live-list:fresh", sayAll);
window.addEventListener("pageshow", sayAll); // boxes that the browser ticked again when one came back
sayAll();
