// The timeline: what happened, newest first, grouped by second. What is shown is chosen in filter.js and kept in the
// page's address. While it is paused nothing moves, and it says how many lines wait.

import { keyed, make, put, svg, write } from "./dom.js";
import { KINDS, matcher, read, written } from "./filter.js";
import { clock, count } from "./format.js";
import { to } from "./routes.js";
import { SHAPES, tone } from "./tones.js";

export const title = "Events";

const SPOKEN_EVERY_MS = 5000;
const SAID = { good: "good", warn: "warning", bad: "bad", quiet: "" };

export function show(root, store, { query }) {
  const view = new Timeline(root, store, read(query));
  const off = store.on(["lines", "lpars", "connection"], () => view.update());
  return () => {
    off();
    view.stop();
  };
}

class Timeline {
  constructor(root, store, wanted) {
    this.store = store;
    this.wanted = wanted;
    this.held = null; // the lines while it is paused
    this.spoken = null; // the newest line that was read out, or was there already
    this.lpars = choice("LPAR", "All LPARs", (lpar) => this.want({ lpar }));
    this.services = choice("Service", "All services", (service) => this.want({ service }));
    this.search = make("input", { type: "search", name: "q", maxlength: 200, autocomplete: "off", spellcheck: "false",
      oninput: ({ target }) => this.want({ text: target.value }) });
    this.trouble = make("button", { type: "button", text: "Only trouble", onclick: () => this.want({ trouble: !this.wanted.trouble }) });
    this.pause = make("button", { type: "button", text: "Pause", onclick: () => this.hold() });
    this.kinds = [...KINDS].map(([kind, name]) => make("button", { type: "button", "data-kind": kind, text: name, onclick: () => this.turn(kind) }));
    this.summary = make("span", { class: "quiet" });
    this.voice = make("p", { class: "hidden", role: "status" });
    this.empty = make("div", { class: "empty" });
    this.list = make("ol", { class: "timeline", "aria-label": "What happened, newest first" });
    root.append(
      make("div", { class: "fields" }, this.lpars.label, this.services.label, make("label", {}, "Search", this.search), this.trouble, this.pause),
      make("div", { class: "chips", role: "group", "aria-label": "Kinds of events" }, ...this.kinds, this.summary),
      this.voice,
      this.empty,
      this.list,
    );
    this.search.value = wanted.text;
    this.timer = setInterval(() => this.speak(), SPOKEN_EVERY_MS);
  }

  stop() {
    clearInterval(this.timer);
  }

  want(change) {
    this.wanted = { ...this.wanted, ...change };
    history.replaceState(history.state, "", location.pathname + written(this.wanted));
    this.update();
  }

  turn(kind) {
    const kinds = new Set(this.wanted.kinds);
    if (!kinds.delete(kind)) kinds.add(kind);
    this.want({ kinds });
  }

  hold() {
    this.held = this.held === null ? this.store.lines : null;
    this.update();
  }

  update() {
    const lines = this.held ?? this.store.lines;
    const fits = matcher(this.wanted);
    const shown = lines.filter(fits);
    this.controls(fits);
    this.list.hidden = shown.length === 0;
    keyed(this.list, seconds(shown), ({ second }) => second, createSecond, (element, group) => this.fill(element, group));
    write(this.summary, shown.length === lines.length ? count(lines.length, "line") : `${shown.length} of ${count(lines.length, "line")}`);
    this.explain(lines.length, shown.length);
  }

  controls(fits) {
    const { lines } = this.store;
    const { lpar, service, kinds, trouble } = this.wanted;
    fillChoice(this.lpars, [...this.store.section("lpars").keys(), ...lines.map((line) => line.lpar)], lpar);
    fillChoice(this.services, lines.map((line) => line.service), service);
    put(this.trouble, { "aria-pressed": String(trouble) });
    for (const button of this.kinds) put(button, { "aria-pressed": String(kinds.has(button.dataset.kind)) });
    const waiting = this.held === null ? 0 : after(lines, this.held.at(-1)).filter(fits).length;
    put(this.pause, { "aria-pressed": String(this.held !== null) });
    write(this.pause, this.held === null ? "Pause" : `Resume (${waiting} new)`);
  }

