"""steno-otlp against a receiver that decodes with OpenTelemetry's own definitions (otlp_receiver.py), and against one that is down, slow, full or hostile."""

import base64
import json
import os
import signal
import ssl
import subprocess
import threading

import harness
from harness import SOURCE, held_port, wait_for
from otlp_receiver import Answer, Receiver, attributes_of
from test_subscribers import SubscriberTest

DURATION = "gen_ai.client.operation.duration"
PROMPT = "a secret of the user's"


def partial_success(rejected, message):
    """ExportTraceServiceResponse{partial_success{rejected_spans, error_message}}, by hand: the definitions are older than the field."""
    inner = bytes([0x08, rejected, 0x12, len(message)]) + message.encode()
    return bytes([0x0A, len(inner)]) + inner


class OtlpTest(SubscriberTest):
    def setUp(self):
        super().setUp()
        self.env = {name: value for name, value in self.env.items() if not name.startswith(("OTEL_", "LANGFUSE_", "PHOENIX_"))}

    def receiver(self, **options):
        receiver = Receiver(**options)
        self.addCleanup(receiver.close)
        return receiver

    def start_otlp(self, receiver, *args, **options):
        return self.start("steno-otlp", "--endpoint", receiver.url, "--metrics-interval", "1", *args, **options)

    def call(self, out, **fields):
        """A call as libsteno publishes it."""
        body = {
            "v": 1, "call_type": "completion", "stream": False, "start_time": 1700000000.25, "end_time": 1700000000.75,
            "messages": [{"role": "user", "content": PROMPT}], "optional_params": {"temperature": 0.5, "max_completion_tokens": 64},
            "api_base": "https://api.openai.com/v1", "finish_reason": "stop", "attempts": 1, "response_cost": 0.25, "cache_hit": False,
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110, "cached_tokens": 60},
            "response": {"id": "chatcmpl-1", "model": "test-2024",
                         "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}]},
            "app": {"name": "shop", "host": "box", "pid": 7, "version": "1.2"},
        }
        if fields.get("event") == "failure":
            for name in ("usage", "response", "finish_reason", "response_cost"):
                del body[name]
        return self.emit(out, **{**body, **fields})

    def cursor(self, name="steno-otlp"):
        rows = self.sql("select offset from subscriber where name = ?", name)
        return rows[0]["offset"] if rows else 0

    def problem(self):
        return next((one.get("problem") for one in self.control("status")["subscribers"] if one["name"] == "steno-otlp"), None)

    def dead_letters(self):
        path = self.dir / "dead-letters" / "steno-otlp.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def log(self):
        return (self.dir / "steno-otlp.log").read_text()

    def wait_for_span(self, receiver, call_id):
        return wait_for(lambda: receiver.span(call_id), f"the span of {call_id}{self.logs()}")


