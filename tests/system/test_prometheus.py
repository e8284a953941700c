"""steno-prometheus: the numbers, restarts, and what it answers. test_prometheus_scrape.py has a real Prometheus."""

import concurrent.futures
import json
import os
import re
import signal
import socket
import time
import urllib.error
import urllib.request

from harness import SystemTest, main, wait_for, wait_for_count

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\.)*",?)*)\})? (\S+)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\.)*)"')
HOSTILE = 'a"b\\c\nd{e="f"} 1\u202eü'


def parse(text):
    """The samples of an exposition: {(name, frozenset of labels): number}. A line that is none fails the test."""
    samples = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = SAMPLE.fullmatch(line)
        assert match, f"no sample: {line!r}"
        name, labels, value = match.groups()
        unescaped = {key: re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), text) for key, text in LABEL.findall(labels or "")}
        key = (name, frozenset(unescaped.items()))
        assert key not in samples, f"twice: {line!r}"
        samples[key] = float(value)
    return samples


def call(n, event="success", model="gpt-4o-mini", provider="openai", **fields):
    return {"event": event, "call_id": f"call-{n}", "model": model, "provider": provider, "call_type": "completion", "attempts": 1,
            "start_time": 1000.0, "end_time": 1001.5, "usage": {"prompt_tokens": 1000, "completion_tokens": 100}, **fields}


class MetricsTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.emitted = 0

    def emit(self, *events):
        self.steno("emit", input="".join(json.dumps(event) + "\n" for event in events))
        self.steno("flush")

    def emit_calls(self, count, **fields):
        self.emit(*(call(self.emitted + n, **fields) for n in range(count)))
        self.emitted += count

    def start_exporter(self, *args, listen="0"):
        """Starts it and finds out its port."""
        log = self.base / "steno-prometheus.log"
        before = log.read_text().count("metrics on port") if log.exists() else 0
        exporter = self.start("steno-prometheus", "--listen", listen, *args)
        ports = wait_for(lambda: len(found := re.findall(r"metrics on port (\d+)", log.read_text())) > before and found, "the exporter to listen")
        self.port = int(ports[-1])
        return exporter

    def get(self, path="/metrics", method="GET", **options):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method, **options)
        return urllib.request.urlopen(request, timeout=30)

    def scrape(self):
        with self.get() as reply:
            self.assertEqual(reply.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
            return parse(reply.read().decode())

    def sum(self, name, samples=None, **labels):
        """The sum of the samples of that name and these labels; None if there is none."""
        samples = self.scrape() if samples is None else samples
        found = [value for (sample, pairs), value in samples.items() if sample == name and labels.items() <= dict(pairs).items()]
        return sum(found) if found else None

    def wait_for_calls(self, count):
        wait_for_count(lambda: self.sum("steno_calls_total") or 0, count, f"{count} calls to be counted")
        self.assertEqual(self.sum("steno_calls_total"), count)


class Numbers(MetricsTest):
    def test_what_calls_say_is_what_is_counted(self):
        self.start_daemon()
        self.start_exporter()
        self.emit(
            call(1, attempts=3, completion_start_time=1000.3, usage={"prompt_tokens": 1000, "cached_tokens": 200, "cache_write_tokens": 30, "completion_tokens": 100, "reasoning_tokens": 40}),
            call(2, call_type="acompletion", end_time=1000.05),
            call(3, cache_hit=True, attempts=0),
            call(4, "failure", error={"type": "RateLimit"}, usage=None),
            call(5, "failure", error={"type": "Made up"}, usage=None, provider="groq", model="llama"),
            call(6, provider="mine", model=HOSTILE),
            call(7, provider="mine", model=HOSTILE, response_cost=0.125),
            {"event": "pre_api_call", "call_id": "call-8", "model": "gpt-4o-mini", "provider": "openai"},  # its process is gone then
        )
        self.wait_for_calls(8)
        samples = self.scrape()

        def expect(value, name, **labels):
            self.assertAlmostEqual(self.sum(name, samples, **labels), value, places=9, msg=(name, labels))

        mini = {"provider": "openai", "model": "gpt-4o-mini"}
        expect(2, "steno_calls_total", **mini, call_type="completion", status="success")
        expect(1, "steno_calls_total", **mini, call_type="completion", status="failure")
        expect(1, "steno_calls_total", **mini, call_type="acompletion", status="success")
        expect(1, "steno_errors_total", **mini, type="RateLimit")
        expect(1, "steno_errors_total", provider="groq", model="llama", type="other")
        expect(1, "steno_errors_total", **mini, type="ProcessDied")
        expect(6, "steno_attempts_total", **mini)
        expect(2, "steno_retries_total", **mini)
        expect(3000, "steno_prompt_tokens_total", **mini)
        expect(200, "steno_cached_tokens_total", **mini)
        expect(30, "steno_cache_write_tokens_total", **mini)
        expect(300, "steno_completion_tokens_total", **mini)
        expect(40, "steno_reasoning_tokens_total", **mini)
        expect(1, "steno_cache_hits_total", **mini)
        expect(1, "steno_unpriced_calls_total", model=HOSTILE)
        expect(0.125, "steno_cost_dollars_total", model=HOSTILE)
        expect(2, "steno_call_duration_seconds_count", **mini, status="success")
        expect(1.55, "steno_call_duration_seconds_sum", **mini, status="success")
        expect(0, "steno_call_duration_seconds_bucket", **mini, status="success", le="0.04")
        expect(1, "steno_call_duration_seconds_bucket", **mini, status="success", le="0.08")
        expect(2, "steno_call_duration_seconds_bucket", **mini, status="success", le="2.56")
        expect(2, "steno_call_duration_seconds_bucket", **mini, status="success", le="+Inf")
        expect(1, "steno_time_to_first_token_seconds_count", **mini)
        expect(0, "steno_pending_calls")
        expect(3, "steno_prometheus_models")
        expect(0, "steno_prometheus_other_calls_total")
        # The same as steno-cost wrote down.
        rows = self.wait_for_rows(8, "select * from cost")
        spent, saved = (sum(row[name] or 0 for row in rows) / 1e12 for name in ("pico_dollars", "saved"))
        self.assertGreater(saved, 0)
        self.assertAlmostEqual(self.sum("steno_cost_dollars_total", samples), spent, places=12)
        self.assertAlmostEqual(self.sum("steno_saved_dollars_total", samples), saved, places=12)

    def test_topics_choose_what_is_counted(self):
        self.start_daemon("--no-subscribers")
        self.start_exporter("success.groq.")
        self.emit(call(1), call(2, provider="groq"), call(3, "failure", provider="groq", error={"type": "Timeout"}))
        self.wait_for_calls(1)
        self.assertEqual(self.sum("steno_calls_total", provider="groq", status="success"), 1)

    def test_models_beyond_the_limit_share_their_series(self):
        self.start_daemon("--no-subscribers")
        self.start_exporter("--models", "5")
        self.emit(*(call(n, model=f"made-up-{n}") for n in range(200)))
        self.wait_for_calls(200)
        samples = self.scrape()
        models = {dict(labels)["model"] for name, labels in samples if name == "steno_calls_total"}
        self.assertEqual(len(models), 6)
        self.assertEqual(self.sum("steno_calls_total", samples, provider="other", model="other"), 195)
        self.assertEqual(self.sum("steno_prometheus_other_calls_total", samples), 195)
        self.assertEqual((self.sum("steno_prometheus_models", samples), self.sum("steno_prometheus_models_limit", samples)), (5, 5))

    def test_the_bus_tells_how_it_is(self):
        (self.dir / "stenod.ini").write_text("[subscriber metrics]\ncommand = steno-prometheus --listen 0\n[subscriber bad]\ncommand = sh -c 'exit 1'\n")
        self.start_daemon()
        log = self.dir / "stenod.log"
        self.port = int(wait_for(lambda: re.findall(r"metrics on port (\d+)", log.read_text()), "the child")[0])
        self.emit_calls(10)
        self.wait_for_calls(10)
        wait_for(lambda: self.sum("steno_child_restarts_total", child="bad") >= 1, "a restart")
        wait_for(lambda: self.sum("steno_subscriber_lag_events", subscriber="steno-prometheus") == 0, "its cursor")
        self.control("report", name="far-away", problem="the disk is full", dead_letters=3)
        samples, status = self.scrape(), self.control("status")
        expected = {
            "steno_up": 1, "steno_child_up": None, "steno_journal_last_offset": status["last_offset"], "steno_journal_first_offset": 1,
            "steno_stored_events_total": status["stored"], "steno_journal_bytes": status["journal_bytes"], "steno_lost_events_total": 0,
            "steno_malformed_messages_total": 0, "steno_daemon_problem": 0, "steno_config_problem": 0, "steno_prometheus_ready": 1,
            "steno_subscribers": 2,
        }
        for name, value in expected.items():
            if value is not None:
                self.assertEqual(self.sum(name, samples), value, name)
        self.assertEqual(self.sum("steno_child_up", samples, child="metrics"), 1)
        self.assertEqual(self.sum("steno_subscriber_problem", samples, subscriber="far-away"), 1)
        self.assertEqual(self.sum("steno_subscriber_dead_letters_total", samples, subscriber="far-away"), 3)
        self.assertIsNone(self.sum("steno_subscriber_lag_events", samples, subscriber="far-away"), "it has no cursor")
        self.assertEqual(self.sum("steno_subscriber_problem", samples, subscriber="steno-prometheus"), 0)
        self.assertGreater(self.sum("steno_log_bytes", samples), 0)
        self.assertAlmostEqual(self.sum("steno_daemon_start_time_seconds", samples), status["started"], places=3)


class Restarts(MetricsTest):
    def test_no_counter_goes_down_and_nothing_is_counted_twice_or_not_at_all(self):
        self.start_daemon("--no-subscribers")
        exporter = self.start_exporter()
        last = {}
        for round_ in range(6):
            self.emit_calls(50)
            if round_ % 2:
                self.wait_for_calls(self.emitted)
            self.check_monotone(last)
            self.stop(exporter, signal.SIGKILL if round_ < 4 else signal.SIGTERM)
            self.emit_calls(20)  # while it is away
            exporter = self.start_exporter()
            self.check_monotone(last)
            wait_for(lambda: self.check_monotone(last), "the calls to be shown again")
            self.assertEqual(self.sum("steno_calls_total"), self.emitted)
        self.assertEqual(self.sum("steno_prompt_tokens_total"), 1000 * self.emitted)
        self.assertEqual(self.sum("steno_call_duration_seconds_count"), self.emitted)

    def check_monotone(self, last):
        """No series of calls is ever less than it was shown. Returns whether calls are shown."""
        samples = self.scrape()
        shown = self.sum("steno_prometheus_ready", samples) == 1
        for key, value in samples.items():
            if key[0].startswith(("steno_calls", "steno_prompt", "steno_cost", "steno_call_duration")):
                self.assertGreaterEqual(value, last.get(key, 0), key)
                last[key] = value
        self.assertEqual(shown, self.sum("steno_calls_total", samples) is not None)
        return shown

    def test_while_it_catches_up_no_count_is_shown(self):
        daemon = self.start_daemon("--no-subscribers")
        exporter = self.start_exporter()
        state = self.dir / "steno-prometheus.metrics"
        wait_for(state.exists, "the first state")
        first = state.read_text()
        self.emit_calls(30_000)
        self.wait_for_calls(30_000)
        self.stop(exporter, signal.SIGKILL)
        state.write_text(first)  # as if it had been killed just before it wrote another one
        daemon.send_signal(signal.SIGSTOP)  # else it may have caught up before it is asked
        self.start_exporter()
        self.assertIsNone(self.sum("steno_calls_total"))
        daemon.send_signal(signal.SIGCONT)
        calls = wait_for(lambda: self.sum("steno_calls_total"), "the calls to be shown")
        self.assertEqual(calls, 30_000)

    def test_a_state_that_was_written_is_gone_on_from(self):
        self.start_daemon("--no-subscribers")
        exporter = self.start_exporter()
        self.emit_calls(30)
        self.wait_for_calls(30)
        self.assertEqual(self.stop(exporter), 0)
        state = self.dir / "steno-prometheus.metrics"
        self.assertEqual(os.stat(state).st_mode & 0o077, 0)
        self.assertEqual(json.loads(state.read_text())["offset"], 30)
        # The events are gone from the journal's reader: what is shown can only be the state's.
        state.write_text(state.read_text().replace('"prompt_tokens": 30000', '"prompt_tokens": 77777'))
        self.start_exporter()
        self.wait_for_calls(30)
        self.assertEqual(self.sum("steno_prompt_tokens_total"), 77777)

    def test_a_damaged_state_begins_with_nothing_at_the_cursor(self):
        self.start_daemon("--no-subscribers")
        exporter = self.start_exporter()
        self.emit_calls(30)
        self.wait_for_calls(30)
        wait_for(lambda: self.sql("select 1 from subscriber where name = 'steno-prometheus' and offset = 30"), "its cursor")
        self.assertEqual(self.stop(exporter), 0)
        (self.dir / "steno-prometheus.metrics").write_text('{"version": 1, "offset": 3')
        self.emit_calls(5)
        self.start_exporter()
        self.wait_for_calls(5)
        self.assertIn("the counts begin with 0", (self.base / "steno-prometheus.log").read_text())

    def test_a_cursor_that_is_moved_back_counts_nothing_twice(self):
        self.start_daemon("--no-subscribers")
        self.start_exporter("--name", "m")
        self.emit_calls(30)
        self.wait_for_calls(30)
        wait_for(lambda: self.sql("select 1 from subscriber where name = 'm' and offset = 30"), "its cursor")
        self.steno("replay", "--to", "m", "--from", "1")
        wait_for(lambda: self.sql("select 1 from subscriber where name = 'm' and offset = 30"), "its cursor to come back")
        self.emit_calls(1)
        self.wait_for_calls(31)

    def test_a_new_log_is_counted_on_top(self):
        daemon = self.start_daemon("--no-subscribers")
        self.start_exporter()
        self.emit_calls(30)
        self.wait_for_calls(30)
        self.new_log(daemon)
        self.emit_calls(5)
        self.wait_for_calls(35)

    def test_a_new_log_that_came_while_it_was_away_is_counted_on_top(self):
        daemon = self.start_daemon("--no-subscribers")
        exporter = self.start_exporter()
        self.emit_calls(10)
        self.wait_for_calls(10)
        self.stop(exporter)
        self.new_log(daemon)
        self.emit_calls(25)  # more than the old one had
        self.start_exporter()
        self.wait_for_calls(35)

    def new_log(self, daemon):
        self.stop(daemon)
        for path in self.dir.glob("log.db*"):
            path.unlink()
        self.start_daemon("--no-subscribers")

    def test_without_a_daemon_it_says_so_and_shows_no_counts(self):
        self.start_exporter()
        samples = self.scrape()
        self.assertEqual((self.sum("steno_up", samples), self.sum("steno_prometheus_ready", samples)), (0, 0))
        self.assertIsNone(self.sum("steno_calls_total", samples))
        self.assertIsNone(self.sum("steno_prometheus_models", samples))
        daemon = self.start_daemon("--no-subscribers")
        self.emit_calls(3)
        self.wait_for_calls(3)
        self.stop(daemon)
        samples = self.scrape()
        self.assertEqual((self.sum("steno_up", samples), self.sum("steno_calls_total", samples)), (0, 3))


    def test_a_state_that_cannot_be_written_is_told_and_counting_goes_on(self):
        self.start_daemon("--no-subscribers")
        (self.dir / "m.metrics").mkdir()
        self.start_exporter("--name", "m")
        self.emit_calls(3)
        self.wait_for_calls(3)
        wait_for(lambda: self.sum("steno_subscriber_problem", subscriber="m") == 1, "its problem in status")
        problem = next(one["problem"] for one in self.control("status")["subscribers"] if one["name"] == "m")
        self.assertIn("m.metrics", problem)
        (self.dir / "m.metrics").rmdir()
        wait_for(lambda: self.sum("steno_subscriber_problem", subscriber="m") == 0, "the problem to be over")
        self.assertEqual(json.loads((self.dir / "m.metrics").read_text())["offset"], 3)


class Serving(MetricsTest):
    def refuse(self, *args, status):
        result = self.run_program("steno-prometheus", *args, check=False)
        self.assertEqual(result.returncode, status, result.stderr)
        return result.stderr

    def test_only_reading_metrics(self):
        self.start_exporter()
        with self.get("/") as reply:
            self.assertIn(b"/metrics", reply.read())
        with self.get(method="HEAD") as reply:
            self.assertGreater(int(reply.headers["Content-Length"]), 100)
        for path, method, code in [("/metricsx", "GET", 404), ("/metrics", "POST", 405), ("/metrics", "DELETE", 405)]:
            with self.assertRaises(urllib.error.HTTPError) as raised:
                self.get(path, method, data=b"x" * 100_000 if method == "POST" else None)
            self.assertEqual(raised.exception.code, code)
            raised.exception.close()

    def test_connections_that_say_nothing_do_not_keep_others_out_for_long(self):
        self.start_exporter()
        idle = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(20)]
        try:
            def answers():
                try:
                    return self.scrape()
                except (OSError, urllib.error.URLError):
                    return None
            wait_for(answers, "an answer beside idle connections")
        finally:
            for connection in idle:
                connection.close()

    def test_many_at_once_wait_together_for_a_daemon_that_stands_still(self):
        daemon = self.start_daemon("--no-subscribers")
        self.emit_calls(3)
        self.start_exporter()
        self.wait_for_calls(3)
        os.kill(daemon.pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            with concurrent.futures.ThreadPoolExecutor(40) as pool:
                scrapes = list(pool.map(lambda _: self.scrape(), range(40)))
            took = time.monotonic() - began
        finally:
            os.kill(daemon.pid, signal.SIGCONT)
        for samples in scrapes:
            self.assertEqual((self.sum("steno_up", samples), self.sum("steno_calls_total", samples)), (0, 3))
        self.assertLess(took, 20)  # one after the other they took 40
        wait_for(lambda: self.sum("steno_up") == 1, "it to see the daemon again")

    def test_it_listens_on_loopback_unless_told_otherwise(self):
        self.start_exporter(listen="127.0.0.1:0")
        self.assertNotIn("other machines", (self.base / "steno-prometheus.log").read_text())
        self.assertEqual(self.listening(), {"127.0.0.1"})
        self.start_exporter("--name", "open", listen="0.0.0.0:0")
        self.assertIn("other machines can reach it", (self.base / "steno-prometheus.log").read_text())
        self.assertEqual(self.listening(), {"0.0.0.0"})

    def listening(self):
        """The addresses (IPv4) that something listens on at our port, from /proc/net/tcp."""
        found = set()
        with open("/proc/net/tcp") as table:
            for line in table.readlines()[1:]:
                local, state = line.split()[1], line.split()[3]
                address, port = local.split(":")
                if state == "0A" and int(port, 16) == self.port:
                    found.add(socket.inet_ntoa(bytes.fromhex(address)[::-1]))
        return found

    def test_what_is_wrong_is_refused(self):
        for args in [("--listen", "localhost:1"), ("--listen", "127.0.0.1:99999"), ("--models", "0"), ("--models", "1001"), ("--name", "../x"), ("--nonsense",)]:
            error = self.refuse(*args, status=2)
            self.assertIn("usage: steno-prometheus", error)
        self.assertTrue(self.run_program("steno-prometheus", "--help").stdout.startswith("usage: steno-prometheus"))
        first = self.start_exporter()
        self.assertIn("--name", self.refuse("--listen", "0", status=1))
        self.assertIn("in use", self.refuse("--listen", str(self.port), "--name", "second", status=1))
        self.assertIsNone(first.poll())


if __name__ == "__main__":
    main()
