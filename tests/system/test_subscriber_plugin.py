"""steno-plugin: one source file, registered in an app and loaded beside it, writes the same lines, field by field, of this stage of a call and of the
earlier ones; wherever it begins, whatever its topics leave out, and whoever is killed. And the verbs it stands on: `replay` of one call, `flush`.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import unittest

import msgpack

import harness
import test_subscribers
from harness import BIN, PATIENCE, SOURCE, wait_for

HOOKS, EXAMPLE = BIN / "examples" / "plugin_hooks.so", BIN / "examples" / "plugin.so"


class Plugin(test_subscribers.SubscriberTest):
    def calls(self, app="steno-test-plugin_hooks"):
        """Makes calls of every kind; returns the lines of the hooks in the app. The daemon is there, and all is stored."""
        url = self.start_provider()
        faults = url.removesuffix("/v1") + "/faults/"
        lines = []
        for base in (url, faults + "fail_first=1;status=503;id=retried/v1", faults + "status=429/v1"):
            lines += self.run_program(app, base).stdout.splitlines()
            self.assertTrue(self.control("flush")["ok"])  # the order is an app's own: of two, the second's events may be stored first
        return lines

    def plugin(self, *args, out="out", **options):
        with open(self.dir / out, "a") as output:
            return self.start("steno-plugin", *args, stdout=output, cwd=self.dir, **options)

    def kinds(self, lines, *kinds):
        return [line for line in lines if re.search(r'event="(\w+)"', line).group(1) in kinds]

    def test_hooks_in_the_app_and_beside_it_write_the_same(self):
        self.start_daemon()
        live = self.plugin("--from", "now", "--name", "live", HOOKS)
        wait_for(lambda: any(row["name"] == "live" for row in self.control("status")["subscribers"]), "the plug-in to be there" + self.logs())
        lines = self.calls()
        self.assertGreater(len(lines), 40)
        # It is the cumulative view that is compared: what only the earlier stages carry is in the last lines.
        for field in ("complete_input_dict", "original_response", "http_status=200", "attempt=6", "attempts=6", "cache_hit=true", "chunk_index=1", 'fallback_from="openai/does-not-exist'):
            self.assertTrue(any(field in line for line in self.kinds(lines, "success", "failure", "stream_event")), field)
        self.assertEqual(self.wait_for_lines("out", len(lines)), lines, "live")
        self.plugin("--name", "history", HOOKS, out="history")
        self.assertEqual(self.wait_for_lines("history", len(lines)), lines, "over history")
        self.assertEqual(self.stop(live), 0)

    def test_topics_that_leave_stages_out_take_nothing_from_the_view(self):
        self.start_daemon()
        lines = self.calls()
        for number, topics in enumerate((["success.", "failure."], ["stream_event."], ["post_api_call.", "failure."], ["pre_api_call.", "stream_event.", "success."], ["pre_api_call.openai.does", "stream_event."],
                                         ["p", "success.openai.gpt-4o-mini"])):
            offsets = [row["offset"] for row in self.sql("select * from event order by offset") if row["topic"].startswith(tuple(topics))]
            expected = [lines[offset - 1] for offset in offsets]
            self.plugin("--name", f"n{number}", HOOKS, *topics, out=f"out{number}")
            self.assertEqual(self.wait_for_lines(f"out{number}", len(expected)), expected, topics)

    def test_wherever_it_begins_the_view_is_whole(self):
        self.start_daemon()
        lines = self.calls()
        for offset in range(1, len(lines) + 1, 3):
            process = self.plugin("--from", offset, "--name", f"from-{offset}", HOOKS, out=f"out{offset}")
            self.assertEqual(self.wait_for_lines(f"out{offset}", len(lines) - offset + 1), lines[offset - 1:], offset)
            self.stop(process)

    def test_a_cursor_that_is_moved_leaves_no_stage_of_another_attempt(self):
        self.start_daemon()
        lines = self.calls()
        self.plugin("--name", "moved", HOOKS)
        self.wait_for_lines("out", len(lines))
        seen = len(lines)
        for offset in (2, len(lines) // 2, 3):
            wait_for(lambda: self.sql("select offset from subscriber where name = 'moved'") == [{"offset": len(lines)}], "the cursor to be stored")
            self.steno("replay", "--to", "moved", "--from", str(offset))
            again = self.wait_for_lines("out", seen + len(lines) - offset + 1)[seen:]
            self.assertEqual(again, lines[offset - 1:], offset)
            seen += len(again)

    def attempts(self, call_id):
        """A call of two attempts, each with chunks, from a publisher that does so."""
        out = self.publisher()
        for number in (1, 2):
            shared = {"call_id": call_id, "model": f"model-{number}"}
            self.emit(out, "pre_api_call", attempt=number, messages=[f"of {number}"], **shared)
            for index in range(3):
                self.emit(out, "stream_event", chunk_index=index, **shared)
            self.emit(out, "post_api_call", attempt=number, original_response=f"of {number}", **shared)
        self.emit(out, "stream_event", chunk_index=3, call_id=call_id)
        self.stored(11)

    def test_attempts_are_told_apart(self):
        self.start_daemon()
        self.attempts("twice")
        self.plugin("--name", "all", HOOKS)
        lines = self.wait_for_lines("out", 11)
        self.assertEqual([re.search(r'messages=\["of (.)', line).group(1) for line in lines], list("11111" "222222"))
        self.plugin("--name", "chunks", HOOKS, "stream_event.", out="chunks")
        self.assertEqual(self.wait_for_lines("chunks", 7), self.kinds(lines, "stream_event"))
        self.plugin("--name", "first", HOOKS, "pre_api_call.openai.model-1", "stream_event.", out="first")
        self.assertEqual(self.wait_for_lines("first", 8), self.kinds(lines[:5], "pre_api_call", "stream_event") + self.kinds(lines[5:], "stream_event"))
        # The call is open, and its second attempt remembered, when the cursor is set back into the first, and again.
        for round, offset in enumerate((4, 2, 5)):
            wait_for(lambda: self.sql("select offset from subscriber where name = 'all'") == [{"offset": 11}], "the cursor to be stored")
            seen = len(self.lines("out"))
            self.steno("replay", "--to", "all", "--from", str(offset))
            self.assertEqual(self.wait_for_lines("out", seen + 12 - offset)[seen:], lines[offset - 1:], offset)

    def test_killed_at_random_it_shows_each_event_whole_and_in_order(self):
        daemon = self.start_daemon()
        lines = self.calls()
        for round in range(8):
            process = self.plugin("--name", "mortal", HOOKS)
            seen = len(self.lines("out"))
            wait_for(lambda: len(self.lines("out")) > min(seen, len(lines) - 1), "some lines")
            if round % 2:
                self.stop(daemon, signal.SIGKILL)
                daemon = self.start_daemon()
            self.stop(process, signal.SIGKILL)
        self.plugin("--name", "mortal", HOOKS)  # the last life comes to the end
        wait_for(lambda: set(lines) <= set(self.lines("out")), "all lines" + self.logs())
        text = (self.dir / "out").read_text()
        self.assertEqual(set(text.splitlines()) & set(lines), set(lines))
        for run in text.split(lines[0] + "\n"):  # each begins at the cursor
            whole = [line for line in run.splitlines() if line in lines]
            numbers = [lines.index(line) for line in whole]
            self.assertTrue(all(b == a + 1 or b <= a for a, b in zip(numbers, numbers[1:])), numbers)

    def test_a_daemon_that_is_away_is_waited_for_with_the_event_in_hand(self):
        daemon = self.start_daemon()
        expected = self.kinds(self.calls(), "failure")
        self.env["STENO_TEST_HOLD"] = str(self.dir / "go")
        said = lambda: "looking up a call's earlier stages: no answer from stenod" in (self.dir / "steno-plugin.log").read_text()
        for again in range(2):
            process = self.plugin("--name", "patient", HOOKS, "failure.")
            wait_for((self.dir / "held").exists, "the plug-in to be at the first of a batch")
            self.stop(daemon, signal.SIGKILL)
            (self.dir / "go").touch()
            wait_for(said, "the plug-in to miss the daemon")
            if not again:  # told to stop meanwhile
                self.assertEqual(self.stop(process), 0)
                for name in ("steno-plugin.log", "go", "held"):
                    (self.dir / name).unlink()
            daemon = self.start_daemon()
        self.assertEqual(self.wait_for_lines("out", 1 + len(expected)), expected[:1] + expected)

    def test_a_crash_takes_only_the_plug_in_and_the_event_comes_again(self):
        ini = self.dir / "stenod.ini"
        ini.write_text(f"[subscriber crashing]\ncommand = {BIN}/steno-plugin --name crashing {HOOKS}\n")
        self.env["STENO_TEST_CRASH"] = "7"
        daemon = self.start("stenod", "--config", ini, stdout=subprocess.DEVNULL, cwd=self.dir)
        wait_for(self.ping, "stenod")
        lines = self.calls()
        wait_for(lambda: self.sql("select offset from subscriber where name = 'crashing'") == [{"offset": len(lines)}], "the plug-in to come to the end" + self.logs(), 2 * PATIENCE)
        self.assertTrue((self.dir / "crashed").exists())
        (child,) = [child for child in self.control("status")["children"] if child["name"] == "crashing"]
        self.assertEqual((child["state"], child["restarts"]), ("running", 1))
        self.assertIsNone(daemon.poll())

    def test_a_hook_that_hangs_is_told_and_ended_and_put_aside_in_the_end(self):
        ini = self.dir / "stenod.ini"
        ini.write_text(f"[subscriber hanging]\ncommand = {BIN}/steno-plugin --name hanging --retries 0 {HOOKS} failure.\nstop_timeout = 1\n")
        daemon = self.start_daemon("--config", ini, "--no-subscribers")
        failures = self.kinds(self.calls(), "failure")
        self.stop(daemon)
        self.env["STENO_TEST_HOLD"] = str(self.dir / "go")
        daemon = self.start("stenod", "--config", ini, stdout=subprocess.DEVNULL, cwd=self.dir)
        wait_for(self.ping, "stenod")
        said = lambda: self.control("status")["children"][0]["said"] or ""
        wait_for(lambda: re.search(r"event \d+: its hook has been at work for \d+ s", said()), "what it does" + self.logs())
        self.assertEqual(self.stop(daemon), 0)
        (self.dir / "go").touch()
        self.start("stenod", "--config", ini, stdout=subprocess.DEVNULL, cwd=self.dir)
        wait_for(lambda: self.letters("hanging"), "the dead letter" + self.logs())
        last = self.sql("select max(offset) n from event where event = 'failure'")[0]["n"]
        wait_for(lambda: self.sql("select 1 from subscriber where name = 'hanging' and offset >= ?", last), "the end" + self.logs())
        self.assertEqual(len(self.letters("hanging")), 1)
        self.assertGreater(len(failures), 1)

    def letters(self, name):
        path = self.dir / "dead-letters" / f"{name}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def test_an_event_that_always_crashes_is_put_aside_and_the_rest_is_handled(self):
        ini = self.dir / "stenod.ini"
        ini.write_text(f"[subscriber cost]\ncommand = steno-cost\n[subscriber crashing]\ncommand = {BIN}/steno-plugin --name crashing --retries 2 {HOOKS}\n")
        (self.dir / "doom").write_text("7\n")
        self.env["STENO_TEST_DOOM"] = str(self.dir / "doom")
        self.start("stenod", "--config", ini, stdout=subprocess.DEVNULL, cwd=self.dir)
        wait_for(self.ping, "stenod")
        lines = self.calls()
        wait_for(lambda: self.sql("select offset from subscriber where name = 'crashing'") == [{"offset": len(lines)}], "the plug-in to come to the end" + self.logs(), 2 * PATIENCE)
        (letter,) = self.letters("crashing")
        self.assertEqual((letter["offset"], letter["name"], letter["error"]), (7, "crashing", "steno-plugin ended 3 times in a row while its hook had it in hand"))
        self.assertEqual(letter["event"]["call_id"], self.sql("select call_id from event where offset = 7")[0]["call_id"])
        status = self.control("status")
        (child,) = [child for child in status["children"] if child["name"] == "crashing"]
        self.assertEqual((child["state"], child["restarts"], child["last_exit"]), ("running", 3, "signal 9"))
        told = lambda: [one for one in self.control("status")["subscribers"] if one["name"] == "crashing" and one["dead_letters"] == 1 and not one["problem"]]
        wait_for(told, "the dead letter in the status")
        self.assertIn("1 event put aside in dead-letters/crashing.jsonl", self.steno("status").stdout)
        # What stands before it came twice at most: the cursor was stored when it was known what to expect.
        self.assertIn((self.dir / "stenod.log").read_text().count(f"[crashing] {lines[0][:100]}"), (1, 2))
        # When the reason is gone, the same plug-in takes it.
        (self.dir / "doom").write_text("")
        self.steno("replay", "--to", "crashing", "--from", "7")
        wait_for(lambda: self.sql("select offset from subscriber where name = 'crashing'") == [{"offset": len(lines)}], "the plug-in to come to the end again")
        self.assertEqual(len(self.letters("crashing")), 1)

    def test_what_is_counted_are_lives_in_a_row_that_ended_on_the_same_event(self):
        self.start_daemon()
        lines = self.calls()
        doom = self.dir / "doom"
        self.env["STENO_TEST_DOOM"] = str(doom)

        def live(until):
            """A life that ends on event `until`."""
            doom.write_text(f"{until}\n")
            self.assertEqual(self.plugin("--name", "unlucky", "--retries", "1", HOOKS).wait(PATIENCE), -signal.SIGKILL, self.logs())

        for until in (20, 9, 20, 9, 20):
            live(until)
        self.assertEqual(self.letters("unlucky"), [])
        live(20)
        process = self.plugin("--name", "unlucky", "--retries", "1", HOOKS)  # two in a row: the third passes it over
        wait_for(lambda: [letter["offset"] for letter in self.letters("unlucky")] == [20], "the dead letter")
        wait_for(lambda: self.sql("select offset from subscriber where name = 'unlucky'") == [{"offset": len(lines)}], "the end of the journal")
        self.stop(process)
        # A plug-in that was built anew begins anew, whatever the one before it died of.
        again = self.dir / "again.so"
        shutil.copy(HOOKS, again)
        self.steno("replay", "--to", "unlucky", "--from", "20")
        for _ in range(2):
            self.assertEqual(self.plugin("--name", "unlucky", "--retries", "1", again).wait(PATIENCE), -signal.SIGKILL)
        shutil.copy(HOOKS, again)
        doom.write_text("0\n")
        self.plugin("--name", "unlucky", "--retries", "1", again)
        wait_for(lambda: self.lines("out")[-1] == lines[-1] and self.lines("out").count(lines[19]) == 1, "the event itself")
        self.assertEqual([letter["offset"] for letter in self.letters("unlucky")], [20])

    def test_the_example_is_the_same_both_ways(self):
        self.start_daemon()
        lines = self.calls("steno-test-plugin")
        self.assertTrue(any(re.search(r"success, asked at http.*, status 200, [1-9]\d+ bytes of reply, [1-9]\d* tokens$", line) for line in lines), lines)
        self.plugin("--name", "example", EXAMPLE)
        self.assertEqual(self.wait_for_lines("out", len(lines)), lines)

    def test_what_is_no_plug_in_is_said(self):
        compiler = shutil.which("cc")
        flags = [f"-I{SOURCE}", f"-I{SOURCE}/client", "-shared", "-fPIC"]
        sources = {"none": "int nothing;", "old": '#include "steno.h"\nconst steno_hooks steno_plugin = {.size = 4};',
                   "new": '#include "steno.h"\nconst struct { steno_hooks now; void *later; } steno_plugin_ = {{.size = sizeof steno_plugin_}, "set"};\n'
                          'extern const steno_hooks __attribute__((alias("steno_plugin_"))) steno_plugin;', "idle": '#include "steno.h"\nconst steno_hooks steno_plugin = {STENO_HOOKS_INIT};',
                   "loose": '#include "steno.h"\nvoid elsewhere(const steno_event *, void *);\nconst steno_hooks steno_plugin = {STENO_HOOKS_INIT, .success = elsewhere};'}
        said = {"none": "has no `steno_plugin`", "old": "`steno_plugin`: steno_hooks.size is 4,", "new": "only in the newer one", "idle": "all hooks of `steno_plugin` are NULL", "loose": "undefined symbol: elsewhere"}
        for name, source in sources.items():
            (self.dir / f"{name}.c").write_text(source)
            subprocess.run([compiler, *flags, self.dir / f"{name}.c", "-o", self.dir / f"{name}.so"], check=True)
            result = self.run_program("steno-plugin", f"{name}.so", check=False, cwd=self.dir)
            self.assertEqual((result.returncode, said[name] in result.stderr, f"{name}.so" in result.stderr), (1, True, True), result.stderr)
        for args, status, what in (([], 2, "an argument is missing"), (["nowhere.so"], 1, "nowhere.so: cannot open shared object file"), (["--sideways", "x.so"], 2, "sideways"),
                                   (["x" * 5000], 1, "longer than")):
            result = self.run_program("steno-plugin", *args, check=False, cwd=self.dir)
            self.assertEqual((result.returncode, what in result.stderr), (status, True), result.stderr)
        for option in ("--help", "--version"):
            self.assertIn("steno-plugin", self.run_program("steno-plugin", option).stdout)


class Verbs(test_subscribers.SubscriberTest):
    def test_replay_of_one_call(self):
        self.start_daemon()
        out = self.publisher()
        for number in range(30):
            self.emit(out, ["pre_api_call", "stream_event", "success"][number // 10], call_id=f"call-{number % 10}")
        self.emit(out, "app.feedback", call_id="call-3")
        self.stored(31)
        reply = self.control("replay", after=0, call_id="call-3")
        self.assertEqual(([event[0] for event in reply["events"]], reply["last"], reply["end"]), ([4, 14, 24, 31], 31, True))
        self.assertEqual({msgpack.unpackb(event[2])["call_id"] for event in reply["events"]}, {"call-3"})
        reply = self.control("replay", after=4, call_id="call-3", topics=["stream_event.", "success."], limit=1)
        self.assertEqual(([event[0] for event in reply["events"]], reply["end"]), ([14], False))
        reply = self.control("replay", after=reply["last"], call_id="call-3", topics=["stream_event.", "success."], limit=1)
        self.assertEqual([event[0] for event in reply["events"]], [24])
        reply = self.control("replay", after=0, call_id="of nobody")
        self.assertEqual((reply["events"], reply["last"], reply["end"]), ([], 31, True))
        self.assertEqual(self.control("replay", after=0, call_id=5)["error"]["code"], "invalid")

    def test_a_call_of_very_many_events_comes_in_parts(self):
        self.start_daemon()
        out = self.publisher()
        for number in range(4500):
            self.emit(out, "stream_event" if number % 1000 else "pre_api_call", call_id="long")
        self.stored(4500)
        last, seen, asked = 0, [], 0
        while True:
            reply = self.control("replay", after=last, call_id="long", topics=["pre_api_call."])
            seen += [event[0] for event in reply["events"]]
            self.assertGreater(reply["last"], last)
            last = reply["last"]
            asked += 1
            if reply["end"]:
                break
        self.assertEqual((seen, last, asked), ([1, 1001, 2001, 3001, 4001], 4500, 3))

    def test_flush_says_how_much_of_a_publisher_is_lost(self):
        daemon = self.start_daemon()
        out = self.publisher()
        who = os.urandom(16)
        for seq in (1, 2, 5):
            out.send_multipart([b"x", msgpack.packb([1, who, seq]), msgpack.packb({"event": "app.note"})])
        self.assertEqual(self.control("flush", publisher=who, seq=5)["losses"], 2)
        self.assertNotIn("losses", self.control("flush"))
        self.stop(daemon)
        out.close()
        self.start_daemon()
        self.assertEqual(self.control("flush", publisher=who.hex(), seq=5)["losses"], 2)
        self.assertEqual(self.control("flush", publisher=who, seq=6, timeout_ms=100)["error"]["code"], "timeout")


if __name__ == "__main__":
    harness.main()
