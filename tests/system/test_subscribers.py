"""Subscribers against the real daemon: whatever is killed, stopped or flooded, each event is handled, in order, and priced once.

The oracle is the journal, read with SQL; what a subscriber saw it wrote to a file of its own.
"""

import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import time

import msgpack
import zmq

import harness
from harness import BIN, PATIENCE, SOURCE, wait_for, wait_for_count


class SubscriberTest(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.seq = 0

    def publisher(self):
        """A publisher's socket that the daemon has subscribed to, so that nothing sent is dropped while the daemon lives."""
        self.context = getattr(self, "context", None) or zmq.Context()
        socket = self.context.socket(zmq.XPUB)
        self.addCleanup(socket.close)
        socket.linger = socket.sndhwm = 0  # before it connects, else the default mark counts
        socket.connect(f"ipc://{self.dir}/events.in")
        self.assertTrue(socket.poll(PATIENCE * 1000), "the daemon did not subscribe")
        socket.recv()
        return socket

    def emit(self, socket, event="success", model="test", provider="openai", **fields):
        self.seq += 1
        body = {"event": event, "call_id": f"call-{self.seq}", "model": model, "provider": provider, "time": time.time(), **fields}
        socket.send_multipart([b"x", msgpack.packb(body)])
        return body["call_id"]

    def stored(self, count):
        wait_for_count(self.last, count, f"{count} events in the journal")

    def last(self):
        return (self.sql("select coalesce(max(offset), 0) n from event") or [{"n": 0}])[0]["n"]

    def ended(self, pid):
        """True for a zombie too: there may be nobody who reaps orphans."""
        try:
            return "\nState:\tZ" in pathlib.Path(f"/proc/{pid}/status").read_text()
        except FileNotFoundError:
            return True

    def lines(self, name):
        path = self.dir / name
        return path.read_text().splitlines() if path.exists() else []

    def wait_for_lines(self, name, count):
        wait_for_count(lambda: len(self.lines(name)), count, f"{count} lines in {name}{self.logs()}")
        return self.lines(name)


class Exec(SubscriberTest):
    def test_command_gets_each_event_on_stdin_and_in_its_environment(self):
        self.start_daemon()
        out = self.publisher()
        call = self.emit(out, "failure", model="gpt-4o", error={"type": "RateLimit"})
        self.emit(out, "success")
        self.emit(out, "failure", provider="groq")
        self.start("steno-exec", "--from", "beginning", "failure.openai.", "--", "sh", "-c",
                   f'cat >> {self.dir}/out; echo "$STENO_EVENT $STENO_CALL_ID $STENO_OFFSET $STENO_TOPIC $STENO_MODEL '
                   f'$STENO_PROVIDER $STENO_ATTEMPT" >> {self.dir}/env')
        line = self.wait_for_lines("env", 1)[0]
        self.assertEqual(line, f"failure {call} 1 failure.openai.gpt-4o gpt-4o openai 1")
        event = json.loads(self.lines("out")[0])
        self.assertEqual((event["offset"], event["call_id"], event["error"]["type"]), (1, call, "RateLimit"))
        self.emit(out, "failure")
        self.assertEqual([json.loads(line)["offset"] for line in self.wait_for_lines("out", 2)], [1, 4])

    def test_failing_command_is_retried_then_skipped_and_counted(self):
        self.start_daemon()
        out = self.publisher()
        self.emit(out), self.emit(out)
        program = self.start("steno-exec", "--from", "beginning", "--retries", "1", "--on-error", "skip", "--", "sh", "-c",
                             f"echo $STENO_OFFSET.$STENO_ATTEMPT >> {self.dir}/out; [ $STENO_OFFSET = 2 ]")
        self.assertEqual(self.wait_for_lines("out", 3), ["1.1", "1.2", "2.1"])
        self.assertEqual(self.stop(program), 0)
        log = (self.dir / "steno-exec.log").read_text()
        self.assertIn("exited 1; skipped (1 so far)", log)
        self.assertIn("1 events were skipped", log)

    def test_on_error_stop_ends_with_1_and_the_event_comes_again(self):
        self.start_daemon()
        out = self.publisher()
        self.emit(out), self.emit(out)
        args = ["steno-exec", "--name", "strict", "--retries", "0", "--on-error", "stop", "--", "sh", "-c"]
        result = self.run_program(*args, "[ $STENO_OFFSET = 1 ]", check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("giving up", result.stderr)
        self.assertEqual(self.sql("select offset from subscriber where name = 'strict'"), [{"offset": 1}])
        self.start(*args, f"echo $STENO_OFFSET >> {self.dir}/out")
        self.assertEqual(self.wait_for_lines("out", 1), ["2"])

    def test_time_limit_ends_the_whole_process_group(self):
        self.start_daemon()
        self.emit(self.publisher())
        program = self.start("steno-exec", "--from", "beginning", "--timeout", "3", "--retries", "0", "--", "sh", "-c",
                             f"trap '' TERM; sleep 60 & echo $! > {self.dir}/child; wait; sleep 60")
        wait_for(lambda: "took longer than 3 s" in (self.dir / "steno-exec.log").read_text(), "the time limit")
        child = int(self.lines("child")[0])
        wait_for(lambda: self.ended(child), "the grandchild to end")
        self.assertIsNone(program.poll())

    def test_command_that_reads_nothing_or_floods_does_not_hang_or_kill_it(self):
        self.start_daemon()
        out = self.publisher()
        for _ in range(3):
            self.emit(out, text="x" * 1_000_000)  # more than any pipe holds
        read, write = os.pipe()
        os.close(read)  # nobody reads the output
        program = self.start("steno-exec", "--from", "beginning", "--retries", "0", "--", "sh", "-c",
                             f"echo $STENO_OFFSET >> {self.dir}/out; head -c 1000000 /dev/zero", stdout=write)
        os.close(write)
        self.assertEqual(self.wait_for_lines("out", 3), ["1", "2", "3"])
        self.assertIsNone(program.poll())

    def test_sigterm_finishes_the_event_in_hand(self):
        self.start_daemon()
        out = self.publisher()
        self.emit(out), self.emit(out)
        program = self.start("steno-exec", "--name", "careful", "--", "sh", "-c",
                             f"echo began >> {self.dir}/out; while [ ! -e {self.dir}/go ] && [ -d {self.dir} ]; do sleep 0.02; done; echo done >> {self.dir}/out")
        self.wait_for_lines("out", 1)
        program.send_signal(signal.SIGTERM)
        (self.dir / "go").touch()
        self.assertEqual(program.wait(PATIENCE), 0)
        self.assertEqual(self.lines("out"), ["began", "done"])
        self.assertEqual(self.sql("select offset from subscriber where name = 'careful'"), [{"offset": 1}])

    def test_second_signal_ends_the_command_and_its_event_comes_again(self):
        self.start_daemon()
        self.emit(self.publisher())
        program = self.start("steno-exec", "--name", "hasty", "--timeout", "0", "--", "sh", "-c",
                             f"echo began >> {self.dir}/out; exec sleep 60")
        self.wait_for_lines("out", 1)
        program.send_signal(signal.SIGTERM)
        program.send_signal(signal.SIGINT)
        self.assertEqual(program.wait(PATIENCE), 0)
        self.assertEqual(self.sql("select offset from subscriber where name = 'hasty' and offset > 0"), [])

    def test_wrong_usage_is_said_with_2_and_a_missing_command_with_1(self):
        for args, what in [(["--", ], "no command"), (["--sideways", "--", "true"], "sideways"), (["topic"], "no command"),
                           (["--from", "yesterday", "--", "true"], "yesterday"), (["--timeout", "-1", "--", "true"], "-1")]:
            result = self.run_program("steno-exec", *args, check=False)
            self.assertEqual((result.returncode, what in result.stderr), (2, True), result.stderr)
            self.assertIn("usage:", result.stderr)
        result = self.run_program("steno-exec", "--name", "a b", "--", "true", check=False)
        self.assertEqual(result.returncode, 1)
        for option in ("--help", "--version"):
            self.assertIn("steno-exec", self.run_program("steno-exec", option).stdout)
        self.start_daemon()
        self.emit(self.publisher())
        result = self.run_program("steno-exec", "--from", "beginning", "--", "/no/such/program", check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("/no/such/program could not be run: No such file or directory", result.stderr)

    def test_kill_9_loses_nothing_and_a_clean_stop_doubles_nothing(self):
        self.start_daemon()
        out = self.publisher()
        for _ in range(60):
            self.emit(out)
        args = ["steno-exec", "--name", "durable", "--", "sh", "-c", f"echo $STENO_OFFSET >> {self.dir}/out"]
        for round in range(1, 6):
            program = self.start(*args)
            self.wait_for_lines("out", round * 6)
            self.stop(program, signal.SIGKILL if round % 2 else signal.SIGTERM)
        self.start(*args)
        wait_for(lambda: "60" in self.lines("out"), "the last event")
        offsets = [int(line) for line in self.lines("out")]
        self.assertEqual(sorted(set(offsets)), list(range(1, 61)))
        self.assertLessEqual(len(offsets) - 60, 3, "more than the event in hand came again after a kill")

    def test_shell_example_prints_failures(self):
        self.start_daemon()
        out = self.publisher()
        self.env["PATH"] = f"{harness.BIN}:{self.env['PATH']}"
        with open(self.dir / "out", "w") as output:
            self.start(SOURCE / "subscribers" / "examples" / "shell.sh", stdout=output)
        self.emit(out, "success")
        self.emit(out, "failure", error={"type": "Timeout", "message": "too slow"})
        self.assertEqual(self.wait_for_lines("out", 1), ["2 test: Timeout: too slow"])


class Delivery(SubscriberTest):
    def follow(self):
        with open(self.dir / "python", "a") as output:
            self.start(sys.executable, "-u", SOURCE / "subscribers" / "examples" / "subscriber.py", "python", stdout=output)
        return self.start("steno-exec", "--name", "follower", "success.", "--", "sh", "-c",
                          f"echo $STENO_OFFSET $STENO_CALL_ID >> {self.dir}/exec")

    def check(self):
        """What both saw is what the journal has."""
        journal = self.sql("select offset, event, call_id from event order by offset")
        python = wait_for(lambda: len(self.lines("python")) >= len(journal) and self.lines("python"), "all events in Python" + self.logs())
        self.assertEqual([(int(line.split()[0]), line.split()[-1]) for line in python], [(row["offset"], row["call_id"]) for row in journal])
        wanted = [f"{row['offset']} {row['call_id']}" for row in journal if row["event"] == "success"]
        seen = wait_for(lambda: wanted[-1] in self.lines("exec") and self.lines("exec"), "all events in steno-exec" + self.logs())
        self.assertEqual(seen, wanted)

    def test_no_daemon_at_the_start_is_told_and_waited_for(self):
        programs = {"steno-exec": ["success.", "--", "true"], "steno-jsonl": [self.dir / "file"], "steno-webhook": ["http://127.0.0.1:1/"],
                    "steno-plugin": [BIN / "examples" / "plugin.so"]}
        running = {name: self.start(name, *args, stdout=subprocess.DEVNULL) for name, args in programs.items()}
        log = lambda name: (self.dir / f"{name}.log").read_text()
        said = lambda name: f"{name}: no stenod answers on ipc://{self.dir}/control: waiting for it\n"
        for name in programs:
            wait_for(lambda: log(name) == said(name), f"{name} to say that it waits" + self.logs())
        cost = self.start("steno-cost")
        wait_for(lambda: log("steno-cost").startswith("steno-cost: waiting: "), "steno-cost to say that it waits")
        late = self.start("steno-jsonl", self.dir / "late", log="late.log")  # told to stop before anything was there
        wait_for(lambda: (self.dir / "late").exists(), "it to begin")
        self.assertEqual((self.stop(late), log("late")), (0, ""))
        self.start_daemon("--no-subscribers")
        self.emit(self.publisher())
        wait_for(lambda: len(self.lines("file")) == 1, "the event")
        for name, process in running.items():
            self.assertEqual(log(name).count("waiting for it"), 1, name)
            self.assertIsNone(process.poll(), name)
        wait_for(lambda: self.sql("select 1 from cost"), "the cost")
        self.assertIn(log("steno-cost").count("waiting"), (1, 2))  # for the log, and for who writes it
        self.assertEqual(self.stop(cost), 0)

    def test_daemon_killed_in_mid_stream_leaves_no_hole_and_no_double(self):
        daemon = self.start_daemon()
        self.follow()
        for round in range(4):
            out = self.publisher()
            before = self.last()
            for i in range(60):
                self.emit(out, "success" if i % 3 else "pre_api_call")
            wait_for(lambda: self.last() > before, "some events to be stored")
            self.stop(daemon, signal.SIGKILL)
            out.close()
            daemon = self.start_daemon()
        out = self.publisher()
        before = self.last()
        for _ in range(10):
            self.emit(out)
        self.stored(before + 10)
        self.check()

    def test_subscriber_stopped_through_a_flood_catches_up(self):
        self.start_daemon()
        follower = self.follow()
        out = self.publisher()
        self.emit(out)
        self.wait_for_lines("exec", 1)
        follower.send_signal(signal.SIGSTOP)
        self.processes[-2].send_signal(signal.SIGSTOP)  # the Python one
        for i in range(6000):
            self.emit(out, "stream_event" if i % 30 else "success", chunk="x" * 500)
        self.stored(6001)
        follower.send_signal(signal.SIGCONT)
        self.processes[-2].send_signal(signal.SIGCONT)
        self.check()


class Cost(SubscriberTest):
    PICO = 10**12

    def start_cost(self):
        return self.start("steno-cost")

    def start_daemon(self):
        """Without a steno-cost of its own: the tests run, stop and kill theirs."""
        return super().start_daemon("--no-subscribers")

    def test_each_source_of_a_cost_is_told_apart(self):
        self.start_cost()  # before there is a daemon or a database
        self.start_daemon()
        out = self.publisher()
        usage = {"prompt_tokens": 1000, "completion_tokens": 100}
        calls = {
            self.emit(out, model="gpt-4o-mini", usage=usage, response_cost=9.0): "table",
            self.emit(out, model="gpt-4o-mini", usage=usage, cache_hit=True): "cache",
            self.emit(out, model="nobody-knows", usage=usage, response_cost=0.25): "reported",
            self.emit(out, model="nobody-knows", usage=usage): "unknown",
            self.emit(out, "failure", model="gpt-4o-mini", error={"type": "RateLimit"}): "unknown",
        }
        self.emit(out, "pre_api_call")
        rows = self.wait_for_rows(len(calls), "select * from cost")
        self.assertEqual({row["call_id"]: row["source"] for row in rows}, calls)
        cost = {row["source"]: row["pico_dollars"] for row in rows}
        self.assertGreater(cost["table"], 0)
        self.assertLess(cost["table"], self.PICO)
        self.assertEqual([row["source"] for row in rows if row["price_model"] and row["price_date"]], ["table", "cache"])
        self.assertEqual((cost["cache"], cost["reported"], cost["unknown"]), (0, self.PICO // 4, None))

    def test_its_cursor_stays_while_no_daemon_answers(self):
        daemon = self.start_daemon()
        cost = self.start_cost()
        self.emit(self.publisher(), model="gpt-4o-mini", usage={"prompt_tokens": 1000, "completion_tokens": 100})
        cursor = "select offset, updated from subscriber where name = 'steno-cost'"
        before = wait_for(lambda: [row for row in self.sql(cursor) if row["offset"] == self.sql("select max(offset) as last from event")[0]["last"]], "the cost")
        self.stop(cost)
        self.stop(daemon, signal.SIGKILL)
        self.start_cost()
        time.sleep(2.5)  # it looks whether there is something to write once a second
        self.assertEqual(self.sql("select offset from subscriber where name = 'steno-cost'"), [{"offset": before[0]["offset"]}])

    def test_roll_ups_are_the_sums_and_stay_so_over_every_replay(self):
        self.start_daemon()
        self.start_cost()
        out = self.publisher()
        usage = {"prompt_tokens": 1000, "completion_tokens": 100, "cached_tokens": 300}
        for number in range(60):
            self.emit(out, model=["gpt-4o-mini", "nobody-knows", "gpt-4o"][number % 3], usage=usage, user=["alice", "bob", None][number % 3],
                      tags=[[], ["a"], ["a", "b"], ["a", "a"]][number % 4], cache_hit=number % 7 == 0, start_time=1.8e9 + number * 100,
                      **({"response_cost": 0.5} if number % 5 == 0 else {}))
        self.emit(out, "failure", model="gpt-4o-mini", error={"type": "RateLimit"})
        self.emit(out, "failure", model="gpt-4o-mini", usage={"prompt_tokens": 7}, error={"type": "Connection"})
        self.wait_for_rows(62, "select * from cost")
        self.check_spend()
        (cost,) = self.sql("select * from cost where call_id = (select call_id from call where model = 'gpt-4o' and cache_hit = 0 limit 1)")
        (price,) = [row for row in json.loads((SOURCE / "client" / "prices.json").read_text()).items() if row[0] == "gpt-4o"]
        each = {"input": "input_cost_per_token", "cache_read": "cache_read_input_token_cost", "output": "output_cost_per_token"}
        self.assertEqual(json.loads(cost["breakdown"]), {component: [count, round(price[1][each[component]] * 1e12)]
                                                         for component, count in (("input", 700), ("cache_read", 300), ("output", 100))})
        self.assertEqual((cost["price_source"], cost["price_date"]), ("built-in", price[1]["price_date"]))
        # Over what is there, and from nothing.
        before = self.sql("select * from spend order by kind, name, slot")
        for nothing in (False, True):
            if nothing:
                with sqlite3.connect(self.dir / "log.db", timeout=10) as database:
                    database.executescript("delete from cost; delete from spend;")
            self.steno("replay", "--to", "steno-cost", "--from", "beginning")
            wait_for(lambda: self.sql("select offset from subscriber where name = 'steno-cost'")[0]["offset"] == 62, "steno-cost to be there again")
            self.assertEqual(self.sql("select * from spend order by kind, name, slot"), before)

    def test_sum_is_exact_however_often_it_is_killed(self):
        self.start_daemon()
        out = self.publisher()
        total = 0
        for i in range(4000):
            self.emit(out, model="nobody-knows", response_cost=i / 1000)
            total += i * self.PICO // 1000
        for round in range(8):
            cost = self.start_cost()
            before = len(self.sql("select 1 from cost"))
            wait_for(lambda: len(self.sql("select 1 from cost")) > min(before, 3999), "some costs" + self.logs())
            self.stop(cost, signal.SIGKILL)
            for i in range(200):
                self.emit(out, model="nobody-knows", response_cost=0.001)
                total += self.PICO // 1000
        self.start_cost()
        self.wait_for_rows(5600, "select 1 from cost")
        self.assertEqual(self.sql("select count(*) n, sum(pico_dollars) total from cost"), [{"n": 5600, "total": total}])
        self.assertEqual(self.sql("select count(*) n from cost join event using (offset) where cost.call_id = event.call_id"), [{"n": 5600}])

    def test_stopped_through_a_flood_it_misses_none_of_what_was_dropped(self):
        self.start_daemon()
        out = self.publisher()
        cost = self.start_cost()
        self.emit(out, model="nobody-knows", response_cost=1.0)
        self.wait_for_rows(1, "select 1 from cost")
        for i in range(1, 6):  # 40 MB: more than is queued for anybody; it falls asleep and wakes up in mid-stream
            cost.send_signal(signal.SIGSTOP)
            for _ in range(3000):
                self.emit(out, model="nobody-knows", response_cost=1.0, text="x" * 2000)
            # Where it was stopped inside a transaction, the daemon cannot store either: then go on without.
            end = time.monotonic() + 3
            while self.last() < 4000 * i - 1000 and time.monotonic() < end:
                time.sleep(0.01)
            cost.send_signal(signal.SIGCONT)
            for _ in range(1000):
                self.emit(out, model="nobody-knows", response_cost=1.0, text="x" * 2000)
        self.stored(20001)
        wait_for_count(lambda: self.sql("select offset from subscriber where name = 'steno-cost'")[0]["offset"], 20001, "the end" + self.logs())
        self.assertEqual(self.sql("select count(*) n from cost"), [{"n": 20001}])

    def test_first_terminal_event_of_a_call_counts_and_keeps_its_figure_over_a_rewind(self):
        self.start_daemon()
        out = self.publisher()
        for cost in (0.5, 0.75):
            self.emit(out, model="nobody-knows", call_id="same", response_cost=cost)
        self.start_cost()
        wait_for(lambda: self.sql("select 1 from subscriber where name = 'steno-cost' and offset = 2"), "both to be handled")
        query = "select offset, pico_dollars p from cost"
        self.assertEqual(self.sql(query), [{"offset": 1, "p": self.PICO // 2}])
        with sqlite3.connect(self.dir / "log.db", timeout=10) as log:
            log.execute("update cost set pico_dollars = 1")  # an older price table's
        log.close()
        self.assertTrue(self.control("commit", name="steno-cost", offset=0)["ok"])
        self.emit(out, model="nobody-knows")
        wait_for(lambda: self.sql("select 1 from subscriber where name = 'steno-cost' and offset = 3"), "all to be handled again")
        self.assertEqual(self.sql(query + " where call_id = 'same'"), [{"offset": 1, "p": 1}])

    def test_sigterm_leaves_costs_and_cursor_in_step(self):
        self.start_daemon()
        out = self.publisher()
        cost = self.start_cost()
        for _ in range(300):
            self.emit(out, model="nobody-knows", response_cost=1.0)
        wait_for(lambda: len(self.sql("select 1 from cost")) > 0, "the first cost")
        self.assertEqual(self.stop(cost), 0)
        handled = self.sql("select offset from subscriber where name = 'steno-cost'")[0]["offset"]
        self.assertEqual(self.sql("select count(*) n from cost"), [{"n": handled}])

    def test_locked_database_is_waited_for_and_sigterm_still_writes_what_it_holds(self):
        self.start_daemon()
        out = self.publisher()
        cost = self.start_cost()
        self.emit(out, model="nobody-knows", response_cost=1.0)
        self.wait_for_rows(1, "select 1 from cost")
        log = sqlite3.connect(self.dir / "log.db", isolation_level=None, timeout=10)
        self.addCleanup(log.close)
        self.emit(out, model="nobody-knows", response_cost=1.0)
        self.stored(2)
        log.execute("begin immediate")
        time.sleep(0.2)  # however long it is held: what is in hand then is what must not be lost
        cost.send_signal(signal.SIGTERM)
        if log.in_transaction:
            log.execute("commit")
        self.assertEqual(cost.wait(PATIENCE), 0)
        handled = self.sql("select offset from subscriber where name = 'steno-cost'")[0]["offset"]
        self.assertEqual(self.sql("select count(*) n from cost"), [{"n": handled}])
        self.start_cost()
        self.wait_for_rows(2, "select 1 from cost")

    def test_usage(self):
        for args, what in ([["--sideways"], "sideways"], [["extra"], "extra"]):
            result = self.run_program("steno-cost", *args, check=False)
            self.assertEqual((result.returncode, what in result.stderr), (2, True), result.stderr)
        for option in ("--help", "--version"):
            self.assertIn("steno-cost", self.run_program("steno-cost", option).stdout)


if __name__ == "__main__":
    harness.main()
