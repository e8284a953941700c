"""What calls cost, computed a second time: schema/COSTS.md in exact fractions, sharing nothing with client/cost.c, against table `cost` for random usage, price
entries, tiers, regions and cache hits."""

import json
import os
import random
import re
import time
import unittest
from fractions import Fraction

import msgpack

from test_budgets import Budgets

CALLS = 3000
ENTRIES = 250
PICO = 10**12
TIERS = ("flex", "priority", "batches")
SIZES = ("low", "medium", "high")

# A component's key in a price file, and whose price it has where it has none.
COMPONENTS = {
    "input": ("input_cost_per_token", None),
    "cache_read": ("cache_read_input_token_cost", "input"),
    "cache_read_audio": ("cache_read_input_audio_token_cost", "input_audio"),
    "cache_write": ("cache_creation_input_token_cost", "input"),
    "cache_write_1h": ("cache_creation_input_token_cost_above_1hr", "cache_write"),
    "input_audio": ("input_cost_per_audio_token", "input"),
    "input_image": ("input_cost_per_image_token", "input"),
    "input_video": ("input_cost_per_video_token", "input"),
    "output": ("output_cost_per_token", None),
    "reasoning": ("output_cost_per_reasoning_token", "output"),
    "output_audio": ("output_cost_per_audio_token", "output"),
    "output_image": ("output_cost_per_image_token", "output"),
    "request": ("input_cost_per_request", None),
    "file_search": ("file_search_cost_per_1k_calls", None),
    "code_interpreter": ("code_interpreter_cost_per_session", None),
}
PROMPT_PARTS = ("cached_tokens", "cached_audio_tokens", "cache_write_tokens", "cache_write_1h_tokens", "prompt_audio_tokens", "prompt_image_tokens",
                "prompt_video_tokens")
COMPLETION_PARTS = ("reasoning_tokens", "completion_audio_tokens", "completion_image_tokens")
TOOLS = ("web_searches", "file_searches", "code_sessions")


class Unknown(Exception):
    """There is no figure."""


def pico(dollars):
    return int(Fraction(str(dollars)) * PICO + Fraction(1, 2))


def rates_of(entry):
    """{(component, tier or "", threshold): pico-dollars}"""
    rates = {}
    for key, value in entry.items():
        for component, (name, _) in COMPONENTS.items():
            rest = re.fullmatch(re.escape(name) + r"((?:_above_\d+k_tokens|_flex|_priority|_batches)*)", key)
            if rest:
                tier = re.search("_(flex|priority|batches)", rest[1])
                above = re.search(r"_above_(\d+)k", rest[1])
                rates[component, tier[1] if tier else "", int(above[1]) * 1000 if above else 0] = pico(Fraction(str(value)) / (1000 if component == "file_search" else 1))
    return rates


def rate(rates, component, tier, prompt):
    """The component's own price: of the highest threshold that the prompt is above, of the tier rather than not; None."""
    for above in sorted({at for name, _, at in rates if name == component and (at == 0 or prompt > at)}, reverse=True):
        for of in (tier, ""):
            if (component, of, above) in rates:
                return rates[component, of, above]
    return None


def quantities(usage, rates, tier):
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if prompt is None or completion is None:
        raise Unknown

    def of(name):
        return usage.get(name, 0)

    parts = {"cache_read": of("cached_tokens") - of("cached_audio_tokens"), "cache_read_audio": of("cached_audio_tokens"),
             "cache_write": of("cache_write_tokens") - of("cache_write_1h_tokens"), "cache_write_1h": of("cache_write_1h_tokens"),
             "input_audio": of("prompt_audio_tokens") - of("cached_audio_tokens"), "input_image": of("prompt_image_tokens"), "input_video": of("prompt_video_tokens")}
    for twice in ("input_image", "input_video", "input_audio"):
        parts[twice] -= min(parts[twice], max(0, sum(parts.values()) - prompt)) if parts[twice] > 0 else 0
    parts["input"] = prompt - sum(parts.values())
    out = {"output_audio": of("completion_audio_tokens"), "output_image": of("completion_image_tokens")}
    if rate(rates, "reasoning", tier, prompt) is not None:
        out["reasoning"] = of("reasoning_tokens")
    out["output"] = completion - sum(out.values())
    if any(count < 0 for count in (*parts.values(), *out.values())) or of("reasoning_tokens") > completion:
        raise Unknown
    fee = {"request": 1} if rate(rates, "request", tier, prompt) is not None else {}
    return {**parts, **out, **fee, "file_search": of("file_searches"), "code_interpreter": of("code_sessions")}


