"""Every family of providers by its own wire, through `steno complete` and `steno embed`: what works is the table in the README, which is compared."""

import contextlib
import json
import re
import socket
import threading

import harness
import msgpack

KEY = "test-key-0123456789abcdef"
TOOLS = 'tools=[{"type":"function","function":{"name":"get_weather","description":"w","parameters":{"type":"object","properties":{"location":{"type":"string"}}}}}]'
YES, NO = "✓", "–"

# name: (model, embedding model, variables; {root} is the test provider's address, {host} the same without its scheme)
FAMILIES = {
    "OpenAI": ("openai/gpt-4o-mini", "openai/text-embedding-3-small", {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "{root}/v1"}),
    "OpenAI Responses": ("openai/responses/gpt-4o-mini", None, {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "{root}/v1"}),
    "Azure OpenAI (v1)": ("azure/gpt-4o", "azure/text-embedding-3-small", {"AZURE_API_KEY": KEY, "AZURE_API_BASE": "{root}"}),
    "Azure OpenAI (dated)": ("azure/gpt-4o", "azure/text-embedding-3-small",
                             {"AZURE_OPENAI_API_KEY": KEY, "AZURE_OPENAI_ENDPOINT": "{root}", "OPENAI_API_VERSION": "2024-10-21"}),
    "Anthropic": ("anthropic/claude-sonnet-4-5", None, {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": "{root}"}),
    "Gemini": ("gemini/gemini-2.5-flash", "gemini/gemini-embedding-001", {"GOOGLE_API_KEY": KEY, "GEMINI_BASE_URL": "{root}"}),
    "Ollama": ("ollama/llama3.2", "ollama/nomic-embed-text", {"OLLAMA_HOST": "{host}"}),
    "AWS Bedrock": ("bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock/amazon.titan-embed-text-v2:0",
                    {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                     "AWS_REGION": "us-east-1", "BEDROCK_BASE_URL": "{root}"}),
    "Cohere": ("cohere/command-a-03-2025", "cohere/embed-v4.0", {"CO_API_KEY": KEY, "COHERE_BASE_URL": "{root}"}),
    "rows of the table (Groq, …)": ("groq/llama-3.3-70b-versatile", "groq/an-embedding-model", {"GROQ_API_KEY": KEY, "GROQ_BASE_URL": "{root}/v1"}),
}
COLUMNS = ("chat", "stream", "tools", "embeddings", "usage", "cache tokens")


class CuttingServer:
    """Hands the first request on to a provider and records the reply; the n-th request after that gets its first n * step bytes."""

    def __init__(self, provider, step):
        self.provider, self.step = provider, step
        self.recorded = None
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.served = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):  # it is closed
            while True:
                with self.listener.accept()[0] as connection:
                    request = self.read_request(connection)
                    if self.recorded is None:
                        self.recorded = self.ask_provider(request)
                        connection.sendall(self.recorded)
                    else:
                        connection.sendall(self.recorded[: self.served * self.step])
                        self.served += 1

    @staticmethod
    def read_request(connection):
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536)
        head, body = data.split(b"\r\n\r\n", 1)
        length = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
        while len(body) < length:
            body += connection.recv(65536)
        return head + b"\r\nConnection: close\r\n\r\n" + body

    def ask_provider(self, request):
        reply = b""
        with socket.create_connection(self.provider) as provider:
            provider.sendall(request)
            while data := provider.recv(65536):
                reply += data
        return reply

    def close(self):
        self.listener.close()


