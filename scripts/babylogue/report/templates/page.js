"use strict";
// Tables that sort and filter, and a choice of the models shown. Without this the page has all that it has with it.
(() => {
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  // "57.1 [55.1, 59.1]", "-0.26" written with a minus sign or thousands, "1.5M (1M to 2M)", and h:mm:ss in seconds;
  // NaN where there is no number.
  const SIZES = { K: 1e3, M: 1e6 };
  const number = (cell) => {
    const text = (cell?.textContent ?? "").trim().replace("\u2212", "-").replace(/^\+/, "").replaceAll(",", "");
    const time = /^(\d+):(\d\d):(\d\d)\b/.exec(text);
    if (time) return time.slice(1).reduce((sum, part) => 60 * sum + Number(part), 0);
    return parseFloat(text) * (SIZES[/^-?[\d.]+([KM])\b/.exec(text)?.[1]] ?? 1);
  };

  const compare = (column, numeric, sign) => (one, other) => {
    const [a, b] = [one, other].map((row) => row.cells[column]);
    if (!numeric) return sign * a.textContent.trim().localeCompare(b.textContent.trim(), "en", { numeric: true });
    const [x, y] = [number(a), number(b)];
    return Number.isNaN(x) - Number.isNaN(y) || sign * (x - y) || 0; // what has no number stays last
  };

  // Header buttons: ascending, descending, as it was. A body of the table stays together.
  const sortable = (table) => {
    const head = table.tHead?.rows[0];
    const bodies = [...table.tBodies].map((body) => [body, [...body.rows]]);
    if (!head || bodies.every(([, rows]) => rows.length < 2)) return;
    const headings = [...head.cells];
    headings.forEach((heading, column) => {
      const button = make("button", { type: "button", className: "sort" }, ...heading.childNodes);
      heading.replaceChildren(button);
      heading.ariaSort = "none";
      button.addEventListener("click", () => {
        const next = { none: "descending", descending: "ascending", ascending: "none" };
        const text = !heading.classList.contains("number");
        if (text) Object.assign(next, { none: "ascending", ascending: "descending", descending: "none" });
        const order = next[heading.ariaSort];
        headings.forEach((other) => (other.ariaSort = "none"));
        heading.ariaSort = order;
        const sign = order === "descending" ? -1 : 1;
        for (const [body, rows] of bodies) {
          body.append(...(order === "none" ? rows : rows.toSorted(compare(column, !text, sign))));
        }
      });
    });
  };

  // A field that leaves the rows in which its words occur; for tables that do not fit a screen.
  const ROWS_WORTH_A_FILTER = 9;
  const filterable = (table) => {
    const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
    if (rows.length < ROWS_WORTH_A_FILTER) return;
    const shown = make("output", { ariaLive: "polite" });
    const field = make("input", { type: "search", placeholder: "all rows" });
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of rows) {
        const text = row.cells[0].textContent.toLowerCase();
        row.classList.toggle("filtered", !words.every((word) => text.includes(word)));
      }
      const left = rows.filter((row) => !row.classList.contains("filtered")).length;
      shown.textContent = words.length ? `${left} of ${rows.length} rows` : "";
    });
    const about = table.caption ? table.caption.textContent.trim().split(/[;,.]/)[0] : "table";
    const label = make("label", {}, "Filter rows ", make("span", { className: "hidden" }, `of ${about} `), field);
    table.closest(".scroll").before(make("p", { className: "tools" }, label, " ", shown));
  };

  // What is of one model carries data-run, the heading of a column for the column; hidden where it is not ticked.
  const chooser = () => {
    const first = document.querySelector("table.scores");
    const runs = [...first.querySelectorAll("th[data-run]")].map((heading) => heading.dataset.run);
    if (runs.length < 2) return;
    const hidden = new Set();
    const summary = make("summary");
    const say = () => (summary.textContent = `Models shown: ${runs.length - hidden.size} of ${runs.length}`);
    const show = (run, visible) => {
      hidden[visible ? "delete" : "add"](run);
      for (const marked of document.querySelectorAll(`[data-run="${CSS.escape(run)}"]`)) {
        marked.classList.toggle("unchosen", !visible);
        if (marked.tagName !== "TH") continue;
        const column = marked.cellIndex;
        for (const body of marked.closest("table").tBodies) {
          for (const row of body.rows) row.cells[column]?.classList.toggle("unchosen", !visible);
        }
      }
      say();
    };
    const boxes = runs.map((run) => {
      const box = make("input", { type: "checkbox", checked: true, value: run });
      box.addEventListener("change", () => show(run, box.checked));
      return box;
    });
    const all = make("button", { type: "button" }, "All");
    const none = make("button", { type: "button" }, "None");
    for (const [button, visible] of [[all, true], [none, false]]) {
      button.addEventListener("click", () => {
        for (const box of boxes) {
          box.checked = visible;
          show(box.value, visible);
        }
      });
    }
    const labels = boxes.map((box) => make("label", {}, box, ` ${box.value}`));
    const note = make("small", {}, "A figure of several models hides lines by its own legend.");
    const fieldset = make("fieldset", {}, make("legend", {}, "Models shown on the whole page"), ...labels, all, none, note);
    first.closest(".scroll").before(make("details", { className: "models" }, summary, fieldset));
    say();
  };

  const tables = [...document.querySelectorAll("table.scores")];
  if (tables.length) chooser();
  tables.forEach(sortable);
  tables.forEach(filterable);
  document.documentElement.dataset.ready = "true";
})();
