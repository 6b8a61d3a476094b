// A fleet: how much the platform was asked, and a lane for each workspace that
// is told of.

const crowd = document.getElementById("crowd");
const crowdLanes = crowd.querySelector("canvas");
const crowdPen = crowdLanes.getContext("2d");
// What stands in a workspace's lane, the later over the earlier.
const LAYERS = ["Beat", "Poll", "Other calls", "Answers 4xx", "Answers 5xx", "No answer", "Trouble told", "Stored",
  "Self-message", "Process"].map((label) => ROWS.findIndex((row) => row.label === label));
let crowdLines = [];   // For each workspace and row, the lines that pass the filter.

// What each workspace's process and machine did, in spans.
const crowdSpans = workspaces.map(() => ({ up: [], down: [], asleep: [] }));
for (let line = 0; line < COUNT; line++) {
  if (!lineOwner[line] || partyOf(line) !== "machine") continue;
  const { up, down, asleep } = crowdSpans[lineOwner[line] - 1];
  const begins = { start: up, stop: down, sleep: asleep }[kindOf(line)];
  const ends = { start: down, stop: up, wake: asleep }[kindOf(line)];
  if (ends?.length) ends.at(-1).to = lineAt[line];
  begins?.push({ from: lineAt[line], to: END });
}

function sortCrowd() {
  crowdLines = workspaces.map(() => []);
  for (const line of passing) {
    if (lineOwner[line]) (crowdLines[lineOwner[line] - 1][lineRow[line]] ??= []).push(line);
  }
}

function measureCrowd() {
  crowd.hidden = !workspaces.length;
  const high = workspaces.length * size.row;
  // As on a screen that holds all at once, with room for the lines below.
  const left = Math.max(innerHeight, 860) - lanes.getBoundingClientRect().top - scrollY - size.height - 250;
  const seen = Math.min(high, Math.max((size.width < 600 ? 12 : 6) * size.row, Math.floor(left / size.row) * size.row));
  crowd.style.height = seen + "px";
  // The canvas is as high as what is seen; what follows it makes room to scroll.
  crowdLanes.style.height = seen + "px";
  crowdLanes.style.width = size.width + "px";
  crowdLanes.nextElementSibling.style.height = high - seen + "px";
  crowdLanes.width = Math.round(size.width * devicePixelRatio);
  crowdLanes.height = Math.round(seen * devicePixelRatio);
  size.right = crowd.offsetWidth - crowd.clientWidth;
}

function drawCrowd() {
  const lanesPen = pen;
  pen = crowdPen;
  pen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  pen.clearRect(0, 0, size.width, crowd.clientHeight);
  pen.textBaseline = "middle";
  const first = Math.floor(crowd.scrollTop / size.row);
  const end = Math.min(workspaces.length, Math.ceil((crowd.scrollTop + crowd.clientHeight) / size.row));
  for (let at = first; at < end; at++) drawWorkspace(at, at * size.row - crowd.scrollTop);
  if (chosen >= 0 && xOf(lineAt[chosen]) >= size.left) {
    pen.fillStyle = paint.ink;
    pen.fillRect(xOf(lineAt[chosen]) - .5, 0, 1, crowd.clientHeight);
  }
  pen = lanesPen;
}

function drawWorkspace(at, top) {
  const middle = top + size.row / 2;
  if (at % 2) {
    pen.fillStyle = paint.band;
    pen.fillRect(0, top, size.width, size.row);
  }
  const isOne = filter.workspace === at + 1;
  pen.font = (isOne ? "600 " : "") + "12px " + paint.text;
  pen.textAlign = "left";
  pen.fillStyle = isOne ? paint.accent : paint.soft;
  pen.fillText(shown(workspaces[at]), 6, middle + .5, size.left - 16);
  pen.save();
  pen.beginPath();
  pen.rect(size.left - 6, top, plotWidth() + 6, size.row);
  pen.clip();
  const row = { top };
  for (const { from, to } of crowdSpans[at].up) {
    if (to < view.from || from > view.to) continue;
    const left = Math.max(xOf(from), size.left), right = Math.min(xOf(to), size.width);
    pen.fillStyle = paint.rule;
    pen.fillRect(left, middle - 1, Math.max(1, right - left), 2);
  }
  for (const [spans, fill, edge] of [[crowdSpans[at].down, paint.down, paint.bad], [crowdSpans[at].asleep, paint.asleep, paint.machine]]) {
    for (const { from, to } of spans) if (to >= view.from && from <= view.to) bar(row, from, to, fill, edge, "");
  }
  for (const layer of LAYERS) drawLines({ ...ROWS[layer], named: false, top }, crowdLines[at][layer]);
  if (chosen >= 0 && lineOwner[chosen] === at + 1) ring(xOf(lineAt[chosen]), middle);
  pen.restore();
}

// The sign in a workspace's lane that a point means; -1 if there is none near.
function lineNearInCrowd(x, y, reach) {
  const lines = crowdLines[workspaceAt(y) - 1];
  return lines ? nearest(LAYERS.flatMap((layer) => beside(lines[layer] ?? [], atOf(x))), x, reach) : -1;
}

// Counted from 1, at a height of what is seen.
const workspaceAt = (y) => Math.floor((y + crowd.scrollTop) / size.row) + 1;

function revealInCrowd(line) {
  if (!lineOwner[line]) return;
  const top = (lineOwner[line] - 1) * size.row;
  if (top < crowd.scrollTop || top + size.row > crowd.scrollTop + crowd.clientHeight) {
    crowd.scrollTop = top - (crowd.clientHeight - size.row) / 2;
  }
}

// One workspace alone, or all of them again.
function showWorkspace(number) {
  filter.workspace = filter.workspace === number ? 0 : number;
  $("workspace").value = filter.workspace;
  applyFilter();
}

// Requests in each second of the whole fleet: filled if a platform was there,
// hatched if none was.
function drawLoad(row) {
  const { tried, served } = head.load;
  const high = highOf(row) - 4, foot = row.top + highOf(row) - 2;
  const most = Math.max(1, ...tried);
  const wide = 2, second = plotWidth() / (view.to - view.from) * SECOND;
  const each = Math.max(1, Math.ceil(wide / second));
  let seen = 0;
  const from = Math.floor(Math.max(0, view.from) / SECOND / each) * each;
  for (let at = from; at * SECOND < view.to && at < tried.length; at += each) {
    let asked = 0, got = 0;
    for (let of = at; of < at + each && of < tried.length; of++) {
      asked = Math.max(asked, tried[of]);
      got = Math.max(got, served[of] ?? 0);
    }
    seen = Math.max(seen, asked);
    const x = xOf(at * SECOND), cell = Math.max(1, each * second - .5);
    pen.fillStyle = paint.down;
    pen.fillRect(x, foot - high * asked / most, cell, high * (asked - got) / most);
    pen.fillStyle = paint.ok;
    pen.fillRect(x, foot - high * got / most, cell, high * got / most);
  }
  pen.strokeStyle = paint.rule;
  pen.strokeRect(size.left, row.top + 1.5, plotWidth(), high + .5);
  barLabel({ top: row.top }, size.left + 2, size.width, "at most " + number(seen) + " in a second", paint.ink);
}
