// Where things are on the map: from the structure of a picture to rectangles and lines. Pure: no element, no figure.
//
//              users
//         ┌────────────┐
//         │ distributor│                 one line down to each gateway
//         └──┬──────┬──┘
//      ┌ LPAR1 ┐ ┌ LPAR2 ┐ ┌ outside ┐   all frames are as high as the highest
//      │gateway│ │gateway│ │         │
//      │═══════│═│═══════│═│═════════│   lanes: one for each gateway, from it to the services of all columns
//      │╠ svc  │ │╠ svc  │ │╠ svc    │   trunks: where the lanes go down, left of the services
//      │╚ cache│ │╚ cache│ └─────────┘
//      │ node  │ │ node  │
//      └──┬────┘ └──┬────┘
//         ╰─────────╯                    arcs between the registry nodes
//        (   storage    )
//
// With more than MESHED gateways a lane for each is no picture any more: then a column has one trunk of its own gateway
// and one of all the others.

import { OUTSIDE } from "./picture.js";

const MARGIN = 12;
const MIN_WIDTH = 760;
const WIDTH = 1210;
const GAP = 26;
const PAD = 14;
const RIGHT = 24; // where the line from the cache to its storage goes down
const LANE = 9;
const LABEL = 48;
const BOX = { least: 148, most: 300 };
const PORT = 18;
const SPACE = 10;
const HEAD = 52;
const GATEWAY = 68;
const ROW = 50;
const MARKS = 24;
const LAUNCHER = 32;
const GHOST = 22;
const SAID = 84; // "not simulated", left of them
const DRUM = 96;
const ROUND = 6;
const MESHED = 4;

/** At most so many instances of a service in an LPAR have a mark of their own. */
export const MARKED = 8;
/** At most so many services of an LPAR have a box of their own. */
export const BOXED = 12;
export const GHOSTS = ["ZIS", "SAF", "z/OSMF"];
export const OTHERS = "others";

/** What of a picture decides where things are: while this text stays, the layout does. */
export const structure = ({ columns, sources, drums }) =>
  JSON.stringify([columns.map(({ id, boxes }) => [id, boxes.map(({ name, instances }) => [name, marksOf(instances.length)])]), sources,
    drums.map(({ key, lpars }) => [key, lpars])]);

/** How many marks a box has: none for a single instance, and none when there are too many. */
export const marksOf = (instances) => (instances > 1 && instances <= MARKED ? instances : 0);

export function layout(picture) {
  const lanes = picture.sources.length > MESHED ? 2 : picture.sources.length;
  const gutter = lanes ? lanes * LANE + LABEL : 0;
  const grid = horizontally(picture.columns.length, gutter);
  const rows = vertically(picture, lanes);
  const columns = new Map(picture.columns.map((column, index) => [column.id, place(column, grid.at(index), rows, gutter, lanes)]));
  const inside = picture.columns.filter(({ id }) => id !== OUTSIDE).map(({ id }) => columns.get(id));
  const bar = span(inside, rows.bar, 46, grid);
  const middle = bar.x + Math.min(bar.width, WIDTH) / 2;
  const peers = arcs(picture, columns, rows.bottom);
  const floor = rows.bottom + Math.max(0, ...peers.map(({ depth }) => depth)) + 26;
  const { drums, stores, end } = storage(picture, columns, floor);
  return {
    width: grid.width,
    height: end + MARGIN,
    users: { x: middle - 80, y: rows.users, width: 160, height: 32 },
    bar,
    arrival: `M${middle} ${rows.users + 32}V${bar.y - 2}`,
    columns,
    fans: new Map(picture.sources.map((id) => [id, fan(columns.get(id), bar)])),
    flows: lanes === picture.sources.length ? meshed(picture, columns, rows) : gathered(picture, columns, rows),
    peers,
    stores,
    drums,
  };
}

function horizontally(count, gutter) {
  const fixed = PAD + gutter + RIGHT + GAP;
  const box = Math.min(Math.max(Math.floor((WIDTH - 2 * MARGIN + GAP) / Math.max(count, 1)) - fixed, BOX.least), BOX.most);
  const wide = fixed - GAP + box;
  const total = count * (wide + GAP) - GAP;
  const width = Math.max(total + 2 * MARGIN, MIN_WIDTH);
  const left = (width - Math.max(total, 0)) / 2;
  return { width, at: (index) => ({ x: left + index * (wide + GAP), width: wide }) };
}

