// A run of a drill: its chart while it goes on, what happens, what it found, and its report.

import { confirmed, order } from "./ask.js";
import { chart } from "./course.js";
import { keyed, make, put, write } from "./dom.js";
import { judgement, report, story } from "./findings.js";
import { clock, count, ms, UNKNOWN } from "./format.js";
import { figures as cells, table } from "./table.js";
import { badge, putBadge } from "./tones.js";

export const title = ({ run }) => `Drill ${run}`;

const OLDER = "Its course is in the report: of earlier runs it is not kept here.";

export function show(root, store, { run: name }) {
  const missing = make("p", { class: "empty", text: "Loading …" });
  const said = make("p", { role: "status", class: "quiet" });
  const about = overview(() => stop(store.section("runs").get(name), said));
  const [verdicts, page, happened] = [judgement(), report(name), story()];
  const older = make("p", { class: "quiet", text: OLDER });
  const sides = make("div");
  const whole = make("div", { hidden: true }, about.element, said, verdicts.element, page.element, older, sides);
  whole.append(happened.element);
  root.append(make("p", {}, make("a", { href: "/console/lab", text: "Back to the Lab" })), missing, whole);

  function draw() {
    const run = store.section("runs").get(name);
    whole.hidden = run === undefined;
    missing.hidden = run !== undefined;
    if (run === undefined) return write(missing, store.section("lab").has("") ? nobody(name) : "Loading …");
    const slices = of(store.section("slices"), name);
    const moments = of(store.section("moments"), name);
    about.draw(run, slices);
    verdicts.draw(run);
    page.draw(run);
    older.hidden = !run.report || slices.length > 0;
    drawSides(sides, run, slices, moments);
    happened.draw(moments);
  }
  return store.on(["lab", "runs", "slices", "moments"], draw);
}

const nobody = (name) => `There is no run ${name}. The last ones since plexmesh up was started are in the Lab.`;

const of = (section, name) => [...section.values()].filter(({ run }) => run === name).sort((one, other) => one.n - other.n);

async function stop(run, said) {
  const text = "The drill ends now: what it has broken is mended first, and there will be no report.";
  if (run?.state !== "running" || !(await confirmed(`Stop ${run.drill}?`, text, "Stop the drill"))) return;
  try {
    write(said, (await order(`/console/v1/lab/drills/${encodeURIComponent(run.run)}`, {}, "DELETE"))?.done ?? "");
  } catch (error) {
    write(said, error.message);
  }
}

// --- what, how far, how it goes

function overview(onStop) {
  const heading = make("h2", { tabindex: -1 });
  const state = badge();
  const button = make("button", { type: "button", class: "danger", text: "Stop the drill", onclick: onStop });
  const now = make("p", { class: "now", role: "status" });
  const figures = make("dl", { class: "facts" });
  const element = make("section", {}, heading, make("p", { class: "line-up" }, state, button), now, figures);
  const draw = (run, slices) => {
    write(heading, run.title || run.drill);
    putBadge(state, run.state);
    const focused = document.activeElement === button;
    button.hidden = run.state !== "running";
    if (focused && button.hidden) heading.focus();
    write(now, sentence(run));
    keyed(figures, figuresOf(run, slices), ([term]) => term, () => make("div", {}, make("dt"), make("dd")), fillFigure);
  };
  return { element, draw };
}

function fillFigure(place, [term, text]) {
  write(place.firstChild, term);
  write(place.lastChild, text);
}

function sentence({ state, step, why, verdicts }) {
  const missed = verdicts.filter(({ passed }) => passed === false).length;
  const sentences = {
    running: step ? `Step: ${step}` : "It begins: calls are made, nothing is broken yet.",
    passed: "Everything was as expected.",
    failed: `Not as expected: ${count(missed, "expectation")} did not hold.`,
    interrupted: `It did not come to its end: ${why}.`,
    error: `It could not be done: ${why}.`,
  };
  return sentences[state] ?? state;
}

/** Of the side that runs, or ran last. */
function figuresOf(run, slices) {
  const mine = slices.filter(({ phase }) => phase === run.phase);
  const last = mine.at(-1);
  const sum = (kind) => (last ? total(mine, kind).toLocaleString("en") : UNKNOWN);
  const slowest = mine.reduce((most, { p99Ms }) => Math.max(most ?? 0, p99Ms ?? 0), null);
  return [
    ["Began", clock(run.began)],
    ["What runs", run.phase || UNKNOWN],
    ["Good answers", sum("ok")],
    ["Error answers", sum("errors")],
    ["Cut", sum("cut")],
    ["p99 of the last second", ms(last?.p99Ms)],
    ["Highest p99 of a second", ms(slowest)],
    ["Served the last second", (last && served(last)) || UNKNOWN],
  ];
}

const total = (slices, kind) => slices.reduce((sum, slice) => sum + slice[kind], 0);

const served = (slice) => Object.entries(slice.served).sort().map(([lpar, number]) => `${lpar} ${number}`).join(", ");

// --- a chart for each side: plexmesh, and what stands beside it

function drawSides(place, run, slices, moments) {
  const names = [...new Set([...moments, ...slices].map(({ phase }) => phase))];
  if (names.length === 0 && run.phase && run.state === "running") names.push(run.phase);
  const on = (name) => ({ phase }) => phase === name;
  const update = (element, name) => element.draw(name, slices.filter(on(name)), moments.filter(on(name)));
  keyed(place, names, (name) => name, side, update);
}

function side() {
  const heading = make("h2");
  const picture = chart();
  const rows = make("tbody");
  const inTable = table("Second by second", ["Second", "Good", "Errors", "Cut", "p99", "Served"], 6, rows);
  put(inTable, { class: "wide tall" });
  const details = make("details", {}, make("summary", { text: "Second by second, as a table" }), inTable);
  const element = make("section", {}, heading, picture.element, details);
  element.draw = (name, slices, moments) => {
    write(heading, `Calls: ${name || "plexmesh"}`);
    picture.draw(slices, moments, inWords(slices, moments));
    keyed(rows, slices, ({ n }) => n, () => make("tr", {}, make("th", { scope: "row" }), ...cells(4), make("td")), fillSecond);
  };
  return element;
}

function inWords(slices, moments) {
  const steps = moments.filter(({ kind }) => kind === "step").length;
  const [ok, errors, cut] = ["ok", "errors", "cut"].map((kind) => total(slices, kind));
  const calls = `${ok} good answers, ${errors} error answers, ${cut} cut`;
  return `Chart of ${count(slices.length, "second")}: ${calls}, ${count(steps, "step")}`;
}

function fillSecond(row, slice) {
  const texts = [slice.at, slice.ok, slice.errors, slice.cut, ms(slice.p99Ms), served(slice)];
  texts.forEach((text, index) => write(row.children[index], text));
}
