"""steno-exec's ways: several commands at once, one that lives long, and what is done about those that crash, hang, flood or fail for ever."""

import json
import os
import pathlib
import signal
import sys
import time

import harness
from harness import PATIENCE, wait_for
from test_subscribers import SubscriberTest

# Long-lived handlers, as people write them. Each line that it has worked on goes to the file in OUT.
ACKING = """
import json, os, sys
out = open(os.environ["OUT"], "a", buffering=1)
for line in sys.stdin:
    event = json.loads(line)
    if event.get("kill") and not os.path.exists(os.environ["OUT"] + ".mercy"):
        os._exit(3)
    if event.get("hang"):
        __import__("time").sleep(3600)
    out.write(f"{event['offset']}\\n")
    print(event["offset"], flush=True)
"""
PARALLEL = """
import json, os, sys, threading, time
out = open(os.environ["OUT"], "a", buffering=1)
def work(offset):
    time.sleep(0.2)
    out.write(f"{offset}\\n")
    print(offset, flush=True)
for line in iter(sys.stdin.readline, ""):
    event = json.loads(line)
    if event.get("kill"):
        os._exit(3)
    threading.Thread(target=work, args=[event["offset"]]).start()
"""
READING = """
import json, os, sys, time
out = open(os.environ["OUT"], "a", buffering=1)
for line in iter(sys.stdin.readline, ""):
    while os.path.exists(os.environ["OUT"] + ".hold"):
        time.sleep(0.01)
    out.write(f"{json.loads(line)['offset']}\\n")
"""


class ExecTest(SubscriberTest):
    def setUp(self):
        super().setUp()
        self.env["OUT"] = str(self.dir / "out")

    def start_exec(self, *args, name="worker", **more):
        return self.start("steno-exec", *(["--name", name] if name else ["--from", "beginning"]), *args, **more)

    def start_stream(self, script, *options, **more):
        path = self.dir / "handler.py"
        path.write_text(script)
        return self.start_exec("--stream", *options, "--", sys.executable, "-u", path, **more)

    def emit_many(self, count, **fields):
        out = self.publisher()
        for _ in range(count):
            self.emit(out, **fields)
        self.stored(self.seq)
        return out

    def numbers(self, name="out"):
        return [int(line) for line in self.lines(name)]

    def cursor(self, name="worker"):
        rows = self.sql("select offset from subscriber where name = ?", name)
        return rows[0]["offset"] if rows else 0

    def wait_for_cursor(self, offset, seconds=PATIENCE):
        wait_for(lambda: self.cursor() == offset, f"the cursor to be {offset}, not {self.cursor()}{self.logs()}", seconds)

    def status(self, name="worker"):
        listed = [one for one in self.control("status")["subscribers"] if one["name"] == name]
        return listed[0] if listed else {"problem": None, "dead_letters": 0}

    def letters(self, name="worker"):
        return [json.loads(line) for line in self.lines(f"dead-letters/{name}.jsonl")]

    def log(self):
        return (self.dir / "steno-exec.log").read_text()