function vertically({ columns, sources }, lanes) {
  const users = MARGIN;
  const bar = users + 32 + 26;
  const top = bar + 46 + 44;
  const gateway = top + HEAD;
  const lane = gateway + GATEWAY + 14;
  const services = lane + Math.max(lanes, 1) * LANE + 12;
  const tallest = Math.max(0, ...columns.map((column) => stacked(column, lanes)));
  const caching = services + tallest;
  const launcher = caching + boxHeight(0, lanes) + SPACE;
  const ghosts = launcher + LAUNCHER + SPACE;
  const discovery = ghosts + GHOST + SPACE;
  return { users, bar, top, gateway, lane, services, caching, launcher, ghosts, discovery, bottom: discovery + ROW + PAD, sources };
}

const boxHeight = (marks, lanes) => Math.max(ROW + (marks ? MARKS : 0), lanes * PORT + 14);

const stacked = (column, lanes) =>
  shown(column).reduce((sum, { instances }) => sum + boxHeight(marksOf(instances.length), lanes) + SPACE, 0) + (hiddenOf(column) ? ROW + SPACE : 0);

const shown = ({ boxes }) => boxes.slice(0, BOXED);
const hiddenOf = ({ boxes }) => Math.max(boxes.length - BOXED, 0);

/** Rectangles of a column, and the x of its trunks. */
function place(column, { x, width }, rows, gutter, lanes) {
  const outside = column.id === OUTSIDE;
  const top = outside ? rows.gateway + GATEWAY - HEAD + 8 : rows.top;
  const inner = { x: x + PAD, width: width - PAD - RIGHT };
  const beside = { x: inner.x + gutter, width: inner.width - gutter };
  const boxes = new Map();
  let y = rows.services;
  for (const { name, instances } of shown(column)) {
    const height = boxHeight(marksOf(instances.length), lanes);
    boxes.set(name, { ...beside, y, height });
    y += height + SPACE;
  }
  return {
    frame: { x, y: top, width, height: (outside ? rows.caching : rows.bottom) - top },
    boxes,
    more: hiddenOf(column) ? { ...beside, y, height: ROW } : null,
    parts: outside ? {} : partsOf(inner, beside, rows, lanes),
    ghosts: outside ? [] : GHOSTS.map((name, index) => ghost(name, index, inner, rows)),
    trunk: (lane) => inner.x + 4 + lane * LANE,
    entry: x + width - 46,
  };
}

function partsOf(inner, beside, rows, lanes) {
  return {
    gateway: { ...inner, y: rows.gateway, height: GATEWAY },
    caching: { ...beside, y: rows.caching, height: boxHeight(0, lanes) },
    launcher: { ...inner, y: rows.launcher, height: LAUNCHER },
    discovery: { ...inner, y: rows.discovery, height: ROW },
  };
}

function ghost(name, index, inner, rows) {
  const width = (inner.width - SAID - 2 * 6) / GHOSTS.length;
  return { name, x: inner.x + SAID + index * (width + 6), y: rows.ghosts, width, height: GHOST };
}

function span(columns, y, height, grid) {
  if (columns.length === 0) return { x: MARGIN, y, width: grid.width - 2 * MARGIN, height };
  const [first, last] = [columns[0].frame, columns.at(-1).frame];
  return { x: first.x, y, width: last.x + last.width - first.x, height };
}

function fan({ entry, parts: { gateway }, frame }, bar) {
  return { d: `M${entry} ${bar.y + bar.height}V${gateway.y - 2}`, label: { x: entry - 8, y: frame.y - 9 } };
}

/** Each gateway to each box: down its own trunk, or along its lane and down its trunk in the other column. */
function meshed({ columns, sources }, places, rows) {
  return sources.flatMap((from, lane) => {
    const own = places.get(from);
    const y = rows.lane + lane * LANE;
    return columns.flatMap((column) => {
      const there = places.get(column.id);
      const x = there.trunk(lane);
      const start = `M${own.trunk(lane)} ${own.parts.gateway.y + GATEWAY}`;
      const way = column.id === from ? start : `${start}${bend(own.trunk(lane), y, x)}`;
      return targets(there).map((target) => port(from, column.id, target, lane, x, way));
    });
  });
}

/** The own gateway to each box; and all others, by way of one lane that they share. */
function gathered({ columns, sources }, places, rows) {
  const order = columns.map(({ id }) => id);
  return columns.flatMap(({ id }, index) => {
    const there = places.get(id);
    const before = order.slice(0, index).findLast((each) => sources.includes(each));
    const after = order.slice(index + 1).find((each) => sources.includes(each));
    const down = (each, lane) => `M${places.get(each).trunk(lane)} ${places.get(each).parts.gateway.y + GATEWAY}`;
    const along = (each) => `${down(each, 1)}${bend(places.get(each).trunk(1), rows.lane, there.trunk(1))}`;
    const others = { from: OTHERS, lane: 1, way: [before, after].filter(Boolean).map(along).join("") };
    const ways = sources.includes(id) ? [{ from: id, lane: 0, way: down(id, 0) }, others] : [others];
    return ways.flatMap(({ from, lane, way }) => targets(there).map((target) => port(from, id, target, lane, there.trunk(lane), way)));
  });
}