class Spans(OtlpTest):
    def test_a_call_is_a_span_with_what_the_conventions_name(self):
        self.start_daemon()
        out, receiver = self.publisher(), self.receiver()
        self.start_otlp(receiver)
        call = self.call(out, trace_id="4bf92f3577b34da6a3ce929d0e0e4736", parent_id="00f067aa0ba902b7", session_id="talk-1", user="alice", tags=["a"])
        span, attributes = self.wait_for_span(receiver, call)
        self.assertEqual(attributes, {
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "test", "gen_ai.response.model": "test-2024",
            "server.address": "api.openai.com", "server.port": 443, "gen_ai.request.max_tokens": 64, "gen_ai.request.temperature": 0.5,
            "gen_ai.conversation.id": "talk-1", "gen_ai.response.id": "chatcmpl-1", "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 10, "gen_ai.usage.cache_read.input_tokens": 60,
            "openai.api.type": "chat_completions", "steno.call_id": call, "steno.attempts": 1, "steno.cost.usd": 0.25})
        self.assertEqual((span.name, span.kind, span.status.code), ("chat test", 3, 0))
        self.assertEqual((span.trace_id.hex(), span.parent_span_id.hex(), len(span.span_id)), ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", 8))
        self.assertEqual((span.start_time_unix_nano, span.end_time_unix_nano), (1700000000250000000, 1700000000750000000))
        self.assertEqual(receiver.spans()[0][1], {"service.name": "shop", "service.version": "1.2", "host.name": "box", "process.pid": 7})
        request = receiver.taken("traces")[0]
        self.assertEqual(request.path, "/v1/traces")
        self.assertRegex(request.headers["User-Agent"], r"^Steno-OTLP-Exporter-C/\d")
        self.assertNotIn(PROMPT.encode(), request.raw)
        self.assertNotIn(b"alice", request.raw)

    def test_failures_streams_caches_and_embeddings_say_what_they_are(self):
        self.start_daemon()
        out, receiver = self.publisher(), self.receiver()
        failed = self.call(out, event="failure", error={"type": "RateLimit", "message": "too many", "status": 429})
        stream = self.call(out, stream=True, completion_start_time=1700000000.5)
        cached = self.call(out, cache_hit=True, response_cost=0.0)
        embedding = self.call(out, call_type="aembedding", provider="mistral", optional_params={"dimensions": 256, "encoding_format": "float"})
        self.start_otlp(receiver)
        span, attributes = self.wait_for_span(receiver, failed)
        self.assertEqual((span.status.code, span.status.message, attributes["error.type"]), (2, "RateLimit, HTTP 429", "RateLimit"))
        self.assertNotIn("gen_ai.usage.input_tokens", attributes)
        span, attributes = self.wait_for_span(receiver, stream)
        self.assertEqual((attributes["gen_ai.request.stream"], attributes["gen_ai.response.time_to_first_chunk"]), (True, 0.25))
        span, attributes = self.wait_for_span(receiver, cached)
        self.assertEqual((attributes["steno.cache_hit"], attributes["steno.cost.usd"]), (True, 0.0))
        self.assertNotIn("gen_ai.usage.input_tokens", attributes)
        span, attributes = self.wait_for_span(receiver, embedding)
        self.assertEqual((span.name, attributes["gen_ai.provider.name"]), ("embeddings test", "mistral_ai"))
        self.assertEqual((attributes["gen_ai.embeddings.dimension.count"], attributes["gen_ai.request.encoding_formats"]), (256, ["float"]))

    def test_cost_is_the_one_of_the_log(self):
        """An app that says none, or another one than the price table's: it is what `steno cost` shows, too."""
        self.start_daemon()
        out, receiver = self.publisher(), self.receiver()
        calls = [self.call(out, model="gpt-4o-mini", response=None, **fields) for fields in ({"response_cost": None}, {"response_cost": 5.0}, {"cache_hit": True})]
        calls += [self.call(out, model="no-such-model", response=None, response_cost=cost) for cost in (0.25, None)]
        wait_for(lambda: self.cursor("steno-cost") == len(calls), "the costs" + self.logs())
        costs = {row["call_id"]: row["cost_usd"] for row in self.sql("select call_id, cost_usd from calls")}
        self.assertEqual((costs[calls[0]], costs[calls[2]], costs[calls[4]]), (costs[calls[1]], 0, None))
        self.start_otlp(receiver, "--attributes", "langfuse,openinference")
        for call in calls:
            span, attributes = self.wait_for_span(receiver, call)
            self.assertEqual((call, attributes.get("steno.cost.usd"), attributes.get("llm.cost.total")), (call, costs[call], costs[call]))
        total = wait_for(lambda: sum(point.as_double for point, _ in receiver.points("steno.cost")), "the metrics")
        self.assertAlmostEqual(total, sum(cost or 0 for cost in costs.values()), 12)

    def test_json_says_exactly_what_protobuf_says(self):
        self.start_daemon()
        out = self.publisher()
        for _ in range(5):
            self.call(out, metadata={"nested": {"a": [1, 2.5, None, True]}}, user="alice", tags=["a", "büro"], optional_params={"stop": ["x"], "seed": 2**40, "top_p": 1})
        last = self.call(out, event="failure", error={"type": "Timeout", "message": "slow ☃"})
        self.stored(6)
        messages = []
        for options in [[], ["--json"], ["--gzip"], ["--protocol", "http/json", "--compression", "gzip"]]:
            receiver = self.receiver()
            program = self.start_otlp(receiver, "--name", f"reader-{len(messages)}", "--content", "--attributes", "langfuse,openinference", *options)
            self.wait_for_span(receiver, last)
            self.assertEqual(self.stop(program), 0)
            headers = receiver.taken("traces")[0].headers
            self.assertEqual(headers["Content-Type"], "application/json" if len(messages) % 2 else "application/x-protobuf")
            self.assertEqual(headers.get("Content-Encoding"), "gzip" if len(messages) > 1 else None)
            metrics = receiver.taken("metrics")[-1].message
            for group in metrics.resource_metrics:  # when they were made is all that may differ
                for metric in group.scope_metrics[0].metrics:
                    for point in list(metric.histogram.data_points) + list(metric.sum.data_points):
                        self.assertGreaterEqual(point.time_unix_nano, point.start_time_unix_nano)
                        point.time_unix_nano = point.start_time_unix_nano = 0
            messages.append((receiver.taken("traces")[0].message, metrics))
        self.assertEqual(len(messages[0][0].resource_spans[0].scope_spans[0].spans), 6)
        for traces, metrics in messages[1:]:
            self.assertEqual(traces, messages[0][0])
            self.assertEqual(metrics, messages[0][1])

    def test_content_is_sent_when_it_is_asked_for(self):
        self.start_daemon()
        out, receiver = self.publisher(), self.receiver()
        messages = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
                                         {"type": "image_url", "image_url": {"url": "https://example.invalid/a.png"}}]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "look", "arguments": "{\"at\": 1}"}}]},
            {"role": "tool", "tool_call_id": "t1", "content": "a snowman"}]
        tool = {"type": "function", "function": {"name": "look", "description": "looks", "parameters": {"type": "object"}}}
        call = self.call(out, messages=messages, optional_params={"tools": [tool]}, response={
            "id": "r", "model": "m", "choices": [{"message": {"role": "assistant", "reasoning_content": "hm", "content": "A snowman."}, "finish_reason": "tool_calls"}]})
        self.env["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_ONLY"
        self.start_otlp(receiver)
        _, attributes = self.wait_for_span(receiver, call)
        self.assertEqual(json.loads(attributes["gen_ai.input.messages"]), [
            {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
            {"role": "user", "parts": [{"type": "text", "content": "See"}, {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "QUJD"},
                                       {"type": "uri", "modality": "image", "uri": "https://example.invalid/a.png"}]},
            {"role": "assistant", "parts": [{"type": "tool_call", "id": "t1", "name": "look", "arguments": {"at": 1}}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "t1", "response": "a snowman"}]}])
        self.assertEqual(json.loads(attributes["gen_ai.output.messages"]), [
            {"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}, {"type": "text", "content": "A snowman."}], "finish_reason": "tool_call"}])
        self.assertEqual(json.loads(attributes["gen_ai.tool.definitions"]), [{"type": "function", "name": "look", "description": "looks", "parameters": {"type": "object"}}])

    def test_attempts_that_failed_are_spans_below_the_call(self):
        self.start_daemon()
        out, receiver = self.publisher(), self.receiver()
        call = f"call-{self.seq + 3}"
        for attempt, error in [(1, {"type": "InternalServer", "message": "oops"}), (2, None)]:
            fields = {"error": error} if error else {}
            self.emit(out, "post_api_call", call_id=call, attempt=attempt, http_status=500 if error else 200, end_time=1700000000.0 + attempt,
                      timing={"total": 0.5}, original_response=PROMPT, app={"name": "shop"}, **fields)
        self.assertEqual(self.call(out, attempts=2, call_id=call), call)
        self.start_otlp(receiver)
        parent, _ = self.wait_for_span(receiver, call)
        attempts = [span for span, _ in receiver.spans() if span.name == "POST"]
        self.assertEqual(len(attempts), 1)
        span, attributes = attempts[0], attributes_of(attempts[0])
        self.assertEqual((span.parent_span_id, span.trace_id, span.status.code), (parent.span_id, parent.trace_id, 2))
        self.assertEqual((span.end_time_unix_nano - span.start_time_unix_nano, span.kind), (500000000, 3))
        self.assertEqual(attributes, {"http.request.method": "POST", "http.response.status_code": 500, "error.type": "InternalServer", "steno.call_id": call, "steno.attempt": 1})
        everything = self.receiver()
        self.start_otlp(everything, "--name", "all", "--attempts", "all")
        self.wait_for_span(everything, call)
        spans = [span for span, _ in everything.spans() if span.name == "POST"]
        self.assertEqual([attributes_of(span).get("http.request.resend_count") for span in spans], [None, 1])
        self.assertNotIn(PROMPT.encode(), b"".join(request.raw for request in everything.taken("traces")))


class Names(OtlpTest):
    def test_older_names_by_option(self):
        self.start_daemon()
        out, receiver = self.publisher(), self.receiver()
        call = self.call(out, usage={"prompt_tokens": 100, "completion_tokens": 10, "cache_write_tokens": 30, "prompt_audio_tokens": 0}, optional_params={"top_k": 4, "reasoning_effort": "low"})
        self.start_otlp(receiver, "--semconv", "1.41")
        _, old = self.wait_for_span(receiver, call)
        self.assertEqual((old["gen_ai.usage.cache_creation.input_tokens"], old["gen_ai.request.top_k"], type(old["gen_ai.request.top_k"])), (30, 4.0, float))
        self.assertNotIn("gen_ai.usage.cache_write.input_tokens", old)
        self.assertNotIn("gen_ai.request.reasoning.level", old)
        wait_for(lambda: receiver.metric("gen_ai.client.token.usage"), "the older metric")
        points = receiver.points("gen_ai.client.token.usage")
        self.assertEqual({attributes["gen_ai.token.type"]: (point.count, point.sum) for point, attributes in points}, {"input": (1, 100), "output": (1, 10)})
        self.assertIsNone(receiver.metric("gen_ai.client.inference.usage.input_tokens"))
        current = self.receiver()
        self.start_otlp(current, "--name", "current")
        _, new = self.wait_for_span(current, call)
        self.assertEqual((new["gen_ai.usage.cache_write.input_tokens"], new["gen_ai.request.top_k"], type(new["gen_ai.request.top_k"])), (30, 4, int))
        self.assertNotIn("gen_ai.usage.cache_creation.input_tokens", new)
        self.assertEqual(new["gen_ai.request.reasoning.level"], "low")
        wait_for(lambda: current.metric("gen_ai.client.inference.usage.input_tokens"), "the metrics")
        self.assertEqual([(point.as_int, attributes["gen_ai.token.modality"]) for point, attributes in current.points("gen_ai.client.inference.usage.input_tokens")], [(100, "text")])
        self.assertEqual([(point.as_int, attributes["gen_ai.token.modality"]) for point, attributes in current.points("gen_ai.client.inference.usage.cache_write.input_tokens")], [(30, "unknown")])

    def test_langfuse_works_by_its_own_variables(self):
        self.start_daemon()
        out, receiver = self.publisher(), self.receiver()
        call = self.call(out, user="alice", session_id="talk-1", tags=["a", "b"], metadata={"customer": "ACME", "deep": {"x": 1}}, stream=True, completion_start_time=1700000000.5,
                         usage={"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110, "cached_tokens": 60, "cache_write_tokens": 30, "reasoning_tokens": 4})
        self.env.update(LANGFUSE_BASE_URL=receiver.url + "/", LANGFUSE_PUBLIC_KEY="pk-lf-1", LANGFUSE_SECRET_KEY="sk-lf-2",
                        OTEL_EXPORTER_OTLP_HEADERS="x-other=not-for-langfuse", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
        self.start("steno-otlp", "--to", "langfuse", "--content")
        _, attributes = self.wait_for_span(receiver, call)
        request = receiver.taken("traces")[0]
        self.assertEqual(request.path, "/api/public/otel/v1/traces")
        self.assertEqual(request.headers["Authorization"], "Basic " + base64.b64encode(b"pk-lf-1:sk-lf-2").decode())
        self.assertEqual((request.headers["x-langfuse-ingestion-version"], request.headers.get("x-other")), ("4", None))
        self.assertEqual(json.loads(attributes["langfuse.observation.usage_details"]),
                         {"input": 10, "input_cached_tokens": 60, "input_cache_creation": 30, "output": 6, "output_reasoning_tokens": 4, "total": 110})
        self.assertEqual(json.loads(attributes["langfuse.observation.cost_details"]), {"total": 0.25})
        self.assertEqual(attributes["langfuse.observation.completion_start_time"], "2023-11-14T22:13:20.500Z")
        self.assertEqual((attributes["user.id"], attributes["session.id"], attributes["langfuse.trace.tags"]), ("alice", "talk-1", ["a", "b"]))
        self.assertEqual((attributes["langfuse.observation.metadata.customer"], json.loads(attributes["langfuse.observation.metadata.deep"])), ("ACME", {"x": 1}))
        self.assertEqual((attributes["langfuse.observation.type"], attributes["langfuse.observation.model.name"]), ("generation", "test-2024"))
        self.assertEqual(json.loads(attributes["langfuse.observation.model.parameters"]), {"temperature": 0.5, "max_completion_tokens": 64})
        self.assertEqual(json.loads(attributes["langfuse.observation.input"]), [{"role": "user", "content": PROMPT}])
        self.assertEqual(json.loads(attributes["langfuse.observation.output"])["content"], "hello")
        self.assertEqual(receiver.taken("metrics"), [])
        self.assertNotIn("sk-lf-2", self.log())

    def test_phoenix_works_by_its_own_variables(self):
        self.start_daemon()
        out, receiver = self.publisher(), self.receiver()
        call = self.call(out, user="alice", tags=["a"], metadata={"x": 1})
        self.env.update(PHOENIX_COLLECTOR_ENDPOINT=receiver.url + "/v1/traces", PHOENIX_API_KEY="px-1", PHOENIX_PROJECT_NAME="shop-prod")
        self.start("steno-otlp", "--to", "phoenix", "--content")
        _, attributes = self.wait_for_span(receiver, call)
        request = receiver.taken("traces")[0]
        self.assertEqual((request.path, request.headers["Content-Type"], request.headers["Authorization"]), ("/v1/traces", "application/x-protobuf", "Bearer px-1"))
        self.assertEqual(receiver.spans()[0][1]["openinference.project.name"], "shop-prod")
        expected = {
            "openinference.span.kind": "LLM", "llm.model_name": "test-2024", "llm.provider": "openai", "llm.system": "openai", "llm.token_count.prompt": 100,
            "llm.token_count.completion": 10, "llm.token_count.total": 110, "llm.token_count.prompt_details.cache_read": 60, "llm.cost.total": 0.25, "user.id": "alice",
            "tag.tags": ["a"], "llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.content": PROMPT,
            "llm.output_messages.0.message.role": "assistant", "llm.output_messages.0.message.content": "hello", "input.mime_type": "application/json",
            "output.value": "hello", "output.mime_type": "text/plain", "llm.finish_reason": "stop"}
        self.assertEqual({name: attributes.get(name) for name in expected}, expected)
        self.assertEqual(json.loads(attributes["metadata"]), {"x": 1})

    def test_the_standard_variables_are_obeyed(self):
        self.start_daemon()
        out, receiver = self.publisher(), self.receiver()
        call = self.call(out)
        self.env.update(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url + "/base/", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=receiver.url + "/own/traces",
                        OTEL_EXPORTER_OTLP_HEADERS="api-key=a%20b, other = c,given=by%20variable", OTEL_EXPORTER_OTLP_METRICS_HEADERS="only=metrics",
                        OTEL_EXPORTER_OTLP_COMPRESSION="gzip", OTEL_EXPORTER_OTLP_TRACES_PROTOCOL="http/json", OTEL_EXPORTER_OTLP_TIMEOUT="5000",
                        OTEL_SERVICE_NAME="named", OTEL_RESOURCE_ATTRIBUTES="service.name=ignored,deployment.environment.name=prod%2Ceu",
                        OTEL_METRIC_EXPORT_INTERVAL="1000", OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="Delta")
        self.start("steno-otlp", "--header", "Given: by option", "--header", "User-Agent: me")
        self.wait_for_span(receiver, call)
        wait_for(lambda: receiver.taken("metrics"), "metrics")
        traces, metrics = receiver.taken("traces")[0], receiver.taken("metrics")[0]
        self.assertEqual((traces.path, metrics.path), ("/own/traces", "/base/v1/metrics"))
        self.assertEqual((traces.headers["api-key"], traces.headers["other"], traces.headers["Content-Encoding"], traces.headers["Content-Type"]), ("a b", "c", "gzip", "application/json"))
        self.assertEqual((metrics.headers.get("api-key"), metrics.headers["only"], metrics.headers["Content-Type"]), (None, "metrics", "application/x-protobuf"))
        names = [name.lower() for name in traces.headers.keys()]
        self.assertEqual((traces.headers["Given"], traces.headers["User-Agent"], names.count("given"), names.count("user-agent")), ("by option", "me", 1, 1))
        resource = receiver.spans()[0][1]
        self.assertEqual((resource["service.name"], resource["deployment.environment.name"]), ("named", "prod,eu"))
        self.assertEqual(receiver.metric(DURATION).histogram.aggregation_temporality, 1)

    def test_certificates_are_those_of_the_standard_variables(self):
        """A collector that lets in only who has a certificate of its own authority, as its own is of that authority."""

        def openssl(*args):
            subprocess.run(["openssl", *map(str, args)], cwd=self.dir, check=True, capture_output=True)

        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=authority")
        for name, subject in (("server", "DNS:localhost"), ("client", "DNS:client")):
            (self.dir / "names").write_text(f"subjectAltName={subject}\n")
            openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
            openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", f"{name}.pem", "-days", "2", "-extfile", "names")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.dir / "ca.pem")
        context.load_cert_chain(self.dir / "server.pem", self.dir / "server.key")
        context.verify_mode = ssl.CERT_REQUIRED
        self.start_daemon()
        out, receiver = self.publisher(), self.receiver(context=context)
        call = self.call(out)
        trusted = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"https://localhost:{receiver.port}", "OTEL_EXPORTER_OTLP_CERTIFICATE": str(self.dir / "ca.pem")}
        known = {"OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE": str(self.dir / "client.pem"), "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(self.dir / "client.key")}
        for variables, problem in (({**trusted, "OTEL_EXPORTER_OTLP_CERTIFICATE": ""}, "certificate problem"), (trusted, "alert certificate required")):
            nobody = self.start("steno-otlp", "--signals", "traces", env={**self.env, **variables})
            wait_for(lambda: problem in (self.problem() or ""), "the problem to be told" + self.logs())
            self.stop(nobody)
            self.assertEqual(receiver.requests, [])
        self.start("steno-otlp", "--signals", "traces", env={**self.env, **trusted, **known})
        self.wait_for_span(receiver, call)
        for name in [*trusted, *known][1:]:
            result = self.run_program("steno-otlp", check=False, env={**self.env, **trusted, **known, name: "/no/such"})
            self.assertEqual(result.returncode, 2)
            self.assertIn(f"{name} /no/such: No such file", result.stderr)

    def test_wrong_usage_is_said_with_2(self):
        for args, variables, what in [
                (["--protocol", "grpc"], {}, "4318"), ([], {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL"), (["--to", "nowhere"], {}, "nowhere"),
                (["--to", "langfuse"], {}, "LANGFUSE_SECRET_KEY"), (["--signals", "logs"], {}, "logs"), (["--semconv", "0.9"], {}, "0.9"), (["--endpoint", "box:4318"], {}, "http"),
                ([], {"OTEL_EXPORTER_OTLP_HEADERS": "secret-without-name"}, "OTEL_EXPORTER_OTLP_HEADERS"), (["--timeout", "0"], {}, "--timeout"),
                (["--attributes", "all"], {}, "all"), (["--attempts", "x"], {}, "x"), (["--temporality", "x"], {}, "x"), (["--header-file", "/no/such"], {}, "/no/such"), (["--header", "no-colon"], {}, "Name: value"), (["--sideways"], {}, "sideways")]:
            with self.subTest(args=args, variables=variables):
                result = self.run_program("steno-otlp", *args, check=False, env={**self.env, **variables})
                self.assertEqual((result.returncode, what in result.stderr), (2, True), result.stderr)
                self.assertNotIn("secret-without-name", result.stderr)
        for option in ("--help", "--version"):
            self.assertIn("steno-otlp", self.run_program("steno-otlp", option).stdout)


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


class Vectors(OtlpTest):
    def test_what_libsteno_publishes_becomes_spans_of_the_call_and_of_its_retries(self):
        self.start_daemon()
        receiver = self.receiver()
        url = self.start_provider().removesuffix("/v1") + "/faults/fail_first=2;status=503;id=otlp/v1"
        self.start_otlp(receiver, "--content", "--attributes", "langfuse,openinference")
        self.steno("complete", "-m", "gpt-4o-mini", "--stream", "--retries", "2", "--base-url", url, "what is it?")
        call = wait_for(lambda: self.sql("select call_id from calls where status = 'success'"), "the call" + self.logs())[0]
        span, attributes = self.wait_for_span(receiver, call["call_id"])
        self.assertEqual((span.name, span.trace_id.hex()), ("chat gpt-4o-mini", call["call_id"].replace("-", "")))
        self.assertEqual((attributes["server.address"], attributes["steno.attempts"]), ("127.0.0.1", 3))
        self.assertGreater(attributes["steno.cost.usd"], 0)
        self.assertGreater(attributes["gen_ai.response.time_to_first_chunk"], 0)
        self.assertEqual(json.loads(attributes["gen_ai.input.messages"])[-1], {"role": "user", "parts": [{"type": "text", "content": "what is it?"}]})
        self.assertEqual(json.loads(attributes["gen_ai.output.messages"])[0]["finish_reason"], "stop")
        attempts = sorted((attributes_of(span)["steno.attempt"], attributes_of(span)["http.response.status_code"], span.parent_span_id)
                          for span, _ in receiver.spans() if span.name == "POST")
        self.assertEqual(attempts, [(1, 503, span.span_id), (2, 503, span.span_id)])
        for attempt, _ in receiver.spans():  # within the call's own time, to what a float of seconds keeps
            self.assertGreaterEqual(attempt.start_time_unix_nano, span.start_time_unix_nano - 1000000)
            self.assertLessEqual(attempt.end_time_unix_nano, span.end_time_unix_nano + 1000000)

    def test_the_golden_events_become_spans(self):
        self.start_daemon()
        receiver = self.receiver()
        vectors = [json.loads((SOURCE / "schema" / "vectors" / f"{name}.json").read_text()) for name in ("post_api_call", "failure", "success")]
        out = self.publisher()
        for vector in vectors:
            self.emit(out, **vector)
        self.start_otlp(receiver, "--attempts", "all", "--content", "--attributes", "langfuse,openinference")
        wait_for(lambda: len(receiver.spans()) == 3, "three spans" + self.logs())
        spans = [span for span, _ in receiver.spans()]
        self.assertEqual(len({span.trace_id for span in spans}), 1)
        self.assertEqual(sorted(span.name for span in spans), ["POST", "chat gpt-4o-mini", "chat gpt-4o-mini"])
        attempt = next(span for span in spans if span.name == "POST")
        self.assertIn(attempt.parent_span_id, [span.span_id for span in spans])


if __name__ == "__main__":
    harness.main()
