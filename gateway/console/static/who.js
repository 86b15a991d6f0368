// Who is at this page, at its top: by a certificate, by a login, or nobody. Shown where it matters, which is with TLS.

import { order } from "./ask.js";
import { make, write } from "./dom.js";

const NOBODY = { name: "", by: "", operator: false, needed: false, login: false };

let me = NOBODY;
const listeners = new Set();

/** Orders are taken from operators only, and whoever is here is none; how he may become one. */
export function mayNotOrder() {
  if (!me.needed || me.operator) return "";
  const how = me.login ? "log in as one, or show an operator's certificate" : "show an operator's certificate";
  return `Orders are taken from operators: ${how}.`;
}

/** Calls back when somebody else is here. Gives what ends it. */
export function onChange(callback) {
  listeners.add(callback);
  return () => listeners.delete(callback);
}

/** Asks the gateway anew. */
export async function ask() {
  try {
    tell(await order("/console/v1/me", {}, "GET"));
  } catch {
    // No gateway answers, which the page says already.
  }
}

function tell(found) {
  me = { ...NOBODY, ...found };
  draw();
  for (const callback of listeners) callback();
}

function draw() {
  const place = document.getElementById("who");
  place.hidden = !me.needed || !(me.login || me.name);
  const [name, button] = place.children;
  write(name, me.name + (me.operator ? ", operator" : ""));
  button.hidden = !me.login || me.by === "certificate";
  write(button, me.by === "login" ? "Log out" : "Log in");
  button.onclick = me.by === "login" ? leave : enter;
}

async function leave() {
  try {
    await order("/gateway/api/v1/auth/logout");
  } catch (error) {
    write(document.getElementById("who").firstElementChild, `${me.name} is still logged in: ${error.message}`);
    return;
  }
  await ask();
}

/** The dialog that asks for name and password; it stays, with the reason, until they are right or it is cancelled. */
function enter() {
  const before = document.activeElement;
  const name = make("input", { name: "username", autocomplete: "username", required: true, maxlength: 256 });
  const password = make("input", { name: "password", type: "password", autocomplete: "current-password", required: true });
  const why = make("p", { class: "bad", role: "alert" });
  const no = make("button", { type: "button", text: "Cancel" });
  const yes = make("button", { class: "strong", text: "Log in" });
  const form = make(
    "form",
    {},
    make("h2", { id: "login", text: "Log in" }),
    make("div", { class: "fields" }, make("label", {}, "Name", name), make("label", {}, "Password", password)),
    why,
    make("p", { class: "actions" }, no, yes),
  );
  const dialog = make("dialog", { "aria-labelledby": "login" }, form);
  no.onclick = () => dialog.close();
  dialog.onclose = () => {
    dialog.remove();
    if (before?.isConnected) before.focus();
  };
  form.onsubmit = async (event) => {
    event.preventDefault();
    yes.disabled = true;
    try {
      await order("/gateway/api/v1/auth/login", { username: name.value, password: password.value });
      dialog.close();
      await ask();
    } catch (error) {
      write(why, error.message);
      password.value = "";
      password.focus();
    } finally {
      yes.disabled = false;
    }
  };
  document.body.append(dialog);
  dialog.showModal();
  name.focus();
}
