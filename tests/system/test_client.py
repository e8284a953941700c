"""libsteno from outside: what each kind of call does to the log, and what the app sees."""

import re

import harness
from harness import wait_for


class Client(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.url = self.start_provider()
        self.start_daemon()

    def calls(self, scenario, fault=None, **options):
        """Runs a scenario of tests/system/calls.c and returns its output once the log has everything."""
        arguments = [scenario] + ([self.fault(fault)] if fault else [])
        result = self.run_program("steno-test-calls", *arguments, **options)
        self.assertTrue(self.control("flush")["ok"])
        return result.stdout

    def fault(self, fault):
        return f"{self.url.removesuffix('/v1')}/faults/{fault}/v1"

    def call(self):
        """The one call in the log."""
        (call,) = self.sql("SELECT * FROM calls")
        return call

    def events(self):
        return [row["event"] for row in self.sql("SELECT event FROM event ORDER BY offset")]

    def expect_failure(self, type_, status, retryable=None):
        """The one call failed with this type, and its events are in order with one terminal event."""
        call = self.call()
        self.assertEqual((call["status"], call["error_type"], call["error_status"]), ("failure", type_, status))
        names = self.events()
        self.assertRegex(" ".join(names), r"^(pre_api_call (stream_event )*post_api_call )?failure$")
        return call

    def test_a_plain_call(self):
        self.assertIn("ok You said: plain", self.calls("plain"))
        self.assertEqual(self.events(), ["pre_api_call", "post_api_call", "success"])
        call = self.call()
        self.assertEqual((call["status"], call["attempts"], call["stream"]), ("success", 1, 0))
        self.assertEqual((call["provider"], call["model"], call["call_type"]), ("openai", "gpt-4o-mini", "completion"))
        self.assertEqual(call["app"], "steno-test-calls")
        self.assertIsNone(call["ttft_ms"])
        self.assertEqual(call["total_tokens"], call["prompt_tokens"] + call["completion_tokens"])
        self.assertIn("plain", call["response_text"])

    def test_what_a_request_carries_is_logged(self):
        output = self.calls("rich")
        call = self.call()
        self.assertIn(f"call_id {call['call_id']}", output)
        self.assertEqual((call["user"], call["session_id"], call["trace_id"]), ("alice", "session", "trace"))
        self.assertEqual(call["tags"], '["one","two"]')
        self.assertEqual(call["metadata"], '{"feature":"test","nested":{"a":[1,2]}}')
        self.assertIn("rich", call["messages"])

    def test_a_streamed_call(self):
        output = self.calls("stream")
        text = "".join(re.findall(r"^chunk (.*)$", output, re.M))
        self.assertIn("You said: stream", text)
        names = self.events()
        chunks = names.count("stream_event")
        self.assertGreater(chunks, 3)
        self.assertEqual(names, ["pre_api_call"] + ["stream_event"] * chunks + ["post_api_call", "success"])
        call = self.call()
        self.assertEqual(call["response_text"], text)
        self.assertGreater(call["completion_tokens"], 0)
        self.assertGreater(call["ttft_ms"], 0)

    def test_streams_of_other_manners(self):
        for fault in ("crlf=1", "split=1", "no_done=1", "content_type=text:plain"):
            with self.subTest(fault):
                self.assertIn("ok You said: stream", self.calls("stream", fault))

    def test_without_usage_there_are_no_tokens_and_no_cost(self):
        self.calls("stream", "no_usage=1")
        call = self.call()
        self.assertEqual(call["status"], "success")
        for column in ("prompt_tokens", "completion_tokens", "total_tokens", "cost_usd"):
            self.assertIsNone(call[column])

    def test_a_cut_stream_keeps_what_came(self):
        output = self.calls("stream", "cut_after=4")
        self.assertRegex(output, "(?m)^Connection .*broke off")
        self.assertRegex(output, "(?m)^partial You")
        call = self.expect_failure("Connection", 200)
        self.assertTrue(call["response_text"].startswith("You"))
        self.assertGreater(call["ttft_ms"], 0)

    def test_a_plain_reply_cut_short_is_a_failure(self):
        self.assertIn("Connection", self.calls("plain", "cut_after=40"))
        self.expect_failure("Connection", 200)

    def test_cancelling_from_the_chunk_callback(self):
        output = self.calls("stream_cancel", "chunk_delay_ms=20")
        self.assertEqual(len(re.findall("^chunk", output, re.M)), 3)
        self.assertRegex(output, "(?m)^Cancelled")
        call = self.expect_failure("Cancelled", 200)
        self.assertIsNotNone(call["response_text"])

    def test_what_the_provider_says_is_shown(self):
        for status, type_ in ((400, "BadRequest"), (401, "Authentication"), (403, "PermissionDenied"), (404, "NotFound"),
                              (429, "RateLimit"), (500, "InternalServer"), (503, "ServiceUnavailable")):
            with self.subTest(status):
                output = self.calls("plain", f"status={status}")
                self.assertIn(f"{type_} http={status}", output)
                self.assertIn("simulated", output)
        rows = self.sql("SELECT error_type, error_message FROM calls")
        self.assertEqual(len(rows), 7)
        self.assertTrue(all("simulated" in row["error_message"] for row in rows))

    def test_an_error_inside_a_stream(self):
        output = self.calls("stream", "error_in_stream=3")
        self.assertIn("simulated", output)
        self.assertEqual(self.call()["status"], "failure")

    def test_garbage_is_a_malformed_response(self):
        for scenario in ("plain", "stream"):
            with self.subTest(scenario):
                self.assertIn("MalformedResponse", self.calls(scenario, "garbage=1"))
        self.assertIn("MalformedResponse", self.calls("plain", "empty=1"))

    def test_a_timeout(self):
        self.assertIn("Timeout", self.calls("timeout", "hang=1"))
        call = self.expect_failure("Timeout", None)
        self.assertGreaterEqual(call["latency_ms"], 297)  # by the wall clock, which may be put right meanwhile

    def test_a_host_that_is_not_there(self):
        result = self.run_program("steno-test-calls", "plain", "http://127.0.0.1:1/v1")
        self.assertRegex(result.stdout, "^Connection .*127.0.0.1:1.*is the server running")
        self.control("flush")
        self.expect_failure("Connection", None)

    def test_a_server_without_tls(self):
        result = self.run_program("steno-test-calls", "plain", self.url.replace("http:", "https:"))
        self.assertRegex(result.stdout, "^Connection .*TLS")

    def test_a_call_that_cannot_be_sent_is_a_lone_failure(self):
        del self.env["OPENAI_API_KEY"]
        output = self.calls("plain")
        self.assertRegex(output, "^Authentication .*set OPENAI_API_KEY")
        self.assertEqual(self.events(), ["failure"])
        self.assertEqual(self.call()["attempts"], 0)

    def test_a_hundred_calls_at_once_leave_the_app_free(self):
        output = self.calls("async", "delay_ms=300")
        figures = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", output)}
        self.assertEqual((figures["ok"], figures["failed"], figures["wait"]), (100, 0, 0))
        self.assertLess(figures["started_ms"], figures["all_ms"])
        self.assertLess(figures["all_ms"], 100 * 300 / 2, "the calls overlap")
        rows = self.sql("SELECT status, call_type FROM calls")
        self.assertEqual([(row["status"], row["call_type"]) for row in rows], [("success", "acompletion")] * 100)

    def test_handles_of_asynchronous_calls(self):
        output = self.calls("handles", "hang=1")
        self.assertIn("too early: 1\ncancelled: 1\ndone: 1\n", output)
        self.assertIn("ok=1 cancelled=2 failed=0", output)
        rows = self.sql("SELECT status, error_type FROM calls ORDER BY call_id")
        self.assertEqual(sorted(str(row["error_type"]) for row in rows), ["Cancelled", "Cancelled", "None"])

    def test_threads_share_a_client(self):
        self.assertIn("ok=100 failed=0", self.calls("threads"))
        (row,) = self.sql("SELECT count(*) AS n, count(DISTINCT call_id) AS ids FROM calls WHERE status = 'success'")
        self.assertEqual((row["n"], row["ids"]), (100, 100))

    def test_hooks_see_what_subscribers_see(self):
        output = self.calls("hooks")
        seen = re.findall(r"^all (\w+)", output, re.M)
        self.assertEqual(seen, self.events())
        self.assertRegex(output, "(?m)^all success call_id=1 http=200 messages=1$")
        self.assertRegex(output, "(?m)^all stream_event call_id=1 http=0 messages=1$")
        self.assertEqual(re.findall(r"^input (\w+)", output, re.M), ["pre_api_call"])
        self.assertEqual(re.findall(r"^success (\w+)", output, re.M), ["success"])
        self.assertEqual(re.findall(r"^failure (\w+)", output, re.M), [])

    def test_parent_and_child_call_after_a_fork(self):
        self.calls("fork")
        wait_for(lambda: len(self.sql("SELECT * FROM calls WHERE status = 'success'")) == 7, "all calls of both")
        self.assertEqual(len(self.sql("SELECT DISTINCT publisher FROM call")), 2)
        self.assertEqual(self.sql("SELECT * FROM loss"), [])

    def test_the_key_is_in_no_event(self):
        self.calls("stream", "reflect=1")
        for row in self.sql("SELECT body FROM event"):
            self.assertNotIn(b"0123456789abcdef", row["body"])


if __name__ == "__main__":
    harness.main()
