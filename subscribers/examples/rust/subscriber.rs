//! Prints a line for each event: in order, and none is missed, whoever is killed or restarted.
use serde_json::{json, Value};
use std::{env, fs, os::unix::fs::MetadataExt, process::exit};

const USAGE: &str = "usage: subscriber NAME [TOPIC...]\n
NAME is the cursor under which the daemon keeps how far this subscriber has come. Events since the cursor was last stored come again after a crash.";

#[derive(serde::Deserialize)] struct Event { event: String, provider: Option<String>, model: Option<String>, call_id: Option<String> } // what this example looks at
#[derive(serde::Deserialize, Default)] struct Fault { code: String, message: String }
#[derive(serde::Deserialize, Default)] #[serde(default)] struct Reply { ok: bool, id: u64, error: Fault, offset: u64, events: Vec<(u64, String, serde_bytes::ByteBuf)>, last: u64, first: u64, end: bool }

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
struct Subscriber { control: zmq::Socket, requests: u64, name: String, last: u64, stored: u64 }

impl Subscriber {
    /// The daemon's reply; asks again while nobody answers.
    fn ask(&mut self, mut request: Value) -> Result<Reply> {
        loop {
            self.requests += 1;
            request["id"] = json!(self.requests);
            self.control.send(rmp_serde::to_vec_named(&request)?, 0)?;
            while self.control.poll(zmq::POLLIN, 3000)? > 0 {
                let reply: Reply = rmp_serde::from_slice(self.control.recv_multipart(0)?.last().unwrap())?;
                if reply.id != self.requests { continue } // of a request that was given up
                if reply.ok || request["verb"] == "commit" { return Ok(reply) }
                return Err(format!("{}: {}", request["verb"], reply.error.message).into());
            }
        }
    }

    /// Goes to where the stored cursor is.
    fn begin(&mut self) -> Result<()> {
        self.last = self.ask(json!({"verb": "cursor", "name": self.name}))?.offset;
        Ok(self.stored = self.last)
    }

    /// Stores the cursor, or goes to where somebody else has moved it (steno replay).
    fn commit(&mut self) -> Result<()> {
        let reply = self.ask(json!({"verb": "commit", "name": self.name, "offset": self.last, "was": self.stored}))?;
        if reply.ok { self.stored = self.last }
        if ["moved", "invalid"].contains(&reply.error.code.as_str()) { self.begin() } else { Ok(()) }
    }

    fn handle(&mut self, offset: u64, body: &[u8]) -> Result<()> {
        let event: Event = rmp_serde::from_slice(body)?;
        let [provider, model, call_id] = [event.provider, event.model, event.call_id].map(|text| text.unwrap_or("-".into()));
        println!("{offset} {} {provider} {model} {call_id}", event.event);
        Ok(self.last = offset)
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.is_empty() || arguments[0].starts_with('-') { eprintln!("{USAGE}"); exit(2) }
    let runtime = env::var("STENO_DIR").or_else(|_| env::var("XDG_RUNTIME_DIR").map(|dir| dir + "/steno"));
    let runtime = runtime.unwrap_or_else(|_| format!("/tmp/steno-{}", fs::metadata("/proc/self").unwrap().uid()));
    let (context, topics) = (zmq::Context::new(), &arguments[1..]);
    let (live, control) = (context.socket(zmq::SUB)?, context.socket(zmq::DEALER)?);
    for topic in topics { live.set_subscribe(topic.as_bytes())? }
    live.set_subscribe(if topics.is_empty() { b"" } else { b"steno.heartbeat" })?;
    live.connect(&format!("ipc://{runtime}/events.out"))?;
    control.connect(&format!("ipc://{runtime}/control"))?;
    let mut me = Subscriber { control, requests: 0, name: arguments[0].clone(), last: 0, stored: 0 };
    me.begin()?;
    loop {
        let frames = live.recv_multipart(0)?;
        let offset = u64::from_be_bytes(frames[1][..].try_into()?);
        if frames[0] == b"steno.heartbeat" { me.commit()? } // once a second
        else if offset == me.last + 1 { me.handle(offset, &frames[2])? }
        while offset > me.last { // something was missed, or did not match
            let reply = me.ask(json!({"verb": "replay", "after": me.last, "topics": topics}))?;
            if reply.first > me.last + 1 { eprintln!("events {} to {} have left the journal", me.last + 1, reply.first - 1) }
            for (number, _, body) in reply.events { me.handle(number, &body)? }
            me.last = reply.last;
            me.commit()?;
            if reply.end { break }
        }
    }
}
