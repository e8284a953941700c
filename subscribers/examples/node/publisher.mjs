#!/usr/bin/env node
const usage = `usage: publisher.mjs MODEL < TEXTS

An app that logs its own calls without libsteno: one for each line, of a model that says it backwards. The daemon stores each event once and in order,
and the app knows when it has. The daemon may be started later, or killed and restarted: until then, the events wait here, in memory.`;
import { randomBytes, randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { createInterface } from "node:readline";
import { decode, encode } from "@msgpack/msgpack";
import { Dealer, XPublisher } from "zeromq";

const { STENO_DIR, XDG_RUNTIME_DIR } = process.env;
const runtime = STENO_DIR || (XDG_RUNTIME_DIR ? `${XDG_RUNTIME_DIR}/steno` : `/tmp/steno-${process.getuid()}`);
const WAITING_MAX = 10_000; // events that the daemon has not confirmed; beyond it the oldest are given up, and the daemon counts them as lost

class Publisher {
  id = randomBytes(16); // a new one for each life of a process
  seq = 0;
  waiting = []; // not confirmed: [number, frames]
  sent = 0; // so many of them over the present connection
  bus = null; // the connection over which the daemon listens; null: it is not there
  requests = 0;

  constructor() {
    this.control = new Dealer({ receiveTimeout: 600, linger: 0 });
    this.control.connect(`ipc://${runtime}/control`);
    this.follow();
  }

  // A connection serves one life of the daemon: ZeroMQ would reconnect by itself, and send new events before those that were lost on the way. XPUB
  // shows that the daemon subscribes (1: it is there) and no longer does (0: it is gone).
  async follow() {
    for (;;) {
      const bus = new XPublisher({ sendHighWaterMark: 0, reconnectInterval: -1, receiveTimeout: 500, linger: 0 });
      bus.connect(`ipc://${runtime}/events.in`);
      for (let there = true; there; bus.receiveTimeout = -1) {
        there = (await bus.receive().catch(() => [[0]]))[0][0] === 1;
        this.bus = there ? bus : null;
        this.sent = 0;
        this.send(bus);
      }
      bus.close();
    }
  }

  async send(bus) {
    if (this.sending === bus) return; // one send at a time
    this.sending = bus;
    while (this.bus === bus && this.sent < this.waiting.length) await bus.send(this.waiting[this.sent++][1]).catch(() => {});
    if (this.sending === bus) this.sending = null;
  }

  // Never waits.
  log(event) {
    this.waiting.push([++this.seq, [event.event, encode([1, this.id, this.seq]), encode(event)]]);
    if (this.waiting.length > WAITING_MAX) this.forget(1);
    if (this.bus) this.send(this.bus);
  }

  forget(count) {
    this.waiting.splice(0, count);
    this.sent = Math.max(0, this.sent - count);
  }

  // True once everything logged so far is stored; false: not in time, or something is lost. What is stored need not wait here any more, so call it now
  // and then (one at a time).
  async flush(seconds) {
    const seq = this.seq;
    for (const end = Date.now() + 1000 * seconds; Date.now() < end; ) {
      const id = ++this.requests;
      await this.control.send(encode({ verb: "flush", id, publisher: this.id, seq, timeout_ms: 500 }));
      let reply;
      do reply = await this.control.receive().then((frames) => decode(frames.at(-1)), () => null); // null: no daemon
      while (reply && reply.id !== id); // others are late
      if (!reply?.ok) continue;
      this.forget(this.waiting.filter(([number]) => number <= seq).length);
      return reply.losses === 0;
    }
    return false;
  }
}

function call(publisher, model, text) {
  const now = () => Date.now() / 1000, reversed = [...text].reverse().join("");
  const common = {
    v: 1, call_id: randomUUID(), call_type: "completion", provider: "backwards", model, start_time: now(),
    messages: [{ role: "user", content: text }], app: { name: "publisher.mjs", pid: process.pid, host: hostname() },
  };
  publisher.log({ ...common, event: "pre_api_call", time: now(), attempt: 1 });
  publisher.log({
    ...common, event: "success", time: now(), end_time: now(), finish_reason: "stop", attempts: 1,
    response: { choices: [{ index: 0, message: { role: "assistant", content: reversed }, finish_reason: "stop" }] },
    usage: { prompt_tokens: text.length, completion_tokens: text.length, total_tokens: 2 * text.length },
  });
}

const [model, more] = process.argv.slice(2);
if (!model || more !== undefined) {
  console.error(usage);
  process.exit(2);
}
const publisher = new Publisher();
for await (const line of createInterface({ input: process.stdin })) call(publisher, model, line);
const stored = await publisher.flush(30);
console.log(stored ? `${publisher.seq} events are stored` : `not all of ${publisher.seq} events could be stored`);
process.exit(stored ? 0 : 1);
