// The chart of a drill: calls a second and their 99th percentile over time, with steps and events as marks.
//
// Shapes are in a box of 1000 by 100 that is stretched; texts stand beside it, so that they are not. Its elements stay,
// and are changed in place.

import { keyed, make, put, svg, write } from "./dom.js";
import { ms } from "./format.js";

const WIDTH = 1000;
const HEIGHT = 100;
/** Seconds on the axis: the next one that holds them all, so that the scale changes seldom. */
const SPANS = [20, 40, 60, 90, 120, 180, 240, 360, 600, 900, 1800, 3600];
const NEAR = 2.2;

/** The top of an axis: a round number with some room above the value. */
export function nice(value) {
  if (!(value > 0)) return 1;
  const wanted = value * 1.05;
  const unit = 10 ** Math.floor(Math.log10(wanted));
  return [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((step) => wanted <= step * unit) * unit;
}

/** What is drawn: {span, calls, p99} of the axes, the paths of the shapes, and the numbered steps with their place. */
export function geometry(slices, moments) {
  const end = Math.max(0, ...slices.map(({ at }) => at + 1), ...moments.map(({ at }) => at));
  const span = SPANS.find((each) => end <= each) ?? Math.ceil(end / 3600) * 3600;
  const calls = nice(Math.max(0, ...slices.map(({ ok, errors, cut }) => ok + errors + cut)));
  const p99 = nice(Math.max(0, ...slices.map((slice) => slice.p99Ms ?? 0)));
  const x = (at) => round((at / span) * WIDTH);
  const lines = (kind) => moments.filter((each) => each.kind === kind).map(({ at }) => `M${x(at)} 0V${HEIGHT}`).join("");
  const marks = { event: lines("event"), step: lines("step") };
  const paths = { ...bars(slices, calls, x), p99: line(slices, p99, x), ...marks };
  return { span, calls, p99, paths, steps: numbered(moments, span) };
}

const round = (value) => Math.round(value * 100) / 100;

/** A bar a second: good answers below, what failed on top. */
function bars(slices, calls, x) {
  const paths = { ok: "", errors: "", cut: "" };
  for (const slice of slices) {
    const width = round(x(slice.at + 1) - x(slice.at)) * 0.92;
    let top = HEIGHT;
    for (const kind of ["ok", "errors", "cut"]) {
      if (!slice[kind]) continue;
      const height = round((slice[kind] / calls) * HEIGHT);
      top -= height;
      paths[kind] += `M${x(slice.at)} ${round(top)}h${round(width)}v${height}h${-round(width)}Z`;
    }
  }
  return paths;
}

/** Broken where no call was answered. */
function line(slices, p99, x) {
  let path = "";
  let pen = "M";
  for (const { at, p99Ms } of slices) {
    if (p99Ms === null || p99Ms === undefined) pen = "M";
    else {
      path += `${pen}${x(at + 0.5)} ${round(HEIGHT - (p99Ms / p99) * HEIGHT)}`;
      pen = "L";
    }
  }
  return path;
}

/** Steps have numbers; where two stand too near each other the later one is without. */
function numbered(moments, span) {
  let last = -NEAR;
  return moments.filter(({ kind }) => kind === "step").map((step, index) => {
    const left = (100 * step.at) / span;
    const shown = left - last >= NEAR;
    if (shown) last = left;
    return { key: step.n, number: index + 1, left, shown };
  });
}

/** An element; `draw(slices, moments, words)` fills it, `words` says what is to be seen. */
export function chart() {
  const upper = panel(["ok", "errors", "cut", "event", "step"], "calls");
  const lower = panel(["p99", "event", "step"], "p99");
  const numbers = make("div", { class: "step-numbers", "aria-hidden": "true" });
  const times = make("div", { class: "times", "aria-hidden": "true" });
  const element = make("figure", { class: "course", role: "img" }, numbers, upper.element, lower.element, times, legend());
  const draw = (slices, moments, words) => {
    const found = geometry(slices, moments);
    put(element, { "aria-label": words });
    upper.draw(found.paths, `${found.calls}/s`);
    lower.draw(found.paths, ms(found.p99));
    keyed(numbers, found.steps, (step) => step.key, () => make("span"), (mark, step) => {
      write(mark, step.number);
      mark.style.left = `${step.left}%`;
      mark.hidden = !step.shown;
    });
    const marks = [0, 1, 2, 3, 4].map((part) => ({ part, text: `${(found.span * part) / 4} s` }));
    keyed(times, marks, ({ part }) => part, () => make("span"), (mark, { text }) => write(mark, text));
  };
  return { element, draw };
}

function panel(names, text) {
  const paths = new Map(names.map((name) => [name, svg("path", { class: `shape-${name}` })]));
  const top = make("span");
  const element = make("div", { class: "panel", "aria-hidden": "true" },
    make("p", {}, top, make("br"), make("small", { text })),
    svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" }, ...paths.values()));
  const draw = (found, most) => {
    write(top, most);
    for (const [name, path] of paths) put(path, { d: found[name] || "M0 0" });
  };
  return { element, draw };
}

const KEYS = [
  ["ok", "good answers"],
  ["errors", "error answers"],
  ["cut", "cut: no whole answer"],
  ["p99", "99th percentile"],
  ["step", "steps, numbered"],
  ["event", "events"],
];

function legend() {
  const shape = (name) => (name === "step" || name === "event" ? "M6 0V12" : "M0 0H12V12H0Z");
  const sample = (name) => svg("svg", { viewBox: "0 0 12 12", class: `key-${name}` }, svg("path", { d: shape(name) }));
  const items = KEYS.map(([name, text]) => make("span", {}, sample(name), text));
  return make("div", { class: "keys", "aria-hidden": "true" }, ...items);
}
