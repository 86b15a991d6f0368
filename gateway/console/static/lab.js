// The Lab: break an LPAR or a component on purpose, start a drill, see what has become of earlier ones.

import { confirmed, order } from "./ask.js";
import { keyed, make, put, write } from "./dom.js";
import { clock, count } from "./format.js";
import { go, to } from "./routes.js";
import { badge, putBadge } from "./tones.js";

export const title = "Lab";

const ANSWERS = 6;
/** Of the last orders, newest first; kept while the page is open, wherever one goes in it. */
let answers = [];
let orders = 0;
/** What is being ordered now. */
const busy = new Set();

export function show(root, store) {
  const off = make("p", { class: "note warn", hidden: true });
  const about = make("p", { class: "lead", text: "Break something on purpose, and watch the mesh carry on. Orders are real: processes are killed and stopped." });
  const said = make("ol", { class: "answers", "aria-live": "polite", "aria-label": "Last answers" });
  const lpars = make("ul", { class: "cards wide-cards" });
  const drills = make("ul", { class: "cards" });
  const control = make("input", { type: "checkbox" });
  const going = make("p", { class: "note warn", hidden: true }, "Running now: ", make("a"));
  const runs = make("tbody");
  const parts = make(
    "div",
    { hidden: true },
    make("h2", { text: "LPARs and components" }), lpars,
    make("div", {},
      make("h2", { text: "Drills" }),
      make("p", { class: "lead", text: "A drill makes calls, breaks something step by step, mends it, and says whether what is promised held." }),
      make("p", {}, make("label", {}, control, " Beside it the model of what Zowe documents (starts a second sysplex, and takes some minutes)")),
      going,
      drills,
      make("h2", { text: "Runs" }),
      table(runs)),
  );
  const waiting = make("p", { class: "empty", text: "Loading …" });
  root.append(about, off, waiting, said, parts);

  const say = (text, tone) => {
    answers = [{ key: ++orders, time: Date.now() / 1000, text, tone }, ...answers].slice(0, ANSWERS);
    drawAnswers();
  };
  const drawAnswers = () =>
    keyed(said, answers, (each) => each.key, () => make("li", {}, make("span", { class: "quiet" }), " ", make("span")), fillAnswer);
  const context = { store, say, redraw: () => draw(), control };

  function draw() {
    const lab = store.section("lab").get("");
    waiting.hidden = lab !== undefined;
    if (lab === undefined) return;
    const why = lab.enabled ? lab.why : `The Lab is off. ${lab.why}`;
    off.hidden = !why;
    write(off, why);
    parts.hidden = !lab.enabled;
    if (!lab.enabled) return;
    const sorted = [...store.section("lpars").values()].sort((one, other) => one.id.localeCompare(other.id, "en", { numeric: true }));
    keyed(lpars, sorted, (each) => each.id, lparCard, (card, each) => fillLpar(card, each, lab, context));
    parts.lastElementChild.hidden = !lab.lpars;
    fillGoing(going, store.section("runs").get(lab.running));
    keyed(drills, lab.drills, (each) => each.name, drillCard, (card, each) => fillDrill(card, each, lab, context));
    const past = [...store.section("runs").values()].sort((one, other) => other.began - one.began);
    keyed(runs, past, (each) => each.run, runRow, fillRun);
    put(runs.parentElement.parentElement, { "data-empty": past.length === 0 });
  }
  drawAnswers();
  return store.on(["lab", "lpars", "components", "runs"], draw);
}

function fillAnswer(item, { time, text, tone }) {
  write(item.firstChild, clock(time));
  put(item.lastChild, { class: tone });
  write(item.lastChild, text);
}

// --- an LPAR and its components

function lparCard() {
  const heading = make("h3", { tabindex: -1 }, make("span"), " ", badge());
  return make("li", { class: "card" }, heading, make("p", { class: "quiet small" }), make("p", { class: "orders" }), make("ul", { class: "parts" }));
}

