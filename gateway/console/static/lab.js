// The Lab: break an LPAR or a component on purpose, start a drill, see what has become of earlier ones.

import { confirmed, order } from "./ask.js";
import { keyed, make, put, write } from "./dom.js";
import { clock, count } from "./format.js";
import { card, fill } from "./orders.js";
import { go, to } from "./routes.js";
import { table } from "./table.js";
import { badge, putBadge } from "./tones.js";
import { mayNotOrder, onChange } from "./who.js";

export const title = "Lab";

const WHAT = "Break something on purpose, and watch the mesh carry on. Orders are real: processes are killed and stopped.";
const DRILLS =
  "A drill makes calls, breaks something step by step, mends it, and says whether what is promised held.";
const BESIDE = " Beside it the model of what Zowe documents (starts a second sysplex, and takes some minutes)";
const NO_RUNS = "No drill has been run since plexmesh up was started.";

const ANSWERS = 6;
/** Of the last orders, newest first; kept while the page is open, wherever one goes in it. */
let answers = [];
let told = 0;

export function show(root, store) {
  const off = make("p", { class: "note warn", hidden: true });
  const waiting = make("p", { class: "empty", text: "Loading …" });
  const said = make("ol", { class: "answers", "aria-live": "polite", "aria-label": "Last answers" });
  const lpars = make("ul", { class: "cards wide-cards" });
  const drills = drillsPart();
  const parts = make("div", { hidden: true }, make("h2", { text: "LPARs and components" }), lpars, drills.element);
  root.append(make("p", { class: "lead", text: WHAT }), off, waiting, said, parts);

  const drawAnswers = () => keyed(said, answers, ({ key }) => key, answerRow, fillAnswer);
  const say = (text, tone) => {
    answers = [{ key: ++told, time: Date.now() / 1000, text, tone }, ...answers].slice(0, ANSWERS);
    drawAnswers();
  };
  const context = { store, say, redraw: () => draw() };

  function draw() {
    const lab = store.section("lab").get("");
    waiting.hidden = lab !== undefined;
    if (lab === undefined) return;
    const why = lab.enabled ? lab.why || mayNotOrder() : `The Lab is off. ${lab.why}`;
    off.hidden = !why;
    write(off, why);
    parts.hidden = !lab.enabled;
    if (!lab.enabled) return;
    const components = [...store.section("components").values()].filter(({ name }) => name !== "launcher");
    const update = (element, lpar) =>
      fill(element, lpar, components.filter((each) => each.lpar === lpar.id), lab.lpars, context);
    keyed(lpars, [...store.section("lpars").values()].sort(byName), ({ id }) => id, card, update);
    drills.draw(lab, context);
  }
  drawAnswers();
  const ends = [store.on(["lab", "lpars", "components", "runs"], draw), onChange(draw)];
  return () => ends.forEach((end) => end());
}

const byName = (one, other) => one.id.localeCompare(other.id, "en", { numeric: true });

const answerRow = () => make("li", {}, make("span", { class: "quiet" }), " ", make("span"));

function fillAnswer(item, { time, text, tone }) {
  write(item.firstChild, clock(time));
  put(item.lastChild, { class: tone });
  write(item.lastChild, text);
}

// --- drills, and their runs

function drillsPart() {
  const beside = make("input", { type: "checkbox" });
  const going = make("p", { class: "note warn", hidden: true }, "Running now: ", make("a"));
  const list = make("ul", { class: "cards" });
  const rows = make("tbody");
  const runs = make("div", { class: "runs" }, table("Runs", ["Began", "Drill", "Outcome", "Expectations"], 4, rows));
  runs.append(make("p", { class: "empty", text: NO_RUNS }));
  const element = make(
    "div",
    {},
    make("h2", { text: "Drills" }),
    make("p", { class: "lead", text: DRILLS }),
    make("p", {}, make("label", {}, beside, BESIDE)),
    going,
    list,
    make("h2", { text: "Runs" }),
    runs,
  );
  const draw = (lab, context) => {
    element.hidden = !lab.lpars;
    fillGoing(going, context.store.section("runs").get(lab.running));
    const update = (item, drill) => fillDrill(item, drill, lab, () => begin(drill, beside.checked, context));
    keyed(list, lab.drills, ({ name }) => name, drillCard, update);
    const past = [...context.store.section("runs").values()].sort((one, other) => other.began - one.began);
    keyed(rows, past, ({ run }) => run, runRow, fillRun);
    put(runs, { "data-empty": past.length === 0 });
  };
  return { element, draw };
}

function fillGoing(note, run) {
  note.hidden = run === undefined;
  if (run === undefined) return;
  put(note.lastChild, { href: to("lab", run.run) });
  write(note.lastChild, run.step ? `${run.title}: ${run.step}` : run.title);
}

function drillCard({ name }) {
  const button = make("button", { type: "button", text: "Start", "aria-label": `Start the drill ${name}` });
  return make("li", { class: "card" }, make("h3"), make("p"), make("p", { class: "actions" }, button));
}

function fillDrill(item, drill, lab, onclick) {
  const [heading, about, actions] = item.children;
  write(heading, drill.title);
  put(about, { class: drill.trouble ? "bad small" : "quiet small" });
  write(about, drill.trouble || drill.about);
  const waits = lab.running !== "" || null;
  put(actions.firstChild, { hidden: Boolean(drill.trouble), "aria-disabled": waits, onclick });
}

async function begin(drill, control, { store, say }) {
  if (store.section("lab").get("").running !== "") return say("A drill is running: one at a time.", "warn");
  const beside = control ? " Then the same is done to a second sysplex that behaves as Zowe documents it." : "";
  const text = `It is done to the sysplex that runs here, under load, and mended afterwards.${beside} ${drill.about}`;
  if (!(await confirmed(`Start: ${drill.title}?`, text, "Start the drill"))) return;
  try {
    const { run } = await order("/console/v1/lab/drills", { drill: drill.name, control });
    say(`The drill ${drill.name} has begun.`, "good");
    go(to("lab", run));
  } catch (error) {
    say(error.message, "bad");
  }
}

function runRow({ run }) {
  const name = make("th", { scope: "row" }, make("a", { href: to("lab", run) }));
  return make("tr", {}, make("td"), name, make("td", {}, badge()), make("td"));
}

function fillRun(row, run) {
  const [began, drill, state, held] = row.children;
  write(began, clock(run.began));
  write(drill.firstChild, run.title || run.drill);
  putBadge(state.firstChild, run.state);
  const kept = run.verdicts.filter(({ passed }) => passed).length;
  const judged = run.verdicts.filter(({ passed }) => passed !== null).length;
  write(held, run.verdicts.length ? `${kept} of ${count(judged, "expectation")} held` : run.why || run.step);
}
