// The lanes on their canvas, and the overview above them.

const lanes = document.getElementById("lanes");
const overview = document.getElementById("overview");
let pen = lanes.getContext("2d");
const overviewPen = overview.getContext("2d");
const SPAN_MIN = 1e3;

const view = { from: 0, to: Math.max(END, SPAN_MIN) };
let rowLines = [];     // For each row, the lines that pass the filter.
let size = { width: 0, left: 0, right: 0, top: 24, row: 18, gap: 7, height: 0 };
let paint = {};        // Colours, from the style sheet.
let waiting = false;

function readPaint() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["paper", "panel", "band", "rule", "edge", "ink", "soft", "faint", "accent", "accent-soft",
    "ok", "warn", "bad", "plan", "machine", "agent", "disk", "reader", "text"]) {
    paint[name] = style.getPropertyValue("--" + name).trim();
  }
  paint.hatch = hatch(paint.plan);
  paint.down = hatch(paint.bad);
  paint.asleep = hatch(paint.machine);
}

// Slanting lines: what lasts is seen without colour.
function hatch(colour) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 6;
  const draw = tile.getContext("2d");
  draw.strokeStyle = colour;
  draw.beginPath();
  for (const at of [-6, 0, 6]) { draw.moveTo(at, 6); draw.lineTo(at + 6, 0); }
  draw.stroke();
  return pen.createPattern(tile, "repeat");
}

function measure() {
  const width = lanes.clientWidth;
  const small = width < 600;
  const lanesInUse = new Set(drawnRows.map((row) => row.lane)).size;
  const gap = small ? 5 : 6;
  // Room for the lines below, on a screen that holds all at once.
  const fitting = Math.floor((innerHeight * .46 - size.top - lanesInUse * gap) / drawnRows.reduce((sum, row) => sum + (row.tall ?? 1), 0));
  size = { ...size, width, left: small ? 90 : 108, gap, row: small ? 17 : isFleet ? 15 : Math.min(20, Math.max(15, fitting)) };
  let top = size.top, lane = null;
  for (const row of drawnRows) {
    if (lane !== null && row.lane !== lane) top += size.gap;
    lane = row.lane;
    row.top = top;
    top += highOf(row);
  }
  size.height = top + 4;
  lanes.style.height = size.height + "px";
  measureCrowd();
  for (const [canvas, height] of [[lanes, size.height], [overview, 30]]) {
    canvas.width = Math.round(width * devicePixelRatio);
    canvas.height = Math.round(height * devicePixelRatio);
  }
}

const highOf = (row) => size.row * (row.tall ?? 1);
const plotWidth = () => Math.max(1, size.width - size.left - size.right);
const xOf = (at) => size.left + (at - view.from) / (view.to - view.from) * plotWidth();
const atOf = (x) => view.from + (x - size.left) / plotWidth() * (view.to - view.from);

function setView(from, to) {
  const whole = Math.max(END, SPAN_MIN);
  const wide = Math.min(Math.max(to - from, SPAN_MIN), whole);
  const middle = (from + to) / 2;
  view.from = Math.min(Math.max(middle - wide / 2, 0), whole - wide);
  view.to = view.from + wide;
  redraw();
}

function zoom(factor, around = (view.from + view.to) / 2) {
  const left = around - (around - view.from) / factor;
  setView(left, left + (view.to - view.from) / factor);
}

function pan(share) {
  const step = (view.to - view.from) * share;
  setView(view.from + step, view.to + step);
}

// So that a time is seen, in the middle if it was not.
function reveal(at) {
  const wide = view.to - view.from;
  if (at < view.from + wide * 0.02 || at > view.to - wide * 0.02) setView(at - wide / 2, at + wide / 2);
}

function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; draw(); });
}

