// How a service is called, in words. The policy has only what differs from the default, named as in plexmesh.yaml.

const PICKERS = {
  leastRequests: "Of two instances, chosen at random, the less busy one gets the call.",
  roundRobin: "Instances get calls one after the other.",
  peakEwma: "The quickest instance, by its latest peaks, gets the call.",
  ringHash: "Calls of one caller go to the same instance.",
  random: "Any instance gets the call, at random.",
};
const SCHEMES = {
  bypass: "Credentials of callers go to it as they are.",
  zoweJwt: "It is sent the token of who is logged in, and no other credentials.",
  x509: "It is told whose certificate a caller has shown.",
};
const UNSUPPORTED = "is not supported here, so its calls are answered 503.";
const length = (seconds) => (seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds} s`);
const called = (name) => name.replace(":", " ");

const SENTENCES = {
  picker: (value) => PICKERS[value] ?? value,
  hashOn: (value) => `Callers are told apart by their ${called(value)}.`,
  sticky: (value) => `A caller stays at one instance, known by ${value === "user" ? "who he is" : `his ${called(value)}`}.`,
  affinity: (value) => value && "Instances in the gateway's own LPAR come first.",
  scope: (value) => value && "Only instances in the gateway's own LPAR are called; there is no fail-over to others.",
  slowStartS: (value) => value > 0 && `A new instance has its whole share after ${length(value)}.`,
  sessionDrainS: (value) => `Sessions stay at an instance that is out of service for ${length(value)}.`,
  probeS: (value) => (value > 0 ? `Its health URLs are asked every ${length(value)}.` : "Its health URLs are not asked."),
  retries: (value) =>
    (value === 0 ? "No call is sent again." : `A call is sent again at most ${value === 1 ? "once" : `${value} times`}.`),
  maxCalls: (value) => `At most ${value} calls are under way from one gateway.`,
  maxCallsPerInstance: (value) => `At most ${value} calls are under way at one instance, from one gateway.`,
  maxQueue: (value) => `At most ${value} calls wait for their turn.`,
  queueMs: (value) => `A call waits at most ${length(value / 1000)} for its turn.`,
  adaptive: (value) => value && "How many calls may be under way is found by measuring.",
  rateLimit: ({ capacity, per_s: perS }) =>
    `A caller has ${Number((perS * 60).toFixed(1))} calls a minute, ${capacity} at once.`,
  encodedCharacters: (value) => value === false && "Encoded characters in a path are refused.",
  cors: (value) => value && "Pages of other origins may call it.",
  corsOrigins: (value) => `Only pages of ${value.join(", ")} may.`,
  corsHeaders: (value) => `They may send ${value.join(", ")}.`,
  corsMethods: (value) => `They may use ${value.join(", ")}.`,
  corsCredentials: (value) => value === false && "They may not send credentials.",
  visibility: (value) => value === "internal" && "With TLS it exists only for callers who show a certificate.",
  scheme: (value) => SCHEMES[value] ?? `The scheme ${value} ${UNSUPPORTED}`,
  externalUrl: (value) => `${value} is called in place of its instances.`,
};

/** Sentences, the way of choosing first. */
export function sentences(policy) {
  const whole = { picker: "leastRequests", ...policy };
  return Object.entries(whole)
    .map(([name, value]) => (SENTENCES[name] ? said(SENTENCES[name], value) : `${name}: ${JSON.stringify(value)}`))
    .filter((sentence) => sentence);
}

function said(sentence, value) {
  try {
    return sentence(value);
  } catch {
    return "";
  }
}
