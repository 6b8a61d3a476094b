"use strict";
// The trace: columns decoded at once, texts in chunks when they are looked at.

const head = JSON.parse(document.getElementById("head").textContent);
const plan = JSON.parse(head.plan);
const COUNT = head.kind.length;
const END = head.end_us;
const PARTIES = ["plan", "machine", "agent", "platform", "disk", "reader", "broken"];
const PARTY_SIGNS = { plan: "▼", machine: "▬", agent: "│", platform: "●", disk: "■", reader: "▲", broken: "✖" };
const PLAIN = 0, WARNS = 1, BAD = 2, NOT_WHOLE = 3;

const lineAt = new Float64Array(COUNT);
const lineKind = Uint16Array.from(head.kind);
const lineMark = new Uint8Array(COUNT);
for (let line = 0, at = 0; line < COUNT; line++) {
  at += head.step_us[line];
  lineAt[line] = at;
  lineMark[line] = head.marks.charCodeAt(line) - 48;
}
const partyOf = (line) => head.kinds[lineKind[line]][0];
const kindOf = (line) => head.kinds[lineKind[line]][1];

// A fleet's lines have owners, counted from 1; 0 is nobody's.
const isFleet = Boolean(head.load);
const workspaces = head.workspaces ?? [];
const lineOwner = Uint16Array.from(head.workspace ?? { length: COUNT });
const ownerOf = (line) => workspaces[lineOwner[line] - 1] ?? "";
const setup = plan.setup ?? Object.fromEntries(Object.entries(plan).filter(([name]) => !["seed", "entries"].includes(name)));

const chunkTexts = Array.from(document.querySelectorAll("script.texts"));
const chunks = new Array(chunkTexts.length);
const shapeParts = new Array(head.shapes.length);

function textOf(line) {
  const number = Math.floor(line / head.chunk);
  chunks[number] ??= JSON.parse(chunkTexts[number].textContent);
  const row = chunks[number][line % head.chunk];
  if (row.length === 1) return head.shapes[row[0]];
  const parts = (shapeParts[row[0]] ??= head.shapes[row[0]].split("\u0001"));
  let text = parts[0];
  for (let at = 1; at < row.length; at++) text += row[at] + parts[at];
  return text;
}

// What could break out of its line, or turn it round, is shown as its code.
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
const shown = (text) => text.replace(HIDDEN, (sign) => "\\u{" + sign.charCodeAt(0).toString(16) + "}");

// The first line at or after a time.
function lineFrom(at) {
  let low = 0, high = COUNT;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lineAt[middle] < at) low = middle + 1; else high = middle;
  }
  return low;
}

// The first place in `lines` whose line is at or after a time.
function placeFrom(lines, at) {
  let low = 0, high = lines.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lineAt[lines[middle]] < at) low = middle + 1; else high = middle;
  }
  return low;
}

const SECOND = 1e6, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const two = (number) => String(number).padStart(2, "0");

// A time of the run: hours, minutes, seconds, and so many decimals.
function clock(at, decimals) {
  const unit = 10 ** (6 - decimals);
  const us = Math.max(0, Math.round(at / unit) * unit);
  const days = END > 2 * DAY ? Math.floor(us / DAY) + "d " : "";
  const hours = Math.floor(us / HOUR) % (days ? 24 : Infinity);
  const seconds = Math.floor(us / SECOND) % 60;
  const part = decimals ? "." + String(us % SECOND).padStart(6, "0").slice(0, decimals) : "";
  return days + two(hours) + ":" + two(Math.floor(us / MINUTE) % 60) + ":" + two(seconds) + part;
}

// How long something takes, in one or two units.
function span(us) {
  const units = [[DAY, "d"], [HOUR, "h"], [MINUTE, "min"], [SECOND, "s"], [1e3, "ms"], [1, "µs"]];
  // A day and a half is told in hours.
  const first = units.findIndex(([size]) => us >= (size === DAY ? 2.5 * DAY : size));
  if (first < 0) return "0 s";
  const [size, name] = units[first];
  if (size < MINUTE) return Number((us / size).toFixed(size === SECOND ? 1 : 0)) + " " + name;
  const [smaller, smallName] = units[first + 1];
  const whole = Math.floor(us / size), rest = Math.floor((us - whole * size) / smaller);
  return whole + " " + name + (rest ? " " + rest + " " + smallName : "");
}

const number = (value) => value.toLocaleString("en").replace(/,/g, " ");
