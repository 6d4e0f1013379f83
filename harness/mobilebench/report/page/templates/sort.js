// A heading sorts its table; on a narrow screen, where rows are cards, a list of the headings does.
document.querySelectorAll("table.sortable").forEach((table) => {
  const body = table.tBodies[0];
  const heads = [...table.querySelectorAll("thead th")];
  if (body.rows.length < 2) return;
  const choice = document.createElement("select");
  const turn = document.createElement("button");
  const show = (column, up) => {
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    heads[column].setAttribute("aria-sort", up ? "ascending" : "descending");
    choice.value = column;
    turn.textContent = up ? "↑" : "↓";
    turn.setAttribute("aria-label", up ? "ascending" : "descending");
  };
  const sort = (column, up) => {
    const key = (row) => row.cells[column].dataset.value ?? "";
    const compare = (a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      const order = isNaN(x) || isNaN(y) ? x.localeCompare(y, undefined, { numeric: true }) : x - y;
      return up ? order : -order;
    };
    body.append(...[...body.rows].sort(compare));
    show(column, up);
  };
  const isUp = (column) => heads[column].getAttribute("aria-sort") === "ascending";
  heads.forEach((head, column) => {
    choice.add(new Option(head.innerText.replace(/\s+/g, " ").trim(), column));
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(column, !isUp(column)));
  });
  turn.type = "button";
  turn.addEventListener("click", () => sort(Number(choice.value), !isUp(Number(choice.value))));
  choice.addEventListener("change", () => sort(Number(choice.value), true));
  const label = document.createElement("label");
  label.append("Sort by ", choice);
  const bar = document.createElement("p");
  bar.className = "sort-by";
  bar.append(label, turn);
  table.parentElement.before(bar);
  show(0, true);
});
