// Keeps the page up to date: asks the gateway once a second while the page is seen. Text only, never markup.
"use strict";

const $ = (id) => document.getElementById(id);
const make = (tag, text = "", className = "") => {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className) element.className = className;
  return element;
};
const tone = (instance) =>
  ["out", "UNREACHABLE"].includes(instance.view) ? "bad" : instance.status === "UP" && instance.view === "fine" ? "good" : "warn";
const seen = (instance) => (instance.why ? `${instance.view}: ${instance.why}` : instance.view);

function card(lpar) {
  const box = make("article", "", "card");
  box.append(make("h3", lpar.id), make("p", lpar.silent ? `${lpar.address} · its discovery is silent` : lpar.address));
  const list = make("ul");
  for (const each of [...lpar.components, ...lpar.instances]) {
    const item = make("li");
    item.append(make("span", each.service), make("span", each.view === "fine" ? each.status : each.view, tone(each)));
    list.append(item);
  }
  box.append(list);
  return box;
}

function rows(service) {
  return service.instances.map((each, index) => {
    const row = make("tr");
    const name = make("th", index ? "" : service.service);
    name.scope = "row";
    const number = make("td", String(each.inFlight), "number");
    row.append(name, make("td", each.instance), make("td", each.lpar ?? "outside"),
      make("td", each.status), make("td", seen(each), tone(each)), number);
    return row;
  });
}

function emptyRow() {
  const row = make("tr");
  const cell = make("td", "No service is registered yet.", "empty");
  cell.colSpan = 6;
  row.append(cell);
  return row;
}

let shown = "";
function show(text) {
  if (text === shown) return;
  shown = text;
  const data = JSON.parse(text);
  const lpars = data.lpars.map(card);
  const services = data.services.flatMap(rows);
  $("lpars").replaceChildren(...(lpars.length ? lpars : [make("p", "No LPAR is known yet.", "empty")]));
  $("services").replaceChildren(...(services.length ? services : [emptyRow()]));
  $("answered-by").textContent = data.gateway.lpar;
  $("vipa").textContent = data.vipa.address ? `· sysplex address ${data.vipa.address}: ${data.vipa.state}` : "";
}

function state(name, text) {
  if ($("state").textContent === text) return;
  $("state").dataset.state = name;
  $("state").textContent = text;
}

async function update() {
  try {
    const answer = await fetch("/gateway/v1/sysplex", { signal: AbortSignal.timeout(3000), cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    show(await answer.text());
    state("live", "live");
  } catch {
    state("lost", "reconnecting: the gateway does not answer");
  }
}

async function turn() {
  if (document.visibilityState === "visible") await update();
  setTimeout(turn, 1000);
}
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && update());
turn();