class Providers(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.root = self.start_provider().removesuffix("/v1")
        self.start_daemon("--no-subscribers")
        self.bare = {k: v for k, v in self.env.items() if not k.startswith(("OPENAI_", "AWS_", "AZURE_"))}

    def environment(self, name, root=None):
        root = root or self.root
        return {**self.bare, **{k: v.format(root=root, host=root.removeprefix("http://")) for k, v in FAMILIES[name][2].items()}}

    def complete(self, name, *args, prompt="Say hello.", root=None, check=False):
        result = self.steno("complete", "-m", FAMILIES[name][0], *args, prompt, env=self.environment(name, root), check=check)
        self.assertTrue(self.control("flush")["ok"])
        return result

    def last_call(self):
        return self.sql("SELECT * FROM calls ORDER BY started_at DESC LIMIT 1")[0]

    def works(self, name):
        """What of COLUMNS works, each seen from outside and in the log."""
        said = "You said: Say hello. Thank you for asking."
        chat = self.complete(name).stdout.strip() == said and self.last_call()["response_text"] == said
        usage = (self.last_call()["prompt_tokens"] or 0) > 0 and (self.last_call()["completion_tokens"] or 0) > 0
        streamed = self.complete(name, "-s").stdout.strip() == said
        call = self.last_call()
        stream = streamed and call["stream"] and call["ttft_ms"] is not None and call["response_text"] == said and call["finish_reason"] == "stop"
        usage = usage and (call["completion_tokens"] or 0) > 0
        tools = True
        for how in ([], ["-s"]):
            printed = self.complete(name, *how, "--param", TOOLS, prompt="Use the tool.").stdout.strip()
            tools = tools and re.fullmatch(r'get_weather \{"location": ?"Paris"\}', printed) is not None and self.last_call()["finish_reason"] == "tool_calls"
        cached = True
        for how in ([], ["-s"]):
            self.complete(name, *how, prompt="What is cached?")
            call = self.last_call()
            cached = cached and call["cached_tokens"] == 2 and call["prompt_tokens"] >= 2
        embeddings = FAMILIES[name][1] is not None
        if embeddings:
            result = self.steno("embed", "-m", FAMILIES[name][1], "--json", "some text", env=self.environment(name))
            embeddings = len(json.loads(result.stdout)["data"][0]["embedding"]) == 8
        return dict(zip(COLUMNS, (chat, bool(stream), tools, embeddings, usage, cached)))

    def test_what_works_is_what_the_readme_says(self):
        readme = (harness.SOURCE / "README.md").read_text()
        for name in FAMILIES:
            with self.subTest(name):
                works = self.works(name)
                line = f"| {name} | " + " | ".join(YES if works[column] else NO for column in COLUMNS) + " |"
                self.assertTrue(line in readme, f"not in the README: {line}")

    def test_each_family_has_one_set_of_failures(self):
        types = {400: "BadRequest", 401: "Authentication", 403: "PermissionDenied", 404: "NotFound", 429: "RateLimit", 500: "InternalServer",
                 503: "ServiceUnavailable"}
        for name in FAMILIES:
            for status, type_ in types.items():
                with self.subTest(f"{name} {status}"):
                    self.complete(name, root=f"{self.root}/faults/status={status}")
                    call = self.last_call()
                    self.assertEqual((call["error_type"], call["error_status"]), (type_, status))
                    self.assertIn("simulated", call["error_message"])

    def test_a_cut_stream_keeps_what_came(self):
        for name in FAMILIES:
            with self.subTest(name):
                self.complete(name, "-s", root=f"{self.root}/faults/tokens=20;cut_after=12")
                call = self.last_call()
                self.assertEqual((call["status"], call["error_type"]), ("failure", "Connection"))
                self.assertRegex(call["response_text"], "^(word )+$")

    def test_a_stream_cut_at_every_byte(self):
        whole = "You said: Say hello. Thank you for asking."
        host, port = self.root.removeprefix("http://").split(":")
        for name in FAMILIES:
            with self.subTest(name):
                server = CuttingServer((host, int(port)), 1)
                self.addCleanup(server.close)
                env = {**self.environment(name, f"http://{server.address}"), "MODEL": FAMILIES[name][0], "COUNT": "1"}
                first = self.run_program("steno-test-features", "cuts", env=env).stdout
                self.assertEqual(first, f"ok|{whole}|0\n")
                count = len(server.recorded) + 1
                lines = self.run_program("steno-test-features", "cuts", env={**env, "COUNT": str(count)}).stdout.splitlines()
                self.assertEqual(len(lines), count)
                outcomes = [line.split("|") for line in lines]
                good = [number for number, (type_, _, _) in enumerate(outcomes) if type_ == "ok"]
                self.assertEqual(good, list(range(good[0], count)), "once the answer is complete it stays so")
                self.assertTrue(all(text == whole for _, text, _ in outcomes[good[0]:]))
                self.assertEqual({(type_, again) for type_, _, again in outcomes[: good[0]]}, {("Connection", "1")})
                self.assertTrue(all(whole.startswith(text) for _, text, _ in outcomes))
                self.assertGreater(len({text for _, text, _ in outcomes}), 5, "what came is kept")
        self.assertTrue(self.control("flush")["ok"])
        self.assertEqual(self.sql("SELECT count(*) n FROM calls WHERE status = 'pending'")[0]["n"], 0)

    def test_an_error_inside_a_stream(self):
        for name in FAMILIES:
            with self.subTest(name):
                self.complete(name, "-s", root=f"{self.root}/faults/tokens=20;error_in_stream=8")
                call = self.last_call()
                self.assertEqual((call["status"], call["error_status"]), ("failure", 200))
                self.assertRegex(call["error_message"], "(?i)simulated|overloaded")

    def test_streams_in_bits(self):
        for name in FAMILIES:
            with self.subTest(name):
                printed = self.complete(name, "-s", root=f"{self.root}/faults/split=5").stdout.strip()
                self.assertEqual(printed, "You said: Say hello. Thank you for asking.")

    def test_garbage_and_nothing(self):
        for name in FAMILIES:
            for fault in ("garbage=1", "empty=1"):
                with self.subTest(f"{name} {fault}"):
                    self.complete(name, root=f"{self.root}/faults/{fault}")
                    self.assertEqual(self.last_call()["error_type"], "MalformedResponse")

    def test_without_usage_nothing_is_made_up(self):
        for name in FAMILIES:
            with self.subTest(name):
                self.complete(name, "-s", root=f"{self.root}/faults/no_usage=1")
                call = self.last_call()
                self.assertEqual((call["status"], call["prompt_tokens"], call["completion_tokens"]), ("success", None, None))

    def test_streamed_and_plain_cost_the_same(self):
        """By prices of the test's own: 1, 2 and 0.1 dollars a million tokens of input, output and cache."""
        price = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "cache_read_input_token_cost": 1e-7}
        (self.dir / "prices").mkdir(mode=0o700)
        (self.dir / "prices" / "own.json").write_text(json.dumps({model.split("/")[-1]: price for model, _, _ in FAMILIES.values()}))
        for name in FAMILIES:
            with self.subTest(name):
                costs = []
                for how in ([], ["-s"]):
                    self.complete(name, *how, prompt="What is cached?")
                    call = self.last_call()
                    event = msgpack.unpackb(self.sql("SELECT body FROM event WHERE event = 'success' ORDER BY offset DESC LIMIT 1")[0]["body"])
                    cached = call["cached_tokens"] or 0  # Ollama has none
                    micro = call["prompt_tokens"] - cached + cached / 10 + call["completion_tokens"] * 2
                    self.assertAlmostEqual(event["response_cost"] * 1e6, micro, places=6)
                    costs.append(event["response_cost"])
                self.assertEqual(costs[0], costs[1])
                self.assertGreater(costs[0], 0)

    def test_a_system_prompt_reaches_everybody(self):
        for name in FAMILIES:
            with self.subTest(name):
                reflected = self.complete(name, "--system", "Speak like a pirate.", root=f"{self.root}/faults/reflect=1").stdout
                self.assertIn("Speak like a pirate.", reflected)
                self.assertNotIn(KEY, reflected)

    def test_keys_and_secrets_are_in_no_event(self):
        for name in FAMILIES:
            self.complete(name)
        bodies = b"".join(row["body"] for row in self.sql("SELECT body FROM event"))
        for secret in (KEY, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"):
            self.assertNotIn(secret.encode(), bodies)
        self.assertIn(b"****cdef", bodies)

    def test_what_a_provider_lacks_is_refused_or_dropped(self):
        refused = self.complete("Anthropic", "--param", "seed=7")
        self.assertEqual(refused.returncode, 1)
        self.assertRegex(refused.stderr, r"BadRequest \(anthropic\): .*`seed`.*drop")
        self.assertEqual(self.complete("Anthropic", "--param", "seed=7", "--drop-params").returncode, 0)

    def test_without_a_key_the_variable_is_named(self):
        for model, word in (("anthropic/x", "ANTHROPIC_API_KEY"), ("gemini/x", "GEMINI_API_KEY or GOOGLE_API_KEY"), ("azure/x", "AZURE_BASE_URL or AZURE_API_BASE"),
                            ("bedrock/x", "AWS_REGION"), ("mistral/x", "MISTRAL_API_KEY")):
            with self.subTest(model):
                self.assertIn(word, self.steno("complete", "-m", model, "hi", env=self.bare, check=False).stderr)

    def test_a_wrong_aws_secret_is_an_authentication_failure(self):
        env = {**self.environment("AWS Bedrock"), "AWS_SECRET_ACCESS_KEY": "not-the-secret-not-the-secret"}
        result = self.steno("complete", "-m", FAMILIES["AWS Bedrock"][0], "hi", env=env, check=False)
        self.assertRegex(result.stderr, r"(Authentication|PermissionDenied) \(bedrock, HTTP 403\)")


if __name__ == "__main__":
    harness.main()