function draw() {
  pen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  pen.clearRect(0, 0, size.width, size.height);
  pen.textBaseline = "middle";
  drawBands();
  drawAxis();
  pen.save();
  pen.beginPath();
  pen.rect(size.left - 6, 0, plotWidth() + 6, size.height);
  pen.clip();
  for (const row of drawnRows) {
    if (row.spans === "process") drawProcess(row);
    else if (row.spans) drawSpans(row);
    else if (row.graph) drawLoad(row);
    if (row.glyph) drawLines(row);
  }
  drawHits();
  drawBroken();
  drawCursor();
  pen.restore();
  drawCrowd();
  drawOverview();
  said.range();
}

function drawBands() {
  let lane = null, odd = true;
  pen.font = "12px " + paint.text;
  for (const row of drawnRows) {
    if (row.lane !== lane) {
      lane = row.lane;
      odd = !odd;
      const high = drawnRows.filter((other) => other.lane === lane).reduce((sum, other) => sum + highOf(other), 0);
      pen.fillStyle = paint.band;
      pen.fillRect(0, row.top - 1, size.width, high + 2);
    }
    pen.fillStyle = row.tone === "bad" && isInView(row) ? paint.bad : paint.soft;
    pen.textAlign = "left";
    const text = row.label;
    pen.fillText(text, 6, row.top + size.row / 2 + .5, size.left - 16);
  }
}

function isInView(row) {
  const lines = rowLines[row.at] ?? [], place = placeFrom(lines, view.from);
  return place < lines.length && lineAt[lines[place]] <= view.to;
}

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5,
  ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND), ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR), ...[1, 2, 7, 14, 30, 60, 120].map((n) => n * DAY)];

function drawAxis() {
  const wide = view.to - view.from;
  const step = STEPS.find((us) => us / wide * plotWidth() >= 84) ?? 365 * DAY;
  const decimals = step >= SECOND ? 0 : Math.min(6, Math.ceil(6 - Math.log10(step)));
  pen.font = "11.5px " + paint.text;
  pen.textAlign = "center";
  for (let at = Math.ceil(view.from / step) * step; at <= view.to; at += step) {
    const x = Math.round(xOf(at)) + .5;
    pen.strokeStyle = paint.rule;
    pen.beginPath();
    pen.moveTo(x, 20);
    pen.lineTo(x, size.height);
    pen.stroke();
    const text = clock(at, decimals);
    const label = step >= MINUTE ? text.slice(0, -3) : text;
    const half = pen.measureText(label).width / 2;
    if (x - half < size.left - 4 || x + half > size.width) continue;
    pen.fillStyle = paint.soft;
    pen.fillText(label, x, 10);
  }
}

function drawSpans(row) {
  for (const { from, to, label } of spans[row.spans]) {
    if (to < view.from || from > view.to || !partyShown("plan")) continue;
    bar(row, from, to, paint.hatch, paint.plan, label);
  }
}

function drawProcess(row) {
  for (const { from, to, up, label } of spans.process) {
    if (to < view.from || from > view.to) continue;
    if (!up) { bar(row, from, to, paint.down, paint.bad, label); continue; }
    const left = Math.max(xOf(from), size.left), right = Math.min(xOf(to), size.width);
    pen.fillStyle = paint.machine;
    pen.globalAlpha = .35;
    pen.fillRect(left, row.top + size.row / 2 - 2, Math.max(1, right - left), 4);
    pen.globalAlpha = 1;
    barLabel(row, left + 12, right, label, paint.soft, true);
  }
  for (const { from, to, label } of spans.asleep) {
    if (to >= view.from && from <= view.to) bar(row, from, to, paint.asleep, paint.machine, label);
  }
}

function bar(row, from, to, fill, edge, label) {
  const left = Math.max(xOf(from), size.left - 2), right = Math.min(xOf(to), size.width + 2);
  const top = row.top + 1.5, high = size.row - 3, wide = Math.max(2, right - left);
  pen.fillStyle = paint.panel;
  pen.fillRect(left, top, wide, high);
  pen.globalAlpha = .45;
  pen.fillStyle = fill;
  pen.fillRect(left, top, wide, high);
  pen.globalAlpha = 1;
  pen.strokeStyle = edge;
  pen.strokeRect(left + .5, top, Math.max(1, wide - 1), high);
  barLabel(row, left + 4, right - 2, label, paint.ink);
}

