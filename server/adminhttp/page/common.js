'use strict';
// What the pages of comet's listeners have in common: cards, each with a figure of now
// and a chart of what it was.

const $ = id => document.getElementById(id);

// How figures are written: three digits that matter, and all of a large number.
const number = n => {
  const a = Math.abs(n);
  const digits = a >= 99.95 || a === 0 ? 0 : a >= 9.995 ? 1 : a >= 0.9995 ? 2 : 3;
  return n.toLocaleString('en', {minimumFractionDigits: digits, maximumFractionDigits: digits});
};
const whole = n => Math.round(n).toLocaleString('en');
const millis = n => number(n) + ' ms';
const bytes = n => {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let i = 0;
  for (; Math.abs(n) >= 1023.95 && i < units.length - 1; i++) n /= 1024;
  return (i ? n.toFixed(1) : whole(n)) + ' ' + units[i];
};
const known = n => typeof n === 'number' && isFinite(n);
const text = (n, write) => known(n) ? write(n) : '–';
const clock = s => {
  const t = Math.max(0, Math.floor(s)), two = n => String(n).padStart(2, '0');
  return (t >= 3600 ? Math.floor(t / 3600) + ':' + two(Math.floor(t / 60) % 60) : Math.floor(t / 60)) + ':' + two(t % 60);
};

// moments are what was seen, oldest first, each with its seconds; phases, where one began
// and what it is called. cards is what the page itself shows of them: figures, as lines
// of a chart, and what is said above it. A card shows once one of its figures was
// measured. short stands in the table.
let moments = [], phases = [];

const make = (name, parent, set = {}, svg = false) => {
  const e = svg ? document.createElementNS('http://www.w3.org/2000/svg', name) : document.createElement(name);
  for (const [k, v] of Object.entries(set)) k === 'text' ? e.textContent = v : e.setAttribute(k, v);
  parent.appendChild(e);
  return e;
};

// build makes the cards.
function build() {
  for (const [i, c] of cards.entries()) {
    c.box = make('section', $('cards'), {'aria-labelledby': 'card' + i, hidden: ''});
    make('h2', c.box, {id: 'card' + i, text: c.title});
    c.bigBox = make('p', c.box, {class: 'big', id: c.id});
    c.noteBox = make('p', c.box, {class: 'note'});
    if (c.quantiles) {
      c.noteBox.remove();
      c.table = make('tbody', make('table', c.box, {class: 'quantiles', 'aria-label': c.title + ', percentiles'}));
    }
    c.keyBox = make('ul', c.box, {class: 'key', 'aria-label': 'Lines'});
    c.svg = make('svg', make('div', c.box, {class: 'chart'}), {role: 'img'}, true);
  }
}

// axis returns the top of an axis from zero, or the decades of a logarithmic one.
function axis(values, log, binary) {
  const top = values.reduce((a, b) => Math.max(a, b), 0);
  if (!log) {
    const size = binary ? Math.pow(1024, Math.floor(Math.log2(top || 1) / 10)) : 1; // of a KiB, MiB, ...
    const unit = size * Math.pow(10, Math.floor(Math.log10(top / size || 1)));
    const end = top ? [1, 2, 3, 4, 5, 6, 8, 10, 12].map(n => n * unit).find(n => n >= top * 0.999) : size;
    return {at: v => v / end, ticks: [0, end / 2, end]};
  }
  const least = values.filter(v => v > 0).reduce((a, b) => Math.min(a, b), Infinity);
  const from = Math.floor(Math.log10(isFinite(least) ? Math.max(least, 0.001) : 1));
  const to = Math.max(Math.ceil(Math.log10(top || 1)), from + 1), step = Math.ceil((to - from) / 4);
  const ticks = [];
  for (let d = from; d <= to; d += step) ticks.push(Math.pow(10, d));
  return {at: v => v > 0 ? Math.max(0, (Math.log10(v) - from) / (to - from)) : 0, ticks};
}

