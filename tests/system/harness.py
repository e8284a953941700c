"""What the system tests share: a temporary STENO_DIR, the real programs of the build, and waiting for a condition.

Nothing here imports code of Steno: tests look from outside, at sockets, SQL, exit codes and output.
"""

import contextlib
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

import msgpack
import zmq

BIN = pathlib.Path(os.environ.get("STENO_BIN", pathlib.Path(__file__).parents[2] / "build" / "bin"))
SOURCE = pathlib.Path(os.environ.get("STENO_SOURCE", pathlib.Path(__file__).parents[2]))
# Variables of the person at this machine that would lead a test's calls elsewhere, or make one succeed that has no key.
FOREIGN = re.compile(r"^(STENO|XDG|OPENAI|ANTHROPIC|AZURE|AWS|BEDROCK|GEMINI|GOOGLE|OLLAMA|COHERE|CO)_|_(API_KEY|BASE_URL|API_BASE|TOKEN)$|_proxy$|^(NO_COLOR|COLUMNS)$", re.I)
PATIENCE = 30  # seconds that any awaited condition may take on a loaded machine
SANITIZED = bool(re.search("asan|tsan", BIN.parent.name))  # slower and larger by far: figures of time and memory say nothing


def wait_for(condition, what, seconds=PATIENCE):
    """Polls until condition() is true and returns its value; fails the test with `what` when time is up."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain for: {what}")
        time.sleep(0.01)


def wait_for_count(count, goal, what, seconds=PATIENCE):
    """Waits until count() is goal, or more, for as long as it grows; fails when it has stood still for that long. For what takes a slow machine long."""
    best, end = None, 0
    while (now := count()) < goal:
        if best is None or now > best:
            best, end = now, time.monotonic() + seconds
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain for: {what}, not {now} of {goal}")
        time.sleep(0.01)


def keep_clear_of_the_quarter(seconds=PATIENCE):
    """Waits where a quarter of an hour is about to end, and with it perhaps an hour, a day or a month: for a test whose calls must be in one of them."""
    left = 900 - time.time() % 900
    if left < seconds:
        time.sleep(left + 0.1)


def put(path, text):
    """Puts another file in the place of the old one: a program that reads it whenever it likes sees one or the other, and no half."""
    new = path.with_name(path.name + ".put")
    new.write_text(text)
    new.rename(path)


def held_port(test):
    """A port that nobody listens on, and that nobody else is given until the test is over. A server that sets SO_REUSEADDR can take it."""
    holder = socket.socket()
    test.addCleanup(holder.close)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    return holder.getsockname()[1]


class SystemTest(unittest.TestCase):
    """One temporary Steno folder a test; every process started through it ends with it."""

    def setUp(self):
        self.dir = self.base = pathlib.Path(tempfile.mkdtemp(prefix="steno-", dir="/tmp"))  # a test may move the former to a disk of its own
        self.env = {k: v for k, v in os.environ.items() if not FOREIGN.search(k)}
        self.env.update(STENO_DIR=str(self.dir), HOME=str(self.dir), LC_ALL="C.UTF-8")
        self.processes = []
        self.addCleanup(self.clean)

    def clean(self):
        self.end_processes()
        shutil.rmtree(self.base, ignore_errors=True)

    def end_processes(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(PATIENCE)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    with contextlib.suppress(BrokenPipeError):  # what the dead did not read
                        stream.close()
        if getattr(self, "context", None):
            self.context.destroy(linger=0)
            self.context = None

    # ---- programs ----

    def start(self, *args, log=None, **options):
        """Starts a program in the background. stderr goes to <base>/<log>, default the program's name + .log."""
        args = [str(a) for a in args]
        if "/" not in args[0] and (BIN / args[0]).exists():
            args[0] = str(BIN / args[0])
        path = self.base / (log or pathlib.Path(args[0]).name + ".log")
        with open(path, "ab") as stderr:
            options.setdefault("stderr", stderr)
            options.setdefault("env", self.env)
            process = subprocess.Popen(args, **options)
        self.processes.append(process)
        return process

    def run_program(self, *args, check=True, **options):
        """Runs a program to its end and returns the CompletedProcess with text output."""
        args = [str(a) for a in args]
        if "/" not in args[0]:
            args[0] = str(BIN / args[0])
        options.setdefault("env", self.env)
        options.setdefault("timeout", 4 * PATIENCE)
        if "input" not in options:
            options.setdefault("stdin", subprocess.DEVNULL)
        result = subprocess.run(args, capture_output=True, text=True, **options)
        if check and result.returncode != 0:
            raise AssertionError(f"{args} exited {result.returncode}: {result.stderr}{self.logs()}")
        return result

    def steno(self, *args, **options):
        return self.run_program("steno", *args, **options)

    def on_terminal(self, columns, *args, **env):
        """What `steno ARGS` prints on a terminal of that width."""
        parent, child = pty.openpty()
        subprocess.run(["stty", "-F", os.ttyname(child), "cols", str(columns), "rows", "40"], check=True)
        process = subprocess.Popen([BIN / "steno", *args], env=dict(self.env, TERM="xterm-256color", **env), stdin=child, stdout=child, stderr=child)
        os.close(child)
        output = b""
        while True:
            try:
                data = os.read(parent, 65536)
            except OSError:  # the other side is closed
                break
            if not data:
                break
            output += data
        os.close(parent)
        self.assertEqual(process.wait(), 0, output)
        return output.decode().replace("\r\n", "\n")

    def start_daemon(self, *args):
        daemon = self.start("stenod", *args)
        wait_for(lambda: daemon.poll() is not None or self.ping(), "stenod to answer a ping")
        self.assertIsNone(daemon.poll(), "stenod ended: " + self.logs())
        return daemon

    def stop(self, process, sig=signal.SIGTERM):
        process.send_signal(sig)
        return process.wait(PATIENCE)

    def start_provider(self):
        """Starts the test provider and returns its base URL; OPENAI_* point to it from now on."""
        provider = self.start("steno-test-provider", stdout=subprocess.PIPE, text=True)
        ready, _, _ = select.select([provider.stdout], [], [], PATIENCE)
        self.assertTrue(ready, "the test provider printed no address")
        url = provider.stdout.readline().strip()
        self.env.update(OPENAI_BASE_URL=url, OPENAI_API_KEY="sk-test-0123456789abcdef")
        return url

    def logs(self):
        return "".join(f"\n--- {p.name}\n{p.read_text(errors='replace')[-4000:]}" for p in sorted(self.base.glob("*.log")) if p.is_file())

    # ---- sockets ----

    def socket(self, kind, endpoint):
        self.context = getattr(self, "context", None) or zmq.Context()
        socket = self.context.socket(kind)
        socket.linger = 0
        socket.connect(f"ipc://{self.dir}/{endpoint}")
        return socket

    def control(self, verb, timeout=PATIENCE, **fields):
        """One request to the control socket; the reply's map, or None if nobody answered in time."""
        socket = self.socket(zmq.DEALER, "control")
        try:
            socket.send(msgpack.packb({"verb": verb, **fields}))
            if not socket.poll(timeout * 1000):
                return None
            return msgpack.unpackb(socket.recv_multipart()[-1])
        finally:
            socket.close()

    def ping(self):
        reply = self.control("ping", timeout=0.2)
        return reply and reply["ok"]

    # ---- the log ----

    def sql(self, query, *params):
        """Rows of a query on log.db, as dicts; [] while there is no database or table yet."""
        path = self.dir / "log.db"
        if not path.exists():
            return []
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(query, params)]
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise
        finally:
            connection.close()

    def check_spend(self):
        """The roll-ups are the sums of what is in `cost` and `call`, each call once in each dimension (and once for each of its tags)."""
        columns = ("calls", "failures", "unpriced", "priced", "estimated", "prompt_tokens", "cached_tokens", "completion_tokens", "pico_dollars", "saved", "reported")
        expected = {}
        for row in self.sql("SELECT call.*, cost.pico_dollars AS pico, cost.source, cost.saved, cost.reported FROM call JOIN cost ON cost.call_id = call.call_id"):
            failed = row["status"] == "failure"
            came = [row[name] for name in ("prompt_tokens", "completion_tokens", "first_token")] != [None] * 3
            known = row["pico"] is not None
            figures = (1, failed, not known and not (failed and not came), known, row["source"] == "estimated", row["prompt_tokens"] or 0,
                       row["cached_tokens"] or 0, row["completion_tokens"] or 0, row["pico"] or 0, row["saved"] or 0, row["reported"] or 0)
            tags = json.loads(row["tags"] or "[]") or [""]
            keys = [("all", ""), *((kind, row[kind] or "") for kind in ("model", "provider", "app", "user")), *(("tag", tag) for tag in dict.fromkeys(tags))]
            for kind, name in keys:
                key = (kind, name, int(row["started"] / 900))
                expected[key] = [a + b for a, b in zip(expected.get(key, [0] * len(columns)), figures)]
        got = {(row["kind"], row["name"], row["slot"]): [row[name] for name in columns] for row in self.sql("SELECT * FROM spend")}
        self.assertEqual(got, expected)

    def wait_for_rows(self, count, query, *params):
        wait_for_count(lambda: len(self.sql(query, *params)), count, f"{count} rows of {query}")
        return self.sql(query, *params)


def main():
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
