const P = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const COLORS = [[213, 94, 0], [0, 114, 178], [0, 158, 115], [204, 121, 167], [230, 159, 0],
                 [86, 180, 233], [90, 90, 90], [240, 228, 66], [120, 60, 20], [60, 20, 120]];
const POSITIVE = [179, 38, 30], NEGATIVE = [44, 90, 160], GRAY = [120, 120, 120];
const D = P.features.length, CLASSIFIES = P.task === "classification";
const MEAN = total(P.y) / P.y.length;
// The column of predicted values.
const OUTPUT = P.columns.findIndex((column) => column.value === "link");
// unit: the chosen one as [column, unit], or null.
const state = { epoch: P.epochs.length - 1, swap: "", unit: null, sample: 0, axes: P.axes };
let constants = [];

// Computation.

const evaluated = (rows, swap = state.swap) => forward(P, rows, constants, swap);

function valueOf(found, column) {
  const place = P.columns[column].value;
  return typeof place === "number" ? found.nodes[place] : found[place];
}

const columnOf = ({ shape: [rows, width], data }, i) =>
  Array.from({ length: rows }, (_, row) => data[row * width + i]);

// The values of one unit for all rows.
const unitValues = (found, column, unit) => columnOf(valueOf(found, column), unit);

// Predicted numbers, or positions of classes.
function answers(found) {
  return CLASSIFIES ? Array.from(found.answer.data) : columnOf(found.answer, P.answerColumn);
}

function score(swap) {
  const said = answers(evaluated(P.X, swap));
  if (CLASSIFIES) return said.filter((a, i) => a === P.y[i]).length / P.y.length;
  const wrong = total(said.map((a, i) => (a - P.y[i]) ** 2));
  const spread = total(P.y.map((y) => (y - MEAN) ** 2));
  // R2 of a constant y is 1 or 0, as in scikit-learn.
  return spread ? 1 - wrong / spread : Number(!wrong);
}

// Drawing.

// Names of the units of a column, if it has any.
function namesIn(column) {
  const { names, units: n } = P.columns[column];
  return CLASSIFIES && column >= OUTPUT && n === P.classes.length ? P.classes : names;
}

const text = (v) => Math.abs(v) >= 1000 ? v.toExponential(1) : (Math.round(100 * v) / 100 + 0).toFixed(2);
const rgb = (color, opacity = 1) => `rgba(${color},${opacity})`;
const pale = (color, strength) => color.map((c) => Math.round(255 + (c - 255) * strength));
const isChosen = (column, unit) => Boolean(state.unit && state.unit[0] === column && state.unit[1] === unit);

// Bounds of each feature, with a margin.
const bounds = P.features.map((_, f) => {
  const values = P.X.map((x) => x[f]), low = Math.min(...values), high = Math.max(...values);
  const margin = 0.12 * (high - low) || 1;
  return [low - margin, high + margin];
});
const share = (f, value) => (value - bounds[f][0]) / (bounds[f][1] - bounds[f][0]);

// The chosen sample, moved to a place in the picture: u from the left, v from the top.
function pointAt(u, v) {
  const x = P.X[state.sample].slice(), [a, b] = state.axes;
  x[a] = bounds[a][0] + u * (bounds[a][1] - bounds[a][0]);
  if (D > 1) x[b] = bounds[b][1] - v * (bounds[b][1] - bounds[b][0]);
  return x;
}

function gridValues(n) {
  const rows = [];
  for (let k = 0; k < n * n; k++) rows.push(pointAt((k % n + 0.5) / n, (Math.floor(k / n) + 0.5) / n));
  return evaluated(rows);
}

const lineValues = (n) => evaluated(Array.from({ length: n + 1 }, (_, i) => pointAt(i / n, 0)));

// Draw n times n squares.
function paint(canvas, n, colorOf) {
  const small = document.createElement("canvas");
  small.width = small.height = n;
  const context = small.getContext("2d"), image = context.createImageData(n, n);
  for (let k = 0; k < n * n; k++) image.data.set([...colorOf(k), 255], 4 * k);
  context.putImageData(image, 0, 0);
  const target = canvas.getContext("2d");
  target.imageSmoothingEnabled = false;
  target.drawImage(small, 0, 0, canvas.width, canvas.height);
}

// Red above zero, blue below.
function colorsOf(values) {
  const largest = Math.max(...values.map(Math.abs)) || 1;
  return (k) => pale(values[k] > 0 ? POSITIVE : NEGATIVE, Math.min(1, Math.abs(values[k]) / largest));
}

