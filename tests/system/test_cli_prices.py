"""steno prices: which entries count, what an import takes and leaves, and files and servers that mean no good."""

import contextlib
import gzip
import http.server
import json
import os
import random
import resource
import signal
import ssl
import stat
import subprocess
import threading
import time
import unittest

import harness
from harness import BIN, SANITIZED, SOURCE, keep_clear_of_the_quarter

# What an entry of the ecosystem's price file may have, and what becomes of it.
TOKEN_KEYS = ["input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost", "cache_read_input_audio_token_cost", "cache_creation_input_token_cost",
              "cache_creation_input_token_cost_above_1hr", "input_cost_per_audio_token", "input_cost_per_image_token", "input_cost_per_video_token",
              "output_cost_per_reasoning_token", "output_cost_per_audio_token", "output_cost_per_image_token", "input_cost_per_request", "code_interpreter_cost_per_session",
              "file_search_cost_per_1k_calls"]
SUFFIXED_KEYS = [f"{key}{suffix}" for key in ("input_cost_per_token", "output_cost_per_token") for suffix in
                 ("_flex", "_priority", "_batches", "_above_128k_tokens", "_above_200k_tokens", "_above_272k_tokens", "_above_512k_tokens", "_above_200k_tokens_priority")]
SUFFIXED_KEYS += ["cache_read_input_token_cost_flex", "cache_read_input_token_cost_priority", "cache_read_input_token_cost_above_200k_tokens", "cache_read_input_token_cost_above_272k_tokens",
                  "cache_creation_input_token_cost_above_200k_tokens", "cache_creation_input_token_cost_above_1hr_above_200k_tokens"]
STRUCTURED = {"search_context_cost_per_query": {"search_context_size_low": 0.01, "search_context_size_medium": "0.025", "search_context_size_high": 0.05},
              "tiered_pricing": [{"range": [0, 256000], "input_cost_per_token": 1e-6}, {"range": [256000, 1000000], "input_cost_per_token": 2e-6, "output_cost_per_token": 9e-6}],
              "regional_processing_uplift_multiplier_eu": 1.1, "provider_specific_entry": {"us": 1.1, "fast": 6}}
SILENT = {"litellm_provider": "openai", "mode": "chat", "max_tokens": 8192, "max_input_tokens": 128000, "max_output_tokens": 16384, "source": "https://example.com/pricing",
          "deprecation_date": "2027-01-01", "metadata": {"notes": "x"}, "tpm": 1, "rpm": 1, "supports_function_calling": True, "supports_vision": True, "supported_endpoints": ["/v1/chat/completions"],
          "supported_modalities": ["text"], "supported_regions": ["global"], "supported_output_modalities": ["text"], "price_date": "2026-08-01"}
IGNORED_KEYS = ["citation_cost_per_token", "output_cost_per_video_token", "cache_creation_input_audio_token_cost", "input_cost_per_second", "output_cost_per_second", "input_cost_per_character",
                "output_cost_per_character", "input_cost_per_character_above_128k_tokens", "input_cost_per_query", "input_cost_per_image", "output_cost_per_image", "input_cost_per_image_above_128k_tokens",
                "input_cost_per_pixel", "output_cost_per_pixel", "input_cost_per_audio_per_second", "input_cost_per_video_per_second", "input_cost_per_video_per_second_above_8s_interval",
                "input_cost_per_video_per_second_above_15s_interval", "ocr_cost_per_page", "annotation_cost_per_page", "computer_use_input_cost_per_1k_tokens", "computer_use_output_cost_per_1k_tokens",
                "file_search_cost_per_gb_per_day", "vector_store_cost_per_gb_per_day", "output_vector_size"]


