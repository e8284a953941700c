"""An OTLP/HTTP receiver for tests. It decodes with OpenTelemetry's own message definitions and Google's protobuf (otlp/set_up.sh), not with anything of ours, and
answers what it is told to.
"""

import base64
import collections
import gzip
import http.server
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.environ["STENO_OTLP_DECODER"], "python"))
from google.protobuf import json_format  # noqa: E402
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2  # noqa: E402
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2  # noqa: E402

REQUESTS = {"traces": trace_service_pb2.ExportTraceServiceRequest, "metrics": metrics_service_pb2.ExportMetricsServiceRequest}
Answer = collections.namedtuple("Answer", "status headers body", defaults=(200, {}, b""))
Request = collections.namedtuple("Request", "path headers raw message at")


def with_base64_ids(json_value):
    """OTLP's JSON has ids in hex where protobuf's own mapping has base64: the one difference in how it is read."""
    if isinstance(json_value, list):
        return [with_base64_ids(each) for each in json_value]
    if not isinstance(json_value, dict):
        return json_value
    ids = ("traceId", "spanId", "parentSpanId")
    return {key: base64.b64encode(bytes.fromhex(value)).decode() if key in ids else with_base64_ids(value) for key, value in json_value.items()}


def value_of(any_value):
    kind = any_value.WhichOneof("value")
    return [value_of(each) for each in any_value.array_value.values] if kind == "array_value" else getattr(any_value, kind)


def attributes_of(message):
    pairs = [(each.key, value_of(each.value)) for each in message.attributes]
    assert len(dict(pairs)) == len(pairs), f"an attribute is there twice: {sorted(key for key, _ in pairs)}"
    return dict(pairs)


class Receiver:
    """`answer` is called with each Request and gives its Answer, or None: the connection is cut without one."""

    def __init__(self, port=0, answer=lambda request: Answer(), context=None):
        self.requests, self.answer = [], answer
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                request = receiver.take(self.path, self.headers, raw)
                reply = receiver.answer(request)
                if reply is None:
                    self.close_connection = True
                    return
                receiver.requests.append((request, reply))
                self.send_response(reply.status)
                for name, value in {"Content-Type": self.headers["Content-Type"], "Content-Length": len(reply.body), **reply.headers}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *args):  # whoever was killed in mid-request
                pass

        self.server = Server(("127.0.0.1", port), Handler)
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    @staticmethod
    def take(path, headers, raw):
        body = gzip.decompress(raw) if headers.get("Content-Encoding") == "gzip" else raw
        message = REQUESTS[path.rsplit("/", 1)[1]]()
        if headers["Content-Type"] == "application/json":
            json_format.ParseDict(with_base64_ids(json.loads(body)), message)
        else:
            assert headers["Content-Type"] == "application/x-protobuf", headers
            message.ParseFromString(body)
        return Request(path, headers, body, message, time.monotonic())

    # ---- what was taken: answered with 2xx ----

    def taken(self, signal):
        return [request for request, reply in list(self.requests) if reply.status < 300 and request.path.endswith("/" + signal)]

    def spans(self):
        """(span, resource attributes) of everything taken."""
        return [(span, attributes_of(group.resource)) for request in self.taken("traces") for group in request.message.resource_spans
                for scope in group.scope_spans for span in scope.spans]

    def span(self, call_id):
        """The span of a call, and its attributes; None: not there yet."""
        found = [span for span, _ in self.spans() if attributes_of(span).get("steno.call_id") == call_id and span.name != "POST"]
        return (found[0], attributes_of(found[0])) if found else None

    def points(self, name, request=None):
        """(point, its attributes) of a metric in the last request, or in the one given."""
        requests = [request] if request else self.taken("metrics")[-1:]
        return [(point, attributes_of(point)) for one in requests for group in one.message.resource_metrics for scope in group.scope_metrics
                for metric in scope.metrics if metric.name == name for point in (metric.histogram.data_points or metric.sum.data_points)]

    def metric(self, name):
        found = [metric for one in self.taken("metrics")[-1:] for group in one.message.resource_metrics for scope in group.scope_metrics
                 for metric in scope.metrics if metric.name == name]
        return found[0] if found else None