// Probabilities: red from one half on.
function unitColors(found, column, unit) {
  const center = CLASSIFIES && column >= OUTPUT ? 0.5 : 0;
  return colorsOf(unitValues(found, column, unit).map((v) => v - center));
}

// The color of the predicted class, paler where the network is less sure; for numbers, red above
// the mean of y: they may be far from zero.
function decisionColors(found) {
  if (!CLASSIFIES) return colorsOf(answers(found).map((v) => v - MEAN));
  const said = answers(found), n = P.classes.length;
  return (k) => {
    const sure = (found.shares.data[k * n + said[k]] - 1 / n) / (1 - 1 / n);
    return pale(COLORS[said[k] % COLORS.length], Math.max(0, 0.15 + 0.6 * sure));
  };
}

function drawCurves(canvas, curves, points = []) {
  const context = canvas.getContext("2d"), w = canvas.width, h = canvas.height;
  const all = [...curves.flat(), ...points];
  let low = Math.min(...all), high = Math.max(...all);
  if (high === low) { low -= 1; high += 1; }
  const y = (v) => h - 4 - (h - 8) * (v - low) / (high - low);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, w, h);
  context.fillStyle = "#888";
  points.forEach((v, i) => context.fillRect(w * share(0, P.X[i][0]) - 2, y(v) - 2, 4, 4));
  context.strokeStyle = "#0072b2";
  context.lineWidth = w > 100 ? 2.5 : 1.5;
  for (const curve of curves) {
    context.beginPath();
    curve.forEach((v, i) => context.lineTo(w * i / (curve.length - 1), y(v)));
    context.stroke();
  }
}

// Where a sample is in the large picture, in pixels.
function place(x) {
  const [a, b] = state.axes, size = $("surface").width;
  return [share(a, x[a]) * size, (D > 1 ? 1 - share(b, x[b]) : 0.5) * size];
}

function drawSample(context, x, label) {
  const [px, py] = place(x);
  context.beginPath();
  context.arc(px, py, 3.4, 0, 7);
  context.fillStyle = rgb(CLASSIFIES ? COLORS[label % COLORS.length] : [60, 60, 60]);
  context.fill();
  context.strokeStyle = "#fff";
  context.lineWidth = 1;
  context.stroke();
}

// With one feature: the values of the chosen unit, or of the network.
function drawLine(canvas) {
  const found = lineValues(200);
  if (state.unit) drawCurves(canvas, [unitValues(found, ...state.unit)]);
  else if (CLASSIFIES) drawCurves(canvas, [unitValues(found, OUTPUT, 0)]);
  else drawCurves(canvas, P.curves.map((i) => columnOf(found.answer, i)), P.y);
}

function drawSurface() {
  const canvas = $("surface"), context = canvas.getContext("2d"), n = 72;
  if (D === 1) {
    drawLine(canvas);
  } else {
    const found = gridValues(n);
    paint(canvas, n, state.unit ? unitColors(found, ...state.unit) : decisionColors(found));
    P.X.forEach((x, i) => drawSample(context, x, P.y[i]));
  }
  const [px, py] = place(P.X[state.sample]);
  context.strokeStyle = "#000";
  context.lineWidth = 2;
  context.strokeRect(px - 6, D === 1 ? 0 : py - 6, 12, D === 1 ? canvas.height : 12);
}

// The graph: columns of buttons with small pictures, lines on a canvas behind.

const SIZE = 40, TOP = 40, NARROWEST = 64, units = [], titles = [];
// Distance of units: those with names have one more line.
const GAP = P.columns.some((_, column) => namesIn(column).length) ? 73 : 62;

function widthOfGraph() {
  return Math.max($("graph").clientWidth, SIZE + 24 + NARROWEST * (P.columns.length - 1));
}

function layOut() {
  const width = widthOfGraph(), tallest = Math.max(...P.columns.map((column) => column.drawn.length));
  const left = (column) => 8 + (width - SIZE - 24) * column / (P.columns.length - 1);
  const title = Math.max(NARROWEST, Math.min(110, width / P.columns.length - 4));
  $("graph").style.height = TOP + tallest * GAP + 14 + "px";
  $("edges").width = width;
  $("edges").height = TOP + tallest * GAP;
  units.forEach(({ column, rank, button, value }) => {
    const top = TOP + GAP * (rank + (tallest - P.columns[column].drawn.length) / 2);
    Object.assign(button.style, { left: left(column) + "px", top: top + "px" });
    Object.assign(value.style, { left: left(column) - 10 + "px", top: top + SIZE + 6 + "px", width: SIZE + 24 + "px" });
  });
  titles.forEach((element, column) => Object.assign(element.style, {
    left: Math.max(0, Math.min(width - title, left(column) + SIZE / 2 - title / 2)) + "px", width: title + "px" }));
}

