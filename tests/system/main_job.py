"""The main job, end to end: calls are made, logged by the daemon, seen by a subscriber, and read with SQL.

The subscriber here is written from schema/EVENTS.md alone.
"""

import signal
import struct
import threading
import unittest

import msgpack
import zmq

import harness
from harness import SOURCE, BIN, wait_for


class Subscriber(threading.Thread):
    """EVENTS.md, "Subscribing", word for word: everything from the beginning, in order, without hole or overlap."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.folder, self.events, self.last, self.stop = folder, [], 0, threading.Event()
        self.replays = 0

    def run(self):
        context = zmq.Context()
        live = context.socket(zmq.SUB)
        live.subscribe(b"")
        live.connect(f"ipc://{self.folder}/events.out")
        control = context.socket(zmq.DEALER)
        control.linger = 0
        control.connect(f"ipc://{self.folder}/control")
        self.replay(control)
        while not self.stop.is_set():
            if not live.poll(100):
                continue
            topic, frame, body = live.recv_multipart()
            (offset,) = struct.unpack(">Q", frame)
            if offset == self.last + 1 and topic != b"steno.heartbeat":
                self.handle(offset, topic, body)
                self.last = offset
            elif offset > self.last:
                self.replay(control)
        context.destroy(linger=0)

    def replay(self, control):
        self.replays += 1
        end = False
        while not end and not self.stop.is_set():
            request = self.replays
            control.send(msgpack.packb({"verb": "replay", "after": self.last, "id": request}))
            if not control.poll(3000):
                continue
            reply = msgpack.unpackb(control.recv_multipart()[-1])
            if reply.get("id") != request or not reply["ok"]:
                continue
            for offset, topic, body in reply["events"]:
                if offset > self.last:
                    self.handle(offset, topic.encode() if isinstance(topic, str) else topic, body)
                    self.last = offset
            self.last = max(self.last, reply["last"])
            end = reply["end"]

    def handle(self, offset, topic, body):
        self.events.append((offset, topic.decode(), msgpack.unpackb(body)))


class MainJob(harness.SystemTest):
    def subscribe(self):
        subscriber = Subscriber(self.dir)
        subscriber.start()
        self.addCleanup(subscriber.join)
        self.addCleanup(subscriber.stop.set)
        return subscriber

    def check_order(self, events):
        """(pre stream* post)* and one terminal event, for each call."""
        calls = {}
        for _, _, event in events:
            calls.setdefault(event["call_id"], []).append(event["event"])
        for call_id, names in calls.items():
            self.assertIn(names[-1], ("success", "failure"), call_id)
            state = "between"
            for name in names[:-1]:
                step = {
                    ("between", "pre_api_call"): "open",
                    ("open", "stream_event"): "open",
                    ("open", "post_api_call"): "between",
                }
                self.assertIn((state, name), step, f"{call_id}: {names}")
                state = step[state, name]
            self.assertEqual(state, "between", f"{call_id}: {names}")
        return calls

    def test_every_call_of_the_demo_is_in_the_log_once(self):
        url = self.start_provider()
        self.start_daemon()
        subscriber = self.subscribe()
        refusing = url.removesuffix("/v1") + "/faults/status=429/v1"
        retrying = url.removesuffix("/v1") + "/faults/fail_first=2;status=503;id=m/v1"
        self.env.update(ANTHROPIC_BASE_URL=url.removesuffix("/v1"), ANTHROPIC_API_KEY="sk-ant-0123456789abcdef")
        self.run_program(BIN / "examples" / "demo", "--refusing-base-url", refusing, "--retrying-base-url", retrying, "--other-model",
                         "anthropic/claude-haiku-4-5")
        self.steno("flush")
        calls = self.sql("SELECT * FROM calls")
        self.assertEqual(len(calls), 28)
        self.assertEqual(len({call["call_id"] for call in calls}), 28)
        self.assertEqual(sorted({call["status"] for call in calls}), ["failure", "success"])

        def total():
            rows = self.sql("SELECT * FROM calls")
            return all(row["cost_usd"] is not None for row in rows if row["status"] == "success") and rows

        calls = wait_for(total, "steno-cost to price every successful call")
        for call in calls:
            self.assertGreaterEqual(call["latency_ms"], 0)  # a hit takes a tenth of one
            if call["status"] == "success":
                self.assertGreater(call["total_tokens"], 0)
                self.assertEqual(call["cost_usd"] > 0, not call["cache_hit"])
        self.assertEqual(sorted(call["attempts"] for call in calls), [0] + [1] * 26 + [3])  # a hit, and a call that was tried again
        self.assertEqual([call["provider"] for call in calls].count("anthropic"), 1)
        (failure,) = [call for call in calls if call["status"] == "failure"]
        self.assertEqual((failure["error_type"], failure["error_status"]), ("RateLimit", 429))
        self.assertIsNone(failure["cost_usd"])
        (streamed,) = [call for call in calls if call["stream"]]
        self.assertGreater(streamed["ttft_ms"], 0)
        self.assertLessEqual(streamed["ttft_ms"], streamed["latency_ms"])
        self.assertGreater(streamed["completion_tokens"], 0)
        self.assertEqual(sum(call["call_type"] == "acompletion" for call in calls), 20)
        self.assertEqual(sum(call["call_type"] == "embedding" for call in calls), 1)

        (count,) = self.sql("SELECT count(*) AS n, max(offset) AS last FROM event")
        self.assertEqual(count["n"], count["last"], "offsets have no holes")
        wait_for(lambda: len(subscriber.events) >= count["n"], "the subscriber to see every event")
        self.assertEqual([offset for offset, _, _ in subscriber.events], list(range(1, count["n"] + 1)))
        self.assertEqual(len(self.check_order(subscriber.events)), 28)
        for _, topic, event in subscriber.events:
            self.assertEqual(topic, f"{event['event']}.{event['provider']}.{event['model']}")
            self.assertNotIn("0123456789abcdef", repr(event), "the key is masked everywhere")
        self.assertEqual(self.sql("SELECT * FROM loss"), [])

    def test_the_demo_script_works(self):
        env = dict(self.env, TMPDIR=str(self.dir), STENO_BIN=str(BIN))
        result = self.run_program("/bin/bash", SOURCE / "tests" / "demo.sh", env=env)
        for text in ("steno logs", "steno cost", "RateLimit", "gpt-4o-mini"):
            self.assertIn(text, result.stdout)

    def test_calls_made_without_a_daemon_are_stored_when_it_comes(self):
        self.start_provider()
        self.steno("complete", "-m", "gpt-4o-mini", "one")
        self.steno("complete", "-m", "gpt-4o-mini", "--stream", "two")
        self.start_daemon()
        self.steno("flush")
        self.assertEqual([row["status"] for row in self.sql("SELECT status FROM calls")], ["success"] * 2)
        wait_for(lambda: not [p for p in (self.dir / "spool").iterdir() if len(p.name) == 32], "the spools to be deleted")

    def test_a_killed_app_leaves_its_finished_calls_and_one_process_died(self):
        url = self.start_provider()
        self.start_daemon()
        self.steno("complete", "-m", "gpt-4o-mini", "finished")
        self.steno("flush")  # else the pending one below may be this one
        hanging = self.start(
            "steno", "complete", "-m", "gpt-4o-mini", "--base-url", url.removesuffix("/v1") + "/faults/hang=1/v1", "open"
        )
        self.wait_for_rows(1, "SELECT * FROM calls WHERE status = 'pending'")
        self.stop(hanging, signal.SIGKILL)
        self.wait_for_rows(1, "SELECT * FROM calls WHERE error_type = 'ProcessDied'")
        self.assertEqual(len(self.sql("SELECT * FROM calls WHERE status = 'success'")), 1)
        self.assertEqual(len(self.sql("SELECT * FROM event WHERE event = 'failure'")), 1)

    def test_a_killed_daemon_goes_on_where_it_was(self):
        self.start_provider()
        subscriber = self.subscribe()
        for round_ in range(3):
            daemon = self.start_daemon()
            for i in range(3):
                self.steno("complete", "-m", "gpt-4o-mini", "--stream", f"{round_}.{i}")
            self.stop(daemon, signal.SIGKILL)
        self.start_daemon()
        self.steno("flush")
        self.assertEqual(len(self.sql("SELECT * FROM calls WHERE status = 'success'")), 9)
        (count,) = self.sql("SELECT count(*) AS n, max(offset) AS last FROM event")
        self.assertEqual(count["n"], count["last"])
        wait_for(lambda: len(subscriber.events) >= count["n"], "the subscriber to see every event")
        self.assertEqual([offset for offset, _, _ in subscriber.events], list(range(1, count["n"] + 1)))
        self.check_order(subscriber.events)


if __name__ == "__main__":
    harness.main()
