// What a drill has found: its verdicts, its report, and what happened meanwhile. Each is {element, draw}.

import { keyed, make, put, write } from "./dom.js";
import { table } from "./table.js";
import { badge, putBadge } from "./tones.js";

export function judgement() {
  const rows = make("tbody");
  const found = table("Verdict", ["Expected", "Measured", "Held"], 3, rows);
  const element = make("section", { class: "verdict", hidden: true }, make("h2", { text: "Verdict" }), found);
  const draw = ({ verdicts }) => {
    element.hidden = verdicts.length === 0;
    keyed(rows, verdicts.map((verdict, n) => ({ ...verdict, n })), ({ n }) => n, verdictRow, fillVerdict);
  };
  return { element, draw };
}

const verdictRow = () => make("tr", {}, make("th", { scope: "row" }), make("td"), make("td", {}, badge()));

const HELD = new Map([[true, ["good", "held"]], [false, ["bad", "did not hold"]], [null, ["quiet", "not judged"]]]);

function fillVerdict(row, { text, measured, passed }) {
  write(row.children[0], text);
  write(row.children[1], measured);
  putBadge(row.children[2].firstChild, ...HELD.get(passed));
}

/** The page of the drill, in a frame that may run its script and nothing else; loaded when it is asked for. */
export function report(run) {
  const source = `/console/v1/lab/drills/${encodeURIComponent(run)}/report`;
  const frame = make("iframe", { class: "report", title: "Report of the drill", sandbox: "allow-scripts" });
  const link = make("a", { href: source, target: "_blank", rel: "noopener", text: "Open the report in a tab of its own" });
  const details = make("details", {}, make("summary", { text: "Report" }), frame);
  details.ontoggle = () => details.open && put(frame, { src: source });
  const element = make("section", { hidden: true }, make("p", {}, link), details);
  return { element, draw: ({ report: there }) => put(element, { hidden: !there }) };
}

export function story() {
  const rows = make("tbody");
  const found = table("What happened", ["Second", "Step", "LPAR", "What happened"], 4, rows);
  const element = make("section", { class: "story" }, make("h2", { text: "What happened" }), found);
  const draw = (moments) => {
    element.hidden = moments.length === 0;
    keyed(rows, numbered(moments), ({ n }) => n, momentRow, fillMoment);
  };
  return { element, draw };
}

/** The steps of each side are counted from 1, as in its chart. */
function numbered(moments) {
  const counts = new Map();
  return moments.map((moment) => {
    if (moment.kind !== "step") return { ...moment, step: "" };
    counts.set(moment.phase, (counts.get(moment.phase) ?? 0) + 1);
    return { ...moment, step: counts.get(moment.phase) };
  });
}

const momentRow = () => make("tr", {}, make("td"), make("td"), make("td"), make("td"));

function fillMoment(row, { at, step, lpar, text, kind }) {
  put(row, { class: kind === "step" ? "is-step" : null });
  [at.toFixed(2), step, lpar, text].forEach((each, index) => write(row.children[index], each));
}
