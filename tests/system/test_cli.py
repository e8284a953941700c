"""steno from outside: what each verb prints, what a person mistypes, and what is not there."""

import json
import os
import re
import signal
import subprocess
import unittest

import msgpack

import harness
from harness import BIN, wait_for, wait_for_count


class Cli(harness.SystemTest):
    def start_all(self):
        self.url = self.start_provider()
        self.daemon = self.start_daemon()

    def stored(self):
        self.steno("flush")

    def expect_error(self, *args, status=1, says=(), **options):
        """The command fails with one clear message on stderr and nothing on stdout."""
        result = self.steno(*args, check=False, **options)
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertTrue(result.stderr.startswith("steno"), result.stderr)
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, result.stderr)
        return result

    # ---- calls ----

    def test_complete_prints_the_text(self):
        self.start_all()
        self.assertEqual(self.steno("complete", "-m", "gpt-4o-mini", "hello").stdout, "You said: hello Thank you for asking.\n")
        self.assertIn("piped", self.steno("complete", "-m", "gpt-4o-mini", input="piped\n").stdout)
        self.assertEqual(
            self.steno("complete", "-m", "gpt-4o-mini", "--stream", "hi").stdout, "You said: hi Thank you for asking.\n"
        )
        reply = json.loads(self.steno("complete", "-m", "gpt-4o-mini", "--json", "hello").stdout)
        self.assertIn("hello", reply["choices"][0]["message"]["content"])

    def test_what_complete_is_told_is_in_the_log(self):
        self.start_all()
        self.steno("complete", "-m", "gpt-4o-mini", "--metadata", "feature=test", "--metadata", "k=v=w", "--tag", "a", "--tag", "b",
                   "--user", "alice", "--session-id", "s1", "--trace-id", "t1", "--system", "Be brief.", "--temperature", "0.5", "hello")
        self.stored()
        (call,) = self.sql("SELECT * FROM calls")
        self.assertEqual(json.loads(call["metadata"]), {"feature": "test", "k": "v=w"})
        self.assertEqual(json.loads(call["tags"]), ["a", "b"])
        self.assertEqual((call["user"], call["session_id"], call["trace_id"]), ("alice", "s1", "t1"))
        self.assertEqual([m["role"] for m in json.loads(call["messages"])], ["system", "user"])

    def test_embed(self):
        self.start_all()
        self.assertIn("8", self.steno("embed", "-m", "text-embedding-3-small", "one", "two").stdout)
        reply = json.loads(self.steno("embed", "-m", "text-embedding-3-small", "--json", "one").stdout)
        self.assertEqual(len(reply["data"][0]["embedding"]), 8)
        self.stored()
        self.assertEqual({row["call_type"] for row in self.sql("SELECT call_type FROM calls")}, {"embedding"})

    def test_a_call_that_fails_says_why(self):
        self.start_all()
        faults = self.url.removesuffix("/v1") + "/faults"
        for fault, says in (("status=429", "simulated"), ("garbage=1", "not JSON"), ("cut_after=20", ""), ("empty=1", "empty")):
            with self.subTest(fault):
                self.expect_error("complete", "-m", "gpt-4o-mini", "--base-url", f"{faults}/{fault}/v1", "x", says=says)
        self.expect_error("complete", "-m", "gpt-4o-mini", "--base-url", "http://127.0.0.1:1/v1", "x", says="127.0.0.1:1")
        self.expect_error("complete", "-m", "gpt-4o-mini", "--timeout", "0.2", "--base-url", f"{faults}/hang=1/v1", "x", says="200 ms")
        del self.env["OPENAI_BASE_URL"]
        self.expect_error("complete", "-m", "opnai/gpt-4o", "x", says=["opnai", "openai", "groq"])
        del self.env["OPENAI_API_KEY"]
        self.expect_error("complete", "-m", "gpt-4o-mini", "x", says="OPENAI_API_KEY")
        self.stored()
        self.assertEqual({row["status"] for row in self.sql("SELECT status FROM calls")}, {"failure"})

    def test_a_cut_stream_shows_what_came(self):
        self.start_all()
        url = self.url.removesuffix("/v1") + "/faults/cut_after=4/v1"
        result = self.steno("complete", "-m", "gpt-4o-mini", "--stream", "--base-url", url, "x", check=False)
        self.assertEqual(result.returncode, 1)
        self.assertTrue(result.stdout.startswith("You said:"), result.stdout)
        self.assertIn("broke off", result.stderr)

    # ---- events ----

    def test_emit_prints_where_each_event_went(self):
        self.start_daemon()
        lines = [{"event": "success", "call_id": f"call-{i}", "model": "gpt-4o", "provider": "openai"} for i in range(50)]
        result = self.steno("emit", "--print", input="".join(json.dumps(line) + "\n" for line in lines))
        accepted = [line.split() for line in result.stdout.splitlines()]
        self.assertEqual([int(seq) for _, seq in accepted], list(range(1, 51)))
        self.assertEqual(len({publisher for publisher, _ in accepted}), 1)
        self.assertRegex(accepted[0][0], "^[0-9a-f]{32}$")
        self.stored()
        rows = self.sql("SELECT lower(hex(uuid)) AS uuid, seq, event.call_id FROM event JOIN publisher ON publisher.id = event.publisher ORDER BY seq")
        self.assertEqual([(row["uuid"], row["seq"]) for row in rows], [(p, int(s)) for p, s in accepted])

    def test_emit_names_bad_lines_and_goes_on(self):
        self.start_daemon()
        good = '{"event":"success","call_id":"a"}\n'
        bad = ['{"event":"sucess"}\n', "not json\n", '{"event":"success","user":5}\n']
        result = self.steno("emit", input=good + "".join(bad) + "\n" + good.replace('"a"', '"b"'), check=False)
        self.assertEqual(result.returncode, 1)
        for line in (2, 3, 4):
            self.assertIn(f"line {line}:", result.stderr)
        self.stored()
        self.assertEqual([row["call_id"] for row in self.sql("SELECT call_id FROM call ORDER BY id")], ["a", "b"])

    def test_emit_cuts_an_event_that_is_too_large(self):
        self.start_daemon()
        text = "x" * (70 << 20)
        line = json.dumps({"event": "success", "call_id": "large", "messages": [{"role": "user", "content": text}]})
        result = self.steno("emit", "--print", input=line + "\n")
        self.assertEqual(len(result.stdout.splitlines()), 1)
        self.stored()
        (row,) = self.sql("SELECT body FROM event")
        event = msgpack.unpackb(row["body"])
        self.assertGreaterEqual(event["truncated"]["messages"], len(text))
        self.assertTrue(text.startswith(event["messages"][0]["content"]))
        self.assertEqual(self.sql("SELECT status FROM call"), [{"status": "success"}])

    def spool_bytes(self):
        return sum(file.stat().st_size for file in self.dir.glob("spool/*/*.seg"))

    def test_emit_waits_for_the_daemon_where_the_spool_is_full(self):
        daemon = self.start_daemon()
        event = json.dumps({"event": "success", "call_id": "%05d", "model": "m", "provider": "p", "text": "x" * 64000})
        with open(self.dir / "events", "w") as file:
            for i in range(5000):  # more than the spool takes
                file.write(event.replace("%05d", f"{i:05}") + "\n")
        daemon.send_signal(signal.SIGSTOP)
        with open(self.dir / "events") as file:
            emit = self.start("steno", "emit", stdin=file)
        wait_for_count(self.spool_bytes, 190 << 20, "the spool to be nearly full" + self.logs())
        daemon.send_signal(signal.SIGCONT)
        self.assertEqual(emit.wait(4 * harness.PATIENCE), 0, self.logs()[-500:])  # a third of a gigabyte
        self.steno("flush", "--timeout", str(harness.PATIENCE))
        (row,) = self.sql("SELECT count(*) AS n, count(DISTINCT call_id) AS ids, min(seq) AS first, max(seq) AS last FROM event")
        self.assertEqual((row["n"], row["ids"], row["first"], row["last"]), (5000, 5000, 1, 5000))
        self.assertEqual(self.sql("SELECT * FROM loss"), [])

    # ---- reading ----

    def fill(self):
        self.start_all()
        self.steno("complete", "-m", "gpt-4o-mini", "--user", "alice", "--tag", "x", "first")
        self.steno("complete", "-m", "gpt-4o", "--user", "bob", "--tag", "x", "--tag", "y", "second")
        self.steno("complete", "-m", "unpriced-model", "third")
        self.expect_error("complete", "-m", "gpt-4o-mini", "--base-url", self.url.removesuffix("/v1") + "/faults/status=500/v1", "fourth")
        self.stored()
        wait_for(lambda: len(self.sql("SELECT * FROM cost")) == 4, "all calls to be priced")

    def test_logs(self):
        self.fill()
        calls = json.loads(self.steno("logs", "--json").stdout)
        self.assertEqual([call["model"] for call in calls], ["gpt-4o-mini", "gpt-4o", "unpriced-model", "gpt-4o-mini"])
        self.assertEqual([call["status"] for call in calls], ["success"] * 3 + ["failure"])
        self.assertIsNone(calls[2]["cost_usd"])
        self.assertGreater(calls[1]["cost_usd"], calls[0]["cost_usd"])
        self.assertEqual(len(json.loads(self.steno("logs", "-n", "2", "--json").stdout)), 2)
        self.assertEqual(len(json.loads(self.steno("logs", "--model", "gpt-4o", "--json").stdout)), 1)
        self.assertEqual(len(json.loads(self.steno("logs", "--status", "failure", "--json").stdout)), 1)
        self.assertEqual(len(json.loads(self.steno("logs", "--since", "1h", "--json").stdout)), 4)
        self.assertEqual(json.loads(self.steno("logs", "--since", "2999-01-01", "--json").stdout), [])
        table = self.steno("logs").stdout.splitlines()
        self.assertEqual(len(table), 5)
        self.assertIn("InternalServer", table[4])

    def test_show(self):
        self.fill()
        call_id = json.loads(self.steno("logs", "-n", "1", "--json", "--model", "gpt-4o").stdout)[0]["call_id"]
        text = self.steno("show", call_id).stdout
        for part in ("second", "You said: second", "gpt-4o", "pre_api_call", "bob"):
            self.assertIn(part, text)
        whole = json.loads(self.steno("show", "--json", call_id).stdout)
        self.assertEqual([event["event"] for event in whole["events"]], ["pre_api_call", "post_api_call", "success"])
        self.expect_error("show", "no-such-call", says="no-such-call")
        self.expect_error("show", status=2)

    def test_cost(self):
        harness.keep_clear_of_the_quarter()
        self.fill()
        rows = {row["model"]: row for row in json.loads(self.steno("cost", "--by", "model", "--json").stdout)}
        self.assertEqual(rows["gpt-4o-mini"]["calls"], 2)
        self.assertEqual(rows["unpriced-model"]["unpriced_calls"], 1)
        self.assertIsNone(rows["unpriced-model"]["cost_usd"])
        (total,) = self.sql("SELECT sum(cost_usd) AS usd FROM calls")
        self.assertAlmostEqual(sum(row["cost_usd"] or 0 for row in rows.values()), total["usd"], places=12)
        users = {row["user"] for row in json.loads(self.steno("cost", "--by", "user", "--json").stdout)}
        self.assertEqual(users, {"alice", "bob", None})
        tags = {row["tag"]: row["calls"] for row in json.loads(self.steno("cost", "--by", "tag", "--json").stdout)}
        self.assertEqual((tags["x"], tags["y"]), (2, 1))
        self.assertEqual(len(json.loads(self.steno("cost", "--by", "day", "--json").stdout)), 1)
        self.assertIn("unpriced", self.steno("cost").stdout)
        self.assertNotIn("$0 ", self.steno("cost").stdout)
        self.assertTrue(self.steno("cost", "--csv").stdout.startswith("model,"))

    def test_query_reads_and_never_writes(self):
        self.fill()
        rows = json.loads(self.steno("query", "--json", "SELECT model, count(*) AS n FROM calls GROUP BY model ORDER BY 1").stdout)
        self.assertEqual(rows[0], {"model": "gpt-4o", "n": 1})
        self.assertEqual(self.steno("query", "--csv", "SELECT 1 AS a, 'x,y' AS b").stdout.split(), ["a,b", '1,"x,y"'])
        self.assertIn("gpt-4o-mini", self.steno("query", "SELECT * FROM calls").stdout)
        before = self.sql("SELECT count(*) AS n FROM call")
        for sql in ("DELETE FROM call", "DROP TABLE call", "INSERT INTO subscriber VALUES ('x', 1, 1)", "UPDATE call SET user = 'x'",
                    f"ATTACH '{self.dir}/other.db' AS other", "PRAGMA user_version = 7", "BEGIN IMMEDIATE", "VACUUM",
                    f"VACUUM INTO '{self.dir}/copy.db'", "SELECT load_extension('x')"):
            with self.subTest(sql):
                self.expect_error("query", sql)
        self.assertEqual(self.sql("SELECT count(*) AS n FROM call"), before)
        self.assertFalse((self.dir / "copy.db").exists() or (self.dir / "other.db").exists())
        self.expect_error("query", "SELEC 1", says="SELEC")
        self.expect_error("query", "SELECT 1; SELECT 2")
        self.expect_error("query", "SELECT * FROM nothing", says="nothing")

    def test_query_asks_what_is_in_lists_and_what_the_schema_is(self):
        self.fill()
        tags = self.steno("query", "--csv", "SELECT tag.value, count(*) FROM calls, json_each(calls.tags) AS tag GROUP BY 1 ORDER BY 1").stdout
        self.assertEqual(tags.split()[1:], ["x,2", "y,1"])
        for sql, says in (("PRAGMA table_info(call)", "call_id"), ("SELECT name FROM pragma_table_info('call')", "call_id"), ("PRAGMA table_list", "calls"), ("PRAGMA main.index_list(call)", "call_started"),
                          ("PRAGMA user_version", "user_version"), ("pragma Encoding", "UTF-8"), ("PRAGMA integrity_check", "ok"), ("PRAGMA compile_options", "THREADSAFE")):
            with self.subTest(sql):
                self.assertIn(says, self.steno("query", sql).stdout)
        for sql in ("PRAGMA user_version = 7", "PRAGMA user_version(7)", "PRAGMA encoding = 'UTF-16'", "PRAGMA auto_vacuum = 1", "PRAGMA journal_mode = DELETE", "PRAGMA wal_checkpoint", "PRAGMA optimize",
                    "PRAGMA incremental_vacuum", "PRAGMA writable_schema = ON", "PRAGMA query_only = OFF", "PRAGMA nonsense"):
            with self.subTest(sql):
                self.expect_error("query", sql, says="the log is only read here")
        self.expect_error("query", "UPDATE sqlite_master SET sql = ''", says="may not be modified")

    def test_json_of_every_verb_that_reads_is_json(self):
        self.fill()
        call = self.sql("SELECT call_id FROM calls LIMIT 1")[0]["call_id"]
        self.steno("budget", "set", "--scope", "all", "--limit", "1")
        by = [("cost", "--by", name) for name in "model provider app user tag day week month session".split()]
        for args in (("logs",), ("logs", "-m", "none"), ("show", call), *by, ("cost", "--user", "nobody"), ("prices", "list"), ("prices", "list", "claude"), ("prices", "show", "gpt-4o"), ("prices", "diff"),
                     ("budget", "list"), ("recost", "--dry-run"), ("recost",), ("query", "SELECT * FROM calls"), ("query", "SELECT 1e999 AS a, x'00ff' AS b, 'a' || char(0) AS c WHERE 1"),
                     ("query", "SELECT 1 WHERE 0"), ("status",), ("flush",), ("replay", "--to", "steno-cost", "--from", "now"), ("complete", "-m", "gpt-4o", "hi"), ("complete", "-s", "-m", "gpt-4o", "hi"),
                     ("embed", "-m", "text-embedding-3-small", "hi")):
            with self.subTest(args):
                self.assertIsInstance(json.loads(self.steno(*args, "--json").stdout), (dict, list))

    def test_tail_follows(self):
        self.start_all()
        tail = self.start("steno", "tail", "--json", "--from", "beginning", "success.", stdout=subprocess.PIPE, text=True)
        self.steno("complete", "-m", "gpt-4o-mini", "one")
        self.steno("complete", "-m", "gpt-4o-mini", "two")
        events = [json.loads(tail.stdout.readline()) for _ in range(2)]
        self.assertEqual({event["event"] for event in events}, {"success"})
        # Two programs are two publishers, and there is no order between those.
        self.assertEqual({event["messages"][0]["content"] for event in events}, {"one", "two"})
        self.stop(tail, signal.SIGINT)

    def test_status_with_and_without_a_daemon(self):
        self.start_all()
        self.steno("complete", "-m", "gpt-4o-mini", "one")
        self.stored()
        status = json.loads(self.steno("status", "--json").stdout)
        self.assertEqual(status["pid"], self.daemon.pid)
        self.assertEqual(status["last_offset"], 3)
        self.assertIn(str(self.daemon.pid), self.steno("status").stdout)
        self.stop(self.daemon)
        self.steno("complete", "-m", "gpt-4o-mini", "two")
        result = self.steno("status", check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("stenod", result.stdout + result.stderr)
        self.expect_error("flush", "--timeout", "0.3", says="stenod")

    def test_completion_in_bash_knows_verbs_options_and_choices(self):
        script = f"PATH={BIN}:$PATH; . {harness.SOURCE}/completions/steno.bash; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _steno; echo ${{COMPREPLY[*]}}"
        self.steno("budget", "set", "--scope", "user:alice", "--limit", "1")
        for words, expected in ((("lo",), "logs"), (("help", "re"), "recost replay"), (("logs", "--s"), "--since --status"), (("logs", "--status", "f"), "failure"),
                                (("tail", "--from", ""), "beginning now"), (("--dir", "/tmp", "que"), "query"), (("cost", "--by", "w"), "week"),
                                (("prices", "i"), "import"), (("prices", "show", "gpt-4.1-nano-"), "gpt-4.1-nano-2025-04-14"), (("prices", "list", "--p"), "--provider"),
                                (("budget", "r"), "remove"), (("budget", "remove", "u"), "user-alice-month"), (("budget", "set", "--scope", "us"), "user:"),
                                (("budget", "set", "--per", "w"), "week")):
            result = subprocess.run(["bash", "-c", script, "bash", "steno", *words], capture_output=True, text=True, check=True, env=self.env)
            self.assertEqual((result.stdout.strip(), result.stderr), (expected, ""), words)

    # ---- what people mistype, and what is missing ----

    def test_usage_errors_exit_2(self):
        for args, says in ((("logz",), "logs"), (("logs", "-n", "abc"), "abc"), (("logs", "--nonsense"), "nonsense"),
                           (("logs", "--since", "soon"), "soon"), (("cost", "--by", "colour"), "colour"), (("complete", "hi"), "model"),
                           (("complete", "-m", "x", "--metadata", "novalue", "hi"), "novalue"), (("tail", "--from", "yesterday"), "yesterday"),
                           (("query",), "SQL"), (("query", "SELECT", "1"), "put the statement in quotes"), (("--sideways",), "sideways"), (("--dir",), "--dir needs"), (("--dir=", "logs"), "--dir needs"),
                           (("help", "-x"), '"-x" is no verb'), (("help", "logs", "twice"), "twice"), (("complete", "--temprature", "1", "hi"), "did you mean --temperature?"),
                           (("complete", "--no", "hi"), "several begin so"), (("logs", "--limt=3"), "unknown option --limt: did you mean --limit?"), (("logs", "--zzz"), "unknown option --zzz\n")):
            with self.subTest(args):
                self.expect_error(*args, status=2, says=says)
        self.assertEqual(self.steno(check=False).returncode, 2)

    def test_help_of_each_verb(self):
        overview = self.steno("help").stdout
        verbs = re.findall(r"^  (\w+) +\S", overview, re.M)
        self.assertIn("complete", verbs)
        for verb in verbs:
            with self.subTest(verb):
                self.assertIn("usage: steno", self.steno("help", verb).stdout)
        self.assertIn("usage: steno logs", self.steno("logs", "--help").stdout)
        self.assertRegex(self.steno("--version").stdout, r"^steno \d+\.\d+\.\d+$")

    def test_without_a_log_it_is_said_where_it_would_be(self):
        for verb in (("logs",), ("cost",), ("show", "x"), ("query", "SELECT 1")):
            with self.subTest(verb):
                self.expect_error(*verb, says=[str(self.dir / "log.db"), "stenod"])

    def test_the_folder_is_named_in_either_way(self):
        for args in (("--dir", self.dir / "other"), (f"--dir={self.dir}/other",)):
            self.expect_error(*args, "logs", says=f"{self.dir}/other/log.db")
        for verb in (("logs",), ("status",), ("cost",), ("flush",), ("query", "SELECT 1"), ("show", "1"), ("budget", "list"), ("replay", "--to", "a", "--from", "1")):
            self.steno("--dir", self.dir / "other", *verb, check=False)
        self.assertFalse((self.dir / "other").exists())  # reading makes nothing

    def test_a_base_url_without_a_host_is_told(self):
        for url in ("http://", "https:///v1", ""):
            self.expect_error("complete", "-m", "gpt-4o", "--base-url", url, "hi", says=f'BadRequest (openai): the base URL "{url}" names no host')

    def test_a_mistyped_subscriber_is_told_which_there_are(self):
        self.start_all()
        wait_for(lambda: self.sql("SELECT * FROM subscriber"), "steno-cost to have a cursor")
        self.expect_error("replay", "--to", "kost", "--from", "1", says='no subscriber has a cursor under the name "kost": there is steno-cost')

    def test_an_unsafe_folder_is_refused(self):
        self.dir.chmod(0o755)
        self.expect_error("logs", says=["chmod 700", "STENO_DIR"])
        self.expect_error("emit", says="chmod 700", input="{}\n")

    def test_a_folder_with_too_long_a_name_is_refused(self):
        self.env["STENO_DIR"] = str(self.dir / ("x" * 120))
        self.expect_error("emit", says="shorter", input="{}\n")

    def test_a_reader_that_went_away_is_no_error(self):
        self.fill()
        result = subprocess.run(["/bin/bash", "-c", f"set -o pipefail; {BIN}/steno query 'SELECT * FROM event, event AS b, event AS c' --csv | head -1"],
                                env=self.env, capture_output=True, text=True)
        self.assertEqual(result.stderr, "")

    def test_a_full_disk_under_the_output_is_an_error(self):
        self.fill()
        event = {"event": "success", "call_id": "long", "model": "m" * 100, "provider": "p", "metadata": {"much": "x" * 100000}}
        self.steno("emit", input=json.dumps(event) + "\n")
        self.stored()
        for args in (("logs",), ("logs", "--json"), ("show", "long"), ("query", "SELECT * FROM calls"), ("cost", "--csv"), ("status",), ("help",), ("complete", "-m", "gpt-4o-mini", "x"),
                     ("complete", "-s", "-m", "gpt-4o-mini", "x"), ("tail", "--from", "beginning")):
            with self.subTest(args), open("/dev/full", "w") as full:
                result = subprocess.run([BIN / "steno", *args], env=self.env, stdout=full, stderr=subprocess.PIPE, text=True, timeout=harness.PATIENCE)
                self.assertEqual((result.returncode, result.stderr.count("\n")), (1, 1), result.stderr)
                self.assertIn("standard output: No space left", result.stderr)

    def test_closed_descriptors_are_told_and_become_no_file_of_ours(self):
        self.fill()
        line = json.dumps({"event": "success", "call_id": "closed", "model": "m", "provider": "p"})
        for close, args, told in (("<&-", "emit", "standard input: Bad file descriptor"), ("<&-", "complete -m gpt-4o-mini", "standard input: Bad file descriptor"),
                                  (">&-", "emit --print", "standard output: Bad file descriptor"), (">&-", "complete -m gpt-4o-mini x", "standard output: Bad file descriptor"), (">&-", "logs", "standard output: Bad file descriptor"), ("2>&-", "emit --nosuch", "")):
            with self.subTest(f"{args} {close}"):
                result = subprocess.run(["/bin/bash", "-c", f"exec {BIN}/steno {args} {close}"], env=self.env, capture_output=True, text=True, input=line + "\n", timeout=harness.PATIENCE)
                self.assertNotEqual(result.returncode, 0)
                self.assertIn(told, result.stderr)
        self.stop(self.daemon)
        daemon = self.start("/bin/bash", "-c", f"exec {BIN}/stenod <&- >&- 2>&-")
        wait_for(self.ping, "stenod to answer")
        held = {fd: os.readlink(f"/proc/{daemon.pid}/fd/{fd}") for fd in (0, 1, 2)}
        self.assertEqual(set(held.values()), {"/dev/null"}, held)

    # ---- on a terminal ----

    def test_tables_fit_the_terminal(self):
        self.fill()
        self.steno("complete", "-m", "gpt-4o-mini", "a rather long question " * 20)
        self.stored()
        for columns in (40, 66, 80, 140):
            for args in (("logs",), ("cost",), ("cost", "--by", "day"), ("query", "SELECT model, response_text, status FROM calls"), ("status",)):
                with self.subTest(f"{args} at {columns}"):
                    text = re.sub(r"\x1b\[[0-9;]*m", "", self.on_terminal(columns, *args))
                    self.assertLessEqual(max(len(line) for line in text.splitlines()), columns, text)

    def test_colour_only_on_a_terminal_that_wants_it(self):
        self.fill()
        self.assertIn("\x1b[", self.on_terminal(100, "logs"))
        self.assertNotIn("\x1b[", self.steno("logs").stdout)
        self.env["NO_COLOR"] = "1"
        self.assertNotIn("\x1b[", self.on_terminal(100, "logs"))

    def test_logged_text_cannot_drive_the_terminal(self):
        self.start_daemon()
        event = {"event": "success", "call_id": "evil", "model": "m\x1b]0;owned\x07", "provider": "p", "messages": [],
                 "response": {"choices": [{"message": {"content": "\x1b[2J\x9b31m gone"}}]}}
        self.steno("emit", input=json.dumps(event) + "\n")
        self.stored()
        for args in (("logs",), ("show", "evil"), ("query", "SELECT model, response_text FROM calls")):
            with self.subTest(args):
                output = self.on_terminal(120, *args)
                self.assertNotIn("\x1b]", output)
                self.assertNotIn("\x1b[2J", output)
                self.assertNotIn("\x07", output)


if __name__ == "__main__":
    harness.main()
