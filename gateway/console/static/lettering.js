// How much of a text fits into a place on the map. SVG breaks no lines, so the width of an average letter decides.

const LETTER = 0.56;

/** The width in pixels of a text of that size; generous. */
export const wide = (text, size) => text.length * size * (LETTER + 0.06);

/** As much of a text as fits into so many pixels. */
export function fitted(text, width, size) {
  const most = Math.max(Math.floor(width / (size * LETTER)), 1);
  return text.length <= most ? text : `${text.slice(0, Math.max(most - 1, 1))}…`;
}

/** A text in at most so many lines, broken at spaces; the last one is cut. */
export function wrapped(text, width, size, lines) {
  const most = Math.max(Math.floor(width / (size * LETTER)), 1);
  const found = [];
  let rest = text;
  while (found.length < lines - 1 && rest.length > most) {
    const space = rest.lastIndexOf(" ", most);
    if (space <= 0) break;
    found.push(rest.slice(0, space));
    rest = rest.slice(space + 1);
  }
  return [...found, fitted(rest, width, size)];
}
