"""Budgets: what is spent is counted once whatever is killed, alerts come once a threshold, and an app that calls for ever is stopped."""

import json
import os
import random
import signal
import sqlite3
import time
import unittest

import msgpack
import zmq

import harness
from harness import PATIENCE, keep_clear_of_the_quarter, put, wait_for

PICO = 10**12


class Budgets(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.seq = 0

    def start_daemon(self, *args):
        """Without a steno-cost of its own: the tests run, stop and kill theirs."""
        return super().start_daemon("--no-subscribers", *args)

    def start_cost(self, *args, **options):
        return self.start("steno-cost", *args, **options)

    def publisher(self):
        self.context = getattr(self, "context", None) or zmq.Context()
        socket = self.context.socket(zmq.XPUB)
        self.addCleanup(socket.close)
        socket.linger = socket.sndhwm = 0
        socket.connect(f"ipc://{self.dir}/events.in")
        self.assertTrue(socket.poll(PATIENCE * 1000), "the daemon did not subscribe")
        socket.recv()
        return socket

    def spend(self, socket, dollars, started=None, **fields):
        """A call that cost so much."""
        self.seq += 1
        now = time.time()
        body = {"event": "success", "call_id": f"call-{self.seq}", "model": "nobody-knows", "provider": "openai", "start_time": started or now, "time": now,
                "response_cost": dollars, **fields}
        socket.send_multipart([b"x", msgpack.packb(body)])

    def budget(self, *args, **options):
        return self.steno("budget", *args, **options)

    def listed(self):
        return {row["budget"]: row for row in json.loads(self.budget("list", "--json").stdout)}

    def alerts(self):
        return [msgpack.unpackb(row["body"]) for row in self.sql("SELECT body FROM event WHERE event = 'alert.budget' ORDER BY offset")]

    def thresholds(self, scope):
        return [alert["threshold"] for alert in self.alerts() if alert["scope"] == scope]

    def open_alerts(self):
        return [row["id"] for row in self.sql("SELECT id FROM budget_alert WHERE published IS NULL")]

    def stopped(self):
        try:
            return sorted(row["scope"] for row in json.loads((self.dir / "budgets.json").read_text())["stopped"])
        except FileNotFoundError:
            return None

    def wait_for_stopped(self, *scopes):
        wait_for(lambda: self.stopped() == sorted(scopes), f"budgets.json with {scopes}, not {self.stopped()}" + self.logs())

    def wait_for_thresholds(self, scope, *thresholds):
        wait_for(lambda: self.thresholds(scope) == list(thresholds), f"{thresholds} of {scope}, not {self.thresholds(scope)}" + self.logs())


class Stopping(Budgets):
    def test_a_runaway_loop_is_stopped_and_goes_on_when_the_limit_is_raised(self):
        self.start_provider()
        self.start_daemon()
        self.start_cost()
        each = 0.0000078  # dollars: what the provider's answer to "And then?" comes to, about
        self.budget("set", "--scope", "user:alice", "--limit", f"{50 * each:.10f}", "--per", "month", "--stop")
        wait_for(lambda: (self.dir / "budgets.ini").exists(), "budgets.ini")
        app = self.start("steno-test-runaway", "alice", "20000", stdout=-1, text=True)
        word, made = app.stdout.readline().split()
        self.assertEqual(word, "stopped", self.logs())
        self.assertLess(int(made), 20000)
        self.assertGreaterEqual(int(made), 20)
        self.assertEqual(self.stopped(), ["user:alice"])
        # Another user may go on; so may alice where nobody keeps budgets.
        self.steno("complete", "-m", "gpt-4o-mini", "--user", "bob", "hello")
        refused = self.steno("complete", "-m", "gpt-4o-mini", "--user", "alice", "hello", check=False)
        self.assertIn("the budget of user:alice is used up", refused.stderr)
        self.budget("set", "--scope", "user:alice", "--limit", "20", "--per", "month", "--stop")
        self.assertEqual(app.stdout.readline().split()[0], "resumed", self.logs())
        self.assertEqual(app.wait(PATIENCE), 0)
        self.control("flush")
        rows = self.sql("SELECT status, error_type, count(*) n FROM calls WHERE user = 'alice' GROUP BY 1, 2 ORDER BY 1")
        self.assertEqual([(row["status"], row["error_type"]) for row in rows], [("failure", "BudgetExceeded"), ("success", None)])
        self.assertEqual(rows[1]["n"], int(made) + 1)
        self.assertEqual({row["attempts"] for row in self.sql("SELECT attempts FROM calls WHERE error_type = 'BudgetExceeded'")}, {0})
        print(f"stopped after {made} calls with room for about 50", flush=True)

    def test_edits_are_noticed_while_no_call_comes(self):
        keep_clear_of_the_quarter()
        self.start_daemon()
        out = self.publisher()
        self.start_cost()
        self.spend(out, 30.0, user="alice", tags=["batch", "night"], app={"name": "cron"})
        self.wait_for_rows(1, "SELECT 1 FROM cost")
        self.assertIsNone(self.stopped())
        self.budget("set", "--scope", "user:alice", "--limit", "20", "--stop")
        self.wait_for_stopped("user:alice")
        (entry,) = json.loads((self.dir / "budgets.json").read_text())["stopped"]
        self.assertEqual((entry["limit_usd"], entry["spent_usd"], entry["period"]), (20, 30, "month"))
        self.assertGreater(entry["until"], time.time())
        for scope in ("tag:night", "app:cron", "model:nobody-knows", "provider:openai", "all"):
            self.budget("set", "--scope", scope, "--limit", "29.5", "--stop", "--per", "total")
        self.wait_for_stopped("user:alice", "tag:night", "app:cron", "model:nobody-knows", "provider:openai", "all")
        self.budget("remove", "--scope", "all")
        self.budget("remove", "tag-night-total")
        self.budget("set", "--scope", "app:cron", "--limit", "31", "--stop", "--per", "total")
        self.assertIn("not refused any more", self.budget("set", "--scope", "user:alice", "--limit", "20").stderr)
        self.wait_for_stopped("model:nobody-knows", "provider:openai")
        put(self.dir / "stenod.ini", "[budget night]\nscope = tag:night\nlimit = 1\nstop = yes\n")
        self.wait_for_stopped("model:nobody-knows", "provider:openai", "tag:night")
        put(self.dir / "stenod.ini", "[budget night]\nscope = tag:night\nlimit = 1x\nstop = yes\n")
        wait_for(lambda: "limit is dollars" in (self.dir / "steno-cost.log").read_text(), "a complaint")
        self.assertEqual(self.stopped(), ["model:nobody-knows", "provider:openai", "tag:night"])
        (self.dir / "stenod.ini").unlink()
        self.wait_for_stopped("model:nobody-knows", "provider:openai")

    def test_a_stop_outlives_steno_cost_and_is_taken_off_by_the_next_one(self):
        keep_clear_of_the_quarter()
        self.start_daemon()
        out = self.publisher()
        cost = self.start_cost()
        self.budget("set", "--scope", "all", "--limit", "1", "--stop", "--per", "day")
        self.spend(out, 1.0)
        self.wait_for_stopped("all")
        self.stop(cost, signal.SIGKILL)
        # The next life can't read the budgets at first: it leaves the list alone.
        good = (self.dir / "budgets.ini").read_text()
        put(self.dir / "budgets.ini", "[budget")
        self.start_cost()
        wait_for(lambda: "budgets.ini, line 1" in (self.dir / "steno-cost.log").read_text(), "a complaint")
        self.spend(out, 1.0)
        self.wait_for_rows(2, "SELECT 1 FROM cost")
        self.assertEqual(self.stopped(), ["all"])
        put(self.dir / "budgets.ini", good.replace("limit = 1", "limit = 3"))
        self.wait_for_stopped()

    def test_absurd_costs_do_not_turn_a_stop_off(self):
        self.start_daemon()
        out = self.publisher()
        self.start_cost()
        self.budget("set", "--scope", "all", "--limit", "1", "--stop", "--per", "total")
        tokens = {"prompt_tokens": 2**63 - 1, "completion_tokens": 2**63 - 1}
        for round in range(3):  # in one transaction, and one after the other
            for _ in range(3):
                self.spend(out, 9e6, started=1.8e9, usage=tokens)
            self.wait_for_rows(self.seq, "SELECT 1 FROM cost")
            self.wait_for_stopped("all")
            self.assertGreater(self.listed()["all-total"]["spent_usd"], 9e6)
            (row,) = json.loads(self.steno("cost", "--json").stdout)
            self.assertGreater(row["prompt_tokens"], 2**62)
        self.assertEqual(self.sql("SELECT DISTINCT typeof(pico_dollars) p, typeof(prompt_tokens) t FROM spend"), [{"p": "integer", "t": "integer"}])

    def test_a_list_that_was_deleted_is_written_again(self):
        self.start_daemon()
        out = self.publisher()
        self.start_cost()
        self.budget("set", "--scope", "all", "--limit", "1", "--stop", "--per", "total")
        self.spend(out, 1.0)
        self.wait_for_stopped("all")
        (self.dir / "budgets.json").unlink()
        self.wait_for_stopped("all")

    def test_a_list_of_somebody_else_is_left_alone_while_no_budget_stops(self):
        theirs = '{"stopped": [{"scope": "all", "until": null}]}'
        (self.dir / "budgets.json").write_text(theirs)
        self.start_daemon()
        out = self.publisher()
        self.start_cost()
        self.budget("set", "--scope", "all", "--limit", "1")  # no stop
        self.spend(out, 2.0)
        self.wait_for_thresholds("all", 50, 80, 100)
        self.assertEqual((self.dir / "budgets.json").read_text(), theirs)

    def test_a_call_that_ends_late_counts_in_the_period_in_which_it_began(self):
        keep_clear_of_the_quarter()
        now = time.time()
        self.start_daemon()
        out = self.publisher()
        self.budget("set", "--scope", "all", "--limit", "1", "--stop", "--per", "hour")
        self.start_cost()
        self.spend(out, 5.0, started=now - 3600)
        self.wait_for_thresholds("all", 50, 80, 100)  # it still tells
        self.assertIn(self.stopped(), (None, []))  # and refuses nothing now
        self.assertLessEqual(self.alerts()[0]["until"], now)
        self.spend(out, 5.0, started=now - 3 * 3600)  # older ones are no news
        self.wait_for_rows(2, "SELECT 1 FROM cost")
        self.budget("set", "--scope", "all", "--limit", "4", "--stop", "--per", "total")
        self.wait_for_stopped("all")
        wait_for(lambda: len(self.alerts()) == 6, "the alerts of the other budget")


    def test_a_period_ends_by_the_clock_while_no_call_comes(self):
        keep_clear_of_the_quarter()
        clock = self.dir / "clock"
        clock.write_text("0")
        shim = harness.BIN.parent / "tests" / "clock_shim.so"
        env = dict(self.env, LD_PRELOAD=str(shim), CLOCK_SHIM_FILE=str(clock), ASAN_OPTIONS=":".join(filter(None, (os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0"))))
        self.start_daemon()
        self.budget("set", "--scope", "all", "--limit", "1", "--stop", "--per", "day")
        self.start_cost(env=env)
        self.spend(self.publisher(), 1.5)
        self.wait_for_stopped("all")
        put(clock, "86400")
        self.wait_for_stopped()
        put(clock, "0")
        self.wait_for_stopped("all")
        self.assertEqual(self.thresholds("all"), [50, 80, 100])


    def test_a_configuration_elsewhere_is_steno_costs_too(self):
        path = self.dir / "elsewhere.ini"
        path.write_text("[subscriber cost]\ncommand = steno-cost --log '$HOME/cost.log'\n[budget b]\nscope = all\nlimit = 1\nstop = yes\n".replace("'", '"'))
        harness.SystemTest.start_daemon(self, "--config", path)
        self.spend(self.publisher(), 1.0)
        self.wait_for_stopped("all")
        self.wait_for_thresholds("all", 50, 80, 100)
        self.assertRegex((self.dir / "cost.log").read_text(), r"Z nobody-knows 1\.00000000 reported\n$")


class Alerts(Budgets):
    def test_each_threshold_is_told_once_with_all_there_is_to_know(self):
        keep_clear_of_the_quarter()
        self.start_daemon()
        out = self.publisher()
        self.budget("set", "--scope", "user:alice", "--limit", "20", "--per", "month", "--stop")
        self.start_cost()
        for dollars, told in ((9.9, []), (0.1, [50]), (5.99, [50]), (0.01, [50, 80]), (3.9999, [50, 80]), (0.0001, [50, 80, 100]), (5.0, [50, 80, 100])):
            self.spend(out, dollars, user="alice")
            self.wait_for_rows(self.seq, "SELECT 1 FROM cost")
            self.wait_for_thresholds("user:alice", *told)
        wait_for(lambda: not self.open_alerts(), "the rows to be marked")
        first, _, last = self.alerts()
        self.assertEqual((first["budget"], first["limit_usd"], first["spent_usd"], first["period"], first["stop"]), ("user-alice-month", 20, 10, "month", True))
        self.assertEqual((last["spent_usd"], last["threshold"]), (20, 100))
        self.assertLess(first["period_start"], time.time())
        self.assertGreater(first["until"], time.time())
        self.assertEqual(len({alert["alert_id"] for alert in self.alerts()}), 3)
        self.assertEqual(first["app"]["name"], "steno-cost")
        # A raised limit has thresholds of its own.
        self.budget("set", "--scope", "user:alice", "--limit", "40", "--per", "month", "--stop")
        self.wait_for_thresholds("user:alice", 50, 80, 100, 50)
        # A replay tells nothing anew.
        self.steno("replay", "--to", "steno-cost", "--from", "beginning")
        self.spend(out, 0.5, user="alice")
        self.wait_for_rows(self.seq, "SELECT 1 FROM cost")
        self.assertEqual(self.thresholds("user:alice"), [50, 80, 100, 50])

    def test_one_call_may_pass_them_all(self):
        self.start_daemon()
        out = self.publisher()
        self.budget("set", "--scope", "all", "--limit", "1", "--per", "total", "--alert", "1,99,300")
        self.start_cost()
        self.spend(out, 7.0)
        self.wait_for_thresholds("all", 1, 99, 300)
        self.assertNotIn("until", self.alerts()[0])

    def test_a_handler_gets_it(self):
        keep_clear_of_the_quarter()
        self.start_daemon()
        handler = self.start("steno-exec", "alert.", "--", "sh", "-c", f"cat >> {self.dir}/mail; echo >> {self.dir}/mail")
        self.budget("set", "--scope", "model:nobody-knows", "--limit", "2", "--per", "day")
        self.start_cost()
        self.spend(self.publisher(), 1.7)
        mail = self.dir / "mail"
        wait_for(lambda: mail.exists() and mail.read_text().count("alert.budget") == 2, "two mails" + self.logs())
        told = [json.loads(line) for line in mail.read_text().splitlines() if line]
        self.assertEqual([(one["scope"], one["threshold"]) for one in told], [("model:nobody-knows", 50), ("model:nobody-knows", 80)])
        self.stop(handler)

    def test_killed_between_any_two_steps_each_is_told_once(self):
        self.start_daemon()
        out = self.publisher()
        self.budget("set", "--scope", "all", "--limit", "1", "--per", "total")
        cost = self.start_cost()
        self.spend(out, 0.5)
        self.wait_for_thresholds("all", 50)
        wait_for(lambda: not self.open_alerts(), "the row to be marked")
        self.stop(cost, signal.SIGKILL)
        log = sqlite3.connect(self.dir / "log.db", timeout=10)
        self.addCleanup(log.close)
        # Published and not marked.
        log.execute("UPDATE budget_alert SET published = NULL")
        log.commit()
        cost = self.start_cost()
        wait_for(lambda: not self.open_alerts(), "the row to be marked")
        self.control("flush")
        self.assertEqual(self.thresholds("all"), [50])
        self.stop(cost, signal.SIGKILL)
        # Decided and not published.
        log.execute("UPDATE budget_alert SET published = NULL")
        log.execute("DELETE FROM event WHERE event = 'alert.budget'")
        log.commit()
        cost = self.start_cost()
        self.wait_for_thresholds("all", 50)
        wait_for(lambda: not self.open_alerts(), "the row to be marked")
        self.stop(cost, signal.SIGKILL)
        # Neither: what `spend` says is decided on by the next life.
        log.execute("DELETE FROM budget_alert")
        log.execute("DELETE FROM event WHERE event = 'alert.budget'")
        log.commit()
        self.start_cost()
        self.wait_for_thresholds("all", 50)

    def test_killed_at_random_each_is_told_once_and_nothing_is_forgotten(self):
        seed = int(os.environ.get("STENO_SEED", time.time()))
        dice = random.Random(seed)
        print(f"STENO_SEED={seed}", flush=True)
        self.start_daemon()
        out = self.publisher()
        scopes = ["all", "user:alice", "user:bob", "tag:a"]
        for scope in scopes:
            self.budget("set", "--scope", scope, "--limit", "10", "--per", "total", "--alert", "5,10,15,20,25,30,35,40,45,50,55,60,65,70,75,100")
        for _ in range(25):
            cost = self.start_cost()
            before = len(self.sql("SELECT 1 FROM cost"))
            for _ in range(dice.randrange(1, 60)):
                self.spend(out, 0.01, user=dice.choice(["alice", "bob"]), tags=["a"])
            if dice.random() < 0.7:
                wait_for(lambda: len(self.sql("SELECT 1 FROM cost")) > before, "some costs" + self.logs())
            time.sleep(dice.random() * 0.05)  # a moment of chance, not a wait
            self.stop(cost, signal.SIGKILL)
        self.spend(out, 20.0, user="alice", tags=["a"])
        self.spend(out, 20.0, user="bob", tags=["a"])
        self.start_cost()
        self.wait_for_rows(self.seq, "SELECT 1 FROM cost")
        thresholds = [5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 100]
        for scope in scopes:
            wait_for(lambda: sorted(set(self.thresholds(scope))) == thresholds, f"the alerts of {scope}" + self.logs())
        wait_for(lambda: not self.open_alerts(), "the rows to be marked")
        self.control("flush")
        for scope in scopes:
            self.assertEqual(self.thresholds(scope), thresholds, f"STENO_SEED={seed}")
        self.check_spend()


class CommandLine(Budgets):
    def test_set_list_remove(self):
        self.assertEqual(self.listed(), {})
        self.assertEqual(self.budget("set", "--scope", "user:alice", "--limit", "20", "--per", "month", "--stop").stdout, "user-alice-month\n")
        self.budget("set", "--scope", "tag:größer, als ; nötig".replace(" ;", ";"), "--limit", "0.5", "--per", "day", "--alert", "90", "--name", "odd")
        rows = self.listed()
        self.assertEqual(list(rows), ["user-alice-month", "odd"])
        self.assertEqual((rows["odd"]["scope"], rows["odd"]["limit_usd"], rows["odd"]["alert"], rows["odd"]["stop"]), ("tag:größer, als; nötig", 0.5, [90], False))
        self.assertEqual((rows["user-alice-month"]["used_up"], rows["user-alice-month"]["file"]), (False, "budgets.ini"))
        self.assertEqual((self.dir / "budgets.ini").stat().st_mode & 0o777, 0o600)
        self.budget("remove", "odd")
        self.assertEqual(list(self.listed()), ["user-alice-month"])
        self.assertIn("no such budget", self.budget("remove", "odd", check=False).stderr)
        self.budget("remove", "--scope", "user:alice", "--per", "month")
        self.assertEqual(self.listed(), {})

    def test_what_is_wrong_is_told_and_changes_nothing(self):
        self.budget("set", "--scope", "all", "--limit", "1")
        before = (self.dir / "budgets.ini").read_text()
        for args in (["set"], ["set", "--scope", "all"], ["set", "--scope", "nobody", "--limit", "1"], ["set", "--scope", "user:", "--limit", "1"],
                     ["set", "--scope", "all", "--limit", "0"], ["set", "--scope", "all", "--limit", "-1"], ["set", "--scope", "all", "--limit", "1e3"],
                     ["set", "--scope", "all", "--limit", "9000001"], ["set", "--scope", "all", "--limit", "1", "--per", "year"],
                     ["set", "--scope", "all", "--limit", "1", "--alert", "80,50"], ["set", "--scope", "user:a\nlimit = 5", "--limit", "1"],
                     ["set", "--scope", "user:a ; b", "--limit", "1"], ["set", "--scope", "user: a", "--limit", "1"], ["set", "--scope", "user:" + "x" * 200, "--limit", "1"],
                     ["set", "--scope", "all", "--limit", "1", "--name", "a]b"], ["list", "--stop"], ["remove"], ["remove", "a", "--scope", "all"], ["lst"]):
            result = self.budget(*args, check=False)
            self.assertEqual(result.returncode, 2, (args, result.stderr))
            self.assertTrue(result.stderr.startswith("steno budget: "), result.stderr)
        self.assertEqual((self.dir / "budgets.ini").read_text(), before)

    def test_the_two_files_are_one_list_and_names_are_not_shared(self):
        (self.dir / "stenod.ini").write_text("[stenod]\njournal_days = 3\n[budget team]\nscope = tag:team\nlimit = 100\nper = week\nalert = 80, 100\nstop = yes\n")
        self.budget("set", "--scope", "all", "--limit", "1")
        rows = self.listed()
        self.assertEqual([(name, row["file"]) for name, row in rows.items()], [("team", "stenod.ini"), ("all-month", "budgets.ini")])
        self.assertEqual((rows["team"]["alert"], rows["team"]["stop"], rows["team"]["period"]), ([80, 100], True, "week"))
        taken = self.budget("set", "--scope", "all", "--limit", "1", "--name", "team", check=False)
        self.assertEqual(taken.returncode, 1)
        self.assertIn("change it there", taken.stderr)
        self.assertIn("remove it there", self.budget("remove", "team", check=False).stderr)
        daemon = self.start_daemon()  # takes the same file
        self.assertEqual(self.stop(daemon), 0)
        for wrong, why in (("scope = user\nlimit = 1\n", "scope is all"), ("limit = 1\n", "no `scope`"), ("scope = all\n", "no `limit`"), ("scope = all\nlimit = 1\nlimits = 2\n", "no key `limits`")):
            (self.dir / "stenod.ini").write_text("[budget team]\n" + wrong)
            refused = self.run_program("stenod", "--no-subscribers", check=False)
            self.assertEqual(refused.returncode, 1)
            self.assertIn(why, refused.stderr)
            self.assertIn(why, self.budget("list", check=False).stderr)

    def test_list_shows_what_is_spent_and_the_pace(self):
        keep_clear_of_the_quarter()
        self.start_daemon()
        out = self.publisher()
        self.start_cost()
        self.budget("set", "--scope", "user:alice", "--limit", "20", "--stop", "--per", "total")
        self.budget("set", "--scope", "all", "--limit", "100", "--per", "day")
        self.spend(out, 15.25, user="alice")
        self.spend(out, 10.0, user="bob", started=time.time() - 86400 * 2)
        self.spend(out, None, user="alice")
        self.wait_for_rows(3, "SELECT 1 FROM cost")
        rows = self.listed()
        alice, everybody = rows["user-alice-total"], rows["all-day"]
        self.assertEqual((alice["spent_usd"], alice["per_cent"], alice["unpriced_calls"], alice["projected_usd"]), (15.25, 76.25, 1, None))
        self.assertEqual(everybody["spent_usd"], 15.25)
        share = (time.time() - everybody["period_start"]) / (everybody["until"] - everybody["period_start"])
        if share > 0.03:
            self.assertAlmostEqual(everybody["projected_usd"], 15.25 / share, delta=15.25 / share * 0.02)
        table = self.budget("list").stdout
        self.assertRegex(table, r"user-alice-total +user:alice +total +\$15\.25 +\$20\.00 +76 +yes +1\n")
        self.assertIn("█", self.on_terminal(120, "budget", "list"))
        for columns in (40, 60, 80, 90, 120):
            for line in self.on_terminal(columns, "budget", "list", NO_COLOR="1").splitlines():
                self.assertLessEqual(len(line), columns)


if __name__ == "__main__":
    harness.main()
