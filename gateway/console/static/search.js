// A field that narrows a list while one types, and keeps what it holds in the page's address (?q=).

import { make, write } from "./dom.js";

/** {element, words(): what is sought, lower case, say(text): what is found}; `onchange` is called after each key. */
export function searchField(label, query, onchange) {
  const input = make("input", { type: "search", value: query.get("q") ?? "", autocomplete: "off", spellcheck: "false" });
  const told = make("p", { class: "quiet", role: "status" });
  const element = make("form", { class: "fields", role: "search" }, make("label", {}, label, input), told);
  element.onsubmit = (event) => event.preventDefault();
  input.oninput = () => {
    const text = input.value.trim();
    history.replaceState(null, "", text ? `?q=${encodeURIComponent(text)}` : location.pathname);
    onchange();
  };
  return {
    element,
    words: () => input.value.toLowerCase().split(/\s+/).filter((word) => word),
    say: (text) => write(told, text),
  };
}

/** Every word is in some of the texts. */
export const matches = (words, ...texts) => {
  const all = texts.join("\n").toLowerCase();
  return words.every((word) => all.includes(word));
};
