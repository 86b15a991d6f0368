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
process.stdin.on("data", () => {});
process.stdin.on("end", () => {
  unregisterFromEureka();
  setTimeout(() => process.exit(0), 150); // later, a heartbeat of its own that is answered 404 registers it again
});