// patience is how many seconds a figure may be left out, as rates are at the end of a
// phase, before it counts as not measured.
const patience = 3;

// recent returns the last figure that was measured, unless that was long ago.
function recent(of) {
  for (let i = moments.length - 1; i >= 0 && moments[i].seconds > moments[moments.length - 1].seconds - patience; i--) {
    const v = of(moments[i]);
    if (known(v)) return v;
  }
  return null;
}

// now returns a moment with the last figures that were measured.
function now() {
  const late = moments.slice(-5), m = {...late[late.length - 1]};
  for (const key of Object.keys(m)) {
    const parts = late.filter(m => m[key] && typeof m[key] === 'object').flatMap(m => Object.keys(m[key]));
    if (parts.length) m[key] = Object.fromEntries(parts.map(k => [k, recent(m => (m[key] || {})[k])]));
    else if (m[key] === null) m[key] = recent(m => m[key]);
  }
  return m;
}

// thread returns the points of a line, of each column of pixels the lowest and the
// highest, in pieces between which nothing was measured.
function thread(of, x, y) {
  const pieces = [];
  let column = null, piece = null, before = 0, left = false;
  const flush = () => {
    if (!column) return;
    for (const v of column.first > column.last ? [column.high, column.low] : [column.low, column.high])
      piece.push(column.x + ',' + y(v).toFixed(1));
    column = null;
  };
  for (const m of moments) {
    const v = of(m);
    if (!known(v)) { left = true; continue; }
    if (!piece || left && m.seconds - before > patience) {
      flush();
      pieces.push(piece = []);
    }
    before = m.seconds;
    left = false;
    const at = Math.round(x(m.seconds));
    if (column && column.x !== at) flush();
    if (!column) column = {x: at, low: v, high: v, first: v, last: v};
    column.low = Math.min(column.low, v);
    column.high = Math.max(column.high, v);
    column.last = v;
  }
  flush();
  return pieces;
}

// draw draws the chart of a card.
function draw(c) {
  const width = c.svg.clientWidth, height = c.svg.clientHeight;
  if (!width) return;
  const lines = c.lines();
  const values = moments.flatMap(m => lines.map(([, of]) => of(m))).filter(known);
  const scale = axis(values, c.log, c.binary);
  const left = 8 + 6.5 * Math.max(...scale.ticks.map(t => c.write(t).length)), right = width - 6, top = 18, bottom = height - 18;
  const from = moments[0].seconds, to = Math.max(moments[moments.length - 1].seconds, from + 1);
  const x = s => left + (right - left) * (s - from) / (to - from), y = v => bottom - (bottom - top) * Math.min(scale.at(v), 1);
  c.svg.setAttribute('viewBox', '0 0 ' + width + ' ' + height);
  c.svg.replaceChildren();
  for (const t of scale.ticks) {
    if (c.write === whole && !Number.isInteger(t)) continue; // there are no halves
    make('line', c.svg, {class: 'grid', x1: left, x2: right, y1: y(t), y2: y(t)}, true);
    make('text', c.svg, {x: left - 5, y: y(t) + 4, 'text-anchor': 'end', text: c.write(t)}, true);
  }
  phases.forEach((p, i) => {
    const at = Math.max(x(p.from), left), end = i + 1 < phases.length ? x(phases[i + 1].from) : right;
    if (p.from > from) make('line', c.svg, {class: 'mark', x1: at, x2: at, y1: 4, y2: bottom}, true);
    if (end - at > 6 + 6 * p.name.length) make('text', c.svg, {x: at + 3, y: 11, text: p.name}, true); // else there is no room
  });
  make('text', c.svg, {x: left, y: height - 4, text: clock(from)}, true);
  make('text', c.svg, {x: right, y: height - 4, 'text-anchor': 'end', text: clock(to)}, true);
  lines.forEach(([, of], i) => {
    for (const points of thread(of, x, y)) {
      if (points.length < 3) points.push(points[0].replace(/^\d+/, n => +n + 1)); // one moment is a dot
      make('polyline', c.svg, {class: 's' + i % 4, points: points.join(' ')}, true);
    }
  });
  c.svg.setAttribute('aria-label', c.title + ' over the run: ' + lines.map(([name, of]) => name + ' ' + range(of, c.write)).join('; '));
}

