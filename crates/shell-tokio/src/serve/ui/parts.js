// Small parts: elements, shapes, words for times, and tables that touch only
// what changed. Data becomes text nodes and nothing else.

export const byId = (id) => document.getElementById(id);

/** An element with attributes; children are elements or text. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Sets a text, if it is another one. */
export function setText(node, text) {
  const words = String(text);
  if (node.textContent !== words) node.textContent = words;
}

export function setHidden(node, isHidden) {
  if (node.hidden !== isHidden) node.hidden = isHidden;
}

const SVG = "http://www.w3.org/2000/svg";

/** A shape that says the same as the word beside it. */
export function shape(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "shape");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#shape-${name}`);
  svg.append(use);
  return svg;
}

/** Word, shape and tone of every status that there is, and of any other. */
const STATUSES = {
  online: ["dot", "good"], degraded: ["triangle", "warn"], offline: ["cross", "bad"],
  failed: ["cross", "bad"], provisioning: ["dashes", "calm"], paused: ["bars", "calm"],
  hibernated: ["ring", "calm"], removed: ["square", "calm"], awaiting_agent: ["dashes", "warn"],
  pending: ["dashes", "calm"], dispatched: ["ring", "calm"], queued: ["bars", "warn"],
  completed: ["tick", "good"],
};

/** A status with its shape; `fill` changes it later. */
export function statusMark() {
  const word = element("span");
  const mark = element("span", { class: "mark" }, shape("ring"), word);
  mark.fill = (status) => {
    if (mark.dataset.status === status) return false;
    const [form, tone] = STATUSES[status] ?? ["ring", "calm"];
    mark.dataset.status = status;
    mark.className = `mark ${tone}`;
    mark.firstChild.firstChild.setAttribute("href", `#shape-${form}`);
    setText(word, status.replaceAll("_", " "));
    return true;
  };
  return mark;
}

/** `3 s`, `2 min 05 s`, `4 h 10 min`. */
export function span(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 100) return `${seconds} s`;
  const two = (number) => String(number).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${two(Math.floor(seconds / 60) % 60)} min`;
}

/** `0.6 s`, `30 s`. */
export const period = (ms) => (ms < 9950 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`);

export const clockTime = (wallMs) => new Date(wallMs).toLocaleTimeString("en-GB");

/** Restarts an animation. */
export function flash(node, name) {
  node.classList.remove(name);
  requestAnimationFrame(() => node.classList.add(name));
}

/**
 * Rows by key, in an order, at most so many of those that match.
 * `make()` gives an element, `fill(element, item)` brings it up to date,
 * `words(item)` is what the filter looks at, lower case.
 */
export class Rows {
  constructor(body, { make, fill, words, limit, keep = Infinity, newestFirst = false }) {
    Object.assign(this, { body, make, fill, words, step: limit, limit, keep, newestFirst });
    this.items = new Map();
    this.keys = [];
    this.shown = new Map();
    this.matches = () => true;
    this.matched = 0;
    this.onArranged = () => {};
  }

  /** Forgets all others. Rows that stay keep their place, and the focus. */
  retain(keys) {
    const kept = new Set(keys);
    this.keys = this.keys.filter((key) => kept.has(key));
    for (const key of this.items.keys()) if (!kept.has(key)) this.items.delete(key);
    this.arrangeSoon();
  }

  set(key, item) {
    const known = this.items.get(key);
    this.items.set(key, { item, words: this.words(item) });
    if (!known) this.place(key);
    const row = this.shown.get(key);
    if (row) this.fill(row, item, known?.item);
    this.arrangeSoon();
  }

  get(key) {
    return this.items.get(key)?.item;
  }

  place(key) {
    if (this.newestFirst) {
      this.keys.unshift(key);
      for (const old of this.keys.splice(this.keep)) this.items.delete(old);
      return;
    }
    let low = 0;
    let high = this.keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.keys[middle] < key) low = middle + 1;
      else high = middle;
    }
    this.keys.splice(low, 0, key);
  }

  arrangeSoon() {
    if (this.isDue) return;
    this.isDue = true;
    // Not an animation frame: a page in the background stays up to date.
    queueMicrotask(() => {
      this.isDue = false;
      this.arrange();
    });
  }

  arrange() {
    const matching = this.keys.filter((key) => this.matches(this.items.get(key)));
    this.matched = matching.length;
    const wanted = matching.slice(0, this.limit);
    const isWanted = new Set(wanted);
    for (const [key, row] of this.shown) {
      if (isWanted.has(key)) continue;
      row.remove();
      this.shown.delete(key);
    }
    let next = this.body.firstChild;
    for (const key of wanted) {
      let row = this.shown.get(key);
      if (!row) {
        row = this.make(key);
        this.shown.set(key, row);
        this.fill(row, this.items.get(key).item);
      }
      if (row === next) next = next.nextSibling;
      else this.body.insertBefore(row, next);
    }
    this.onArranged();
  }

  showMore() {
    this.limit += this.step;
    this.arrange();
  }

  /** Each row in sight with its item. */
  each(call) {
    for (const [key, row] of this.shown) {
      const one = this.items.get(key);
      // One that was just forgotten goes with the next arrangement.
      if (one) call(row, one.item);
    }
  }
}
