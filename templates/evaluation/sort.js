"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  heads.forEach((head, place) => {
    if (head.hasAttribute("data-unsorted")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", `Sort by ${head.textContent.trim()}`);
    head.append(button);
    head.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].map((row) => [row.cells[place].dataset.value ?? row.cells[place].textContent.trim(), row]);
      const number = rows.every(([text]) => text === "" || !Number.isNaN(Number(text)));
      rows.sort(([one], [other]) => {
        if (one === "" || other === "") return (one === "") - (other === "");
        const order = number ? Number(one) - Number(other) : one.localeCompare(other);
        return down ? -order : order;
      });
      body.append(...rows.map(([, row]) => row));
    });
  });
}
