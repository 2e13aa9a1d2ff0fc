// The map's script: draws what /v1/map answers, at the positions that the
// service computed. The page shows the same as a plain picture without it.
import cytoscape from "cytoscape";

const canvas = document.getElementById("map-canvas");
const tools = document.getElementById("map-tools");
const said = document.getElementById("map-said");
const filter = document.getElementById("map-filter");

// Colours are the page's own tokens, in whichever theme it has now.
const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

const style = () => [
  {selector: "node", style: {
    "shape": "round-rectangle", "width": "data(w)", "height": "data(h)", "label": "data(text)",
    "font-family": token("sans"), "font-size": 12, "color": token("text"), "text-valign": "center", "text-halign": "center",
    "background-color": token("surface"), "border-width": 1, "border-color": token("line-strong"), "corner-radius": 6,
    "overlay-opacity": 0, "min-zoomed-font-size": 5,
  }},
  {selector: "node[kind = 'service']", style: {"background-color": token("accent-soft"), "border-color": token("accent")}},
  {selector: "node[kind = 'endpoint']", style: {"background-color": token("raised"), "corner-radius": 14, "font-family": token("mono"), "font-size": 11}},
  // A box is drawn around what it holds, with its title above, inside.
  {selector: "node.box", style: {"background-color": token("surface"), "background-opacity": 1, "font-size": 13, "font-weight": 600}},
  {selector: "node.box:parent", style: {
    "text-valign": "top", "text-margin-y": 28, "padding": 12, "compound-sizing-wrt-labels": "exclude",
    "min-width": "data(innerW)", "min-height": "data(innerH)", "min-height-bias-top": "100%", "min-height-bias-bottom": "0%",
  }},
  {selector: "node[kind = 'address']", style: {"border-style": "dashed", "background-color": token("bg"), "color": token("muted")}},
  {selector: "node[state = 'silent'], node[state = 'agent down'], node[state = 'unresponsive']", style: {"border-color": token("warn"), "border-width": 2}},
  {selector: "node[state = 'down'], node[state = 'unreachable']", style: {"border-color": token("bad"), "border-width": 2}},
  {selector: "node[?focus]", style: {"border-color": token("accent"), "border-width": 2}},
  {selector: "edge", style: {
    "width": 1.5, "line-color": token("faint"), "curve-style": "unbundled-bezier", "control-point-distances": "data(distances)", "control-point-weights": "data(weights)",
    "edge-distances": "endpoints", "source-endpoint": "90deg", "target-endpoint": "270deg",
    "target-arrow-shape": "triangle", "target-arrow-color": token("faint"), "arrow-scale": 0.8, "overlay-opacity": 0,
  }},
  {selector: "edge.inner", style: {"curve-style": "straight", "source-endpoint": "270deg", "target-endpoint": "90deg"}},
  {selector: "edge[kind = 'listens']", style: {"curve-style": "straight", "line-color": token("line-strong"), "target-arrow-shape": "none"}},
  {selector: "node.at", style: {"border-color": token("accent"), "border-width": 3}},
  {selector: "edge.near", style: {"line-color": token("accent"), "target-arrow-color": token("accent"), "width": 2.5}},
  {selector: "edge.dim", style: {"opacity": 0.12}},
  {selector: "node.dim", style: {"opacity": 0.25}},
];

const shortened = (text, width) => {
  const room = Math.max(4, Math.floor(width / 7) - 1);
  if (text.length <= room) return text;
  return text.slice(0, room / 2) + "…" + text.slice(text.length - (room - Math.floor(room / 2) - 1));
};

const spoken = (n) => [n.kind === "address" ? "address" : n.kind, n.label, n.detail, n.state].filter(Boolean).join(", ");

// An edge leaves to the right and arrives from the left, as in the plain
// picture: two control points, given along and across the straight line.
const bend = (from, to) => {
  const x1 = from.x + from.w / 2, y1 = from.y, x2 = to.x - to.w / 2, y2 = to.y;
  const dx = x2 - x1, dy = y2 - y1, length = Math.hypot(dx, dy) || 1, reach = Math.max(40, dx / 2);
  const along = [[reach, 0], [dx - reach, dy]].map(([px, py]) => [(px * dx + py * dy) / (length * length), (py * dx - px * dy) / length]);
  return {weights: along.map((a) => a[0]), distances: along.map((a) => a[1])};
};

const elements = (map) => {
  const byID = new Map(map.nodes.map((n) => [n.id, n]));
  const parents = new Set(map.nodes.map((n) => n.parent));
  const nodes = map.nodes.map((n) => ({
    group: "nodes", classes: n.parent ? "" : "box", position: {x: n.x, y: n.y}, grabbable: false,
    data: {...n, text: shortened(n.label, n.parent ? n.w : n.w - 20), innerW: n.w - 24, innerH: n.h - 24, find: spoken(n).toLowerCase(), holds: parents.has(n.id)},
  }));
  const edges = map.edges.filter((e) => byID.has(e.source) && byID.has(e.target))
    .map((e) => {
      const from = byID.get(e.source), to = byID.get(e.target), inner = e.kind === "connects" && from.parent === to.parent;
      return {group: "edges", classes: inner ? "inner" : "", data: {...e, ...bend(from, to)}};
    });
  return [...nodes, ...edges];
};

