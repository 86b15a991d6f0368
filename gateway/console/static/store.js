// What a view sees of the sysplex: the document in sections, the lines of the timeline, the connection.
//
// A store takes the messages of the stream, {"name": "hello" | "whole" | "change" | "news" | "connection", "data": …},
// and tells who listens which keys changed, once in an animation frame. The worker has one too, to bring a new tab up
// to date. Not here: where messages come from (stream.js, worker.js).

const LINES = 2000;
const EMPTY = new Map();

export class Store {
  hello = null;
  lines = [];
  connection = { state: "loading", since: Date.now(), text: "Connecting …" };
  #sections = new Map();
  #known = new Set();
  #listeners = new Set();
  #due = false;

  /** Key → entry; never null. Entries are whole and never changed in place. */
  section(name) {
    return this.#sections.get(name) ?? EMPTY;
  }

  /** Calls back in the next frame and then, at most once a frame, when one of `names` changed (sections, "lines",
   *  "connection") with Map name → Set of keys; the first time with all there are. Gives what ends it. */
  on(names, callback) {
    const listener = { names, callback, changed: new Map(names.map((name) => [name, new Set(this.section(name).keys())])) };
    this.#listeners.add(listener);
    this.#schedule();
    return () => this.#listeners.delete(listener);
  }

  receive({ name, data }) {
    if (name === "hello") this.hello = data;
    else if (name === "whole") this.#whole(data);
    else if (name === "change") this.#change(data);
    else if (name === "news") this.#news(data);
    else if (name === "connection") {
      this.connection = data;
      this.#mark("connection", []);
    }
  }

  /** The messages that bring another store to where this one is. */
  summary() {
    const whole = Object.fromEntries([...this.#sections].map(([name, section]) => [name, Object.fromEntries(section)]));
    const messages = [{ name: "news", data: this.lines }, { name: "connection", data: this.connection }];
    return this.hello === null ? messages : [{ name: "hello", data: this.hello }, { name: "whole", data: whole }, ...messages];
  }

  #whole(document) {
    for (const [name, section] of this.#sections) {
      const stays = document[name] ?? {};
      this.#drop(name, [...section.keys()].filter((key) => !Object.hasOwn(stays, key)));
    }
    for (const [name, entries] of Object.entries(document)) {
      const section = this.section(name);
      this.#set(name, Object.entries(entries).filter(([key, entry]) => !same(section.get(key), entry)));
    }
  }

  #change({ set = {}, drop = {} }) {
    for (const [name, keys] of Object.entries(drop)) this.#drop(name, keys);
    for (const [name, entries] of Object.entries(set)) this.#set(name, Object.entries(entries));
  }

  #set(name, entries) {
    if (!this.#sections.has(name)) this.#sections.set(name, new Map());
    const section = this.#sections.get(name);
    for (const [key, entry] of entries) section.set(key, entry);
    this.#mark(name, entries.map(([key]) => key));
  }

  #drop(name, keys) {
    const section = this.#sections.get(name);
    this.#mark(name, keys.filter((key) => section?.delete(key)));
  }

  #news(lines) {
    const fresh = lines.filter(({ id }) => !this.#known.has(id));
    if (fresh.length === 0) return;
    for (const { id } of fresh) this.#known.add(id);
    this.lines = [...this.lines, ...fresh].sort((one, other) => one.time - other.time).slice(-LINES);
    if (this.#known.size > 2 * LINES) this.#known = new Set(this.lines.map(({ id }) => id));
    this.#mark("lines", fresh.map(({ id }) => id));
  }

  #mark(name, keys) {
    if (keys.length === 0 && name !== "connection") return;
    for (const listener of this.#listeners) {
      if (!listener.names.includes(name)) continue;
      const changed = listener.changed.get(name) ?? new Set();
      for (const key of keys) changed.add(key);
      listener.changed.set(name, changed);
      this.#schedule();
    }
  }

  #schedule() {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => this.#tell());
  }

  #tell() {
    this.#due = false;
    for (const listener of [...this.#listeners]) {
      if (listener.changed.size === 0) continue;
      const { changed } = listener;
      listener.changed = new Map();
      listener.callback(changed);
    }
  }
}

const same = (one, other) => one !== undefined && JSON.stringify(one) === JSON.stringify(other);