function barLabel(row, left, right, label, colour, whole) {
  if (right - left < 30) return;
  pen.font = "11px " + paint.text;
  let text = label;
  if (whole && pen.measureText(text).width > right - left - 4) return;
  const room = right - left - 4;
  while (text.length > 3 && pen.measureText(text).width > room) text = text.slice(0, -2).replace(/[\s,]+$/, "") + "…";
  if (text.length <= 4 && text !== label) return;
  const wide = pen.measureText(text).width;
  pen.fillStyle = paint.panel;
  pen.globalAlpha = .85;
  pen.fillRect(left - 1, row.top + 2, wide + 4, size.row - 4);
  pen.globalAlpha = 1;
  pen.fillStyle = colour;
  pen.textAlign = "left";
  pen.fillText(text, left + 1, row.top + size.row / 2 + .5);
}

// One line is a sign where it is; more in one cell are a column.
function drawLines(row, lines = rowLines[row.at]) {
  if (!lines?.length) return;
  const wide = row.glyph === "tick" ? 4 : 7;
  const cell = (view.to - view.from) / plotWidth() * wide;
  const end = placeFrom(lines, view.to + cell);
  const middle = row.top + size.row / 2;
  let place = placeFrom(lines, Math.floor(view.from / cell - 1) * cell);
  while (place < end) {
    const number = Math.floor(lineAt[lines[place]] / cell);
    const from = place;
    let hollow = true;
    while (place < end && lineAt[lines[place]] < (number + 1) * cell) {
      hollow &&= lineMark[lines[place]] === NOT_WHOLE;
      place++;
    }
    if (place === from) place++;
    const count = place - from;
    pen.fillStyle = pen.strokeStyle = paint[row.tone];
    if (count === 1) {
      const x = xOf(lineAt[lines[from]]);
      glyph(row.glyph, x, middle, hollow);
      if (row.named) nameLine(lines[from], x, place < lines.length ? xOf(lineAt[lines[place]]) : size.width, middle);
    } else {
      const high = Math.min(size.row - 3, 5 + 2.2 * Math.log2(count));
      const x = xOf((number + .5) * cell) - (wide - 1.5) / 2;
      if (hollow) pen.strokeRect(x + .5, middle - high / 2, wide - 2.5, high);
      else pen.fillRect(x, middle - high / 2, wide - 1.5, high);
    }
  }
}

// Its kind beside a sign, where there is room up to the next one.
function nameLine(line, x, next, middle) {
  if (next - x < 40 || x < size.left) return;
  pen.font = "11px " + paint.text;
  pen.textAlign = "left";
  const text = shown(kindOf(line)).replace(/_/g, " ");
  if (pen.measureText(text).width > next - x - 18) return;
  pen.fillStyle = paint.soft;
  pen.fillText(text, x + 9, middle + .5);
}

