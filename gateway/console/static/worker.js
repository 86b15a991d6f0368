// One stream for all tabs: a browser opens six connections to a host, so six tabs with one each would be the end.

import { Store } from "./store.js";
import { Stream } from "./stream.js";

const ports = new Set();
const store = new Store();
let stream = null;

self.onconnect = ({ ports: [port] }) => {
  port.onmessage = () => ports.delete(port); // it says one thing only: that its page goes
  for (const message of store.summary()) port.postMessage(message);
  ports.add(port);
  stream ??= new Stream((message) => {
    store.receive(message);
    for (const each of ports) each.postMessage(message);
  });
};
