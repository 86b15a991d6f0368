// The latency of the last two minutes, kept while a page is open, and its picture.

import { make, put, svg, write } from "./dom.js";
import { ms } from "./format.js";

const KEPT_MS = 120_000;
const [WIDTH, HEIGHT, EDGE] = [480, 64, 3];
const kept = new Map();

/** What is known of a key: [[when, latency in ms or null], …], oldest first. */
export const samples = (key) => kept.get(key) ?? [];

/** Adds one; `now` in ms. */
export function sample(key, now, value) {
  const some = samples(key).filter(([when]) => when > now - KEPT_MS);
  some.push([now, value]);
  kept.set(key, some);
}

export function sparkline() {
  const line = svg("path", { class: "spark", fill: "none" });
  const box = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" };
  const picture = svg("svg", { class: "sparkline", role: "img", ...box }, line);
  return make("figure", { class: "latency" }, picture, make("figcaption", { class: "quiet small" }));
}

export function draw(figure, some, now) {
  const known = some.map(([, value]) => value).filter((value) => value !== null);
  const most = Math.max(...known, 1);
  put(figure.firstChild.firstChild, { d: path(some, now, most) });
  const text = known.length
    ? `Last 2 minutes: now ${ms(some.at(-1)[1])}, least ${ms(Math.min(...known))}, most ${ms(Math.max(...known))}`
    : "Last 2 minutes: no calls";
  put(figure.firstChild, { "aria-label": `Latency. ${text}` });
  write(figure.lastChild, text);
}

/** A line, broken where there were no calls. */
function path(some, now, most) {
  let pen = "M";
  return some
    .map(([when, value]) => {
      if (value === null) {
        pen = "M";
        return "";
      }
      const x = WIDTH * (1 - (now - when) / KEPT_MS);
      const y = HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * (value / most);
      const step = `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
      pen = "L";
      return step;
    })
    .join("");
}