function glyph(name, x, y, hollow) {
  pen.lineWidth = 1.4;
  pen.beginPath();
  switch (name) {
    case "tick": pen.rect(x - .8, y - 5, 1.6, 10); pen.fill(); break;
    case "dot": pen.arc(x, y, 3, 0, 7); hollow ? pen.stroke() : pen.fill(); break;
    case "ring": pen.arc(x, y, 3.4, 0, 7); pen.stroke(); break;
    case "square": pen.rect(x - 3.5, y - 3.5, 7, 7); pen.fill(); break;
    case "box": pen.rect(x - 3.5, y - 3.5, 7, 7); hollow ? pen.stroke() : pen.fill(); break;
    case "warn": poly([[x, y - 4.5], [x + 4.5, y + 4], [x - 4.5, y + 4]]); pen.fill(); break;
    case "up": poly([[x, y - 4.5], [x + 4, y + 1], [x - 4, y + 1]]); pen.rect(x - 1, y, 2, 5); pen.fill(); break;
    case "down": poly([[x, y + 4.5], [x + 4, y - 3.5], [x - 4, y - 3.5]]); pen.fill(); break;
    case "bolt": poly([[x + 1.5, y - 6], [x - 3.5, y + 1], [x - .3, y + 1], [x - 1.5, y + 6], [x + 3.5, y - 1], [x + .3, y - 1]]); pen.fill(); break;
    case "diamond": poly([[x, y - 4.5], [x + 4, y], [x, y + 4.5], [x - 4, y]]); pen.fill(); break;
    case "flag": pen.rect(x - .8, y - 6, 1.6, 12); poly([[x, y - 6], [x + 6, y - 3.5], [x, y - 1]]); pen.fill(); break;
    case "letter": pen.rect(x - 5, y - 3.5, 10, 7); pen.moveTo(x - 5, y - 3.5); pen.lineTo(x, y + 1); pen.lineTo(x + 5, y - 3.5); pen.stroke(); break;
    case "cross": pen.moveTo(x - 4, y - 4); pen.lineTo(x + 4, y + 4); pen.moveTo(x + 4, y - 4); pen.lineTo(x - 4, y + 4); pen.lineWidth = 2.4; pen.stroke(); break;
  }
  pen.lineWidth = 1;
}

function poly(points) {
  points.forEach(([x, y], at) => at ? pen.lineTo(x, y) : pen.moveTo(x, y));
  pen.closePath();
}

function drawHits() {
  const { lines } = search;
  pen.fillStyle = paint.accent;
  let last = -9;
  for (let place = placeFrom(lines, view.from); place < lines.length; place++) {
    const at = lineAt[lines[place]];
    if (at > view.to) break;
    const x = xOf(at);
    if (x - last < 3) continue;
    last = x;
    pen.beginPath();
    poly([[x - 4, 17], [x + 4, 17], [x, 23]]);
    pen.fill();
  }
}

function drawBroken() {
  pen.strokeStyle = paint.bad;
  pen.setLineDash([5, 3]);
  for (const line of brokenLines) {
    const x = Math.round(xOf(lineAt[line])) + .5;
    if (x < size.left || x > size.width) continue;
    pen.beginPath();
    pen.moveTo(x, 20);
    pen.lineTo(x, size.height);
    pen.stroke();
    pen.font = "600 11.5px " + paint.text;
    pen.textAlign = "left";
    const top = drawnRows[0].top + size.row / 2 + .5;
    const wide = pen.measureText(kindOf(line)).width;
    const after = x + 16 + wide < size.width ? x + 12 : x - 12 - wide;
    pen.fillStyle = paint.bad;
    pen.fillText(kindOf(line), after, top);
  }
  pen.setLineDash([]);
}

function drawCursor() {
  if (chosen < 0) return;
  const x = xOf(lineAt[chosen]);
  if (x < size.left - 1 || x > size.width + 1) return;
  pen.fillStyle = paint.ink;
  pen.fillRect(x - .5, 20, 1, size.height);
  const row = drawnRows.find((row) => row.at === lineRow[chosen]);
  if (row) ring(x, row.top + size.row / 2);
  pen.font = "600 11.5px " + paint.text;
  const text = clock(lineAt[chosen], 3), half = pen.measureText(text).width / 2 + 5;
  const middle = Math.min(Math.max(x, size.left + half), size.width - half);
  pen.fillStyle = paint.ink;
  pen.beginPath();
  pen.roundRect(middle - half, 1, half * 2, 18, 4);
  pen.fill();
  pen.fillStyle = paint.paper;
  pen.textAlign = "center";
  pen.fillText(text, middle, 10.5);
}

// Round the chosen line's sign.
function ring(x, y) {
  pen.strokeStyle = paint.ink;
  pen.lineWidth = 1.5;
  pen.beginPath();
  pen.arc(x, y, 7.5, 0, 7);
  pen.stroke();
  pen.lineWidth = 1;
}

