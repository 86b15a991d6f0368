// Tables: heads, and a body that a view keeps.

import { make } from "./dom.js";

/** A table that scrolls sideways where it is too wide, by keyboard too. Columns from `numbers` on hold figures. */
export function table(name, columns, numbers, body) {
  const heads = columns.map((text, index) => make("th", { scope: "col", class: index < numbers ? null : "number", text }));
  const whole = make("table", {}, make("thead", {}, make("tr", {}, ...heads)), body);
  return make("div", { class: "wide", role: "region", "aria-label": name, tabindex: 0 }, whole);
}

/** So many cells for figures. */
export const figures = (count) => Array.from({ length: count }, () => make("td", { class: "number" }));
