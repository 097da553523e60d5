// Arrays are {shape, data}: data is flat, and the last axis runs fastest.
const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1);
const array = (shape, data) => ({ shape, data: data || new Float64Array(sizeOf(shape)) });
const matrix = (rows) => array([rows.length, rows[0].length], Float64Array.from(rows.flat()));

// Copy numbers into another shape; strides say how far apart neighbors along each axis lie.
function strided(data, shape, strides) {
  const out = new Float64Array(sizeOf(shape)), index = shape.map(() => 0);
  const last = shape.length - 1, n = shape[last], step = strides[last];
  for (let k = 0, at = 0; k < out.length; k += n) {
    for (let j = 0; j < n; j++) out[k + j] = data[at + j * step];
    for (let axis = last - 1; axis >= 0; axis--) {
      at += strides[axis];
      if (++index[axis] < shape[axis]) break;
      at -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return array(shape, out);
}

function stridesOf(shape) {
  const strides = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1] * shape[axis + 1];
  return strides;
}

function commonShape(operands) {
  const shape = new Array(Math.max(...operands.map((a) => a.shape.length))).fill(1);
  for (const a of operands) {
    const first = shape.length - a.shape.length;
    a.shape.forEach((n, axis) => { if (n !== 1) shape[first + axis] = n; });
  }
  return shape;
}

// Whether an array, such as one number for each unit, is only repeated along the first axes.
function isRepeated(a, shape) {
  const first = a.shape.findIndex((n) => n !== 1), own = first < 0 ? [] : a.shape.slice(first);
  return own.every((n, axis) => n === shape[shape.length - own.length + axis]);
}

function repeated(data, size) {
  const out = new Float64Array(size);
  if (data.length === 1) return out.fill(data[0]);
  for (let at = 0; at < size; at += data.length) out.set(data, at);
  return out;
}

// Repeat an array along the axes where it has length 1.
function spread(a, shape) {
  const size = sizeOf(shape);
  if (a.data.length === size) return a.data;
  if (isRepeated(a, shape)) return repeated(a.data, size);
  const own = stridesOf(a.shape), first = shape.length - a.shape.length;
  const strides = shape.map((_, axis) => axis < first || a.shape[axis - first] === 1 ? 0 : own[axis - first]);
  return strided(a.data, shape, strides).data;
}

const each = (f) => (a) => array(a.shape, a.data.map((v) => f(v)));

const pairwise = (f) => (...operands) => operands.reduce((a, b) => {
  const shape = commonShape([a, b]), left = spread(a, shape), right = spread(b, shape);
  const out = new Float64Array(left.length);
  for (let i = 0; i < out.length; i++) out[i] = f(left[i], right[i]);
  return array(shape, out);
});

function where(condition, a, b) {
  const shape = commonShape([condition, a, b]), chosen = spread(condition, shape);
  const [yes, no] = [spread(a, shape), spread(b, shape)];
  return array(shape, chosen.map((c, i) => c ? yes[i] : no[i]));
}

// Matrix products, also of several pairs of matrices.
function product(a, b) {
  const [n, inner] = a.shape.slice(-2), m = b.shape.at(-1);
  const outer = (a.shape.length > b.shape.length ? a : b).shape.slice(0, -2), several = sizeOf(outer);
  const out = array([...outer, n, m]), aStep = a.shape.length > 2 ? n * inner : 0, bStep = b.shape.length > 2 ? inner * m : 0;
  for (let s = 0; s < several; s++) for (let i = 0; i < n; i++) for (let k = 0; k < inner; k++) {
    const factor = a.data[s * aStep + i * inner + k], row = s * bStep + k * m, to = (s * n + i) * m;
    if (factor !== 0) for (let j = 0; j < m; j++) out.data[to + j] += factor * b.data[row + j];
  }
  return out;
}

// Apply a function to each row along the last axis.
function byRow(a, f, width = a.shape.at(-1)) {
  const parts = [];
  for (let at = 0; at < a.data.length; at += width) parts.push(f(a.data.subarray(at, at + width)));
  return parts;
}
const joined = (shape, rows) => {
  const out = array(shape), n = rows[0].length;
  rows.forEach((row, i) => out.data.set(row, i * n));
  return out;
};
const total = (row) => row.reduce((a, b) => a + b, 0);
const means = (a) => array([...a.shape.slice(0, -1), 1], Float64Array.from(byRow(a, (row) => total(row) / row.length)));

function softmax(row) {
  const top = Math.max(...row), powers = row.map((z) => Math.exp(z - top)), sum = total(powers);
  return powers.map((power) => power / sum);
}

function argMax(a, { keepdims = 1 }) {
  const places = Float64Array.from(byRow(a, (row) => row.indexOf(Math.max(...row))));
  return array(keepdims ? [...a.shape.slice(0, -1), 1] : a.shape.slice(0, -1), places);
}

// The entries with given indices along an axis.
function gather(a, places, { axis = 0 }) {
  const inner = sizeOf(a.shape.slice(axis + 1)), length = a.shape[axis], rows = [];
  for (let start = 0; start < a.data.length; start += length * inner) {
    for (const place of places.data) {
      const from = start + (place < 0 ? place + length : place) * inner;
      rows.push(a.data.subarray(from, from + inner));
    }
  }
  return joined([...a.shape.slice(0, axis), ...places.shape, ...a.shape.slice(axis + 1)], rows);
}

function concatenate(...operands) {
  const { axis } = operands.pop(), outer = operands[0].shape.slice(0, axis), shape = operands[0].shape.slice();
  shape[axis] = operands.reduce((sum, a) => sum + a.shape[axis], 0);
  const out = array(shape), step = sizeOf(shape.slice(axis));
  let first = 0;
  for (const a of operands) {
    const width = sizeOf(a.shape.slice(axis));
    for (let i = 0; i < sizeOf(outer); i++) out.data.set(a.data.subarray(i * width, (i + 1) * width), i * step + first);
    first += width;
  }
  return out;
}

// 0 keeps the length of an axis, -1 is the remaining length.
function reshape(a, { shape }) {
  const known = shape.map((n, axis) => n === 0 ? a.shape[axis] : n);
  const left = a.data.length / known.reduce((size, n) => n === -1 ? size : size * n, 1);
  return array(known.map((n) => n === -1 ? left : n), a.data);
}

function transpose(a, { perm }) {
  const strides = stridesOf(a.shape);
  return strided(a.data, perm.map((axis) => a.shape[axis]), perm.map((axis) => strides[axis]));
}

const sorted = (a, { width }) => joined(a.shape, byRow(a, (row) => row.slice().sort(), width));

// Interpolate a table of a function at points scale * sinh(t), t evenly spaced.
function table(z, { data: values }, { scale, reach, jump }) {
  const n = values.length, half = (n - 1) / 2, step = reach / half;
  const points = values.map((_, i) => scale * Math.sinh((i - half) * step));
  return each((x) => {
    const near = Math.floor(Math.asinh(x / scale) / step + half + 1e-9), i = Math.max(0, Math.min(n - 2, near));
    const slope = (values[i + 1] - values[i]) / (points[i + 1] - points[i]);
    if (Math.abs(slope) > jump) return x < points[i + 1] ? values[i] : values[i + 1];
    return values[i] + slope * (x - points[i]);
  })(z);
}

// Within 1.2e-7: Press et al. (2007), Numerical recipes, 6.2.2.
function erf(x) {
  const t = 1 / (1 + Math.abs(x) / 2);
  const powers = [-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806,
                  0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277];
  const sum = powers.reduceRight((found, power) => found * t + power, 0);
  return Math.sign(x) * (1 - t * Math.exp(-x * x + sum));
}

// ONNX's operators that networks use, and a few more: see _program.py.
const OPERATORS = {
  Abs: each(Math.abs), Cos: each(Math.cos), Erf: each(erf), Exp: each(Math.exp), Expm1: each(Math.expm1),
  Floor: each(Math.floor), IsNaN: each((v) => +Number.isNaN(v)), Log: each(Math.log), Neg: each((v) => -v),
  Not: each((v) => +!v), Relu: each((v) => Math.max(v, 0)), Sigmoid: each((v) => 1 / (1 + Math.exp(-v))),
  Sign: each(Math.sign), Sin: each(Math.sin), Sqrt: each(Math.sqrt), Tanh: each(Math.tanh), Trunc: each(Math.trunc),
  Add: pairwise((a, b) => a + b), Sub: pairwise((a, b) => a - b), Mul: pairwise((a, b) => a * b),
  Div: pairwise((a, b) => a / b), Max: pairwise(Math.max), Min: pairwise(Math.min),
  Equal: pairwise((a, b) => +(a === b)), Greater: pairwise((a, b) => +(a > b)), Less: pairwise((a, b) => +(a < b)),
  ReduceMean: means,
  Softmax: (a) => joined(a.shape, byRow(a, softmax)),
  ArgMax: argMax, Concat: concatenate, Gather: gather, MatMul: product, Reshape: reshape, Sort: sorted,
  Table: table, Transpose: transpose, Where: where,
};

// A program is a list of steps; the name of an operand is a list's letter and an index.
function run(program, sources, constants) {
  const held = { s: sources, v: [], c: constants };
  const find = (name) => held[name[0]][name.slice(1)];
  for (const [operator, operands, attributes] of program.steps) {
    held.v.push(OPERATORS[operator](...operands.map(find), ...(attributes ? [attributes] : [])));
  }
  return find(program.out);
}

// Constants of an epoch: most are the same in all epochs.
const constantsOf = (page, epoch) => page.constants.map(
  ({ shape, values, epochs }) => array(shape, Float64Array.from(values || epochs[epoch])));

// The values of all blocks for some rows, and their predictions.
function forward(page, rows, constants, swap) {
  const x = matrix(rows), values = [];
  for (const node of page.nodes) {
    const program = swap && node.isActivation ? page.swaps[swap] : node;
    values.push(run(program, node.sources.map((source) => source < 0 ? x : values[source]), constants));
  }
  const raw = [values[values.length - 1]], found = { x, nodes: values };
  for (const name of ["link", "answer", "shares"]) if (page[name]) found[name] = run(page[name], raw, constants);
  return found;
}
