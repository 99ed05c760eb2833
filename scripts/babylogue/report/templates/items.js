"use strict";
/* The explorer of items. What the data are: report/items.py, page_data. */
(() => {
  const STEP = 50;
  const at = (name) => document.getElementById(`items-${name}`);
  const data = JSON.parse(at("data").textContent);
  const fields = Object.fromEntries(
    ["suite", "group", "a", "b", "show", "order", "text"].map((name) => [name, at(name)]),
  );
  const number = (value) => value.toLocaleString("en-GB");
  const wanted = {
    disagree: (a, b) => a !== b, agree: (a, b) => a === b, all: () => true,
    a: (a, b) => a && !b, b: (a, b) => b && !a, both: (a, b) => a && b, neither: (a, b) => !a && !b,
  };
  let suite, found, shown;

  const make = (tag, text = "", name = "") => {
    const made = document.createElement(tag);
    made.textContent = text;
    if (name) made.className = name;
    return made;
  };
  /* A name that may wrap after its underscores. */
  const named = (element, name) => element.replaceChildren(
    ...name.split(/(?<=_)/).flatMap((part) => [part, document.createElement("wbr")]));
  /* A select's options, [value, text] each; what was chosen stays so where it still can be. */
  const fill = (select, options, fallback) => {
    const before = select.value;
    select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
    const values = options.map(([value]) => String(value));
    select.value = values.includes(before) ? before : values.includes(fallback) ? fallback : values[0];
  };

  const unpack = ([name, group, context, candidates, answer, signs, margins], place) => ({
    place, context, group: suite.groups[group],
    name: typeof name === "number" ? `${suite.groups[group]}_${name}` : name,
    right: candidates[answer], others: candidates.filter((_, index) => index !== answer),
    correct: (run) => signs[run] === "1",
    hundredths: (run) => margins[run] ?? NaN,
    margin: (run) => (margins[run] ?? NaN) / 100,
  });

  const chooseSuite = () => {
    suite = data.suites.find((own) => own.suite === fields.suite.value);
    const runs = suite.runs.map((run) => [run, data.models[run] ?? run]);
    fill(fields.a, runs, data.start[0]);
    fill(fields.b, runs, data.start[1]);
    fill(fields.group, [["", `all (${suite.groups.length})`], ...suite.groups.map((group) => [group, group])], "");
    update();
  };

  const update = () => {
    const [a, b] = [fields.a, fields.b].map((field) => suite.runs.indexOf(field.value));
    const text = fields.text.value.trim().toLowerCase();
    const { group, show, order } = Object.fromEntries(Object.entries(fields).map(([key, own]) => [key, own.value]));
    const apart = (item) => Math.abs(item.hundredths(a) - item.hundredths(b)) || 0;
    found = suite.rows.map(unpack).filter((item) =>
      wanted[show](item.correct(a), item.correct(b)) && (!group || item.group === group) &&
      (!text || [item.context, item.right, ...item.others].some((own) => own.toLowerCase().includes(text))));
    if (order === "apart") found.sort((one, other) => apart(other) - apart(one) || one.place - other.place);
    shown = 0;

    const rights = suite.both_right, both = rights[a][b], [onlyA, onlyB] = [rights[a][a] - both, rights[b][b] - both];
    const cells = { both, "only-a": onlyA, "only-b": onlyB, neither: suite.items - both - onlyA - onlyB };
    for (const [name, value] of Object.entries(cells)) {
      at(name).replaceChildren(number(value), make("small", `${((100 * value) / suite.items).toFixed(1)} %`));
    }
    at("total").textContent = number(suite.items);
    named(at("name"), suite.suite);
    for (const [name, field] of [["a", fields.a], ["b", fields.b]]) {
      for (const label of at("explorer").querySelectorAll(`small.${name}`)) {
        named(label, field.selectedOptions[0].text);
      }
    }
    at("rows").replaceChildren();
    more();
  };

  /* The words in which a candidate differs from another stand out. */
  const candidate = (text, other, right) => {
    const line = make("span", "", right ? "candidate right" : "candidate");
    const sign = make("span", right ? "✓" : "✗", "sign");
    sign.setAttribute("aria-hidden", "true");
    const words = text.trim().split(/\s+/), others = other.trim().split(/\s+/);
    let start = 0, end = 0;
    const least = Math.min(words.length, others.length);
    while (start < least && words[start] === others[start]) start += 1;
    while (end < least - start && words.at(-1 - end) === others.at(-1 - end)) end += 1;
    const parts = [words.slice(0, start), words.slice(start, words.length - end), words.slice(words.length - end)];
    const [before, apart, after] = parts.map((part) => part.join(" "));
    line.append(sign, make("span", right ? "right: " : "wrong: ", "hidden"), before,
      before && apart ? " " : "", make("em", apart), after && (before || apart) ? " " : "", after);
    return line;
  };

  const decision = (item, run) => {
    const right = item.correct(run), margin = item.margin(run);
    const cell = make("td", "", "number");
    const text = Number.isNaN(margin) ? "–" : `${margin > 0 ? "+" : ""}${margin.toFixed(2)}`.replace("-", "−");
    cell.append(make("strong", right ? "✓ right" : "✗ wrong", right ? "better" : "worse"), make("small", text));
    return cell;
  };

  const more = () => {
    const [a, b] = [fields.a, fields.b].map((field) => suite.runs.indexOf(field.value));
    const rows = found.slice(shown, shown + STEP).map((item) => {
      const head = make("th");
      head.scope = "row";
      if (item.context) head.append(make("span", item.context, "context"));
      const alone = suite.groups.length === 1 || item.name.startsWith(item.group);
      head.append(candidate(item.right, item.others[0], true),
        ...item.others.map((other) => candidate(other, item.right, false)),
        make("small", alone ? item.name : `${item.group}, ${item.name}`));
      const row = make("tr");
      row.append(head, decision(item, a), decision(item, b));
      return row;
    });
    at("rows").append(...rows);
    shown += rows.length;
    at("more").hidden = shown === found.length;
    at("save").hidden = found.length === 0;
    at("count").textContent = told();
  };

  const told = () => {
    if (!suite.plain_text) return "The terms of this suite, or the settings, forbid copies of its items: counts alone.";
    const chosen = [fields.show.selectedOptions[0].text];
    if (fields.group.value) chosen.push(`of the group ${fields.group.value}`);
    if (fields.text.value.trim()) chosen.push(`with “${fields.text.value.trim()}”`);
    const [all, here] = [suite.items, suite.rows.length].map(number);
    const held = here === all ? `All ${all} items of this suite are on the page.`
      : `${here} of the ${all} items of this suite are on the page; those on which models disagree went first.`;
    const same = fields.a.value === fields.b.value ? " A and B are the same model." : "";
    return `${number(shown)} of ${number(found.length)} items shown (${chosen.join(", ")}). ${held}${same}`;
  };

  const save = () => {
    const { a, b } = Object.fromEntries(["a", "b"].map((name) => [name, fields[name].value]));
    const [runA, runB] = [a, b].map((run) => suite.runs.indexOf(run));
    /* A spreadsheet would run text that begins so; its own sign for text goes in front. */
    const plain = (value) => (typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : value);
    const quoted = (value) => (/[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : value);
    const head = ["suite", "group", "item", "context", "right", "others"];
    const rows = found.map((item) => [suite.suite, item.group, item.name, item.context, item.right,
      item.others.join(" | "), item.correct(runA), item.margin(runA), item.correct(runB), item.margin(runB)]);
    const columns = [...head, `correct_${a}`, `margin_${a}`, `correct_${b}`, `margin_${b}`];
    const lines = [columns, ...rows].map((row) => row.map(plain).map(quoted).join(","));
    const link = make("a");
    link.href = URL.createObjectURL(new Blob([`${lines.join("\r\n")}\r\n`], { type: "text/csv" }));
    link.download = `items_${suite.suite}_${a}_${b}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  };

  fill(fields.suite, data.suites.map((own) => [own.suite, own.suite]));
  fields.suite.addEventListener("change", chooseSuite);
  for (const field of Object.values(fields)) if (field !== fields.suite) field.addEventListener("input", update);
  at("form").addEventListener("submit", (event) => event.preventDefault());
  at("more").addEventListener("click", () => {
    const first = shown;
    more();
    /* The button may be gone: the keyboard goes on from the first row that is new. */
    const head = at("rows").rows[first].cells[0];
    head.tabIndex = -1;
    head.focus({ preventScroll: true });
  });
  at("save").addEventListener("click", save);
  chooseSuite();
  at("explorer").hidden = false;
  if (at("contrasts")) at("contrasts").open = false;
})();
