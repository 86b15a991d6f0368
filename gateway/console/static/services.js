// All services: what they are, how many instances are in which state, how much they are called.

import { keyed, make, put, write } from "./dom.js";
import { count } from "./format.js";
import { toService } from "./links.js";
import { matches, searchField } from "./search.js";
import { figures, fillTraffic, table } from "./table.js";
import { badge, putBadge } from "./tones.js";
import { byService, counted, trafficOf } from "./traffic.js";

export const title = "Services";

const COLUMNS = ["Service", "Instances", "Calls", "Errors", "Latency", "In flight"];

export function show(root, store, { query }) {
  const search = searchField("Search services", query, draw);
  const body = make("tbody");
  const list = table("Services", COLUMNS, 2, body);
  const empty = make("p", { class: "empty", hidden: true });
  root.append(search.element, list, empty);

  function draw() {
    const words = search.words();
    const groups = byService(store.section("instances"));
    const all = [...store.section("services").values()].sort((one, other) => (one.service < other.service ? -1 : 1));
    const shown = all.filter((each) => found(words, each));
    keyed(body, shown, ({ service }) => service, row, (tr, entry) => fill(tr, entry, groups.get(entry.service) ?? []));
    put(list, { hidden: shown.length === 0 });
    put(empty, { hidden: shown.length > 0 });
    write(empty, nothing(store, all, "No service is registered yet."));
    search.say(words.length ? `${count(shown.length, "service")} of ${all.length}` : count(all.length, "service"));
  }

  return store.on(["services", "instances"], draw);
}

const found = (words, { service, title: name, description, apis }) =>
  matches(words, service, name, description, ...apis.map(({ apiId }) => apiId));

/** Why a list is empty. */
export function nothing(store, all, none) {
  if (store.hello === null) return "Loading …";
  return all.length === 0 ? none : "Nothing matches. Search for a part of an id, a title or a description.";
}

function row({ service }) {
  const link = make("a", { href: toService(service), text: service });
  const name = make("th", { scope: "row" }, link, make("div", { class: "quiet small" }));
  return make("tr", {}, name, make("td", {}, badge()), ...figures(COLUMNS.length - 2));
}

function fill(element, entry, instances) {
  const [name, state, ...figured] = element.children;
  write(name.lastChild, entry.title);
  const standing = counted(instances);
  putBadge(state.firstChild, standing.state, standing.text);
  fillTraffic(figured, trafficOf(instances));
}
