// What a state means, in one place for map, tables and legend: a tone (colour) and a shape, so that nobody has to tell
// colours apart.
//
//     good   a disc        it works                      warn    a triangle    take note, it works or soon will
//     bad    a crossed box it does not                   quiet   a ring        nobody asked it to, or nobody knows

import { make, put, svg, write } from "./dom.js";

const WORDS = {
  good: ["ready", "fine", "UP", "alive", "green", "passed", "live", "itself", "good"],
  warn: ["starting", "paused", "trial", "unproven", "suspect", "yellow", "STARTING", "OUT_OF_SERVICE", "interrupted", "silent",
    "running", "loading", "warn"],
  bad: ["failed", "ejected", "out", "UNREACHABLE", "dead", "red", "DOWN", "error", "gone", "bad"],
  quiet: ["stopped", "unknown", "UNKNOWN", "not a candidate", "info", "quiet", ""],
};
const TONE = new Map(Object.entries(WORDS).flatMap(([tone, words]) => words.map((word) => [word, tone])));

/** Of each tone, in a box of 12 by 12; the ring and the crossed box are filled by the even-odd rule. */
export const SHAPES = {
  good: "M6 1a5 5 0 1 0 0 10A5 5 0 1 0 6 1Z",
  warn: "M6 .8L11.7 11H.3Z",
  bad: "M1 1H11V11H1ZM3 4.2L4.8 6 3 7.8 4.2 9 6 7.2 7.8 9 9 7.8 7.2 6 9 4.2 7.8 3 6 4.8 4.2 3Z",
  quiet: "M6 1a5 5 0 1 0 0 10A5 5 0 1 0 6 1ZM6 3a3 3 0 1 1 0 6A3 3 0 1 1 6 3Z",
};

/** good, warn, bad or quiet for a state of a process, a view of an instance, a status, a peer or a run. */
export const tone = (word) => TONE.get(word ?? "") ?? "quiet";

/** In words that a person reads: OUT_OF_SERVICE is "out of service". */
export const words = (state) => (state === "UP" ? "up" : (state || "unknown").replaceAll("_", " ").toLowerCase());

/** The tone of an instance and its reason, from its status and from how the gateways see it: {state, tone}. */
export function standing(instance) {
  const state = instance.status !== "UP" ? instance.status : instance.view;
  return { state, tone: tone(state) };
}

const WORST = ["bad", "warn", "quiet", "good"];

/** Of several tones the one to show for all of them. */
export const worst = (tones) => WORST.find((each) => tones.includes(each)) ?? "quiet";

/** A badge in HTML, the shape and the word: badge("ready"); `text` where it is to say more. */
export function badge(state = "", text = words(state)) {
  const mark = svg("svg", { class: "mark", viewBox: "0 0 12 12", "aria-hidden": "true" }, svg("path", { "fill-rule": "evenodd" }));
  const element = make("span", {}, mark, make("span"));
  putBadge(element, state, text);
  return element;
}

/** Changes a badge in place. */
export function putBadge(element, state, text = words(state)) {
  const now = tone(state);
  put(element, { class: `badge tone-${now}` });
  put(element.firstChild.firstChild, { d: SHAPES[now] });
  return write(element.lastChild, text);
}
