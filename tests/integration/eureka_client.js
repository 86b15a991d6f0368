// A program around eureka-js-client, told and answering as the Python ones are (eureka_client_lines.py): one JSON
// argument, then a line of JSON for each word, `{"value": …}` or `{"error": …}` back. `options` are merged into the
// client's configuration; with an instance of their own they are all of it.
"use strict";

const readline = require("node:readline");
const { Eureka } = require("eureka-js-client");

const given = JSON.parse(process.argv[2]);
const logger = Object.fromEntries(["debug", "info", "warn", "error"].map((level) => [level, console.error]));
const instance = {
  app: given.app,
  hostName: given.host,
  ipAddr: given.host,
  instanceId: `${given.host}:${given.app.toLowerCase()}:${given.port}`,
  vipAddress: given.app.toLowerCase(),
  port: { $: given.port, "@enabled": true },
  dataCenterInfo: { "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", name: "MyOwn" },
  leaseInfo: { renewalIntervalInSecs: 1, durationInSecs: given.lease_s },
  metadata: given.metadata,
};
const eureka = {
  serviceUrls: { default: given.servers.map((url) => `${url}/apps/`) },
  heartbeatInterval: given.interval_s * 1000,
  registryFetchInterval: given.interval_s * 1000,
  requestRetryDelay: 50,
  filterUpInstances: false,
};
const options = given.options.instance ? given.options : { instance, eureka, ...given.options };
const client = new Eureka({ logger, ...options });

const emitted = [];
for (const name of ["registered", "deregistered", "heartbeat", "registryUpdated"]) {
  client.on(name, () => emitted.push(name));
}

const promised = (method) =>
  new Promise((resolve, reject) => client[method]((error) => (error ? reject(error) : resolve(null))));

const words = {
  start: () => promised("start"),
  stop: () => promised("stop"),
  view: () =>
    Object.fromEntries(
      Object.values(client.cache.app)
        .flat()
        .map((each) => [`${each.app}/${each.instanceId}`, each.status]),
    ),
  vip: (name) => client.getInstancesByVipAddress(name).map((each) => each.instanceId),
  port: (app) => client.getInstancesByAppId(app)[0].port,
  emitted: () => emitted.splice(0),
};

async function answer(word, ...values) {
  let said;
  try {
    said = { value: await words[word](...values) };
  } catch (error) {
    said = { error: String(error) };
  }
  process.stdout.write(JSON.stringify(said) + "\n");
}

answer("start");
readline
  .createInterface({ input: process.stdin })
  .on("line", (line) => answer(...JSON.parse(line)))
  .on("close", () => process.exit(0));
