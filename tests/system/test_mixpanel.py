"""steno-mixpanel against a server that checks what arrives by the rules of Mixpanel's import API, and imports by its rules.

https://developer.mixpanel.com/reference/import-events
"""

import base64
import json
import pathlib
import re
import signal
import time
import urllib.parse

import harness
from exporter import ExporterTest
from harness import PATIENCE, wait_for, wait_for_count

DISALLOWED = ["00000000-0000-0000-0000-000000000000", "anon", "anonymous", "nil", "none", "null", "n/a", "na", "undefined", "unknown", "<nil>",
              "0", "-1", "true", "false", "[]", "{}"]


class Mixpanel:
    """The import API: what it takes is in `imported`, each event once."""

    def __init__(self):
        self.imported, self.wrong, self.received = {}, [], 0

    def find_fault(self, event):
        properties = event["properties"]
        if not isinstance(event.get("event"), str) or not event["event"]:
            return "event", "must be a string"
        if not isinstance(properties.get("time"), int) or not 31536000000 <= properties["time"] <= (time.time() + 3600) * 1000:
            return "properties.time", "'properties.time' is invalid"
        if not isinstance(properties.get("distinct_id"), str) or properties["distinct_id"] in DISALLOWED:
            return "properties.distinct_id", "'properties.distinct_id' is invalid"
        if not re.fullmatch("[A-Za-z0-9-]{1,36}", properties.get("$insert_id", "")) or properties["$insert_id"] in DISALLOWED:
            return "properties.$insert_id", "'properties.$insert_id' is invalid"
        if len(json.dumps(event)) >= 1 << 20 or len(properties) >= 255:
            return "event", "too large"
        if (properties.get("metadata") or {}).get("bad"):
            return "properties.metadata", "the test does not like it"
        return None

    def answer(self, request):
        url = urllib.parse.urlparse(request.path)
        query = urllib.parse.parse_qs(url.query)
        if (url.path, query.get("strict"), request.headers["content-type"]) != ("/hook/import", ["1"], "application/json"):
            self.wrong.append((request.path, request.headers))
        if len(request.body) > 10_000_000:
            return 413, {}, json.dumps({"code": 413, "error": "request exceeds max limit"})
        events = json.loads(request.body)
        if len(events) > 2000:
            return 413, {}, json.dumps({"code": 413, "error": "too many events"})
        self.received += len(events)
        faults = [(index, self.find_fault(event)) for index, event in enumerate(events)]
        failed = [{"index": index, "$insert_id": events[index]["properties"]["$insert_id"], "field": fault[0], "message": fault[1]}
                  for index, fault in faults if fault]
        for event, (_, fault) in zip(events, faults):
            if not fault:
                properties = event["properties"]
                self.imported.setdefault((event["event"], properties["time"], properties["distinct_id"], properties["$insert_id"]), []).append(event)
        imported = len(events) - len(failed)
        if failed:
            return 400, {}, json.dumps({"code": 400, "error": "some data points in the request failed validation", "failed_records": failed,
                                        "num_records_imported": imported, "status": "Bad Request"})
        return 200, {}, json.dumps({"code": 200, "num_records_imported": imported, "status": "OK"})

    def calls(self):
        return [events[0]["properties"]["call_id"] for events in list(self.imported.values())]