def bill(entry, usage, asked_size, region):
    """The sum and its lines: {component: [quantity, pico-dollars each, whether it is a parent's]}"""
    rates, tier = rates_of(entry), usage.get("service_tier", "").replace("batch", "batches")
    lines = {}
    for component, count in quantities(usage, rates, tier).items():
        of, price = component, None
        while count and of and price is None:
            price = rate(rates, of, tier, usage["prompt_tokens"])
            of = of if price is not None else COMPONENTS[of][1]
        if count and price is None:
            raise Unknown
        if count:
            lines[component] = [count, price, of != component]
    if usage.get("web_searches"):
        sizes = entry.get("search_context_cost_per_query", {})
        size = "search_context_size_" + usage.get("search_context", asked_size or "medium")
        if size not in sizes and "search_context_size_medium" not in sizes:
            raise Unknown
        lines["web_search"] = [usage["web_searches"], pico(sizes.get(size, sizes.get("search_context_size_medium"))), size not in sizes]
    total = sum(count * price for count, price, _ in lines.values())
    factors = [entry.get("provider_specific_entry", {}).get(name) for name, on in (("us", "in_us"), ("fast", "fast")) if usage.get(on)]
    factors = [Fraction(str(one)) for one in (*factors, entry.get(f"regional_processing_uplift_multiplier_{region}")) if one is not None]
    if factors:
        before = total
        for one in factors:
            total *= one
        total = int(total + Fraction(1, 2))
        lines["uplift"] = [1, total - before, False]
    return total, lines


def random_price(dice):
    """Of at most twelve decimals: finer ones are rounded."""
    return dice.choice([0, 2.5e-06, 1e-12 * dice.randrange(1, 10**dice.randrange(2, 8)), f"{dice.randrange(1, 9999)}e-{dice.randrange(7, 13)}"])


def random_entry(dice):
    entry = {"litellm_provider": "openai", "mode": "chat"}
    for component, (key, _) in COMPONENTS.items():
        if dice.random() > (0.95 if component in ("input", "output") else 0.4):
            continue
        whole = {"file_search": 2.5, "code_interpreter": 0.03}.get(component)
        thresholds = dice.sample(["_above_128k_tokens", "_above_200k_tokens", "_above_272k_tokens"], dice.choice([0, 0, 1, 2]))
        tiers = [f"_{tier}" for tier in dice.sample(TIERS, dice.choice([0, 0, 1, 2]))]
        for suffix in ("", *thresholds, *tiers, *(dice.choice([above + tier, tier + above]) for above in thresholds for tier in tiers)):
            if dice.random() < 0.85:
                entry[key + suffix] = whole or random_price(dice)
    if dice.random() < 0.5:
        entry["search_context_cost_per_query"] = {f"search_context_size_{size}": dice.randrange(1, 99) / 1000 for size in dice.sample(SIZES, dice.randrange(1, 4))}
    if dice.random() < 0.3:
        entry["provider_specific_entry"] = {"us": 1.1, "fast": dice.choice([6, 2.5])}
    if dice.random() < 0.3:
        entry["regional_processing_uplift_multiplier_eu"] = 1.1
    return entry


