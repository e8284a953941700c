"""Calls over HTTP as it is in the world: other hosts, redirects, proxies, compressed replies, dates, odd base URLs. Seen from both ends: by a server
of the test's own, and in the log."""

import email.utils
import gzip
import http.server
import json
import re
import socket
import ssl
import subprocess
import threading
import time

import harness
import msgpack

KEY = "sk-test-0123456789abcdef"
REPLY = json.dumps({"id": "c1", "object": "chat.completion", "created": 7, "model": "m", "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "Well said."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}).encode()
STREAM = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in (
    {"id": "c1", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Well "}}]},
    {"id": "c1", "choices": [{"index": 0, "delta": {"content": "said."}, "finish_reason": "stop"}]})) + b"data: [DONE]\n\n"


class Server(http.server.ThreadingHTTPServer):
    """Notes each request as (request line, headers, body) and answers with the next of `answers`, the last of them for ever."""

    daemon_threads = True

    def handle_error(self, *_):  # a client that went away
        pass

    def __init__(self, *answers, host="127.0.0.1", tls=None):
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, 0), Handler)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.answers, self.seen = list(answers) or [(200, {}, REPLY)], []
        shown = f"[{host}]" if ":" in host else host
        self.host = f"{shown}:{self.server_address[1]}"
        self.url = f"http://{self.host}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.requestline, dict(self.headers.items()), body))
        status, headers, reply = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value() if callable(value) else value)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    do_GET = do_POST

    def log_message(self, *_):
        pass


