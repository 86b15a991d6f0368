// Which lines of the timeline are shown: by LPAR, service, kind and text, as the query of the page's address says it.
//
//     ?lpar=LPAR2&service=sample&kind=health,registry&only=trouble&q=refused

/** The kinds of lines, and what they are called. */
export const KINDS = new Map([
  ["registry", "Registry"],
  ["health", "Health"],
  ["process", "Processes"],
  ["peer", "Discovery nodes"],
  ["address", "Sysplex address"],
  ["gateway", "Gateways"],
  ["cache", "Cache"],
  ["drill", "Drills"],
  ["other", "Other"],
]);

const TROUBLE = new Set(["warn", "bad"]);

/** {lpar, service, kinds: Set, trouble, text}; what is empty matches everything. */
export function read(query) {
  const kinds = (query.get("kind") ?? "").split(",").filter((kind) => KINDS.has(kind));
  const [lpar, service, text] = ["lpar", "service", "q"].map((name) => query.get(name) ?? "");
  return { lpar, service, kinds: new Set(kinds), trouble: query.get("only") === "trouble", text };
}

/** The query for it, with its question mark; empty when everything is shown. */
export function written({ lpar, service, kinds, trouble, text }) {
  const parts = { lpar, service, kind: [...kinds].join(","), only: trouble ? "trouble" : "", q: text };
  const query = new URLSearchParams(Object.entries(parts).filter(([, value]) => value !== ""));
  return query.size ? `?${query}`.replaceAll("%2C", ",") : "";
}

/** Says of a line whether it is shown. An LPAR's lines are those it says, and those that name it. */
export function matcher({ lpar, service, kinds, trouble, text }) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const named = lpar === "" ? null : new RegExp(`(?<![\\w-])${lpar.replace(/[^\w]/g, "\\$&")}(?![\\w-])`);
  return (line) =>
    (named === null || line.lpar === lpar || named.test(line.text)) &&
    (service === "" || line.service === service) &&
    (kinds.size === 0 || kinds.has(KINDS.has(line.kind) ? line.kind : "other")) &&
    (!trouble || TROUBLE.has(line.tone)) &&
    (words.length === 0 || has(line, words));
}

function has({ lpar, from, service, instance, event, text }, words) {
  const whole = [text, lpar, from, service, instance, event].join(" ").toLowerCase();
  return words.every((word) => whole.includes(word));
}
