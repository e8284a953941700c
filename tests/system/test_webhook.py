"""steno-webhook against a real HTTP server that behaves well, badly or not at all.

The oracles: the journal, read with SQL; Python's hmac; what the server noted.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import re
import signal
import ssl
import subprocess
import time

import harness
from exporter import ExporterTest
from harness import PATIENCE, held_port, wait_for, wait_for_count

WHSEC = "whsec_" + base64.b64encode(b"a secret of twenty-four bytes").decode()


class WebhookTest(ExporterTest):
    program = "steno-webhook"

    def webhook(self, *options, url=None):
        return self.start(self.program, *options, url or self.receiver.url)

    def events(self):
        """Every event that was taken, in order of arrival."""
        events = []
        for request in self.receiver.taken():
            got = request.json()
            events += got if isinstance(got, list) else [got]
        return events

    def offsets(self):
        return [event["offset"] for event in self.events()]

    def wait_for_events(self, count):
        return wait_for(lambda: len(events := self.events()) >= count and events, f"{count} events{self.logs()}")


def signature(key, request):
    signed = b".".join([request.headers["webhook-id"].encode(), request.headers["webhook-timestamp"].encode(), request.body])
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class Requests(WebhookTest):
    def test_each_event_is_an_object_of_its_own_in_order(self):
        self.start_daemon()
        out = self.publisher()
        self.emit(out, "pre_api_call")
        calls = [self.emit(out, "success" if i % 2 else "failure", text='"quoted" ä \x01', nested={"a": [1, None, 2.5, True]}, offset="its own") for i in range(5)]
        self.emit(out, "stream_event")
        self.webhook()
        events = self.wait_for_events(5)
        self.assertEqual([event["call_id"] for event in events], calls)
        self.assertEqual([event["offset"] for event in events], [2, 3, 4, 5, 6])
        self.assertEqual(events[0]["topic"], "failure.openai.test")
        self.assertEqual(events[1]["topic"], "success.openai.test")
        self.assertEqual((events[0]["text"], events[0]["nested"]), ('"quoted" ä \x01', {"a": [1, None, 2.5, True]}))
        for request, offset, call in zip(self.receiver.requests, range(2, 7), calls):
            self.assertEqual(request.headers["content-type"], "application/json")
            self.assertTrue(request.headers["user-agent"].startswith("steno/"))
            self.assertEqual(request.headers["webhook-id"], f"{offset}_{call}")
            self.assertLess(abs(int(request.headers["webhook-timestamp"]) - request.time), 10)
            self.assertNotIn("webhook-signature", request.headers)
            self.assertNotIn("content-encoding", request.headers)
        wait_for(lambda: self.cursor() >= 6, "the cursor to follow")
        self.assertEqual(len(self.receiver.requests), 5)

    def test_topic_of_nothing_is_every_event(self):
        self.start_daemon()
        out = self.publisher()
        for name in ("pre_api_call", "stream_event", "success", "app.feedback"):
            self.emit(out, name)
        self.start("steno-webhook", self.receiver.url, "")
        self.assertEqual([event["event"] for event in self.wait_for_events(4)], ["pre_api_call", "stream_event", "success", "app.feedback"])

    def test_requests_are_signed_with_each_secret_and_have_the_headers_that_were_given(self):
        self.start_daemon()
        out = self.publisher()
        secrets = self.file("secrets", f"# the new one, and the one before\n{WHSEC}\n\n  the old secret \n")
        headers = self.file("headers", "Authorization: Bearer hush-hush\nX-Team: logs\n")
        self.emit(out, text="ä")
        hook = self.webhook("--secret-file", secrets, "--header-file", headers, "--header", "X-Shown: yes", "--gzip")
        self.wait_for_events(1)
        (request,) = self.receiver.requests
        expected = [signature(b"a secret of twenty-four bytes", request), signature(b"the old secret", request)]
        self.assertEqual(request.headers["webhook-signature"].split(" "), expected)
        self.assertEqual([request.headers[name] for name in ("authorization", "x-team", "x-shown")], ["Bearer hush-hush", "logs", "yes"])
        self.assertEqual(request.headers["content-encoding"], "gzip")  # the signature is over the JSON
        self.assertNotEqual(request.raw, request.body)
        shown = pathlib.Path(f"/proc/{hook.pid}/cmdline").read_bytes()
        self.assertNotIn(b"hush", shown)
        # By the environment, too.
        self.stop(hook)
        self.env["STENO_WEBHOOK_SECRET"] = WHSEC
        self.emit(out)
        self.webhook()
        self.wait_for_events(2)
        request = self.receiver.requests[-1]
        self.assertEqual(request.headers["webhook-signature"], signature(b"a secret of twenty-four bytes", request))

    def test_batches_are_arrays(self):
        self.start_daemon()
        out = self.publisher()
        calls = [self.emit(out) for _ in range(25)]
        self.stored(25)
        self.webhook("--batch", "10", "--batch-ms", "100")
        self.assertEqual([event["call_id"] for event in self.wait_for_events(25)], calls)
        sizes = [len(request.json()) for request in self.receiver.requests]
        self.assertEqual(sizes, [10, 10, 5])
        self.assertEqual([request.headers["webhook-id"] for request in self.receiver.requests],
                         [f"1-10_{calls[0]}", f"11-20_{calls[10]}", f"21-25_{calls[20]}"])
        self.emit(out)
        self.wait_for_events(26)
        self.assertEqual(len(self.receiver.requests[-1].json()), 1)

    def test_lines_instead_of_an_array(self):
        self.start_daemon()
        out = self.publisher()
        calls = [self.emit(out, text="two\nlines") for _ in range(7)]
        self.stored(7)
        self.webhook("--batch", "7", "--ndjson", "--gzip")
        (request,) = self.wait_for_requests(1)
        self.assertEqual(request.headers["content-type"], "application/x-ndjson")
        self.assertTrue(request.body.endswith(b"}\n"))
        self.assertEqual([json.loads(line)["call_id"] for line in request.body.splitlines()], calls)

    def test_certificate_is_verified(self):
        key, certificate = self.dir / "key", self.dir / "certificate"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", certificate,
                        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        secure = self.receive(context=context)
        self.start_daemon()
        self.emit(self.publisher())
        hook = self.webhook(url=secure.url)
        problem = wait_for(lambda: self.status().get("problem"), "the problem to be told" + self.logs())
        self.assertIn("certificate", problem)
        self.assertEqual(secure.requests, [])
        self.stop(hook)
        self.env["CURL_CA_BUNDLE"] = str(certificate)
        self.webhook(url=secure.url)
        wait_for(lambda: len(secure.taken()) == 1, "the event" + self.logs())


class Trouble(WebhookTest):
    def test_bad_answers_are_waited_out_and_stall_nobody(self):
        self.start_daemon()
        out = self.publisher()
        self.start("steno-exec", "--name", "neighbour", "--", "sh", "-c", f"echo $STENO_CALL_ID >> {self.dir}/exec")
        self.receiver.otherwise = 500
        self.webhook()
        calls = [self.emit(out) for _ in range(5)]
        problem = wait_for(lambda: self.status().get("problem"), "the problem to be told" + self.logs())
        self.assertEqual(problem, f"{self.receiver.url}: answered 500")
        self.assertIn(f"steno-webhook: {problem} (for ", self.steno("status").stdout)
        self.assertEqual(self.wait_for_lines("exec", 5), calls)
        self.assertTrue(self.control("ping"))
        self.receiver.plan = [(429, {"Retry-After": "2"}, "slow down"), "garbage", "close"]
        self.receiver.otherwise = 200
        self.assertEqual([event["call_id"] for event in self.wait_for_events(5)], calls)
        tries = [request for request in self.receiver.requests if request.headers["webhook-id"] == f"1_{calls[0]}"]
        answers = [request.answer for request in tries]
        self.assertEqual(answers[-4:], [(429, {"Retry-After": "2"}, "slow down"), "garbage", "close", 200])
        self.assertEqual(len({request.body for request in tries}), 1)
        self.assertGreaterEqual(tries[-3].monotonic - tries[-4].monotonic, 1.9)
        self.assertEqual(len(self.receiver.requests), len(tries) + 4)
        wait_for(lambda: not self.status()["problem"], "the problem to be over")
        self.assertEqual(self.letters(), [])

    def test_hanging_receiver_is_given_up_on_and_tried_again(self):
        self.start_daemon()
        out = self.publisher()
        self.receiver.plan = ["hang"]
        self.webhook("--timeout", "1")
        call = self.emit(out)
        problem = wait_for(lambda: self.status().get("problem"), "the problem to be told" + self.logs())
        self.assertIn("no answer in time", problem)
        self.assertEqual([event["call_id"] for event in self.wait_for_events(1)], [call])

    def test_refused_event_alone_is_put_aside(self):
        self.start_daemon()
        out = self.publisher()
        for i in range(1, 31):
            self.emit(out, **({"bad": True} if i in (4, 5, 22) else {}))
        self.stored(30)

        def check(request):
            return (422, {}, "bad events are not for me\nmore words") if any("bad" in event for event in request.json()) else 200

        self.receiver.otherwise = check
        self.webhook("--batch", "10", "--batch-ms", "50")
        wait_for(lambda: self.cursor() == 30, "the end" + self.logs())
        self.assertEqual(self.offsets(), [n for n in range(1, 31) if n not in (4, 5, 22)])
        letters = self.letters()
        self.assertEqual([letter["offset"] for letter in letters], [4, 5, 22])
        self.assertEqual(letters[0]["event"]["call_id"], "call-4")
        self.assertEqual(letters[0]["error"], f"{self.receiver.url}: answered 422: bad events are not for me")
        wait_for(lambda: self.status().get("dead_letters") == 3, "the daemon to know")

    def test_too_large_a_request_is_sent_in_parts(self):
        self.start_daemon()
        out = self.publisher()
        for _ in range(16):
            self.emit(out, text="x" * 1000)
        self.stored(16)
        self.receiver.otherwise = lambda request: 413 if len(request.body) > 3500 else 204
        self.webhook("--batch", "16")
        wait_for(lambda: self.cursor() == 16, "the end" + self.logs())
        self.assertEqual(self.offsets(), list(range(1, 17)))
        self.assertEqual(self.letters(), [])

    def test_nobody_there_for_a_while_costs_no_memory_and_no_event(self):
        self.start_daemon()
        out = self.publisher()
        port = held_port(self)
        hook = self.webhook("--batch", "100", "--batch-ms", "50", url=f"http://127.0.0.1:{port}/hook")

        def peak():
            return int(re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{hook.pid}/status").read_text())[1])

        for number in range(3000):  # 60 MB
            self.emit(out, text="x" * 20000)
            if number == 200:  # a batch of 1 MiB, and what it reads ahead
                problem = wait_for(lambda: self.status().get("problem"), "the problem to be told" + self.logs())
                before = peak()
        self.assertIn("connect", problem)
        self.stored(3000)
        self.assertLess(peak() - before, 30000, "kB: it holds more than a batch")
        self.receiver = self.receive(port=port)
        wait_for_count(self.cursor, 3000, "all to be delivered" + self.logs())
        self.assertEqual(self.offsets(), list(range(1, 3001)))

    def test_kill_9_in_mid_flight_loses_nothing_and_keeps_the_order(self):
        self.start_daemon()
        out = self.publisher()
        for _ in range(200):
            self.emit(out)
        self.stored(200)
        # Killed while a request is unanswered …
        self.receiver.plan = [200] * 20 + ["hang"]
        hook = self.webhook()
        wait_for(lambda: any(request.answer == "hang" for request in list(self.receiver.requests)), "a request in flight" + self.logs())
        self.stop(hook, signal.SIGKILL)
        # … and wherever it happens to be.
        for _ in range(5):
            before = len(self.receiver.requests)
            hook = self.webhook("--batch", "3")
            wait_for(lambda: len(self.receiver.requests) > before + 4, "some requests" + self.logs())
            self.stop(hook, signal.SIGKILL)
        self.webhook("--batch", "7")
        wait_for(lambda: self.cursor() == 200, "the end" + self.logs())
        first = list(dict.fromkeys(self.offsets()))
        self.assertEqual(first, list(range(1, 201)))
        unanswered = [request.json()["offset"] for request in self.receiver.requests if request.answer == "hang"]
        self.assertIn(unanswered[0], self.offsets())

    def test_sigterm_does_not_wait_for_a_receiver_that_hangs(self):
        self.start_daemon()
        out = self.publisher()
        self.receiver.otherwise = "hang"
        hook = self.webhook("--timeout", "3600")
        call = self.emit(out)
        self.wait_for_requests(1)
        start = time.monotonic()
        self.assertEqual(self.stop(hook), 0)
        self.assertLess(time.monotonic() - start, 5)  # when stenod would kill it
        self.assertEqual(self.cursor(), 0)
        self.receiver.otherwise = 200
        self.webhook()
        self.assertEqual([event["call_id"] for event in self.wait_for_events(1)], [call])

    def test_sigterm_does_not_wait_for_the_next_try(self):
        self.start_daemon()
        out = self.publisher()
        self.receiver.otherwise = (503, {"Retry-After": "3600"}, "")
        hook = self.webhook()
        call = self.emit(out)
        wait_for(lambda: self.status().get("problem"), "the problem to be told" + self.logs())
        self.assertEqual(self.stop(hook), 0)
        self.assertEqual(len(self.receiver.requests), 2)  # the last try, which is one
        self.assertEqual(self.cursor(), 0)
        self.receiver.otherwise = 200
        self.webhook()
        self.assertEqual([event["call_id"] for event in self.wait_for_events(1)], [call])

    def test_what_the_receiver_says_back_shows_no_secret(self):
        self.start_daemon()
        out = self.publisher()
        self.receiver.otherwise = lambda request: (401, {}, f"{request.path} with {request.headers['authorization']} is not for you")
        header = self.file("header", "Authorization: Bearer hush-hush-hush\n")
        self.webhook("--header-file", header, url=f"{self.receiver.url}/T0123456789012345678?token=hush9hush9")
        self.emit(out)
        problem = wait_for(lambda: self.status().get("problem"), "the problem to be told" + self.logs())
        self.assertIn("answered 401: /hook/…?token=… with Bearer … is not for you", problem)
        wait_for(lambda: "answered 401" in self.logs(), "a line in the log")
        for said in (problem, self.logs(), self.steno("status").stdout):
            self.assertNotIn("hush", said)
            self.assertNotIn("T0123456789012345678", said)

    def test_sigterm_delivers_what_is_in_hand(self):
        self.start_daemon()
        out = self.publisher()
        for _ in range(5):
            self.emit(out)
        self.stored(5)
        hook = self.webhook("--batch", "2", "--batch-ms", "3600000")
        self.wait_for_events(4)
        # The last one is in hand or not yet: it is delivered now or next time, and once.
        self.assertEqual(self.stop(hook), 0)
        self.assertEqual(self.cursor(), len(self.offsets()))
        self.webhook()
        self.wait_for_events(5)
        self.assertEqual(self.offsets(), [1, 2, 3, 4, 5])

    def test_receiver_that_is_gone_ends_it(self):
        self.start_daemon()
        out = self.publisher()
        self.receiver.plan = [200, 410]
        hook = self.webhook()
        calls = [self.emit(out) for _ in range(3)]
        self.assertEqual(hook.wait(PATIENCE), 1)
        self.assertIn("answered 410 Gone: it wants no more events", (self.dir / "steno-webhook.log").read_text())
        self.assertEqual(len(self.receiver.requests), 2)
        self.assertEqual(self.letters(), [])
        self.webhook()
        self.assertEqual([event["call_id"] for event in self.wait_for_events(3)], calls)

    def test_receiver_that_is_gone_shows_in_the_status_for_as_long_as_it_lasts(self):
        self.receiver.plan = [410] * 4
        (self.dir / "stenod.ini").write_text(f"[subscriber hook]\ncommand = steno-webhook {self.receiver.url}\n")
        self.start_daemon()
        call = self.emit(self.publisher())
        since = set()

        def third():
            status = self.control("status")
            since.update(one["problem_since"] for one in status["subscribers"] if one["problem"])
            return status["children"][0]["restarts"] >= 3 and status

        status = wait_for(third, "three lives of it" + self.logs())
        self.assertEqual(len(since), 1, "one problem, not one for each life")
        self.assertEqual(status["children"][0]["last_exit"], "exited with 1")
        said = self.steno("status").stdout
        self.assertRegex(said, r"steno-webhook: .*answered 410 Gone: it wants no more events\. .*stenod\.ini.* \(for ")
        self.assertEqual([event["call_id"] for event in self.wait_for_events(1)], [call])
        wait_for(lambda: not self.control("status")["subscribers"][0]["problem"], "it to be well")


class CommandLine(WebhookTest):
    def test_usage(self):
        secret = self.file("secret", "whsec_hush!hush\n")
        empty = self.file("empty", "# nothing\n")
        bad = self.file("bad", "Authorization hush\n")
        for args, what in (([], "an argument is missing"), (["ftp://example.com"], "https://"), (["https://u:hush@a b/"], "URL"),
                           (["--batch", "0", self.receiver.url], "--batch"), (["--batch", "1001", self.receiver.url], "1000"),
                           (["--timeout", "no", self.receiver.url], "--timeout"), (["--header", "nothing", self.receiver.url], "Name: value"),
                           (["--secret-file", secret, self.receiver.url], "base64"), (["--secret-file", empty, self.receiver.url], "nothing in it"),
                           (["--secret-file", self.dir / "none", self.receiver.url], "No such file"),
                           (["--header-file", bad, self.receiver.url], "Name: value"), (["--sideways"], "sideways")):
            result = self.run_program("steno-webhook", *args, check=False)
            self.assertEqual((result.returncode, what in result.stderr), (2, True), result.stderr)
            self.assertNotIn("hush", result.stderr)
        for option in ("--help", "--version"):
            self.assertIn("steno-webhook", self.run_program("steno-webhook", option).stdout)


if __name__ == "__main__":
    harness.main()
