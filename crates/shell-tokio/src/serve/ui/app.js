// The live page: one stream in, the administrator's routes out.

import { Rows, byId, element, setHidden, setText, shape, span, statusMark } from "./parts.js";
import {
  KINDS, fillDelegation, fillEntry, fillWorkspace, makeDelegation, makeEntry, makeWorkspace, timeDelegation,
  timeWorkspace, wordsOfDelegation, wordsOfEntry, wordsOfWorkspace,
} from "./tables.js";

const SECONDS = 60;
const TOLD_EVERY_MS = 2500;

const workspaces = new Rows(document.querySelector("#workspace-table tbody"), {
  make: makeWorkspace, fill: fillWorkspace, words: wordsOfWorkspace, limit: 100,
});
const delegations = new Rows(document.querySelector("#delegation-table tbody"), {
  make: makeDelegation, fill: fillDelegation, words: wordsOfDelegation, limit: 25, keep: 200, newestFirst: true,
});
const entries = new Rows(byId("log"), {
  make: makeEntry, fill: fillEntry, words: wordsOfEntry, limit: 100, keep: 200, newestFirst: true,
});

const state = { outageUntilMs: null, seconds: [], rate: 0, status: null, kinds: new Set(), isReady: false };
// What this browser's clock must be moved by to be the platform's.
const clocks = { now: 0, wall: 0 };
const nowMs = () => performance.now() + clocks.now;

// --- Saying things -------------------------------------------------------

let toldAt = -Infinity;
let waiting = [];
let timer = null;

/** What the person did is said at once; news are gathered for a while. */
function say(words, tone = "") {
  waiting = [];
  toldAt = performance.now();
  byId("said").className = tone;
  setText(byId("said"), words);
}

function tell(words) {
  waiting.push(words);
  timer ??= setTimeout(() => {
    timer = null;
    if (waiting.length === 0) return;
    const more = waiting.length - 3;
    say(waiting.slice(0, 3).join(". ") + (more > 0 ? `, and ${more} more changes.` : "."));
  }, Math.max(400, toldAt + TOLD_EVERY_MS - performance.now()));
}

// --- The stream ----------------------------------------------------------

let source = null;
let again = null;

function connect() {
  clearTimeout(again);
  source?.close();
  source = new EventSource("events");
  setLink("connecting", "dashes", "calm");
  source.addEventListener("snapshot", (event) => takeSnapshot(JSON.parse(event.data)));
  source.addEventListener("change", (event) => takeChange(JSON.parse(event.data)));
  source.addEventListener("tick", (event) => takeTick(JSON.parse(event.data)));
  source.addEventListener("open", () => setLink("live", "dot", "good"));
  source.addEventListener("error", () => {
    setLink("no connection, trying again", "cross", "bad");
    // A browser gives up for good if the answer was no stream.
    if (source.readyState === EventSource.CLOSED) again = setTimeout(connect, 3000);
  });
}

function setLink(words, form, tone) {
  const link = byId("link");
  link.className = `state mark ${tone}`;
  link.replaceChildren(shape(form), element("span", {}, words));
}

function setClocks(data) {
  clocks.now = data.now_ms - performance.now();
  clocks.wall = data.wall_ms - performance.now();
}

function takeSnapshot(data) {
  setClocks(data);
  workspaces.retain(data.workspaces.map((item) => item.id));
  delegations.retain(data.delegations.map((item) => item.id));
  // Another run of the platform counts its entries anew.
  entries.retain(data.run === state.run ? data.log.map((item) => item.number) : []);
  state.run = data.run;
  data.workspaces.forEach((item) => workspaces.set(item.id, item));
  [...data.delegations].reverse().forEach((item) => delegations.set(item.id, item));
  data.log.forEach((item) => entries.set(item.number, item));
  Object.assign(state, { outageUntilMs: data.outage_until_ms, seconds: data.seconds, rate: data.beats_per_second });
  showRate();
  showTime();
  state.isReady = true;
  document.documentElement.dataset.ready = "";
}

function takeChange(data) {
  setClocks(data);
  for (const item of data.workspaces ?? []) {
    const before = workspaces.get(item.id);
    if (before && before.status !== item.status) tell(`${item.id} is ${item.status.replaceAll("_", " ")}`);
    workspaces.set(item.id, item);
  }
  for (const item of data.delegations ?? []) {
    const before = delegations.get(item.id);
    if (before && before.status !== item.status) tell(`${item.id} is ${item.status}`);
    delegations.set(item.id, item);
  }
  (data.log ?? []).forEach((item) => entries.set(item.number, item));
  if ("outage_until_ms" in data) {
    const wasAway = state.outageUntilMs !== null;
    state.outageUntilMs = data.outage_until_ms;
    if (wasAway !== (state.outageUntilMs !== null)) tell(wasAway ? "The platform is back" : "The platform is away");
  }
  showTime();
}

function takeTick(data) {
  setClocks(data);
  state.rate = data.beats_per_second;
  state.seconds = [...state.seconds, data.last_second ?? 0].slice(-SECONDS);
  showRate();
  showTime();
}

