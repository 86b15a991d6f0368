// The shell: one application for all pages, so that the stream and the history survive going from one to another.

import { make, put, write } from "./dom.js";
import { go, route, VIEWS } from "./routes.js";
import { Store } from "./store.js";
import { Stream } from "./stream.js";
import * as who from "./who.js";

const store = new Store();
const root = document.getElementById("view");
const sysplex = document.body.dataset.sysplex;
let stop = () => {};
let turn = 0;

function connect() {
  if (typeof SharedWorker === "undefined") return new Stream((message) => store.receive(message));
  const { port } = new SharedWorker("/static/worker.js", { type: "module", name: "plexmesh" });
  port.onmessage = ({ data }) => store.receive(data);
  addEventListener("pagehide", () => port.postMessage("gone"), { once: true });
  return port;
}

/** Shows the view of the page's address. A view that cannot be loaded is tried again when a gateway answers. */
async function show() {
  const mine = ++turn;
  const found = route(new URL(location.href));
  stop();
  stop = () => {};
  mark();
  if (found === null) return fill("No such page", (here) => here.append(elsewhere()));
  try {
    const { title, show: view } = await import(`./${found.view}.js`);
    if (mine !== turn) return;
    fill(typeof title === "function" ? title(found.params) : title, (here) => {
      stop = view(here, store, found.params) ?? (() => {});
    });
  } catch (error) {
    if (mine !== turn) return;
    console.error(error);
    fill("This page cannot be shown", (here) => here.append(failure(error)));
  }
}

/** A heading, which the title of the document repeats, and below it a place for the view. */
function fill(title, view) {
  const heading = make("h1", { text: title, tabindex: -1 });
  const here = make("div", { class: "view" });
  root.replaceChildren(heading, here);
  document.title = `${title} · ${sysplex}`;
  view(here);
}

const elsewhere = () => make("p", { class: "empty" }, "The console has no page here. ", make("a", { href: "/" }, "To the map"));

function failure(error) {
  const again = make("button", { type: "button", text: "Load again", onclick: () => location.reload() });
  return make("div", { class: "empty" }, make("p", { text: `It could not be loaded: ${error.message}` }), again);
}

function mark() {
  for (const link of document.querySelectorAll("nav a")) {
    const path = link.getAttribute("href");
    const here = path === "/" ? location.pathname === path : `${location.pathname}/`.startsWith(`${path}/`);
    put(link, { "aria-current": here ? "page" : null });
  }
}

async function arrive() {
  await show();
  scrollTo(0, 0);
  root.querySelector("h1")?.focus({ preventScroll: true });
}

function follow(event) {
  const link = event.target.closest?.("a[href]");
  if (!link || event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.hasAttribute("target") || link.hasAttribute("download")) return;
  const url = new URL(link.getAttribute("href"), location.href);
  if (url.origin !== location.origin || url.hash !== "" || route(url) === null) return;
  event.preventDefault();
  go(url.pathname + url.search);
}

function connection() {
  const place = document.getElementById("connection");
  const { state, text } = store.connection;
  put(document.body, { "data-connection": state });
  if (put(place, { "data-state": state }) && state === "live") who.ask();
  write(place, text);
}

/** So that a page can be gone to while no gateway answers. */
function fetchAll() {
  for (const view of VIEWS) import(`./${view}.js`).catch(() => {});
}

addEventListener("click", follow);
addEventListener("go", arrive);
addEventListener("popstate", show);
addEventListener("pageshow", (event) => event.persisted && connect());
store.on(["connection"], connection);
connect();
await show();
(window.requestIdleCallback ?? setTimeout)(fetchAll);
