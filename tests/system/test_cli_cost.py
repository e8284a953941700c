"""steno cost: its sums against an oracle that adds up every call, in any time zone, and what it says beside them."""

import collections
import csv
import datetime
import decimal
import io
import json
import random
import re
import sqlite3
import time
import unittest
import zoneinfo

import harness

PICO = 10**12
NOW = time.time()
TOKENS = ("prompt_tokens", "cached_tokens", "completion_tokens")
DIMENSIONS = ("model", "provider", "app", "user", "tag")
GROUPINGS = (*DIMENSIONS, "day", "week", "month", "session")


def call(started, **fields):
    """A call as the log has it: what is not given is as of a plain one that cost a tenth of a cent."""
    defaults = dict(started=started, model="gpt-4o", provider="openai", app="app", user="alice", tags=["a"], session=None, status="success", prompt_tokens=100,
                    cached_tokens=10, completion_tokens=20, first_token=None, ended=True, priced=True, pico=PICO // 1000, source="table", saved=None, reported=None)
    assert set(fields) <= set(defaults), fields
    return {**defaults, **fields}


def random_calls(dice, count, first, last):
    def maybe(values):
        return dice.choice([*values, None])

    calls = []
    for _ in range(count):
        unknown = dice.random() < 0.2
        calls.append(call(
            dice.choice([dice.uniform(first, last), dice.randrange(int(first) // 900, int(last) // 900) * 900.0]),
            model=maybe(["gpt-4o", "claude-sonnet-4-5", "größer, als \"nötig\""]), provider=maybe(["openai", "anthropic"]), app=maybe(["web", "batch"]),
            user=maybe(["alice", "bob", "алиса"]), tags=dice.choice([None, [], ["a"], ["a", "b"], ["b", "c"], ["a", "c", "a"], ["b", "b"]]), session=maybe(["s1", "s2", "s3"]),
            status=dice.choice(["success", "success", "failure"]), prompt_tokens=maybe([0, 7, 1000, 123456]), cached_tokens=maybe([0, 5]),
            completion_tokens=maybe([0, 3, 999]), first_token=maybe([1.0]), ended=dice.random() < 0.9, priced=dice.random() < 0.9,
            pico=None if unknown else dice.choice([0, 1, 150000, dice.randrange(5 * PICO)]), source="unknown" if unknown else dice.choice(["table", "reported", "estimated", "cache"]),
            saved=maybe([1, 2 * PICO]), reported=maybe([3, PICO // 7])))
    return calls


def counted(calls):
    """Those that are in the sums: ended, and steno-cost has come to them."""
    return [one for one in calls if one["ended"] and one["priced"]]


def amounts(one):
    received = one["status"] == "success" or any(one[field] is not None for field in ("prompt_tokens", "completion_tokens", "first_token"))
    return {"calls": 1, "failures": int(one["status"] == "failure"), "unpriced": int(one["pico"] is None and received), "priced": int(one["pico"] is not None),
            "estimated": int(one["source"] == "estimated"), **{field: one[field] or 0 for field in TOKENS}, "pico_dollars": one["pico"] or 0,
            "saved": one["saved"] or 0, "reported": one["reported"] or 0}


def names(one, by):
    """What a call is in a dimension: with two tags, two of them; with one tag twice, one."""
    if by == "tag":
        return list(dict.fromkeys(one["tags"] or [""]))
    return [one[by] or ""]


class CostTest(harness.SystemTest):
    ZONE = "UTC"

    def setUp(self):
        super().setUp()
        self.env["TZ"] = self.ZONE
        self.zone = zoneinfo.ZoneInfo(self.ZONE)

    def make_log(self, calls=()):
        """log.db as stenod and steno-cost would leave it."""
        log = sqlite3.connect(self.dir / "log.db")
        self.addCleanup(log.close)
        log.executescript("PRAGMA journal_mode = WAL;" + (harness.SOURCE / "schema/log.sql").read_text())
        spend = collections.defaultdict(collections.Counter)
        for number, one in enumerate(calls):
            call_id, status = f"call-{number}", one["status"] if one["ended"] else "pending"
            log.execute("INSERT INTO call (call_id, status, started, first_token, app, provider, model, prompt_tokens, cached_tokens, completion_tokens, user, session_id, tags) "
                        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        (call_id, status, one["started"], one["first_token"], one["app"], one["provider"], one["model"], one["prompt_tokens"], one["cached_tokens"],
                         one["completion_tokens"], one["user"], one["session"], None if one["tags"] is None else json.dumps(one["tags"])))
            if not one["ended"] or not one["priced"]:
                continue
            log.execute("INSERT INTO cost (call_id, offset, pico_dollars, source, saved, reported) VALUES (?, ?, ?, ?, ?, ?)",
                        (call_id, number + 1, one["pico"], one["source"], one["saved"], one["reported"]))
            for kind, name in (("all", ""), *((by, name) for by in DIMENSIONS for name in names(one, by))):
                spend[kind, name, int(one["started"] // 900)].update(amounts(one))
        for key, sums in spend.items():
            log.execute("INSERT INTO spend (kind, name, slot, calls, failures, unpriced, priced, estimated, prompt_tokens, cached_tokens, completion_tokens, pico_dollars, saved, "
                        "reported) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        (*key, *(sums[field] for field in ("calls", "failures", "unpriced", "priced", "estimated", *TOKENS, "pico_dollars", "saved", "reported"))))
        log.commit()
        return log

    # ---- the oracle ----

    def period(self, by, started):
        day = datetime.datetime.fromtimestamp(started // 900 * 900, self.zone).date()
        if by == "week":
            day -= datetime.timedelta(days=day.weekday())
        return f"{day:%Y-%m}" if by == "month" else day.isoformat()

    def expected(self, calls, by, since=float("-inf"), until=float("inf"), **only):
        """CSV rows by name, from every single call."""
        rows = collections.defaultdict(collections.Counter)
        for one in counted(calls):
            if not since <= one["started"] < until or any(value not in names(one, dimension) for dimension, value in only.items()):
                continue
            groups = [self.period(by, one["started"])] if by in ("day", "week", "month") else names(one, by)
            for name in groups:
                if by not in only or name == only[by]:
                    rows[name].update(amounts(one))
        return {name: {"calls": str(sums["calls"]), "failures": str(sums["failures"]), **{field: str(sums[field]) for field in TOKENS},
                       "cost_usd": decimal.Decimal(sums["pico_dollars"]) / PICO if sums["priced"] or not sums["unpriced"] else None, "unpriced_calls": str(sums["unpriced"]),
                       "saved_usd": decimal.Decimal(sums["saved"]) / PICO, "estimated_calls": str(sums["estimated"]), "reported_usd": decimal.Decimal(sums["reported"]) / PICO}
                for name, sums in rows.items()}

    def cost(self, *args, **options):
        return self.steno("cost", *args, **options)

    def rows(self, *args):
        """Of --csv, by name, money as exact decimals. Their order is checked."""
        text = self.cost("--csv", *args).stdout
        self.assertNotIn("$", text)
        found = {}
        for row in csv.DictReader(io.StringIO(text, newline="")):
            name = row.pop(next(iter(row)))
            row.pop("projected_usd", None)
            for field in ("cost_usd", "saved_usd", "reported_usd"):
                row[field] = decimal.Decimal(row[field]) if row[field] else None
            self.assertNotIn(name, found)
            found[name] = row
        return found

    def check(self, calls, by, since=None, until=None, **only):
        args = ["--by", by]
        for option, value in (("--since", since), ("--until", until)):
            if value is not None:
                args += [option, datetime.datetime.fromtimestamp(value, datetime.timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")]
        for dimension, value in only.items():
            args += [f"--{dimension}", value]
        limits = {name: value for name, value in (("since", since), ("until", until)) if value is not None}
        with self.subTest(" ".join(args)):
            found = self.rows(*args)
            self.assertEqual(found, self.expected(calls, by, **limits, **only))
            costs = [row["cost_usd"] or 0 for row in found.values()]
            self.assertEqual(list(found), sorted(found)) if by in ("day", "week", "month") else self.assertEqual(costs, sorted(costs, reverse=True))


class Sums(CostTest):
    FIRST, LAST = 1792800000.0, 1792800000.0 + 10 * 86400  # the clocks are put back in it, in some zones

    def edges(self, dice):
        """Time ranges with ragged ends, whole ones, and ones within a quarter of an hour."""
        moment = lambda: round(dice.uniform(self.FIRST - 1000, self.LAST + 1000), 3)
        quarter = lambda: float(dice.randrange(int(self.FIRST), int(self.LAST), 900) // 900 * 900)
        ranges = [(None, None), (moment(), None), (None, moment()), (quarter(), None), (None, quarter())]
        for pick in (moment, quarter):
            ranges += [tuple(sorted((pick(), pick()))) for _ in range(3)]
        at = moment()
        return [pair for pair in (*ranges, (at, at + 60), (quarter(), self.LAST), (at, (at // 900 + 1) * 900)) if None in pair or pair[0] < pair[1]]

    def test_every_grouping_over_every_range_is_what_the_calls_add_up_to(self):
        dice = random.Random(20261124)
        calls = random_calls(dice, 1500, self.FIRST, self.LAST)
        self.make_log(calls)
        for by in GROUPINGS:
            for since, until in self.edges(dice):
                self.check(calls, by, since, until)

    def test_filters_alone_and_together(self):
        dice = random.Random(7)
        calls = random_calls(dice, 800, self.FIRST, self.LAST)
        self.make_log(calls)
        values = {"model": ["gpt-4o", "größer, als \"nötig\"", "", "nobody"], "provider": ["openai", ""], "app": ["web", ""], "user": ["алиса", ""], "tag": ["a", "b", "", "nobody"]}
        for by in GROUPINGS:
            for dimension, choices in values.items():
                for value in choices:
                    self.check(calls, by, **{dimension: value})
            since, until = sorted(dice.uniform(self.FIRST, self.LAST) for _ in range(2))
            self.check(calls, by, round(since, 3), round(until, 3), user="bob")
            self.check(calls, by, round(since, 3), None, user="bob", model="gpt-4o")
            self.check(calls, by, tag="b", provider="anthropic")

    def test_days_weeks_and_months_are_local(self):
        for zone in ("Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia"):
            self.env["TZ"], self.zone = zone, zoneinfo.ZoneInfo(zone)
            calls = random_calls(random.Random(zone), 400, self.FIRST, self.LAST + 30 * 86400)
            (self.dir / "log.db").unlink(missing_ok=True)
            self.make_log(calls).close()
            for by in ("day", "week", "month"):
                self.check(calls, by)
                self.check(calls, by, self.FIRST + 86400.5, self.LAST + 86400.25)

    def test_a_day_on_which_the_clocks_change_has_the_calls_of_its_23_or_25_hours(self):
        self.env["TZ"] = "Europe/Berlin"
        first = datetime.datetime(2026, 3, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")).timestamp()
        self.make_log([call(first + 900 * i + 450) for i in range(4 * 24 * 245)])
        days = {name: row["calls"] for name, row in self.rows("--by", "day").items()}
        self.assertEqual((days["2026-03-28"], days["2026-03-29"], days["2026-10-25"]), ("96", "92", "100"))
        weeks = {name: row["calls"] for name, row in self.rows("--by", "week").items()}
        self.assertEqual((weeks["2026-03-23"], weeks["2026-10-19"]), (str(7 * 96 - 4), str(7 * 96 + 4)))
        self.assertEqual(self.rows("--by", "day", "--since", "2026-03-29", "--until", "2026-03-30")["2026-03-29"]["calls"], "92")

    def test_what_is_rolled_up_stays_when_calls_are_deleted(self):
        calls = [call(self.FIRST + 60 * i) for i in range(60)]
        log = self.make_log(calls)
        log.execute("DELETE FROM call")
        log.commit()
        self.assertEqual(self.rows(), self.expected(calls, "model"))

    def test_sums_beyond_64_bits_keep_every_digit(self):
        largest = 2**63 - 1
        log = self.make_log()
        for slot in range(3):
            log.execute("INSERT INTO spend VALUES ('model', 'dear', ?, 1, 0, 0, 1, 0, 10, 0, 10, ?, ?, ?)", (slot, largest, largest, largest))
            log.execute("INSERT INTO spend VALUES ('model', 'cheap', ?, 1, 0, 0, 1, 0, 10, 0, 10, 1, 0, 0)", (slot,))
        log.commit()
        found = self.rows()
        self.assertEqual(list(found), ["dear", "cheap"])
        self.assertEqual(found["dear"]["cost_usd"], decimal.Decimal(3 * largest) / PICO)
        self.assertEqual(found["dear"]["saved_usd"], found["dear"]["reported_usd"])
        self.assertEqual(found["cheap"]["cost_usd"], decimal.Decimal(3) / PICO)
        self.assertIn("$27,670,116.11", self.cost().stdout)

    def test_absurd_token_counts_do_not_stop_it(self):
        self.make_log([call(self.FIRST + 900 * i, prompt_tokens=2**62, user=f"user-{i}") for i in range(4)])
        self.assertEqual(len(self.rows("--by", "user")), 4)
        self.assertEqual(self.rows("--by", "session")[""]["cost_usd"], decimal.Decimal("0.004"))
        self.assertIn("total", self.cost("--by", "user").stdout)

    def test_tags_that_are_no_array_are_passed_over(self):
        log = self.make_log([call(self.FIRST + 1, tags=None)])
        for tags in ("not json", "[1, 2.5, null]", "{}"):
            log.execute("UPDATE call SET tags = ?", (tags,))
            log.commit()
            self.assertNotEqual(self.rows("--by", "tag", "--until", "2027-01-01T00:01Z", "--since", "2026-01-01T00:01Z", "--model", "gpt-4o"), {}, tags)


class Table(CostTest):
    def test_an_unknown_price_is_never_shown_as_nothing(self):
        self.make_log([call(NOW, model="nobody-knows", pico=None, source="unknown"), call(NOW, model="mixed", pico=None, source="unknown"), call(NOW, model="mixed"),
                       call(NOW, model="free", pico=0)])
        rows = {row["model"]: row for row in json.loads(self.cost("--json").stdout)}
        self.assertEqual({name: row["cost_usd"] for name, row in rows.items()}, {"nobody-knows": None, "mixed": 0.001, "free": 0})
        lines = {line.split()[0]: line for line in self.cost().stdout.splitlines() if line}
        self.assertIn("unpriced", lines["nobody-knows"])
        self.assertNotIn("$", lines["nobody-knows"])
        self.assertIn("$0", lines["free"])

    def test_models_with_unpriced_calls_are_named_with_what_to_do(self):
        unknown = dict(pico=None, source="unknown")
        self.make_log([call(NOW, user="bob"), *(call(NOW, model="nobody-knows", **unknown) for _ in range(3)), call(NOW, model="mixed", **unknown), call(NOW, model="mixed")])
        for by in GROUPINGS:
            with self.subTest(by):
                text = self.cost("--by", by).stdout
                self.assertRegex(text, r"nobody-knows \(3 calls\)")
                self.assertRegex(text, r"mixed \(1 call\)")
                self.assertIn("steno prices show", text)
                self.assertIn("steno prices import", text)
        self.assertNotIn("steno prices", self.cost("--user", "bob").stdout)
        for form in ("--json", "--csv"):
            self.assertNotIn("steno prices", self.cost(form).stdout)

    def test_a_model_that_has_a_price_lacks_the_usage(self):
        self.make_log([call(NOW, pico=None, source="unknown"), call(NOW, model="nobody-knows", pico=None, source="unknown")])
        without, although = self.cost().stdout.splitlines()[-2:]
        self.assertRegex(without, r"^No price is known for nobody-knows \(1 call\)\.")
        self.assertRegex(although, r"^Unpriced although there is a price: gpt-4o \(1 call\)\..*usage.*steno recost")

    def test_many_unpriced_models_are_counted_and_not_all_named(self):
        self.make_log([call(NOW, model=f"model-{i:02}", pico=None, source="unknown") for i in range(12)])
        self.assertIn("and 7 more", self.cost("--by", "user").stdout)

    def test_columns_that_few_need_are_there_where_something_is_in_them(self):
        self.make_log([call(NOW, user="plain"), call(NOW, user="estimated", source="estimated"), call(NOW, user="reported", reported=PICO), call(NOW, user="saved", saved=PICO)])
        for user, columns in (("plain", set()), ("estimated", {"ESTIMATED"}), ("reported", {"REPORTED"}), ("saved", {"SAVED"})):
            heading = self.cost("--user", user).stdout.splitlines()[0]
            self.assertEqual(set(heading.split()) & {"ESTIMATED", "REPORTED", "SAVED"}, columns, user)
            (row,) = json.loads(self.cost("--user", user, "--json").stdout)
            self.assertLessEqual({"estimated_calls", "reported_usd", "saved_usd"}, set(row))

    def test_the_total_counts_a_call_with_two_tags_once(self):
        self.make_log([call(NOW, tags=["a", "b"]), call(NOW, tags=["b"])])
        total = next(line for line in self.cost("--by", "tag").stdout.splitlines() if line.startswith("total"))
        self.assertEqual(total.split()[1], "2")
        self.assertIn("$0.00200", total)

    def test_money_has_the_digits_that_count(self):
        self.make_log([call(NOW, user="small", pico=12345678), call(NOW, user="large", pico=12 * PICO + 340000000000)])
        text = self.cost("--by", "user").stdout
        self.assertIn("$0.0000123", text)
        self.assertIn("$12.34", text)
        self.assertEqual(self.rows("--by", "user")["large"]["cost_usd"], decimal.Decimal("12.34"))

    def test_an_empty_log_has_a_table_without_rows(self):
        self.make_log()
        for by in GROUPINGS:
            with self.subTest(by):
                self.assertIn("total", self.cost("--by", by).stdout)
                self.assertEqual(self.rows("--by", by), {})
                self.assertEqual(json.loads(self.cost("--by", by, "--json").stdout), [])

    def test_without_a_log_it_is_said_where_it_would_be(self):
        result = self.cost(check=False)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn(str(self.dir / "log.db"), result.stderr)

    def test_a_terminal_has_a_chart_in_which_days_without_calls_are_not_left_out(self):
        days = [datetime.datetime(2026, 10, day, 12, tzinfo=datetime.timezone.utc).timestamp() for day in (1, 2, 5)]
        self.make_log([call(days[0]), *(call(days[1]) for _ in range(4)), call(days[2])])
        lines = self.on_terminal(120, "cost", "--by", "day", NO_COLOR="1").splitlines()
        self.assertEqual([line.split()[0] for line in lines[1:7]], ["2026-10-01", "2026-10-02", "2026-10-03", "2026-10-04", "2026-10-05", "total"])
        bars = [line.count("█") for line in lines]
        self.assertGreater(bars[2], 2 * bars[1])
        self.assertEqual((bars[1] > 0, bars[3], bars[6]), (True, 0, 0))
        for by, rows in (("week", ["2026-09-28", "2026-10-05", "total"]), ("month", ["2026-10"])):
            text = self.on_terminal(120, "cost", "--by", by, NO_COLOR="1")
            self.assertIn("█", text)
            self.assertEqual([line.split()[0] for line in text.splitlines()[1:1 + len(rows)]], rows)
        self.assertNotIn("█", self.cost("--by", "day").stdout)
        self.assertNotIn("2026-10-03", self.cost("--by", "day").stdout)

    def test_days_that_lie_far_apart_are_a_list(self):
        self.make_log([call(1500000000.0), call(1792800000.0)])
        self.assertEqual(len(re.findall(r"^20..-..-..", self.on_terminal(120, "cost", "--by", "day", NO_COLOR="1"), re.M)), 2)

    def test_it_fits_the_terminal(self):
        self.make_log([call(NOW, model="a-model-with-quite-a-long-name-" + "x" * i, pico=None if i % 2 else PICO, source="estimated" if i % 3 else "unknown", saved=i and PICO,
                            reported=i and PICO, status="failure", user="alice" if i else "bob") for i in range(12)])
        for columns, only in ((40, ()), (72, ()), (100, ()), (140, ())):
            for by in GROUPINGS:
                with self.subTest(f"{by} at {columns}"):
                    text = self.on_terminal(columns, "cost", "--by", by, *only, NO_COLOR="1")
                    self.assertLessEqual(max(map(len, text.splitlines())), columns, text)

    def test_names_cannot_drive_the_terminal(self):
        self.make_log([call(NOW, model="m\x1b]0;owned\x07", pico=None, source="unknown")])
        text = self.on_terminal(120, "cost", NO_COLOR="1")
        self.assertNotIn("\x1b", text)
        self.assertNotIn("\x07", text)

    def test_what_is_mistyped_is_a_usage_error(self):
        self.make_log()
        for args, says in ((("--by", "colour"), "colour"), (("--since", "soon"), "soon"), (("--until", "later"), "later"), (("--json", "--csv"), "only one"),
                           (("--since", "1d", "--until", "2d"), "--until"), (("--modle", "x"), "--modle"), (("extra",), "extra"), (("--user",), "--user")):
            with self.subTest(args):
                result = self.cost(*args, check=False)
                self.assertEqual((result.returncode, result.stdout), (2, ""))
                self.assertIn(says, result.stderr)


class Month(CostTest):
    """What the month under way will have cost."""

    def setUp(self):
        super().setUp()
        now = datetime.datetime.now(datetime.timezone.utc)
        self.start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        self.end = (self.start + datetime.timedelta(days=32)).replace(day=1)
        self.share = (now - self.start) / (self.end - self.start)
        self.before = (self.start - datetime.timedelta(days=3)).timestamp()
        if not 0.04 < self.share < 0.99:  # the second day has begun, in a month of 28 too
            # In a zone a day away it is not the first day of the month, or not yet.
            self.skipTest("the month has just begun, or is about to")

    def test_the_pace_of_the_month_so_far_goes_on_to_its_end(self):
        self.make_log([call(NOW, pico=3 * PICO), call(self.start.timestamp(), pico=PICO), call(self.before, pico=100 * PICO), call(NOW, pico=None, source="unknown")])
        (line,) = (line for line in self.cost().stdout.splitlines() if line.startswith("This month"))
        spent, projected = (float(amount.replace(",", "")) for amount in re.findall(r"\$([\d.,]+\d)", line))
        self.assertEqual(spent, 4)
        self.assertAlmostEqual(projected, 4 / self.share, delta=0.02 * 4 / self.share)
        rows = json.loads(self.cost("--by", "month", "--json").stdout)
        self.assertIsNone(rows[0]["projected_usd"])
        self.assertAlmostEqual(rows[-1]["projected_usd"], 4 / self.share, delta=0.02 * 4 / self.share)
        self.assertTrue(self.cost("--by", "month", "--csv").stdout.splitlines()[0].endswith(",projected_usd"))

    def test_it_is_of_the_calls_that_are_asked_for_whatever_the_range(self):
        self.make_log([call(NOW, pico=3 * PICO, user="bob"), call(self.start.timestamp(), pico=PICO)])
        self.assertIn("This month: $3.00 so far", self.cost("--user", "bob", "--until", "2020-01-01").stdout)

    def test_a_part_of_the_month_is_not_projected(self):
        self.make_log([call(NOW, pico=3 * PICO), call(self.start.timestamp() + 1, pico=PICO)])
        day_two = (self.start + datetime.timedelta(days=1)).isoformat()
        self.assertEqual([row["projected_usd"] for row in json.loads(self.cost("--by", "month", "--json", "--since", day_two).stdout)][-1:], [None])

    def test_a_month_without_a_known_cost_has_no_projection(self):
        self.make_log([call(self.before), call(NOW, pico=None, source="unknown")])
        self.assertNotIn("This month", self.cost().stdout)
        for form in ("--json", "--csv"):
            self.assertNotIn("This month", self.cost(form).stdout)


class Waiting(CostTest):
    """Calls that ended and that steno-cost has not come to."""

    def journal(self, log, calls, cursor, stored):
        for number, (name, call_id) in enumerate(calls, 1):
            log.execute("INSERT INTO event (offset, time, stored, event, call_id, topic, body) VALUES (?, ?, ?, ?, ?, '', x'80')", (number, stored, stored, name, call_id))
        if cursor is not None:
            log.execute("INSERT INTO subscriber VALUES ('steno-cost', ?, ?)", (cursor, stored))
        log.commit()

    def make_waiting(self, cursor, stored=NOW - 60):
        """Four calls: one is priced, two wait, one is under way."""
        now = time.time()
        calls = [call(now - 7200), call(now - 3600, priced=False), call(now - 60, priced=False), call(now, ended=False)]
        log = self.make_log(calls)
        self.journal(log, [("pre_api_call", "call-0"), ("success", "call-0"), ("success", "call-1"), ("stream_event", "call-2"), ("failure", "call-2"), ("pre_api_call", "call-3")],
                     cursor, stored)
        return calls

    def test_they_are_counted_on_standard_error_and_in_no_sum(self):
        calls = self.make_waiting(2)
        for form in ((), ("--json",), ("--csv",)):
            result = self.cost(*form)
            self.assertEqual(result.stderr, "steno cost: 2 calls are not priced yet: is steno-cost running?\n", form)
            self.assertNotIn("not priced", result.stdout)
        self.assertEqual(self.rows(), self.expected(calls, "model"))

    def test_without_any_steno_cost_all_of_them_wait(self):
        self.make_waiting(None)
        self.assertIn("2 calls are not priced yet: is steno-cost running?", self.cost().stderr)

    def test_only_calls_of_the_time_range_are_missed(self):
        self.make_waiting(2)
        self.assertIn("1 call is not priced yet", self.cost("--since", "30m").stderr)
        self.assertEqual(self.cost("--until", "2020-01-01").stderr, "")

    def test_who_has_only_just_been_stored_does_not_make_steno_cost_suspect(self):
        self.make_waiting(2, stored=time.time() + 3600)
        self.assertEqual(self.cost().stderr, "steno cost: 2 calls are not priced yet\n")

    def test_events_that_end_no_call_wait_for_nobody(self):
        log = self.make_log([call(NOW)])
        self.journal(log, [("success", "call-0"), ("pre_api_call", "call-1"), ("app.feedback", None)], 1, NOW - 60)
        self.assertEqual(self.cost().stderr, "")

    def test_calls_that_are_priced_again_do_not_wait(self):
        log = self.make_log([call(NOW)])
        self.journal(log, [("success", "call-0")], 0, NOW - 60)
        self.assertEqual(self.cost().stderr, "")

    def test_of_a_long_journal_the_newest_part_is_looked_at(self):
        log = self.make_log([call(NOW, priced=False) for _ in range(10500)])
        self.journal(log, [("success", f"call-{i}") for i in range(10500)], None, NOW - 60)
        self.assertEqual(self.cost().stderr, "steno cost: at least 10000 calls are not priced yet: is steno-cost running?\n")

    def test_with_the_programs_themselves(self):
        daemon = self.start_daemon("--no-subscribers")
        events = [{"event": "success", "call_id": f"real-{i}", "model": "gpt-4o-mini", "provider": "openai", "usage": {"prompt_tokens": 10, "completion_tokens": 5}} for i in range(12)]
        self.steno("emit", input="".join(json.dumps(event) + "\n" for event in events))
        self.steno("flush")
        self.assertIn("12 calls are not priced yet", self.cost().stderr)
        self.start("steno-cost")
        harness.wait_for(lambda: "12 " in self.cost().stdout, "the costs" + self.logs())
        self.assertEqual(self.cost().stderr, "")
        self.stop(daemon)


if __name__ == "__main__":
    harness.main()
