// A user's Node.js service, registered by eureka-js-client with Zowe's route metadata. Its paths have nothing in common
// with the gateway's. Its websockets (RFC 6455) take what the test sends: whole messages, no fragments.
"use strict";

const crypto = require("node:crypto");
const http = require("node:http");
const { Eureka } = require("eureka-js-client");

const { HOST, PORT, PLEXMESH_LPAR, PLEXMESH_DISCOVERY } = process.env;
const WAIT_MS = 10000;
const [TEXT, BINARY, CLOSE] = [1, 2, 8];
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const releases = new Map();

function released(id) {
  if (!releases.has(id)) {
    let release;
    const promise = new Promise((resolve) => (release = resolve));
    releases.set(id, { promise, release });
  }
  return releases.get(id);
}

function late() {
  return new Promise((_, reject) => setTimeout(() => reject(new Error("not released")), WAIT_MS).unref());
}

const json = (response, value) => response.setHeader("Content-Type", "application/json").end(JSON.stringify(value));
const found = (response, to) => response.writeHead(302, { Location: to }).end();

const handlers = {
  "GET hello": (request, response, url, name) =>
    json(response, {
      service: "node",
      name: decodeURIComponent(name),
      query: Object.fromEntries(url.searchParams),
      prefix: request.headers["x-forwarded-prefix"] ?? null,
      host: request.headers["x-forwarded-host"] ?? null,
    }),
  "POST echo": (request, response) => {
    response.setHeader("Content-Type", request.headers["content-type"]);
    request.pipe(response);
  },
  "GET moved": (request, response, url, whole) =>
    found(response, whole ? `http://${request.headers.host}/shop/v1/hello/whole` : url.searchParams.get("to")),
  "GET cookie": (request, response, url) =>
    response.setHeader("Set-Cookie", `seat=12a; Path=${url.searchParams.get("path")}`).end(),
  "GET account": (request, response) => {
    const pairs = (request.headers.cookie ?? "").split("; ").filter(Boolean);
    json(response, Object.fromEntries(pairs.map((pair) => pair.split("="))));
  },
  "GET stream": async (request, response, url, id) => {
    response.setHeader("Content-Type", "text/event-stream").write("data: first\n\n");
    await Promise.race([released(id).promise, late()]);
    response.end("data: last\n\n");
  },
  "POST release": (request, response, url, id) => {
    released(id).release();
    response.end();
  },
};

const server = http.createServer((request, response) => {
  const url = new URL(request.url, "http://here");
  const [, shop, version, word, rest] = url.pathname.split("/");
  const handler = shop === "shop" && version === "v1" && handlers[`${request.method} ${word}`];
  return handler ? handler(request, response, url, rest) : response.writeHead(404).end();
});

server.on("upgrade", (request, socket, head) => {
  socket.on("error", () => socket.destroy());
  if (request.url !== "/live/socket") {
    return socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  }
  const accept = crypto.createHash("sha1").update(request.headers["sec-websocket-key"] + GUID).digest("base64");
  const offered = (request.headers["sec-websocket-protocol"] ?? "").split(/, */);
  const chosen = offered.includes("echo.v1") ? "Sec-WebSocket-Protocol: echo.v1\r\n" : "";
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accept}\r\n${chosen}\r\n`,
  );
  echo(socket, head);
});

function echo(socket, head) {
  let rest = head;
  const take = (data) => {
    rest = Buffer.concat([rest, data]);
    for (let frame; (frame = readFrame(rest)); rest = rest.subarray(frame.size)) {
      if (frame.opcode === CLOSE) return socket.end(frameOf(CLOSE, frame.payload));
      if (frame.opcode === TEXT && frame.payload.toString() === "close") {
        socket.write(frameOf(CLOSE, Buffer.from([4001 >> 8, 4001 & 255, ...Buffer.from("enough")])));
      } else if (frame.opcode === TEXT || frame.opcode === BINARY) {
        socket.write(frameOf(frame.opcode, frame.payload));
      }
    }
  };
  socket.on("data", take);
  take(Buffer.alloc(0));
}

// The first frame, unmasked; undefined while it is not whole.
function readFrame(data) {
  if (data.length < 2) return undefined;
  const short = data[1] & 127;
  const at = { 126: 4, 127: 10 }[short] ?? 2;
  if (data.length < at + 4) return undefined;
  const length = { 2: () => short, 4: () => data.readUInt16BE(2), 10: () => Number(data.readBigUInt64BE(2)) }[at]();
  const size = at + 4 + length;
  if (data.length < size) return undefined;
  const mask = data.subarray(at, at + 4);
  const payload = Buffer.from(data.subarray(at + 4, size).map((byte, index) => byte ^ mask[index % 4]));
  return { opcode: data[0] & 15, payload, size };
}

function frameOf(opcode, payload) {
  const length = payload.length;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65536 ? 4 : 10);
  head[0] = 128 | opcode;
  head[1] = { 2: length, 4: 126, 10: 127 }[head.length];
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

const logger = Object.fromEntries(["debug", "info", "warn", "error"].map((level) => [level, console.error]));
const client = new Eureka({
  logger,
  instance: {
    app: "node",
    instanceId: `${HOST}:node:${PORT}`,
    hostName: HOST,
    ipAddr: HOST,
    vipAddress: "node",
    port: { $: Number(PORT), "@enabled": true },
    dataCenterInfo: { "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", name: "MyOwn" },
    metadata: {
      "zos.lpar": PLEXMESH_LPAR,
      "apiml.routes.api-v1.gatewayUrl": "api/v1",
      "apiml.routes.api-v1.serviceUrl": "/shop/v1",
      "apiml.routes.ws-v1.gatewayUrl": "ws/v1",
      "apiml.routes.ws-v1.serviceUrl": "/live",
    },
  },
  eureka: {
    serviceUrls: { default: PLEXMESH_DISCOVERY.split(",").map((url) => `${url}/eureka/apps/`) },
    fetchRegistry: false,
  },
});

server.listen(Number(PORT), HOST, () => client.start());
process.on("SIGTERM", () => client.stop(() => process.exit(0)));
