// Speaks the DevTools protocol with a browser of our own over a pair of pipes: no port is opened,
// and nothing has to be installed beside the browser.
import { spawn } from "node:child_process";

const FLAGS = [
  "--headless=new",
  "--remote-debugging-pipe",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--hide-scrollbars",
];

/** How long the browser may take for one answer. */
const PATIENCE_MS = 30_000;

export class Browser {
  #process;
  #waiting = new Map();
  #next = 1;
  #rest = "";
  /** Called with every event. */
  onEvent = () => {};

  constructor(program, profile) {
    this.#process = spawn(program, [...FLAGS, `--user-data-dir=${profile}`, "about:blank"], {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
    });
    this.#process.on("exit", () => this.#fail("the browser ended"));
    this.#process.on("error", (error) => this.#fail(error.message));
    this.#process.stdio[4].setEncoding("utf8").on("data", (data) => this.#read(data));
  }

  /** Sends a command and waits for its result. */
  send(method, params = {}, sessionId = undefined) {
    const id = this.#next++;
    const message = JSON.stringify({ id, method, params, sessionId });
    this.#process.stdio[3].write(message + "\0");
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${method}: no answer`)), PATIENCE_MS);
      this.#waiting.set(id, { resolve, reject, timer, method });
    });
  }

  /** Opens a page of its own and returns what sends commands to it. */
  async page() {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const send = (method, params) => this.send(method, params, sessionId);
    const close = () => this.send("Target.closeTarget", { targetId });
    return { send, close, sessionId };
  }

  async close() {
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.send("Browser.close").catch(() => {});
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), 5_000);
    await ended;
    clearTimeout(timer);
  }

  #read(data) {
    const parts = (this.#rest + data).split("\0");
    this.#rest = parts.pop();
    for (const message of parts.map((part) => JSON.parse(part))) {
      const waiting = this.#waiting.get(message.id);
      if (!waiting) {
        this.onEvent(message);
        continue;
      }
      this.#waiting.delete(message.id);
      clearTimeout(waiting.timer);
      if (message.error) {
        waiting.reject(new Error(`${waiting.method}: ${message.error.message}`));
      } else {
        waiting.resolve(message.result);
      }
    }
  }

  #fail(why) {
    for (const waiting of this.#waiting.values()) {
      clearTimeout(waiting.timer);
      waiting.reject(new Error(why));
    }
    this.#waiting.clear();
  }
}
