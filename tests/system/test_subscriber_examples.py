"""The examples of a subscriber, in each language: whoever is killed and restarted, each event is handled at least once and in order, and nothing
comes again but what came after the cursor was last stored. The examples of a publisher: whatever happens to the daemon, each event is stored once.

A language whose toolchain or packages are not on this machine is skipped and says what is missing; where CI runs, Python, Node and shell must be there.
"""

import base64
import contextlib
import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import unittest

import msgpack

import harness
import test_subscribers
from harness import BIN, PATIENCE, SOURCE, wait_for

EXAMPLES = SOURCE / "subscribers" / "examples"
MADE = SOURCE / "build" / "examples"  # what npm, cargo and go make of them, kept between runs
LINES_MAX = 80  # of code in an example of a subscriber
CRATES = pathlib.Path("/usr/share/cargo/registry")
CARGO = ("cargo", "build", "--quiet", "--offline", "--config", 'source.crates-io.replace-with="debian"', "--config", f'source.debian.directory="{CRATES}"')
PYTHON = ["/usr/bin/python3"]


def skip(why, required=False):
    raise AssertionError(why) if required and os.environ.get("CI") else unittest.SkipTest(why)


def make(folder, *commands, needs, required=False):
    """The build's copy of an example's folder, after one of the commands succeeded in it; they are not run again while nothing has changed."""
    for tool in needs:
        if not shutil.which(tool) and not pathlib.Path(tool).exists():
            skip(f"{tool} is not on this machine", required)
    target = MADE / folder
    target.mkdir(parents=True, exist_ok=True)
    files = {path.name: path.read_text() for path in sorted((EXAMPLES / folder).iterdir())}
    mark = json.dumps([commands, files])
    with open(target / ".made", "a+") as made:
        fcntl.flock(made, fcntl.LOCK_EX)
        made.seek(0)
        if made.read() == mark:
            return target
        made.truncate(0)
        for name, text in files.items():
            (target / name).write_text(text)
        for command in commands:
            result = subprocess.run(command, cwd=target, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=16 * PATIENCE)
            if result.returncode == 0:
                made.write(mark)
                return target
    return skip(f"{' '.join(command)}: {(result.stdout + result.stderr).strip()[-400:]}", required)


