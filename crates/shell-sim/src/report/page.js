// What the page is asked: choosing, searching, filtering, and the keys.

let chosen = -1;
const search = { query: "", lines: [], set: new Set(), whole: true, hidden: 0 };
const filter = { parties: new Set(PARTIES), kind: "", workspace: 0, words: "" };
const brokenLines = [];
for (let line = 0; line < COUNT; line++) if (partyOf(line) === "broken") brokenLines.push(line);
const $ = (id) => document.getElementById(id);
const partyShown = (party) => filter.parties.has(party);

// What is said to those who do not see the lanes.
const said = {
  timer: 0,
  last: "",
  now(text) { $("say").textContent = text; },
  range() {
    const text = rangeText();
    $("range").textContent = text;
    if (text === said.last) return;
    said.last = text;
    clearTimeout(said.timer);
    said.timer = setTimeout(() => lanes.setAttribute("aria-label", "Lanes of time, " + text), 300);
  },
};

function rangeText() {
  const wide = view.to - view.from;
  const decimals = wide < 10 * SECOND ? 3 : 0;
  return clock(view.from, decimals) + " – " + clock(view.to, decimals) + "  ·  " + span(wide);
}

function choose(line, { speak = false } = {}) {
  chosen = line;
  if (line >= 0) {
    reveal(lineAt[line]);
    revealInList(line);
    revealInCrowd(line);
    if (speak) said.now(clock(lineAt[line], 3) + ", " + partyOf(line) + " " + kindOf(line) + ", " + shown(brief(line)).slice(0, 120));
  }
  showDetail();
  markRows();
  markHit();
  for (const button of $("broken").querySelectorAll("button")) {
    button.setAttribute("aria-current", String(Number(button.dataset.line) === line));
  }
  redraw();
  try { history.replaceState(null, "", line >= 0 ? "#line=" + (head.first + line + 1) : "#"); } catch { /* Not from a file, everywhere. */ }
}

// So many lines on, of those that pass the filter.
function step(by) {
  if (!passing.length) return;
  const place = chosen < 0 ? (by > 0 ? -1 : passing.length) : placeIn(passing, chosen);
  const isOn = passing[place] === chosen;
  const to = by > 0 && !isOn && chosen >= 0 ? place + by - 1 : place + by;
  choose(passing[Math.min(Math.max(to, 0), passing.length - 1)], { speak: document.activeElement !== grid });
}

function stepSame(by) {
  if (chosen < 0) return;
  for (let line = chosen + by; line >= 0 && line < COUNT; line += by) {
    if (lineKind[line] === lineKind[chosen]) { showAlso(line); choose(line, { speak: true }); return; }
  }
  said.now("No other line of this kind.");
}

function nextBroken() {
  if (!brokenLines.length) { said.now("No promise was broken."); return; }
  const line = brokenLines.find((line) => line > chosen) ?? brokenLines[0];
  showAlso(line);
  choose(line, { speak: true });
}

// A line that is asked for is shown, whatever the filter says.
function showAlso(line) {
  if (passing[placeIn(passing, line)] !== line) clearFilter();
}

// Search

const escapeForSearch = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

// A whole id if there is one, else part of a word.
function searchFor(query, { jump = true } = {}) {
  $("find").value = query;
  search.query = query.trim();
  search.lines = [];
  search.whole = true;
  if (search.query) {
    const flags = /[A-Z]/.test(search.query) ? "" : "i";
    const plain = escapeForSearch(search.query);
    const edge = (sign, before) => !/[\w-]/.test(sign) ? "" : before ? "(?:^|[^\\w-])" : "(?![\\w-])";
    const whole = new RegExp(edge(search.query[0], true) + plain + edge(search.query.at(-1), false), flags);
    search.lines = linesWith(whole);
    if (!search.lines.length) {
      search.whole = false;
      search.lines = linesWith(new RegExp(plain, flags));
    }
  }
  search.set = new Set(search.lines);
  markHit();
  markRows();
  redraw();
  if (jump && search.lines.length) hit(1, true);
}