  explain(all, shown) {
    this.empty.hidden = shown > 0;
    if (shown > 0) return;
    const { state } = this.store.connection;
    const why = all > 0 ? "No line matches." : state === "live" ? "Nothing has happened yet." : "Nothing is known yet.";
    if (this.empty.firstChild?.textContent === why) return;
    const everything = make("button", { type: "button", text: "Show all", onclick: () => this.everything() });
    this.empty.replaceChildren(make("p", { text: why }), ...(all > 0 ? [everything] : []));
  }

  everything() {
    this.search.value = "";
    this.want(read(new URLSearchParams()));
    this.search.focus();
  }

  /** Screen readers hear how many lines came and the last of them, not each. */
  speak() {
    if (this.held !== null) return;
    const fresh = this.spoken === null ? [] : after(this.store.lines, this.spoken).filter(matcher(this.wanted));
    this.spoken = this.store.lines.at(-1) ?? this.spoken;
    if (fresh.length > 0) write(this.voice, `${count(fresh.length, "new line")}. ${fresh.at(-1).text}`);
  }

  fill(element, { lines }) {
    const ids = lines.map(({ id }) => id).join();
    if (element.dataset.ids === ids) return;
    element.dataset.ids = ids;
    keyed(element.lastChild, lines, ({ id }) => id, (line) => this.row(line), () => {});
  }

  row({ lpar, from, tone: told, service, instance, text }) {
    const now = tone(told);
    const said = SAID[now] && make("span", { class: "hidden", text: `${SAID[now]}: ` });
    return make(
      "li",
      { class: `line tone-${now}` },
      svg("svg", { class: "mark", viewBox: "0 0 12 12", "aria-hidden": "true" }, svg("path", { "fill-rule": "evenodd", d: SHAPES[now] })),
      make("span", { class: "source quiet", text: [lpar, from].filter(Boolean).join(" ") }),
      make("span", { class: "words" }, said, text),
      this.link(service, instance),
    );
  }

  /** To the instance's page, or the service's, where there is one. */
  link(service, instance) {
    if (instance && this.store.section("instances").has(instance)) {
      return make("a", { href: to("services", service, instance), "aria-label": `instance ${instance}`, text: "instance" });
    }
    if (!this.store.section("services").has(service)) return null;
    return make("a", { href: to("services", service), "aria-label": `service ${service}`, text: "service" });
  }
}

// --- lines

/** Those after `last`, in the order of the store; all when it is no longer among them. */
function after(lines, last) {
  const place = last === undefined ? -1 : lines.lastIndexOf(last);
  return lines.slice(place + 1);
}

/** Newest first: [{second, lines}], both so. */
function seconds(lines) {
  const groups = [];
  for (const line of lines.toReversed().sort((one, other) => other.time - one.time)) {
    const second = Math.floor(line.time);
    if (groups.at(-1)?.second !== second) groups.push({ second, lines: [] });
    groups.at(-1).lines.push(line);
  }
  return groups;
}

function createSecond({ second }) {
  const when = new Date(second * 1000);
  const today = when.toDateString() === new Date().toDateString();
  const day = today ? [] : [make("br"), when.toLocaleDateString("en-GB", { day: "numeric", month: "short" })];
  return make("li", { class: "second" }, make("time", { datetime: when.toISOString() }, clock(second), ...day), make("ol"));
}

// --- choosing

function choice(name, all, chosen) {
  const select = make("select", { onchange: () => chosen(select.value) }, make("option", { value: "", text: all }));
  return { label: make("label", {}, name, select), select, all };
}

function fillChoice({ select, all }, found, chosen) {
  const wanted = [...new Set([...found, chosen])].filter(Boolean).sort();
  const there = [...select.options].slice(1).map(({ value }) => value);
  if (wanted.join("\n") !== there.join("\n")) {
    select.replaceChildren(make("option", { value: "", text: all }), ...wanted.map((each) => make("option", { value: each, text: each })));
  }
  if (select.value !== chosen) select.value = chosen;
}
