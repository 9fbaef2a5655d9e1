// Lists of the admin on a phone: each value of a row bears the name of its column, as Django's cells do not.

for (const results of document.querySelectorAll(".results")) {
  const table = results.querySelector("table");
  const names = [...table.tHead.rows[0].cells].map((cell) => cell.querySelector(".text")?.textContent.trim());
  for (const row of table.tBodies[0].rows) {
    for (const cell of row.cells) {
      const name = names[cell.cellIndex];
      if (cell.localName === "td" && name && !cell.matches(".action-checkbox")) cell.dataset.label = name;
    }
  }
}
