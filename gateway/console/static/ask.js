// Orders to the gateway, and the question before one that hurts.

import { make } from "./dom.js";

const PATIENCE_MS = 60_000;

/** Sends JSON to a path of the console; its answer (null for an empty one), or an Error whose message is one line; its
 *  `status` is that of the answer, if there was one. */
export async function order(path, body = {}, method = "POST") {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      ...(method === "GET" ? {} : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch (error) {
    throw new Error(error.name === "TimeoutError" ? "No answer within a minute." : "The gateway does not answer.");
  }
  const text = await answer.text();
  const found = parsed(text);
  if (answer.ok) return found;
  const line = found?.detail ?? found?.messages?.[0]?.messageContent ?? text.split("\n", 1)[0];
  const error = new Error(String(line || `The gateway answers ${answer.status}.`).slice(0, 300));
  throw Object.assign(error, { status: answer.status });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Asks before it is done; the button that does it is called `verb`. Focus goes back to where it was. */
export function confirmed(title, text, verb) {
  const before = document.activeElement;
  const no = make("button", { type: "button", text: "Cancel" });
  const yes = make("button", { type: "button", class: "strong", text: verb });
  const dialog = make(
    "dialog",
    { "aria-labelledby": "question", "aria-describedby": "consequence" },
    make("h2", { id: "question", text: title }),
    make("p", { id: "consequence", text }),
    make("p", { class: "actions" }, no, yes),
  );
  return new Promise((resolve) => {
    no.onclick = () => dialog.close("");
    yes.onclick = () => dialog.close("yes");
    dialog.onclose = () => {
      dialog.remove();
      if (before?.isConnected) before.focus();
      resolve(dialog.returnValue === "yes");
    };
    document.body.append(dialog);
    dialog.showModal();
    no.focus();
  });
}
