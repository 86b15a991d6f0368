// Which view a path shows, and going there without loading a page.

const ROUTES = [
  ["/", "map"],
  ["/console/events", "events"],
  ["/console/services", "services"],
  ["/console/services/{service}", "service"],
  ["/console/services/{service}/{instance}", "instance"],
  ["/console/catalog", "catalog"],
  ["/console/catalog/{service}/{n}", "apidoc"],
  ["/console/cache", "cache"],
  ["/console/lab", "lab"],
  ["/console/lab/{run}", "drill"],
].map(([path, view]) => ({ view, parts: path.split("/") }));

/** The views there are, each a module of that name. */
export const VIEWS = ROUTES.map(({ view }) => view);

/** {view, params} of a URL of this origin, or null when the console has no such page. */
export function route(url) {
  const parts = url.pathname.split("/");
  for (const each of ROUTES) {
    const params = matched(each.parts, parts);
    if (params !== null) return { view: each.view, params: { ...params, query: url.searchParams } };
  }
  return null;
}

function matched(pattern, parts) {
  if (pattern.length !== parts.length) return null;
  const params = {};
  for (const [index, part] of pattern.entries()) {
    if (part.startsWith("{") && parts[index] !== "") params[part.slice(1, -1)] = decoded(parts[index]);
    else if (part !== parts[index]) return null;
  }
  return params;
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The path of a page: to("services", "sample", key) is /console/services/sample/…, with everything escaped. */
export const to = (...parts) => `/console/${parts.map(encodeURIComponent).join("/")}`;

/** Goes to a page of the console, as a link does. */
export function go(path) {
  history.pushState(null, "", path);
  dispatchEvent(new CustomEvent("go"));
}