// --- Showing -------------------------------------------------------------

const platformState = statusMark();
byId("platform-state").append(platformState, element("span", { id: "back-in" }));

function showTime() {
  const now = nowMs();
  workspaces.each((row, item) => timeWorkspace(row, item, now));
  delegations.each((row, item) => timeDelegation(row, item, performance.now() + clocks.wall));
  const left = state.outageUntilMs === null ? null : Math.max(0, state.outageUntilMs - now);
  const isAway = left !== null;
  platformState.fill(isAway ? "offline" : "online");
  setText(platformState.lastChild, isAway ? "away" : "serving");
  setText(byId("back-in"), isAway ? `back in ${span(left + 999)}` : "");
  document.body.classList.toggle("away", isAway);
  setText(byId("outage-button"), isAway ? "Give it back" : "Take the platform away");
  for (const label of document.querySelectorAll("#outage label")) setHidden(label, isAway);
}

const bars = byId("bars");
for (let at = 0; at < SECONDS; at += 1) {
  const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  bar.setAttribute("x", at * 3);
  bar.setAttribute("width", 2.2);
  bars.append(bar);
}

function showRate() {
  setText(byId("rate"), state.rate.toFixed(1));
  const most = Math.max(1, ...state.seconds);
  const missing = SECONDS - state.seconds.length;
  [...bars.children].forEach((bar, at) => {
    const beats = state.seconds[at - missing] ?? 0;
    const height = Math.max(1, (beats / most) * 30);
    bar.setAttribute("y", 30 - height);
    bar.setAttribute("height", height);
  });
  bars.setAttribute("aria-label", `Beats in each of the last ${SECONDS} seconds, at most ${most}`);
}

function showCounts(rows, name, none) {
  const { matched, shown, items } = rows;
  setText(byId(`${name}-count`), matched === items.size ? items.size : `${matched} of ${items.size}`);
  const more = byId(`${name}-more`);
  setHidden(more, matched <= shown.size);
  setText(more, `Show more: ${shown.size} of ${matched} are shown`);
  setHidden(byId(`${name}-empty`), matched > 0);
  setText(byId(`${name}-empty`), items.size === 0 ? none : "Nothing matches the filter.");
}

workspaces.onArranged = () => {
  showCounts(workspaces, "workspaces", "No workspace yet. Make one, and start an agent for it.");
  showChips();
  showTime();
};
delegations.onArranged = () => {
  showCounts(delegations, "delegations", "No delegation yet. Delegate a task from a workspace.");
  showTime();
};
entries.onArranged = () => setHidden(byId("log-empty"), entries.matched > 0);

function chip(key, node, isOn, call) {
  const made = element("button", { type: "button", "aria-pressed": String(isOn) }, node);
  made.dataset.key = key;
  made.addEventListener("click", () => call(key));
  return made;
}

function showChips() {
  const counts = new Map();
  for (const { item } of workspaces.items.values()) counts.set(item.status, (counts.get(item.status) ?? 0) + 1);
  if (state.status !== null && !counts.has(state.status)) counts.set(state.status, 0);
  const have = new Map([...byId("chips").children].map((one) => [one.dataset.key, one]));
  for (const [status, count] of counts) {
    let made = have.get(status);
    if (!made) {
      const mark = statusMark();
      mark.fill(status);
      mark.append(element("b"));
      made = chip(status, mark, false, toggleStatus);
      byId("chips").append(made);
    }
    have.delete(status);
    made.setAttribute("aria-pressed", String(status === state.status));
    setText(made.querySelector("b"), count);
  }
  for (const gone of have.values()) gone.remove();
  const online = counts.get("online") ?? 0;
  const title = `${online} of ${workspaces.items.size} online – Everbeat platform`;
  if (document.title !== title) document.title = title;
}

function toggleStatus(status) {
  state.status = state.status === status ? null : status;
  applyFilter();
}

for (const [kind, [word, form]] of Object.entries(KINDS)) {
  const mark = element("span", { class: "mark" }, shape(form), element("span", {}, word));
  const made = chip(kind, mark, false, (key) => {
    if (!state.kinds.delete(key)) state.kinds.add(key);
    made.setAttribute("aria-pressed", String(state.kinds.has(key)));
    applyFilter();
  });
  byId("kinds").append(made);
}

function applyFilter() {
  const wanted = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const holds = ({ words }) => wanted.every((word) => words.includes(word));
  workspaces.matches = (one) => (state.status === null || one.item.status === state.status) && holds(one);
  delegations.matches = holds;
  entries.matches = (one) => (state.kinds.size === 0 || state.kinds.has(one.item.kind)) && holds(one);
  for (const rows of [workspaces, delegations, entries]) rows.arrange();
}

// --- Doing ---------------------------------------------------------------

async function admin(method, path, body) {
  const answer = await fetch(`/admin/${path}`, {
    method, body: body === undefined ? undefined : JSON.stringify(body), credentials: "omit",
  });
  const text = await answer.text();
  let value = {};
  try {
    value = JSON.parse(text);
  } catch {
    // Words for a person stand in `text`.
  }
  if (!answer.ok) throw new Error(value.error ?? (text.trim() || `the platform answers ${answer.status}`));
  return value;
}

