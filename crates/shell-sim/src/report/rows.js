// The rows of the lanes: which line stands in which, and what lasted.

const DUE = ["finish", "finish_foreign", "long_list", "hostile_list"];
const FILE_CALLS = ["open_store", "store_batch", "place_batch", "append_journal", "compact_journal",
  "probe_results", "reload_token", "save_token", "save_inbound_secret"];
const CALLS = ["register", "lookup", "cancel", "rebuild_client"];

// In the order that they are drawn. A line stands in the first row that takes it.
const ROWS = [
  { label: "Broken", lane: "broken", tone: "bad", glyph: "cross", takes: (p) => p === "broken" },
  { label: "Outage", lane: "plan", tone: "plan", spans: "outage" },
  { label: "Network", lane: "plan", tone: "plan", spans: "network" },
  { label: "Agent mode", lane: "plan", tone: "plan", spans: "agent_mode" },
  { label: "Slow disk", lane: "plan", tone: "plan", spans: "disk_slow" },
  { label: "Results due", lane: "plan", tone: "reader", glyph: "down", named: true, takes: (p, k) => p === "plan" && DUE.includes(k) },
  { label: "Faults, acts", lane: "plan", tone: "plan", glyph: "bolt", named: true, takes: (p) => p === "plan" },
  { label: "Process", lane: "machine", tone: "machine", spans: "process", glyph: "flag", takes: (p) => p === "machine" },
  { label: "Beat", lane: "agent", tone: "agent", glyph: "tick", takes: (p, k) => p === "agent" && k === "beat" },
  { label: "Poll", lane: "agent", tone: "agent", glyph: "tick", takes: (p, k) => p === "agent" && k === "poll" },
  { label: "Other calls", lane: "agent", tone: "agent", glyph: "tick", takes: (p, k) => p === "agent" && CALLS.includes(k) },
  { label: "Self-message", lane: "deliveries", tone: "reader", glyph: "letter", takes: (p, k) => p === "agent" && k === "self_message" },
  { label: "User told", lane: "deliveries", tone: "reader", glyph: "letter", takes: (p, k) => p === "agent" && k === "notify" },
  { label: "File calls", lane: "disk", tone: "disk", glyph: "tick", takes: (p, k) => p === "agent" && FILE_CALLS.includes(k) },
  { label: "Trouble told", lane: "agent", tone: "warn", glyph: "warn", named: true, takes: (p, k, m) => p === "agent" && m !== PLAIN },
  { label: "Notice", lane: "agent", tone: "agent", glyph: "diamond", named: true, takes: (p) => p === "agent" },
  { label: "Requests / s", lane: "platform", tone: "ok", graph: true, tall: 3 },
  { label: "Answers 2xx", lane: "platform", tone: "ok", glyph: "dot", takes: (p, k, m) => p === "platform" && m === PLAIN },
  { label: "Answers 4xx", lane: "platform", tone: "warn", glyph: "warn", takes: (p, k, m) => p === "platform" && m === WARNS },
  { label: "Answers 5xx", lane: "platform", tone: "bad", glyph: "square", takes: (p, k, m) => p === "platform" && m === BAD },
  { label: "No answer", lane: "platform", tone: "bad", glyph: "ring", takes: (p) => p === "platform" },
  { label: "Stored", lane: "deliveries", tone: "reader", glyph: "box", takes: (p, k, m) => p === "disk" && m !== BAD && (k === "store_batch" || k === "place_batch") },
  { label: "File failed", lane: "disk", tone: "bad", glyph: "square", takes: (p, k, m) => p === "disk" && m === BAD },
  { label: "Disk", lane: "disk", tone: "disk", glyph: "dot", takes: (p) => p === "disk" },
  { label: "Taken", lane: "deliveries", tone: "reader", glyph: "up", takes: (p) => p === "reader" },
];
const LANES = ["broken", "plan", "machine", "agent", "platform", "disk", "deliveries"];
const LANE_NAMES = { broken: "Promises", plan: "Faults", machine: "Machine", agent: "Agent", platform: "Platform", disk: "Disk", deliveries: "Deliveries" };
const ORDER_IN_LANE = ["Stored", "Self-message", "User told", "Taken", "File calls", "Disk", "File failed"];

