// What the map shows, in words and figures, made of the document. Pure; where things are drawn is layout.js.
//
//     {address, serving, known, perS,
//      columns: [{id, title, lpar: part or null, parts: {gateway, discovery, caching, launcher}, boxes: [box]}],
//      sources: [LPAR with a gateway], peers: [{from, to, state}], drums: [{key, lpars, …}]}
//
// A part and a box have {tone, state, text}; a box is a service in an LPAR, or its processes where none registered.

import { bytes, count, length, ms, rate } from "./format.js";
import { standing, tone, words, worst } from "./tones.js";

export const SECTIONS = ["lpars", "components", "gateways", "nodes", "instances", "caches"];
export const OUTSIDE = "outside";

const PARTS = { gateway: "gateway", discovery: "discovery", caching: "cachingservice", launcher: "launcher" };
const PART_OF = new Map(Object.entries(PARTS).map(([part, service]) => [service, part]));
const LEFT_OUT = new Set(["ejected", "out", "UNREACHABLE"]);

const natural = new Intl.Collator("en", { numeric: true });
const sorted = (names) => [...names].sort(natural.compare);

export function picture(store) {
  const [lpars, components, gateways, nodes, instances, caches] = SECTIONS.map((name) => store.section(name));
  const places = grouped(instances.values(), (each) => each.lpar ?? OUTSIDE);
  const processes = grouped(components.values(), (each) => each.lpar);
  const inside = sorted(new Set([...lpars.keys(), ...processes.keys(), ...places.keys()])).filter((id) => id !== OUTSIDE);
  const sources = inside.filter((id) => gateways.has(id) || named(processes.get(id), "gateway"));
  const speaking = sources.filter((id) => gateways.get(id)?.reachable !== false);
  const facts = { lpars, gateways, nodes, caches, places, processes, speaking };
  const columns = inside.map((id) => column(id, facts));
  if (places.has(OUTSIDE)) columns.push(outside(facts));
  return {
    address: store.hello?.address ?? "",
    serving: store.hello?.lpar ?? "",
    known: lpars.size > 0 || instances.size > 0,
    perS: sum([...gateways.values()].map((each) => each.perS)),
    columns,
    sources,
    peers: peersOf(inside, nodes),
    drums: drums(caches),
  };
}

function column(id, facts) {
  const here = grouped(facts.places.get(id) ?? [], (each) => each.service);
  const processes = facts.processes.get(id) ?? [];
  const users = processes.filter(({ name }) => !Object.hasOwn(PARTS, name));
  const names = new Set([...users.map(({ name }) => name), ...here.keys()]);
  const lpar = facts.lpars.get(id) ?? { state: "unknown", address: "", onAddress: null };
  return {
    id,
    title: id,
    lpar: { state: lpar.state, tone: tone(lpar.state), address: lpar.address, onAddress: lpar.onAddress },
    parts: parts(id, processes, here, facts),
    boxes: sorted(names)
      .filter((name) => !PART_OF.has(name))
      .map((name) => box(name, here.get(name) ?? [], named(users, name), facts.speaking)),
  };
}

function outside(facts) {
  const here = grouped(facts.places.get(OUTSIDE), (each) => each.service);
  const boxes = sorted(here.keys()).map((name) => box(name, here.get(name), null, facts.speaking));
  return { id: OUTSIDE, title: "Outside the sysplex", lpar: null, parts: {}, boxes };
}

function parts(id, processes, here, { gateways, nodes, caches, speaking }) {
  const part = (name) => {
    const all = here.get(PARTS[name]) ?? [];
    return { ...process(named(processes, name), all[0]), instances: all };
  };
  const gateway = { ...answering(part("gateway"), gateways.get(id)), ...traffic(gateways.get(id)), follows: followed(id, gateways.get(id), nodes) };
  const node = nodes.get(id);
  const discovery = { ...answering(part("discovery"), node), instancesKnown: node?.instances ?? null, peers: node?.peers ?? {} };
  const caching = { ...cachePart(part("caching"), caches.get(id)), flows: flows(here.get("cachingservice") ?? [], speaking) };
  return { gateway, discovery, caching, launcher: part("launcher") };
}

