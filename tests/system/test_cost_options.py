"""steno-cost --estimate and --log: what they add, that it is marked, and that nothing about it keeps a cost from being stored."""

import json
import os
import re
import shutil
import signal
import subprocess

import harness
from harness import wait_for
from test_budgets import Budgets

USAGE = {"prompt_tokens": 1000, "completion_tokens": 100}
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \S+ (\d+\.\d{8}|unknown) (table|reported|estimated|cache|unknown)\n")


class CostTest(Budgets):
    def setUp(self):
        super().setUp()
        self.start_daemon()
        self.out = self.publisher()

    def call(self, event="success", model="gpt-4o-mini", **fields):
        self.spend(self.out, fields.pop("response_cost", None), event=event, model=model, **fields)

    def priced(self):
        self.wait_for_rows(self.seq, "SELECT 1 FROM cost")


class Estimates(CostTest):
    MESSAGES = [{"role": "user", "content": "x" * 401}, {"role": "user", "content": [{"type": "text", "text": "äö"}]}]  # 405 bytes: 102 tokens, and 4 a message
    RESPONSE = {"choices": [{"message": {"role": "assistant", "content": "y" * 40}}]}

    def source(self, number):
        return self.sql("SELECT source FROM cost WHERE call_id = ?", f"call-{number}")[0]["source"]

    def test_only_where_it_is_switched_on(self):
        self.start_cost()
        self.call(messages=self.MESSAGES, response=self.RESPONSE)
        self.priced()
        self.assertEqual(self.source(1), "unknown")

    def test_texts_are_counted_and_the_cost_is_marked_everywhere(self):
        self.start_cost("--estimate")
        self.call(messages=self.MESSAGES, response=self.RESPONSE)
        self.call(messages=self.MESSAGES, response=self.RESPONSE, provider="anthropic", model="claude-sonnet-4-5")
        self.call(messages=self.MESSAGES, response=self.RESPONSE, usage=USAGE)
        self.call(messages=self.MESSAGES, response=self.RESPONSE, usage={"prompt_tokens": 7})
        tools = [{"type": "function", "function": {"name": "f"}}]  # 48 bytes as JSON
        self.call(messages=[{"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "abcd", "arguments": "{\"a\":1} "}}]}], optional_params={"tools": tools},
                  response={"choices": [{"message": {"content": None, "tool_calls": [{"function": {"name": "abcd", "arguments": "12345678"}}]}}]})
        self.call(provider="openai", model="text-embedding-3-small", input=["abcd", "abcdefgh"], response={"data": []})
        self.call(event="failure", messages=self.MESSAGES, response=self.RESPONSE, error={"type": "Connection"})
        self.priced()
        rows = self.sql("SELECT * FROM cost ORDER BY offset")
        self.assertEqual([row["source"] for row in rows], ["estimated", "estimated", "table", "estimated", "estimated", "estimated", "estimated"])
        tokens = [(counts["prompt_tokens"], counts["completion_tokens"]) if (counts := json.loads(row["facts"] or "{}").get("estimated")) else None for row in rows]
        bytes_of_tools = len(json.dumps(tools, separators=(",", ":")))
        self.assertEqual(tokens, [(102 + 8, 10), (116 + 8, 12), None, (7, 10), (-(-(12 + bytes_of_tools) // 4) + 4, 3), (3, 0), (102 + 8, 10)])
        self.assertEqual(rows[0]["pico_dollars"], 110 * 150000 + 10 * 600000)
        self.assertEqual(self.sql("SELECT prompt_tokens p FROM calls WHERE cost_source = 'estimated' LIMIT 1"), [{"p": None}])
        self.check_spend()
        # Seen wherever a sum is.
        self.assertRegex(self.steno("cost").stdout, r"ESTIMATED.*\n(.*\n)*total +7 .* 6 *\n")
        self.assertEqual(sum(row["estimated_calls"] for row in json.loads(self.steno("cost", "--json").stdout)), 6)
        call_id = rows[0]["call_id"]
        self.assertIn("estimated", self.steno("show", call_id).stdout)
        self.assertIn("~$", self.steno("logs").stdout)
        self.assertEqual(json.loads(self.steno("logs", "--json", "-n", "1").stdout)[0]["cost_source"], "estimated")
        self.budget("set", "--scope", "all", "--limit", "1")
        self.assertEqual(self.listed()["all-month"]["estimated_calls"], 6)

    def test_what_cannot_be_estimated_stays_unknown(self):
        self.start_cost("--estimate")
        image = [{"role": "user", "content": [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": "data:…"}}]}]
        self.call(messages=image, response=self.RESPONSE)
        self.call(messages=self.MESSAGES, response=self.RESPONSE, redacted=["messages"])
        self.call(messages=self.MESSAGES, response=self.RESPONSE, truncated={"messages": 99999999})
        self.call(messages=self.MESSAGES)
        self.call(response=self.RESPONSE)
        self.call(event="failure", messages=self.MESSAGES, error={"type": "RateLimit"})
        self.call(input=[1, 2, 3], response={"data": []})
        self.call(messages=self.MESSAGES, response=self.RESPONSE, model="nobody-knows")
        self.priced()
        self.assertEqual({row["source"] for row in self.sql("SELECT source FROM cost")}, {"unknown"})
        # Until there is a price.
        (self.dir / "prices").mkdir(mode=0o700)
        (self.dir / "prices" / "own.json").write_text('{"nobody-knows": {"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6}}')
        self.steno("recost")
        self.assertEqual([self.source(number + 1) for number in range(8)], ["unknown"] * 7 + ["estimated"])
        self.assertEqual(self.sql("SELECT pico_dollars p FROM cost WHERE call_id = 'call-8'"), [{"p": 120 * 1000000}])
        self.check_spend()
        (self.dir / "prices" / "own.json").unlink()
        # What somebody knows comes before what is estimated.
        self.call(messages=self.MESSAGES, response=self.RESPONSE, model="nobody-heard-of", response_cost=0.5)
        self.priced()
        self.assertEqual(self.source(self.seq), "reported")


class LogFile(CostTest):
    def setUp(self):
        super().setUp()
        self.path = self.dir / "cost.log"

    def lines(self, path=None):
        path = path or self.path
        return path.read_text().splitlines(keepends=True) if path.exists() else []

    def wait_for_lines(self, count, path=None):
        return wait_for(lambda: len(lines := self.lines(path)) >= count and lines, f"{count} lines, not {self.lines(path)}" + self.logs())

    def test_a_line_a_call_and_none_twice(self):
        cost = self.start_cost("--log", self.path)
        self.call(usage=USAGE, end_time=1700000000.25)
        self.call(usage=USAGE, cache_hit=True)
        self.call(model="nobody knows\n", response_cost=12.000000005)
        self.call(model="nobody-knows")
        self.wait_for_lines(4)
        lines = self.lines()
        for line in lines:
            self.assertRegex(line, LINE)
        self.assertEqual(lines[0], "2023-11-14T22:13:20.250Z gpt-4o-mini 0.00021000 table\n")
        self.assertTrue(lines[1].endswith(" gpt-4o-mini 0.00000000 cache\n"))
        self.assertTrue(lines[2].endswith("Z nobody_knows_ 12.00000001 reported\n"), lines[2])
        self.assertTrue(lines[3].endswith(" nobody-knows unknown unknown\n"))
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.steno("replay", "--to", "steno-cost", "--from", "beginning")
        self.call(usage=USAGE)
        self.wait_for_lines(5)
        self.priced()
        self.assertEqual(self.stop(cost), 0)
        self.start_cost("--log", self.path)
        self.call(usage=USAGE)
        self.wait_for_lines(6)
        self.assertEqual(len(self.lines()), 6)

    def test_sighup_opens_it_anew(self):
        cost = self.start_cost("--log", self.path)
        self.call(usage=USAGE)
        self.wait_for_lines(1)
        self.path.rename(self.dir / "cost.log.1")
        self.call(usage=USAGE)
        self.wait_for_lines(2, self.dir / "cost.log.1")
        cost.send_signal(signal.SIGHUP)
        wait_for(self.path.exists, "the new file")
        self.call(usage=USAGE)
        self.wait_for_lines(1)
        self.assertEqual(len(self.lines(self.dir / "cost.log.1")), 2)
        self.assertIsNone(cost.poll())

    def test_without_a_log_file_sighup_is_nothing(self):
        cost = self.start_cost()
        self.call(usage=USAGE)
        self.priced()
        cost.send_signal(signal.SIGHUP)
        self.call(usage=USAGE)
        self.priced()
        self.assertIsNone(cost.poll())

    def test_logrotate_itself(self):
        if not shutil.which("logrotate", path="/usr/sbin:/usr/bin"):
            self.skipTest("no logrotate here")
        cost = self.start_cost("--log", self.path)
        self.call(usage=USAGE)
        self.wait_for_lines(1)
        (self.dir / "logrotate.conf").write_text(f"{self.path} {{\n rotate 2\n postrotate\n kill -HUP {cost.pid}\n endscript\n}}\n")
        subprocess.run(["/usr/sbin/logrotate", "-f", "-s", self.dir / "logrotate.state", self.dir / "logrotate.conf"], check=True)
        wait_for(self.path.exists, "the new file")
        self.call(usage=USAGE)
        self.wait_for_lines(1)
        self.assertEqual(len(self.lines(self.dir / "cost.log.1")), 1)

    def test_an_unwritable_file_is_told_at_the_start(self):
        result = self.run_program("steno-cost", "--log", self.dir / "nowhere" / "cost.log", check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("cannot open the log file", result.stderr)

    def test_a_full_device_stops_no_cost(self):
        self.start_cost("--log", "/dev/full")
        for _ in range(50):
            self.call(usage=USAGE)
        self.priced()
        said = lambda: (self.dir / "steno-cost.log").read_text().count("cannot write to /dev/full: No space left on device")
        wait_for(said, "a complaint")  # lines are written after the costs are
        self.assertEqual(said(), 1)

    def test_a_folder_that_goes_away_and_comes_back(self):
        folder = self.dir / "logs"
        folder.mkdir()
        self.path = folder / "cost.log"
        cost = self.start_cost("--log", self.path)
        self.call(usage=USAGE)
        self.wait_for_lines(1)
        shutil.rmtree(folder)
        cost.send_signal(signal.SIGHUP)
        wait_for(lambda: "cannot open" in (self.dir / "steno-cost.log").read_text(), "a complaint")
        for _ in range(2):  # once the second is stored, the line of the first was tried; its own perhaps not yet
            self.call(usage=USAGE)
            self.priced()
        folder.mkdir()
        self.call(usage=USAGE)
        self.wait_for_lines(1)
        wait_for(lambda: re.search("takes lines again: [12] are missing", (self.dir / "steno-cost.log").read_text()), "to be told what is missing")

    def test_a_pipe_that_nobody_reads_holds_nothing_up(self):
        os.mkfifo(self.path)
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        self.start_cost("--log", self.path)
        for _ in range(3000):
            self.call(usage=USAGE)
        self.priced()
        # Whole lines, except where one was torn by the lack of room; what comes after begins anew.
        wait_for(lambda: "cannot write to" in (self.dir / "steno-cost.log").read_text(), "a complaint")


if __name__ == "__main__":
    import unittest

    unittest.main(argv=["test_cost_options", "-v"], defaultTest=["Estimates", "LogFile"])
