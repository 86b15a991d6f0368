// Links that a registration names, and links to pages here.

import { make } from "./dom.js";
import { to } from "./routes.js";

/** A link to what a stranger named, if it is a page of the web; else its text, which leads nowhere. */
export function strangers(url, text = url) {
  const found = parsed(url);
  if (found === null) return make("code", { text: url });
  const away = found.origin === location.origin ? {} : { rel: "noopener noreferrer", target: "_blank" };
  return make("a", { href: found.href, ...away, text });
}

function parsed(url) {
  try {
    const found = new URL(url, location.origin);
    return ["http:", "https:"].includes(found.protocol) ? found : null;
  } catch {
    return null;
  }
}

export const toService = (service) => to("services", service);

export const toInstance = ({ service, instance }) => to("services", service, instance);

export const toDocument = (service, n) => to("catalog", service, String(n));
