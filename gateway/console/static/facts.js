// What the map shows, as a table: for who cannot see it, and for copying. It is filled only while it is open.

import { keyed, make, put } from "./dom.js";
import { rate } from "./format.js";
import { gatewayLines, OUTSIDE } from "./picture.js";
import { to } from "./routes.js";
import { badge, putBadge, words } from "./tones.js";

const HEADINGS = ["Where", "What", "State", "Figures"];

export class Facts {
  #rows = make("tbody");
  #picture = null;
  element = make(
    "details",
    { ontoggle: () => this.#fill() },
    make("summary", { text: "The same as a table" }),
    make("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "The map as a table" },
      make("table", {}, make("thead", {}, make("tr", {}, ...HEADINGS.map((text) => make("th", { scope: "col", text })))), this.#rows)),
  );

  show(picture) {
    this.#picture = picture;
    this.#fill();
  }

  #fill() {
    if (!this.element.open || this.#picture === null) return;
    keyed(this.#rows, rows(this.#picture), ({ key }) => key, row, putRow);
  }
}

function row() {
  return make("tr", {}, make("th", { scope: "row" }), make("td"), make("td", {}, badge()), make("td"));
}

function putRow(element, { where, what, href, state, tone, text, figures }) {
  const [first, second, third, fourth] = element.children;
  put(first, { text: where });
  if (!second.firstChild) second.append(href ? make("a", {}) : make("span"));
  put(second.firstChild, href ? { href, text: what } : { text: what });
  putBadge(third.firstChild, tone ?? state, text);
  put(fourth, { text: figures });
}

function rows({ address, columns, perS, peers, drums }) {
  const on = columns.filter(({ lpar }) => lpar?.onAddress).map(({ id }) => id);
  const first = { key: "address", where: address || "–", what: "sysplex address", tone: address && !on.length ? "bad" : address ? "good" : "quiet", text: on.length ? `on it: ${on.join(", ")}` : "nobody", figures: rate(perS) };
  const seen = peers.map(({ from, to, state }) => ({ key: `peer ${from} ${to}`, where: from, what: `registry node's view of ${to}`, state, text: words(state), figures: "" }));
  const stored = drums.map((drum) => ({ key: `drum ${drum.key}`, where: drum.lpars.join(", "), what: `storage ${drum.title}`, href: "/console/cache", tone: drum.tone, text: drum.state || drum.promise, figures: drum.state ? drum.promise : drum.entries }));
  return [first, ...columns.flatMap(inColumn), ...seen, ...stored];
}

function inColumn({ id, title, lpar, parts, boxes }) {
  const head = lpar ? [{ key: id, where: title, what: "LPAR", state: lpar.state, text: words(lpar.state), figures: lpar.address }] : [];
  const processes = Object.entries(parts).map(([name, part]) => ({
    key: `${id} ${name}`, where: title, what: name, tone: part.tone, text: part.text,
    figures: [name === "gateway" ? gatewayLines(part).join(" · ") : "", part.vitals].filter(Boolean).join(" · "),
  }));
  const services = boxes.map((box) => ({
    key: `${id} service ${box.name}`, where: id === OUTSIDE ? "outside" : title, what: box.name, href: to("services", box.name), tone: box.tone, text: box.text, figures: flowText(box),
  }));
  return [...head, ...processes, ...services];
}

const flowText = ({ flows }) =>
  [...flows].filter(([, flow]) => flow.perS || flow.leftOut).map(([from, flow]) => (flow.leftOut ? `${from} leaves it out` : `${rate(flow.perS)} from ${from}`)).join(", ");
