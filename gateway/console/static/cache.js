// The caches: each storage with what it promises, and the caching services in front of it. Never a key, never a value.

import { keyed, make, put, svg, write } from "./dom.js";
import { count, rate } from "./format.js";
import { badge, putBadge } from "./tones.js";

export const title = "Cache";

const NAMES = { inMemory: "In memory", vsam: "VSAM", redis: "Redis", etcd: "etcd" };
const COLOURS = { green: "well", yellow: "take note", red: "does not serve" };
const LOSSES = {
  none: ["good", "No failure of a process or an LPAR takes an acknowledged write."],
  window: ["warn", "A failure can take the last acknowledged writes."],
  all: ["bad", "A failure takes all acknowledged writes."],
};

const SAMPLE_MS = 2000;
const WINDOW_MS = 120_000;
const GAP_MS = 3 * SAMPLE_MS;
const WIDTH = 160;
const HEIGHT = 24;

/** LPAR → [{at (ms), perS}], oldest first; kept while the console is open, added to while this page is. */
const past = new Map();

export function show(root, store) {
  const storages = make("div");
  const empty = make("p", { class: "empty" });
  root.append(
    make("p", { class: "lead", text: "Where services that keep no state themselves keep it, and how well it is kept. Keys and values are never shown here." }),
    empty,
    storages,
  );
  const draw = () => {
    const found = grouped(store.section("caches"));
    empty.hidden = found.length > 0;
    write(empty, store.connection.state === "live" ? "No caching service is registered." : "Nothing is known yet.");
    keyed(storages, found, ({ key }) => key, createStorage, fillStorage);
  };
  const off = store.on(["caches", "connection"], draw);
  const timer = setInterval(() => {
    if (store.connection.state !== "live") return;
    for (const { lpar, perS, errorsPerS } of store.section("caches").values()) sample(lpar, { ...perS, errors: errorsPerS });
    draw();
  }, SAMPLE_MS);
  return () => {
    off();
    clearInterval(timer);
  };
}

/** [{key, caches}]: those of one shared storage together, any other alone. */
function grouped(section) {
  const groups = new Map();
  for (const cache of [...section.values()].sort((one, other) => one.lpar.localeCompare(other.lpar, "en", { numeric: true }))) {
    const key = cache.shared ? `${cache.backend} ${cache.place}` : cache.lpar;
    groups.set(key, [...(groups.get(key) ?? []), cache]);
  }
  return [...groups].map(([key, caches]) => ({ key, caches }));
}

// --- a storage and its promise

function createStorage() {
  return make(
    "section",
    { class: "storage" },
    make("h2"),
    make("ul", { class: "promises", "aria-label": "What it promises" }),
    make("p", { class: "quiet remark" }),
    make("p", { class: "note warn identity" }),
    make("div", { class: "cards" }),
  );
}

function fillStorage(section, { caches }) {
  const [heading, promises, remark, identity, cards] = section.children;
  const [first] = caches;
  write(heading, named(first));
  keyed(promises, promised(first), ([what]) => what, createPromise, fillPromise);
  write(remark, first.remark ? `In short: ${first.remark}.` : "");
  remark.hidden = !first.remark;
  const doubts = [...new Set(caches.filter(({ identity: who }) => who && who.colour !== "green").flatMap(({ identity: who }) => who.why))];
  write(identity, `Who calls: ${doubts.join("; ")}`);
  identity.hidden = doubts.length === 0;
  keyed(cards, caches, ({ lpar }) => lpar, createCache, fillCache);
}

function named({ backend, place, lpar, shared }) {
  if (!backend) return `Cache of ${lpar}`;
  const where = place ? `${NAMES[backend] ?? backend}, ${place}` : (NAMES[backend] ?? backend);
  return shared ? where : `${where}, of ${lpar} alone`;
}

