// A run of a drill: its chart while it goes on, what happens, what it found, and its report.

import { confirmed, order } from "./ask.js";
import { chart } from "./course.js";
import { keyed, make, put, write } from "./dom.js";
import { clock, count, ms, UNKNOWN } from "./format.js";
import { to } from "./routes.js";
import { badge, putBadge } from "./tones.js";

export const title = ({ run }) => `Drill ${run}`;

export function show(root, store, { run: name }) {
  const missing = make("p", { class: "empty", text: "Loading …" });
  const said = make("p", { role: "status", class: "quiet" });
  const about = overview(async () => stop(store.section("runs").get(name), said));
  const sides = make("div");
  const verdicts = judgement();
  const page = report(name);
  const older = make("p", { class: "quiet", text: "Its course is in the report: of earlier runs it is not kept here." });
  const happened = story();
  const whole = make("div", { hidden: true }, about.element, said, verdicts.element, page.element, older, sides, happened.element);
  root.append(make("p", {}, make("a", { href: "/console/lab", text: "Back to the Lab" })), missing, whole);

  function draw() {
    const run = store.section("runs").get(name);
    whole.hidden = run === undefined;
    missing.hidden = run !== undefined;
    if (run === undefined) {
      const known = store.section("lab").has("");
      return write(missing, known ? `There is no run ${name}. The last ones since plexmesh up was started are in the Lab.` : "Loading …");
    }
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
    keyed(figures, figuresOf(run, slices), ([name]) => name, () => make("div", {}, make("dt"), make("dd")), ({ firstChild, lastChild }, [term, text]) => {
      write(firstChild, term);
      write(lastChild, text);
    });
  };
  return { element, draw };
}

function sentence(run) {
  if (run.state === "running") return run.step ? `Step: ${run.step}` : "It begins: calls are made, nothing is broken yet.";
  const missed = run.verdicts.filter((each) => each.passed === false).length;
  return { passed: "Everything was as expected.", failed: `Not as expected: ${count(missed, "expectation")} did not hold.`,
    interrupted: `It did not come to its end: ${run.why}.`, error: `It could not be done: ${run.why}` }[run.state] ?? run.state;
}

function figuresOf(run, slices) {
  const mine = slices.filter((slice) => slice.phase === run.phase);
  const sum = (kind) => (mine.length ? mine.reduce((total, slice) => total + slice[kind], 0).toLocaleString("en") : UNKNOWN);
  const last = mine.at(-1);
  const slowest = mine.reduce((most, { p99Ms }) => Math.max(most ?? 0, p99Ms ?? 0), null);
  const served = Object.entries(last?.served ?? {}).sort().map(([lpar, number]) => `${lpar} ${number}`).join(", ");
  return [
    ["Began", clock(run.began)],
    ["What runs", run.phase || UNKNOWN],
    ["Good answers", sum("ok")],
    ["Error answers", sum("errors")],
    ["Cut", sum("cut")],
    ["p99 of the last second", ms(last?.p99Ms)],
    ["Highest p99 of a second", ms(slowest)],
    ["Served the last second", served || UNKNOWN],
  ];
}

// --- a chart for each side: plexmesh, and what stands beside it

function drawSides(place, run, slices, moments) {
  const names = [...new Set([...moments, ...slices].map(({ phase }) => phase))];
  if (names.length === 0 && run.phase && run.state === "running") names.push(run.phase);
  keyed(place, names, (name) => name, side, (element, name) => {
    element.draw(name, slices.filter(({ phase }) => phase === name), moments.filter(({ phase }) => phase === name));
  });
}

function side() {
  const heading = make("h2");
  const picture = chart();
  const rows = make("tbody");
  const head = make("tr", {}, ...["Second", "Good", "Errors", "Cut", "p99", "Served"].map((text, n) => make("th", { scope: "col", text, class: n && n < 5 ? "number" : null })));
  const inTable = make("details", {}, make("summary", { text: "Second by second, as a table" }),
    make("div", { class: "wide tall", tabindex: 0, role: "region", "aria-label": "Second by second" }, make("table", {}, make("thead", {}, head), rows)));
  const element = make("section", {}, heading, picture.element, inTable);
  element.draw = (name, slices, moments) => {
    write(heading, `Calls: ${name || "plexmesh"}`);
    picture.draw(slices, moments, inWords(slices, moments));
    keyed(rows, slices, ({ n }) => n, secondRow, fillSecond);
  };
  return element;
}