/** What is known of a process: from its launcher, else from its registration. */
function process(component, instance) {
  const registered = instance ? standing(instance) : null;
  if (component && component.state !== "ready" && component.state !== "unknown") return said(component.state, component.why, component);
  if (registered && registered.tone !== "good") return said(registered.state, instance.why, component);
  if (!component && !registered) return said("unknown", "not there", component);
  return said(component?.state ?? "ready", "", component);
}

function said(state, why, component) {
  const text = why ? `${words(state)}: ${why}` : words(state);
  return { state, tone: tone(state), text, vitals: component ? vitals(component) : "" };
}

const vitals = ({ pid, uptimeS, rssBytes, restarts }) =>
  [pid ? `process ${pid}` : "", uptimeS === null ? "" : `up ${length(uptimeS)}`, rssBytes === null ? "" : bytes(rssBytes), restarts ? `restarted ${count(restarts, "time")}` : ""].filter(Boolean).join(", ");

function answering(part, entry) {
  if (part.tone !== "good" || entry?.reachable !== false) return part;
  return { ...part, state: "silent", tone: "bad", text: `does not answer${entry.why ? `: ${entry.why}` : ""}` };
}

function traffic(gateway) {
  const known = gateway?.reachable ? gateway : {};
  const { perS = null, errorsPerS = null, p50Ms = null, p99Ms = null, inFlight = null, clients = null } = known;
  return { perS, errorsPerS, p50Ms, p99Ms, inFlight, clients };
}

/** The LPAR whose registry node a gateway follows, when it is not its own. */
function followed(id, gateway, nodes) {
  if (!gateway?.node) return "";
  const lpar = [...nodes.values()].find(({ url }) => url === gateway.node)?.lpar ?? "";
  return lpar === id ? "" : lpar;
}

function cachePart(part, cache) {
  const perS = cache ? sum(Object.values(cache.perS ?? {})) : null;
  if (!cache) return { ...part, perS };
  const answered = answering(part, cache);
  if (answered.tone !== "good" || tone(cache.colour) === "good") return { ...answered, perS };
  return { ...answered, perS, state: cache.colour, tone: tone(cache.colour), text: cache.why.join("; ") || cache.colour };
}

function box(name, instances, component, speaking) {
  const states = instances.map((each) => ({ instance: each, ...stateOf(each) }));
  const troubled = component && component.state !== "ready" && component.state !== "unknown" ? component : null;
  const lines = [troubled ? `process ${words(troubled.state)}${troubled.why ? `: ${troubled.why}` : ""}` : "", summary(states)];
  return {
    name,
    states,
    instances,
    tone: troubled ? worst([tone(troubled.state), ...states.map((each) => each.tone)]) : blend(states.map((each) => each.tone)),
    text: lines.filter(Boolean).join(", ") || "no instance is registered",
    perS: sum(instances.flatMap((each) => Object.values(each.seen).map((seen) => seen.perS))),
    flows: flows(instances, speaking),
  };
}

/** {state, tone, word, why} of an instance; one that is taken out drains as long as calls are in flight. */
export function stateOf(instance) {
  const { state, tone } = standing(instance);
  const inFlight = sum(Object.values(instance.seen).map((seen) => seen.inFlight)) ?? 0;
  const draining = state === "OUT_OF_SERVICE" && inFlight > 0;
  const word = draining ? `draining, ${inFlight} in flight` : state === "fine" ? "up" : words(state);
  return { state: draining ? "draining" : state, tone, word, why: instance.why };
}