def ecosystem_file(count, every=7):
    """A price file of that many entries; each `every`th has every key there is, in all spellings of a number."""
    dice = random.Random(count)
    price = lambda: dice.choice([lambda: round(dice.uniform(1e-9, 1e-4), 12), lambda: f"{dice.uniform(1e-8, 1e-5):.3e}", lambda: 0, lambda: 0.0])()
    full = lambda: {**{key: price() for key in (*TOKEN_KEYS, *SUFFIXED_KEYS, *IGNORED_KEYS)}, **STRUCTURED}
    plain = lambda: {"input_cost_per_token": price(), "output_cost_per_token": price(), **{key: None for key in ("cache_read_input_token_cost", "input_cost_per_pixel")}}
    file = {"sample_spec": {"litellm_provider": "one of …", "input_cost_per_token": "a number", "odd_key": 1}}
    for i in range(count):
        file[f"{'openrouter/' if i % 3 == 0 else ''}maker-{i % 40}/model-{i}"] = {**SILENT, **(full() if i % every == 0 else plain())}
    return file


class PricesTest(harness.SystemTest):
    def prices(self, *args, **options):
        return self.steno("prices", *args, **options)

    def json(self, *args):
        return json.loads(self.prices(*args, "--json").stdout)

    def file(self, content, name="file.json"):
        path = self.dir / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    def own(self, content):
        (self.dir / "prices").mkdir(mode=0o700, exist_ok=True)
        return self.file(content, "prices/own.json")

    @property
    def imported(self):
        path = self.dir / "prices/imported.json"
        return json.loads(path.read_text()) if path.exists() else None

    def refused(self, *args, says=(), status=1, **options):
        """The command fails with one clear message, and nothing is imported."""
        before = self.imported
        result = self.prices(*args, check=False, **options)
        self.assertEqual(result.returncode, status, result.stderr + result.stdout)
        self.assertTrue(result.stderr.startswith("steno prices: "), result.stderr)
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, result.stderr)
        self.assertEqual(self.imported, before)
        return result


GOOD = {"gpt-4o": {"litellm_provider": "openai", "input_cost_per_token": 2e-6, "output_cost_per_token": "1e-5"},
        "mine": {"litellm_provider": "vllm", "input_cost_per_token": 1e-8, "output_cost_per_token": 0, "price_date": "2026-01-02"}}