/** Does it, and says how it went. */
async function act(words, call) {
  try {
    say((await call()) ?? words);
  } catch (error) {
    say(`Not done: ${error.message}`, "bad");
  }
}

const of = encodeURIComponent;
let made = 0;

/** As short as a message names a delegation by: eight characters. */
function newId() {
  made += 1;
  const random = crypto.getRandomValues(new Uint32Array(1))[0].toString(36).padStart(7, "0").slice(-5);
  return `p${random}${String(made % 100).padStart(2, "0")}`;
}

const DEEDS = {
  delegate: (id) => act("", async () => {
    const new_ = { workspace: id, target: "peer", task: "look into it, please", id: newId() };
    return `${id} has delegated ${(await admin("POST", "delegations", new_)).delegation_id}.`;
  }),
  token: (id) => act(`The token of ${id} is replaced.`, async () => {
    const { token } = await admin("POST", `workspaces/${of(id)}/rotate-token`);
    showToken(`A new token for ${id}`, token, "The old one is dead. Put this into the agent's .auth_token: its next beat uses it.");
  }),
  break: (id) => act(`The network of ${id} is broken until you mend it.`, () =>
    admin("POST", "faults", { workspace: id, effect: { kind: "refuse" } }).then(() => undefined)),
  mend: (id) => act(`The network of ${id} is mended.`, () =>
    admin("DELETE", `workspaces/${of(id)}/faults`).then(() => undefined)),
  complete: (id) => finish(id, { status: "completed", text: byId("answer").value }),
  fail: (id) => finish(id, { status: "failed", error: "It could not be done." }),
};

function finish(id, outcome) {
  const twin_late_ms = Number(byId("twin").value);
  return act(`${id} is ${outcome.status}.`, () =>
    admin("POST", `delegations/${of(id)}/finish`, { ...outcome, twin_late_ms }).then(() => undefined));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  const filter = button?.dataset.filter;
  if (filter !== undefined) {
    const input = byId("filter");
    input.value = input.value === filter ? "" : filter;
    applyFilter();
  }
  const key = button?.closest("tr")?.dataset.key;
  if (button?.dataset.do) DEEDS[button.dataset.do](key);
});

byId("outage").addEventListener("submit", (event) => {
  event.preventDefault();
  const isAway = state.outageUntilMs !== null;
  const ms = isAway ? 0 : Number(byId("outage-ms").value);
  const words = isAway ? "The platform is back." : `The platform is away for ${span(ms)}. This page stays.`;
  act(words, () => admin("POST", "outage", { ms, kind: byId("outage-kind").value }).then(() => undefined));
});

byId("create").addEventListener("submit", (event) => {
  event.preventDefault();
  const id = byId("create-id").value.trim();
  act(`The workspace ${id} is made.`, async () => {
    const { token } = await admin("POST", "workspaces", { id });
    byId("create-id").value = "";
    showToken(`The workspace ${id}`, token, "It is there and waits for its agent.", id);
  });
});

function showToken(title, token, words, newWorkspace) {
  setText(byId("token-title"), title);
  setText(byId("token-words"), words);
  byId("token-value").value = token;
  setHidden(byId("token-start"), newWorkspace === undefined);
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  setText(byId("token-command"), newWorkspace === undefined ? "" : [
    "(umask 077; mkdir -p configs; cat > configs/.auth_token)  # paste the token, Enter, Ctrl-D",
    `everbeat run --workspace-id ${quoted(newWorkspace)} \\`,
    `  --platform-url ${location.origin} --configs-dir configs`,
  ].join("\n"));
  byId("token").showModal();
  byId("token-value").select();
}

byId("token").addEventListener("close", () => {
  // Shown once: nothing keeps it.
  byId("token-value").value = "";
  setText(byId("token-command"), "");
});

byId("token-copy").addEventListener("click", async () => {
  byId("token-value").select();
  try {
    await navigator.clipboard.writeText(byId("token-value").value);
    setText(byId("token-copy"), "Copied");
    setTimeout(() => setText(byId("token-copy"), "Copy"), 2000);
  } catch {
    setText(byId("token-copy"), "Selected: copy it by hand");
  }
});

byId("filter").addEventListener("input", applyFilter);
byId("workspaces-more").addEventListener("click", () => workspaces.showMore());
byId("delegations-more").addEventListener("click", () => delegations.showMore());

const pause = byId("pause");
pause.addEventListener("click", () => {
  const isPaused = pause.getAttribute("aria-pressed") !== "true";
  pause.setAttribute("aria-pressed", String(isPaused));
  setText(pause, isPaused ? "Go on" : "Pause updates");
  if (isPaused) {
    clearTimeout(again);
    source.close();
    setLink("paused", "bars", "warn");
  } else {
    connect();
  }
});

setInterval(() => {
  if (state.isReady && source.readyState === EventSource.OPEN) showTime();
}, 1000);

connect();
