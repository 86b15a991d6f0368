// Keeps the page up to date: asks the node once a second while the page is seen. Text only, never markup.
"use strict";

const $ = (id) => document.getElementById(id);

function make(tag, text = "", className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

function head(scope, text = "") {
  const cell = make("th", text);
  cell.scope = scope;
  return cell;
}

function toned(text, tone) {
  const element = make("span", text);
  element.dataset.tone = tone;
  return element;
}

/** Write only what differs: what is selected stays selected, and nothing is announced twice. */
function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Fill an element anew, if what it shows has changed. */
const drawn = new WeakMap();
function draw(element, what, build) {
  const text = JSON.stringify(what);
  if (drawn.get(element) === text) return;
  drawn.set(element, text);
  element.replaceChildren(...build(what));
}

/** One child for each item, in order; children of known keys are kept, so that the focus stays where it is. */
function keep(parent, items, keyOf, build, fill) {
  const known = new Map();
  for (const child of parent.children) if ("key" in child.dataset) known.set(child.dataset.key, child);
  let next = [...known.values()][0] ?? null;
  for (const item of items) {
    const key = keyOf(item);
    const child = known.get(key) ?? build(item);
    known.delete(key);
    child.dataset.key = key;
    if (child === next) next = next.nextElementSibling;
    else parent.insertBefore(child, next);
    fill(child, item);
  }
  for (const gone of known.values()) gone.remove();
}

const TONES = { UP: "good", DOWN: "bad", alive: "good", dead: "bad", up: "good", failing: "bad" };
const tone = (word) => TONES[word] ?? "warn";

function duration(seconds) {
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
}

function time(ms) {
  const date = new Date(ms);
  const today = date.toDateString() === new Date().toDateString();
  const element = make("time", today ? date.toLocaleTimeString("sv") : date.toLocaleString("sv"));
  element.dateTime = date.toISOString();
  return element;
}

// --- this node

const GUARDS = { owner: "leases", isolation: "the mesh" };

function alarms(node) {
  const said = node.guards.filter((guard) => guard.on).map((guard) => `Self-preservation is on. ${guard.why}.`);
  if (node.stale) said.push("Something of what is shown comes from this node's disk; no other node has confirmed it yet.");
  return said;
}

function guardLines(guards) {
  const on = guards.filter((guard) => guard.on);
  if (!on.length) return [toned("off", "good")];
  return on.map((guard) => toned(`on for ${duration(guard.since_s)}: ${GUARDS[guard.name] ?? guard.name}`, "warn"));
}

function showNode(node) {
  draw($("alarms"), alarms(node), (said) => said.map((text) => make("p", text)));
  $("alarms").hidden = !$("alarms").children.length;
  const ready = node.ready ? "ready" : `not ready: ${node.why.join("; ")}`;
  draw($("ready"), [ready, node.doubt], () => [
    toned(ready, node.ready ? "good" : "bad"),
    ...(node.doubt ? [make("span", `it doubts itself: ${node.doubt} of 8`, "note")] : []),
  ]);
  draw($("begun"), [node.begun_ms, node.origin], () => [time(node.begun_ms), make("span", node.origin, "note")]);
  put($("count"), `${node.instances} in ${node.services} ${node.services === 1 ? "service" : "services"}`);
  keep($("statuses"), Object.entries(node.statuses), ([status]) => status, statusChip, (chip, [status, count]) =>
    put(chip.firstElementChild, `${status} ${count}`));
  put($("leases"), String(node.leases));
  draw($("guards"), node.guards, guardLines);
}

function statusChip([status]) {
  const chip = make("li");
  const link = make("a");
  link.href = `?q=${status}#instances-title`;
  link.addEventListener("click", (event) => {
    event.preventDefault();
    $("q").value = status;
    search();
    $("instances-title").scrollIntoView();
  });
  chip.dataset.tone = tone(status);
  chip.append(link);
  return chip;
}

// --- discovery nodes

const WORDS = { itself: "itself", unknown: "not known", unmet: "nobody has answered yet", left: "left" };
const ANSWERS = { "not asked": "not asked: it is not there" };

function cellOf(cell) {
  const box = make("td");
  const said = WORDS[cell.state] ?? cell.state;
  box.append(cell.state in TONES || cell.state === "suspect" ? toned(said, tone(cell.state)) : make("span", said, "quiet"));
  const notes = [];
  if (cell.state !== "alive" && cell.for_s) notes.push(`for ${duration(cell.for_s)}`);
  if (cell.by?.length) notes.push(`by ${cell.by.join(", ")}`);
  if (cell.behind) notes.push(`${cell.behind} behind`);
  if (notes.length) box.append(make("span", notes.join(", "), "note"));
  return box;
}

function lineOf(line, columns) {
  const row = make("tr");
  const name = head("row", line.place.name || "?");
  name.append(make("span", line.answered === "this node" ? "this node" : line.place.address, "note"));
  row.append(name);
  if (line.cells.length) row.append(...line.cells.map(cellOf));
  else {
    const cell = make("td");
    cell.colSpan = columns;
    const silent = line.answered === "does not answer";
    cell.append(silent ? toned(line.answered, "bad") : make("span", ANSWERS[line.answered] ?? line.answered, "quiet"));
    row.append(cell);
  }
  return row;
}

function showMesh(mesh) {
  draw($("columns"), mesh.columns, (columns) => {
    const row = make("tr");
    row.append(head("col", "Seen by"), ...columns.map((place) => head("col", place.name || place.address)));
    return [row];
  });
  draw($("lines"), mesh.lines, (lines) => lines.map((line) => lineOf(line, mesh.columns.length)));
  put($("more-nodes"), mesh.more ? `and ${mesh.more} more that are not there` : "");
  $("more-nodes").hidden = !mesh.more;
}

function serverRow(server) {
  const row = make("tr");
  const state = make("td");
  const said = WORDS[server.state] ?? server.state;
  state.append(toned(server.why ? `${said}: ${server.why}` : said, tone(server.state)));
  row.append(head("row", server.url), state, make("td", String(server.queued), "number"));
  return row;
}

function refusedRow(each) {
  const row = make("tr");
  row.append(head("row", each.line ? `${each.file}:${each.line}` : each.file), make("td", each.why));
  return row;
}

function showRefused({ refused, refusals }) {
  $("refused-part").hidden = !refusals;
  put($("refusals"), refusals > refused.length ? `${refused.length} of ${refusals}` : "Whatever else can be used is served.");
  draw($("refused"), refused, (items) => items.map(refusedRow));
}

// --- instances

function lease(row) {
  if (row.left_s === undefined) return `${row.lease_s} s`;
  if (row.left_s < 0) return `over for ${Math.ceil(-row.left_s)} s`;
  return `${Math.floor(row.left_s)} of ${row.lease_s} s left`;
}

function statusCell([status, said, override]) {
  const parts = [toned(status, tone(status))];
  if (override) parts.push(make("span", `override ${override}, it says ${said}`, "note"));
  return parts;
}

function addressCell(addresses) {
  return addresses.flatMap((address, index) => {
    const parts = index ? [make("br")] : [];
    return [...parts, make("span", address.text), ...(address.secure ? [make("span", "TLS", "tag")] : [])];
  });
}

function ownerCell([owner, state]) {
  return state === "alive" ? [make("span", owner)] : [make("span", owner), make("br"), toned(state, tone(state))];
}

function linkTo([name]) {
  const link = make("a", name);
  link.rel = "noopener noreferrer";
  return link;
}

function instanceRow(row) {
  const line = make("tr");
  const name = head("row", row.instance);
  if (row.static) name.append(make("span", "static", "tag"));
  line.append(name, ...Array.from({ length: 6 }, () => make("td")));
  return line;
}

function fillInstance(line, row) {
  const [, lpar, status, address, left, owner, pages] = line.children;
  put(lpar, row.lpar || "outside");
  lpar.className = row.lpar ? "" : "quiet";
  draw(status, [row.status, row.said, row.override], statusCell);
  draw(address, row.addresses, addressCell);
  put(left, lease(row));
  draw(owner, [row.owner, row.owner_state ?? "alive"], ownerCell);
  keep(pages, Object.entries(row.links ?? {}), ([what]) => what, linkTo, (link, [what, url]) => {
    if (link.getAttribute("href") !== url) link.href = url;
    link.setAttribute("aria-label", `${what} page of ${row.instance}`);
  });
}

function serviceBody([service]) {
  const body = make("tbody");
  const line = make("tr");
  const name = head("rowgroup", service);
  name.colSpan = 7;
  name.append(make("span", "", "tag"));
  line.append(name);
  body.append(line);
  return body;
}

function showInstances({ rows, sizes, matching, total }) {
  keep($("instances"), grouped(rows), ([service]) => service, serviceBody, (body, [service, members]) => {
    const size = sizes[service] ?? members.length;
    put(body.querySelector(".tag"), members.length < size ? `${members.length} of ${size}` : `${members.length}`);
    keep(body, members, (row) => row.instance, instanceRow, fillInstance);
  });
  const more = matching > rows.length ? `, ${matching} match` : "";
  put($("shown"), `${rows.length} of ${total} shown${more}`);
  put($("empty"), total ? "Nothing matches." : "No instance is registered yet.");
  $("empty").hidden = rows.length > 0;
}

function grouped(rows) {
  const groups = new Map();
  for (const row of rows) {
    if (!groups.has(row.service)) groups.set(row.service, []);
    groups.get(row.service).push(row);
  }
  return groups;
}

// --- what happened

function happenedRow(ms, first, second) {
  const row = make("tr");
  const when = make("td");
  when.append(time(ms));
  row.append(when, first, second);
  return row;
}

function named(each, tag) {
  const cell = head("row", each.instance);
  if (tag) cell.append(make("span", tag, "tag"));
  cell.append(make("span", each.service, "note"));
  return cell;
}

function none(columns) {
  const row = make("tr");
  const cell = make("td", "none since this node has started", "quiet");
  cell.colSpan = columns;
  row.append(cell);
  return [row];
}

function showEvents(data) {
  const rows = (items, build) => (items.length ? items.map(build) : none(3));
  draw($("came"), data.came, (items) => rows(items, (each) => happenedRow(each.at_ms, named(each, each.why), make("td", each.node))));
  draw($("went"), data.went, (items) => rows(items, (each) => happenedRow(each.at_ms, named(each), make("td", each.why))));
  draw($("said"), data.events, (items) => rows(items, (each) => happenedRow(each.at_ms, head("row", each.event), make("td", each.text))));
}

// --- asking

function show(data) {
  showNode(data.node);
  showMesh(data.mesh);
  $("servers-part").hidden = !data.servers.length;
  draw($("servers"), data.servers, (servers) => servers.map(serverRow));
  showRefused(data);
  showInstances(data.instances);
  showEvents(data);
}

let answered = "";
function state(name, text) {
  document.documentElement.dataset.state = name;
  $("state").dataset.state = name;
  put($("state"), text);
}

async function ask(wanted) {
  const answer = await fetch(`/dashboard/state?${wanted}`, { signal: AbortSignal.timeout(3000), cache: "no-store" });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

let asked = 0;
async function update() {
  const mine = ++asked;
  const data = await ask(new URLSearchParams({ q: $("q").value.trim(), last: $("last").value })).catch(() => null);
  if (mine !== asked) return;
  if (data === null) {
    state("lost", `reconnecting: this node does not answer${answered && `; what is shown is of ${answered}`}`);
    return;
  }
  show(data);
  answered = new Date().toLocaleTimeString("sv");
  state("live", "live");
}

function search() {
  const text = $("q").value.trim();
  history.replaceState(null, "", text ? `?q=${encodeURIComponent(text)}` : location.pathname);
  update();
}

async function turn() {
  try {
    if (document.visibilityState === "visible") await update();
  } finally {
    setTimeout(turn, 1000);
  }
}

$("q").value = new URLSearchParams(location.search).get("q") ?? "";
$("q").addEventListener("input", search);
$("last").addEventListener("change", update);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && update());
turn();