function fillLpar(card, lpar, lab, context) {
  const [heading, where, buttons, list] = card.children;
  write(heading.firstChild, lpar.id);
  putBadge(heading.lastChild, lpar.state);
  write(where, [lpar.address, ADDRESS.get(lpar.onAddress)].filter(Boolean).join(" · "));
  const parts = [...context.store.section("components").values()].filter((each) => each.lpar === lpar.id && each.name !== "launcher");
  fillOrders(buttons, lab.lpars ? forLpar(lpar, parts) : [], { lpar: lpar.id, name: "", label: lpar.id }, heading, context);
  keyed(list, parts, (each) => each.name, partRow, (row, part) => {
    const [name, state, own] = row.children;
    write(name, part.name);
    putBadge(state, part.state);
    const actions = running(lpar) ? forPart(part) : [];
    fillOrders(own, actions, { lpar: lpar.id, name: part.name, label: `${part.name} of ${lpar.id}` }, heading, context);
  });
}

const ADDRESS = new Map([[true, "on the sysplex address"], [false, "not on the sysplex address"]]);

const partRow = () => make("li", {}, make("span"), badge(), make("span", { class: "orders" }));

const running = ({ state }) => !["paused", "stopped", "silent", "unknown"].includes(state);

function forLpar(lpar, parts) {
  if (lpar.state === "paused") return ["resume", "kill", "stop"];
  if (lpar.state === "silent" || lpar.state === "unknown") return ["resume", "start", "kill"];
  const alive = parts.some((each) => each.pid);
  const idle = parts.some((each) => each.state === "stopped" || each.state === "failed");
  const place = { true: ["quiesce"], false: lpar.state === "ready" ? ["activate"] : [] }[lpar.onAddress] ?? [];
  return alive ? [...(idle ? ["start"] : []), "kill", "pause", "stop", ...place] : ["start"];
}

function forPart({ state }) {
  if (state === "paused") return ["resume", "kill", "stop"];
  return state === "stopped" || state === "failed" ? ["start"] : ["kill", "pause", "stop"];
}

/** One button for each order that makes sense now. A focus that would be lost with its button goes to the card. */
function fillOrders(place, actions, target, heading, context) {
  const focused = place.contains(document.activeElement);
  const waits = busy.has(target.label);
  keyed(
    place,
    actions,
    (action) => action,
    (action) => make("button", { type: "button", text: WORDS[action], "aria-label": `${WORDS[action]} ${target.label}`,
      class: action === "kill" ? "danger" : null, onclick: () => give(action, target, context) }),
    (button) => put(button, { "aria-disabled": waits || null }),
  );
  if (focused && !place.contains(document.activeElement)) (place.querySelector("button") ?? heading).focus();
}

const WORDS = { kill: "Kill", pause: "Pause", resume: "Resume", stop: "Stop", start: "Start", quiesce: "Quiesce", activate: "Activate" };

async function give(action, target, { store, say, redraw }) {
  if (busy.has(target.label)) return;
  const { lpar, name, label } = target;
  const here = store.hello?.lpar === lpar && (name === "" || name === "gateway") && (action in HURTS);
  const sentence = name ? PART[action]?.(label, name) : LPAR[action]?.(lpar);
  const moves = here && action !== "quiesce" ? " This page comes from its gateway, and will connect to another one." : "";
  if (sentence && !(await confirmed(`${WORDS[action]} ${label}?`, sentence + moves, WORDS[action]))) return;
  busy.add(target.label);
  redraw();
  say(`${WORDS[action]} ${label}: ordered …`, "quiet");
  try {
    const path = ["lab", "lpars", lpar, ...(name ? ["components", name] : []), action].map(encodeURIComponent).join("/");
    const answer = await order(`/console/v1/${path}`);
    say(answer?.done ?? `${WORDS[action]} ${label}: done`, "good");
  } catch (error) {
    // A browser whose connection breaks asks again by itself, and hears from another gateway that it is done already.
    const gone = here && (error.status === undefined || error.status === 409);
    say(gone ? `${WORDS[action]} ${label}: ordered. The gateway that passed it on went with it.` : error.message, gone ? "warn" : "bad");
  } finally {
    busy.delete(target.label);
    redraw();
  }
}

