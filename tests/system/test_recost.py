"""steno recost: without another price nothing changes; with one, costs, sums and budgets are as if it had always been so, and the old figures stay."""

import json
import random
import os
import sqlite3
import time
import unittest

import msgpack

import harness
from harness import SOURCE, wait_for
from test_budgets import Budgets, PICO

PRICES = json.loads((SOURCE / "client" / "prices.json").read_text())
COUNTS = ("cached_tokens", "cache_write_tokens", "cache_write_1h_tokens", "reasoning_tokens", "prompt_audio_tokens", "prompt_image_tokens", "completion_audio_tokens",
          "cached_audio_tokens", "web_searches", "file_searches", "code_sessions")


class Recost(Budgets):
    def setUp(self):
        super().setUp()
        (self.dir / "prices").mkdir(mode=0o700)

    def call(self, socket, event="success", **fields):
        self.seq += 1
        now = time.time()
        body = {"event": event, "call_id": f"call-{self.seq}", "start_time": now, "time": now, **fields}
        socket.send_multipart([b"x", msgpack.packb(body)])

    def own_prices(self, **entries):
        """Beside the built-in ones, taken up by whoever looks a second later; `steno recost` reads them anew."""
        (self.dir / "prices" / "own.json").write_text(json.dumps(entries))

    def recost(self, *args, **options):
        return {row["model"]: row for row in json.loads(self.steno("recost", "--json", *args, **options).stdout)}

    def costs(self):
        return self.sql("SELECT call_id, pico_dollars, source, price_model, price_date, saved, price_source, reported, breakdown, facts FROM cost ORDER BY call_id")

    def random_call(self, dice):
        models = [(name, entry.get("litellm_provider")) for name, entry in PRICES.items() if isinstance(entry, dict) and "litellm_provider" in entry]
        model, provider = dice.choice([*dice.sample(models, 3), ("nobody-knows", "openai"), ("gpt-4o-2024-08-06", "openai"), ("my-deployment", "azure"), (None, "openai")])
        usage = {}
        if dice.random() < 0.9:
            usage = {"prompt_tokens": dice.choice([0, 10, 5000, 250001]), "completion_tokens": dice.choice([0, 7, 2000])}
            for name in COUNTS:
                if dice.random() < 0.3:
                    usage[name] = dice.randrange(0, 6)
            usage.update(dice.choice([{}, {"service_tier": "flex"}, {"service_tier": "priority"}, {"service_tier": "batch"}, {"fast": True}, {"in_us": True},
                                      {"search_context": "high"}, {"reported_cost": 0.123456789}]))
            if dice.random() < 0.1:
                del usage["completion_tokens"]
        fields = {"provider": provider, "user": dice.choice(["alice", "bob", None]), "tags": dice.choice([[], ["a"], ["a", "b"]])}
        if model:
            fields["model"] = model
        if usage:
            fields["usage"] = usage
        if dice.random() < 0.2:
            fields["cache_hit"] = True
        if dice.random() < 0.2:
            fields["response_cost"] = dice.choice([0.5, 1e-9, 3])
        if dice.random() < 0.5:
            fields["response"] = {"model": dice.choice(["gpt-4o-2024-08-06", "gpt-4o-mini", model or "gpt-4o"]), "choices": [{"message": {"content": "x"}}]}
        fields["api_base"] = dice.choice(["https://bedrock-runtime.us-west-2.amazonaws.com/model/x", "https://eu.api.openai.com/v1", "https://us.api.openai.com/v1", None])
        if dice.random() < 0.2:
            fields["optional_params"] = {"web_search_options": {"search_context_size": dice.choice(["low", "medium", "high"])}}
        return dice.choice(["success", "success", "failure"]), fields

    def test_without_another_price_nothing_changes(self):
        seed = int(os.environ.get("STENO_SEED", time.time()))
        dice = random.Random(seed)
        print(f"STENO_SEED={seed}", flush=True)
        self.start_daemon()
        out = self.publisher()
        self.start_cost("--estimate")
        for _ in range(1500):
            event, fields = self.random_call(dice)
            self.call(out, event, messages=[{"role": "user", "content": "wie bitte?"}], **fields)
        self.wait_for_rows(1500, "SELECT 1 FROM cost")
        before = self.costs()
        sources = {row["source"] for row in before}
        self.assertEqual(sources, {"table", "reported", "estimated", "cache", "unknown"})
        rows = self.recost()
        self.assertEqual(sum(row["changed"] for row in rows.values()), 0, [row for row in rows.values() if row["changed"]])
        self.assertEqual(sum(row["calls"] for row in rows.values()), 1500)
        self.assertEqual(self.costs(), before)
        self.assertEqual(self.sql("SELECT * FROM recost") + self.sql("SELECT * FROM cost_old"), [])

    def test_another_price_changes_costs_sums_and_budgets_and_keeps_the_old(self):
        self.start_daemon()
        out = self.publisher()
        self.start_cost()
        usage = {"prompt_tokens": 1000, "completion_tokens": 100}
        for number in range(250):
            self.call(out, provider="openai", model=["gpt-4o-mini", "unlisted", "gpt-4o"][number % 3], usage=usage, user="alice", tags=["a"])
        self.call(out, provider="openai", model="gpt-4o-mini", usage=usage, user="alice", cache_hit=True)
        self.call(out, "failure", provider="openai", model="unlisted", error={"type": "RateLimit"})
        self.wait_for_rows(252, "SELECT 1 FROM cost")
        self.budget("set", "--scope", "user:alice", "--limit", "50", "--per", "total", "--stop")
        before = {row["call_id"]: row for row in self.costs()}
        # What was priced is no longer in the journal.
        with sqlite3.connect(self.dir / "log.db", timeout=10) as log:
            log.execute("DELETE FROM event WHERE offset < (SELECT max(offset) FROM event)")
        log.close()
        self.own_prices(**{"unlisted": {"litellm_provider": "openai", "input_cost_per_token": 0.0005, "output_cost_per_token": 0.001},
                           "gpt-4o-mini": {"litellm_provider": "openai", "input_cost_per_token": 0.001, "output_cost_per_token": 0.002}})
        tried = self.recost("--dry-run")
        self.assertEqual({row["call_id"]: row for row in self.costs()}, before)
        self.assertEqual(self.recost("--model", "gpt-4o", "--dry-run")["gpt-4o"]["changed"], 0)
        later = self.recost("--since", "2030-01-01")
        self.assertEqual(later, {})
        text = self.steno("recost").stdout
        self.assertRegex(text, r"gpt-4o-mini +85 +85 +\$0\.0176 +\$100\.80 +\+\$100\.78\n")
        self.assertRegex(text, r"unlisted +84 +83 +\$0 +\$49\.80 +\+\$49\.80\n")
        self.assertRegex(text, r"gpt-4o +83 +0 +\$0\.290 +\$0\.290 *\n")
        self.assertIn("83 of them had no figure before.", text)
        self.assertEqual({name: (row["changed"], row["newly_priced"]) for name, row in tried.items()}, {"gpt-4o-mini": (85, 0), "unlisted": (83, 83), "gpt-4o": (0, 0)})
        self.assertAlmostEqual(tried["unlisted"]["difference_usd"], 83 * 0.6)
        self.assertEqual(tried["gpt-4o-mini"]["now_usd"], 84 * 1.2)
        after = {row["call_id"]: row for row in self.costs()}
        old = {row["call_id"]: row for row in self.sql("SELECT * FROM cost_old")}
        self.assertEqual(len(old), 168)
        for call_id, row in old.items():
            for column in ("pico_dollars", "source", "price_model", "price_date", "saved", "price_source", "reported", "breakdown"):
                self.assertEqual(row[column], before[call_id][column])
            self.assertEqual(after[call_id]["price_source"], "own")
        hit = after["call-251"]
        self.assertEqual((hit["pico_dollars"], hit["saved"], hit["source"]), (0, 1.2 * PICO, "cache"))
        self.assertIsNone(after["call-252"]["pico_dollars"])
        self.check_spend()
        self.assertEqual(self.sql("SELECT changed, ended IS NOT NULL done FROM recost"), [{"changed": 168, "done": 1}])
        # Budgets follow, although no call came.
        self.wait_for_stopped("user:alice")
        self.wait_for_thresholds("user:alice", 50, 80, 100)
        # Again: nothing is left to do. And back.
        self.assertEqual(sum(row["changed"] for row in self.recost().values()), 0)
        (self.dir / "prices" / "own.json").unlink()
        self.assertEqual(sum(row["changed"] for row in self.recost().values()), 168)
        self.check_spend()
        self.wait_for_stopped()
        self.assertEqual([{k: v for k, v in row.items() if k not in ("price_date", "price_source")} for row in self.costs()],
                         [{k: v for k, v in row.items() if k not in ("price_date", "price_source")} for _, row in sorted(before.items())])
        self.assertEqual(self.thresholds("user:alice"), [50, 80, 100])

    def test_a_replay_keeps_the_figures_and_fills_in_what_was_unknown(self):
        self.start_daemon()
        out = self.publisher()
        cost = self.start_cost("--estimate")
        texts = {"messages": [{"role": "user", "content": "x" * 400}], "response": {"choices": [{"message": {"content": "y" * 40}}]}}
        usage = {"prompt_tokens": 1000, "completion_tokens": 100}
        self.call(out, provider="openai", model="gpt-4o-mini", usage=usage)
        self.call(out, provider="openai", model="unlisted", usage=usage)
        self.call(out, provider="openai", model="gpt-4o-mini", **texts)
        self.wait_for_rows(3, "SELECT 1 FROM cost")
        self.stop(cost)
        before = self.costs()
        self.assertEqual([row["source"] for row in before], ["table", "unknown", "estimated"])
        price = {"litellm_provider": "openai", "input_cost_per_token": 0.001, "output_cost_per_token": 0.002}
        self.own_prices(**{"gpt-4o-mini": price, "unlisted": price})
        self.start_cost()  # which does not estimate
        self.steno("replay", "--to", "steno-cost", "--from", "beginning")
        wait_for(lambda: self.costs()[1]["source"] == "table", "the unknown to be filled in" + self.logs())
        self.call(out, provider="openai", model="unlisted", usage=usage)
        self.wait_for_rows(4, "SELECT 1 FROM cost")
        after = self.costs()
        self.assertEqual([after[0], after[2]], [before[0], before[2]])
        self.assertEqual(after[1]["pico_dollars"], 1.2 * PICO)
        self.check_spend()

    def test_budgets_follow_whichever_of_two_runs_writes(self):
        self.start_daemon()
        out = self.publisher()
        self.start_cost()
        self.budget("set", "--scope", "all", "--limit", "5", "--per", "total", "--stop")
        self.spend(out, 6)
        self.wait_for_stopped("all")
        # As two runs do it, of which the one that began first is the last to write.
        for run, dollars in ((2, 5.5), (1, 4), (2, 7), (1, 3)):
            with sqlite3.connect(self.dir / "log.db", timeout=10) as log:
                log.execute("INSERT INTO recost (id, started) VALUES (1, 0), (2, 0) ON CONFLICT DO NOTHING")
                log.execute("UPDATE spend SET pico_dollars = ?", (int(dollars * PICO),))
                log.execute("UPDATE recost SET changed = changed + 1 WHERE id = ?", (run,))
            log.close()
            self.wait_for_stopped(*(["all"] if dollars > 5 else []))

    def test_beside_a_flood_nothing_is_lost_counted_twice_or_held_up(self):
        self.start_daemon()
        out = self.publisher()
        self.start_cost()
        usage = {"prompt_tokens": 1000, "completion_tokens": 100}
        for _ in range(6000):
            self.call(out, provider="openai", model="gpt-4o-mini", usage=usage, user="alice", tags=["a", "b"])
        self.wait_for_rows(6000, "SELECT 1 FROM cost")
        self.own_prices(**{"gpt-4o-mini": {"litellm_provider": "openai", "input_cost_per_token": 0.001, "output_cost_per_token": 0.002}})
        process = self.start("steno", "recost", stdout=-1, text=True)
        for round in range(3):  # two of them are cut off
            wait_for(lambda: process.poll() is not None or len(self.sql("SELECT 1 FROM cost_old")) > 1000 * (round + 1), "some to be changed" + self.logs())
            if round < 2:
                process.kill()
                process.wait()
                process = self.start("steno", "recost", stdout=-1, text=True)
            for _ in range(500):
                self.call(out, provider="openai", model="gpt-4o-mini", usage=usage, user="bob", tags=["a"])
        self.assertEqual(process.wait(60), 0, self.logs())
        self.wait_for_rows(7500, "SELECT 1 FROM cost")
        self.steno("recost")  # those that came while the old price was in steno-cost's memory
        self.assertEqual(self.sql("SELECT count(*) n FROM cost WHERE pico_dollars = 1200000000000"), [{"n": 7500}])
        self.assertGreaterEqual(self.sql("SELECT count(*) n FROM cost_old")[0]["n"], 6000)
        self.check_spend()
        # Both writers wait for each other's transactions, which take milliseconds.
        waits = [row["w"] for row in self.sql("SELECT stored - time AS w FROM event ORDER BY offset DESC LIMIT 1500")]
        print(f"stored after {sorted(waits)[len(waits) // 2] * 1e3:.1f} ms (median), {max(waits) * 1e3:.0f} ms at most", flush=True)
        self.assertLess(max(waits), 5)

    def test_what_is_wrong_is_told(self):
        self.assertIn("no log yet", self.steno("recost", check=False).stderr)
        self.start_daemon()
        self.assertEqual(self.steno("recost", "--since", "1d", "--until", "2d", check=False).returncode, 2)
        (self.dir / "prices" / "own.json").write_text("{")
        damaged = self.steno("recost", check=False)
        self.assertEqual(damaged.returncode, 1)
        self.assertIn("own.json", damaged.stderr)


if __name__ == "__main__":
    unittest.main(argv=["test_recost", "-v"], defaultTest=["Recost"])
