// The calls of an instance or a service, over all gateways; and how its instances are.

import { standing, words, worst } from "./tones.js";

/** The sum over the gateways that see an instance: {perS, errorsPerS, inFlight, latencyMs (weighed by calls; null where
 *  there are none), calls, failed, ejections}. */
export const traffic = (instance) => total(Object.values(instance.seen));

/** The same of several instances. */
export const trafficOf = (instances) => total(instances.flatMap((each) => Object.values(each.seen)));

function total(glances) {
  const sum = { perS: 0, errorsPerS: 0, inFlight: 0, latencyMs: null, calls: 0, failed: 0, ejections: 0 };
  let weighed = 0;
  for (const each of glances) {
    sum.perS += each.perS;
    sum.errorsPerS += each.perS * each.failedShare;
    weighed += each.perS * each.latencyMs;
    for (const name of ["inFlight", "calls", "failed", "ejections"]) sum[name] += each[name];
  }
  if (sum.perS > 0) sum.latencyMs = weighed / sum.perS;
  return sum;
}

/** Service → its instances, in the order of their ids. */
export function byService(instances) {
  const found = new Map();
  for (const each of [...instances.values()].sort((one, other) => (one.key < other.key ? -1 : 1))) {
    if (!found.has(each.service)) found.set(each.service, []);
    found.get(each.service).push(each);
  }
  return found;
}

/** The state of an instance in words: "up", "up, but ejected", "out of service". */
export const stateOf = ({ status, view }) => (status === "UP" && view !== "fine" ? `up, but ${words(view)}` : words(status));

/** How many instances are in which state: {state (of the worst tone), text: "2 up, 1 out of service"}. */
export function counted(instances) {
  const counts = new Map();
  const states = new Map();
  for (const each of instances) {
    const { state, tone } = standing(each);
    const word = stateOf(each);
    counts.set(word, (counts.get(word) ?? 0) + 1);
    if (!states.has(tone)) states.set(tone, state);
  }
  if (counts.size === 0) return { state: "", text: "none" };
  const text = [...counts].map(([word, number]) => `${number} ${word}`).join(", ");
  return { state: states.get(worst([...states.keys()])), text };
}
