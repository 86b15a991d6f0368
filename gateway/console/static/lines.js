// The lines of the map: calls from the users to the services, from caches to their storage, and what the registry nodes
// think of one another. The width of a line goes by its rate.

import { rate } from "./format.js";
import { OTHERS } from "./layout.js";
import { tone } from "./tones.js";

/** [{key, d, look, width, text, at}] */
export function linesOf(picture, plan) {
  const users = { key: "users", d: `${plan.arrival}${DOWN}`, look: "flow", width: thick(picture.perS), text: "", at: null };
  return [users, ...fans(picture, plan), ...flowsOf(picture, plan), ...stores(picture, plan)];
}

const DOWN = "m-4 -5l4 5l4 -5";
const RIGHT = "m-5 -4l5 4l-5 4";

/** 1 when nothing flows, 6 at most. */
const thick = (perS) => (perS ? 1.4 + Math.min(Math.log2(1 + perS) * 0.6, 4.6) : 1);

function fans({ columns, sources }, { fans }) {
  return columns
    .filter(({ id }) => sources.includes(id))
    .map(({ id, lpar, parts: { gateway } }) => {
      const off = lpar.onAddress === false || gateway.tone === "bad" || gateway.tone === "quiet";
      const { d, label } = fans.get(id);
      const text = lpar.onAddress === false ? "not on the address" : gateway.perS === null ? "" : rate(gateway.perS);
      return { key: `fan ${id}`, d: `${d}${DOWN}`, look: off ? "flow off" : "flow", width: off ? 1 : thick(gateway.perS), text, at: label };
    });
}

function flowsOf({ columns, sources }, { flows }) {
  const byId = new Map(columns.map((column) => [column.id, column]));
  return flows.flatMap(({ key, from, to, box, lane, d, label }) => {
    const column = byId.get(to);
    const found = box === "" ? column.parts.caching.flows : column.boxes.find(({ name }) => name === box)?.flows;
    const flow = found && flowFrom(found, from, to);
    if (!flow) return [];
    const colour = from === OTHERS ? "others" : `lpar${sources.indexOf(from) % 6}`;
    const look = `flow ${colour}${flow.leftOut ? " left-out" : flow.perS ? "" : " idle"}`;
    const text = flow.leftOut ? "left out" : flow.perS ? rate(flow.perS) : "";
    return [{ key: `flow ${key}`, d: `${d}${RIGHT}`, look, width: thick(flow.leftOut ? 0 : flow.perS), text, at: label, lane }];
  });
}

function flowFrom(flows, from, to) {
  if (from !== OTHERS) return flows.get(from);
  const others = [...flows].filter(([source]) => source !== to).map(([, flow]) => flow);
  if (others.length === 0) return null;
  return { perS: others.reduce((all, each) => all + (each.perS ?? 0), 0), leftOut: others.every((each) => each.leftOut) };
}

function stores({ columns }, { stores }) {
  return columns
    .filter(({ id }) => stores.has(id))
    .map(({ id, parts: { caching } }) => {
      const { d, label } = stores.get(id);
      const dead = caching.tone === "bad" || caching.tone === "quiet";
      const look = dead ? "flow off" : `flow store tone-${caching.tone}`;
      return { key: `store ${id}`, d: `${d}${DOWN}`, look, width: dead ? 1 : thick(caching.perS), text: dead || !caching.perS ? "" : rate(caching.perS), at: label };
    });
}

/** [{key, d, state, tone, at}]: of each pair of nodes the half that shows how one sees the other. */
export function peersIn(picture, { peers }) {
  const places = new Map(peers.map((each) => [each.key, each]));
  return picture.peers.flatMap(({ from, to, state }) => {
    const place = places.get(`${from} ${to}`);
    return place ? [{ key: place.key, d: place.d, at: place.mark, state, tone: tone(state) }] : [];
  });
}
