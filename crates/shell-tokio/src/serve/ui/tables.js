// The rows: workspaces, delegations, and what happens.

import { clockTime, element, flash, period, setHidden, setText, shape, span, statusMark } from "./parts.js";

function cell(name, label, ...children) {
  const cell = element("td", { role: "cell", "data-label": label }, ...children);
  cell.classList.add(name);
  return cell;
}

function button(words, about, attributes = {}) {
  return element("button", { type: "button", "aria-label": `${words} ${about}`, ...attributes }, words);
}

/** A name that filters for itself when clicked. */
function nameButton(name) {
  return element("button", { type: "button", class: "name", "data-filter": name, title: `Show only ${name}` }, name);
}

export function makeWorkspace(id) {
  const row = element("tr", { role: "row" });
  const parts = {
    name: nameButton(id), other: element("small"), status: statusMark(), tags: element("span", { class: "tags" }),
    why: element("small", { class: "why" }), pulse: element("i", { class: "pulse", "aria-hidden": "true" }),
    ago: element("span"), every: element("small"), left: element("span"),
    meter: element("span", { class: "meter", "aria-hidden": "true" }, element("i")),
    beats: element("span"), messages: element("span"), notes: element("small"),
    delegate: button("Delegate", `a task from ${id}`, { "data-do": "delegate" }),
    token: button("New token", `for ${id}`, { "data-do": "token" }),
    network: element("button", { type: "button", class: "trouble" }),
  };
  row.dataset.key = id;
  row.parts = parts;
  row.append(
    element("th", { role: "rowheader", scope: "row" }, parts.name, parts.other),
    cell("status", "Status", parts.status, parts.tags, parts.why),
    cell("beat", "Last beat", parts.pulse, parts.ago, parts.every),
    cell("left", "Offline in", parts.meter, parts.left),
    cell("number", "Beats", parts.beats),
    cell("number", "Messages", parts.messages, parts.notes),
    cell("do", "Actions", parts.delegate, parts.token, parts.network),
  );
  return row;
}

const tag = (words) => element("span", { class: "tag" }, words);

export function fillWorkspace(row, now, before) {
  const parts = row.parts;
  setText(parts.other, now.name === now.id ? "" : now.name);
  if (parts.status.fill(now.status) && before) flash(row, "changed");
  const tags = [
    now.is_cut_off && "network broken", !now.has_token && "no token",
    now.restarts > 0 && `restarted ${now.restarts}×`, now.queued > 0 && `${now.queued} queued`,
    now.active_tasks > 0 && `${now.active_tasks} active`,
  ].filter(Boolean);
  if (parts.tags.dataset.tags !== tags.join()) {
    parts.tags.dataset.tags = tags.join();
    parts.tags.replaceChildren(...tags.map(tag));
  }
  setText(parts.why, now.status === "degraded" ? now.sample_error : "");
  setText(parts.every, now.period_ms === null ? "" : `every ${period(now.period_ms)}`);
  setText(parts.beats, now.beats.toLocaleString("en"));
  setText(parts.messages, now.messages.toLocaleString("en"));
  setText(parts.notes, now.notifications ? `${now.notifications} to user` : "");
  const verb = now.is_cut_off ? "Mend network" : "Break network";
  if (parts.network.textContent !== verb) {
    setText(parts.network, verb);
    parts.network.setAttribute("aria-label", `${verb} of ${now.id}`);
    parts.network.dataset.do = now.is_cut_off ? "mend" : "break";
  }
  if (before && now.beats > before.beats) flash(parts.pulse, "beat");
}

/** What only the passing of time changes. */
export function timeWorkspace(row, item, nowMs) {
  const parts = row.parts;
  const since = item.last_beat_at_ms === null ? null : nowMs - item.last_beat_at_ms;
  setText(parts.ago, since === null ? "never" : since < 1000 ? "now" : `${span(since)} ago`);
  const left = item.alive_until_ms === null ? null : Math.max(0, item.alive_until_ms - nowMs);
  setText(parts.left, left === null ? "–" : span(left));
  const share = left === null ? 0 : Math.min(1, left / item.ttl_ms);
  const width = `${Math.round(share * 100)}%`;
  const bar = parts.meter.firstChild;
  if (bar.style.width !== width) bar.style.width = width;
  bar.classList.toggle("low", share < 0.34);
  setHidden(parts.meter, left === null);
}

