// The home page: the sysplex as a picture that is alive.

import { make, put, svg } from "./dom.js";
import { Drawing } from "./drawing.js";
import { Facts } from "./facts.js";
import { clock } from "./format.js";
import { GHOSTS, layout, structure } from "./layout.js";
import { picture, SECTIONS } from "./picture.js";
import { give, saved } from "./savesvg.js";
import { badge } from "./tones.js";

export const title = "Sysplex map";

const FIGURES_MS = 1000;

export function show(root, store) {
  const view = new View(store);
  root.append(view.element);
  const off = store.on([...SECTIONS, "connection"], () => view.update());
  return () => {
    off();
    view.stop();
  };
}

class View {
  #store;
  #drawing = new Drawing();
  #facts = new Facts();
  #shown = "";
  #plan = null;
  #figuresAt = -Infinity;
  #timer = 0;
  #empty = make("p", { class: "empty" });
  #region = make("div", { class: "wide canvas", tabindex: 0, role: "region", "aria-label": "Sysplex map" }, this.#drawing.element);
  #legend = make("div", { class: "under" }, legend(), make("button", { type: "button", text: "Save as SVG", onclick: () => this.#export() }));

  constructor(store) {
    this.#store = store;
    this.element = make("div", {}, this.#empty, this.#region, this.#legend, this.#facts.element);
  }

  /** Anything may have changed. What did not costs a comparison. */
  update() {
    const now = picture(this.#store);
    const known = now.known;
    put(this.#empty, { hidden: known, text: waiting(this.#store.connection) });
    for (const part of [this.#region, this.#legend, this.#facts.element]) put(part, { hidden: !known });
    if (!known) return;
    const shape = structure(now);
    const moved = shape !== this.#shown;
    if (moved) this.#plan = layout(now);
    this.#shown = shape;
    this.#drawing.draw(now, this.#plan, this.#due(moved));
    this.#facts.show(now);
  }

  /** Figures change once a second, or they could not be read. */
  #due(moved) {
    const left = this.#figuresAt + FIGURES_MS - performance.now();
    if (!moved && left > 0) {
      this.#timer ||= setTimeout(() => this.update(), left + 1);
      return false;
    }
    this.stop();
    this.#figuresAt = performance.now();
    return true;
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
  }

  #export() {
    const now = new Date();
    const name = this.#store.hello?.sysplex ?? "sysplex";
    const caption = `${name} at ${now.toISOString().slice(0, 10)} ${clock(now / 1000)}. Drawn grey, not simulated: ${GHOSTS.join(", ")}.`;
    const ground = getComputedStyle(document.body).backgroundColor;
    give(`${name.replace(/[^\w-]+/g, "_")}-map.svg`, saved(this.#drawing.element, caption, ground));
  }
}

const waiting = ({ state }) => (state === "live" ? "No LPAR is known yet: the registry is still empty." : "The map is drawn as soon as a gateway answers.");

function legend() {
  const shapes = [["good", "works"], ["warn", "take note"], ["bad", "does not work"], ["quiet", "stopped or not known"]];
  const lines = [["flow lpar0", "calls; wider is more"], ["flow left-out", "left out by that gateway"], ["peer tone-good", "registry nodes that see each other"], ["ghost", `not simulated: ${GHOSTS.join(", ")}`]];
  const sample = (look) => svg("svg", { class: "map sample", width: 34, height: 12, "aria-hidden": "true" }, svg("path", { class: look, d: "M2 6H32", fill: "none", "stroke-width": 3 }));
  const items = [...shapes.map(([tone, text]) => badge(tone, text)), ...lines.map(([look, text]) => make("span", {}, sample(look), text))];
  return make("ul", { class: "legend", "aria-label": "Legend" }, ...items.map((item) => make("li", {}, item)));
}