function element(tag, className, properties = {}) {
  const made = document.createElement(tag);
  made.className = className;
  return Object.assign(made, properties);
}

const nameOf = (column, unit) => column === 0 ? P.features[unit] : `${P.columns[column].layer}, unit ${unit + 1}`;

function buildUnit(column, unit, rank) {
  const button = element("button", "unit", { type: "button", title: nameOf(column, unit) });
  const canvas = element("canvas", "", { width: SIZE, height: SIZE }), value = element("div", "value");
  button.append(canvas);
  button.setAttribute("aria-label", nameOf(column, unit));
  button.addEventListener("click", () => {
    state.unit = isChosen(column, unit) ? null : [column, unit];
    draw();
  });
  $("graph").append(button, value);
  units.push({ column, unit, rank, button, canvas, value });
}

function build() {
  P.columns.forEach((column, c) => {
    const steps = column.nodes.map((node) => P.nodes[node].name).join(", ");
    titles.push(element("div", "layer", { title: steps }));
    $("graph").append(titles[c]);
    column.drawn.forEach((unit, rank) => buildUnit(c, unit, rank));
  });
}

// The activation of a layer, if it has one.
function functionOf(column) {
  const { title, nodes } = P.columns[column];
  return state.swap && nodes.some((node) => P.nodes[node].isActivation) ? state.swap : title;
}

function titleOf(column) {
  const { units: n, drawn } = P.columns[column];
  return functionOf(column) + (drawn.length < n ? ` (${drawn.length} of ${n})` : "");
}

// The label of a unit: its value for the chosen sample, and its name.
function labelOf(column, unit, sample) {
  const value = text(unitValues(sample, column, unit)[0]), name = namesIn(column)[unit];
  return name === undefined ? value : `${value}\n${name}`;
}

function drawUnits(sample) {
  const n = 20, found = D > 1 ? gridValues(n) : lineValues(60);
  for (const { column, unit, button, canvas, value } of units) {
    if (D === 1) drawCurves(canvas, [unitValues(found, column, unit)]);
    else paint(canvas, n, unitColors(found, column, unit));
    button.setAttribute("aria-pressed", String(isChosen(column, unit)));
    value.textContent = value.title = labelOf(column, unit, sample);
  }
  titles.forEach((title, column) => { title.textContent = titleOf(column); });
}

// Lists [unit there, unit here, weight] of an edge; unchanged values have no weight.
function connections(edge) {
  if (edge.weights === null) return edge.pairs.map(([i, j]) => [i, j, null]);
  const { shape, data } = constants[edge.weights.slice(1)];
  if (shape.length === 1) return Array.from(data, (w, i) => [i, i, w]);
  return Array.from(data, (w, k) => [Math.floor(k / shape[1]), k % shape[1], w]);
}

function drawConnection(context, from, to, weight, size) {
  const x0 = from.offsetLeft + SIZE + 4, y0 = from.offsetTop + SIZE / 2;
  const x1 = to.button.offsetLeft, y1 = to.button.offsetTop + SIZE / 2;
  // Curve around units in between, or beside the weight between the same two units.
  const bow = to.skips ? GAP / 2 + 6 : weight === null ? 16 : 0;
  context.strokeStyle = weight === null ? rgb(GRAY, 0.7) : rgb(weight > 0 ? POSITIVE : NEGATIVE, 0.25 + 0.75 * size);
  context.lineWidth = weight === null ? 1.2 : 0.4 + 4.6 * size;
  context.setLineDash(weight === null ? [5, 4] : []);
  context.beginPath();
  context.moveTo(x0, y0);
  context.bezierCurveTo((2 * x0 + x1) / 3, y0 + bow, (x0 + 2 * x1) / 3, y1 + bow, x1, y1);
  context.stroke();
}

function drawEdges() {
  const context = $("edges").getContext("2d"), drawn = {};
  context.clearRect(0, 0, $("edges").width, $("edges").height);
  units.forEach(({ column, unit, button }) => { drawn[[column, unit]] = button; });
  for (const edge of P.edges) {
    const all = connections(edge), largest = Math.max(...all.map(([, , w]) => Math.abs(w))) || 1;
    for (const [i, j, weight] of all) {
      const from = drawn[[edge.from, i]], button = drawn[[edge.to, j]], size = Math.abs(weight) / largest;
      if (!from || !button || weight !== null && size < 0.01) continue;
      drawConnection(context, from, { button, skips: edge.to > edge.from + 1 }, weight, size);
    }
  }
}

