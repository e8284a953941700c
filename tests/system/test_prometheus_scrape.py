"""A real Prometheus scrapes steno-prometheus: its answers, and the dashboard's."""

import json
import re
import shutil
import signal
import socket
import subprocess
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

from harness import SOURCE, main, wait_for
from test_prometheus import HOSTILE, MetricsTest, call


def tool(name):
    """A program of Debian's package prometheus: where it is installed, or where ./dev puts it."""
    fetched = SOURCE / "build" / "prometheus" / "usr" / "bin" / name
    return shutil.which(name) or (fetched.exists() and str(fetched)) or None


def need(name):
    return unittest.skipUnless(tool(name), f"there is no program {name} here: ./dev prometheus fetches it")


@need("prometheus")
class Scraped(MetricsTest):
    def start_prometheus(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            web = free.getsockname()[1]
        config = self.base / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 500ms, scrape_timeout: 500ms}\n"
            f"scrape_configs: [{{job_name: steno, static_configs: [{{targets: ['127.0.0.1:{self.port}']}}]}}]\n"
        )
        server = self.start(tool("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={self.base}/tsdb", f"--web.listen-address=127.0.0.1:{web}", stdout=subprocess.DEVNULL)
        self.api = f"http://127.0.0.1:{web}/api/v1/"
        wait_for(lambda: server.poll() is not None or self.value("up{job='steno'}") == 1, "Prometheus to scrape")
        self.assertIsNone(server.poll(), self.logs())
        return server

    def ask(self, path, **parameters):
        try:
            with urllib.request.urlopen(self.api + path + "?" + urllib.parse.urlencode(parameters), timeout=30) as reply:
                return json.load(reply)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:  # it is starting
                raise
            raise AssertionError(f"{path} {parameters}: {error.read().decode()}") from None

    def query(self, expression):
        """{frozenset of labels: number} of an instant vector."""
        result = self.ask("query", query=expression)["result"]
        return {frozenset(one["metric"].items()): float(one["value"][1]) for one in result}

    def value(self, expression):
        """The one number of an expression; None without any, and while Prometheus does not answer yet."""
        try:
            result = self.query(expression)
        except urllib.error.URLError:
            return None
        return next(iter(result.values())) if len(result) == 1 else None

    def known(self, expression):
        """The one number of an expression. On a busy machine a scrape may come too late, and until the next one there is none."""
        found = []
        wait_for(lambda: found.append(self.value(expression)) or found[-1] is not None, f"a value of {expression}")
        return found[-1]

    def expect(self, expression, value):
        wait_for(lambda: self.value(expression) == value, f"{expression} to be {value}, it is {self.value(expression)}")

    def test_it_scrapes_and_answers_with_the_right_numbers(self):
        self.start_daemon()
        exporter = self.start_exporter("--listen", "127.0.0.1:0")
        self.start_prometheus()
        self.emit_calls(40)
        self.emit_calls(10, event="failure", error={"type": "RateLimit"}, usage=None)
        self.emit_calls(5, provider="mine", model=HOSTILE)
        self.expect("sum(steno_calls_total)", 55)
        self.expect("steno_calls_total{provider='openai',status='failure'}", 10)
        self.expect("sum(steno_errors_total{type='RateLimit'})", 10)
        self.expect("sum(steno_prompt_tokens_total)", 45000)
        self.expect("sum(steno_unpriced_calls_total)", 5)
        self.expect("steno_up", 1)
        costs = wait_for(lambda: self.query("steno_cost_dollars_total"), "the costs")
        self.assertEqual({dict(labels)["model"] for labels in costs}, {"gpt-4o-mini", HOSTILE}, "the label came back whole")
        self.wait_for_rows(55, "select 1 from cost")
        cost = self.sql("select sum(pico_dollars) / 1e12 as dollars from cost")[0]["dollars"]
        self.assertGreater(cost, 0)
        self.assertAlmostEqual(self.known("sum(steno_cost_dollars_total)"), cost, places=12)
        # All took 1.5 s, which is between the bounds 1.28 and 2.56.
        median = self.known("histogram_quantile(0.5, sum by (le) (steno_call_duration_seconds_bucket))")
        self.assertTrue(1.28 < median < 2.56, median)
        self.assertEqual(self.known("sum(steno_call_duration_seconds_sum) / sum(steno_call_duration_seconds_count)"), 1.5)
        types = self.ask("metadata")
        for name, kind in [("steno_calls_total", "counter"), ("steno_call_duration_seconds", "histogram"), ("steno_pending_calls", "gauge")]:
            self.assertEqual(types[name][0]["type"], kind)

        # Killed and started again on the same port: to Prometheus the counters go on, and nothing is missing.
        self.stop(exporter, signal.SIGKILL)
        self.emit_calls(25)
        self.start_exporter(listen=f"127.0.0.1:{self.port}")
        self.expect("sum(steno_calls_total)", 80)
        self.expect("sum(steno_call_duration_seconds_count)", 80)
        self.assertEqual(self.known("sum(resets(steno_calls_total[1h]))"), 0)
        self.assertEqual(self.known("sum(resets(steno_cost_dollars_total[1h]))"), 0)
        self.assertEqual(self.known("sum(resets(steno_call_duration_seconds_bucket[1h]))"), 0)
        grown = self.ask("query_range", query="sum(steno_calls_total)", start=time.time() - 60, end=time.time(), step=1)["result"][0]["values"]
        counts = [float(value) for _, value in grown]
        self.assertEqual(counts, sorted(counts))

    def test_every_panel_of_the_dashboard_shows_what_is_exported(self):
        dashboard = json.loads((SOURCE / "subscribers" / "grafana" / "steno.json").read_text())
        panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
        self.assertGreater(len(panels), 20)
        self.assertEqual(len({panel["id"] for panel in dashboard["panels"]}), len(dashboard["panels"]))
        (self.dir / "stenod.ini").write_text("[subscriber cost]\ncommand = steno-cost\n")
        self.start_daemon()
        self.start_exporter()
        self.emit(call(1, completion_start_time=1000.2), call(2, "failure", error={"type": "Timeout"}), call(3, cache_hit=True))
        self.wait_for_calls(3)
        self.control("report", name="far-away", problem="the disk is full", dead_letters=3)
        self.start_prometheus()
        self.expect("sum(steno_calls_total)", 3)
        self.expect("steno_subscriber_problem{subscriber='far-away'}", 1)
        exported = {name for name, _ in self.scrape()}
        expressions = [target["expr"] for panel in panels for target in panel["targets"]]
        expressions += [re.fullmatch(r"label_values\((.*), \w+\)", variable["definition"])[1] for variable in dashboard["templating"]["list"] if variable["type"] == "query"]
        shown = set()
        for expression in expressions:
            names = set(re.findall(r"steno_[a-z_]+", expression))
            self.assertTrue(names, expression)
            self.assertLessEqual(names, exported, expression)
            shown |= names
            filled = expression.replace("$__rate_interval", "1m").replace("$__range", "1h").replace("$provider", ".*").replace("$model", ".*")
            self.assertNotIn("$", filled)
            wait_for(lambda: self.query(filled), f"a value of {filled}")
        families = {re.sub("_(bucket|sum|count)$", "", name) if "_seconds_" in name else name for name in exported}
        missing = families - {re.sub("_(bucket|sum|count)$", "", name) if "_seconds_" in name else name for name in shown}
        self.assertEqual(missing, set(), "exported, and on no panel")

    @need("promtool")
    def test_promtool_finds_nothing_to_say(self):
        self.start_daemon()
        self.start_exporter()
        self.emit(call(1, completion_start_time=1000.2), call(2, "failure", error={"type": "Timeout"}), call(3, provider="mine", model=HOSTILE))
        self.wait_for_calls(3)
        with self.get() as reply:
            result = subprocess.run([tool("promtool"), "check", "metrics"], input=reply.read(), capture_output=True)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b"", b""))


if __name__ == "__main__":
    main()
