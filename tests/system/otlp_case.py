"""What tests of steno-otlp begin with: a receiver, the program, calls as libsteno publishes them, and what is left behind."""

import json

from harness import wait_for
from otlp_receiver import Receiver
from test_subscribers import SubscriberTest

DURATION = "gen_ai.client.operation.duration"
PROMPT = "a secret of the user's"


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