function linesWith(pattern) {
  const kinds = head.kinds.map(([, kind]) => pattern.test(kind));
  const owners = workspaces.map((name) => pattern.test(name));
  const lines = [];
  search.hidden = 0;
  let place = 0;
  for (let line = 0; line < COUNT; line++) {
    if (!kinds[lineKind[line]] && !owners[lineOwner[line] - 1] && !pattern.test(textOf(line))) continue;
    while (place < passing.length && passing[place] < line) place++;
    if (passing[place] === line) lines.push(line); else search.hidden++;
  }
  return lines;
}

// The next hit from the chosen line, round the end; `stay` on one that is.
function hit(by, stay = false) {
  const { lines } = search;
  if (!lines.length) return;
  const place = placeIn(lines, chosen);
  const isOn = lines[place] === chosen;
  let to = by > 0 ? (isOn && !stay ? place + 1 : place) : place - 1;
  if (to >= lines.length) to = 0;
  if (to < 0) to = lines.length - 1;
  choose(lines[to]);
}

function markHit() {
  const { lines, query, whole, hidden } = search;
  for (const id of ["hit-before", "hit-next"]) $(id).disabled = !lines.length;
  if (!query) { $("hits").textContent = ""; return; }
  const also = hidden ? ", " + number(hidden) + " filtered out" : "";
  if (!lines.length) { $("hits").textContent = "no hit" + also; return; }
  const place = lines.indexOf(chosen);
  $("hits").textContent = (place < 0 ? "" : number(place + 1) + " / ") + number(lines.length)
    + (whole ? "" : " in words") + also;
}

// Filter

function applyFilter() {
  const wanted = filter.words.toLowerCase().split(/\s+/).filter(Boolean);
  const must = wanted.filter((word) => word[0] !== "-");
  const mustNot = wanted.filter((word) => word[0] === "-" && word.length > 1).map((word) => word.slice(1));
  const kindPasses = head.kinds.map(([party, kind]) =>
    filter.parties.has(party) && (!filter.kind || filter.kind === party + " " + kind));
  const lines = new Uint32Array(COUNT);
  let count = 0;
  for (let line = 0; line < COUNT; line++) {
    if (!kindPasses[lineKind[line]]) continue;
    // What is nobody's concerns every workspace.
    if (filter.workspace && lineOwner[line] && lineOwner[line] !== filter.workspace) continue;
    if (wanted.length) {
      const text = (kindOf(line) + " " + ownerOf(line) + " " + textOf(line)).toLowerCase();
      if (!must.every((word) => text.includes(word)) || mustNot.some((word) => text.includes(word))) continue;
    }
    lines[count++] = line;
  }
  passing = lines.slice(0, count);
  const counts = new Uint32Array(ROWS.length);
  for (const line of passing) counts[lineRow[line]]++;
  rowLines = Array.from(counts, (rows) => new Uint32Array(rows));
  counts.fill(0);
  for (const line of passing) rowLines[lineRow[line]][counts[lineRow[line]]++] = line;
  sortCrowd();
  heights = null;
  const all = passing.length === COUNT;
  $("filtered").textContent = all ? "" : number(passing.length) + " of " + number(COUNT) + " lines";
  $("clear").disabled = filterIsOff();
  resetList();
  if (chosen >= 0) revealInList(chosen);
  if (search.query) searchFor($("find").value, { jump: false });
  redraw();
}

const filterIsOff = () => !filter.kind && !filter.workspace && !filter.words && filter.parties.size === PARTIES.length;

function clearFilter() {
  filter.parties = new Set(PARTIES);
  filter.kind = filter.words = $("kind").value = $("words").value = "";
  filter.workspace = $("workspace").value = 0;
  for (const chip of $("parties").children) chip.setAttribute("aria-pressed", "true");
  applyFilter();
}

// What stands on the page from the start

function fact(name, value, more) {
  const one = element("div", more ? "more" : "");
  one.append(element("dt", "", name[0].toUpperCase() + name.slice(1)), element("dd", "", value));
  $("facts").append(one);
}

