// Elements made and changed in place. Text goes in as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element. `attributes`: name → value; "text" is its text, a function is a listener ("onclick"), true is an
 *  attribute without a value, null, undefined and false mean that it is not there. Children: nodes or texts. */
export const make = (tag, attributes = {}, ...children) => filled(document.createElement(tag), attributes, children);

/** The same for an element of SVG. */
export const svg = (tag, attributes = {}, ...children) => filled(document.createElementNS(SVG, tag), attributes, children);

function filled(element, attributes, children) {
  put(element, attributes);
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Changes what differs from `attributes` (as in `make`), leaves the rest alone; says whether anything did. */
export function put(element, attributes) {
  let changed = false;
  for (const [name, value] of Object.entries(attributes)) changed = putOne(element, name, value) || changed;
  return changed;
}

function putOne(element, name, value) {
  if (typeof value === "function") {
    element[name] = value;
    return false;
  }
  if (name === "text") return write(element, value ?? "");
  if (value === null || value === undefined || value === false) {
    if (!element.hasAttribute(name)) return false;
    element.removeAttribute(name);
    return true;
  }
  const text = value === true ? "" : String(value);
  if (element.getAttribute(name) === text) return false;
  element.setAttribute(name, text);
  return true;
}

/** Sets the text of an element that holds nothing else. */
export function write(element, text) {
  const wanted = String(text);
  const only = element.firstChild;
  if (only !== null && only === element.lastChild && only.nodeType === Node.TEXT_NODE) {
    if (only.data === wanted) return false;
    only.data = wanted;
    return true;
  }
  if (only === null && wanted === "") return false;
  element.textContent = wanted;
  return true;
}

const lists = new WeakMap();

/** Makes the children of `parent` (which it owns) one for each entry, in their order: what is there stays and is
 *  updated, what is new is created and updated, the rest goes. Focus stays where it is.
 *  `key(entry)` is unique; `create(entry)` gives an element; `update(element, entry)` fills it. */
export function keyed(parent, entries, key, create, update) {
  const before = lists.get(parent) ?? new Map();
  const now = new Map();
  for (const entry of entries) now.set(key(entry), entry);
  for (const [name, element] of before) {
    if (now.has(name)) continue;
    element.remove();
    before.delete(name);
  }
  const focused = document.activeElement;
  let cursor = parent.firstChild;
  const after = new Map();
  for (const [name, entry] of now) {
    const element = before.get(name) ?? create(entry);
    after.set(name, element);
    if (element === cursor) cursor = cursor.nextSibling;
    else parent.insertBefore(element, cursor);
    update(element, entry);
  }
  lists.set(parent, after);
  if (focused !== document.activeElement && parent.contains(focused)) focused.focus({ preventScroll: true });
}