const rowOfKind = head.kinds.map(([party, kind]) =>
  [PLAIN, WARNS, BAD, NOT_WHOLE].map((mark) => ROWS.findIndex((row) => row.takes?.(party, kind, mark))));
const lineRow = new Uint8Array(COUNT);
for (let line = 0; line < COUNT; line++) lineRow[line] = rowOfKind[lineKind[line]][lineMark[line]];

// What lasts, from the plan's entries; all of it ends when the world is healed.
const spans = { outage: [], network: [], agent_mode: [], disk_slow: [], process: [], asleep: [] };
const healedAt = isFleet ? END : plan.faults_end_ms * 1e3;

const words = (value) => typeof value === "string" ? value.replace(/_/g, " ")
  : Object.entries(value).map(([name, inner]) => typeof inner === "object" && inner
    ? name.replace(/_/g, " ") + " " + words(inner) : name.replace(/_/g, " ") + " " + inner).join(", ");

function networkWords(network) {
  const wrong = Object.entries(network).filter(([name, value]) => value && !name.endsWith("_ms"));
  const slow = (network.latency_ms || 0) + (network.jitter_ms || 0);
  const said = wrong.map(([name, value]) => name.replace(/_/g, " ") + " " + value + " %");
  if (slow > 20) said.unshift("up to " + span(slow * 1e3));
  if (network.tail) said[said.findIndex((one) => one.startsWith("tail "))] += " up to " + span(network.tail_ms * 1e3);
  return said.join(", ");
}

function addLasting(kind, at, label) {
  const last = spans[kind].at(-1);
  if (last && last.to > at) last.to = at;
  if (label) spans[kind].push({ from: at, to: healedAt, label });
}

for (const { at_ms, act } of plan.entries.slice().sort((a, b) => a.at_ms - b.at_ms)) {
  const [name, what] = typeof act === "string" ? [act, {}] : Object.entries(act)[0];
  const at = at_ms * 1e3;
  if (at > healedAt) continue;
  const until = Math.min(at + (what.ms || 0) * 1e3, healedAt);
  const last = spans.asleep.at(-1);
  if (["outage", "restart", "upgrade"].includes(name)) {
    addLasting("outage", at, words(what.kind));
    spans.outage.at(-1).to = until;
  } else if (name === "suspend" && !isFleet && !(last && last.to > at)) {
    spans.asleep.push({ from: at, to: until, label: "asleep " + span(until - at) });
  } else if (name === "network") {
    addLasting("network", at, networkWords(what.network));
  } else if (name === "agent_mode") {
    const { mode = what.mode, ...more } = what.mode;
    addLasting("agent_mode", at, mode === "answers" ? "" : [words(mode), words(more)].filter(Boolean).join(", "));
  } else if (name === "disk_slow") {
    addLasting("disk_slow", at, what.ms ? span(what.ms * 1e3) + " a call" : "");
  }
}

for (let line = 0, up = null; line < COUNT; line++) {
  if (isFleet || partyOf(line) !== "machine") continue;
  const kind = kindOf(line), last = spans.process.at(-1);
  if (kind === "start") {
    if (last && last.to === END) last.to = lineAt[line];
    spans.process.push({ from: lineAt[line], to: END, up: true, label: shown(textOf(line)).replace(/ starts$/, "") });
    up = true;
  } else if ((kind === "kill" || kind === "stop") && (up || !last)) {
    if (last) last.to = lineAt[line];
    spans.process.push({ from: lineAt[line], to: END, up: false, label: kind === "kill" ? "killed" : "stopped" });
    up = false;
  }
}

// Rows that something stands in, lane by lane.
const rowCounts = new Uint32Array(ROWS.length);
for (let line = 0; line < COUNT; line++) rowCounts[lineRow[line]]++;
const drawnRows = LANES.flatMap((lane) => ROWS.map((row, at) => ({ ...row, at }))
  .filter((row) => row.lane === lane && (rowCounts[row.at] || spans[row.spans]?.length || row.graph && isFleet))
  .sort((a, b) => ORDER_IN_LANE.indexOf(a.label) - ORDER_IN_LANE.indexOf(b.label)));