// Texts.

function effect() {
  const name = CLASSIFIES ? "accuracy" : "R2";
  const now = `${name} on these ${P.y.length} rows: ${score(state.swap).toFixed(3)}.`;
  if (!state.swap) return now;
  return `${now} With the activation it was trained with: ${score("").toFixed(3)}. ` +
    `Same weights, ${state.swap} in the hidden layers.`;
}

function aboutSample(sample) {
  const x = P.X[state.sample], said = answers(sample)[0], y = P.y[state.sample];
  const features = P.features.map((name, f) => `${name} = ${text(x[f])}`).join(", ");
  const [truth, answer] = CLASSIFIES ? [P.classes[y], P.classes[said]] : [text(y), text(said)];
  return `Sample ${state.sample + 1}: ${features}. True: ${truth}; predicted: ${answer}.`;
}

const nameOfKind = (kind) =>
  ({ affine: "weighted sum", add: "sum with shortcut" })[kind] || kind.replaceAll("_", " ");

// How the chosen unit's value is computed, block by block.
function aboutUnit(sample) {
  if (!state.unit) return "";
  const [column, unit] = state.unit, { nodes } = P.columns[column];
  const steps = nodes.filter((node) => P.nodes[node].units === P.columns[column].units).map((node) => {
    const { kind, isActivation } = P.nodes[node], value = sample.nodes[node].data[unit];
    return `${isActivation ? functionOf(column) : nameOfKind(kind)} ${text(value)}`;
  });
  if (column === OUTPUT) steps.push(`predicted ${text(unitValues(sample, column, unit)[0])}`);
  return `${nameOf(column, unit)}${steps.length ? ": " + steps.join(" → ") : ""}.`;
}

function draw() {
  constants = constantsOf(P, state.epoch);
  const sample = evaluated([P.X[state.sample]]);
  $("sample").value = state.sample + 1;
  $("epochName").textContent = P.epochs[state.epoch];
  $("effect").textContent = effect();
  $("chosen").textContent = aboutSample(sample);
  $("unit").textContent = aboutUnit(sample);
  drawSurface();
  drawUnits(sample);
  drawEdges();
}

// Events.

function listenToEpochs() {
  const slider = $("epoch"), last = P.epochs.length - 1;
  let timer = null;
  slider.max = last;
  slider.value = state.epoch;
  slider.disabled = $("play").disabled = last === 0;
  slider.addEventListener("input", () => { state.epoch = Number(slider.value); draw(); });
  const stop = () => { clearInterval(timer); timer = null; $("play").textContent = "Play"; };
  $("play").addEventListener("click", () => {
    if (timer) return stop();
    if (state.epoch === last) state.epoch = 0;
    $("play").textContent = "Stop";
    timer = setInterval(() => {
      if (state.epoch === last) return stop();
      slider.value = ++state.epoch;
      draw();
    }, 150);
  });
}

function listenToActivation() {
  const select = $("activation");
  select.append(new Option("as trained", ""));
  for (const name in P.swaps) select.append(new Option(name, name));
  select.disabled = !P.nodes.some((node) => node.isActivation);
  select.addEventListener("change", () => { state.swap = select.value; draw(); });
}

function offerAxis(k) {
  const select = element("select", "");
  select.setAttribute("aria-label", k ? "vertical axis" : "horizontal axis");
  P.features.forEach((name, f) => select.append(new Option(name, f)));
  select.value = state.axes[k];
  select.addEventListener("change", () => { state.axes[k] = Number(select.value); draw(); });
  $("axes").append(k ? " and " : "Axes ", select);
}

function nearestSample(cx, cy) {
  const distances = P.X.map((x) => {
    const [px, py] = place(x);
    return (px - cx) ** 2 + (D > 1 ? (py - cy) ** 2 : 0);
  });
  return distances.indexOf(Math.min(...distances));
}

function listenToSamples() {
  $("sample").max = P.X.length;
  $("sample").addEventListener("input", () => { state.sample = $("sample").value - 1; draw(); });
  $("surface").addEventListener("click", (event) => {
    const box = $("surface").getBoundingClientRect(), scale = $("surface").width / box.width;
    state.sample = nearestSample((event.clientX - box.left) * scale, (event.clientY - box.top) * scale);
    draw();
  });
}

build();
layOut();
listenToEpochs();
listenToActivation();
if (D > 2) [0, 1].forEach(offerAxis);
listenToSamples();
window.addEventListener("resize", () => { layOut(); draw(); });
draw();
// New text may have added a scroll bar.
layOut();
draw();