function targets({ boxes, parts }) {
  const services = [...boxes].map(([name, box]) => ({ name, box }));
  return parts.caching ? [...services, { name: "", box: parts.caching }] : services;
}

/** The end of a way: down the trunk to the box. The cache's box has no name. */
function port(from, to, { name, box }, lane, x, way) {
  const y = Math.round(box.y + 18 + lane * PORT);
  const d = `${way}V${y - ROUND}Q${x} ${y} ${x + ROUND} ${y}H${box.x - 3}`;
  return { key: `${from} ${to} ${name}`, from, to, box: name, lane, d, label: { x: box.x - 9, y: y - 5 } };
}

/** Down to the lane, along it, and down again. */
function bend(x, y, to) {
  const side = Math.sign(to - x) * ROUND;
  return `V${y - ROUND}Q${x} ${y} ${x + side} ${y}H${to - side}Q${to} ${y} ${to} ${y + ROUND}`;
}

/** For each node and each of its peers the half of their arc that is nearer to the node: it shows how this one sees
 *  the other. */
function arcs({ columns, peers }, places, bottom) {
  const index = new Map(columns.map(({ id }, position) => [id, position]));
  return peers.map(({ from, to }) => {
    const depth = Math.min(16 + 12 * Math.abs(index.get(from) - index.get(to)), 100);
    const [x, other] = [from, to].map((id) => centre(places.get(id).parts.discovery));
    const shift = Math.sign(other - x) * 14;
    const [start, end] = [x + shift, other - shift];
    const y = bottom - PAD;
    const control = y + 2 * depth + PAD;
    const middle = (start + end) / 2;
    const half = `M${start} ${y}Q${(start + middle) / 2} ${(y + control) / 2} ${middle} ${(y + control) / 2}`;
    return { key: `${from} ${to}`, from, to, depth, d: half, mark: { x: 0.5625 * start + 0.375 * middle + 0.0625 * end, y: 0.625 * y + 0.375 * control } };
  });
}

const centre = ({ x, width }) => x + width / 2;

/** Drums below, as wide as the LPARs that share them; those that would overlap go below one another. */
function storage({ drums }, places, floor) {
  const rows = [];
  const found = new Map();
  const stores = new Map();
  for (const drum of drums) {
    const here = drum.lpars.filter((id) => places.get(id)?.parts.caching);
    if (here.length === 0) continue;
    const first = places.get(here[0]).frame;
    const last = places.get(here.at(-1)).frame;
    const area = { x: first.x + 20, width: last.x + last.width - first.x - 20 + 12 };
    const row = rows.findIndex((end) => end < area.x);
    const level = row === -1 ? rows.length : row;
    rows[level] = area.x + area.width;
    const rect = { ...area, y: floor + level * (DRUM + 16), height: DRUM };
    found.set(drum.key, rect);
    for (const id of here) stores.set(id, store(places.get(id), rect));
  }
  return { drums: found, stores, end: floor + rows.length * (DRUM + 16) };
}

/** From the right of the cache down to the rim of its drum. */
function store({ parts: { caching }, frame }, drum) {
  const x = frame.x + frame.width - RIGHT / 2;
  const y = caching.y + 24;
  const across = Math.min(Math.abs(x - centre(drum)) / (drum.width / 2), 1);
  const rim = drum.y + RIM * (1 - Math.sqrt(1 - across ** 2));
  const d = `M${caching.x + caching.width} ${y}H${x - ROUND}Q${x} ${y} ${x} ${y + ROUND}V${rim - 2}`;
  return { d, label: { x: x - 8, y: drum.y - 6 } };
}

/** Half the height of the drum's ellipses. */
export const RIM = 12;

/** The outline of a drum and the front of its rim. */
export function drumPath({ x, y, width, height }) {
  const half = width / 2;
  const top = y + RIM;
  return {
    body: `M${x} ${top}A${half} ${RIM} 0 0 1 ${x + width} ${top}V${y + height - RIM}A${half} ${RIM} 0 0 1 ${x} ${y + height - RIM}Z`,
    rim: `M${x} ${top}A${half} ${RIM} 0 0 0 ${x + width} ${top}`,
  };
}
