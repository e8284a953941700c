"""steno-otlp against a receiver that decodes with OpenTelemetry's own definitions (otlp_receiver.py): what its spans and metrics say."""

import base64
import json
import ssl
import subprocess

import harness
from harness import SOURCE, wait_for
from otlp_case import DURATION, PROMPT, OtlpTest
from otlp_receiver import attributes_of


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
        # Who has no certificate hears of it after the handshake (TLS 1.3): as an alert or, if it was still writing, as a connection that broke.
        for variables, said in (({**trusted, "OTEL_EXPORTER_OTLP_CERTIFICATE": ""}, lambda problem: "certificate problem" in problem),
                                (trusted, lambda problem: problem and "certificate problem" not in problem)):
            nobody = self.start("steno-otlp", "--signals", "traces", env={**self.env, **variables})
            wait_for(lambda: said(self.problem() or ""), "the problem to be told")
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
