// The boxes of the map, each a link whose accessible name tells its state: LPARs, their processes, services, storage.
//
//     {key, kind, rect, href, label, tone, state, name, end, lines: [{text} or {figure}, tone], drum}

import { count, rate } from "./format.js";
import { BOXED, drumPath, marksOf } from "./layout.js";
import { gatewayLines, OUTSIDE } from "./picture.js";
import { to } from "./routes.js";
import { tone, words, worst } from "./tones.js";

export function cardsOf(picture, plan) {
  const { columns, drums } = picture;
  const inside = columns.flatMap((column) => [head(column, plan, picture), ...parts(column, plan, picture), ...boxes(column, plan)]);
  return [users(picture, plan), bar(picture, plan), ...inside, ...drums.filter(({ key }) => plan.drums.has(key)).map((drum) => storage(drum, plan.drums.get(drum.key)))];
}

const card = (key, kind, rect, rest) => ({ key, kind, rect, href: null, tone: "", state: "", end: "", lines: [], drum: null, ...rest });

function users({ perS }, plan) {
  const label = `Users: ${rate(perS)}`;
  return card("users", "users", plan.users, { label, name: "Users", end: rate(perS) });
}

function bar({ address, columns }, plan) {
  const on = columns.filter(({ lpar }) => lpar?.onAddress);
  const who = on.length ? `calls go to ${on.map(({ id }) => id).join(", ")}` : address ? "nobody is on it" : "each gateway has an address of its own";
  const name = address ? `Sysplex address ${address}` : "No sysplex address";
  const state = address && on.length === 0 ? "nobody" : "";
  return card("bar", "bar", plan.bar, {
    href: "/console/events?kind=address", label: `${name}: ${who}`, tone: state ? "bad" : address ? "good" : "quiet", state, name, lines: [{ text: who }],
  });
}

function head({ id, title, lpar }, { columns }) {
  const { frame } = columns.get(id);
  const rect = { x: frame.x + 3, y: frame.y + 3, width: frame.width - (lpar ? 64 : 6), height: 46 };
  if (!lpar) return card(`${id} head`, "head", rect, { href: "/console/services", label: "Services outside the sysplex", name: title, lines: [{ text: "no LPAR is named" }] });
  const text = [lpar.state === "ready" ? "" : words(lpar.state), lpar.address].filter(Boolean).join(" · ");
  return card(`${id} head`, "head", rect, {
    href: `/console/events?lpar=${encodeURIComponent(id)}`, label: `${id}: ${words(lpar.state)}, its events`, tone: lpar.tone, state: lpar.state, name: title, lines: [{ text }],
  });
}

function parts({ id, parts }, { columns }, { serving }) {
  const places = columns.get(id).parts;
  if (id === OUTSIDE) return [];
  const make = (name, href, lines, rest = {}) => {
    const { tone, state, text } = parts[name];
    const told = lines.map(({ text, figure }) => text ?? figure);
    return card(`${id} ${name}`, "part", places[name], { href, tone, state, name, lines, label: [`${name} of ${id}: ${text}`, ...told.filter((each) => each !== text)].join(", "), ...rest });
  };
  return [
    gateway(id, parts.gateway, serving, make),
    make("caching", "/console/cache", [{ text: parts.caching.text }]),
    make("launcher", "/console/lab", [], { end: parts.launcher.state === "ready" ? "" : words(parts.launcher.state) }),
    discovery(id, parts.discovery, make),
  ];
}

function gateway(id, part, serving, make) {
  const [first, second] = gatewayLines(part);
  const lines = part.tone === "good" ? [{ figure: first }, { figure: second, tone: part.errorsPerS ? "bad" : "" }] : [{ text: part.text }, { figure: part.perS === null ? "" : second }];
  const [one] = part.instances;
  const href = one ? to("services", "gateway", one.key) : to("services", "gateway");
  return make("gateway", href, lines, { name: id === serving ? "gateway, serves this page" : "gateway" });
}

function discovery(id, part, make) {
  const views = Object.entries(part.peers).filter(([, state]) => state !== "alive");
  const sees = views.length ? views.map(([peer, state]) => `sees ${peer} ${words(state)}`).join(", ") : "";
  const knows = part.instancesKnown === null ? "" : count(part.instancesKnown, "instance");
  const text = part.tone === "good" ? [sees, knows].filter(Boolean).join(" · ") || part.text : part.text;
  return make("discovery", `/console/events?lpar=${encodeURIComponent(id)}`, [{ text, tone: sees && part.tone === "good" ? worst(views.map(([, state]) => tone(state))) : "" }]);
}

function boxes({ id, boxes }, { columns }) {
  const { boxes: places, more } = columns.get(id);
  const where = id === OUTSIDE ? "outside the sysplex" : `in ${id}`;
  const cards = boxes.slice(0, BOXED).map((box) =>
    card(`${id} service ${box.name}`, "service", places.get(box.name), {
      href: box.instances.length === 1 ? to("services", box.name, box.instances[0].key) : to("services", box.name),
      label: `${box.name} ${where}: ${box.text}, ${rate(box.perS)}`,
      tone: box.tone, state: box.text.replace(/\d+ in flight/, ""), name: box.name, end: box.perS ? rate(box.perS) : "", lines: [{ text: box.text, tone: box.tone === "good" ? "" : box.tone }],
    }),
  );
  return more ? [...cards, rest(id, boxes.slice(BOXED), more)] : cards;
}

function rest(id, hidden, rect) {
  const troubled = hidden.filter((box) => box.tone !== "good").length;
  const name = `${hidden.length} more services`;
  const text = troubled ? `${troubled} of them with trouble` : "all well";
  return card(`${id} more`, "service", rect, { href: "/console/services", label: `${name} in ${id}: ${text}`, tone: troubled ? "warn" : "good", state: text, name, lines: [{ text }] });
}

function storage({ key, title, promise, state, tone, entries, remark, lpars }, rect) {
  const name = `Storage ${title}`;
  const lines = [{ text: [promise, entries].filter(Boolean).join(" · ") }, { text: state || remark, tone: state ? tone : "" }];
  const label = [name, `of ${lpars.join(", ")}`, promise, state, entries].filter(Boolean).join(", ");
  const drum = drumPath({ x: 1, y: 1, width: rect.width - 2, height: rect.height - 2 });
  return card(`drum ${key}`, "drum", rect, { href: "/console/cache", label, tone, state, name, lines, drum });
}

/** The few instances of a service in an LPAR, one mark each: [{key, x, y, tone, href, label}]. */
export function marksIn({ columns }, plan) {
  return columns.flatMap(({ id, boxes }) =>
    boxes.slice(0, BOXED).flatMap(({ name, states }) => {
      if (marksOf(states.length) === 0) return [];
      const { x, y, height } = plan.columns.get(id).boxes.get(name);
      return states.map(({ instance, tone, word, why }, index) => {
        const label = `${name} at ${instance.url}: ${word}${why ? `, ${why}` : ""}`;
        return { key: `${id} ${instance.key}`, x: x + 5 + 24 * index, y: y + height - 28, tone, href: to("services", name, instance.key), label };
      });
    }),
  );
}