class Looking(PricesTest):
    def test_list_has_the_entries_that_count_and_whence_they_are(self):
        keep_clear_of_the_quarter()
        self.file(GOOD)
        self.prices("import", self.dir / "file.json")
        self.own({"mine": {"litellm_provider": "vllm", "input_cost_per_token": 5e-8, "output_cost_per_token": 5e-8}, "nick": {"base_model": "gpt-4o"}})
        entries = {entry["model"]: entry for entry in self.json("list")}
        self.assertEqual([entries[name]["source"] for name in ("gpt-4o", "gpt-4o-mini", "mine", "nick")], ["imported", "built-in", "own", "own"])
        self.assertEqual(entries["gpt-4o"]["prices"], {"input_cost_per_token": 2e-6, "output_cost_per_token": 1e-5})
        self.assertEqual(entries["gpt-4o"]["price_date"], time.strftime("%Y-%m-%d", time.gmtime()))
        self.assertEqual(entries["nick"]["base_model"], "gpt-4o")
        lines = self.prices("list").stdout
        self.assertRegex(lines, r"gpt-4o +openai +\$2\.00 +\$10\.00 .*imported")
        self.assertRegex(lines, r"gpt-4o-mini +openai +\$0\.15 +\$0\.60 +\$0\.075 .*built-in")
        self.assertRegex(lines, r"nick \(as gpt-4o\)")

    def test_list_takes_a_part_of_a_name_a_pattern_and_a_provider(self):
        names = lambda *args: {entry["model"] for entry in self.json("list", *args)}
        self.assertLessEqual({"gpt-4o", "gpt-4o-mini"}, names("GPT-4o"))
        self.assertTrue(all(name.startswith("gpt-4o") and name.endswith("mini") for name in names("gpt-4o*mini")))
        self.assertIn("gpt-4o-mini", names("gpt-4o*mini"))
        self.assertEqual({entry["provider"] for entry in self.json("list", "--provider", "anthropic")}, {"anthropic"})
        self.assertEqual(names("--provider", "anthropic", "gpt-4o"), set())
        self.refused("list", "no-such-model", says="no-such-model")

    def test_show_tells_which_entry_counts_and_how_it_was_found(self):
        for model, provider, entry in (("gpt-4o", None, "gpt-4o"), ("openai/gpt-4o", None, "gpt-4o"), ("gpt-4.1-nano-2031-01-02", "openai", "gpt-4.1-nano"), ("GPT-4O", "openai", "gpt-4o")):
            found = self.json("show", model, *(("--provider", provider) if provider else ()))
            self.assertEqual((found["model"], found["entry"]), (model, entry))
            self.assertEqual(found["tried"][-1].lower(), entry)
        text = self.prices("show", "gpt-4o").stdout
        self.assertRegex(text, r"input +\$2\.50 +million tokens")
        self.assertRegex(text, r"cache_read +\$1\.25 +million tokens")
        self.assertIn("built-in", text)
        self.assertIn("cache_write", text.splitlines()[-1])  # has no price of its own

    def test_show_has_every_price_in_its_unit(self):
        self.own({"full": {"litellm_provider": "openai", **{key: 1.5e-6 for key in TOKEN_KEYS + SUFFIXED_KEYS}, **STRUCTURED}})
        found = self.json("show", "full")["prices"]
        self.assertLessEqual(set(TOKEN_KEYS) - {"file_search_cost_per_1k_calls"}, set(found))
        self.assertEqual(found["file_search_cost_per_1k_calls"], 1.5e-9)
        self.assertEqual((found["search_context_cost_per_query.search_context_size_medium"], found["input_cost_per_token_above_256k_tokens"]), (0.025, 2e-6))
        self.assertEqual((found["regional_processing_uplift_multiplier_eu"], found["provider_specific_entry.fast"]), (1.1, 6))
        text = self.prices("show", "full").stdout
        for line in (r"input +flex +\$1\.50 +million tokens", r"input +priority, prompt > 200k +\$1\.50", r"web_search +medium +\$0\.025 +each", r"uplift +region eu +× 1\.1",
                     r"uplift +fast +× 6", r"request +\$0\.0000015 +each", r"cache_write_1h +prompt > 200k"):
            self.assertRegex(text, line)

    def test_an_unknown_model_is_told_with_the_names_that_were_tried(self):
        result = self.refused("show", "gpt-9-2030-01-01", "--provider", "openai", says=["gpt-9-2030-01-01", "openai/gpt-9", "gpt-9"])
        self.assertEqual(result.stdout, "")
        self.refused("show", "gpt-4o", "--provider", "groq", says="groq/gpt-4o")
        self.refused("show", "gpt-9", "--json", says="gpt-9")
        self.own({"nick": {"base_model": "nobody"}})
        self.refused("show", "nick", says="stands for nobody")

    def test_an_alias_has_the_prices_of_what_it_stands_for(self):
        self.own({"my-deployment": {"base_model": "gpt-4o"}})
        found = self.json("show", "my-deployment", "--provider", "azure")
        self.assertEqual((found["entry"], found["named"], found["source"]), ("gpt-4o", "my-deployment", "built-in"))
        self.assertRegex(self.prices("show", "my-deployment").stdout, r"Alias +my-deployment")

    def test_a_damaged_file_is_told_and_the_others_count(self):
        path = self.own(b'{"gpt-4o": {,}}')
        for args in (("list", "gpt-4o"), ("show", "gpt-4o"), ("diff",)):
            result = self.prices(*args)
            self.assertIn(str(path), result.stderr)
            self.assertIn("line 1", result.stderr)
        self.assertEqual(self.json("show", "gpt-4o")["source"], "built-in")

    def test_diff_without_a_file_has_what_is_not_as_built_in(self):
        self.assertIn("0 entries are new, 0 have other prices", self.prices("diff").stdout)
        self.assertEqual(self.json("diff"), [])
        self.prices("import", self.file(GOOD))
        built_in = json.loads((harness.SOURCE / "client/prices.json").read_text())["gpt-4o-mini"]
        self.own({"gpt-4o-mini": {**built_in, "input_cost_per_token": 1}})
        found = {entry["model"]: entry for entry in self.json("diff")}
        self.assertEqual({name: (entry["change"], entry["source"]) for name, entry in found.items()},
                         {"gpt-4o": ("changed", "imported"), "gpt-4o-mini": ("changed", "own"), "mine": ("new", "imported")})
        self.assertEqual(found["gpt-4o"]["prices"]["input_cost_per_token"], {"before": 2.5e-6, "after": 2e-6})
        self.assertEqual(found["gpt-4o"]["prices"]["cache_read_input_token_cost"], {"before": 1.25e-6, "after": None})
        self.assertEqual(set(found["gpt-4o-mini"]["prices"]), {"input_cost_per_token"})
        text = self.prices("diff").stdout
        self.assertRegex(text, r"gpt-4o +input +\$2\.50 +\$2\.00 +imported")
        self.assertRegex(text, r"mine +new entry +imported")

    def test_diff_with_a_file_has_what_its_import_would_change(self):
        self.prices("import", self.file(GOOD))
        other = {"gpt-4o": GOOD["gpt-4o"], "new": GOOD["mine"], "mine-too": {"base_model": "new"}}
        found = {entry["model"]: entry["change"] for entry in self.json("diff", str(self.file(other, "other.json")))}
        self.assertEqual(found, {"mine": "gone", "mine-too": "new", "new": "new"})
        self.assertEqual(set(self.imported), {"_import", *GOOD})
        self.assertIn("2 entries are new, 0 have other prices, 1 is gone", self.prices("diff", self.dir / "other.json").stdout)

    def test_tables_fit_the_terminal(self):
        self.own({"a-model-with-a-long-name-" + "x" * 80: {"litellm_provider": "a-provider-of-a-long-name", "input_cost_per_token": 1.234567e-6, "output_cost_per_token": 1e-12}, "z" * 100: {"base_model": "y" * 100}})
        for columns in (40, 80, 120):
            for args in (("list",), ("show", "gpt-4o"), ("diff",)):
                with self.subTest(f"{args} at {columns}"):
                    text = self.on_terminal(columns, "prices", *args, NO_COLOR="1")
                    self.assertLessEqual(max(map(len, text.splitlines())), columns, text)

    def test_what_is_mistyped_is_a_usage_error(self):
        for args, says in (((), "argument"), (("improt",), "import"), (("sell",), "sell"), (("show",), "show"), (("import",), "import"), (("list", "a", "b"), "b"), (("check", "x", "--json"), "--json"),
                           (("list", "--force"), "--force"), (("show", "x", "--dry-run"), "--dry-run"), (("diff", "--provider", "x"), "--provider"), (("import", "x", "--timeout", "0"), "--timeout")):
            with self.subTest(args):
                self.refused(*args, says=says, status=2)