def node(name):
    folder = make("node", ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=5", "--loglevel=error"), needs=("node", "npm"), required=True)
    return [shutil.which("node"), folder / name]


def rust():
    return [make("rust", CARGO, needs=("cargo", CRATES / "zmq-0.9.2", CRATES / "rmp-serde-1.1.1")) / "target" / "debug" / "subscriber"]


def go():
    path = f"GOPATH={os.environ.get('GOPATH', '')}:/usr/share/gocode"  # Debian's golang-*-dev, in which there is no ZeroMQ
    return [make("go", ("go", "build", "-mod=mod"), ("env", "GO111MODULE=off", path, "go", "build", "-o", "subscriber"), needs=("go",)) / "subscriber"]


class Subscribers(test_subscribers.SubscriberTest):
    def setUp(self):
        super().setUp()
        self.env["PATH"] = f"{BIN}:{self.env['PATH']}"

    def follow(self, argv, *args, out="out"):
        with open(self.dir / out, "a") as output:
            process = self.start(*argv, *args, stdout=output, start_new_session=True)
        self.addCleanup(self.kill, process)
        return process

    def kill(self, process):
        """With what it has started: a shell's pipeline would outlive it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def emit_many(self, out, count):
        for number in range(count):
            odd = {number: [b"\xff\0", float("nan"), 2**64 - 1, "\0\U0001f600"]}  # a decoder that is strict about any of it would stand still here
            self.emit(out, "success" if number % 3 == 0 else "pre_api_call", model=f"model-{number % 7}", metadata=odd)

    def journal(self, where="1"):
        return [f"{row['offset']} {row['event']} {' '.join(row['topic'].split('.')[1:])} {row['call_id']}"
                for row in self.sql(f"select * from event where {where} order by offset")]

    def caught_up(self, out="out", where="1"):
        """What was printed, once it has come to the journal's end."""
        wait_for(lambda: (self.lines(out) or [""])[-1] == self.journal(where)[-1], f"{out} to come to the end" + self.logs())
        return self.lines(out)

    def journey(self, argv, durable=True):
        for args in ([], ["--help"]):
            result = self.run_program(*argv, *args, check=False)
            self.assertEqual((result.returncode, "usage: " in result.stderr), (2, True), result.stderr)

        daemon = self.start_daemon()
        out = self.publisher()
        self.emit_many(out, 60)
        self.stored(60)
        process = self.follow(argv, "example")
        self.follow(argv, "picky", "success.", out="picky")
        self.assertEqual(self.caught_up(), self.journal(), "replayed")
        self.emit_many(out, 30)
        self.stored(90)
        self.assertEqual(self.caught_up(), self.journal(), "live")

        for _ in range(2):  # the daemon is killed in mid-stream
            before = self.last()
            self.emit_many(out, 60)
            wait_for(lambda: self.last() > before, "some events to be stored")
            self.stop(daemon, signal.SIGKILL)
            out.close()
            daemon = self.start_daemon()
            out = self.publisher()
            before = self.last()
            self.emit_many(out, 20)
            self.stored(before + 20)
        self.assertEqual(self.caught_up(), self.journal(), "no hole and no double over a restart of the daemon")

        for _ in range(3):  # the subscriber is killed in mid-stream, and misses what comes meanwhile
            held = len(self.lines("out"))
            self.emit_many(out, 60)
            self.wait_for_lines("out", held + 1)
            self.kill(process)
            self.emit_many(out, 20)
            process = self.follow(argv, "example")
        self.stored(before + 20 + 240)
        lines = self.caught_up()
        self.assertEqual(sorted(set(lines), key=lambda line: int(line.split()[0])), self.journal(), "at least once")
        offsets = [int(line.split()[0]) for line in lines]
        back = [(a, b) for a, b in zip(offsets, offsets[1:]) if b != a + 1]
        self.assertLessEqual(len(back), 3, back)
        self.assertTrue(all(b <= a for a, b in back), f"in order, and back only to the cursor: {back}")
        successes = "event = 'success'"
        self.assertEqual(self.caught_up("picky", successes), self.journal(successes), "by topic")
        if not durable:
            return

        end = self.last()
        wait_for(lambda: self.sql("select offset from subscriber where name = 'example'") == [{"offset": end}], "the cursor to be stored")
        seen = len(self.lines("out"))
        self.steno("replay", "--to", "example", "--from", str(end - 9))
        lines = self.wait_for_lines("out", seen + 10)[seen:]
        self.assertEqual([int(line.split()[0]) for line in lines], list(range(end - 9, end + 1)), "goes back to where its cursor was moved")

    def test_python(self):
        self.journey([*PYTHON, EXAMPLES / "subscriber.py"])

    def test_shell(self):
        self.journey([EXAMPLES / "subscriber.sh"], durable=False)

    def test_node(self):
        self.journey(node("subscriber.mjs"))

    def test_rust(self):
        self.journey(rust())

    def test_go(self):
        self.journey(go())

    def test_each_is_short(self):
        for path in EXAMPLES.rglob("subscriber.*"):
            code = [line for line in path.read_text().splitlines() if line.strip(" \t})") and not re.match(r"\s*(//|#)", line)]
            self.assertLess(len(code), LINES_MAX, path)


class Publishers(harness.SystemTest):
    def say(self, app, count):
        for _ in range(count):
            self.said.append(f"line {len(self.said)}")
            app.stdin.write(self.said[-1] + "\n")
            app.stdin.flush()

    def stored(self):
        return (self.sql("select count(*) n from event") or [{"n": 0}])[0]["n"]

    def journey(self, argv):
        self.said = []
        result = self.run_program(*argv, check=False)
        self.assertEqual((result.returncode, "usage: " in result.stderr), (2, True), result.stderr)
        app = self.start(*argv, "mirror-1", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, log="app.log")
        self.say(app, 30)  # before there is a daemon
        daemon = self.start_daemon()
        for round in range(6):
            self.say(app, 20)
            wait_for(lambda: self.say(app, 1) or self.stored() >= 60 + 60 * round, "the app to notice the daemon" + self.logs())
            self.say(app, 100)  # on its way when the daemon is killed
            self.stop(daemon, signal.SIGKILL)
            self.say(app, 5)
            daemon = self.start_daemon()
        printed, _ = app.communicate()
        self.assertEqual((app.returncode, printed), (0, f"{2 * len(self.said)} events are stored\n"), self.logs())
        self.assertEqual(self.sql("select * from loss"), [])
        numbers = [row["seq"] for row in self.sql("select seq from event order by offset")]
        self.assertEqual(numbers, list(range(1, 2 * len(self.said) + 1)), "each once, in order")
        calls = self.sql("select * from calls")
        self.assertEqual(sorted(call["response_text"] for call in calls), sorted(text[::-1] for text in self.said))
        self.assertEqual({(call["status"], call["model"], call["provider"], call["app"]) for call in calls}, {("success", "mirror-1", "backwards", pathlib.Path(argv[-1]).name)})

    def test_python(self):
        self.journey([*PYTHON, EXAMPLES / "publisher.py"])

    def test_node(self):
        self.journey(node("publisher.mjs"))


class Readme(test_subscribers.SubscriberTest):
    """The subscriber that stands in the README."""

    def test_it_works_and_is_ten_lines(self):
        (text,) = re.findall(r"^```python\n(.*?)^```$", (SOURCE / "README.md").read_text(), re.M | re.S)
        self.assertLessEqual(len([line for line in text.splitlines() if line.strip()]), 10)
        script = self.dir / "mine.py"
        script.write_text(text)
        daemon = self.start_daemon()
        out = self.publisher()
        for round in range(3):
            with open(self.dir / "out", "a") as output:
                process = self.start(*PYTHON, script, stdout=output)
            for _ in range(20):
                self.emit(out)
            lines = self.wait_for_lines("out", 20 * (round + 1))
            wait_for(lambda: self.sql("select offset from subscriber where name = 'mine'") == [{"offset": 20 * (round + 1)}], "the cursor to be stored")
            if round < 2:
                self.stop(process, signal.SIGKILL)
        self.assertEqual([int(line.split()[0]) for line in lines], list(range(1, 61)))
        self.stop(daemon, signal.SIGKILL)
        self.start_daemon()
        self.emit(self.publisher())
        wait_for(lambda: process.poll() is not None or len(self.lines("out")) == 61, "it to go on, or to end")
        if process.poll() is not None:
            with open(self.dir / "out", "a") as output:
                self.start(*PYTHON, script, stdout=output)
        self.assertTrue(self.wait_for_lines("out", 61)[-1].startswith("61 "))


class Vectors(unittest.TestCase):
    """What others' msgpack reads and writes is what we do."""

    VECTORS = sorted((SOURCE / "schema" / "vectors").glob("*.json"))

    def test_python(self):
        for path in self.VECTORS:
            encoded = path.with_suffix(".msgpack").read_bytes()
            event = msgpack.unpackb(encoded)
            self.assertEqual(event, json.loads(path.read_text()), path.name)
            self.assertEqual(msgpack.packb(event), encoded, path.name)

    def test_node(self):
        script = """import { readFileSync } from "node:fs"; import { decode, encode } from "@msgpack/msgpack";
            const exact = { useBigInt64: true };
            for (const path of process.argv.slice(2)) console.log(Buffer.from(encode(decode(readFileSync(path), exact), exact)).toString("base64"));"""
        program, folder = node("")
        paths = [path.with_suffix(".msgpack") for path in self.VECTORS]
        result = subprocess.run([program, "--input-type=module", "-", *paths], cwd=folder, input=script, capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        for path, line in zip(self.VECTORS, result.stdout.splitlines(), strict=True):
            self.assertEqual(msgpack.unpackb(base64.b64decode(line)), json.loads(path.read_text()), path.name)  # 1 == 1.0: JavaScript has one kind


if __name__ == "__main__":
    harness.main()