/** [what, tone, sentence] of each promise that is known. */
function promised({ backend, simulated, durable, shared, linearizable, ackedLoss }) {
  if (!backend) return [["unknown", "quiet", "What it promises is not known: it has not answered yet."]];
  const yes = (value, good, bad) => (value ? ["good", good] : ["warn", bad]);
  return [
    ["simulated", ...(simulated ? ["quiet", `Simulated: ${simulated === true ? "not the product itself" : simulated}.`] : ["good", "Real: nothing of it is simulated."])],
    ["shared", ...yes(shared, "Shared: every LPAR sees the same entries.", "Not shared: each LPAR has entries of its own.")],
    ["durable", ...yes(durable, "Durable: an acknowledged write is on a disk.", "Not durable: an acknowledged write may be in memory only.")],
    ["linearizable", ...yes(linearizable, "In order: a read sees every write that was acknowledged before.", "Reads may be older than the last acknowledged write.")],
    ["loss", ...(LOSSES[ackedLoss] ?? ["quiet", "What a failure takes of the acknowledged writes is not known."])],
  ];
}

const createPromise = ([, tone, text]) => make("li", {}, badge(tone, text));
const fillPromise = (item, [, tone, text]) => putBadge(item.firstChild, tone, text);

// --- a caching service in front of it

function createCache({ lpar }) {
  return make(
    "article",
    { class: "card", "aria-label": `Caching service of ${lpar}` },
    make("h3", {}, `${lpar} `, badge()),
    make("ul", { class: "reasons" }),
    make("p"),
    make("table", {}, make("caption", { class: "small quiet" }), make("tbody")),
  );
}

function fillCache(card, { lpar, reachable, colour, why, entries, size, perS, errorsPerS }) {
  const [heading, reasons, filled, table] = card.children;
  putBadge(heading.lastChild, colour, reachable ? (COLOURS[colour] ?? colour) : "does not answer");
  keyed(reasons, why, (reason) => reason, (reason) => make("li", { text: reason }), () => {});
  reasons.hidden = why.length === 0;
  write(filled, amount(entries, size));
  filled.hidden = !reachable;
  const kinds = Object.entries(perS);
  table.hidden = kinds.length === 0;
  const taken = (past.get(lpar) ?? []).filter(({ at }) => at > Date.now() - WINDOW_MS);
  const most = Math.max(...kinds.map(([, value]) => value), ...taken.flatMap((each) => Object.values(each.perS)), 0.1);
  write(table.firstChild, `The last 2 minutes, up to ${rate(most)}`);
  const rows = errorsPerS > 0 ? [...kinds, ["errors", errorsPerS]] : kinds;
  keyed(table.lastChild, rows, ([kind]) => kind, createRate, (row, [kind, value]) => fillRate(row, kind, value, taken, most));
}

function amount(entries, size) {
  if (entries === null || entries === undefined) return "It does not say how many entries it holds.";
  const room = size ? `, room for ${size.toLocaleString("en")}` : "";
  return `${count(entries, "entry", "entries")}${room}`;
}

function createRate([kind]) {
  const curve = svg("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, "aria-hidden": "true" }, svg("path"));
  return make("tr", { class: kind === "errors" ? "bad" : null }, make("th", { scope: "row", text: kind }), make("td", { class: "number" }), make("td", {}, curve));
}

function fillRate(row, kind, value, taken, most) {
  write(row.children[1], rate(value));
  put(row.lastChild.firstChild.firstChild, { d: path(taken.map(({ at, perS }) => [at, perS[kind]]), most) });
}

function sample(lpar, perS) {
  const now = Date.now();
  past.set(lpar, [...(past.get(lpar) ?? []).filter(({ at }) => at > now - WINDOW_MS), { at: now, perS }]);
}

/** A curve through [ms, value], newest at the right edge; it breaks where nothing was measured. */
function path(points, most) {
  const now = Date.now();
  let before = -Infinity;
  let drawn = "";
  for (const [at, value] of points) {
    if (value === undefined) continue;
    const x = (WIDTH * (1 - (now - at) / WINDOW_MS)).toFixed(1);
    const y = (HEIGHT - 1 - (HEIGHT - 2) * (value / most)).toFixed(1);
    drawn += `${at - before > GAP_MS ? "M" : "L"}${x} ${y}`;
    before = at;
  }
  return drawn;
}
