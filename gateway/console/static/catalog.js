// The API catalog: services by the tile they put themselves on, each API with where it is and where it is described.

import { keyed, make, put, write } from "./dom.js";
import { count } from "./format.js";
import { toService } from "./links.js";
import { matches, searchField } from "./search.js";
import { apiItem, pathOf } from "./service.js";
import { nothing } from "./services.js";
import { badge, putBadge } from "./tones.js";
import { byService, counted } from "./traffic.js";

export const title = "API catalog";

const ELSEWHERE = { id: "", title: "On no tile", description: "Services that name none (apiml.catalog.tile.id)." };

export function show(root, store, { query }) {
  const search = searchField("Search APIs", query, draw);
  const tiles = make("div");
  const empty = make("p", { class: "empty", hidden: true });
  root.append(search.element, tiles, empty);

  function draw() {
    const words = search.words();
    const groups = byService(store.section("instances"));
    const all = [...store.section("services").values()].filter(({ routed }) => routed !== false);
    const shown = all.filter((each) => found(words, each));
    keyed(tiles, byTile(shown), ({ id }) => id, tile, (element, entry) => fillTile(element, entry, groups));
    put(empty, { hidden: shown.length > 0 });
    write(empty, nothing(store, all, "No service is registered yet."));
    const apis = shown.reduce((number, { apis }) => number + apis.length, 0);
    search.say(`${count(apis, "API")} of ${count(shown.length, "service")}`);
  }

  return store.on(["services", "instances"], draw);
}

function found(words, { service, title: name, description, tile, apis, routes }) {
  const paths = [...apis.map(({ basePath }) => basePath), ...routes.map(({ gatewayUrl }) => pathOf(service, gatewayUrl))];
  const said = apis.flatMap(({ apiId, version, title: named }) => [apiId, version, named]);
  return matches(words, service, name, description, tile?.title ?? "", tile?.description ?? "", ...said, ...paths);
}

/** [{id, title, description, services}], by title; who names no tile comes last. */
function byTile(services) {
  const tiles = new Map();
  for (const each of services) {
    const said = each.tile ?? ELSEWHERE;
    if (!tiles.has(said.id)) tiles.set(said.id, { id: said.id, title: "", description: "", services: [] });
    const tile = tiles.get(said.id);
    tile.title ||= said.title;
    tile.description ||= said.description;
    tile.services.push(each);
  }
  for (const tile of tiles.values()) {
    tile.title ||= tile.id;
    tile.services.sort((one, other) => (one.service < other.service ? -1 : 1));
  }
  return [...tiles.values()].sort((one, other) => (one.id === "") - (other.id === "") || one.title.localeCompare(other.title));
}

function tile() {
  return make("section", {}, make("h2"), make("p", { class: "lead" }), make("ul", { class: "cards tiles" }));
}

function fillTile(element, { title: name, description, services }, groups) {
  const [heading, lead, list] = element.children;
  write(heading, name);
  write(lead, description);
  keyed(list, services, ({ service }) => service, item, (li, entry) => fillItem(li, entry, groups.get(entry.service) ?? []));
}

/** Item → the APIs it shows. */
const filled = new WeakMap();

function item({ service }) {
  const heading = make("h3", {}, make("a", { href: toService(service), text: service }));
  const line = make("p", { class: "line-up" }, make("span"), badge());
  return make("li", { class: "card" }, heading, line, make("p", { class: "quiet" }), make("ul", { class: "apis" }));
}

function fillItem(element, entry, instances) {
  const [, line, description, apis] = element.children;
  const [name, state] = line.children;
  write(name, entry.title);
  const standing = counted(instances);
  putBadge(state, standing.state, standing.text);
  write(description, entry.description);
  const said = JSON.stringify(entry.apis.length ? entry.apis : entry.routes);
  if (filled.get(element) === said) return;
  filled.set(element, said);
  apis.replaceChildren(...(entry.apis.length ? entry.apis.map((api, n) => apiItem(entry.service, api, n)) : bare(entry)));
}

/** Of a service that describes no API: where it may be called. */
const bare = ({ service, routes }) =>
  routes.map(({ gatewayUrl }) => {
    const path = make("code", { text: pathOf(service, gatewayUrl) });
    return make("li", {}, path, " ", make("span", { class: "quiet", text: "not described" }));
  });