class MixpanelTest(ExporterTest):
    program = "steno-mixpanel"

    def setUp(self):
        super().setUp()
        self.env = {k: v for k, v in self.env.items() if not k.startswith("MIXPANEL_")}
        self.mixpanel = Mixpanel()
        self.receiver.otherwise = self.mixpanel.answer
        self.credentials = self.file("credentials", "robot.123.mp-service-account:hush-hush\n")

    def run_mixpanel(self, *options):
        return self.start("steno-mixpanel", "--url", self.receiver.url, "--project", "4711", "--credentials-file", self.credentials, "--batch-ms", "300", *options)

    def wait_for_calls(self, count):
        return wait_for(lambda: len(calls := self.mixpanel.calls()) >= count and calls, f"{count} events{self.logs()}")

    def check(self):
        self.assertEqual(self.mixpanel.wrong, [])

    def test_calls_arrive_as_events_with_their_figures(self):
        self.start_daemon()
        out = self.publisher()
        now = time.time()
        self.emit(out, "pre_api_call", messages=[{"role": "user", "content": "SECRET"}])
        self.emit(out, "success", model="acme-1", user="ann", start_time=now - 3, end_time=now - 1, usage={"prompt_tokens": 10, "completion_tokens": 5},
                  response_cost=0.25, messages=[{"role": "user", "content": "SECRET"}], metadata={"team": "search"}, tags=["a"],
                  response={"choices": [{"message": {"content": "SECRET"}}]})
        self.emit(out, "failure", user="anonymous", error={"type": "RateLimit", "status": 429, "message": "SECRET"})
        self.stored(3)
        runs = self.run_mixpanel()
        self.wait_for_calls(2)
        (request,) = self.receiver.requests
        self.assertEqual(request.path, "/hook/import?strict=1&project_id=4711")
        self.assertEqual(request.headers["authorization"], "Basic " + base64.b64encode(b"robot.123.mp-service-account:hush-hush").decode())
        self.assertEqual(request.headers["content-encoding"], "gzip")
        self.assertNotIn(b"SECRET", request.body)
        success, failure = request.json()
        self.assertEqual((success["event"], failure["event"]), ("LLM call", "LLM call"))
        got = success["properties"]
        self.assertEqual(got["time"], round((now - 1) * 1000))
        self.assertEqual((got["distinct_id"], got["model"], got["cost_usd"], got["latency_ms"], got["prompt_tokens"], got["metadata"], got["tags"], got["status"]),
                         ("ann", "acme-1", 0.25, 2000, 10, {"team": "search"}, ["a"], "success"))
        got = failure["properties"]
        self.assertEqual((got["distinct_id"], got["error_type"], got["error_status"], got["status"]), ("", "RateLimit", 429, "failure"))
        self.assertNotIn("cost_usd", got)
        self.assertNotIn(b"hush", pathlib.Path(f"/proc/{runs.pid}/cmdline").read_bytes())
        self.check()

    def test_token_and_content_and_a_name_of_its_own(self):
        self.start_daemon()
        out = self.publisher()
        self.emit(out, messages=[{"role": "user", "content": "what?"}], response={"choices": [{"message": {"content": "this"}}]})
        self.env["MIXPANEL_TOKEN"] = "0123456789abcdef"
        self.start("steno-mixpanel", "--url", self.receiver.url + "/", "--content", "--event-name", "Asked", "--batch-ms", "0")
        self.wait_for_calls(1)
        (request,) = self.receiver.requests
        self.assertEqual(request.path, "/hook/import?strict=1")
        self.assertEqual(request.headers["authorization"], "Basic " + base64.b64encode(b"0123456789abcdef:").decode())
        (event,) = request.json()
        self.assertEqual((event["event"], event["properties"]["prompt"], event["properties"]["reply"]), ("Asked", "what?", "this"))
        self.check()

    def test_refused_records_are_put_aside_and_nothing_is_sent_twice(self):
        self.start_daemon()
        out = self.publisher()
        bad = {3, 4, 50, 100}
        for number in range(1, 101):
            self.emit(out, **({"metadata": {"bad": True}} if number in bad else {}))
        self.stored(100)
        self.run_mixpanel("--batch", "100")
        wait_for(lambda: self.cursor() == 100, "the end" + self.logs())
        self.assertEqual(self.mixpanel.calls(), [f"call-{number}" for number in range(1, 101) if number not in bad])
        self.assertEqual(self.mixpanel.received, 100)
        letters = self.letters()
        self.assertEqual([letter["offset"] for letter in letters], sorted(bad))
        self.assertEqual(letters[0]["error"], "Mixpanel refuses it: properties.metadata: the test does not like it")
        # The next batch is sent as usual.
        self.emit(out)
        self.wait_for_calls(97)
        self.check()

    def test_more_than_a_request_may_have_goes_in_several(self):
        self.start_daemon()
        out = self.publisher()
        for _ in range(4500):
            self.emit(out)
        self.stored(4500)
        self.run_mixpanel("--batch-ms", "3000")
        wait_for_count(self.cursor, 4500, "the end" + self.logs())
        self.assertEqual([len(request.json()) for request in self.receiver.requests], [2000, 2000, 500])
        self.assertEqual(self.mixpanel.calls(), [f"call-{number}" for number in range(1, 4501)])
        self.check()

    def test_large_events_are_in_smaller_batches(self):
        self.start_daemon()
        out = self.publisher()
        # 0.13 MB of metadata each, which grows sixfold in JSON: a batch of all would be 22 MB.
        for _ in range(30):
            self.emit(out, metadata={f"k{i}": {f"n{j}": "\x01" * 250 for j in range(2)} for i in range(250)})
        self.stored(30)
        self.run_mixpanel("--batch-ms", "3000")
        wait_for(lambda: self.cursor() == 30, "the end" + self.logs())
        self.assertEqual(len(self.mixpanel.calls()), 30)
        self.assertEqual({request.answer[0] for request in self.receiver.requests}, {200})
        self.assertGreater(max(len(request.body) for request in self.receiver.requests), 5_000_000)
        self.assertEqual(self.letters(), [])
        self.check()

    def test_wrong_project_is_waited_for_and_loses_nothing(self):
        self.start_daemon()
        out = self.publisher()
        self.receiver.otherwise = (401, {}, '{"code":401,"error":"Invalid service account credentials"}')
        self.run_mixpanel("--batch-ms", "0")
        calls = [self.emit(out) for _ in range(3)]
        problem = wait_for(lambda: self.status().get("problem"), "the problem" + self.logs())
        self.assertIn('answered 401: {"code":401,"error":"Invalid', problem)
        self.receiver.otherwise = (400, {}, '{"code":400,"error":"project_id is invalid","status":"Bad Request"}')
        wait_for(lambda: "answered 400" in (self.status().get("problem") or ""), "the next problem" + self.logs())
        self.receiver.otherwise = (200, {}, "<html>please log in</html>")
        wait_for(lambda: "not in Mixpanel's words" in (self.status().get("problem") or ""), "the next problem" + self.logs())
        self.receiver.otherwise = self.mixpanel.answer
        self.assertEqual(self.wait_for_calls(3), calls)
        self.assertEqual(self.letters(), [])
        self.check()

    def test_kill_9_in_mid_flight_makes_no_second_event(self):
        self.start_daemon()
        out = self.publisher()
        for number in range(300):
            self.emit(out, start_time=1.7e9 + number, user=f"u{number % 3}")
        self.stored(300)

        def import_and_hang(request):
            self.mixpanel.answer(request)
            return "hang"

        self.receiver.plan = [self.mixpanel.answer, import_and_hang]
        runs = self.run_mixpanel("--batch", "50")
        wait_for(lambda: any(request.answer == "hang" for request in list(self.receiver.requests)), "a request in flight" + self.logs())
        self.stop(runs, signal.SIGKILL)
        self.run_mixpanel("--batch", "70")
        wait_for(lambda: self.cursor() == 300, "the end" + self.logs())
        self.assertEqual(self.mixpanel.calls(), [f"call-{number}" for number in range(1, 301)])
        self.assertGreater(self.mixpanel.received, 300)  # some came twice, and are one to Mixpanel
        self.check()

    def test_cost_is_the_one_of_the_log(self):
        self.start_daemon()
        out = self.publisher()
        usage = {"prompt_tokens": 1000, "completion_tokens": 100}
        for fields in ({}, {"response_cost": 5.0}, {"cache_hit": True}, {"model": "no-such-model", "response_cost": 0.25}, {"model": "no-such-model"}):
            self.emit(out, usage=usage, **{"model": "gpt-4o-mini", **fields})
        wait_for(lambda: self.sql("select 1 from subscriber where name = 'steno-cost' and offset = 5"), "the costs" + self.logs())
        costs = {row["call_id"]: row["cost_usd"] for row in self.sql("select call_id, cost_usd from calls")}
        self.run_mixpanel()
        self.wait_for_calls(5)
        properties = {events[0]["properties"]["call_id"]: events[0]["properties"] for events in self.mixpanel.imported.values()}
        self.assertEqual({call: each.get("cost_usd") for call, each in properties.items()}, costs)
        self.assertEqual(properties["call-3"]["saved_cost_usd"], costs["call-1"])

    def test_credentials_that_are_said_back_are_not_shown(self):
        self.start_daemon()
        self.receiver.otherwise = (401, {}, json.dumps({"code": 401, "error": "robot.123.mp-service-account may not come in with hush-hush"}))
        self.emit(self.publisher())
        self.run_mixpanel()
        problem = wait_for(lambda: self.status().get("problem"), "the problem to be told" + self.logs())
        self.assertIn("robot.123.mp-service-account may not come in with …", problem)
        self.assertNotIn("hush", self.logs())

    def test_usage(self):
        account = self.file("account", "user:hush\n")
        two = self.file("two", "hush\nhush\n")
        for args, what in (([], "no credentials"), (["--credentials-file", account], "needs a project"), (["--region", "mars"], "us, eu or in"),
                           (["--credentials-file", two], "one line"), (["--credentials-file", self.dir / "none"], "No such file"),
                           (["--batch", "2001"], "2000"), (["--project", "a&b=c", "--credentials-file", account], "project id"),
                           (["--url", "localhost", "--credentials-file", account, "--project", "1"], "https://"), (["--sideways"], "sideways")):
            result = self.run_program("steno-mixpanel", *args, check=False)
            self.assertEqual((result.returncode, what in result.stderr), (2, True), result.stderr)
            self.assertNotIn("hush", result.stderr)
        for option in ("--help", "--version"):
            self.assertIn("steno-mixpanel", self.run_program("steno-mixpanel", option).stdout)


if __name__ == "__main__":
    harness.main()
