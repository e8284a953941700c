"""The environment variables of the vendors, one by one, with the meaning that their own SDKs give them: seen by a server of the test's own, as what
it is asked, and with which headers."""

import harness
import test_call_http

KEY = "key-0123456789abcdef"
BEARER = ("Authorization", f"Bearer {KEY}")
CHAT = "/chat/completions"
AWS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}
ORGANIZATION, PROJECT = ("OpenAI-Organization", "org-1"), ("OpenAI-Project", "proj-1")
# Model, variables ({} is the server's address, [] its host), the path that is asked for, and headers that are among the request's; None: that are not.
CASES = [
    ("gpt-4o", {"OPENAI_BASE_URL": "{}/v1", "OPENAI_API_KEY": KEY}, f"/v1{CHAT}", [BEARER, ("OpenAI-Organization", None), ("OpenAI-Project", None)]),
    ("gpt-4o", {"OPENAI_BASE_URL": "{}/v1", "OPENAI_API_KEY": KEY, "OPENAI_ORG_ID": "org-1"}, f"/v1{CHAT}", [BEARER, ORGANIZATION, ("OpenAI-Project", None)]),
    ("gpt-4o", {"OPENAI_BASE_URL": "{}/v1", "OPENAI_API_KEY": KEY, "OPENAI_PROJECT_ID": "proj-1"}, f"/v1{CHAT}", [("OpenAI-Organization", None), PROJECT]),
    ("openai/responses/gpt-5", {"OPENAI_BASE_URL": "{}/v1", "OPENAI_API_KEY": KEY, "OPENAI_ORG_ID": "org-1", "OPENAI_PROJECT_ID": "proj-1"}, "/v1/responses", [ORGANIZATION, PROJECT]),
    ("gpt-4o", {"OPENAI_BASE_URL": "{}/v1", "OPENAI_API_KEY": KEY, "OPENAI_ORG_ID": ""}, f"/v1{CHAT}", [("OpenAI-Organization", None)]),
    ("anthropic/m", {"ANTHROPIC_BASE_URL": "{}", "ANTHROPIC_API_KEY": KEY}, "/v1/messages", [("x-api-key", KEY), ("Authorization", None)]),
    ("anthropic/m", {"ANTHROPIC_BASE_URL": "{}", "ANTHROPIC_AUTH_TOKEN": KEY}, "/v1/messages", [("x-api-key", None), BEARER]),
    ("gemini/m", {"GEMINI_BASE_URL": "{}", "GEMINI_API_KEY": KEY}, "/v1beta/models/m:generateContent", [("x-goog-api-key", KEY)]),
    ("gemini/m", {"GEMINI_BASE_URL": "{}", "GOOGLE_API_KEY": KEY}, "/v1beta/models/m:generateContent", [("x-goog-api-key", KEY)]),
    ("gemini/m", {"GOOGLE_GEMINI_BASE_URL": "{}", "GOOGLE_API_KEY": KEY}, "/v1beta/models/m:generateContent", [("x-goog-api-key", KEY)]),
    ("azure/m", {"AZURE_API_BASE": "{}", "AZURE_API_KEY": KEY}, f"/openai/v1{CHAT}", [("api-key", KEY), ("Authorization", None)]),
    ("azure/m", {"AZURE_OPENAI_ENDPOINT": "{}", "AZURE_OPENAI_API_KEY": KEY}, f"/openai/v1{CHAT}", [("api-key", KEY)]),
    ("azure/m", {"AZURE_API_BASE": "{}", "AZURE_OPENAI_AD_TOKEN": KEY}, f"/openai/v1{CHAT}", [("api-key", None), BEARER]),
    ("azure/m", {"AZURE_API_BASE": "{}", "AZURE_API_KEY": KEY, "AZURE_API_VERSION": "2024-10-21"}, f"/openai/deployments/m{CHAT}?api-version=2024-10-21", [("api-key", KEY)]),
    ("azure/m", {"AZURE_OPENAI_ENDPOINT": "{}", "AZURE_OPENAI_API_KEY": KEY, "OPENAI_API_VERSION": "2024-10-21"}, f"/openai/deployments/m{CHAT}?api-version=2024-10-21", [("api-key", KEY)]),
    ("azure/m", {"AZURE_API_BASE": "{}", "AZURE_API_KEY": KEY, "OPENAI_ORG_ID": "org-1", "OPENAI_PROJECT_ID": "proj-1"}, f"/openai/v1{CHAT}", [("OpenAI-Organization", None), ("OpenAI-Project", None)]),
    ("ollama/m", {"OLLAMA_HOST": "[]"}, "/api/chat", [("Authorization", None)]),
    ("ollama/m", {"OLLAMA_BASE_URL": "{}", "OLLAMA_API_KEY": KEY}, "/api/chat", [BEARER]),
    ("bedrock/m", {"BEDROCK_BASE_URL": "{}", **AWS, "AWS_REGION": "eu-west-3"}, "/model/m/converse", [("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), ("Authorization", "/eu-west-3/bedrock/aws4_request"), ("X-Amz-Security-Token", None)]),
    ("bedrock/m", {"BEDROCK_BASE_URL": "{}", **AWS, "AWS_DEFAULT_REGION": "eu-west-3", "AWS_SESSION_TOKEN": "session-1"}, "/model/m/converse", [("Authorization", "/eu-west-3/bedrock/"), ("X-Amz-Security-Token", "session-1")]),
    ("bedrock/m", {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "{}", "AWS_BEARER_TOKEN_BEDROCK": KEY}, "/model/m/converse", [BEARER]),
    ("cohere/m", {"COHERE_BASE_URL": "{}", "COHERE_API_KEY": KEY}, "/v2/chat", [BEARER]),
    ("cohere/m", {"CO_API_URL": "{}", "CO_API_KEY": KEY}, "/v2/chat", [BEARER]),
    ("groq/m", {"GROQ_BASE_URL": "{}", "GROQ_API_KEY": KEY}, f"/openai/v1{CHAT}", [BEARER]),
    ("groq/m", {"GROQ_BASE_URL": "{}/proxy", "GROQ_API_KEY": KEY}, f"/proxy{CHAT}", [BEARER]),
    ("cerebras/m", {"CEREBRAS_BASE_URL": "{}/", "CEREBRAS_API_KEY": KEY}, f"/v1{CHAT}", [BEARER]),
    ("together/m", {"TOGETHER_BASE_URL": "{}/v1", "TOGETHER_API_KEY": KEY}, f"/v1{CHAT}", [BEARER]),
    ("groq/m", {"GROQ_BASE_URL": "{}/openai/v1", "GROQ_API_KEY": KEY, "OPENAI_API_KEY": "another", "OPENAI_ORG_ID": "org-1", "OPENAI_PROJECT_ID": "proj-1"}, f"/openai/v1{CHAT}", [BEARER, ("OpenAI-Organization", None), ("OpenAI-Project", None)]),
]
ACCOUNT = ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID")


class Variables(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.bare = dict(self.env)

    def serve(self, *answers):
        server = test_call_http.Server(*answers)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def ask(self, *args, **variables):
        return self.steno("complete", *args, "hello", env={**self.bare, **variables}, check=False)

    def openai(self, server, *args, **variables):
        return self.ask(*(() if "-m" in args else ("-m", "gpt-4o")), *args, **{"OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": KEY, "OPENAI_ORG_ID": "org-1", "OPENAI_PROJECT_ID": "proj-1", **variables})

    def account(self, server):
        return [tuple(headers.get(name) for name, _ in (ORGANIZATION, PROJECT)) for _, headers, _ in server.seen]

    def test_each_by_itself(self):
        server = self.serve()
        for model, variables, path, headers in CASES:
            with self.subTest(f"{model}: {' '.join(variables)}"):
                server.seen.clear()
                result = self.ask("-m", model, **{name: value.replace("{}", server.url).replace("[]", server.host) for name, value in variables.items()})
                self.assertEqual(len(server.seen), 1, result.stderr)
                line, seen, _ = server.seen[0]
                self.assertEqual(line, f"POST {path} HTTP/1.1")
                seen = {name.lower(): value for name, value in seen.items()}
                for name, value in headers:
                    found = seen.get(name.lower())
                    self.assertTrue(found is None if value is None else found == value or (value.startswith(("AWS4", "/")) and value in found), f"{name}: {found}, not {value}")

    def test_openais_account_is_told_to_openai_alone(self):
        first, other = self.serve((500, {}, b"{}")), self.serve()
        self.openai(first, "--fallback", "groq/m", GROQ_API_KEY=KEY, GROQ_BASE_URL=f"{other.url}/v1")
        self.assertEqual((self.account(first), self.account(other)), ([("org-1", "proj-1")], [(None, None)]))
        # A server that the call names may be anybody's, for a fallback too.
        own, openai = self.serve((500, {}, b"{}")), self.serve()
        self.openai(openai, "--base-url", f"{own.url}/v1", "--fallback", "gpt-4o-mini")
        self.assertEqual((self.account(own), self.account(openai)), ([(None, None)] * 2, []))
        self.openai(openai, "-m", "vllm/m", "--fallback", "gpt-4o", VLLM_BASE_URL=f"{own.url}/v1")
        self.assertEqual((self.account(own), self.account(openai)), ([(None, None)] * 3, [("org-1", "proj-1")]))

    def test_a_header_of_the_call_goes_before_the_variable(self):
        server = self.serve()
        self.openai(server, "--header", "openai-organization: org-2")
        self.assertEqual([[(name, value) for name, value in headers.items() if name.lower().startswith("openai-")] for _, headers, _ in server.seen],
                         [[("OpenAI-Project", "proj-1"), ("openai-organization", "org-2")]])

    def test_what_one_account_paid_for_another_does_not_get(self):
        server = self.serve()
        for organization, asked in (("org-1", 1), ("org-1", 1), ("org-2", 2), ("", 3), ("", 3)):
            self.openai(server, "--cache", f"sqlite:{self.dir}/answers.db", OPENAI_ORG_ID=organization)
            self.assertEqual(len(server.seen), asked)

    def test_what_can_be_no_header_is_refused_by_its_name(self):
        server = self.serve()
        for name in ACCOUNT:
            for value in ("org 1", "org\r\nX-Other: 1", "\x7f"):
                result = self.openai(server, **{name: value})
                self.assertEqual((result.returncode, server.seen), (1, []))
                self.assertIn(f"Authentication (openai): {name} for openai has white space or a control character in it", result.stderr)


if __name__ == "__main__":
    harness.main()
