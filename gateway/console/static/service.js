// One service: what it says of itself, how it is called, its instances as they are now.

import { keyed, make, put, write } from "./dom.js";
import { strangers, toDocument, toInstance } from "./links.js";
import { sentences } from "./policy.js";
import { figures, fillTraffic, table } from "./table.js";
import { badge, putBadge, standing } from "./tones.js";
import { byService, stateOf, traffic } from "./traffic.js";

export const title = ({ service }) => service;

const PANIC = "So many instances are ejected that ejections are ignored: better a doubtful one than none.";
const UNROUTED = "No gateway leads here: it is a part of the mesh itself.";
const COLUMNS = ["Instance", "LPAR", "State", "Calls", "Errors", "Latency", "In flight"];

export function show(root, store, { service }) {
  const about = make("div");
  const body = make("tbody");
  const list = table("Instances", COLUMNS, 3, body);
  const none = make("p", { class: "empty" });
  const rest = make("div");
  root.append(about, make("h2", { text: "Instances" }), list, none, rest);
  let shown = "";

  return store.on(["services", "instances"], () => {
    const entry = store.section("services").get(service);
    const instances = byService(store.section("instances")).get(service) ?? [];
    const said = JSON.stringify(entry ?? null);
    if (said !== shown) {
      shown = said;
      about.replaceChildren(...introduced(entry));
      rest.replaceChildren(...(entry ? details(entry) : []));
    }
    keyed(body, instances, ({ key }) => key, row, fill);
    put(list, { hidden: instances.length === 0 });
    put(none, { hidden: instances.length > 0 });
    write(none, store.hello === null ? "Loading …" : `No instance of ${service} is registered now.`);
  });
}

function introduced(entry) {
  if (!entry) return [];
  const { title: name, description, homePageUrl: home, panic, faults } = entry;
  return [
    name && make("p", { text: name }),
    description && make("p", { class: "lead", text: description }),
    home && make("p", {}, "Home page: ", home.startsWith("/") ? strangers(home) : make("code", { text: home })),
    panic && make("p", { class: "note warn", text: PANIC }),
    ...faults.map((fault) => make("p", { class: "note bad", text: `Its registration: ${fault}` })),
  ].filter((each) => each);
}

function details(entry) {
  const { service, routed, routes, policy, apis } = entry;
  if (routed === false) return [make("h2", { text: "Routes" }), make("p", { text: UNROUTED })];
  return [
    make("h2", { text: "Routes" }),
    routes.length ? routeTable(service, routes) : make("p", { text: "It has no route, so no gateway leads to it." }),
    make("h2", { text: "How it is called" }),
    make("ul", {}, ...sentences(policy).map((text) => make("li", { text }))),
    make("h2", { text: "APIs" }),
    make("ul", { class: "apis" }, ...apis.map((api, n) => apiItem(service, api, n))),
    apis.length === 0 && make("p", { text: "It describes none." }),
  ].filter((each) => each);
}

function routeTable(service, routes) {
  const rows = routes.map(({ gatewayUrl, serviceUrl }) =>
    make("tr", {}, ...[pathOf(service, gatewayUrl), serviceUrl].map((text) => make("td", {}, make("code", { text })))),
  );
  return table("Routes", ["Path here", "Path at its instances"], 2, make("tbody", {}, ...rows));
}

/** What a gateway is called by for it. */
export const pathOf = (service, gatewayUrl) => `/${service}${gatewayUrl && "/"}${gatewayUrl}`;

/** One API: its id and version, where it is, where it is described. */
export function apiItem(service, api, n) {
  const { apiId, version, basePath, documentationUrl, swaggerUrl } = api;
  const named = apiId || api.title;
  return make(
    "li",
    {},
    make("h3", {}, named, version && make("span", { class: "tag", text: version })),
    basePath && make("p", {}, make("code", { text: basePath })),
    make(
      "p",
      { class: "line-up" },
      swaggerUrl && make("a", { href: toDocument(service, n), "aria-label": `Try ${named} ${version}` }, "Try it"),
      documentationUrl && strangers(documentationUrl, "Documentation"),
    ),
  );
}

/** Row → the entry it shows: entries are never changed in place. */
const filled = new WeakMap();

function row(instance) {
  const name = make("th", { scope: "row" }, make("a", { href: toInstance(instance), text: instance.instance }));
  const why = make("div", { class: "quiet small" });
  return make("tr", {}, name, make("td"), make("td", {}, badge(), why), ...figures(COLUMNS.length - 3));
}

function fill(element, instance) {
  if (filled.get(element) === instance) return;
  filled.set(element, instance);
  const [, lpar, state, ...figured] = element.children;
  write(lpar, instance.lpar ?? "outside");
  putBadge(state.firstChild, standing(instance).state, stateOf(instance));
  write(state.lastChild, instance.why);
  fillTraffic(figured, traffic(instance));
}
