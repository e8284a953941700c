"""What an app can have done around its calls: attempts, fallbacks, the cache, hooks, redaction, privacy. Seen in the log, as the app's users see it."""

import contextlib
import json
import re
import shutil
import socket
import subprocess
import time

import harness
import msgpack


class Features(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.url = self.start_provider()
        self.start_daemon()

    def fault(self, fault):
        return f"{self.url.removesuffix('/v1')}/faults/{fault}/v1"

    def features(self, scenario, *url, **variables):
        result = self.run_program("steno-test-features", scenario, *url, env={**self.env, **variables})
        self.assertTrue(self.control("flush")["ok"])
        return result.stdout

    def complete(self, *args, check=True, model="gpt-4o-mini", prompt="Say hello."):
        result = self.steno("complete", "-m", model, *args, prompt, check=check)
        self.assertTrue(self.control("flush")["ok"])
        return result

    def call(self):
        (call,) = self.sql("SELECT * FROM calls")
        return call

    def events(self):
        return [row["event"] for row in self.sql("SELECT event FROM event ORDER BY offset")]

    def bodies(self):
        return [msgpack.unpackb(row["body"]) for row in self.sql("SELECT body FROM event ORDER BY offset")]

    # ---- attempts ----

    def test_a_failure_that_passes_is_tried_again(self):
        output = self.complete("--retries", 3, "--base-url", self.fault("fail_first=2;status=503;id=r"))
        self.assertIn("You said: Say hello.", output.stdout)
        self.assertEqual(self.events(), ["pre_api_call", "post_api_call"] * 3 + ["success"])
        bodies = self.bodies()
        self.assertEqual([b["attempt"] for b in bodies if "attempt" in b], [1, 1, 2, 2, 3, 3])
        self.assertEqual(bodies[1]["error"]["type"], "ServiceUnavailable")
        self.assertEqual(bodies[1]["http_status"], 503)
        self.assertNotIn("error", bodies[5])
        self.assertEqual((self.call()["status"], self.call()["attempts"]), ("success", 3))

    def test_without_retries_there_is_one_attempt(self):
        self.complete("--base-url", self.fault("status=503"), check=False)
        self.assertEqual(self.events(), ["pre_api_call", "post_api_call", "failure"])

    def test_retries_come_to_an_end(self):
        self.complete("--retries", 1, "--base-url", self.fault("status=500"), check=False)
        self.assertEqual(self.events(), ["pre_api_call", "post_api_call"] * 2 + ["failure"])
        self.assertEqual((self.call()["error_type"], self.call()["attempts"]), ("InternalServer", 2))

    def test_what_will_not_pass_is_not_tried_again(self):
        for status in (400, 401, 403, 404):
            self.complete("--retries", 3, "--base-url", self.fault(f"status={status}"), check=False)
        self.assertEqual({row["attempts"] for row in self.sql("SELECT attempts FROM calls")}, {1})

    def test_the_pause_that_the_provider_asks_for_is_kept(self):
        self.complete("--retries", 1, "--base-url", self.fault("fail_first=1;status=429;retry_after=1;id=p"))
        times = [b["time"] for b in self.bodies()]
        self.assertGreaterEqual(times[2] - times[1], 0.99)  # by the wall clock, which is put right while it is waited
        self.assertEqual(self.call()["status"], "success")

    def test_a_pause_too_long_to_wait_for_ends_the_call(self):
        self.complete("--retries", 3, "--base-url", self.fault("status=429;retry_after=3600"), check=False)
        self.assertEqual((self.call()["attempts"], self.call()["error_type"]), (1, "RateLimit"))

    def test_the_whole_call_has_a_limit_over_all_attempts(self):
        self.complete("--retries", 20, "--timeout", "1.2", "--base-url", self.fault("status=503"), check=False)
        self.assertLess(self.call()["latency_ms"], 10_000)  # 20 pauses would take minutes
        self.assertGreater(self.call()["attempts"], 1)

    def test_a_stream_that_began_is_not_tried_again(self):
        self.complete("-s", "--retries", 3, "--base-url", self.fault("cut_after=3"), check=False)
        self.assertEqual((self.call()["attempts"], self.call()["error_type"]), (1, "Connection"))

    def test_asynchronous_calls_rest_and_can_be_cancelled_meanwhile(self):
        output = self.features("async_retries", self.fault("fail_first=8;status=503;id=a"))
        self.assertIn("done 8", output)
        self.assertIn("cancelled", output)
        rows = self.sql("SELECT status, error_type, attempts FROM calls ORDER BY started_at, attempts")
        self.assertEqual([row["status"] for row in rows].count("success"), 8)
        self.assertEqual([row["error_type"] for row in rows if row["status"] == "failure"], ["Cancelled"])
        self.assertEqual(sum(row["attempts"] for row in rows if row["status"] == "success"), 16)

    def test_fallbacks_take_over_in_their_order(self):
        output = self.features("fallbacks", BROKEN_URL=self.fault("status=500"))
        self.assertIn("ok You said: who answers?", output)
        bodies = self.bodies()
        self.assertEqual([b["event"] for b in bodies], ["pre_api_call", "post_api_call"] * 3 + ["success"])
        self.assertEqual([b["provider"] for b in bodies], ["openai"] * 2 + ["groq"] * 2 + ["openai"] * 3)
        self.assertEqual([b.get("fallback_from") for b in bodies], [None] * 2 + ["gpt-4o-mini"] * 5)
        call = self.call()
        self.assertEqual((call["model"], call["provider"], call["attempts"], call["status"]), ("gpt-4o", "openai", 3, "success"))
        cost = harness.wait_for(lambda: self.sql("SELECT * FROM cost"), "the cost")[0]
        self.assertEqual(cost["price_model"], "gpt-4o")

    def test_a_fallback_that_cannot_be_called_is_named(self):
        output = self.features("fallbacks_in_vain", BROKEN_URL=self.fault("status=500"))
        self.assertRegex(output, r"InternalServer This is a simulated error.*\(fallback anthropic/without-a-key: no API key")
        self.assertEqual(self.events(), ["pre_api_call", "post_api_call", "failure"])

    # ---- budgets ----

    def use_up(self, *stopped):
        """Says that these budgets are used up, as steno-cost does."""
        new = self.dir / "budgets.json.new"
        new.write_text(json.dumps({"stopped": [dict({"period": "month", "limit_usd": 20, "spent_usd": 20.4, "until": time.time() + 3600}, **s) for s in stopped]}))
        new.rename(self.dir / "budgets.json")

    def test_a_call_of_a_scope_that_is_over_its_budget_is_refused(self):
        self.use_up({"scope": "user:alice"}, {"scope": "tag:batch"}, {"scope": "provider:groq", "until": None})
        refused = self.complete("--user", "alice", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("the budget of user:alice is used up: $20.40 of $20.00 this month", refused.stderr)
        call = self.call()
        self.assertEqual((call["status"], call["error_type"], call["attempts"]), ("failure", "BudgetExceeded", 0))
        self.assertEqual(self.events(), ["failure"])
        self.assertEqual(self.complete("--tag", "other", "--tag", "batch", check=False).returncode, 1)
        self.assertEqual(self.complete(model="groq/x", check=False).returncode, 1)
        self.complete("--user", "bob", "--tag", "other")  # not they

    def test_a_budget_counts_until_its_end_and_no_longer_than_it_is_listed(self):
        self.use_up({"scope": "all", "until": time.time() - 1})
        self.complete()
        self.use_up({"scope": "all"})
        self.assertEqual(self.complete(check=False).returncode, 1)
        self.use_up()
        self.complete()
        (self.dir / "budgets.json").write_text("{not JSON")
        self.complete()

    def test_a_fallback_takes_over_from_a_model_whose_budget_is_used_up(self):
        self.use_up({"scope": "model:gpt-4o-mini"})
        self.complete("--fallback", "gpt-4o")
        self.assertEqual((self.call()["model"], self.call()["status"], self.call()["attempts"]), ("gpt-4o", "success", 1))

    def test_every_type_of_failure_is_in_the_log(self):
        cases = {"Authentication": "status=401", "PermissionDenied": "status=403", "NotFound": "status=404", "BadRequest": "status=400",
                 "ContextWindowExceeded": "status=400;code=context_length_exceeded", "ContentPolicy": "status=400;code=content_filter",
                 "RateLimit": "status=429", "Timeout": "hang=1", "Connection": "cut_after=40", "InternalServer": "status=500",
                 "ServiceUnavailable": "status=503", "MalformedResponse": "garbage=1"}
        for type_, fault in cases.items():
            with self.subTest(type_):
                limit = ["--timeout", "0.5"] if type_ == "Timeout" else []
                self.complete("--tag", type_, *limit, "--base-url", self.fault(fault), check=False)
        self.features("request_refused")
        rows = self.sql("SELECT tags, error_type FROM calls WHERE status = 'failure'")
        seen = {row["error_type"]: row["tags"] for row in rows}
        self.assertEqual(seen.pop("Cancelled"), None)
        self.assertEqual(seen, {type_: json.dumps([type_]) for type_ in cases})

    def test_a_redirect_is_not_followed(self):
        output = self.complete("--base-url", self.fault("status=302"), check=False)
        self.assertIn("redirects", output.stderr)

    def test_slow_bytes_and_huge_chunks(self):
        output = self.complete("-s", "--base-url", self.fault("split=7;byte_delay_ms=1"))
        self.assertIn("You said: Say hello.", output.stdout)
        output = self.complete("-s", "--base-url", self.fault("chunk_bytes=3000000"))
        self.assertGreater(len(output.stdout), 3000000)

    def test_a_text_completion_goes_on_with_its_prompt(self):
        for args in (["--text"], ["--text", "-s"]):
            output = self.complete(*args, prompt="Once upon a time")
            self.assertEqual(output.stdout.strip(), "You said: Once upon a time Thank you for asking.")
        for call in self.sql("SELECT * FROM calls"):
            self.assertEqual((call["call_type"], call["messages"], call["status"]), ("text_completion", '"Once upon a time"', "success"))
            self.assertEqual(call["response_text"], "You said: Once upon a time Thank you for asking.")
            self.assertGreater(call["total_tokens"], 0)

    # ---- the cache ----

    def check_cache(self, url):
        output = self.features("cache", CACHE_URL=url)
        outcomes = re.findall(r"^ok( hit)?", output, re.M)
        self.assertEqual(outcomes, ["", " hit", " hit", "", "", "", "", " hit"])
        self.assertIn("chunk You said: once", output)
        hits = self.sql("SELECT * FROM calls WHERE cache_hit")
        self.assertEqual(len(hits), 3)
        for hit in hits:
            self.assertEqual((hit["status"], hit["attempts"]), ("success", 0))
            names = [row["event"] for row in self.sql("SELECT event FROM event WHERE call_id = ?", hit["call_id"])]
            self.assertEqual(names, ["success"])
        self.assertEqual(len({row["call_id"] for row in hits}), 3)
        body = [b for b in self.bodies() if b.get("cache_hit")][0]
        self.assertEqual(body["response_cost"], 0)
        self.assertGreater(body["saved_cost"], 0)
        self.assertRegex(body["cache_key"], "^[0-9a-f]{64}$")
        harness.wait_for(lambda: len(self.sql("SELECT 1 FROM cost")) == 8, "the costs")
        (spent,) = json.loads(self.steno("cost", "--json").stdout)
        self.assertAlmostEqual(spent["saved_usd"], sum(b["saved_cost"] for b in self.bodies() if b.get("cache_hit")))
        self.assertIn("SAVED", self.steno("cost").stdout)
        self.assertEqual({row["cost_usd"] for row in self.sql("SELECT cost_usd FROM calls WHERE cache_hit")}, {0})

    def test_the_cache_in_memory(self):
        self.check_cache("memory:")

    def test_the_cache_in_a_file(self):
        self.check_cache(f"sqlite:{self.dir}/cache.db")
        self.assertEqual((self.dir / "cache.db").stat().st_mode & 0o777, 0o600)
        output = self.complete("--cache", f"sqlite:{self.dir}/cache.db", prompt="once")  # another process
        self.assertIn("You said: once", output.stdout)
        self.assertEqual(len(self.sql("SELECT 1 FROM calls WHERE cache_hit")), 4)

    def start_redis(self):
        """A Redis of the test's own, on a socket in its folder. Debian's redis-tools has the server under another name."""
        program = shutil.which("redis-server") or self.dir / "redis-server"
        if not shutil.which("redis-server"):
            program.symlink_to(shutil.which("redis-check-rdb"))
        path = self.dir / "redis.sock"
        self.start(program, "--port", 0, "--unixsocket", path, "--save", "", "--dir", self.dir, "--daemonize", "no", stdout=subprocess.DEVNULL)

        def answers():
            with socket.socket(socket.AF_UNIX) as link, contextlib.suppress(OSError):
                link.connect(str(path))
                link.sendall(b"PING\r\n")
                return link.recv(100)

        harness.wait_for(answers, "Redis")
        return f"unix://{path}"

    def test_the_cache_in_redis(self):
        self.check_cache(self.start_redis())

    def test_a_cache_that_is_down_fails_no_call(self):
        output = self.features("cache", CACHE_URL="redis://127.0.0.1:1")
        self.assertEqual(len(re.findall("^ok You said", output, re.M)), 8)

    # ---- hooks ----

    def test_hooks_run_in_order_on_the_caller_and_beside_it(self):
        output = self.features("hooks")
        caller = re.findall(r"^hook (\w+) (\w+) thread=caller", output, re.M)
        names = ["pre_api_call", "post_api_call", "success"]
        self.assertEqual(caller, [(who, name) for name in names for who in ("first", "second")])
        beside = re.findall(r"^hook beside (\w+) thread=other messages=(\d)", output, re.M)
        self.assertEqual(beside, [(name, "1") for name in names])  # a later stage shows what an earlier one carried
        self.assertIn("missed 0", output)

    def test_a_hook_that_hangs_holds_up_no_call(self):
        output = self.features("slow_hook")
        self.assertEqual(len(re.findall("^ok You said: not held up", output, re.M)), 3)
        self.assertIn("flush timed out", output)
        missed = int(re.search(r"missed (\d+)", output).group(1))
        self.assertGreater(missed, 90)
        self.assertLess(missed, 120)

    def test_an_input_hook_changes_what_is_sent(self):
        output = self.features("request_hook")
        self.assertIn('saw [{"role":"user","content":"first"}] of gpt-4o-mini', output)
        self.assertIn("ok You said: twice", output)
        self.assertIn('kept [{"role":"user","content":"first"}]', output)
        sent = self.bodies()[0]["additional_args"]["complete_input_dict"]
        self.assertEqual([m["content"] for m in sent["messages"]], ["first", "added", "twice"])
        self.assertEqual(sent["max_tokens"], 7)

    def test_an_input_hook_can_refuse(self):
        self.assertIn("Cancelled a hook of the application refused", self.features("request_refused"))
        self.assertEqual(self.events(), ["failure"])

    # ---- privacy ----

    def everything(self):
        """All that the log and the spool's events hold, as one text."""
        return "\n".join(repr(b) for b in self.bodies()) + repr(self.sql("SELECT * FROM calls"))

    def test_messages_that_are_not_recorded(self):
        self.assertIn("You said: a private question", self.features("no_messages"))
        bodies = self.bodies()
        self.assertEqual({tuple(b["redacted"]) for b in bodies}, {("messages",)})
        self.assertEqual(bodies[0]["optional_params"], {"temperature": 0.5})
        self.assertNotIn("complete_input_dict", bodies[0]["additional_args"])
        self.assertNotIn("private words", self.everything())
        self.assertIsNone(self.call()["messages"])
        self.assertIsNotNone(self.call()["response"])
        self.assertGreater(self.call()["total_tokens"], 0)

    def test_replies_that_are_not_recorded(self):
        self.features("no_replies")
        self.assertNotIn("Thank you", self.everything())
        self.assertIn("a private question", self.call()["messages"])
        self.assertIsNone(self.call()["response_text"])
        self.features("no_replies", self.fault("status=400"))
        self.assertNotIn("simulated", self.everything())
        self.assertEqual(self.sql("SELECT error_message FROM calls WHERE error_type = 'BadRequest'"), [{"error_message": "(not recorded)"}])

    def test_a_call_that_leaves_no_trace(self):
        output = self.features("no_events")
        self.assertIn("ok You said: a private question", output)
        self.assertNotIn("hook", output)
        self.assertEqual(self.events(), [])

    def test_a_redactor_sees_events_before_the_spool(self):
        self.assertIn("ok You said: a private question", self.features("redacted"))
        self.assertNotIn("a private question", self.everything())
        self.assertIn("###", self.call()["messages"])

    def test_where_the_redactor_fails_nothing_private_is_recorded(self):
        self.features("redactor_fails")
        self.assertNotIn("private", self.everything())
        self.assertEqual([row["status"] for row in self.sql("SELECT status FROM calls")], ["success"] * 2)
        self.assertGreater(self.sql("SELECT min(total_tokens) n FROM calls")[0]["n"], 0)


if __name__ == "__main__":
    harness.main()