function showSummary() {
  const broken = head.verdict.length;
  $("verdict").className = broken ? "broken" : "kept";
  $("verdict").textContent = !broken ? "✓ All promises kept"
    : "✖ " + (broken === 1 ? "1 promise broken" : broken + " promises broken");
  const parties = {};
  for (let line = 0; line < COUNT; line++) parties[partyOf(line)] = (parties[partyOf(line)] ?? 0) + 1;
  fact("Seed", head.seed);
  fact("Time", span(END));
  if (isFleet) fact("Lanes", number(workspaces.length) + " of " + number(head.load.agents) + " workspaces");
  else fact("Healed at", clock(healedAt, 0));
  fact("Plan entries", number(plan.entries.length));
  fact("Lines", number(head.total));
  if (!isFleet) fact("Starts", number(spans.process.filter((one) => one.up).length));
  for (const [name, value] of Object.entries(setup)) {
    const isTime = name.endsWith("_ms");
    const text = isTime ? span(value * 1e3) : value === true ? "yes" : value === false ? "no"
      : typeof value === "number" ? number(value) : typeof value === "object" ? JSON.stringify(value) : words(String(value));
    fact(words(isTime ? name.slice(0, -3) : name), text, true);
  }
  for (const line of brokenLines) {
    const button = element("button");
    button.type = "button";
    button.dataset.line = line;
    button.append(element("b", "", "✖ " + clock(lineAt[line], 3)), element("span", "", shown(textOf(line))));
    button.addEventListener("click", () => { showAlso(line); focusOn(line); });
    const item = element("li");
    item.append(button);
    $("broken").append(item);
  }
  $("broken").hidden = !broken;
  if (head.total > COUNT) {
    $("left-out").hidden = false;
    $("left-out").textContent = "Lines " + number(head.first + 1) + " to " + number(head.first + COUNT)
      + " of " + number(head.total) + " are on this page; the trace has the others.";
  }
  return parties;
}

function showFilter(counts) {
  for (const party of PARTIES.filter((party) => counts[party])) {
    const chip = element("button", "tone-" + party);
    chip.type = "button";
    chip.setAttribute("aria-pressed", "true");
    const sign = element("span", "sign", PARTY_SIGNS[party]);
    sign.setAttribute("aria-hidden", "true");
    chip.append(sign, party, element("span", "count", number(counts[party])));
    chip.addEventListener("click", () => {
      const on = !filter.parties.delete(party);
      if (on) filter.parties.add(party);
      chip.setAttribute("aria-pressed", String(on));
      applyFilter();
    });
    $("parties").append(chip);
  }
  const each = new Uint32Array(head.kinds.length);
  for (const kind of lineKind) each[kind]++;
  $("kind").append(new Option("all", ""));
  for (const party of PARTIES.filter((party) => counts[party])) {
    const group = element("optgroup");
    group.label = party;
    head.kinds.map(([of, kind], at) => [of, kind, each[at]]).filter(([of]) => of === party)
      .sort((a, b) => (a[1] < b[1] ? -1 : 1))
      .forEach(([, kind, count]) => group.append(new Option(shown(kind) + "  " + number(count), party + " " + kind)));
    $("kind").append(group);
  }
  document.body.classList.toggle("fleet", isFleet);
  $("whose").hidden = $("workspace-hint").hidden = !isFleet;
  $("save-plan").hidden = isFleet;
  $("workspace").append(new Option("all", 0), ...workspaces.map((name, at) => new Option(shown(name), at + 1)));
}

function showSigns() {
  const signs = [["●", "answer 2xx; in the disk's lane, a call that went well"], ["▲", "answer 3xx or 4xx, or a notice of trouble"],
    ["■", "answer 5xx; a file call that failed"], ["○", "the answer did not arrive whole"],
    ["│", "beat, poll or another call"], ["◆", "notice"], ["✉", "self-message, or a line for the user"],
    ["□", "stored, not yet placed; filled: placed"], ["⚑", "a process starts or ends"],
    ["▨", "hatched: an outage, a bad network, sleep, no process"], ["▮", "a column: several in one place, the taller the more"],
    ...isFleet ? [["▂", "requests in each second of the whole fleet; hatched, while no platform was there"]] : [],
    ["▾", "a search hit"], ["✖", "a broken promise, with a dashed line through all lanes"]];
  for (const [sign, text] of signs) {
    const item = element("li");
    item.append(element("span", "sign", sign), element("span", "", text));
    $("signs").append(item);
  }
}

