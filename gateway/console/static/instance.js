// One instance: what the registry says of it, how each gateway sees it, what happened to it, and taking it out of service.

import { confirmed, order } from "./ask.js";
import { keyed, make, put, write } from "./dom.js";
import { clock, count, length, ms, rate, share } from "./format.js";
import { draw, sample, samples, sparkline } from "./latency.js";
import { toService } from "./links.js";
import { pathOf } from "./service.js";
import { figures, table } from "./table.js";
import { badge, putBadge, standing } from "./tones.js";
import { byService, stateOf, traffic } from "./traffic.js";

export const title = ({ instance }) => instance;

const LEASE_MS = 5000;
const HISTORY = 50;
const COLUMNS = ["Seen by", "As", "For", "Calls", "In flight", "Failed", "Latency", "All calls", "All failed", "Ejections"];
const OUT = "OUT_OF_SERVICE";

export function show(root, store, { service, instance: id }) {
  const key = `${service}/${id}`;
  const path = `/console/v1/instances/${encodeURIComponent(service)}/${encodeURIComponent(id)}`;
  const page = new Page(root, store, service, key, path);
  const second = setInterval(() => page.second(), 1000);
  const off = store.on(["instances", "services", "lines"], (changed) => page.update(changed));
  return () => {
    off();
    clearInterval(second);
  };
}

class Page {
  #lease = null;
  #asked = 0;
  #draining = false;
  #ordering = false;

