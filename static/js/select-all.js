// [data-select-all]: one box that selects all rows of its form, and the count of the selected ones in words.

const BOXES = ".ticks input";

function update(form) {
  const boxes = [...form.querySelectorAll(BOXES)];
  const selected = boxes.filter((box) => box.checked).length;
  const all = form.querySelector("[data-select-all] input");
  form.querySelector("[data-select-all]").hidden = false;
  const bulk = form.querySelector("[data-bulk]");
  bulk.hidden = boxes.length === 0;
  bulk.classList.toggle("has-none", selected === 0);
  all.checked = selected > 0 && selected === boxes.length;
  all.indeterminate = selected > 0 && selected < boxes.length;
  const noun = form.dataset.noun ?? "script";
  const place = form.querySelector("[data-part]")?.dataset.place ?? "";
  const words = `${boxes.length} ${noun}${boxes.length === 1 ? "" : "s"}${place}`;
  form.querySelector("[data-selected]").textContent = selected ? `${selected} of ${words} ticked` : words;
  for (const box of boxes) box.closest("tr").classList.toggle("is-selected", box.checked);
}

function updateAll() {
  for (const label of document.querySelectorAll("[data-select-all]")) update(label.closest("form"));
}

document.addEventListener("change", (event) => {
  const form = event.target.closest("form");
  if (!form?.querySelector("[data-select-all]")) return;
  if (event.target.closest("[data-select-all]")) {
    for (const box of form.querySelectorAll(BOXES)) box.checked = event.target.checked;
  }
  update(form);
});
document.addEventListener("live-list:fresh", updateAll);
window.addEventListener("pageshow", updateAll); // boxes that the browser ticked again when one came back
updateAll();