class Importing(PricesTest):
    def test_a_file_of_the_ecosystem_is_imported_in_under_a_second(self):
        path = self.file(ecosystem_file(2500))
        self.assertGreater(path.stat().st_size, 2_000_000)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        result = self.prices("import", path)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        self.assertLess(seconds, 10 if SANITIZED else 1)
        self.assertIn("2500 entries have prices, 0 have none that is understood, 0 are invalid", result.stdout)
        self.assertIn("2500 entries are new, 0 have other prices, 0 are gone", result.stdout)
        self.assertEqual(result.stderr, "")

    def test_every_key_is_understood_or_listed_with_its_entries(self):
        count = 50
        result = self.prices("check", self.file(ecosystem_file(count)))
        listed = {}
        for line in result.stdout.splitlines()[1:]:
            if not line:
                break
            key, entries = line.split()
            listed[key] = int(entries)
        self.assertEqual(listed, dict.fromkeys(IGNORED_KEYS, -(-count // 7)))
        understood = {"litellm_provider": "openai", **{key: 1e-6 for key in TOKEN_KEYS + SUFFIXED_KEYS}, **STRUCTURED}
        result = self.prices("check", self.file({"full": understood}))
        self.assertNotIn("KEY", result.stdout)
        self.own({"full": understood})
        self.assertLessEqual(set(TOKEN_KEYS + SUFFIXED_KEYS), set(self.json("show", "full")["prices"]))

    def test_what_is_kept_has_its_source_and_date_first_and_is_private(self):
        keep_clear_of_the_quarter()
        path = self.file({**GOOD, "_comment": "kept", "sample_spec": {"x": 1}, "_import": {"source": "elsewhere", "imported": "2020-01-01T00:00:00Z"}})
        self.assertIn(f"{self.dir}/prices/imported.json", self.prices("import", path).stdout)
        self.assertEqual(list(self.imported), ["_import", *GOOD, "_comment", "sample_spec"])
        self.assertEqual(self.imported["_import"]["source"], str(path))
        self.assertRegex(self.imported["_import"]["imported"], time.strftime("^%Y-%m-%dT..:..:..Z$", time.gmtime()))
        self.assertEqual({name: self.imported[name] for name in GOOD}, GOOD)
        self.assertEqual([stat.S_IMODE((self.dir / name).stat().st_mode) for name in ("prices", "prices/imported.json")], [0o700, 0o600])
        self.assertEqual(os.listdir(self.dir / "prices"), ["imported.json"])

    def test_the_summary_is_against_what_was_in_force(self):
        self.assertIn("1 entry is new, 1 has other prices, 0 are gone", self.prices("import", self.file(GOOD)).stdout)
        self.assertIn("0 entries are new, 0 have other prices, 0 are gone", self.prices("import", self.file(GOOD)).stdout)
        # Without its imported entry gpt-4o has its built-in prices again.
        self.assertIn("0 entries are new, 1 has other prices, 0 are gone", self.prices("import", self.file({"mine": GOOD["mine"]})).stdout)

    def test_standard_input_is_a_file_too(self):
        self.prices("import", "-", input=json.dumps(GOOD))
        self.assertEqual(self.imported["_import"]["source"], "standard input")

    def test_a_dry_run_changes_nothing(self):
        self.assertIn("1 entry is new", self.prices("import", "--dry-run", self.file(GOOD)).stdout)
        self.assertFalse((self.dir / "prices").exists())

    def test_invalid_entries_are_named_and_left_out(self):
        bad = {"negative": -1, "dear": 1001, "word": "free", "bool": True, "nan": "NaN", "infinite": "inf", "list": [1], "spaced": " 1"}
        path = self.file({**GOOD, **{name: {"litellm_provider": "x", "input_cost_per_token": value} for name, value in bad.items()}, "number": 5, "": GOOD["mine"], "long" * 100: GOOD["mine"]})
        result = self.prices("check", path, check=False)
        self.assertEqual(result.returncode, 1)
        for name in bad:
            self.assertRegex(result.stderr, rf'{path}: entry "{name}" is left out: `input_cost_per_token`')
        self.assertIn('entry "number" is left out: it is not a JSON object', result.stderr)
        self.assertIn(f"2 entries have prices, 0 have none that is understood, {len(bad) + 3} are invalid", result.stdout)
        self.assertEqual(self.prices("import", path).returncode, 0)
        self.assertLessEqual({"gpt-4o", "mine"}, {entry["model"] for entry in self.json("list") if entry["source"] == "imported"})
        self.refused("show", "negative", says="negative")

    def test_entries_of_kinds_that_have_no_known_price_are_counted_and_no_mistake(self):
        result = self.prices("check", self.file({**GOOD, "image": {"litellm_provider": "x", "mode": "image_generation", "input_cost_per_pixel": 1e-8}}))
        self.assertIn("2 entries have prices, 1 has none that is understood, 0 are invalid", result.stdout)

    def test_a_file_that_has_shrunk_by_half_is_refused_unless_forced(self):
        self.prices("import", self.file(ecosystem_file(100)))
        half, less = self.file(ecosystem_file(50), "half.json"), self.file(ecosystem_file(49), "less.json")
        self.refused("import", less, says=["49 entries", "100 were imported", "--force"])
        self.prices("import", less, "--force")
        self.prices("import", self.dir / "file.json")
        self.prices("import", half)
        self.assertEqual(len(self.imported), 52)

    def test_a_file_without_one_price_is_refused_even_if_forced(self):
        for content in ({}, {"_import": {}}, {"sample_spec": GOOD["mine"]}, {"x": {"litellm_provider": "x"}}):
            self.refused("import", "--force", self.file(content), says="not one entry")
            self.refused("check", self.dir / "file.json", says="not one entry")

    # ---- killed, full, at once ----

    def test_killed_while_writing_it_leaves_the_old_file(self):
        self.prices("import", self.file(GOOD))
        large = self.file(ecosystem_file(500), "large.json")
        # The kernel ends a process that writes beyond this limit with SIGXFSZ, in the middle of the file.
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        result = self.prices("import", large, check=False, preexec_fn=limit)
        self.assertEqual(result.returncode, -signal.SIGXFSZ)
        self.assertEqual(set(self.imported), {"_import", *GOOD})
        ignoring = lambda: (limit(), signal.signal(signal.SIGXFSZ, signal.SIG_IGN))
        self.refused("import", large, says=["cannot write", "File too large"], preexec_fn=ignoring)
        self.assertEqual(os.listdir(self.dir / "prices"), ["imported.json"])
        self.prices("import", large)
        self.assertEqual(len(self.imported), 502)
        self.assertEqual(os.listdir(self.dir / "prices"), ["imported.json"])

    def test_killed_at_any_moment_it_leaves_the_old_file_or_the_new_one(self):
        small, large = self.file(ecosystem_file(400), "small.json"), self.file(ecosystem_file(401), "large.json")
        self.prices("import", small)
        start = time.monotonic()
        self.prices("import", large)
        whole = time.monotonic() - start
        dice = random.Random(1)
        for round in range(20):
            process = subprocess.Popen([BIN / "steno", "prices", "import", (small, large)[round % 2]], env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(dice.uniform(0, whole))
            process.kill()
            process.wait()
            self.assertEqual(len(self.imported), {str(small): 402, str(large): 403}[self.imported["_import"]["source"]])

    def test_two_imports_at_once_leave_one_of_their_files(self):
        paths = [self.file(ecosystem_file(300 + i), f"{i}.json") for i in range(4)]
        running = [subprocess.Popen([BIN / "steno", "prices", "import", path], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for path in paths * 3]
        ends = [(process.communicate(timeout=harness.PATIENCE * 4)[1], process.returncode) for process in running]
        for complaint, status in ends:
            self.assertTrue(status == 0 or "another import is under way" in complaint, complaint)
        self.assertIn(0, [status for _, status in ends])
        self.assertEqual(len(self.imported), 302 + [str(path) for path in paths].index(self.imported["_import"]["source"]))
        self.assertEqual(os.listdir(self.dir / "prices"), ["imported.json"])

    def test_a_folder_that_cannot_be_written_is_told(self):
        (self.dir / "prices").write_text("a file")
        self.refused("import", self.file(GOOD), says=[str(self.dir / "prices"), "Not a directory"])

    def test_a_link_in_the_place_of_the_new_file_is_not_followed(self):
        (self.dir / "prices").mkdir(mode=0o700)
        (self.dir / "prices/imported.json.new").symlink_to(self.dir / "victim")
        self.refused("import", self.file(GOOD), says="symbolic links")
        self.assertFalse((self.dir / "victim").exists())


class Hostile(PricesTest):
    def setUp(self):
        super().setUp()
        self.prices("import", self.file(GOOD, "good.json"))

    def test_files_that_are_no_price_files_are_refused_by_name_and_place(self):
        entry = b'{"litellm_provider": "x", "input_cost_per_token": %s}'
        for name, content, says in (("empty", b"", "line 1"), ("array", b"[1, 2]", "one JSON object"), ("text", b"prices", "line 1"), ("html", b"<html>", "line 1"), ("cut", json.dumps(ecosystem_file(30)).encode()[:-100], "line 1"),
                                    ("deep", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "line 1"), ("deep-array", b'{"a": ' + b"[" * 5_000_000, "line 1"),
                                    ("huge-number", b'{"a": ' + entry % (b"9" * 400) + b"}", "line 1"), ("huge-exponent", b'{"a": ' + entry % b"1e999" + b"}", "line 1"), ("nan", b'{"a": ' + entry % b"NaN" + b"}", "line 1"),
                                    ("twice", b'{"a": ' + entry % b"1" + b',\n "a": ' + entry % b"2" + b"}", "line 2"), ("twice-inside", b'{"a": {"input_cost_per_token": 1, "input_cost_per_token": 2}}', "line 1"),
                                    ("no-utf8", b'{"\xff": ' + entry % b"1" + b"}", "line 1"), ("nul", b'{"a\\u0000b": ' + entry % b"1" + b"}", "line 1"), ("two", json.dumps(GOOD).encode() * 2, "line 1"),
                                    ("many", b'{"a0": 1' + b"".join(b',"a%d":1' % i for i in range(1, 100_002)) + b"}", "entries")):
            for action in ("check", "import", "diff"):
                with self.subTest(f"{action} {name}"):
                    path = self.file(content, name)
                    result = self.refused(action, path, says=[str(path), says])
                    self.assertEqual(len(result.stderr.splitlines()), 1)
                    self.assertEqual(result.stdout, "")

    def test_a_file_of_100_mb_is_refused_before_it_is_parsed(self):
        path = self.dir / "large"
        with open(path, "wb") as out:
            out.write(json.dumps(GOOD).encode())
            out.truncate(100 << 20)
        for action in ("check", "import"):
            self.refused(action, path, says=[str(path), "64 MiB"])
        with open(path, "rb") as standard:
            self.refused("import", "-", says=["standard input", "64 MiB"], input=None, stdin=standard)

    def test_what_is_not_there_or_no_file_is_told(self):
        self.refused("import", self.dir / "nothing.json", says=["nothing.json", "No such file"])
        self.refused("import", self.dir, says=[str(self.dir), "Is a directory"])

    def test_names_cannot_drive_the_terminal(self):
        evil = "m\x1b]0;owned\x07"
        path = self.file({evil: {"litellm_provider": evil, "input_cost_per_token": 1e-6, evil: 1}, "bad" + evil: {"input_cost_per_token": evil}})
        self.prices("import", path)
        for args in (("list",), ("show", evil), ("diff",), ("diff", path)):
            with self.subTest(args):
                text = self.on_terminal(120, "prices", *map(str, args), NO_COLOR="1")
                self.assertNotIn("\x1b", text)
                self.assertNotIn("\x07", text)
        self.assertNotIn("\x1b", self.prices("check", path, check=False).stderr)

    def test_a_thousand_invalid_entries_and_keys_are_counted_and_not_all_listed(self):
        result = self.prices("check", self.file({**GOOD, **{f"bad-{i}": {"input_cost_per_token": -1} for i in range(1000)}, "odd": {"input_cost_per_token": 1, **{f"key-{i}": 1 for i in range(1000)}}}), check=False)
        self.assertLess(len(result.stderr.splitlines()), 100)
        self.assertIn("960 more entries", result.stderr)
        self.assertIn("960 more keys", result.stdout)
        self.assertIn("1000 are invalid", result.stdout)


class Server:
    """A web server of one test, in a thread; `answer` is called with each request's handler."""

    def __init__(self, answer, context=None):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    answer(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.server.server_port}/prices.json"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def send(handler, body, status=200, **headers):
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


class Web(PricesTest):
    BODY = json.dumps(GOOD).encode()

    def serve(self, answer, context=None):
        server = Server(answer, context)
        self.addCleanup(server.close)
        return server.url

    def test_a_url_is_imported_and_kept_as_its_source(self):
        url = self.serve(lambda handler: send(handler, self.BODY))
        self.env.update(http_proxy="http://127.0.0.1:1", all_proxy="http://127.0.0.1:1")  # not for what stays on this machine
        self.prices("import", url)
        self.assertEqual(self.imported["_import"]["source"], url)
        self.assertIn("2 entries have prices", self.prices("check", url).stdout)
        self.assertEqual(self.json("diff", url), [])

    def test_a_compressed_reply_is_understood(self):
        url = self.serve(lambda handler: send(handler, gzip.compress(self.BODY), Content_Encoding="gzip"))
        self.prices("import", url)

    def test_a_password_in_the_url_is_used_and_neither_shown_nor_kept(self):
        seen = []
        url = self.serve(lambda handler: (seen.append(handler.headers["Authorization"]), send(handler, self.BODY)))
        result = self.prices("import", url.replace("//", "//user:secret@"))
        self.assertEqual(seen, ["Basic dXNlcjpzZWNyZXQ="])
        self.assertNotIn("secret", json.dumps(self.imported) + result.stdout + result.stderr)

    def test_an_answer_that_is_no_success_is_told(self):
        for status in (204, 404, 500):
            self.refused("import", self.serve(lambda handler: send(handler, self.BODY if status != 204 else b"", status)), says=[f"{status}", "127.0.0.1"])

    def test_a_server_that_hangs_is_given_up(self):
        release = threading.Event()
        self.addCleanup(release.set)
        silent = self.serve(lambda handler: release.wait(60))
        self.refused("import", silent, "--timeout", "0.3", says=[silent, "0.3 s", "--timeout"])

        def halfway(handler):
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(self.BODY)))
            handler.end_headers()
            handler.wfile.write(self.BODY[:10])
            handler.wfile.flush()
            release.wait(60)

        self.refused("import", self.serve(halfway), "--timeout", "0.3", says="0.3 s")

    def test_a_reply_that_breaks_off_is_not_imported(self):
        self.refused("import", self.serve(lambda handler: send(handler, self.BODY, Content_Length=str(len(self.BODY) + 1))), says="127.0.0.1")

    def test_a_reply_without_end_is_given_up_at_64_mib(self):
        def endless(handler):
            handler.send_response(200)
            handler.end_headers()
            while True:
                handler.wfile.write(b" " * (1 << 20))

        self.refused("import", self.serve(endless), says="64 MiB")
        self.refused("import", self.serve(lambda handler: send(handler, b"{", Content_Length=str(100 << 20))), says="64 MiB")
        bomb = gzip.compress(b" " * (80 << 20))
        self.refused("import", self.serve(lambda handler: send(handler, bomb, Content_Encoding="gzip")), says="64 MiB")

    def test_it_is_not_led_away_from_https(self):
        target = self.serve(lambda handler: send(handler, self.BODY))
        self.refused("import", self.serve(lambda handler: send(handler, b"", 302, Location=target)), says="127.0.0.1")
        self.refused("import", self.serve(lambda handler: send(handler, b"", 302, Location="file:///etc/passwd")), says="127.0.0.1")

    def test_plain_http_is_for_this_machine_alone(self):
        for url in ("http://example.com/prices.json", "http://127.0.0.1.example.com/", "http://localhost.example.com/", "http://user@10.0.0.1/"):
            self.refused("import", url, says=[url, "https only"])
        for url in ("ftp://127.0.0.1/x", "file:///etc/passwd", "gopher://127.0.0.1/"):
            self.refused("import", url, says=[url, "only https"])
        self.refused("import", "https://", says="no URL")

    def test_who_a_server_is_is_verified(self):
        certificate, key = self.dir / "certificate.pem", self.dir / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
                       check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        url = self.serve(lambda handler: send(handler, self.BODY), context)
        self.refused("import", url, says=[url, "certificate"])
        self.env["SSL_CERT_FILE"] = str(certificate)
        self.prices("import", url)
        self.refused("import", url.replace("127.0.0.1", "localhost"), says="localhost")


if __name__ == "__main__":
    harness.main()
