// The map in SVG: what a picture says (cards.js, lines.js), where its layout says, changed in place. A box whose state
// changes pulses once.

import { cardsOf, marksIn } from "./cards.js";
import { keyed, put, svg } from "./dom.js";
import { fitted, wide } from "./lettering.js";
import { linesOf, peersIn } from "./lines.js";
import { SHAPES } from "./tones.js";

const LAYERS = ["frames", "ghosts", "lines", "peers", "cards", "marks", "labels"];
const CROWDED = 5; // columns; with more of them the lines that are as they should be are faint
const MUTE = ["frames", "lines", "peers", "labels"];

export class Drawing {
  element = svg("svg", { class: "map", role: "group", "aria-label": "Sysplex map" });
  #layers = Object.fromEntries(LAYERS.map((name) => [name, svg("g", { class: name, "aria-hidden": MUTE.includes(name) ? "true" : null })]));
  #plan = null;

  constructor() {
    this.element.append(...Object.values(this.#layers));
  }

  /** States at once; figures only when they are due. */
  draw(picture, plan, figures) {
    if (plan !== this.#plan) this.#place(plan);
    this.#plan = plan;
    const { cards, marks, lines, labels, peers } = this.#layers;
    keyed(cards, cardsOf(picture, plan), byKey, card, (element, each) => putCard(element, each, figures));
    keyed(marks, marksIn(picture, plan), byKey, mark, putMark);
    keyed(peers, peersIn(picture, plan), byKey, peer, putPeer);
    if (!figures) return;
    const all = linesOf(picture, plan);
    keyed(lines, all, byKey, line, putLine);
    keyed(labels, all.filter(({ text }) => text), byKey, label, putLabel);
  }

  #place({ width, height, columns }) {
    put(this.element, { class: columns.size > CROWDED ? "map crowded" : "map", width, height, viewBox: `0 0 ${width} ${height}` });
    const { frames, ghosts } = this.#layers;
    const all = [...columns].map(([key, each]) => ({ key, ...each }));
    keyed(frames, all, byKey, () => svg("rect", { rx: 10 }), (element, { frame, ghosts: inside }) => put(element, { ...frame, class: inside.length ? "frame" : "frame outside" }));
    keyed(ghosts, all.filter((each) => each.ghosts.length), byKey, () => svg("g"), (element, each) => putGhosts(element, each.ghosts));
  }
}

const byKey = ({ key }) => key;

function putGhosts(element, ghosts) {
  const [{ x, y }] = ghosts;
  const said = svg("text", { x: x - 8, y: y + 15, "text-anchor": "end", text: "not simulated" });
  const boxes = ghosts.flatMap(({ name, x, y, width, height }) => [
    svg("rect", { x, y, width, height, rx: 4 }),
    svg("text", { x: x + width / 2, y: y + 15, "text-anchor": "middle", text: name }),
  ]);
  element.replaceChildren(said, ...boxes);
}

/** A link with a picture in it, which cuts off what does not fit. */
function card({ kind }) {
  const box = svg("svg", {}, svg("rect", { class: "ground", rx: 6 }));
  if (kind === "drum") box.replaceChildren(svg("path", { class: "ground" }), svg("path", { class: "rim" }));
  box.append(svg("path", { class: "shape", "fill-rule": "evenodd" }), svg("text", { class: "name" }), svg("text", { class: "end", "text-anchor": "end" }));
  return svg("a", {}, svg("title"), box);
}

function putCard(element, { kind, rect, href, label, tone, state, name, end, lines, drum }, figures) {
  const [hint, box] = element.children;
  const { x, y, width, height } = rect;
  put(hint, { text: label });
  const inset = kind === "drum" ? { left: 26, top: 24 } : { left: 11, top: 0 };
  put(box, { x, y, width, height });
  if (drum) {
    put(box.children[0], { d: drum.body });
    put(box.children[1], { d: drum.rim });
  } else put(box.children[0], { x: 1, y: 1, width: width - 2, height: height - 2 });
  const [shape, title, right] = [...box.children].slice(drum ? 2 : 1);
  put(shape, { d: tone ? SHAPES[tone] : null, transform: `translate(${inset.left} ${inset.top + 10})` });
  put(title, { x: inset.left + (tone ? 19 : 0), y: inset.top + 21, text: fitted(name, width - inset.left - (tone ? 28 : 10) - wide(end, 12), 14) });
  if (figures) put(right, { x: width - inset.left, y: inset.top + 21, text: end });
  putTexts(box, lines, drum ? 5 : 4, { ...inset, width }, figures);
  const before = element.getAttribute("data-state");
  put(element, { class: `card-${kind} tone-${tone || "quiet"}`, href, role: href ? null : "img", "data-state": state, "aria-label": label });
  if (before !== null && before !== state) pulse(box);
}

/** Lines of a card: those that are figures, {figure}, change when figures are due. */
function putTexts(box, lines, first, { left, top, width }, figures) {
  while (box.children.length > first + lines.length) box.lastChild.remove();
  for (const [index, line] of lines.entries()) {
    const fresh = box.children[first + index] === undefined;
    if (fresh) box.append(svg("text", { class: "line" }));
    const element = box.children[first + index];
    if (line.figure !== undefined && !figures && !fresh) continue;
    const text = fitted(line.figure ?? line.text, width - 2 * left, 12);
    put(element, { x: left, y: top + 39 + 16 * index, text, class: line.tone ? `line tone-${line.tone}` : "line" });
  }
}

const calm = matchMedia("(prefers-reduced-motion: reduce)");

function pulse(box) {
  if (calm.matches) return;
  box.firstChild.animate([{ strokeWidth: "6px" }, { strokeWidth: "1.2px" }], { duration: 900, easing: "ease-out" });
}

const mark = () => svg("a", {}, svg("rect", { class: "hit", width: 24, height: 24, rx: 4 }), svg("path", { "fill-rule": "evenodd", transform: "translate(6 6)" }), svg("title"));

function putMark(element, { x, y, tone, href, label }) {
  const [, shape, title] = element.children;
  put(element, { transform: `translate(${x} ${y})`, class: `tone-${tone}`, href, "aria-label": label });
  put(shape, { d: SHAPES[tone] });
  put(title, { text: label });
}

const peer = () => svg("g", {}, svg("path", { class: "half", fill: "none" }), svg("path", { class: "shape", "fill-rule": "evenodd" }));

function putPeer(element, { d, state, tone, at }) {
  put(element, { class: `peer tone-${tone}`, "data-state": state });
  put(element.children[0], { d });
  put(element.children[1], { d: tone === "good" ? null : SHAPES[tone], transform: `translate(${at.x - 6} ${at.y - 6})` });
}

const line = () => svg("path", { fill: "none" });
const putLine = (element, { d, look, width }) => put(element, { d, class: look, "stroke-width": width.toFixed(1) });

const label = () => svg("text", { "text-anchor": "end" });
const putLabel = (element, { at, text, look }) => put(element, { x: at.x, y: at.y, text, class: look.includes("left-out") ? "tone-bad" : null });