// extremes returns the lowest and the highest of a figure.
function extremes(of) {
  let low = Infinity, high = -Infinity;
  for (const m of moments) {
    const v = of(m);
    if (known(v)) { low = Math.min(low, v); high = Math.max(high, v); }
  }
  return low <= high ? [low, high] : [null, null];
}

function range(of, write) {
  const [low, high] = extremes(of);
  return low === null ? 'not measured' : 'from ' + write(low) + ' to ' + write(high);
}

// show brings the page up to date.
function show() {
  if (!moments.length) return;
  const m = now();
  const rows = [];
  for (const c of cards) {
    const lines = c.lines();
    const bounds = lines.map(([, of]) => extremes(of));
    c.box.hidden = !bounds.some(([, high]) => high !== null && (!c.rare || high > 0));
    if (c.box.hidden) continue;
    const measuredLines = lines.filter((_, i) => bounds[i][1] !== null);
    c.bigBox.textContent = c.big ? c.big(m) : text(measuredLines[0][1](m), c.write) + (measuredLines.length > 1 ? ' ' + measuredLines[0][0] : '');
    c.noteBox.textContent = (c.notes ? c.notes(m) : []).filter(([v]) => known(v)).map(([v, write, what]) => write(v) + ' ' + what).join(', ');
    if (c.quantiles) percentiles(c.table, c.quantiles(m));
    const key = measuredLines.length > 1 ? measuredLines.map(([name]) => name).join() : '';
    if (c.key !== key) legend(c, key ? lines : [], bounds);
    c.key = key;
    lines.forEach(([name, of], i) => {
      if (bounds[i][1] !== null) rows.push([c.short + (lines.length > 1 ? ', ' + name : ''), text(of(m), c.write), c.write(bounds[i][0]), c.write(bounds[i][1])]);
    });
    draw(c);
  }
  $('all').hidden = rows.length === 0;
  if ($('all').open) $('rows').replaceChildren(...rows.map(row => {
    const tr = document.createElement('tr');
    row.forEach((cell, i) => make(i ? 'td' : 'th', tr, i ? {text: cell} : {text: cell, scope: 'row'}));
    return tr;
  }));
}

// percentiles writes distributions as rows of a table.
function percentiles(body, list) {
  const row = (cells, head) => {
    const tr = document.createElement('tr');
    cells.forEach((cell, i) => make(head || !i ? 'th' : 'td', tr, head || !i ? {text: cell, scope: head ? 'col' : 'row'} : {text: cell}));
    return tr;
  };
  const names = ['p50', 'p90', 'p99', 'max'].filter(k => list.some(([, q]) => k in q));
  body.replaceChildren(row(['in ms', ...names], true), ...list.map(([what, q]) => row([what, ...names.map(k => text(q[k], number))])));
}

// legend names the lines of a chart.
function legend(c, lines, bounds) {
  c.keyBox.replaceChildren();
  lines.forEach(([name], i) => {
    if (bounds[i][1] === null) return;
    const item = make('li', c.keyBox);
    make('line', make('svg', item, {viewBox: '0 0 28 12', 'aria-hidden': 'true'}, true), {class: 's' + i % 4, x1: 0, x2: 28, y1: 6, y2: 6}, true);
    item.append(name);
  });
}

new ResizeObserver(show).observe($('cards'));
document.addEventListener('visibilitychange', () => document.hidden || show());
$('all').addEventListener('toggle', show);