class CallHttp(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.env.update(OPENAI_API_KEY=KEY)
        self.start_daemon()

    def serve(self, *answers, **options):
        server = Server(*answers, **options)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def complete(self, *args, check=True, model="gpt-4o-mini"):
        result = self.steno("complete", "-m", model, *args, "hello", check=check)
        self.assertTrue(self.control("flush")["ok"])
        return result

    def call(self):
        (call,) = self.sql("SELECT * FROM calls")
        return call

    def everything(self):
        return repr([msgpack.unpackb(row["body"]) for row in self.sql("SELECT body FROM event")]) + repr(self.sql("SELECT * FROM calls"))

    # ---- keys stay with their host ----

    def test_a_key_does_not_follow_a_redirect(self):
        for status in (301, 302, 303, 307, 308):
            with self.subTest(status):
                other = self.serve()
                first = self.serve((status, {"Location": f"{other.url}/v1/chat/completions"}, b""))
                result = self.complete("--base-url", f"{first.url}/v1", check=False)
                self.assertIn("redirects", result.stderr)
                self.assertEqual((len(first.seen), other.seen), (1, []))

    def test_the_base_url_of_a_call_is_not_that_of_its_fallbacks(self):
        first, other = self.serve((500, {}, b"{}")), self.serve()
        self.env.update(GROQ_API_KEY="gsk-0123456789abcdefgh", GROQ_BASE_URL=f"{other.url}/v1")
        self.complete("--base-url", f"{first.url}/v1", "--fallback", "groq/llama")
        self.assertEqual([headers["Authorization"] for _, headers, _ in first.seen], [f"Bearer {KEY}"])
        self.assertEqual([headers["Authorization"] for _, headers, _ in other.seen], ["Bearer gsk-0123456789abcdefgh"])

    def test_a_secret_header_stays_with_the_provider_that_it_was_given_for(self):
        first, other = self.serve((500, {}, b"{}")), self.serve()
        self.env.update(OPENAI_BASE_URL=f"{first.url}/v1", GROQ_API_KEY="gsk-0123456789abcdefgh", GROQ_BASE_URL=f"{other.url}/v1")
        self.complete("--header", "X-Gateway-Token: 0123456789secret", "--header", "X-Team: blue", "--fallback", "gpt-4o", "--fallback", "groq/llama")
        self.assertEqual([headers.get("X-Gateway-Token") for _, headers, _ in first.seen], ["0123456789secret"] * 2)  # gpt-4o is OpenAI's too
        self.assertEqual([(headers.get("X-Gateway-Token"), headers["X-Team"]) for _, headers, _ in other.seen], [(None, "blue")])
        self.assertNotIn("0123456789secret", self.everything())

    def test_a_secret_header_that_a_reply_repeats_is_masked(self):
        server = self.serve((400, {}, b'{"error":{"message":"The token 0123456789secret is not known."}}'))
        result = self.complete("--header", "X-Gateway-Token: 0123456789secret", "--base-url", f"{server.url}/v1", check=False)
        self.assertIn("The token ************cret is not known.", result.stderr)
        self.assertNotIn("0123456789secret", self.everything())

    def test_a_header_of_the_caller_replaces_ours(self):
        server = self.serve()
        self.env.update(ANTHROPIC_API_KEY="sk-ant-0123456789abcdef", ANTHROPIC_BASE_URL=server.url)
        self.complete("--header", "Anthropic-Version: 2099-01-01", "--header", "content-type: application/json; charset=utf-8",
                      model="anthropic/claude-haiku-4-5", check=False)
        self.complete("--header", "Authorization: Basic c2VjcmV0LWluLWEtaGVhZGVy", "--base-url", f"{server.url}/v1")
        for _, headers, _ in server.seen:
            names = [name.lower() for name in headers]
            self.assertEqual(len(names), len(set(names)), headers)
        lower = [{name.lower(): value for name, value in headers.items()} for _, headers, _ in server.seen]
        self.assertEqual((lower[0]["anthropic-version"], lower[0]["content-type"]), ("2099-01-01", "application/json; charset=utf-8"))
        self.assertEqual(lower[1]["authorization"], "Basic c2VjcmV0LWluLWEtaGVhZGVy")
        self.assertNotIn("c2VjcmV0LWluLWEtaGVhZG", self.everything())

    def test_headers_are_part_of_what_the_cache_is_asked_for(self):
        server = self.serve()
        for header, requests in (("X-Beta: a", 1), ("X-Beta: a", 1), ("X-Beta: b", 2)):
            self.complete("--cache", f"sqlite:{self.dir}/cache.db", "--header", header, "--base-url", f"{server.url}/v1")
            self.assertEqual(len(server.seen), requests, header)

    # ---- TLS ----

    def serve_tls(self, subject):
        """A server with a certificate of its own making, and that certificate's file."""
        key, certificate = self.dir / f"{subject}.key", self.dir / f"{subject}.pem"
        kind = "IP" if subject[0].isdigit() else "DNS"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", f"/CN={subject}", "-addext", f"subjectAltName={kind}:{subject}"],
                       check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server = self.serve(tls=context)
        return server, f"https://{server.host}/v1", certificate

    def test_a_server_that_nobody_vouches_for_gets_no_request(self):
        for subject, known in (("127.0.0.1", False), ("elsewhere.invalid", True)):  # of its own making, and another's
            with self.subTest(subject):
                server, url, certificate = self.serve_tls(subject)
                self.env.pop("SSL_CERT_FILE", None)
                if known:
                    self.env["SSL_CERT_FILE"] = str(certificate)
                result = self.complete("--retries", 3, "--base-url", url, check=False)
                self.assertIn("no trusted TLS connection to https://127.0.0.1", result.stderr)
                self.assertIn("SSL_CERT_FILE", result.stderr)
                self.assertEqual(server.seen, [])
        self.assertEqual(self.sql("SELECT DISTINCT error_type, error_status, attempts FROM calls"), [{"error_type": "Connection", "error_status": None, "attempts": 1}])

    def test_a_certificate_of_the_users_own_is_trusted(self):
        server, url, certificate = self.serve_tls("127.0.0.1")
        self.env["SSL_CERT_FILE"] = str(certificate)
        self.assertEqual(self.complete("--base-url", url).stdout, "Well said.\n")
        self.env["SSL_CERT_FILE"] = str(self.dir / "none.pem")
        self.assertIn("SSL_CERT_FILE", self.complete("--base-url", url, check=False).stderr)

    # ---- addresses ----

    def test_base_urls_in_every_form(self):
        for suffix, path in (("/v1", "/v1/chat/completions"), ("/v1/", "/v1/chat/completions"), ("/v1//", "/v1/chat/completions"), ("", "/chat/completions"),
                             ("/a/b%20c/v1", "/a/b%20c/v1/chat/completions"), ("/v1?x=1&y=a%2Fb", "/v1/chat/completions?x=1&y=a%2Fb"),
                             ("/v1/?x=1", "/v1/chat/completions?x=1"), ("/v1#part", "/v1/chat/completions")):
            with self.subTest(suffix):
                server = self.serve()
                self.complete("--base-url", server.url + suffix)
                self.assertEqual([line for line, _, _ in server.seen], [f"POST {path} HTTP/1.1"])

    def test_a_password_in_a_base_url_is_used_and_not_logged(self):
        server = self.serve((403, {}, b'{"error":{"message":"no"}}'))
        self.complete("--base-url", server.url.replace("//", "//alice:hunter2hunter2@") + "/v1?token=hunter3hunter3", check=False)
        self.assertIn("token=hunter3hunter3", server.seen[0][0])
        self.assertNotRegex(self.everything(), "hunter[23]")
        result = self.complete("--base-url", "http://alice:hunter2hunter2@127.0.0.1:1/v1?token=hunter3hunter3", check=False)
        self.assertNotRegex(result.stderr, "hunter[23]")
        self.assertNotRegex(self.everything(), "hunter[23]")

    def test_ipv6(self):
        try:
            server = self.serve(host="::1")
        except OSError as error:
            self.skipTest(f"this machine has no IPv6: {error}")
        self.assertEqual(self.complete("--base-url", f"{server.url}/v1").stdout, "Well said.\n")
        self.assertEqual(self.call()["status"], "success")

    def test_what_ollama_host_means(self):
        """As Ollama's own programs read it: the scheme and the port may be left out, a path may follow."""
        reply = json.dumps({"model": "m", "message": {"role": "assistant", "content": "Well said."}, "done": True, "done_reason": "stop"}).encode()
        server = self.serve((200, {}, reply))
        port = server.server_address[1]
        for host, path in ((f"127.0.0.1:{port}", ""), (f":{port}", ""), (f"0.0.0.0:{port}", ""), (f"localhost:{port}/base", "/base"), (f"http://127.0.0.1:{port}/base/", "/base")):
            with self.subTest(host):
                self.env.update(OLLAMA_HOST=host)
                self.assertEqual(self.complete(model="ollama/m").stdout, "Well said.\n")
                self.assertEqual(server.seen[-1][0], f"POST {path}/api/chat HTTP/1.1")
        for host, shown in (("nowhere.invalid", "http://nowhere.invalid:11434"), ("nowhere.invalid/base", "http://nowhere.invalid:11434/base"),
                            ("http://nowhere.invalid", "http://nowhere.invalid"), ("[::1]", "http://[::1]:11434"), ("::1", "http://[::1]:11434"), ("[::1]:9", "http://[::1]:9")):
            with self.subTest(host):
                self.env.update(OLLAMA_HOST=host, no_proxy="*")
                self.assertIn(f"cannot reach {shown}: ", self.complete(model="ollama/m", check=False).stderr)

    # ---- proxies ----

    def test_a_proxy_is_used_where_the_environment_names_one(self):
        proxy = self.serve()
        self.env.update(http_proxy=proxy.url)
        self.assertEqual(self.complete("--base-url", "http://provider.invalid/v1").stdout, "Well said.\n")
        self.assertEqual(proxy.seen[0][0], "POST http://provider.invalid/v1/chat/completions HTTP/1.1")
        server = self.serve()
        self.env.update(no_proxy="127.0.0.1")
        self.complete("--base-url", f"{server.url}/v1")
        self.assertEqual((len(proxy.seen), len(server.seen)), (1, 1))

    def test_a_proxy_that_is_not_there_is_named(self):
        self.env.update(https_proxy="http://127.0.0.1:1")
        self.assertIn("127.0.0.1 port 1", self.complete("--base-url", "https://provider.invalid/v1", check=False).stderr)
        self.assertEqual(self.call()["error_type"], "Connection")

    def test_a_key_does_not_go_to_the_proxy_of_an_encrypted_call(self):
        lines = []
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def refuse():
            peer, _ = listener.accept()
            with peer:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += peer.recv(65536)
                lines.append(head)
                peer.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        self.env.update(https_proxy=f"http://127.0.0.1:{listener.getsockname()[1]}")
        result = self.complete("--base-url", "https://provider.invalid/v1", check=False)
        thread.join(harness.PATIENCE)
        self.assertTrue(lines[0].startswith(b"CONNECT provider.invalid:443 "), lines)
        self.assertNotIn(b"0123456789abcdef", lines[0])
        self.assertIn("407", result.stderr)
        self.assertEqual(self.call()["error_type"], "Connection")

    # ---- replies ----

    def test_compressed_replies(self):
        headers = {"Content-Encoding": "gzip"}
        server = self.serve((200, headers, gzip.compress(REPLY)))
        self.assertEqual(self.complete("--base-url", f"{server.url}/v1").stdout, "Well said.\n")
        self.assertIn("gzip", server.seen[0][1]["Accept-Encoding"])
        server = self.serve((200, {**headers, "Content-Type": "text/event-stream"}, gzip.compress(STREAM)))
        self.assertEqual(self.complete("-s", "--base-url", f"{server.url}/v1").stdout, "Well said.\n")
        server = self.serve((429, headers, gzip.compress(b'{"error":{"message":"Slower, please."}}')))
        self.assertIn("Slower, please.", self.complete("--base-url", f"{server.url}/v1", check=False).stderr)
        self.assertIn("Well said.", self.everything())
        server = self.serve((200, headers, gzip.compress(REPLY)[:-12]))
        self.complete("--base-url", f"{server.url}/v1", check=False)
        self.assertEqual(self.sql("SELECT error_type FROM calls ORDER BY started_at DESC LIMIT 1"), [{"error_type": "MalformedResponse"}])

    def test_retry_after_is_seconds_a_date_or_milliseconds(self):
        in_two = lambda: email.utils.formatdate(time.time() + 2, usegmt=True)  # whole seconds: it may be as little as one
        for header, value, least in (("Retry-After", "1", 0.99), ("Retry-After", in_two, 0.9), ("retry-after-ms", "700", 0.69)):
            with self.subTest(f"{header}: {value}"):
                server = self.serve((429, {header: value}, b"{}"), (200, {}, REPLY))
                self.complete("--retries", 1, "--base-url", f"{server.url}/v1")
                (call,) = self.sql("SELECT * FROM calls ORDER BY started_at DESC LIMIT 1")
                self.assertEqual((call["status"], call["attempts"]), ("success", 2))
                self.assertGreaterEqual(call["latency_ms"], least * 1000)

    def test_a_date_that_is_past_or_no_date_at_all_is_no_pause(self):
        for value in ("Sun, 06 Nov 1994 08:49:37 GMT", "-5", "soon", ""):
            with self.subTest(value):
                server = self.serve((503, {"Retry-After": value}, b"{}"), (200, {}, REPLY))
                self.complete("--retries", 1, "--base-url", f"{server.url}/v1")
                self.assertEqual(len(server.seen), 2)

    def test_a_time_limit_is_told_as_it_was(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:  # accepts in its queue, and never answers
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
            result = self.complete("--timeout", "0.7", "--retries", "2", "--base-url", url, check=False)
        self.assertRegex(result.stderr, r"Timeout \(openai\): no complete answer from \S+ within 700 ms")


if __name__ == "__main__":
    harness.main()
