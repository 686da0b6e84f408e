// The interactive page: shows one of the graphs in explorer_data.js, all numbers of which the package has computed.
"use strict";

(() => {
  const { noises, patches, statements, graphs } = MAETHEORY_GRAPHS;
  const $ = (name) => document.getElementById(name);
  const SVG = "http://www.w3.org/2000/svg";
  const CLASS_COLOURS = [[0, 114, 178], [213, 94, 0], [0, 158, 115]];
  const state = { graph: "mixture/2/1/0.1", k: 2 };

  const number = (value) => {
    if (value === null) return "–";
    if (value === 0) return "0";
    return Math.abs(value) < 0.001 || Math.abs(value) >= 1000 ? value.toExponential(1) : value.toPrecision(3);
  };
  const subscript = (index) => [...String(index)].map((digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]).join("");
  const mixture = () => {
    const [kind, classes, visible, noise] = state.graph.split("/");
    return kind === "mixture" ? { classes: +classes, visible: +visible, noise: +noise } : null;
  };
  const colour = (law) => {
    const mixed = [0, 1, 2].map((channel) =>
      Math.round(law.reduce((sum, share, label) => sum + share * CLASS_COLOURS[label % 3][channel], 0)));
    return `rgb(${mixed.join(",")})`;
  };

  function element(parent, name, attributes, text) {
    const made = document.createElementNS(SVG, name);
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  }
  function canvas(name, width, height) {
    const svg = $(name);
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    return svg;
  }

  function drawGraph(graph) {
    const width = 300, height = 260, svg = canvas("graph", width, height);
    const sum = (values) => values.reduce((a, b) => a + b, 0);
    const views = graph.joint.map(sum);
    const targets = graph.joint[0].map((_, column) => sum(graph.joint.map((row) => row[column])));
    const place = (count) => (index) => 14 + ((height - 28) * (index + 0.5)) / count;
    const left = place(views.length), right = place(targets.length);
    const widest = Math.max(...graph.joint.flat());
    graph.joint.forEach((row, view) => row.forEach((p, target) => {
      if (p === 0) return;
      const share = p / widest;
      element(svg, "line", { x1: 40, y1: left(view), x2: width - 40, y2: right(target), class: "edge",
        "stroke-width": 0.3 + 5 * share, "stroke-opacity": 0.12 + 0.6 * share });
    }));
    const node = (x, y, mass, most, law, what) => {
      const circle = element(svg, "circle", { cx: x, cy: y, r: 2 + 6 * Math.sqrt(mass / most), fill: colour(law) });
      element(circle, "title", {}, `${what}: probability ${number(mass)}, classes ${law.map(number).join(", ")}`);
    };
    views.forEach((mass, i) => node(40, left(i), mass, Math.max(...views), graph.views[i], `view ${i + 1}`));
    targets.forEach((mass, i) =>
      node(width - 40, right(i), mass, Math.max(...targets), graph.targets[i], `target ${i + 1}`));
  }

  function drawSpectrum(graph) {
    const width = 300, height = 260, svg = canvas("spectrum", width, height), base = height - 26;
    const step = (width - 40) / graph.eigenvalues.length, tall = base - 20;
    [0, 0.5, 1].forEach((tick) => {
      element(svg, "line", { x1: 30, x2: width - 6, y1: base - tall * tick, y2: base - tall * tick, class: "grid" });
      element(svg, "text", { x: 25, y: base - tall * tick + 4, "text-anchor": "end" }, tick);
    });
    graph.eigenvalues.forEach((value, i) => {
      const x = 34 + step * i, used = i < state.k;
      const bar = element(svg, "rect", { x, width: step * 0.7, y: base - tall * value, height: Math.max(tall * value, 1),
        class: used ? "used" : i === state.k ? "next" : "rest" });
      element(bar, "title", {}, `λ${subscript(i + 1)} = ${number(value)}`);
      element(svg, "text", { x: x + step * 0.35, y: base + 16, "text-anchor": "middle" }, i + 1);
    });
  }

  function drawErrors(record) {
    const width = 300, height = 260, svg = canvas("errors", width, height);
    const x = (value) => 96 + (width - 110) * Math.min(value, 2) / 2;
    [0, 0.5, 1, 1.5, 2].forEach((tick) => {
      element(svg, "line", { x1: x(tick), x2: x(tick), y1: 20, y2: height - 40, class: tick === 1 ? "trivial" : "grid" });
      element(svg, "text", { x: x(tick), y: height - 22, "text-anchor": "middle" }, tick === 2 ? "≥ 2" : tick);
    });
    const rows = [["residual", record.residual], ["view error", record.view_error],
      ["image error", record.image_error], ["bound", record.bound]];
    rows.forEach(([name, value], i) => {
      const y = 46 + 46 * i;
      element(svg, "text", { x: 88, y: y + 4, "text-anchor": "end" }, name);
      if (value === null) {
        element(svg, "text", { x: 104, y: y + 4 }, name === "bound" ? "none: no spectral gap" : "not defined");
        return;
      }
      element(svg, "line", { x1: x(0), x2: x(value), y1: y, y2: y, class: name === "bound" ? "bound" : "error" });
      element(svg, "circle", { cx: x(value), cy: y, r: 5, class: name === "bound" ? "bound" : "error" });
      element(svg, "text", { x: Math.min(x(value) + 9, width - 40), y: y - 9 }, number(value));
    });
  }

  function reading(graph, record) {
    const following = graph.eigenvalues[state.k];
    const parts = [`${graph.components} connected component${graph.components > 1 ? "s" : ""}, α = ${number(graph.alpha)}, ` +
      `φ = ${number(graph.phi)}, λ${subscript(state.k + 1)} = ${number(following)}.`];
    if (record.bound === null) {
      parts.push("The next eigenvalue is 1, for there are more components than features: no bound holds.");
    } else if (record.bound >= 1) {
      parts.push(`The bound on the error of images, ${number(record.bound)}, says nothing; the error is ` +
        `${number(record.image_error)}.`);
    } else {
      parts.push(`The theory promises an error of images of at most ${number(record.bound)}; it is ` +
        `${number(record.image_error)}.`);
    }
    return parts.join(" ");
  }

  function show() {
    const graph = graphs[state.graph], world = mixture();
    state.k = Math.min(state.k, graph.features.length);
    const record = graph.features[state.k - 1];
    $("k").max = graph.features.length;
    $("k").value = state.k;
    $("k-shown").textContent = state.k;
    ["classes", "ratio", "noise"].forEach((name) => { $(name).disabled = world === null; });
    if (world) {
      const total = patches[world.classes];
      $("classes").value = world.classes;
      $("ratio").max = total - 1;
      $("ratio").value = total - world.visible;
      $("noise").max = noises.length - 1;
      $("noise").value = noises.indexOf(world.noise);
      $("classes-shown").textContent = world.classes;
      $("ratio-shown").textContent = `${total - world.visible}/${total}`;
      $("noise-shown").textContent = world.noise;
    } else {
      ["classes-shown", "ratio-shown", "noise-shown"].forEach((name) => { $(name).textContent = "–"; });
    }
    document.querySelectorAll("#explorer button").forEach((button) => {
      const chosen = button.dataset.graph === state.graph && +button.dataset.k === state.k;
      button.setAttribute("aria-pressed", chosen);
    });
    $("reading").textContent = reading(graph, record);
    drawGraph(graph);
    drawSpectrum(graph);
    drawErrors(record);
    $("verdicts").replaceChildren(...Object.entries(record.verdicts).map(([name, [verdict, left, right]]) => {
      const row = document.createElement("tr");
      const link = document.createElement("a");
      link.href = `generated/statements/${name}.html`;
      link.textContent = statements[name];
      const cells = [link, number(left), number(right), verdict].map((content) => {
        const cell = document.createElement("td");
        cell.append(content);
        return cell;
      });
      row.append(...cells);
      return row;
    }));
  }

  function slide() {
    const classes = +$("classes").value, total = patches[classes];
    const hidden = Math.min(+$("ratio").value, total - 1);
    state.graph = `mixture/${classes}/${total - hidden}/${noises[+$("noise").value]}`;
    state.k = +$("k").value;
    show();
  }

  ["classes", "ratio", "noise"].forEach((name) => $(name).addEventListener("input", slide));
  $("k").addEventListener("input", () => { state.k = +$("k").value; show(); });
  document.querySelectorAll("#explorer button").forEach((button) => button.addEventListener("click", () => {
    state.graph = button.dataset.graph;
    state.k = +button.dataset.k;
    show();
  }));
  show();
})();
