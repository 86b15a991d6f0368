// The boxes of the map, each a link whose accessible name tells its state: LPARs, their processes, services, storage.
//
//     {key, kind, rect, href, label, tone, state, name, end, lines: [{text} or {figure}, tone], drum}

import { count, rate } from "./format.js";
import { wrapped } from "./lettering.js";
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
  const { parts: places } = columns.get(id);
  if (id === OUTSIDE) return [];
  const part = (name, href, lines, { told = "", end = "" } = {}) => {
    const { tone, state, text } = parts[name];
    const label = [`${name} of ${id}: ${text}`, told].filter(Boolean).join(", ");
    return card(`${id} ${name}`, "part", places[name], { href, tone, state, name, lines, label, end });
  };
  const caching = explained(parts.caching, places.caching, 0);
  const launcher = parts.launcher.state === "ready" ? "" : words(parts.launcher.state);
  return [
    gateway(id, parts.gateway, places.gateway, serving, part),
    part("caching", "/console/cache", caching),
    part("launcher", "/console/lab", [], { end: launcher }),
    discovery(id, parts.discovery, part),
  ];
}

function gateway(id, found, place, serving, part) {
  const { tone, errorsPerS, follows, instances } = found;
  const [first, second] = gatewayLines(found);
  const figures = [{ figure: first }, { figure: second, tone: errorsPerS ? "bad" : "" }];
  const follower = follows ? `follows ${follows}` : "";
  const told = [tone === "good" ? `${first}, ${second}` : "", follower && `${follower}'s registry`, id === serving ? "serves this page" : ""];
  return part("gateway", to("services", "gateway", ...instances.slice(0, 1).map(({ key }) => key)), tone === "good" ? figures : explained(found, place, 0), {
    told: told.filter(Boolean).join(", "), end: id === serving ? "serves you" : follower,
  });
}

function discovery(id, { tone: own, text, peers, instancesKnown }, part) {
  const views = Object.entries(peers).filter(([, state]) => state !== "alive");
  const sees = views.map(([peer, state]) => `sees ${peer} ${words(state)}`).join(", ");
  const told = [sees, instancesKnown === null ? "" : count(instancesKnown, "instance")].filter(Boolean).join(" · ");
  const line = own === "good" ? { text: told || text, tone: sees ? worst(views.map(([, state]) => tone(state))) : "" } : { text };
  return part("discovery", `/console/events?lpar=${encodeURIComponent(id)}`, [line], { told: own === "good" ? told : "" });
}

function boxes({ id, boxes }, { columns }) {
  const { boxes: places, more } = columns.get(id);
  const where = id === OUTSIDE ? "outside the sysplex" : `in ${id}`;
  const cards = boxes.slice(0, BOXED).map((box) =>
    card(`${id} service ${box.name}`, "service", places.get(box.name), {
      href: box.instances.length === 1 ? to("services", box.name, box.instances[0].key) : to("services", box.name),
      label: `${box.name} ${where}: ${box.text}, ${rate(box.perS)}`,
      tone: box.tone,
      state: box.text.replace(/\d+ in flight/, ""),
      name: box.name,
      end: box.perS ? rate(box.perS) : "",
      lines: explained(box, places.get(box.name), marksOf(box.instances.length)),
    }),
  );
  return more ? [...cards, rest(id, boxes.slice(BOXED), more)] : cards;
}

/** Why it is as it is, in as many lines as fit below the name. */
function explained({ text, tone }, { width, height }, marks) {
  const room = Math.max(Math.floor((height - (marks ? 28 : 0) - 26) / 16), 1);
  return wrapped(text, width - 22, 12, room).map((line) => ({ text: line, tone: tone === "good" ? "" : tone }));
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