class DeadLetters(ExecTest):
    def test_event_that_keeps_failing_is_put_aside_and_told(self):
        self.start_daemon()
        self.emit_many(3)
        self.start_exec("--retries", "1", "--", "sh", "-c", "echo $STENO_OFFSET.$STENO_ATTEMPT >> $OUT; [ $STENO_OFFSET != 2 ]")
        self.wait_for_cursor(3)
        self.assertEqual(self.lines("out"), ["1.1", "2.1", "2.2", "3.1"])
        (letter,) = self.letters()
        self.assertEqual((letter["name"], letter["offset"], letter["error"], letter["event"]["call_id"]), ("worker", 2, "exited 1", "call-2"))
        self.assertIn("exited 1; put aside in", self.log())
        wait_for(lambda: self.status()["dead_letters"] == 1 and not self.status()["problem"], "the daemon to know")

    def test_command_that_fails_for_ever_shows_in_the_status_and_stalls_nobody(self):
        self.start_daemon()
        self.emit_many(3)
        self.start_exec("--", "sh", "-c", "exit 7")
        self.start_exec("--", "sh", "-c", "echo $STENO_OFFSET >> $OUT", name="other", log="other.log")
        self.assertEqual(wait_for(lambda: self.status()["problem"], "the problem to be told"), "event 1: sh exited 7")
        self.assertIn("worker: event 1: sh exited 7", self.steno("status").stdout)
        self.assertEqual([int(line) for line in self.wait_for_lines("out", 3)], [1, 2, 3])

    def test_without_a_name_they_are_under_the_programs(self):
        self.start_daemon()
        self.emit_many(1)
        self.start_exec("--retries", "0", "--", "false", name=None)
        self.wait_for_lines("dead-letters/steno-exec.jsonl", 1)

    def test_dead_letter_waits_for_room(self):
        self.start_daemon()
        self.emit_many(2)
        (self.dir / "dead-letters").write_text("in the way")
        self.start_exec("--retries", "0", "--", "false")
        wait_for(lambda: "dead-letters/worker.jsonl" in (self.status()["problem"] or ""), "the problem to be told" + self.logs())
        self.assertEqual(self.cursor(), 0)
        (self.dir / "dead-letters").unlink()
        self.wait_for_cursor(2)
        self.assertEqual([letter["offset"] for letter in self.letters()], [1, 2])


class Jobs(ExecTest):
    def test_so_many_run_at_once_and_never_more(self):
        self.start_daemon()
        self.emit_many(9)
        self.start_exec("--jobs", "4", "--", "sh", "-c", "echo $STENO_OFFSET >> $OUT; while [ ! -e $OUT.go ] && [ -d $STENO_DIR ]; do sleep 0.02; done")
        self.assertEqual(sorted(int(line) for line in self.wait_for_lines("out", 4)), [1, 2, 3, 4])
        self.emit_many(1)  # time for a fifth to begin, were it to
        self.assertEqual(len(self.lines("out")), 4)
        (self.dir / "out.go").touch()
        self.wait_for_cursor(10)
        self.assertEqual(sorted(self.numbers()), list(range(1, 11)))

    def test_cursor_waits_for_the_slowest_and_a_kill_repeats_no_more_than_what_was_above_it(self):
        self.start_daemon()
        self.emit_many(30)
        command = ["--jobs", "3", "--", "sh", "-c", "[ $STENO_OFFSET != 5 ] || while [ ! -e $OUT.go ] && [ -d $STENO_DIR ]; do sleep 0.02; done; echo $STENO_OFFSET >> $OUT"]
        program = self.start_exec(*command)
        wait_for(lambda: set(self.numbers()) == set(range(1, 31)) - {5}, "all others")
        self.wait_for_cursor(4)
        self.stop(program, signal.SIGKILL)
        (self.dir / "out.go").touch()
        self.start_exec(*command)
        self.wait_for_cursor(30)
        numbers = self.numbers()
        self.assertEqual(set(numbers), set(range(1, 31)))
        self.assertTrue(all(numbers.count(n) == 1 for n in range(1, 5)))
        self.assertTrue(all(numbers.count(n) <= 2 for n in numbers), numbers)

    def test_one_that_fails_is_retried_while_the_others_go_on(self):
        self.start_daemon()
        self.emit_many(12)
        self.start_exec("--jobs", "2", "--retries", "1", "--", "sh", "-c", "[ $STENO_OFFSET != 3 ] && echo $STENO_OFFSET >> $OUT")
        self.wait_for_cursor(12)
        self.assertEqual([letter["offset"] for letter in self.letters()], [3])
        self.assertEqual(sorted(self.numbers()), [n for n in range(1, 13) if n != 3])

    def test_sigterm_finishes_what_runs_and_takes_no_more(self):
        self.start_daemon()
        self.emit_many(10)
        program = self.start_exec("--jobs", "3", "--", "sh", "-c", "echo began >> $OUT; while [ ! -e $OUT.go ] && [ -d $STENO_DIR ]; do sleep 0.02; done; echo done >> $OUT")
        self.wait_for_lines("out", 3)
        program.send_signal(signal.SIGTERM)
        (self.dir / "out.go").touch()
        self.assertEqual(program.wait(PATIENCE), 0)
        self.assertEqual(sorted(self.lines("out")), ["began"] * 3 + ["done"] * 3)
        self.assertEqual(self.cursor(), 3)

    def test_stop_on_error_lets_the_others_finish(self):
        self.start_daemon()
        self.emit_many(4)
        # The first ends when it sees that the second has, and is not even a zombie any more: so it was noticed.
        program = self.start_exec("--jobs", "2", "--retries", "0", "--on-error", "stop", "--", "sh", "-c",
                                  "if [ $STENO_OFFSET = 2 ]; then echo $$ > $OUT.new; mv $OUT.new $OUT.pid; exit 1; fi; "
                                  "while [ -d $STENO_DIR ] && { [ ! -e $OUT.pid ] || [ -e /proc/$(cat $OUT.pid) ]; }; do sleep 0.02; done; echo $STENO_OFFSET >> $OUT")
        self.assertEqual(program.wait(PATIENCE), 1)
        self.assertEqual(self.numbers(), [1])
        self.assertEqual(self.cursor(), 1)

    def test_hang_is_ended_and_put_aside_while_the_others_go_on(self):
        self.start_daemon()
        self.emit_many(8)
        self.start_exec("--jobs", "2", "--timeout", "3", "--retries", "0", "--", "sh", "-c", "[ $STENO_OFFSET = 2 ] && exec sleep 600; echo $STENO_OFFSET >> $OUT")
        self.wait_for_cursor(8)
        self.assertEqual([(letter["offset"], letter["error"]) for letter in self.letters()], [(2, "took longer than 3 s and was killed")])

    def test_moved_cursor_is_obeyed_while_commands_run(self):
        self.start_daemon()
        self.emit_many(6)
        self.start_exec("--jobs", "2", "--", "sh", "-c", "echo $STENO_OFFSET >> $OUT; [ $STENO_OFFSET -lt 5 ] || while [ ! -e $OUT.go ] && [ -d $STENO_DIR ]; do sleep 0.02; done")
        wait_for(lambda: set(self.numbers()) == set(range(1, 7)), "all to have begun")
        self.wait_for_cursor(4)
        self.steno("replay", "--to", "worker", "--from", "3")
        # Both jobs are busy with what counts no more; then 3 to 6 come again.
        time.sleep(1.5)  # it looks at its cursor once a second; whether it has makes no difference to what must hold
        (self.dir / "out.go").touch()
        self.wait_for_cursor(6)
        wait_for(lambda: [self.numbers().count(n) for n in range(1, 7)] == [1, 1, 2, 2, 2, 2], f"each from 3 on twice{self.logs()}")


