"""steno-otlp against a collector that is down, slow, full or hostile, and itself killed: every call gets there, and is counted once."""

import os
import signal
import threading

import harness
from harness import held_port, wait_for
from otlp_case import DURATION, OtlpTest
from otlp_receiver import Answer, attributes_of


def partial_success(rejected, message):
    """ExportTraceServiceResponse{partial_success{rejected_spans, error_message}}, by hand: the definitions are older than the field."""
    inner = bytes([0x08, rejected, 0x12, len(message)]) + message.encode()
    return bytes([0x0A, len(inner)]) + inner


class Faults(OtlpTest):
    def test_503_is_tried_again_after_its_retry_after(self):
        self.start_daemon()
        out = self.publisher()
        first = []

        def answer(request):
            if request.path != "/v1/traces" or first:
                return Answer()
            first.append(request)
            return Answer(503, {"Retry-After": "2"})

        receiver = self.receiver(answer=answer)
        calls = [self.call(out) for _ in range(5)]
        self.stored(5)
        self.start_otlp(receiver)
        spans = {call: self.wait_for_span(receiver, call)[0].span_id for call in calls}
        again = receiver.taken("traces")[0]
        self.assertGreaterEqual(again.at - first[0].at, 1.9)
        self.assertEqual(again.message, first[0].message)  # the same ids above all
        self.assertEqual(len(set(spans.values())), 5)

    def test_each_status_is_retried_or_not_as_the_protocol_says(self):
        self.start_daemon()
        out = self.publisher()
        plan, seen = [429, 502, 504, None, 200], []

        def answer(request):
            if request.path != "/v1/traces":
                return Answer()
            status = plan[len(seen)] if len(seen) < len(plan) else 200
            seen.append(status)
            return status and Answer(status)

        receiver = self.receiver(answer=answer)
        call = self.call(out)
        self.start_otlp(receiver)
        self.wait_for_span(receiver, call)
        self.assertEqual(seen, plan)
        self.assertEqual(self.dead_letters(), [])

    def test_400_puts_aside_what_is_refused_and_delivers_the_rest(self):
        self.start_daemon()
        out = self.publisher()

        def answer(request):
            refused = request.path == "/v1/traces" and b"poison" in request.raw
            return Answer(400, {"Content-Type": "application/json"}, b'{"message": "no poison, please"}') if refused else Answer()

        receiver = self.receiver(answer=answer)
        calls = [self.call(out, model="poison" if number == 7 else "test") for number in range(20)]
        self.stored(20)
        self.start_otlp(receiver)
        for number, call in enumerate(calls):
            if number != 7:
                self.wait_for_span(receiver, call)
        letters = wait_for(self.dead_letters, "the dead letter")
        self.assertEqual([letter["event"]["call_id"] for letter in letters], [calls[7]])
        self.assertIn("answered 400: no poison, please", letters[0]["error"])
        wait_for(lambda: self.cursor() == 20, "the cursor")
        wait_for(lambda: sum(point.count for point, _ in receiver.points(DURATION)) == 20, "all of them in the metrics")

    def test_partial_success_is_told_and_not_sent_again(self):
        self.start_daemon()
        out = self.publisher()
        receiver = self.receiver(answer=lambda request: Answer(200, {}, partial_success(2, "too old") if request.path == "/v1/traces" else b""))
        for _ in range(3):
            self.call(out)
        self.stored(3)
        self.start_otlp(receiver)
        wait_for(lambda: "not 2 items: too old" in self.log(), "the message")
        wait_for(lambda: self.cursor() == 3, "the cursor")
        self.assertEqual(len(receiver.taken("traces")), 1)
        self.assertEqual(self.dead_letters(), [])
        problem = f"{receiver.url}/v1/traces took the rest, but not 2 items: too old"
        wait_for(lambda: self.problem() == problem, "the status to tell it")
        wait_for(lambda: receiver.taken("metrics"), "metrics, which are taken")
        self.assertEqual(self.problem(), problem)
        receiver.answer = lambda request: Answer()
        self.call(out)
        wait_for(lambda: not self.problem(), "a batch that is taken as a whole")

    def test_metrics_that_are_refused_are_a_problem_until_they_are_taken(self):
        self.start_daemon()
        out, answer = self.publisher(), {"metrics": Answer(503), "traces": Answer()}
        tries = []

        def reply(request):
            signal = request.path.rsplit("/", 1)[1]
            tries.append(signal)
            return answer[signal]

        receiver = self.receiver(answer=reply)
        call = self.call(out)
        self.start_otlp(receiver)
        self.wait_for_span(receiver, call)
        for status, what in ((503, "/v1/metrics: answered 503"), (400, "metrics were refused: ")):
            answer["metrics"] = Answer(status)
            wait_for(lambda: what in (self.problem() or ""), "the problem to be told" + self.logs())
            before = tries.count("metrics")
            while tries.count("metrics") < before + 3:  # with calls between, and without
                self.assertIn(what, self.problem() or "")
                self.wait_for_span(receiver, self.call(out))
        answer["metrics"] = Answer()
        self.call(out)
        wait_for(lambda: not self.problem(), "the problem to be over")
        self.assertEqual(self.log().count("going on"), 1, self.log())

    def test_wrong_key_ends_it_and_loses_nothing(self):
        self.start_daemon()
        out = self.publisher()
        receiver = self.receiver(answer=lambda request: Answer(401, {}, b"") if request.headers.get("api-key") != "right" else Answer())
        call = self.call(out)
        self.stored(1)
        self.env["OTEL_EXPORTER_OTLP_HEADERS"] = "api-key=wrong-secret"
        program = self.start_otlp(receiver)
        self.assertEqual(program.wait(harness.PATIENCE), 1)
        self.assertIn("/v1/traces: answered 401", self.log())
        self.assertNotIn("wrong-secret", self.log())
        self.assertEqual((self.cursor(), self.dead_letters()), (0, []))
        (self.dir / "headers").write_text("# the key\n\napi-key: right\n")
        (self.dir / "headers").chmod(0o600)
        del self.env["OTEL_EXPORTER_OTLP_HEADERS"]
        self.start_otlp(receiver, "--header-file", self.dir / "headers", "--header", "X-Other: 1")
        self.wait_for_span(receiver, call)

    def test_web_page_is_no_collector(self):
        self.start_daemon()
        receiver = self.receiver(answer=lambda request: Answer(200, {"Content-Type": "text/html; charset=utf-8"}, b"<!doctype html><title>Log in</title>"))
        self.call(self.publisher())
        self.stored(1)
        self.assertEqual(self.start_otlp(receiver).wait(harness.PATIENCE), 1)
        self.assertIn("/v1/traces: answered 200 with a web page; is the address right?", self.log())
        self.assertEqual((self.cursor(), self.dead_letters()), (0, []))

    def test_collector_that_is_down_is_waited_for(self):
        self.start_daemon()
        out = self.publisher()
        port = held_port(self)
        calls = [self.call(out) for _ in range(1500)]  # more than a batch
        self.stored(1500)
        program = self.start("steno-otlp", "--endpoint", f"http://127.0.0.1:{port}", "--metrics-interval", "1")
        wait_for(self.problem, "steno status to say it")
        self.assertIn(f"http://127.0.0.1:{port}/v1/traces", self.problem())
        self.assertIn(str(port), self.steno("status").stdout)
        self.assertEqual(self.cursor(), 0)
        receiver = self.receiver(port=port)
        for call in (calls[0], calls[700], calls[-1]):
            self.wait_for_span(receiver, call)
        wait_for(lambda: self.problem() is None and self.cursor() == 1500, "it to be well again")
        self.assertEqual(len({span.span_id for span, _ in receiver.spans()}), 1500)
        self.assertEqual(self.stop(program), 0)
        self.assertEqual(sum(point.count for point, _ in receiver.points(DURATION)), 1500)

    def test_kill_9_in_mid_batch_sends_every_span_and_counts_every_call_once(self):
        self.start_daemon()
        out = self.publisher()
        calls = [self.call(out) for _ in range(2000)]
        self.stored(2000)
        gate = threading.Semaphore(0)
        arrived = threading.Semaphore(0)

        def answer(request):
            if request.path == "/v1/traces":
                arrived.release()
                gate.acquire(timeout=harness.PATIENCE)
            return Answer()

        receiver = self.receiver(answer=answer)
        for round in range(6):  # killed while the batch is at the receiver; every other one is taken, and its cursor perhaps not
            program = self.start_otlp(receiver)
            self.assertTrue(arrived.acquire(timeout=harness.PATIENCE))
            if round % 2:
                gate.release()
                self.assertTrue(arrived.acquire(timeout=harness.PATIENCE))
            self.stop(program, signal.SIGKILL)
            gate.release()
        for _ in range(1000):
            gate.release()
        program = self.start_otlp(receiver)
        wait_for(lambda: self.cursor() == 2000, "the end" + self.logs())
        ids = {}
        for span, _ in receiver.spans():
            ids.setdefault(attributes_of(span)["steno.call_id"], set()).add((span.trace_id, span.span_id))
        self.assertEqual(set(ids), set(calls))
        self.assertEqual({len(each) for each in ids.values()}, {1}, "a call had more than one id")
        self.assertEqual(len(set.union(*ids.values())), 2000)
        self.assertEqual(self.stop(program), 0)
        totals = {name: sum(point.as_int for point, _ in receiver.points(f"gen_ai.client.inference.usage.{name}")) for name in ("input_tokens", "output_tokens")}
        self.assertEqual(totals, {"input_tokens": 200000, "output_tokens": 20000})
        self.assertEqual([point.count for point, _ in receiver.points(DURATION)], [2000])
        self.assertEqual([point.as_double for point, _ in receiver.points("steno.cost")], [500.0])
        starts = {point.start_time_unix_nano for request in receiver.taken("metrics") for point, _ in receiver.points(DURATION, request)}
        self.assertEqual(len(starts), 1, "the sums began anew")

    def test_history_that_is_replayed_is_not_counted_twice(self):
        self.start_daemon()
        out, receiver = self.publisher(), self.receiver()
        call = self.call(out)
        program = self.start_otlp(receiver)
        self.wait_for_span(receiver, call)
        wait_for(lambda: self.cursor() == 1, "the cursor")
        self.steno("replay", "--to", "steno-otlp", "--from", "beginning")
        wait_for(lambda: len(receiver.spans()) == 2, "the span again" + self.logs())
        self.assertEqual(self.stop(program), 0)
        self.assertEqual([point.count for point, _ in receiver.points(DURATION)], [1])

    def test_another_log_is_counted_from_its_first_event(self):
        daemon = self.start_daemon()
        out, receiver = self.publisher(), self.receiver()
        calls = [self.call(out) for _ in range(3)]
        program = self.start_otlp(receiver)
        self.wait_for_span(receiver, calls[-1])
        wait_for(lambda: self.cursor() == 3, "the cursor")
        self.assertEqual(self.stop(program), 0)
        self.stop(daemon)
        for path in self.dir.glob("log.db*"):
            path.unlink()
        self.start_daemon()
        out = self.publisher()
        call = self.call(out)
        program = self.start_otlp(receiver)
        self.wait_for_span(receiver, call)
        self.assertEqual(self.stop(program), 0)
        self.assertEqual([point.count for point, _ in receiver.points(DURATION)], [4])

    def test_batch_in_hand_while_the_log_is_replaced_is_counted_once(self):
        daemon = self.start_daemon()
        down = threading.Event()
        down.set()
        out, receiver = self.publisher(), self.receiver(answer=lambda request: Answer(503 if down.is_set() else 200))
        for _ in range(3):
            self.call(out)
        self.start_otlp(receiver)
        wait_for(lambda: self.problem(), "the batch to be tried" + self.logs())
        self.stop(daemon)
        for path in self.dir.glob("log.db*"):
            path.unlink()
        self.start_daemon()
        out = self.publisher()
        calls = [self.call(out) for _ in range(2)]
        self.stored(2)
        tries = len(receiver.requests)
        wait_for(lambda: len(receiver.requests) >= tries + 4, "more tries" + self.logs())
        down.clear()
        self.wait_for_span(receiver, calls[-1])
        wait_for(lambda: sum(point.count for point, _ in receiver.points(DURATION)) >= 5, "the metrics of all")
        self.assertEqual([point.count for point, _ in receiver.points(DURATION)], [5])

    def test_figures_that_could_not_be_saved_are_saved_before_the_cursor_moves(self):
        self.start_daemon()
        out, receiver = self.publisher(), self.receiver()
        program = self.start_otlp(receiver)
        self.wait_for_span(receiver, self.call(out))
        (self.dir / "otlp").rename(self.dir / "aside")
        (self.dir / "otlp").touch()
        call = self.call(out)
        wait_for(lambda: "cannot open" in (self.problem() or ""), "the problem to be told" + self.logs())
        (self.dir / "otlp").unlink()  # at its next try it makes a folder there, and writes all it has
        self.wait_for_span(receiver, call)
        wait_for(lambda: self.cursor() == 2, "the cursor")
        self.stop(program, signal.SIGKILL)
        program = self.start_otlp(receiver)
        self.wait_for_span(receiver, self.call(out))
        self.assertEqual(self.stop(program), 0)
        self.assertEqual([point.count for point, _ in receiver.points(DURATION)], [3])

    def test_deltas_add_up_over_restarts(self):
        self.start_daemon()
        out, receiver = self.publisher(), self.receiver()
        for _ in range(3):
            call = self.call(out)
            program = self.start_otlp(receiver, "--temporality", "delta")
            self.wait_for_span(receiver, call)
            wait_for(lambda: self.cursor() == self.seq, "the cursor")
            self.assertEqual(self.stop(program), 0)
        points = [point for request in receiver.taken("metrics") for point, _ in receiver.points(DURATION, request)]
        self.assertEqual([point.count for point in points], [1, 1, 1])
        self.assertEqual(receiver.metric(DURATION).histogram.aggregation_temporality, 1)
        for earlier, later in zip(points, points[1:]):
            self.assertLessEqual(earlier.time_unix_nano, later.start_time_unix_nano)

    def test_metrics_that_are_not_taken_do_not_hold_up_spans(self):
        self.start_daemon()
        out = self.publisher()
        well = []
        receiver = self.receiver(answer=lambda request: Answer(503) if request.path == "/v1/metrics" and not well else Answer())
        calls = [self.call(out) for _ in range(2)]
        program = self.start_otlp(receiver)
        for call in calls:
            self.wait_for_span(receiver, call)
        wait_for(lambda: self.cursor() == 2, "the cursor")
        wait_for(lambda: "/v1/metrics: answered 503" in (self.problem() or ""), "steno status to say it")
        well.append(True)
        self.assertEqual(self.stop(program), 0)
        self.assertEqual([point.count for point, _ in receiver.points(DURATION)], [2])

    def test_damaged_sums_begin_from_zero_and_are_said(self):
        self.start_daemon()
        out, receiver = self.publisher(), self.receiver()
        (self.dir / "otlp").mkdir(mode=0o700)
        (self.dir / "otlp" / "steno-otlp.sums").write_bytes(b"\xff" * 100)
        call = self.call(out)
        program = self.start_otlp(receiver)
        self.wait_for_span(receiver, call)
        self.assertEqual(self.stop(program), 0)
        self.assertIn("is damaged: the metrics begin from zero", self.log())
        self.assertEqual([point.count for point, _ in receiver.points(DURATION)], [1])
        self.assertEqual(oct(os.stat(self.dir / "otlp" / "steno-otlp.sums").st_mode & 0o777), "0o600")


if __name__ == "__main__":
    harness.main()
