// A service as Zowe's users write it: the published Node.js enabler, its configuration in config/, TLS with a client's
// certificate, nothing of plexmesh's. It leaves the registry when its standard input ends.

import https from "node:https";
import { connectToEureka, getTlsOptions, unregisterFromEureka } from "@zowe/apiml-onboarding-enabler-nodejs";

const [host, port] = process.argv.slice(2);
const server = https.createServer(getTlsOptions(), (request, answer) => {
  answer.setHeader("Content-Type", "application/json");
  answer.end(JSON.stringify({ from: "node", path: request.url }));
});
server.listen(Number(port), host, () => {
  connectToEureka();
  console.log("listening");
});

const info = console.info;
console.info = (...said) => {
  info(...said);
  // at once: a heartbeat of its own that is still under way is answered 404, and the enabler then registers anew
  if (String(said[0]).startsWith("de-registered")) process.exit(0);
};
process.stdin.on("data", () => {});
process.stdin.on("end", unregisterFromEureka);