// A line in view with what lies around it.
function focusOn(line) {
  const wide = Math.min(END, Math.max(10 * MINUTE, Number(setup.interval_ms || 0) * 20e3));
  setView(lineAt[line] - wide / 2, lineAt[line] + wide / 2);
  choose(line, { speak: true });
}

// Pointers: one drags, two pinch, a click chooses.

const pointers = new Map();
let moved = 0;

function placeOf(event) {
  const box = event.currentTarget.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

for (const [canvas, near] of [[lanes, lineNear], [crowdLanes, lineNearInCrowd]]) {
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, placeOf(event));
    if (pointers.size === 1) moved = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const now = placeOf(event), before = pointers.get(event.pointerId);
    if (!before) { if (event.pointerType === "mouse") showTip(canvas, now, near(now.x, now.y, 6)); return; }
    const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    moved += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
    if (others.length) {
      const apart = Math.max(20, Math.abs(before.x - others[0].x)), apartNow = Math.max(20, Math.abs(now.x - others[0].x));
      zoom(apartNow / apart, atOf((now.x + others[0].x) / 2));
      moved = 99;
    } else if (moved > 4) {
      canvas.classList.add("drags");
      pan((before.x - now.x) / plotWidth());
    }
    pointers.set(event.pointerId, now);
    hideTip();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (pointers.delete(event.pointerId) && moved <= 4) {
      const { x, y } = placeOf(event);
      if (x >= size.left) chooseAt(x, near(x, y, event.pointerType === "mouse" ? 9 : 18));
      else if (canvas === crowdLanes) showWorkspace(workspaceAt(y));
    }
    canvas.classList.remove("drags");
  });
  canvas.addEventListener("pointercancel", (event) => { pointers.delete(event.pointerId); canvas.classList.remove("drags"); });
  canvas.addEventListener("pointerleave", hideTip);
  canvas.addEventListener("dblclick", (event) => zoom(4, atOf(placeOf(event).x)));
  canvas.addEventListener("wheel", (event) => {
    const flows = canvas === crowdLanes || getComputedStyle(document.body).display === "block";
    if (flows && !event.ctrlKey && !event.shiftKey && Math.abs(event.deltaY) >= Math.abs(event.deltaX)) return;
    event.preventDefault();
    hideTip();
    const unit = event.deltaMode === 1 ? 16 : 1;
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      pan((event.deltaX || event.deltaY) * unit / plotWidth());
    } else {
      zoom(Math.exp(-event.deltaY * unit * (event.ctrlKey ? .01 : .002)), atOf(placeOf(event).x));
    }
  }, { passive: false });
}
crowd.addEventListener("scroll", redraw, { passive: true });

// The sign there, or else the line whose time is nearest.
function chooseAt(x, near) {
  if (near >= 0) { choose(near); return; }
  const place = placeFrom(passing, atOf(x));
  if (passing.length) choose(passing[Math.min(place, passing.length - 1)]);
}

function showTip(canvas, { x, y }, line) {
  const tip = $("tip");
  tip.hidden = line < 0 || x < size.left;
  if (tip.hidden) return;
  const kind = [ownerOf(line), kindOf(line)].filter(Boolean).map(shown).join(" ");
  tip.replaceChildren(element("b", "", clock(lineAt[line], 3) + "  " + kind),
    element("br"), shown(brief(line)).slice(0, 160));
  const box = canvas.getBoundingClientRect(), frame = tip.offsetParent.getBoundingClientRect();
  const left = box.left - frame.left + x, room = size.width + box.left - frame.left;
  tip.style.left = Math.max(8, Math.min(left + 14, room - tip.offsetWidth - 4)) + "px";
  tip.style.top = box.top - frame.top + y + 16 + "px";
}

function hideTip() { $("tip").hidden = true; }

function moveOverview(event) {
  const at = (event.clientX - overview.getBoundingClientRect().left - size.left) / plotWidth() * END;
  const half = (view.to - view.from) / 2;
  setView(at - half, at + half);
}
overview.addEventListener("pointerdown", (event) => {
  overview.setPointerCapture(event.pointerId);
  overview.classList.add("drags");
  moveOverview(event);
});
overview.addEventListener("pointermove", (event) => { if (overview.hasPointerCapture(event.pointerId)) moveOverview(event); });
overview.addEventListener("pointerup", () => overview.classList.remove("drags"));

