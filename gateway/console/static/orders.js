// LPARs and their components, each with the orders that make sense in its state, and the questions before those that
// hurt.

import { confirmed, order } from "./ask.js";
import { keyed, make, put, write } from "./dom.js";
import { badge, putBadge } from "./tones.js";

const WORDS = {
  kill: "Kill",
  pause: "Pause",
  resume: "Resume",
  stop: "Stop",
  start: "Start",
  quiesce: "Quiesce",
  activate: "Activate",
};

/** What is going to happen; what is not here only mends, and is not asked about. */
const OF_LPAR = {
  kill: (lpar) =>
    `Every process of ${lpar} is killed at once (SIGKILL): its launcher, discovery, gateway, cache and services. ` +
    "It stays down until you start it.",
  pause: (lpar) =>
    `Every process of ${lpar} is frozen (SIGSTOP): connections stay open and nothing answers, until you resume it.`,
  stop: (lpar) =>
    `${lpar} leaves in order: its gateway leaves the sysplex address, its components end, ` +
    "and it stays down until you start it.",
  quiesce: (lpar) => `The gateway of ${lpar} leaves the sysplex address; everything in ${lpar} goes on running.`,
};

const OF_PART = {
  kill: (label) => `The ${label} is killed (SIGKILL); its launcher starts it again.`,
  pause: (label, name) =>
    `The ${label} is frozen (SIGSTOP): connections stay open and nothing answers, ` +
    (name === "gateway" ? "until it is found out, killed and started again." : "until you resume it."),
  stop: (label) => `The ${label} ends in order, and stays stopped until you start it.`,
};

const ON_ADDRESS = new Map([[true, "on the sysplex address"], [false, "not on the sysplex address"]]);

/** Nobody tells what runs in it. */
const unknown = ({ state }) => state === "silent" || state === "unknown";

/** What is being ordered now. */
const busy = new Set();

/** The card of an LPAR; `fill` keeps it up to date. */
export function card() {
  const heading = make("h3", { tabindex: -1 }, make("span"), " ", badge());
  const where = make("p", { class: "quiet small" });
  return make("li", { class: "card" }, heading, where, make("p", { class: "orders" }), make("ul", { class: "parts" }));
}

/** `parts`: its components; `whole`: orders for all of it are possible; `context`: {store, say, redraw}. */
export function fill(element, lpar, parts, whole, context) {
  const [heading, where, buttons, list] = element.children;
  write(heading.firstChild, lpar.id);
  putBadge(heading.lastChild, lpar.state);
  write(where, [lpar.address, ON_ADDRESS.get(lpar.onAddress)].filter(Boolean).join(" · "));
  const target = { lpar: lpar.id, name: "", label: lpar.id };
  fillButtons(buttons, whole ? forLpar(lpar, parts) : [], target, heading, context);
  const working = lpar.state !== "paused" && lpar.state !== "stopped" && !unknown(lpar);
  keyed(list, parts, ({ name }) => name, partRow, (row, part) => {
    const [name, state, own] = row.children;
    write(name, part.name);
    putBadge(state, part.state);
    const here = { lpar: lpar.id, name: part.name, label: `${part.name} of ${lpar.id}` };
    fillButtons(own, working ? forPart(part) : [], here, heading, context);
  });
}

const partRow = () => make("li", {}, make("span"), badge(), make("span", { class: "orders" }));

function forLpar(lpar, parts) {
  if (lpar.state === "paused") return ["resume", "kill", "stop"];
  if (unknown(lpar)) return ["resume", "start", "kill"];
  if (!parts.some(({ pid }) => pid)) return ["start"];
  const idle = parts.some(({ state }) => state === "stopped" || state === "failed");
  const place = { true: ["quiesce"], false: lpar.state === "ready" ? ["activate"] : [] }[lpar.onAddress] ?? [];
  return [...(idle ? ["start"] : []), "kill", "pause", "stop", ...place];
}

function forPart({ state }) {
  if (state === "paused") return ["resume", "kill", "stop"];
  return state === "stopped" || state === "failed" ? ["start"] : ["kill", "pause", "stop"];
}

/** A focus that would be lost with its button goes to another one of the place, or to the card. */
function fillButtons(place, actions, target, heading, context) {
  const focused = place.contains(document.activeElement);
  const waits = busy.has(target.label) || null;
  const create = (action) =>
    make("button", {
      type: "button",
      class: action === "kill" ? "danger" : null,
      text: WORDS[action],
      "aria-label": `${WORDS[action]} ${target.label}`,
      onclick: () => give(action, target, context),
    });
  keyed(place, actions, (action) => action, create, (button) => put(button, { "aria-disabled": waits }));
  if (focused && !place.contains(document.activeElement)) (place.querySelector("button") ?? heading).focus();
}

async function give(action, target, { store, say, redraw }) {
  const { lpar, name, label } = target;
  const title = `${WORDS[action]} ${label}`;
  const sentence = name ? OF_PART[action]?.(label, name) : OF_LPAR[action]?.(lpar);
  const takesUs = sentence && action !== "quiesce" && store.hello?.lpar === lpar && (name === "" || name === "gateway");
  const moves = takesUs ? " This page comes from its gateway, and will connect to another one." : "";
  if (busy.has(label)) return;
  if (sentence && !(await confirmed(`${title}?`, sentence + moves, WORDS[action]))) return;
  busy.add(label);
  redraw();
  say(`${title}: ordered …`, "quiet");
  try {
    const path = ["lpars", lpar, ...(name ? ["components", name] : []), action].map(encodeURIComponent).join("/");
    const answer = await order(`/console/v1/lab/${path}`);
    say(answer?.done ?? `${title}: done`, "good");
  } catch (error) {
    // A browser whose connection breaks asks again by itself, and hears from another gateway that it is done already.
    const gone = takesUs && (error.status === undefined || error.status === 409);
    if (gone) say(`${title}: ordered. The gateway that passed it on went with it.`, "warn");
    else say(error.message, "bad");
  } finally {
    busy.delete(label);
    redraw();
  }
}