const start = (map) => {
  canvas.hidden = false;
  tools.hidden = false;
  canvas.parentElement.classList.add("drawn");
  const cy = cytoscape({
    container: canvas, elements: elements(map), style: style(), layout: {name: "preset", fit: false},
    minZoom: 0.1, maxZoom: 3, autoungrabify: true, boxSelectionEnabled: false,
  });
  const fit = () => {
    cy.fit(undefined, 24);
    if (cy.zoom() > 1) { cy.zoom(1); cy.center(); }
  };
  // At first at a size that can be read, from the top, with the focus in view.
  fit();
  if (cy.zoom() < 0.7) {
    const focus = cy.nodes("[?focus]");
    cy.zoom(0.85);
    cy.center(focus.nonempty() ? focus : undefined);
    const top = (focus.nonempty() ? focus : cy.elements()).renderedBoundingBox({includeLabels: false}).y1;
    if (top < 24) cy.panBy({x: 0, y: 24 - top});
  }

  let at = cy.collection();
  const go = (node) => {
    cy.elements(".at, .near").removeClass("at near");
    at = node;
    if (at.empty()) return;
    at.addClass("at");
    at.union(at.descendants()).connectedEdges().addClass("near");
    const p = at.renderedPosition();
    if (p.x < 40 || p.y < 40 || p.x > cy.width() - 40 || p.y > cy.height() - 40) cy.center(at);
    said.textContent = `${spoken(at.data())}, ${at.union(at.descendants()).connectedEdges("[kind = 'connects']").length} dependencies`;
  };
  const open = (node) => { if (node.data("href")) location.assign(node.data("href")); };
  // The nearest node in a direction; what lies aside counts double.
  const step = (dx, dy) => {
    if (at.empty()) return go(cy.nodes("[?focus]").union(cy.nodes(".box")).first());
    const from = at.position();
    let best = cy.collection(), least = Infinity;
    cy.nodes(".box, [kind = 'service'], [kind = 'endpoint']").forEach((n) => {
      const x = n.position("x") - from.x, y = n.position("y") - from.y, ahead = x * dx + y * dy, aside = Math.abs(x * dy) + Math.abs(y * dx);
      if (n.same(at) || n.data("holds") || ahead <= 1) return;
      if (ahead + 2 * aside < least) { least = ahead + 2 * aside; best = n; }
    });
    if (best.nonempty()) go(best);
  };
  const zoom = (factor) => cy.zoom({level: cy.zoom() * factor, renderedPosition: {x: cy.width() / 2, y: cy.height() / 2}});
  const act = {in: () => zoom(1.25), out: () => zoom(0.8), fit};
  const keys = {
    ArrowLeft: () => step(-1, 0), ArrowRight: () => step(1, 0), ArrowUp: () => step(0, -1), ArrowDown: () => step(0, 1),
    "+": act.in, "=": act.in, "-": act.out, "0": fit, Escape: () => go(cy.collection()), Enter: () => at.nonempty() && open(at),
  };
  canvas.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.altKey || e.metaKey || !keys[e.key]) return;
    e.preventDefault();
    keys[e.key]();
  });
  tools.addEventListener("click", (e) => act[e.target.closest("button")?.dataset.map]?.());

  cy.on("tap", "node", (e) => { if (e.target.same(at)) open(e.target); else go(e.target); });
  cy.on("dbltap", "node", (e) => open(e.target));
  cy.on("tap", (e) => { if (e.target === cy) go(cy.collection()); });
  cy.on("mouseover", "node", () => { canvas.classList.add("pointing"); });
  cy.on("mouseout", "node", () => { canvas.classList.remove("pointing"); });

  const search = () => {
    const words = filter.value.trim().toLowerCase();
    cy.elements().removeClass("dim");
    if (!words) return;
    const found = cy.nodes().filter((n) => n.data("find").includes(words));
    const edges = found.union(found.descendants()).connectedEdges();
    const shown = found.union(found.descendants()).union(found.ancestors()).union(edges).union(edges.connectedNodes()).union(edges.connectedNodes().ancestors());
    // What is within a dimmed box is dimmed with it, so only leaves are.
    cy.elements().difference(shown).filter((e) => !e.isParent()).addClass("dim");
    if (found.nonempty()) cy.animate({fit: {eles: found.union(edges.connectedNodes()), padding: 60}, duration: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 200});
    said.textContent = `${found.length} found`;
  };
  filter.addEventListener("input", search);

  const recolour = () => cy.style(style());
  new MutationObserver(recolour).observe(document.documentElement, {attributes: true, attributeFilter: ["data-theme"]});
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);

  // The plain picture is a live region: when it is renewed, so is this.
  document.addEventListener("assim:fresh", async (e) => {
    if (e.target.id !== "map-drawing") return;
    const fresh = await fetchMap();
    if (!fresh) return;
    const id = at.nonempty() ? at.id() : "";
    cy.json({elements: elements(fresh)});
    cy.elements("node").forEach((n) => { const f = fresh.nodes.find((x) => x.id === n.id()); if (f && !n.isParent()) n.position({x: f.x, y: f.y}); });
    go(id ? cy.getElementById(id) : cy.collection());
  });
  canvas.cytoscape = cy;
};

const fetchMap = async () => {
  const answer = await fetch(canvas.dataset.src, {headers: {Accept: "application/json"}, cache: "no-store"});
  return answer.ok ? answer.json() : null;
};

// A failure leaves the plain picture.
if (canvas) fetchMap().then((map) => { if (map) start(map); }, () => {});
