#!/usr/bin/env node
const usage = `usage: subscriber.mjs NAME [TOPIC...]

Prints a line for each event: in order, and none is missed, whoever is killed or restarted. NAME is the cursor under which the daemon keeps how
far this subscriber has come. Events since the cursor was last stored come again after a crash.`;
import { decode, encode } from "@msgpack/msgpack";
import { Dealer, Subscriber } from "zeromq";

const [name, ...topics] = process.argv.slice(2);
if (!name || name.startsWith("-")) {
  console.error(usage);
  process.exit(2);
}
const { STENO_DIR, XDG_RUNTIME_DIR } = process.env;
const runtime = STENO_DIR || (XDG_RUNTIME_DIR ? `${XDG_RUNTIME_DIR}/steno` : `/tmp/steno-${process.getuid()}`);
const live = new Subscriber(), control = new Dealer({ receiveTimeout: 3000, linger: 0 });
live.subscribe(...(topics.length ? [...topics, "steno.heartbeat"] : [""]));
live.connect(`ipc://${runtime}/events.out`);
control.connect(`ipc://${runtime}/control`);

// The daemon's reply; asks again while nobody answers.
let requests = 0;
async function ask(verb, fields) {
  for (;;) {
    const id = ++requests;
    await control.send(encode({ verb, id, ...fields }));
    for (;;) {
      const frames = await control.receive().catch((error) => {
        if (error.code !== "EAGAIN") throw error;
      });
      if (!frames) break;
      const reply = decode(frames.at(-1));
      if (reply.id !== id) continue; // of a request that was given up
      if (reply.ok || verb === "commit") return reply;
      throw new Error(`${verb}: ${reply.error.message}`);
    }
  }
}

function handle(offset, body) {
  const event = decode(body);
  console.log(offset, event.event, event.provider ?? "-", event.model ?? "-", event.call_id ?? "-");
}

let last, stored;
last = stored = (await ask("cursor", { name })).offset;

// Stores the cursor, or goes to where somebody else has moved it (steno replay).
async function commit() {
  const reply = await ask("commit", { name, offset: last, was: stored });
  if (reply.ok) stored = last;
  else if (["moved", "invalid"].includes(reply.error.code)) last = stored = (await ask("cursor", { name })).offset;
}

for await (const [topic, number, body] of live) {
  const offset = Number(number.readBigUInt64BE());
  if (topic.toString() === "steno.heartbeat") await commit(); // once a second
  else if (offset === last + 1) {
    handle(offset, body);
    last = offset;
  }
  while (offset > last) { // something was missed, or did not match
    const reply = await ask("replay", { after: last, topics });
    if (reply.first > last + 1) console.error(`events ${last + 1} to ${reply.first - 1} have left the journal`);
    for (const [number, , body] of reply.events) handle(number, body);
    last = reply.last;
    await commit();
    if (reply.end) break;
  }
}