// The whole run: how much happened when, what lasted, what was broken.
let heights = null;
function drawOverview() {
  const draw = overviewPen, high = 30;
  const whole = Math.max(END, SPAN_MIN);
  const x = (at) => size.left + at / whole * plotWidth();
  draw.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  draw.clearRect(0, 0, size.width, high);
  draw.fillStyle = paint.band;
  draw.fillRect(size.left, 0, plotWidth(), high);
  const bins = Math.ceil(plotWidth() / 2);
  if (!heights || heights.length !== bins) heights = countBins(bins, whole);
  let most = 1;
  for (const count of heights) most = Math.max(most, count);
  draw.fillStyle = paint.edge;
  heights.forEach((count, bin) => {
    if (!count) return;
    const tall = 2 + 17 * Math.sqrt(count / most);
    draw.fillRect(size.left + bin * 2, high - tall, 1.5, tall);
  });
  draw.fillStyle = paint.plan;
  for (const { from, to } of spans.outage) draw.fillRect(x(from), 3, Math.max(1.5, x(to) - x(from)), 4);
  draw.fillStyle = paint.machine;
  for (const { from, to } of spans.asleep) draw.fillRect(x(from), 3, Math.max(1.5, x(to) - x(from)), 4);
  draw.fillStyle = paint.accent;
  for (const line of search.lines) draw.fillRect(x(lineAt[line]) - .75, high - 7, 1.5, 7);
  draw.fillStyle = paint.bad;
  for (const line of brokenLines) {
    draw.fillRect(x(lineAt[line]) - 1, 0, 2, high);
    draw.fillRect(x(lineAt[line]) - 3, 0, 6, 4);
  }
  const left = x(view.from), right = Math.max(x(view.to), left + 3);
  draw.fillStyle = paint.paper;
  draw.globalAlpha = .6;
  draw.fillRect(size.left, 0, left - size.left, high);
  draw.fillRect(right, 0, size.width - right, high);
  draw.globalAlpha = 1;
  draw.strokeStyle = paint.accent;
  draw.lineWidth = 1.5;
  draw.strokeRect(left + .75, .75, right - left - 1.5, high - 1.5);
  draw.font = "12px " + paint.text;
  draw.textBaseline = "middle";
  draw.fillStyle = paint.soft;
  draw.fillText("Whole run", 6, high / 2, size.left - 12);
}

function countBins(bins, whole) {
  const counts = new Float64Array(bins);
  for (const line of passing) counts[Math.min(bins - 1, Math.floor(lineAt[line] / whole * bins))]++;
  return counts;
}

// The line that a point of the lanes means; -1 if there is none near.
function lineNear(x, y, reach) {
  const row = drawnRows.find((row) => y >= row.top && y < row.top + highOf(row));
  if (!row) return -1;
  const at = atOf(x), near = nearest(beside(rowLines[row.at] ?? [], at), x, reach);
  if (near >= 0) return near;
  const lasting = [...(spans[row.spans] ?? []), ...(row.spans === "process" ? spans.asleep : [])]
    .findLast((one) => one.from <= at && at <= one.to);
  if (!lasting) return -1;
  for (let line = lineFrom(lasting.from); line < COUNT && lineAt[line] === lasting.from; line++) {
    if (["plan", "machine"].includes(partyOf(line))) return line;
  }
  return -1;
}

// The lines on both sides of a time.
function beside(lines, at) {
  const place = placeFrom(lines, at);
  return [lines[place - 1], lines[place]].filter((line) => line !== undefined);
}

// The nearest of some lines, if it is within reach; else -1.
function nearest(lines, x, reach) {
  const far = (line) => Math.abs(xOf(lineAt[line]) - x);
  const near = lines.sort((a, b) => far(a) - far(b))[0];
  return near !== undefined && far(near) <= reach ? near : -1;
}
