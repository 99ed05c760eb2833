// Makes a figure interactive once a reader turns to it: the numbers of a point, a legend that hides and highlights,
// arrow keys from point to point. The static one stays in the page for print. Vega is text until it is needed.
(() => {
  const config = JSON.parse(document.getElementById("figure-config").textContent);
  const number = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
  const embedded = new Map();

  function loadVega() {
    if (window.vegaEmbed) return;
    const script = document.createElement("script");
    script.textContent = document.getElementById("vega").textContent;
    document.head.append(script);
  }

  async function embed(figure) {
    loadVega();
    const spec = JSON.parse(figure.querySelector("script").textContent);
    const plot = figure.querySelector(".plot");
    const live = Object.assign(document.createElement("div"), { className: "live", tabIndex: 0 });
    const { view } = await vegaEmbed(live, spec, {
      mode: "vega-lite", renderer: "svg", actions: false, ast: true, config, defaultStyle: false, tooltip: false,
    });
    const words = plot.querySelector("svg").getAttribute("aria-label");
    live.setAttribute("role", "application");
    live.setAttribute("aria-label", `${words} Arrow keys go from point to point.`);
    live.querySelector("svg").setAttribute("aria-hidden", "true");
    plot.prepend(live);
    const hidden = new Set();
    byLegend(view, figure.querySelector(".legend"), hidden);
    byPoint(view, live, readable(spec), hidden, teller(view, live, spec));
    return live;
  }

  // A function that shows a point's numbers beside it, or nothing.
  function teller(view, live, spec) {
    const tip = live.parentNode.appendChild(document.createElement("output"));
    const { x: { title: xTitle }, y: { title: yTitle } } = spec.layer.find((layer) => layer.layer).layer.at(-1).encoding;
    return (line, point) => {
      tip.replaceChildren();
      if (!point) return;
      const name = Object.assign(document.createElement("strong"), { textContent: line.series });
      const interval = point.low === null ? "" : ` [${number.format(point.low)}, ${number.format(point.high)}]`;
      tip.append(name, line.of && `, ${line.of}`, document.createElement("br"));
      tip.append(`${yTitle}: ${number.format(point.y)}${interval}`, document.createElement("br"));
      tip.append(`${xTitle}: ${point.x.toLocaleString("en")}`);
      const svg = live.querySelector("svg");
      const size = svg.clientWidth / svg.viewBox.baseVal.width;
      const [left, top] = ["x", "y"].map((axis, i) => (view.origin()[i] + view.scale(axis)(point[axis])) * size);
      tip.style.left = `${left}px`;
      tip.style.top = `${top}px`;
      tip.classList.toggle("leftward", left > live.clientWidth / 2);
      tip.classList.toggle("upward", top > live.clientHeight / 2);
    };
  }

  function byLegend(view, legend, hidden) {
    for (const entry of legend.children) {
      const label = entry.textContent;
      const button = Object.assign(document.createElement("button"), { type: "button", title: `Show or hide ${label}` });
      button.append(...entry.childNodes);
      button.setAttribute("aria-pressed", "true");
      button.addEventListener("click", () => {
        if (!hidden.delete(label)) hidden.add(label);
        button.setAttribute("aria-pressed", String(!hidden.has(label)));
        view.signal("hidden", [...hidden]).signal("lit", null).runAsync();
      });
      const light = () => hidden.has(label) || view.signal("lit", label).runAsync();
      const dim = () => view.signal("lit", null).runAsync();
      for (const name of ["pointerenter", "focus"]) button.addEventListener(name, light);
      for (const name of ["pointerleave", "blur"]) button.addEventListener(name, dim);
      entry.append(button);
    }
  }

  function byPoint(view, live, lines, hidden, tell) {
    let line = lines[0], at = -1;
    const nearest = (points, x) => {
      const away = points.map((point) => Math.abs(point.x - x));
      return away.indexOf(Math.min(...away));
    };
    const step = {
      ArrowRight: () => { at += 1; },
      ArrowLeft: () => { at -= 1; },
      Home: () => { at = 0; },
      End: () => { at = Infinity; },
      ArrowUp: (shown) => turn(shown, -1),
      ArrowDown: (shown) => turn(shown, 1),
    };
    function turn(shown, by) {
      const { x } = line.points[Math.max(at, 0)];
      line = shown.at((shown.indexOf(line) + by) % shown.length);
      at = nearest(line.points, x);
    }
    function leave() {
      view.signal("here", null).runAsync();
      tell();
    }
    view.addSignalListener("near", (_, near) => {
      const [id] = near?.id ?? [];
      const found = lines.find(({ points }) => points.some((point) => point.id === id));
      tell(found, found?.points.find((point) => point.id === id));
    });
    live.addEventListener("blur", leave);
    live.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      if (event.key === "Escape") return leave();
      const shown = lines.filter(({ series }) => !hidden.has(series));
      if (!shown.length || !step[event.key]) return;
      event.preventDefault();
      if (!shown.includes(line)) line = shown[0];
      step[event.key](shown);
      at = Math.max(0, Math.min(at, line.points.length - 1));
      view.signal("here", line.points[at].id).runAsync();
      tell(line, line.points[at]);
    });
  }

  // The lines that answer, with their points and the ids that Vega gives these.
  function readable({ datasets }) {
    let id = 0;
    const lines = datasets.lines.map((line) => ({
      ...line,
      points: line.x.map((x, i) => ({ id: ++id, x, y: line.y[i], low: line.low[i] ?? null, high: line.high[i] })),
    }));
    return lines.filter(({ kind, points }) => kind !== "ring" && kind !== "fitted" && points.length);
  }

  async function explore(figure, then = () => {}) {
    if (!embedded.has(figure)) embedded.set(figure, embed(figure));
    then(await embedded.get(figure));
  }

  for (const figure of document.querySelectorAll("figure:has(> .plot)")) {
    const plot = figure.querySelector(".plot");
    const button = figure.querySelector(".files button");
    let waiting;
    button.hidden = false;
    button.addEventListener("click", () => explore(figure, (live) => live.focus()));
    plot.addEventListener("click", () => explore(figure));
    // A pointer that only passes asks for nothing; a finger that scrolls does not either.
    plot.addEventListener("pointerenter", (event) => {
      if (event.pointerType === "mouse") waiting = setTimeout(explore, 100, figure);
    });
    plot.addEventListener("pointerleave", () => clearTimeout(waiting));
  }
})();
