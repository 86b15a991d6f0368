// Tables: heads, and a body that a view keeps.

import { make, put, write } from "./dom.js";
import { ms, rate } from "./format.js";

/** A table that scrolls sideways where it is too wide, by keyboard too. Columns from `numbers` on hold figures. */
export function table(name, columns, numbers, body) {
  const heads = columns.map((text, index) => make("th", { scope: "col", class: index < numbers ? null : "number", text }));
  const whole = make("table", {}, make("thead", {}, make("tr", {}, ...heads)), body);
  return make("div", { class: "wide", role: "region", "aria-label": name, tabindex: 0 }, whole);
}

/** So many cells for figures. */
export const figures = (count) => Array.from({ length: count }, () => make("td", { class: "number" }));

/** Four of them: calls, errors, latency, in flight, of `sum` (as in traffic.js). */
export function fillTraffic([calls, errors, latency, inFlight], sum) {
  write(calls, rate(sum.perS));
  write(errors, rate(sum.errorsPerS));
  put(errors, { class: sum.errorsPerS > 0 ? "number bad" : "number" });
  write(latency, ms(sum.latencyMs));
  write(inFlight, sum.inFlight);
}
