// The map as a file of its own: styles become attributes, links become groups, nothing refers to the outside.

import { svg } from "./dom.js";

const LOOKS = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "opacity",
  "paint-order", "stroke-opacity", "font-family", "font-size", "font-weight", "text-anchor"];
const DROPPED = ["class", "href", "role", "aria-hidden", "data-state", "tabindex"];
const FOREIGN = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu; // not a character of XML

/** The text of an SVG document; `caption` stands below the picture. */
export function saved(element, caption, ground) {
  const copy = plain(element);
  const [width, height] = [Number(element.getAttribute("width")), Number(element.getAttribute("height")) + 28];
  copy.setAttribute("height", height);
  copy.setAttribute("viewBox", `0 0 ${width} ${height}`);
  copy.prepend(svg("title", { text: caption }), svg("rect", { width, height, fill: ground }));
  const font = { "font-family": "system-ui, sans-serif", "font-size": 12 };
  copy.append(svg("text", { x: 14, y: height - 12, fill: getComputedStyle(element).color, ...font, text: caption }));
  return new XMLSerializer().serializeToString(copy).replace(FOREIGN, "\uFFFD");
}

/** A copy with the looks it has on the page. */
function plain(element) {
  const tag = element.localName === "a" ? "g" : element.localName;
  const copy = svg(tag);
  for (const { name, value } of element.attributes) if (!DROPPED.includes(name)) copy.setAttribute(name, value);
  if (["path", "rect", "text"].includes(tag)) dress(copy, getComputedStyle(element));
  for (const child of element.childNodes) copy.append(child.nodeType === Node.TEXT_NODE ? child.data : plain(child));
  return copy;
}

function dress(copy, style) {
  for (const look of LOOKS) {
    const value = style.getPropertyValue(look);
    if (value) copy.setAttribute(look, value);
  }
}

/** Gives a text to the person as a file. */
export function give(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
