"use strict";
// Headings of sortable tables become buttons; rows are sorted within each <tbody>.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  heads.forEach((head, column) => {
    if (head.tagName !== "TH" || head.classList.contains("plain")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    const arrow = document.createElement("span");
    arrow.className = "arrow";
    arrow.setAttribute("aria-hidden", "true");
    button.insertBefore(arrow, button.querySelector("small"));
    head.append(button);
    button.addEventListener("click", () => sort(table, heads, head, column));
  });
}
function sort(table, heads, head, column) {
  const number = head.classList.contains("n") || head.classList.contains("wide");
  const now = head.getAttribute("aria-sort");
  // Figures are wanted from the top first, names from A.
  const way = now ? (now === "ascending" ? "descending" : "ascending") : number ? "descending" : "ascending";
  heads.forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", way);
  const sign = way === "ascending" ? 1 : -1;
  for (const body of table.tBodies) {
    const rows = [...body.rows].filter((row) => !row.classList.contains("group"));
    const keyed = rows.map((row) => [key(row.cells[column]), row]);
    keyed.sort(([a], [b]) => compare(a, b, sign));
    body.append(...keyed.map(([, row]) => row));
  }
}
function key(cell) {
  if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
  const text = cell.textContent.trim();
  return text === "–" ? null : text;
}
function compare(a, b, sign) {
  // What has no figure stays at the bottom, whichever way the table is sorted.
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
}
// A recipe and a decision are chosen for all figures at once.
const choice = document.getElementById("choice");
if (choice) {
  choice.hidden = false;
  choice.addEventListener("change", show);
  choice.addEventListener("submit", (event) => event.preventDefault());
  show();
}
function show(event) {
  const recipe = choice.elements.recipe.value;
  const decision = choice.elements.decision ? choice.elements.decision.value : "";
  for (const node of document.querySelectorAll("[data-recipe]")) {
    node.classList.toggle("picked", recipe !== "" && node.dataset.recipe === recipe);
    if (!node.matches("details.recipe")) continue;
    node.hidden = recipe !== "" && node.dataset.recipe !== recipe;
    if (event && event.target.name === "recipe") node.open = node.dataset.recipe === recipe;
  }
  if (decision === "") return;
  for (const node of document.querySelectorAll(".of-plain, .of-tuned")) {
    node.hidden = !node.classList.contains(`of-${decision}`);
    if (!node.hidden && node.matches("details")) node.open = true;
  }
}
// Commands and recipes can be copied.
for (const text of document.querySelectorAll("pre.copied")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text.textContent.trim());
    button.textContent = "Copied";
  });
  text.before(button);
}
// A link to a folded part opens it, and so does printing.
function reveal() {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.matches("details")) target.open = true;
}
addEventListener("hashchange", reveal);
reveal();
addEventListener("beforeprint", () => {
  for (const node of document.querySelectorAll("details")) node.open = true;
});
// The page of a running study comes again, unless somebody is reading what they opened.
const renewed = document.querySelector("[data-renews]");
if (renewed) {
  setInterval(() => {
    if (!document.querySelector("details[open]:not(#search)")) location.reload();
  }, 1000 * renewed.dataset.renews);
}