const HURTS = { kill: true, pause: true, stop: true, quiesce: true };

const LPAR = {
  kill: (lpar) => `Every process of ${lpar} is killed at once (SIGKILL): its launcher, discovery, gateway, cache and services. It stays down until you start it.`,
  pause: (lpar) => `Every process of ${lpar} is frozen (SIGSTOP): connections stay open and nothing answers, until you resume it.`,
  stop: (lpar) => `${lpar} leaves in order: its gateway leaves the sysplex address, its components end, and it stays down until you start it.`,
  quiesce: (lpar) => `The gateway of ${lpar} leaves the sysplex address; everything in ${lpar} goes on running.`,
};

const PART = {
  kill: (label) => `The ${label} is killed (SIGKILL); its launcher starts it again.`,
  pause: (label, name) => `The ${label} is frozen (SIGSTOP): connections stay open and nothing answers, ${
    name === "gateway" ? "until it is found out, killed and started again." : "until you resume it."}`,
  stop: (label) => `The ${label} ends in order, and stays stopped until you start it.`,
};

// --- drills

const drillCard = (drill) =>
  make("li", { class: "card" }, make("h3"), make("p"),
    make("p", { class: "actions" }, make("button", { type: "button", text: "Start", "aria-label": `Start the drill ${drill.name}` })));

function fillDrill(card, drill, lab, context) {
  const [heading, about, actions] = card.children;
  write(heading, drill.title);
  put(about, { class: drill.trouble ? "bad small" : "quiet small" });
  write(about, drill.trouble || drill.about);
  put(actions.firstChild, { hidden: Boolean(drill.trouble), "aria-disabled": lab.running !== "" || null, onclick: () => begin(drill, context) });
}

function fillGoing(note, run) {
  note.hidden = run === undefined;
  if (run === undefined) return;
  put(note.lastChild, { href: to("lab", run.run) });
  write(note.lastChild, run.step ? `${run.title}: ${run.step}` : run.title);
}

async function begin(drill, { store, say, control }) {
  const { running } = store.section("lab").get("");
  if (running !== "") return say("A drill is running: one at a time.", "warn");
  const beside = control.checked ? " Then the same is done to a second sysplex that behaves as Zowe documents it." : "";
  const text = `It is done to the sysplex that runs here, under load, and mended afterwards.${beside} ${drill.about}`;
  if (!(await confirmed(`Start: ${drill.title}?`, text, "Start the drill"))) return;
  try {
    const { run } = await order("/console/v1/lab/drills", { drill: drill.name, control: control.checked });
    say(`The drill ${drill.name} has begun.`, "good");
    go(to("lab", run));
  } catch (error) {
    say(error.message, "bad");
  }
}

// --- runs

function table(body) {
  const head = make("tr", {}, ...["Began", "Drill", "Outcome", "Expectations"].map((text) => make("th", { scope: "col", text })));
  return make("div", { class: "wide runs", tabindex: 0, role: "region", "aria-label": "Runs" },
    make("table", {}, make("thead", {}, head), body),
    make("p", { class: "empty", text: "No drill has been run since plexmesh up was started." }));
}

const runRow = ({ run }) => make("tr", {}, make("td"), make("th", { scope: "row" }, make("a", { href: to("lab", run) })), make("td", {}, badge()), make("td"));

function fillRun(row, run) {
  const [began, drill, state, held] = row.children;
  write(began, clock(run.began));
  write(drill.firstChild, run.title || run.drill);
  putBadge(state.firstChild, run.state);
  const kept = run.verdicts.filter((each) => each.passed).length;
  const judged = run.verdicts.filter((each) => each.passed !== null).length;
  write(held, run.verdicts.length ? `${kept} of ${count(judged, "expectation")} held` : run.why || run.step);
}