export const wordsOfWorkspace = (item) =>
  `${item.id} ${item.name} ${item.status.replaceAll("_", " ")} ${item.is_cut_off ? "network broken" : ""}`.toLowerCase();

function rowCell(name, label) {
  const parts = { status: statusMark(), text: element("small"), none: element("span", { class: "none" }, "not yet") };
  const made = cell(name, label, parts.status, parts.none, parts.text);
  made.fill = (row) => {
    setHidden(parts.status, row === null);
    setHidden(parts.none, row !== null);
    if (row) parts.status.fill(row.status);
    setText(parts.text, row === null ? "" : [row.carries_id ? "" : "(names no delegation)", row.text].join(" ").trim());
  };
  return made;
}

export function makeDelegation(id) {
  const row = element("tr", { role: "row" });
  const parts = {
    name: nameButton(id), task: element("small"), from: element("span"), to: element("span"), by: element("small"),
    status: statusMark(), when: element("small"),
    delegate: rowCell("row", "Delegate row"), result: rowCell("row", "Result row"),
    complete: button("Complete", id, { "data-do": "complete" }), fail: button("Fail", id, { "data-do": "fail" }),
    done: element("span", { class: "none" }, "finished"),
  };
  row.dataset.key = id;
  row.parts = parts;
  row.append(
    element("th", { role: "rowheader", scope: "row" }, parts.name, parts.task),
    cell("status", "Status", parts.status, parts.when),
    cell("way", "From, to", parts.from, " → ", parts.to, parts.by),
    parts.delegate, parts.result,
    cell("do", "Actions", parts.complete, parts.fail, parts.done),
  );
  return row;
}

export function fillDelegation(row, now, before) {
  const parts = row.parts;
  setText(parts.task, now.task);
  setText(parts.from, now.workspace);
  setText(parts.to, now.target || "nobody named");
  setText(parts.by, now.source === now.workspace ? "" : `delegated by ${now.source}`);
  if (parts.status.fill(now.status) && before) flash(row, "changed");
  parts.delegate.fill(now.delegate_row);
  parts.result.fill(now.result_row);
  const isOver = now.status === "completed" || now.status === "failed";
  const hadFocus = parts.complete === document.activeElement || parts.fail === document.activeElement;
  setHidden(parts.complete, isOver);
  setHidden(parts.fail, isOver);
  setHidden(parts.done, !isOver);
  // A button that is gone must not take the focus with it.
  if (isOver && hadFocus) parts.name.focus();
}

export function timeDelegation(row, item, wallMs) {
  const since = wallMs - item.updated_ms;
  setText(row.parts.when, since < 1000 ? "now" : `${span(since)} ago`);
}

export const wordsOfDelegation = (item) =>
  [item.id, item.workspace, item.source, item.target, item.task, item.status].join(" ").toLowerCase();

/** Word, shape and tone of the log's kinds. */
export const KINDS = {
  self_message: ["self-message", "letter", "accent"], message: ["message", "letter", "calm"],
  notification: ["to the user", "bell", "accent"], status: ["status", "dot", "calm"],
  refused: ["refused", "cross", "bad"], admin: ["by hand", "hand", "warn"],
};

export function makeEntry() {
  const row = element("li");
  const parts = {
    time: element("time"), kind: element("span", { class: "mark" }), workspace: element("span", { class: "who" }),
    count: element("span", { class: "count" }), text: element("p"),
  };
  row.parts = parts;
  row.append(element("div", {}, parts.time, parts.kind, parts.workspace, parts.count), parts.text);
  return row;
}

export function fillEntry(row, item) {
  const parts = row.parts;
  const [word, form, tone] = KINDS[item.kind] ?? [item.kind, "ring", "calm"];
  if (!parts.kind.firstChild) {
    parts.kind.classList.add(tone);
    parts.kind.append(shape(form), element("span", {}, word));
    setText(parts.time, clockTime(item.wall_ms));
    setText(parts.workspace, item.workspace);
    setText(parts.text, item.text);
  }
  setText(parts.count, item.count > 1 ? `${item.count} times` : "");
}

export const wordsOfEntry = (item) =>
  [item.workspace, KINDS[item.kind]?.[0] ?? item.kind, item.text].join(" ").toLowerCase();
