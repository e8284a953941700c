"""Every example in client/examples/ runs, prints what it promises, and leaves its calls in the log."""

import re

import harness

EXAMPLES = {  # what it prints, and the (call_type, status, cache_hit) that it leaves
    "plain": (r"You said: What is shorthand\?", [("completion", "success", 0)]),
    "streamed": (r"You said", [("completion", "success", 0)]),
    "async": (r".", [("acompletion", "success", 0)]),
    "embeddings": (r"8 numbers each, cosine -?\d\.\d{4}", [("embedding", "success", 0)]),
    "tools": (r"You said: \{\"celsius\": 21", [("completion", "success", 0)] * 2),
    "cached": (r"from the provider: .*\nfrom the cache: ", [("completion", "success", 0), ("completion", "success", 1)]),
    # the asynchronous hook's line comes before or after the other's
    "hooks": (r"(?s)asking gpt-4o-mini\n(?=.*HTTP 200, \$0\.\d+)(?=.*gpt-4o-mini 0\.0000\d+).*in all", [("completion", "success", 0)]),
    "metadata": (r"call [0-9a-f-]{36}", [("completion", "success", 0)]),
}


class Examples(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.url = self.start_provider()
        self.start_daemon()

    def run_example(self, name, *args):
        result = self.run_program(str(harness.BIN / "examples" / name), *args)
        self.assertTrue(self.control("flush")["ok"])
        return result.stdout

    def calls(self):
        return [(row["call_type"], row["status"], row["cache_hit"]) for row in self.sql("SELECT * FROM calls ORDER BY started_at")]

    def test_each_does_what_it_says(self):
        seen = 0
        for name, (printed, calls) in EXAMPLES.items():
            with self.subTest(name):
                self.assertRegex(self.run_example(name), printed)
                found = self.calls()[seen:]
                seen += len(found)
                self.assertEqual(set(found), set(calls))

    def test_fallbacks(self):
        broken = self.url.removesuffix("/v1") + "/faults/status=503/v1"
        self.assertRegex(self.run_example("fallbacks", broken), r"^gpt-4o-2024-08-06: You said: Who are you\?")
        (call,) = self.sql("SELECT * FROM calls")
        self.assertEqual((call["model"], call["attempts"]), ("gpt-4o", 4))

    def test_each_is_short_and_there_is_no_other(self):
        sources = {path.stem: path.read_text() for path in (harness.SOURCE / "client" / "examples").glob("*.c")}
        self.assertEqual(set(sources), set(EXAMPLES) | {"fallbacks", "emit", "demo"})
        for name, source in sources.items():
            if name != "demo":  # the main job's
                self.assertLessEqual(len(source.splitlines()), 60, name)

    def test_metadata_is_found_again(self):
        self.run_example("metadata")
        result = self.steno("query", "SELECT app, user, session_id FROM calls WHERE metadata ->> 'ticket' = '4711'", "--json")
        self.assertTrue(re.search(r'"helpdesk".*"alice".*"chat-17"', result.stdout), result.stdout)


if __name__ == "__main__":
    harness.main()
