// The document of one API in Swagger UI; what is tried from it goes through this gateway and to that service only.

import { make, put, write } from "./dom.js";
import { order } from "./ask.js";
import { toService } from "./links.js";

export const title = ({ service }) => `API of ${service}`;

const UI = "/console/swagger";
const LEFT_OUT = "x-plexmesh-left-out";

export function show(root, store, { service, n }) {
  const state = make("p", { role: "status", class: "empty", text: "Loading …" });
  const again = make("button", { type: "button", text: "Try again", hidden: true, onclick: load });
  const style = make("link", { rel: "stylesheet", href: `${UI}/swagger-ui.css` });
  const place = make("div", { class: "swagger" });
  const ground = dark();
  let over = false;
  const where = make("p", { class: "quiet" });
  const up = [make("a", { href: "/console/catalog" }, "Catalog"), make("a", { href: toService(service), text: service })];
  const way = make("p", { class: "line-up" }, ...up);
  root.append(way, where, state, again, place);
  document.head.append(style);
  load();

  async function load() {
    put(again, { hidden: true });
    try {
      const { base, left } = await mounted(place, service, n, () => over);
      write(where, `What is tried here is called at ${base}, through this gateway.`);
      put(state, { class: left.length ? "note warn" : null });
      write(state, left.length ? `No route leads to ${left.join(", ")}: left out here.` : "");
    } catch (error) {
      put(state, { class: "note bad" });
      write(state, error.message);
      put(again, { hidden: false });
    }
  }

  return () => {
    over = true;
    style.remove();
    ground();
  };
}

/** Shows it. `base` is where it is called; `left` are the paths of the document that no route leads to. */
async function mounted(place, service, n, over) {
  const [spec] = await Promise.all([order(`/console/v1/apidoc/${encodeURIComponent(service)}/${n}`, null, "GET"), script()]);
  const told = { base: spec.servers?.[0].url ?? spec.basePath, left: spec[LEFT_OUT] ?? [] };
  if (over()) return told;
  window.SwaggerUIBundle({
    spec,
    domNode: place,
    validatorUrl: null,
    deepLinking: false,
    supportedSubmitMethods: ["get", "put", "post", "delete", "options", "head", "patch"],
    requestInterceptor: (request) => within(request, service),
  });
  return told;
}

/** A document is a stranger's: what is tried from it must not reach anything but its own service. Swagger UI shows why
 *  a call failed, so such a call fails. */
function within(request, service) {
  const url = new URL(request.url, location.href);
  if (url.origin !== location.origin || !url.pathname.startsWith(`/${encodeURIComponent(service)}/`)) {
    request.userFetch = () => Promise.reject(new Error(`${url.pathname} is not below /${service}/: it is not called`));
  }
  return request;
}

let loading;

function script() {
  loading ??= new Promise((resolve, reject) => {
    const element = make("script", { src: `${UI}/swagger-ui-bundle.js` });
    element.onload = resolve;
    element.onerror = () => {
      element.remove();
      loading = undefined;
      reject(new Error("Swagger UI cannot be loaded; go back and try again."));
    };
    document.head.append(element);
  });
  return loading;
}

/** Swagger UI is dark by a class of the document's; gives what takes it away again. */
function dark() {
  const wanted = matchMedia("(prefers-color-scheme: dark)");
  const put = () => document.documentElement.classList.toggle("dark-mode", wanted.matches);
  put();
  wanted.addEventListener("change", put);
  return () => {
    wanted.removeEventListener("change", put);
    document.documentElement.classList.remove("dark-mode");
  };
}
