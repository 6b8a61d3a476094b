// The lines as text: a grid that holds only the rows in sight, and the chosen
// line in full beside it.

const grid = document.getElementById("lines");
const gridAll = document.getElementById("lines-all");
const detail = document.getElementById("detail");
const rowElements = new Map();
let passing = new Uint32Array(0);   // The lines that pass the filter, in order.
let rowHeight = 26;

function placeIn(lines, line) {
  let low = 0, high = lines.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lines[middle] < line) low = middle + 1; else high = middle;
  }
  return low;
}

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function resetList() {
  rowHeight = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--line")) || 26;
  for (const row of rowElements.values()) row.remove();
  rowElements.clear();
  gridAll.style.height = passing.length * rowHeight + "px";
  grid.setAttribute("aria-rowcount", passing.length);
  document.getElementById("no-lines").hidden = passing.length > 0;
  fillList();
}

function fillList() {
  const first = Math.max(0, Math.floor(grid.scrollTop / rowHeight) - 8);
  const last = Math.min(passing.length, Math.ceil((grid.scrollTop + grid.clientHeight) / rowHeight) + 8);
  for (const [place, row] of rowElements) {
    if (place < first || place >= last) { row.remove(); rowElements.delete(place); }
  }
  // In order, so that they are read in order.
  let before = null;
  for (let place = first; place < last; place++) {
    let row = rowElements.get(place);
    if (!row) {
      row = rowElement(place);
      rowElements.set(place, row);
      gridAll.insertBefore(row, before ? before.nextSibling : gridAll.firstChild);
    }
    before = row;
  }
  markRows();
}

function rowElement(place) {
  const line = passing[place], party = partyOf(line);
  const row = element("div", "row tone-" + party);
  row.id = "line-" + line;
  row.setAttribute("role", "row");
  row.setAttribute("aria-rowindex", place + 1);
  row.style.top = place * rowHeight + "px";
  row.classList.toggle("bad", lineMark[line] === BAD || lineMark[line] === NOT_WHOLE && party === "platform");
  row.classList.toggle("warn", lineMark[line] === WARNS);
  const party_ = element("span", "party");
  const sign = element("span", "sign", PARTY_SIGNS[party]);
  sign.setAttribute("aria-hidden", "true");
  party_.append(sign, shown(ownerOf(line)) || party);
  row.append(element("span", "at", clock(lineAt[line], 3)), party_,
    element("span", "kind", shown(kindOf(line))), element("span", "words", shown(brief(line))));
  for (const cell of row.children) cell.setAttribute("role", "gridcell");
  row.addEventListener("click", () => choose(line));
  row.addEventListener("dblclick", () => { setView(lineAt[line] - MINUTE, lineAt[line] + MINUTE); });
  return row;
}

// A command's own words, without the frame that is the same for all.
function brief(line) {
  const text = textOf(line).slice(0, 400);
  const command = /^\{"id":(\d+),"deadline":(?:\d+|null),"action":\{"type":"\w+",?(.*)$/.exec(text);
  return command ? "#" + command[1] + " " + command[2].replace(/\}\}$/, "") : text;
}

function markRows() {
  for (const [place, row] of rowElements) {
    const line = passing[place];
    row.setAttribute("aria-selected", String(line === chosen));
    row.classList.toggle("hit", search.set.has(line));
  }
  const row = chosen >= 0 && document.getElementById("line-" + chosen);
  if (row) grid.setAttribute("aria-activedescendant", row.id); else grid.removeAttribute("aria-activedescendant");
}

// In the middle, unless it is in sight already.
function revealInList(line) {
  const top = placeIn(passing, line) * rowHeight;
  if (top < grid.scrollTop || top + rowHeight > grid.scrollTop + grid.clientHeight) {
    grid.scrollTop = top - (grid.clientHeight - rowHeight) / 2;
  }
  fillList();
}

function showDetail() {
  const line = chosen;
  const has = line >= 0;
  for (const id of ["same-before", "same-next"]) document.getElementById(id).disabled = !has;
  const title = document.getElementById("detail-title");
  title.textContent = has ? "" : "No line chosen";
  document.getElementById("detail-when").textContent = has ? "" : "Choose a sign in the lanes, or a line.";
  document.getElementById("detail-ids").replaceChildren();
  document.getElementById("detail-text").textContent = "";
  if (!has) return;
  const party = partyOf(line), text = textOf(line);
  const sign = element("span", "sign tone-" + party, PARTY_SIGNS[party]);
  sign.setAttribute("aria-hidden", "true");
  title.append(sign, " " + party + " ", element("b", "", shown(kindOf(line))), ownerOf(line) && " " + shown(ownerOf(line)));
  const wall = shown(clock(lineAt[line], 6));
  document.getElementById("detail-when").textContent =
    wall + " · line " + number(head.first + line + 1) + " of " + number(head.total);
  document.getElementById("detail-text").textContent = pretty(text);
  const ids = idsIn(text).map((id) => {
    const button = element("button", "", shown(id));
    button.type = "button";
    button.addEventListener("click", () => searchFor(id));
    return button;
  });
  document.getElementById("detail-ids").replaceChildren(...ids);
}

const IDS = [/"?(?:delegation_id|message_id|messageId)"?: ?"([^"\\]{1,80})"/g, /\beverbeat-[0-9a-f]{8,}\b/g,
  /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, /\bDelegation ([\w-]{1,80})(?=[:\s])/g,
  /\("([\w-]{1,80})", "(?:completed|failed)"\)/g, /(?<![<\/])\b[dmfh]\d{1,9}(?:-\d{1,9})?\b/g];
const NO_IDS = ["failed", "completed"];

function idsIn(text) {
  const plain = text.replace(/\\"/g, '"');
  const found = IDS.flatMap((pattern) => Array.from(plain.matchAll(pattern), (match) => match[1] ?? match[0]));
  return [...new Set(found)].filter((id) => !NO_IDS.includes(id)).slice(0, 12);
}

// Brackets of JSON, and of what Rust prints, open onto lines of their own
// where they hold too much for one.
function pretty(text) {
  let out = "", depth = 0, quote = false;
  const onOneLine = (from) => {
    let deep = 0, inside = false;
    for (let at = from; at < text.length && at - from < 60; at++) {
      const sign = text[at];
      if (inside) { if (sign === "\\") at++; else if (sign === '"') inside = false; }
      else if (sign === '"') inside = true;
      else if ("{[(".includes(sign)) deep++;
      else if ("}])".includes(sign) && --deep === 0) return at + 1;
    }
    return 0;
  };
  const newLine = () => { out = out.replace(/ +$/, "") + "\n" + "  ".repeat(depth); };
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (quote) {
      out += sign;
      if (sign === "\\") out += text[++at] ?? ""; else if (sign === '"') quote = false;
    } else if (sign === '"') { quote = true; out += sign; }
    else if ("{[(".includes(sign)) {
      const end = onOneLine(at);
      if (end) { out += text.slice(at, end); at = end - 1; continue; }
      depth++; out += sign; newLine();
    } else if ("}])".includes(sign) && depth) { depth--; newLine(); out += sign; }
    else if (sign === "," && depth) { out += sign; newLine(); while (text[at + 1] === " ") at++; }
    else out += sign;
  }
  return out.split("\n").map(shown).join("\n");
}

grid.addEventListener("scroll", fillList, { passive: true });
grid.addEventListener("keydown", (event) => {
  const page = Math.max(1, Math.floor(grid.clientHeight / rowHeight) - 1);
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
  if (!(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  event.stopPropagation();
  step(steps[event.key]);
});
