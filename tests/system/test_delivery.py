"""The frame of the handler programs (delivery.h) under a program that does nothing else, against the real daemon."""

import json
import signal

import harness
from harness import wait_for
from test_subscribers import SubscriberTest

PROBE = harness.BIN.parent / "tests" / "steno-test-delivery"


class Frame(SubscriberTest):
    def start_probe(self, *options):
        return self.start(PROBE, *options, self.dir / "out")

    def batches(self):
        return [[int(word) for word in line.split()] for line in self.lines("out")]

    def offsets(self):
        return [offset for batch in self.batches() for offset in batch]

    def cursor(self, name="steno-test-delivery"):
        rows = self.sql("select offset from subscriber where name = ?", name)
        return rows[0]["offset"] if rows else 0

    def status(self, name="steno-test-delivery"):
        listed = [one for one in self.control("status")["subscribers"] if one["name"] == name]
        return listed[0] if listed else {}

    def test_kill_9_in_mid_batch_loses_nothing_and_keeps_the_order(self):
        self.start_daemon()
        out = self.publisher()
        (self.dir / "out.slow").touch()
        for _ in range(400):
            self.emit(out)
        for round in range(1, 8):
            probe = self.start_probe()
            wait_for(lambda: len(self.offsets()) >= 40 * round, "some batches" + self.logs())
            self.stop(probe, signal.SIGKILL)
        (self.dir / "out.slow").unlink()
        self.start_probe()
        wait_for(lambda: self.offsets()[-1] == 400, "the last event" + self.logs())
        offsets = self.offsets()
        self.assertEqual(sorted(set(offsets)), list(range(1, 401)))
        last = 0
        for batch in self.batches():
            self.assertLessEqual(batch[0], last + 1, "a hole, or an event out of order")
            self.assertEqual(batch, list(range(batch[0], batch[0] + len(batch))))
            last = batch[-1]
        self.assertGreater(len(offsets), 400 // 20)  # batches there were

    def test_refused_event_alone_is_put_aside_and_its_mates_are_delivered(self):
        self.start_daemon()
        out = self.publisher()
        for number in range(1, 31):
            self.emit(out, **({"refuse": True} if number == 17 else {}))
        self.stored(30)
        probe = self.start_probe()
        wait_for(lambda: self.cursor() == 30, "the end" + self.logs())
        self.assertEqual(self.offsets(), [n for n in range(1, 31) if n != 17])
        (letter,) = [json.loads(line) for line in self.lines("dead-letters/steno-test-delivery.jsonl")]
        self.assertEqual((letter["name"], letter["offset"], letter["topic"], letter["error"]),
                         ("steno-test-delivery", 17, "success.openai.test", "the probe refuses it"))
        self.assertEqual(letter["event"]["call_id"], "call-17")
        self.assertEqual(wait_for(lambda: self.status().get("dead_letters"), "the daemon to know"), 1)
        shown = self.steno("status").stdout
        self.assertIn("steno-test-delivery: 1 event put aside in dead-letters/steno-test-delivery.jsonl", shown)
        # It is known again after a restart, until somebody takes the file away.
        self.stop(probe)
        probe = self.start_probe()
        wait_for(lambda: self.status().get("dead_letters") == 1, "it to be told again")
        self.stop(probe)
        (self.dir / "dead-letters" / "steno-test-delivery.jsonl").unlink()
        self.start_probe()
        wait_for(lambda: self.status().get("dead_letters") == 0, "it to be taken back")

    def test_peer_that_is_not_ready_is_waited_for_and_shows_in_the_status(self):
        self.start_daemon()
        out = self.publisher()
        (self.dir / "out.later").touch()
        probe = self.start_probe()
        for _ in range(5):
            self.emit(out)
        told = wait_for(lambda: (entry := self.status()).get("problem") and entry, "the problem to be told" + self.logs())
        self.assertEqual(told["problem"], "told to wait with 1")
        self.assertGreater(told["problem_since"], 1e9)
        self.assertEqual(self.cursor(), 0)
        self.assertIn("steno-test-delivery: told to wait with 1 (for ", self.steno("status").stdout)
        shown = json.loads(self.steno("status", "--json").stdout)
        (entry,) = [one for one in shown["subscribers"] if one["name"] == "steno-test-delivery"]
        self.assertEqual(entry["problem"], "told to wait with 1")
        # SIGTERM tries once more, then ends; the next one goes on.
        self.assertEqual(self.stop(probe), 0)
        self.assertEqual(self.offsets(), [])
        (self.dir / "out.later").unlink()
        self.start_probe()
        wait_for(lambda: self.cursor() == 5, "all to be delivered" + self.logs())
        wait_for(lambda: not self.status()["problem"], "the problem to be over")

    def test_cursor_that_is_moved_while_the_peer_is_not_ready_is_obeyed(self):
        self.start_daemon()
        out = self.publisher()
        for _ in range(10):
            self.emit(out)
        self.stored(10)
        self.start_probe()
        wait_for(lambda: self.cursor() == 10, "the first ones")
        (self.dir / "out.later").touch()
        self.emit(out)
        wait_for(lambda: self.status().get("problem"), "the problem")
        self.steno("replay", "--to", "steno-test-delivery", "--from", "8")
        wait_for(lambda: self.status()["problem"] == "told to wait with 8", "the cursor to be followed")
        (self.dir / "out.later").unlink()
        wait_for(lambda: self.cursor() == 11, "the end" + self.logs())
        self.assertEqual(self.offsets(), [*range(1, 11), 8, 9, 10, 11])

    def test_daemon_restarted_meanwhile_is_told_again(self):
        daemon = self.start_daemon()
        self.emit(self.publisher())
        (self.dir / "out.later").touch()
        self.start_probe()
        wait_for(lambda: self.status().get("problem"), "the problem")
        self.stop(daemon, signal.SIGKILL)
        self.start_daemon()
        wait_for(lambda: self.status().get("problem"), "the problem to be told to the new daemon", 3 * harness.PATIENCE)

    def test_report_is_checked_and_bounded(self):
        self.start_daemon("--no-subscribers")
        for fields in ({}, {"name": "a b"}, {"name": "x", "problem": "p" * 513}, {"name": "x", "problem": 7}, {"name": "x", "dead_letters": -1},
                       {"name": "x", "dead_letters": "many"}):
            self.assertEqual(self.control("report", **fields)["error"]["code"], "invalid", fields)
        for number in range(256):
            self.assertTrue(self.control("report", name=f"n{number}", problem="p" * 512)["ok"])
        self.assertEqual(self.control("report", name="one-more", problem="p")["error"]["code"], "limit")
        self.assertTrue(self.control("report", name="well-anyway")["ok"])
        self.assertEqual(len(self.control("status")["subscribers"]), 256)
        self.assertTrue(self.control("report", name="n7")["ok"])
        self.assertTrue(self.control("report", name="one-more", problem="p", dead_letters=2)["ok"])
        self.assertTrue(self.control("report", name="one-more", problem=None)["ok"])
        entry = self.status("one-more")
        self.assertEqual((entry["offset"], entry["problem"], entry["dead_letters"]), (None, None, 2))

    def test_usage(self):
        for args, what in ([["--sideways"], "sideways"], [[], "an argument is missing"], [["--from", "yesterday", "x"], "yesterday"]):
            result = self.run_program(PROBE, *args, check=False)
            self.assertEqual((result.returncode, what in result.stderr), (2, True), result.stderr)
            self.assertIn("usage: steno-test-delivery FILE [TOPIC...]", result.stderr)
        result = self.run_program(PROBE, "--name", "a b", "x", check=False)
        self.assertEqual((result.returncode, "a b" in result.stderr), (1, True))


if __name__ == "__main__":
    harness.main()