def random_usage(dice):
    prompt = dice.choice([0, 1, 700, 128000, 128001, 200000, 200001, 272001, 10**6])
    completion = dice.choice([0, 1, 500, 90001])
    usage = {"prompt_tokens": prompt, "completion_tokens": completion}
    for names, whole in ((PROMPT_PARTS, prompt), (COMPLETION_PARTS, completion)):
        for name in names:
            if dice.random() < 0.3:
                usage[name] = dice.choice([0, 1, whole // 8, whole // 4, whole // 3, whole])
    for name in TOOLS:
        if dice.random() < 0.1:
            usage[name] = dice.randrange(0, 4)
    for key, values in (("service_tier", ["flex", "priority", "batch"]), ("search_context", SIZES), ("fast", [True]), ("in_us", [True])):
        if dice.random() < 0.3:
            usage[key] = dice.choice(values)
    if dice.random() < 0.05:
        del usage[dice.choice(["prompt_tokens", "completion_tokens"])]
    return usage


class Oracle(Budgets):
    def random_event(self, dice, entries, number):
        fields = {"event": "success", "call_id": f"call-{number}", "model": dice.choice(list(entries)), "provider": "openai", "time": time.time(),
                  "usage": random_usage(dice), "api_base": dice.choice(["https://api.openai.com/v1", "https://eu.api.openai.com/v1"])}
        if dice.random() < 0.3:
            fields["optional_params"] = {"web_search_options": {"search_context_size": dice.choice(SIZES)}}
        if dice.random() < 0.2:
            fields["cache_hit"] = True
        if dice.random() < 0.2:
            fields["response_cost"] = 0.125
        return fields

    def expected(self, event, entries):
        """(pico_dollars, source, saved, lines) of its row."""
        asked = event.get("optional_params", {}).get("web_search_options", {}).get("search_context_size")
        try:
            total, lines = bill(entries[event["model"]], event["usage"], asked, "eu" if "eu." in event["api_base"] else None)
        except Unknown:
            total, lines = None, None
        if event.get("cache_hit"):
            return 0, "cache", total, None
        if total is not None:
            return total, "table", None, lines
        return (PICO // 8, "reported", None, None) if "response_cost" in event else (None, "unknown", None, None)

    def test_table_cost_is_what_the_rules_come_to(self):
        seed = int(os.environ.get("STENO_SEED", time.time()))
        dice = random.Random(seed)
        print(f"STENO_SEED={seed}", flush=True)
        entries = {f"model-{number}": random_entry(dice) for number in range(ENTRIES)}
        (self.dir / "prices").mkdir(mode=0o700)
        (self.dir / "prices" / "own.json").write_text(json.dumps(entries))
        self.start_daemon()
        out = self.publisher()
        self.start_cost()
        events = [self.random_event(dice, entries, number) for number in range(CALLS)]
        for event in events:
            out.send_multipart([b"x", msgpack.packb(event)])
        self.wait_for_rows(CALLS, "SELECT 1 FROM cost")
        rows = {row["call_id"]: row for row in self.sql("SELECT call_id, pico_dollars, source, saved, breakdown FROM cost")}
        sources = {}
        for event in events:
            row = rows[event["call_id"]]
            lines = row["breakdown"] and {name: [line[0], line[1], len(line) > 2] for name, line in json.loads(row["breakdown"]).items()}
            found = (row["pico_dollars"], row["source"], row["saved"], lines)
            self.assertEqual(found, self.expected(event, entries), (event, entries[event["model"]]))
            sources[row["source"]] = sources.get(row["source"], 0) + 1
        self.assertEqual(set(sources), {"table", "cache", "reported", "unknown"})
        self.assertGreater(sources["table"], CALLS // 10, sources)
        print(sources, flush=True)


if __name__ == "__main__":
    unittest.main(argv=["test_cost_oracle", "-v"], defaultTest="Oracle.test_table_cost_is_what_the_rules_come_to")