function inWords(slices, moments) {
  const total = (kind) => slices.reduce((sum, slice) => sum + slice[kind], 0);
  const steps = moments.filter(({ kind }) => kind === "step").length;
  return `Chart of ${count(slices.length, "second")}: ${total("ok")} good answers, ${total("errors")} error answers, ${total("cut")} cut, ${count(steps, "step")}`;
}

const secondRow = () => make("tr", {}, make("th", { scope: "row" }), ...Array.from({ length: 4 }, () => make("td", { class: "number" })), make("td"));

function fillSecond(row, { at, ok, errors, cut, p99Ms, served }) {
  const texts = [at, ok, errors, cut, ms(p99Ms), Object.entries(served).sort().map(([lpar, number]) => `${lpar} ${number}`).join(", ")];
  texts.forEach((text, index) => write(row.children[index], text));
}

// --- what it found

function judgement() {
  const rows = make("tbody");
  const head = make("tr", {}, ...["Expected", "Measured", "Held"].map((text) => make("th", { scope: "col", text })));
  const element = make("section", { hidden: true }, make("h2", { text: "Verdict" }), make("div", { class: "wide verdict" }, make("table", {}, make("thead", {}, head), rows)));
  const draw = (run) => {
    element.hidden = run.verdicts.length === 0;
    keyed(rows, run.verdicts.map((verdict, n) => ({ ...verdict, n })), ({ n }) => n,
      () => make("tr", {}, make("th", { scope: "row" }), make("td"), make("td", {}, badge())), (row, { text, measured, passed }) => {
        write(row.children[0], text);
        write(row.children[1], measured);
        putBadge(row.children[2].firstChild, ...(passed === null ? ["quiet", "not judged"] : passed ? ["good", "held"] : ["bad", "did not hold"]));
      });
  };
  return { element, draw };
}

/** The page of the drill, in a frame of its own that may run its script and nothing else; loaded when it is asked for. */
function report(name) {
  const source = `/console/v1/lab/drills/${encodeURIComponent(name)}/report`;
  const frame = make("iframe", { class: "report", title: "Report of the drill", sandbox: "allow-scripts" });
  const details = make("details", { ontoggle: () => details.open && put(frame, { src: source }) }, make("summary", { text: "Report" }), frame);
  const element = make("section", { hidden: true },
    make("p", { class: "line-up" }, make("a", { href: source, target: "_blank", rel: "noopener", text: "Open the report in a tab of its own" })), details);
  return { element, draw: (run) => put(element, { hidden: !run.report }) };
}

// --- what happened

function story() {
  const rows = make("tbody");
  const head = make("tr", {}, ...["Second", "Step", "LPAR", "What happened"].map((text, n) => make("th", { scope: "col", text, class: n ? null : "number" })));
  const element = make("section", {}, make("h2", { text: "What happened" }),
    make("div", { class: "wide tall", tabindex: 0, role: "region", "aria-label": "What happened" }, make("table", { class: "story" }, make("thead", {}, head), rows)));
  const draw = (moments) => {
    const steps = new Map();
    const numbered = moments.map((moment) => {
      if (moment.kind === "step") steps.set(moment.phase, (steps.get(moment.phase) ?? 0) + 1);
      return { ...moment, step: moment.kind === "step" ? steps.get(moment.phase) : "" };
    });
    element.hidden = moments.length === 0;
    keyed(rows, numbered, ({ n }) => n, () => make("tr", {}, make("td", { class: "number" }), make("td"), make("td"), make("td")), (row, { at, step, lpar, text, kind }) => {
      put(row, { class: kind === "step" ? "is-step" : null });
      [at.toFixed(2), step, lpar, text].forEach((each, index) => write(row.children[index], each));
    });
  };
  return { element, draw };
}
