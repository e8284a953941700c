"""What the tests of the exporters over HTTP share."""

import json

from harness import wait_for
from http_receiver import Receiver
from test_subscribers import SubscriberTest


class ExporterTest(SubscriberTest):
    """A program that posts to self.receiver; `program` is its name, and its cursor's."""

    def setUp(self):
        super().setUp()
        self.env = {k: v for k, v in self.env.items() if not k.lower().endswith("_proxy") and k not in ("CURL_CA_BUNDLE", "SSL_CERT_FILE")}
        self.receiver = self.receive()

    def receive(self, **options):
        receiver = Receiver(**options)
        self.addCleanup(receiver.stop)
        return receiver

    def wait_for_requests(self, count):
        return wait_for(lambda: len(self.receiver.requests) >= count and list(self.receiver.requests), f"{count} requests{self.logs()}")

    def status(self):
        listed = [one for one in self.control("status")["subscribers"] if one["name"] == self.program]
        return listed[0] if listed else {}

    def cursor(self):
        rows = self.sql("select offset from subscriber where name = ?", self.program)
        return rows[0]["offset"] if rows else 0

    def letters(self):
        return [json.loads(line) for line in self.lines(f"dead-letters/{self.program}.jsonl")]

    def file(self, name, text):
        path = self.dir / name
        path.write_text(text)
        path.chmod(0o600)
        return path