// Buttons and keys

const around = () => (chosen >= 0 && lineAt[chosen] >= view.from && lineAt[chosen] <= view.to ? lineAt[chosen] : undefined);
const actions = {
  "zoom-in": () => zoom(2, around()),
  "zoom-out": () => zoom(.5, around()),
  "pan-left": () => pan(-.25),
  "pan-right": () => pan(.25),
  "fit": () => setView(0, END),
  "hit-before": () => hit(-1),
  "same-before": () => stepSame(-1),
  "same-next": () => stepSame(1),
  "clear": clearFilter,
  "save-plan": () => {
    const link = element("a");
    link.href = URL.createObjectURL(new Blob([head.plan + "\n"], { type: "application/json" }));
    link.download = "plan-" + head.seed + ".json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  },
};
for (const [id, action] of Object.entries(actions)) $(id).addEventListener("click", action);

let typing = 0;
$("find").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => searchFor($("find").value), 180);
});
$("find-form").addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typing);
  if ($("find").value.trim() !== search.query) searchFor($("find").value); else hit(1);
});
$("find").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.shiftKey) { event.preventDefault(); hit(-1); }
  if (event.key === "Escape") { searchFor(""); lanes.focus(); }
});
$("kind").addEventListener("change", () => { filter.kind = $("kind").value; applyFilter(); });
$("workspace").addEventListener("change", () => { filter.workspace = Number($("workspace").value); applyFilter(); });
$("words").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => { filter.words = $("words").value.trim(); applyFilter(); }, 180);
});
$("filters").addEventListener("keydown", (event) => {
  if (event.key === "Escape") { $("filters").open = false; $("filters").querySelector("summary").focus(); }
});
document.addEventListener("pointerdown", (event) => {
  if (getComputedStyle(document.body).display !== "block" && !$("filters").contains(event.target)) $("filters").open = false;
});

const keys = {
  "+": actions["zoom-in"], "=": actions["zoom-in"], "-": actions["zoom-out"], "_": actions["zoom-out"],
  "ArrowLeft": (event) => pan(event.shiftKey ? -1 : -.15),
  "ArrowRight": (event) => pan(event.shiftKey ? 1 : .15),
  "Home": () => setView(0, view.to - view.from),
  "End": () => setView(END - (view.to - view.from), END),
  "0": actions.fit,
  ".": () => step(1), ",": () => step(-1),
  "]": () => stepSame(1), "[": () => stepSame(-1),
  "n": () => hit(1), "N": () => hit(-1),
  "b": nextBroken,
  "/": () => { $("find").focus(); $("find").select(); },
  "f": () => { $("filters").open = true; $("words").focus(); },
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
  const on = event.target;
  if (on.matches("input, select, textarea")) return;
  if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key) && on !== lanes && on !== document.body) return;
  event.preventDefault();
  keys[event.key](event);
});

function resized() {
  readPaint();
  measure();
  resetList();
  if (chosen >= 0) revealInList(chosen);
  redraw();
}
new ResizeObserver(() => { if (lanes.clientWidth !== size.width) resized(); else fillList(); }).observe(document.body);
new ResizeObserver(fillList).observe(grid);
for (const query of ["(prefers-color-scheme: dark)", "(prefers-contrast: more)", "(max-width: 700px)"]) {
  matchMedia(query).addEventListener("change", resized);
}

// The start: the first broken promise in view, or the line that the address
// names, or the whole run.
showFilter(showSummary());
showSigns();
readPaint();
measure();
applyFilter();
showDetail();
const named = /^#line=(\d+)$/.exec(location.hash);
const asked = named ? Number(named[1]) - 1 - head.first : -1;
if (asked >= 0 && asked < COUNT) focusOn(asked);
else if (brokenLines.length) focusOn(brokenLines[0]);
markHit();
requestAnimationFrame(() => {
  const ms = Math.round(performance.now());
  document.documentElement.dataset.ready = ms;
  $("drawn").textContent = number(COUNT) + " lines in " + number(ms) + " ms";
});
