// The gateway's stream, followed for as long as the page lives. A gateway that ends it, hangs or never answers is left,
// and the sysplex address asked again: there another gateway answers.

import { clock } from "./format.js";

const PATH = "/console/v1/stream";
const NAMES = ["hello", "whole", "change", "news", "beat"];
const OPEN_MS = 1500;
const SILENT_MS = 2500;
const PAUSE_MS = [200, 2000];

/** Gives the messages of the stream, and "connection" ones of its own, to `receive`. */
export class Stream {
  #receive;
  #source = null;
  #timer = 0;
  #pause = PAUSE_MS[0];
  #hello = null;
  #state = "loading";

  constructor(receive) {
    this.#receive = receive;
    this.#open();
  }

  #open() {
    this.#source = new EventSource(PATH);
    this.#watch(OPEN_MS);
    this.#source.onerror = () => this.#lost();
    for (const name of NAMES) this.#source.addEventListener(name, (event) => this.#take(name, JSON.parse(event.data)));
  }

  #take(name, data) {
    this.#watch(SILENT_MS);
    if (name === "hello") this.#hello = data;
    if (name !== "beat") this.#receive({ name, data });
    if (name === "whole" && this.#state !== "live") this.#found();
  }

  #found() {
    this.#pause = PAUSE_MS[0];
    const { lpar } = this.#hello;
    this.#say("live", this.#state === "gone" ? `Live again: the gateway of ${lpar} answers now` : `Live from the gateway of ${lpar}`);
  }

  #lost() {
    this.#source.close();
    clearTimeout(this.#timer);
    if (this.#state !== "gone") this.#say("gone", missing(this.#hello));
    this.#timer = setTimeout(() => this.#open(), this.#pause);
    this.#pause = Math.min(this.#pause * 1.6, PAUSE_MS[1]);
  }

  #watch(patienceMs) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lost(), patienceMs);
  }

  #say(state, text) {
    this.#state = state;
    this.#receive({ name: "connection", data: { state, since: Date.now(), text } });
  }
}

function missing(hello) {
  if (hello === null) return "No gateway answers; trying again";
  const again = `trying again${hello.address ? " at the sysplex address" : ""}`;
  return `The gateway of ${hello.lpar} does not answer; ${again}. What is shown is of ${clock(Date.now() / 1000)}`;
}