/** "up", "ejected: connection refused"; of several "3 up, 1 ejected". */
function summary(states) {
  if (states.length === 1) return states[0].why && states[0].tone !== "good" ? `${states[0].word}: ${states[0].why}` : states[0].word;
  const counts = grouped(states, ({ state }) => state);
  return sorted(counts.keys())
    .sort((one, other) => counts.get(other).length - counts.get(one).length)
    .map((state) => `${counts.get(state).length} ${state === "fine" ? "up" : words(state)}`)
    .join(", ");
}

/** Some do not work: take note. None works: bad. */
function blend(tones) {
  if (tones.length === 0) return "quiet";
  if (tones.every((each) => each === tones[0])) return tones[0];
  return tones.includes("bad") || tones.includes("warn") ? "warn" : tones.includes("good") ? "good" : "quiet";
}

/** LPAR of a gateway that answers → {perS, leftOut}: what it sends here; none where it tells nothing. */
function flows(instances, speaking) {
  const found = new Map();
  for (const source of speaking) {
    const views = instances.map((each) => each.seen[source]).filter(Boolean);
    if (views.length > 0) found.set(source, { perS: sum(views.map(({ perS }) => perS)), leftOut: views.every(({ view }) => LEFT_OUT.has(view)) });
  }
  return found;
}

/** Of every pair of nodes how the first sees the second. */
function peersOf(lpars, nodes) {
  const having = lpars.filter((id) => nodes.has(id));
  return having.flatMap((from) =>
    having
      .filter((to) => to !== from)
      .map((to) => ({ from, to, state: nodes.get(from).reachable === false ? "unknown" : (nodes.get(from).peers[to] ?? "unknown") })),
  );
}

/** One for each storage: the caches that say the same backend and place share it. */
function drums(caches) {
  const groups = grouped([...caches.values()].filter((each) => each.backend), (each) => `${each.backend} ${each.place}`);
  return sorted(groups.keys()).map((key) => {
    const all = groups.get(key);
    const answering = all.filter((each) => each.reachable !== false);
    const one = answering[0] ?? all[0];
    return {
      key,
      lpars: sorted(all.map((each) => each.lpar)),
      tone: answering.length === 0 ? "bad" : worst(answering.map((each) => tone(each.colour))),
      title: one.place ? `${one.backend} · ${one.place}` : one.backend,
      promise: promise(one),
      state: answering.length === 0 ? "no cache answers" : degraded(answering),
      entries: Number.isFinite(one.entries) ? count(one.entries, "entry", "entries") : "",
      remark: one.remark ?? "",
    };
  });
}

const LOSSES = { none: "loses no acknowledged write", window: "a crash can take the last writes", all: "a crash takes all" };

const promise = (cache) =>
  [cache.durable ? "durable" : "not durable", cache.shared ? "shared" : "not shared", cache.linearizable ? "linearizable" : "",
    LOSSES[cache.ackedLoss] ?? "", cache.simulated ? "simulated" : ""].filter(Boolean).join(" · ");

function degraded(caches) {
  const why = [...new Set(caches.filter((each) => tone(each.colour) !== "good").flatMap((each) => each.why))];
  if (why.length > 0) return `degraded: ${why.join("; ")}`;
  return caches.every((each) => tone(each.colour) === "good") ? "" : "degraded";
}

function grouped(entries, key) {
  const groups = new Map();
  for (const each of entries) {
    const name = key(each);
    if (groups.has(name)) groups.get(name).push(each);
    else groups.set(name, [each]);
  }
  return groups;
}

const named = (processes, name) => processes?.find((each) => each.name === name) ?? null;

/** Null when nothing is known. */
function sum(values) {
  const known = values.filter((value) => value !== null && value !== undefined);
  return known.length === 0 ? null : known.reduce((one, other) => one + other, 0);
}

/** The figures of a gateway in two lines. */
export const gatewayLines = ({ perS, p99Ms, inFlight, errorsPerS }) => [
  `${rate(perS)} · p99 ${ms(p99Ms)}`,
  `${inFlight ?? "–"} in flight · ${errorsPerS ? `${rate(errorsPerS)} errors` : errorsPerS === 0 ? "no errors" : "errors –"}`,
];
