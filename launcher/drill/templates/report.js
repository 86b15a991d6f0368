"use strict";
// The figures of the slice under the pointer, at the same moment in every run's chart; everything on paper.
const runs = JSON.parse(document.getElementById("report").textContent).runs;
const figures = [...document.querySelectorAll(".timeline")];
const end = Math.max(1, ...runs.map((run) => run.duration_s));

const time = (ms) => ms == null ? "–" : ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : `${ms.toFixed(ms < 10 ? 2 : 0)} ms`;

function numbers(slice) {
  if (!slice || !(slice.ok || slice.errors || slice.cut)) return "no calls";
  const served = Object.entries(slice.served ?? {}).map(([lpar, count]) => `${lpar} ${count}`).join(", ");
  return `${slice.ok} good, ${slice.errors} errors, ${slice.cut} cut · p50 ${time(slice.p50_ms)}, p99 ${time(slice.p99_ms)}, `
    + `slowest ${time(slice.max_ms)}${served ? ` · served by ${served}` : ""}`;
}

function words(run, at) {
  if (at > run.duration_s) return ["after the end of this run", ""];
  const near = run.moments.filter((each) => Math.abs(each.at - at) <= Math.max(run.slice_s, end / 200));
  const told = near.slice(0, 2).map((each) => `${each.step ? "step" : each.lpar || "sysplex"}: ${each.text}`);
  if (near.length > 2) told.push(`and ${near.length - 2} more`);
  return [numbers(run.slices[Math.floor(at / run.slice_s)]), told.join(" · ")];
}

let shown = null;

function show(at) {
  shown = Math.min(Math.max(at, 0), end);
  for (const figure of figures) {
    const run = runs[figure.dataset.run];
    const cursor = figure.querySelector(".cursor");
    cursor.hidden = false;
    cursor.style.left = `${100 * shown / end}%`;
    const moment = document.createElement("b");
    moment.textContent = `${(Math.floor(shown / run.slice_s) * run.slice_s).toFixed(2)} s`;
    const [figuresOf, told] = words(run, shown);
    figure.querySelector(".readout").replaceChildren(moment, ` ${figuresOf}`, document.createElement("br"), told);
  }
}

for (const figure of figures) {
  const run = runs[figure.dataset.run];
  const plots = figure.querySelector(".over");
  const point = (event) => {
    const box = plots.getBoundingClientRect();
    show((event.clientX - box.left) / box.width * end);
  };
  figure.addEventListener("pointermove", point);
  figure.addEventListener("pointerdown", point);
  figure.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageDown: 20, PageUp: -20 }[event.key];
    const place = { Home: 0, End: run.duration_s }[event.key];
    if (step === undefined && place === undefined) return;
    event.preventDefault();
    for (const each of figures) each.querySelector(".readout").ariaLive = each === figure ? "polite" : "off";
    show(place ?? (shown ?? 0) + step * run.slice_s);
  });
}

let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  closed.forEach((each) => { each.open = true; });
});
addEventListener("afterprint", () => closed.forEach((each) => { each.open = false; }));