class Stream(ExecTest):
    def test_acknowledged_lines_move_the_cursor_and_nothing_is_lost_whatever_is_killed(self):
        self.start_daemon()
        out = self.publisher()
        for round in range(6):
            program = self.start_stream(ACKING, "--ack")
            before = len(self.lines("out"))
            for _ in range(300):
                self.emit(out, text="x" * 200)
            wait_for(lambda: len(self.lines("out")) > before + 40, "some to be worked on" + self.logs())
            if round % 2:
                self.stop(program, signal.SIGKILL)
            else:
                for pid in self.handlers():
                    os.kill(pid, signal.SIGKILL)
                self.assertEqual(self.stop(program), 0)
        self.start_stream(ACKING, "--ack")
        self.wait_for_cursor(1800)
        self.assertEqual(set(self.numbers()), set(range(1, 1801)))

    def handlers(self):
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if str(self.dir / "handler.py").encode() in path.read_bytes() and b"steno-exec" not in path.read_bytes():
                    found.append(int(path.parent.name))
            except OSError:
                pass
        return found

    def test_clean_stop_doubles_nothing(self):
        self.start_daemon()
        self.emit_many(1000)
        for _ in range(4):
            program = self.start_stream(ACKING, "--ack")
            before = len(self.lines("out"))
            if before == 1000:
                break
            wait_for(lambda: len(self.lines("out")) > min(before + 50, 999), "some to be worked on")
            self.assertEqual(self.stop(program), 0)
        self.start_stream(ACKING, "--ack")
        self.wait_for_cursor(1000)
        self.assertEqual(self.numbers(), list(range(1, 1001)))

    def test_event_that_kills_the_command_is_found_among_its_mates_and_put_aside(self):
        self.start_daemon()
        out = self.publisher()
        for number in range(1, 41):
            self.emit(out, **({"kill": True} if number == 17 else {}))
        self.stored(40)
        self.start_stream(ACKING, "--ack", "--retries", "1")
        self.wait_for_cursor(40)
        self.assertEqual([(letter["offset"], letter["error"]) for letter in self.letters()], [(17, "exited 3")])
        self.assertEqual(sorted(set(self.numbers())), [n for n in range(1, 41) if n != 17])
        wait_for(lambda: not self.status()["problem"] and self.status()["dead_letters"] == 1, "the status to say so")

    def test_event_that_kills_a_parallel_command_is_told_from_those_before_it(self):
        self.start_daemon()
        out = self.publisher()
        for number in range(1, 11):
            self.emit(out, **({"kill": True} if number == 7 else {}))
        self.stored(10)
        self.start_stream(PARALLEL, "--ack", "--retries", "0")
        self.wait_for_cursor(10)
        self.assertEqual([letter["offset"] for letter in self.letters()], [7])
        self.assertEqual(sorted(set(self.numbers())), [n for n in range(1, 11) if n != 7])

    def test_event_that_kills_it_once_is_not_put_aside(self):
        self.start_daemon()
        out = self.publisher()
        self.emit(out), self.emit(out, kill=True), self.emit(out)
        self.stored(3)
        self.start_stream(ACKING, "--ack")
        wait_for(lambda: "exited 3" in (self.status()["problem"] or ""), "the problem to be told" + self.logs())
        (self.dir / "out.mercy").touch()
        self.wait_for_cursor(3)
        self.assertEqual((sorted(set(self.numbers())), self.letters()), ([1, 2, 3], []))
        wait_for(lambda: not self.status()["problem"], "the problem to be over")

    def test_event_that_hangs_it_is_put_aside_after_its_time(self):
        self.start_daemon()
        out = self.publisher()
        for number in range(1, 6):
            self.emit(out, **({"hang": True} if number == 3 else {}))
        self.stored(5)
        self.start_stream(ACKING, "--ack", "--timeout", "3", "--retries", "0")
        self.wait_for_cursor(5)
        self.assertEqual([(letter["offset"], letter["error"]) for letter in self.letters()], [(3, "took longer than 3 s and was killed")])
        self.assertEqual(sorted(set(self.numbers())), [1, 2, 4, 5])

    def test_out_of_order_and_senseless_answers(self):
        self.start_daemon()
        self.emit_many(3)
        script = """
import sys
lines = [__import__("json").loads(sys.stdin.readline())["offset"] for _ in range(3)]
print("hello", -1, 99999999999999999999999999, "x" * 100000, 77, "", lines[2], lines[2], sep="\\n", flush=True)
sys.stdin.readline()
print(lines[0], flush=True)
print(" %d " % lines[1], flush=True)
sys.stdin.read()
"""
        self.start_stream(script, "--ack", "--timeout", "0")
        wait_for(lambda: "no offset" in self.log(), "the senseless ones to be told")
        self.assertEqual(self.cursor(), 0)  # the third is done, the first is not
        self.emit_many(1)
        self.wait_for_cursor(3)

    def test_command_that_ends_at_once_is_started_again_and_blamed_on_no_event(self):
        self.start_daemon()
        self.emit_many(3)
        self.start_exec("--stream", "--ack", "--retries", "0", "--", "sh", "-c", "echo started >> $OUT; [ -e $OUT.well ] || exit 9; while read line; do echo $line | jq .offset; done")
        self.wait_for_lines("out", 3)
        wait_for(lambda: self.status()["problem"] == "sh exited 9", "the problem to be told" + self.logs())
        self.assertEqual((self.cursor(), self.letters()), (0, []))
        (self.dir / "out.well").touch()
        self.wait_for_cursor(3)
        self.assertIn("it is started again in 1.0 s", self.log())

    def test_without_ack_a_line_counts_once_it_was_read(self):
        self.start_daemon()
        self.emit_many(30, text="x" * 3000)
        (self.dir / "out.hold").touch()
        program = self.start_stream(READING)
        wait_for(lambda: self.handlers(), "the command")
        self.emit_many(60, text="x" * 3000)  # 270 KB: more than the pipe and its buffer hold
        wait_for(lambda: self.cursor() > 0, "what it has in its buffer to count")
        self.assertLess(self.cursor(), 12)  # the rest is in the pipe
        self.stop(program, signal.SIGKILL)
        for pid in self.handlers():
            os.kill(pid, signal.SIGKILL)
        held = self.cursor()
        (self.dir / "out.hold").unlink()
        self.start_stream(READING)
        self.wait_for_cursor(90)
        self.assertEqual(self.numbers()[-(90 - held):], list(range(held + 1, 91)))  # what was not read comes again; what was is lost to it

    def test_without_ack_sigterm_lets_it_finish_what_it_was_given(self):
        self.start_daemon()
        self.emit_many(200)
        (self.dir / "out.hold").touch()
        program = self.start_stream(READING)
        wait_for(lambda: self.handlers(), "the command")
        program.send_signal(signal.SIGTERM)
        (self.dir / "out.hold").unlink()
        self.assertEqual(program.wait(PATIENCE), 0)
        self.assertEqual(self.cursor(), len(self.lines("out")))
        self.assertEqual(self.numbers(), list(range(1, self.cursor() + 1)))

    def test_command_that_reads_nothing_is_ended_after_its_time_and_keeps_nothing_from_ending(self):
        self.start_daemon()
        self.emit_many(300, text="x" * 1000)
        program = self.start_exec("--stream", "--timeout", "1", "--", "sh", "-c", "trap '' TERM; echo $$ >> $OUT; while [ -d $STENO_DIR ]; do sleep 1; done")
        wait_for(lambda: "took longer than 1 s" in (self.status()["problem"] or ""), "the problem to be told" + self.logs())
        self.assertEqual((self.cursor(), self.letters()), (0, []))
        self.assertEqual(self.stop(program), 0)
        for pid in self.numbers():
            wait_for(lambda: self.ended(pid), "it to be gone")

    def test_flood_of_output_takes_no_memory_and_no_event(self):
        self.start_daemon()
        self.emit_many(50)
        self.start_exec("--stream", "--ack", "--", "sh", "-c", 'head -c 100000000 /dev/zero & head -c 30000000 /dev/zero | tr "\\0" "\\n"; wait; echo; while read -r line; do echo "$line" | jq .offset; done')
        program = self.processes[-1]
        self.wait_for_cursor(50, 10 * PATIENCE)  # 130 MB go before
        peak = int(next(line for line in pathlib.Path(f"/proc/{program.pid}/status").read_text().splitlines() if line.startswith("VmHWM")).split()[1])
        self.assertLess(peak, 40_000)

    def test_large_events_go_through_the_pipe_whole(self):
        self.start_daemon()
        self.emit_many(6, text="y" * 3_000_000)
        self.start_exec("--stream", "--ack", "--", "jq", "--unbuffered", ".offset + (.text | length) - 3000000")
        self.wait_for_cursor(6)

    def test_usage(self):
        for args, what in ([["--ack", "--", "true"], "--ack is for --stream"], [["--stream", "--jobs", "2", "--", "true"], "--jobs 2"],
                           [["--jobs", "0", "--", "true"], "--jobs 0"], [["--on-error", "weep", "--", "true"], "weep"]):
            result = self.run_program("steno-exec", *args, check=False)
            self.assertEqual((result.returncode, what in result.stderr), (2, True), result.stderr)
        self.start_daemon()
        result = self.run_program("steno-exec", "--stream", "--", "/no/such/program", check=False)
        self.assertEqual((result.returncode, "/no/such/program could not be run" in result.stderr), (1, True), result.stderr)


if __name__ == "__main__":
    harness.main()
