"""A real HTTP server for the exporters' tests: notes what arrives, and answers as it is told, well or badly."""

import gzip
import http.server
import json
import socket
import threading
import time


class Request:
    def __init__(self, handler, body):
        self.path = handler.path
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.raw = body
        self.body = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
        self.time = time.time()
        self.monotonic = time.monotonic()
        self.answer = None

    def json(self):
        return json.loads(self.body)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        request = Request(self, body)
        with self.server.lock:
            answer = self.server.plan.pop(0) if self.server.plan else self.server.otherwise
            if callable(answer):
                answer = answer(request)
            request.answer = answer
            self.server.requests.append(request)
        if answer == "hang":
            self.server.released.wait(60)
            self.close_connection = True
        elif answer == "close":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif answer == "garbage":
            self.close_connection = True
            self.wfile.write(b"\x00\xff\x16\x03 what is this?\r\n\r\n" * 10)
        else:
            status, headers, text = answer if isinstance(answer, tuple) else (answer, {}, "")
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())


class Receiver(http.server.ThreadingHTTPServer):
    """Answers: a status, (status, headers, text), "hang", "close", "garbage", or a function of the request that gives one of these.
    First those of `plan`, one a request, then `otherwise`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port=0, context=None):
        self.lock = threading.Lock()
        self.plan, self.requests, self.otherwise = [], [], 200
        self.released = threading.Event()
        super().__init__(("127.0.0.1", port), Handler)
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"http{'s' if context else ''}://localhost:{self.server_port}/hook" if context else f"http://127.0.0.1:{self.server_port}/hook"
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def handle_error(self, request, address):
        pass  # a client that was killed, or did not like the certificate

    def stop(self):
        self.released.set()
        self.shutdown()
        self.server_close()

    def taken(self):
        """The requests that were answered with 2xx."""
        with self.lock:
            return [request for request in self.requests if (request.answer[0] if isinstance(request.answer, tuple) else request.answer) in range(200, 300)]