  constructor(root, store, service, key, path) {
    Object.assign(this, { store, key, path });
    this.gone = make("p", { class: "note warn", hidden: true });
    this.facts = Object.fromEntries(["State", "LPAR", "Address", "Lease", "Weight"].map((name) => [name, make("dd")]));
    this.facts.State.append(badge(), make("div", { class: "quiet small" }));
    const pairs = Object.entries(this.facts).map(([name, dd]) => make("div", {}, make("dt", { text: name }), dd));
    this.toggle = make("button", { type: "button", onclick: () => this.#toggle() });
    this.drain = make("button", { type: "button", text: "Drain", onclick: () => this.#drain() });
    this.told = make("p", { role: "status" });
    this.curl = make("input", { readonly: true, class: "code call", "aria-label": "A call of this instance" });
    const copy = make("button", { type: "button", "aria-label": "Copy the call", text: "Copy", onclick: () => this.#copy() });
    this.copied = make("span", { role: "status", class: "quiet" });
    this.body = make("tbody");
    this.metadata = make("tbody");
    this.history = make("ol", { class: "history" });
    this.latency = sparkline();
    root.append(
      make("p", {}, "Of ", make("a", { href: toService(service), text: service })),
      this.gone,
      make("dl", { class: "facts" }, ...pairs),
      make("p", { class: "actions" }, this.toggle, this.drain),
      this.told,
      make("h2", { text: "Calls" }),
      table("How each gateway sees it", COLUMNS, 2, this.body),
      make("h2", { text: "Latency" }),
      this.latency,
      make("h2", { text: "A call of this instance" }),
      make("p", { class: "line-up" }, this.curl, copy, this.copied),
      make("h2", { text: "What happened to it" }),
      this.history,
      make("h2", { text: "Metadata" }),
      table("Metadata", ["Key", "Value"], 2, this.metadata),
    );
  }

  get instance() {
    return this.store.section("instances").get(this.key);
  }

  update(changed) {
    if (changed.has("lines")) this.#tell();
    if (!changed.has("lines") || changed.size > 1) this.#fill();
  }

  /** Each second: how old the lease is, and the latency now. */
  second() {
    const now = Date.now();
    if (this.instance && this.store.connection.state === "live") {
      sample(this.key, now, traffic(this.instance).latencyMs);
      if (now > this.#asked + LEASE_MS) this.#askLease(now);
    }
    draw(this.latency, samples(this.key), now);
    this.#age();
  }

  async #askLease(now) {
    this.#asked = now;
    try {
      const { renewedS, leaseS, node } = await order(`${this.path}/lease`, null, "GET");
      this.#lease = { renewedS, leaseS, node, at: Date.now() };
    } catch {
      this.#lease = null;
    }
    this.#age();
  }

  #age() {
    const { instance } = this;
    if (!instance) return;
    const { renewedS = null, node = instance.node, leaseS = instance.leaseS, at } = this.#lease ?? {};
    const held = `held by ${node}'s discovery${instance.owner === "alive" ? "" : ` (${instance.owner})`}`;
    const age = renewedS === null ? "" : `renewed ${length(renewedS + (Date.now() - at) / 1000)} ago, `;
    write(this.facts.Lease, `${age}of ${length(leaseS)}, ${held}`);
  }

  #fill() {
    const { instance, store } = this;
    put(this.gone, { hidden: instance !== undefined });
    write(this.gone, store.hello === null ? "Loading …" : "It is not registered now. What is below is what was known of it.");
    this.#buttons();
    if (!instance) return;
    const { why, lpar, url, weight, seen, metadata } = instance;
    putBadge(this.facts.State.firstChild, standing(instance).state, stateOf(instance));
    write(this.facts.State.lastChild, why);
    write(this.facts.LPAR, lpar ?? "outside the sysplex");
    write(this.facts.Address, url);
    write(this.facts.Weight, weight ?? "not a candidate");
    this.#age();
    keyed(this.body, Object.entries(seen), ([gateway]) => gateway, seenRow, fillSeen);
    keyed(this.metadata, Object.entries(metadata).sort(), ([name]) => name, metadataRow, fillMetadata);
    put(this.curl, { value: curl(instance, store.section("services").get(instance.service)) });
    if (this.#draining) this.#drained();
    if (this.#asked === 0) this.second();
  }

  #buttons() {
    const { instance } = this;
    const out = instance?.status === OUT;
    const dead = !instance || this.#ordering || instance.service === "discovery";
    write(this.toggle, out ? "Back in service" : "Out of service");
    put(this.toggle, { disabled: dead });
    put(this.drain, { disabled: dead || (out && this.#draining) });
  }

  async #toggle() {
    const back = this.instance.status === OUT;
    this.#draining = false;
    if (!back && !(await this.#sure("Out of service"))) return;
    await this.#order(back ? "UP" : OUT, back ? "It is back in service." : "It gets no new calls.");
  }

  async #drain() {
    if (this.instance.status !== OUT) {
      if (!(await this.#sure("Drain"))) return;
      if (!(await this.#order(OUT, "It gets no new calls."))) return;
    }
    this.#draining = true;
    this.#buttons();
    this.#drained();
  }

  #sure(verb) {
    const { service, instance: id } = this.instance;
    const all = byService(this.store.section("instances")).get(service);
    const others = all.filter((each) => each.key !== this.key && each.status === "UP").length;
    const alone = `It is the only one of ${service} that is up: calls will be answered 503.`;
    const rest = `${count(others, "other instance")} of ${service} ${others === 1 ? "takes" : "take"} its calls.`;
    return confirmed(`Take ${id} out of service?`, others ? rest : alone, verb);
  }

  /** Whether it was carried out. */
  async #order(status, done) {
    this.#ordering = true;
    this.#buttons();
    try {
      await order(`${this.path}/status`, { status });
      this.#say(done, "good");
      return true;
    } catch (error) {
      this.#say(`Not done: ${error.message}`, "bad");
      return false;
    } finally {
      this.#ordering = false;
      this.#buttons();
    }
  }

  #drained() {
    const { instance } = this;
    const { inFlight } = traffic(instance);
    if (instance.status !== OUT) return this.#say("Waiting until every gateway knows …", "quiet");
    if (inFlight > 0) return this.#say(`Draining: ${count(inFlight, "call is", "calls are")} under way.`, "warn");
    this.#draining = false;
    this.#buttons();
    return this.#say("Drained: no call is under way. It can be stopped.", "good");
  }

  #say(text, tone) {
    put(this.told, { class: `note ${tone}` });
    write(this.told, text);
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.curl.value);
      write(this.copied, "Copied.");
    } catch {
      this.curl.focus();
      this.curl.select();
      write(this.copied, "Selected: press Ctrl+C.");
    }
  }

  #tell() {
    const lines = this.store.lines.filter(({ instance }) => instance === this.key).slice(-HISTORY).reverse();
    keyed(this.history, lines, ({ id }) => id, historyItem, () => {});
    put(this.history, { "data-empty": lines.length === 0 ? "Nothing since this page knows of it." : null });
  }
}

function seenRow([gateway]) {
  const name = make("th", { scope: "row", text: `${gateway}'s gateway` });
  const view = make("td", {}, badge(), make("div", { class: "quiet small" }));
  return make("tr", {}, name, view, ...figures(COLUMNS.length - 2));
}

function fillSeen(element, [, glance]) {
  const [, view, ...cells] = element.children;
  putBadge(view.firstChild, glance.view);
  write(view.lastChild, glance.why);
  const { sinceS, perS, inFlight, failedShare, latencyMs, calls, failed, ejections } = glance;
  const latency = ms(perS > 0 ? latencyMs : null);
  const texts = [length(sinceS), rate(perS), inFlight, share(failedShare), latency, calls, failed, ejections];
  for (const [index, text] of texts.entries()) write(cells[index], text);
}

const metadataRow = ([name]) =>
  make("tr", {}, make("th", { scope: "row" }, make("code", { text: name })), make("td", { class: "code" }));

const fillMetadata = (element, [, value]) => write(element.lastChild, value);

const historyItem = ({ time, tone, text }) =>
  make("li", {}, make("span", { class: "quiet", text: `${clock(time)} ` }), badge(tone, text));

/** A call of this very instance: through the gateway that shows this page, where one leads there. */
function curl({ service, instance, url }, entry) {
  if (entry?.routed === false) return `curl -i ${quoted(`${url}/application/info`)}`;
  const path = pathOf(service, entry?.routes[0]?.gatewayUrl ?? "");
  return `curl -i -H ${quoted(`X-InstanceId: ${instance}`)} ${quoted(`${location.origin}${path}/`)}`;
}

/** For a shell, whatever it holds. */
const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
