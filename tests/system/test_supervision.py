"""Subscribers that stenod runs: reload, order of stopping, and children that misbehave."""

import fcntl
import os
import pathlib
import pty
import select
import signal
import sys
import termios
import time

from daemon_peers import DaemonTest, Peer, event
from harness import main, put, wait_for

SLEEP = "sleep 1000"


class SupervisionTest(DaemonTest):
    def configure(self, stenod="", **sections):
        """Each section is a command, or a dict of keys."""
        text = f"[stenod]\n{stenod}\n" if stenod else ""
        for name, keys in sections.items():
            keys = keys if isinstance(keys, dict) else {"command": keys}
            text += f"[subscriber {name}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
        put(self.dir / "stenod.ini", text)  # it may be read at this moment, for an earlier SIGHUP

    def children(self):
        return {child["name"]: child for child in self.status()["children"]}

    def pids(self):
        return {name: child["pid"] for name, child in self.children().items()}

    def running(self, *names):
        """Waits until these and no others run, and returns their pids."""
        def all_run():
            pids = self.pids()
            return sorted(pids) == sorted(names) and all(pids.values()) and pids
        return wait_for(all_run, f"{names} to run, and nothing else")

    def log_text(self):
        return (self.dir / "stenod.log").read_text(errors="replace")

    def reload(self, daemon, said="the configuration was read again"):
        before = self.log_text().count(said)
        daemon.send_signal(signal.SIGHUP)
        wait_for(lambda: self.log_text().count(said) > before, said)

    def script(self, name, text):
        path = self.dir / name
        path.write_text("import os, signal, sys, time\n" + text)
        return f"{sys.executable} -B {path}"


class Reload(SupervisionTest):
    def test_only_what_changed_is_touched(self):
        self.configure(same=SLEEP, other="sh -c 'echo one; exec sleep 1000'", gone=SLEEP)
        daemon = self.start_daemon()
        before = self.running("same", "other", "gone")
        self.configure(new=SLEEP, same=SLEEP, other="sh -c 'echo two; exec sleep 1000'")
        self.reload(daemon)
        after = self.running("new", "same", "other")
        self.assertEqual(after["same"], before["same"])
        self.assertEqual(list(self.children()), ["new", "same", "other"], "the order of the file")
        wait_for(lambda: self.children()["other"]["said"] == "two", "the new command")
        self.assertEqual(self.children()["other"]["restarts"], 0)
        for name in ("other", "gone"):
            self.assertFalse(os.path.exists(f"/proc/{before[name]}"), name)
        self.assertEqual(self.stop(daemon), 0)

    def test_a_broken_file_changes_nothing_and_is_told(self):
        self.configure(a=SLEEP, b=SLEEP)
        daemon = self.start_daemon()
        before = self.running("a", "b")
        ini = self.dir / "stenod.ini"
        ini.write_text("[stenod]\njournal_days = 1\n[subscriber c]\ncomand = x\n")
        self.reload(daemon, "the configuration stays as it was")
        self.assertEqual(self.pids(), before)
        status = self.steno("status", check=False)
        self.assertEqual(status.returncode, 1)
        self.assertIn("line 4", status.stderr)
        self.assertIn("comand", self.status()["config_problem"])
        self.assertIsNone(self.status()["problem"])
        self.configure(b=SLEEP)
        self.reload(daemon)
        self.assertIsNone(self.status()["config_problem"])
        self.assertEqual(self.running("b")["b"], before["b"])
        self.assertEqual(self.steno("status").returncode, 0)

    def test_a_file_that_is_gone_means_the_defaults_unless_it_was_named(self):
        self.configure(a=SLEEP)
        daemon = self.start_daemon()
        self.running("a")
        (self.dir / "stenod.ini").unlink()
        self.reload(daemon)
        self.running("cost")
        self.assertEqual(self.stop(daemon), 0)
        self.configure(a=SLEEP)
        daemon = self.start_daemon("--config", self.dir / "stenod.ini")
        before = self.running("a")
        (self.dir / "stenod.ini").unlink()
        self.reload(daemon, "the configuration stays as it was")
        self.assertEqual(self.running("a"), before)

    def test_what_is_kept_of_the_journal_changes_at_once(self):
        self.configure("journal_mb = 0", a=SLEEP)
        daemon = self.start_daemon()
        peer = Peer(self)
        for seq in range(1, 41):
            peer.send(seq, event(text="x" * 100_000))
        self.wait_for_rows(40, "select 1 from event where event = 'test.event'")
        self.configure("journal_mb = 1\ndurability = full", a=SLEEP)
        self.reload(daemon)
        wait_for(lambda: self.status()["journal_bytes"] <= 1 << 20, "a smaller journal")

    def test_that_nothing_keeps_costs_is_told(self):
        said = "no [subscriber …] section runs steno-cost"
        self.configure(a=SLEEP)
        daemon = self.start_daemon()
        wait_for(lambda: said in self.log_text(), said)
        self.assertIn(said, self.status()["config_note"])
        status = self.steno("status")
        self.assertEqual((status.returncode, said in status.stdout), (0, True))
        self.reload(daemon)
        self.assertEqual(self.log_text().count(said), 1, "once")
        self.configure(a=SLEEP, cost="sh -c 'exec steno-cost'")
        self.reload(daemon)
        self.assertIsNone(self.status()["config_note"])
        self.assertNotIn("steno-cost:", self.steno("status").stdout)
        self.configure(a=SLEEP)
        self.reload(daemon)
        self.assertEqual(self.log_text().count(said), 2, "when it is so again")
        self.stop(daemon)
        (self.dir / "stenod.ini").unlink()
        daemon = self.start_daemon()
        self.assertIsNone(self.status()["config_note"])
        self.stop(daemon)
        self.configure(a=SLEEP)
        self.start_daemon("--no-subscribers")
        self.assertIsNone(self.status()["config_note"])
        self.assertEqual(self.log_text().count(said), 2)

    def test_without_subscribers_none_is_started_by_a_reload(self):
        self.configure(a=SLEEP)
        daemon = self.start_daemon("--no-subscribers")
        self.reload(daemon)
        self.assertEqual(self.status()["children"], [])

    def test_the_place_of_a_child_that_does_not_end_is_taken_when_it_is_killed(self):
        deaf = self.script("deaf.py", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)\nwhile True: signal.pause()\n")
        self.configure(a={"command": deaf, "stop_timeout": 3}, b=SLEEP)
        daemon = self.start_daemon()
        before = self.running("a", "b")
        wait_for(lambda: self.children()["a"]["said"] == "deaf", "the deaf one")
        self.configure(a=SLEEP, b=SLEEP)
        began = time.monotonic()
        self.reload(daemon)
        self.assertEqual(self.children()["a"]["state"], "stopping")
        self.configure(a="sleep 999", b=SLEEP)
        self.reload(daemon)
        after = wait_for(lambda: (pids := self.pids())["a"] not in (0, None, before["a"]) and pids, "its successor")
        self.assertGreaterEqual(time.monotonic() - began, 2.9, "the time that its own section gave it")
        self.assertEqual((after["b"], self.children()["a"]["command"]), (before["b"], "sleep 999"))
        self.assertFalse(os.path.exists(f"/proc/{before['a']}"))

    def test_many_reloads_leave_one_process_a_name(self):
        daemon_commands = [f"sleep {1000 + n}" for n in range(20)]
        self.configure(a=daemon_commands[0])
        daemon = self.start_daemon()
        for command in daemon_commands:
            self.configure(a=command)
            daemon.send_signal(signal.SIGHUP)
        self.reload(daemon)
        pid = wait_for(lambda: (child := self.children()["a"])["command"] == daemon_commands[-1] and child["state"] == "running" and child["pid"], "the last command")
        children = [int(p) for p in pathlib.Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split()]
        self.assertEqual(children, [pid])


class Stopping(SupervisionTest):
    def test_the_last_of_the_file_ends_first(self):
        slow = self.script(
            "slow.py",
            "def end(*_):\n    time.sleep(0.3)\n    print('bye', flush=True)\n    os._exit(0)\n"
            "signal.signal(signal.SIGTERM, end)\nprint('ready', flush=True)\nwhile True: signal.pause()\n",
        )
        self.configure(first=slow, second=slow, third=slow)
        daemon = self.start_daemon()
        wait_for(lambda: all(child["said"] == "ready" for child in self.children().values()), "all three")
        self.assertEqual(self.stop(daemon), 0)
        lines = [line.split("stenod: ")[1] for line in self.log_text().splitlines() if "bye" in line]
        self.assertEqual(lines, ["[third] bye", "[second] bye", "[first] bye"])
        self.assertNotIn("killed", self.log_text())

    def test_one_that_hangs_takes_its_stop_timeout_and_no_more(self):
        deaf = self.script("deaf.py", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready', flush=True)\nwhile True: signal.pause()\n")
        self.configure(a={"command": deaf, "stop_timeout": 1}, b=SLEEP)
        daemon = self.start_daemon()
        wait_for(lambda: self.children()["a"]["said"] == "ready", "the deaf one")
        pids = self.pids()
        began = time.monotonic()
        self.assertEqual(self.stop(daemon), 0)
        self.assertGreaterEqual(time.monotonic() - began, 1)
        self.assertIn("subscriber a does not end: killed", self.log_text())
        for pid in pids.values():
            self.assertFalse(os.path.exists(f"/proc/{pid}"))

    def test_nothing_of_a_pipeline_outlives_its_shell(self):
        self.configure(a="sh -c 'sleep 1234 | sleep 1235'")
        daemon = self.start_daemon()
        pid = self.running("a")["a"]
        group = wait_for(lambda: len(members := self.group(pid)) == 3 and members, "the pipeline")
        self.configure(b=SLEEP)
        self.reload(daemon)
        self.running("b")
        wait_for(lambda: not self.group(pid), f"{group} to be gone")

    def test_nothing_of_a_group_of_its_own_outlives_it_either(self):
        """steno-exec gives each command a process group, and may be killed before the command has ended."""
        keeper = self.script("keeper.py", "pid = os.fork()\nif pid == 0:\n    os.setpgid(0, 0)\n    os.execvp('sh', ['sh', '-c', 'sleep 1236; true'])\n"
                             "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(pid, flush=True)\nwhile True: signal.pause()\n")
        self.configure(a={"command": keeper, "stop_timeout": 1}, b=SLEEP)
        daemon = self.start_daemon()

        def group():
            wait_for(lambda: (self.children()["a"]["said"] or "").isdigit(), "its pid")
            pgid = int(self.children()["a"]["said"])
            wait_for(lambda: len(self.group(pgid)) == 2, "its group")
            return pgid

        first, b = group(), self.pids()["b"]
        os.kill(self.pids()["a"], signal.SIGKILL)
        wait_for(lambda: not self.group(first), "the group of the killed one to be gone")
        wait_for(lambda: self.children()["a"]["said"] != str(first), "another one")
        second = group()
        self.assertEqual(self.pids()["b"], b, "others are not meant")
        self.assertEqual(self.stop(daemon), 0)
        self.assertEqual(self.group(second), [], "the stop waits for it")

    @staticmethod
    def group(pgid):
        members = []
        for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, group = path.read_text().rsplit(")", 1)[1].split()[:3]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(group) == pgid and state != "Z":
                members.append(path.parent.name)
        return members

    def test_the_end_of_its_terminal_is_a_clean_end(self):
        parent, child = pty.openpty()

        def take_terminal():
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests with nohup
            os.setsid()
            fcntl.ioctl(child, termios.TIOCSCTTY, 0)

        daemon = self.start("stenod", "--no-subscribers", preexec_fn=take_terminal)
        wait_for(self.ping, "stenod")
        os.close(child)
        os.close(parent)
        self.assertEqual(daemon.wait(30), 0)
        self.assertIn("storing what is there", self.log_text())


class Misbehaving(SupervisionTest):
    def test_what_a_command_is_given_is_not_shown(self):
        """Its arguments may hold keys, and a status is what people show around."""
        self.configure(a="sh -c 'sleep 1000' hush-hush", b="env KEY=hush-hush sleep 1000")
        self.start_daemon()
        self.running("a", "b")
        shown = self.steno("status").stdout
        self.assertRegex(shown, r"(?m)^a .* sh …$")
        self.assertRegex(shown, r"(?m)^b .* env …$")
        self.assertNotIn("hush", shown)
        self.assertNotIn("hush", self.log_text())

    def test_one_that_fails_at_once_for_ever_is_told_with_its_reason(self):
        self.configure(bad="sh -c 'echo no such mailbox >&2; exit 7'", shot="sh -c 'kill -9 $$'", good=SLEEP)
        self.start_daemon()
        good = wait_for(lambda: self.pids()["good"], "the good one")
        wait_for(lambda: all(self.children()[name]["restarts"] >= 2 for name in ("bad", "shot")), "restarts")
        children = self.children()
        self.assertEqual((children["bad"]["last_exit"], children["bad"]["said"]), ("exited with 7", "no such mailbox"))
        self.assertEqual(children["shot"]["last_exit"], "signal 9")
        waiting = wait_for(lambda: (child := self.children()["bad"])["state"] == "waiting" and child, "its pause")
        self.assertTrue(0 <= waiting["starts_in"] <= 30)
        self.assertEqual(self.pids()["good"], good)
        table = self.steno("status").stdout
        row = next(line for line in table.splitlines() if line.startswith("bad"))
        self.assertIn("exited with 7", row)
        self.assertIn("no such mailbox", row)
        self.assertIsNone(children["good"]["last_exit"])
        self.assertLess(self.log_text().count("[bad]"), 10, "the pause gets longer")

    def test_a_flood_of_output_stalls_nothing_and_fills_no_log(self):
        flood = self.script("flood.py", "line = b'\\xff\\x1b[31m nonsense ' * 5 + b'\\n'\nwhile True: os.write(1, line * 100)\n")
        self.configure(flood=flood, quiet=SLEEP)
        daemon = self.start_daemon()
        began = time.monotonic()
        wait_for(lambda: "more lines" in self.log_text(), "the lines that were withheld", 60)
        peer = Peer(self)
        slowest = 0
        for seq in range(1, 101):
            sent = time.monotonic()
            peer.send(seq)
            wait_for(lambda: self.sql("select 1 from event where seq = ?", seq), f"event {seq}")
            slowest = max(slowest, time.monotonic() - sent)
        self.assertLess(slowest, 5)
        seconds = time.monotonic() - began
        self.assertLess(self.log_text().count("[flood]"), 210 + 6 * seconds)
        self.assertIn("nonsense", self.children()["flood"]["said"])
        self.assertNotIn("\x1b", self.log_text())
        self.assertNotIn("\x1b", self.steno("status").stdout)
        # It is slowed down to what is read of it in a second, not read for ever.
        cpu = sum(int(n) for n in pathlib.Path(f"/proc/{daemon.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]) / os.sysconf("SC_CLK_TCK")
        self.assertLess(cpu, 0.5 * (time.monotonic() - began) + 1)
        self.assertEqual(self.stop(daemon), 0)

    def test_a_log_that_nobody_reads_stalls_nothing(self):
        flood = self.script("flood.py", "while True:\n    os.write(1, b'x' * 1000 + b'\\n')\n")
        self.configure(**{f"flood{n}": flood for n in range(3)})
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 65536)
        daemon = self.start("stenod", stderr=writer)
        wait_for(lambda: not select.select([], [writer], [], 0)[1], "the pipe to be full")
        os.close(writer)
        wait_for(self.ping, "stenod to answer")
        peer = Peer(self)
        for seq in range(1, 21):
            peer.send(seq)
        self.wait_for_rows(20, "select 1 from event where event = 'test.event'")
        text = b""
        while b"lines before it that nobody read" not in text:
            text += os.read(reader, 65536)
        self.assertIn(b" at work in ", text)
        wait_for(self.ping, "stenod to answer")
        os.close(reader)
        self.assertEqual(self.stop(daemon), 0, "nor does one that is gone")

    def test_the_last_words_are_not_lost(self):
        talk = self.script("talk.py", "sys.stdout.write('x' * 5000 + '\\n' + 'line\\n' * 50 + 'the very last')\n")
        self.configure(a=talk)
        self.start_daemon()
        wait_for(lambda: self.children()["a"]["restarts"] >= 1, "its end")
        wait_for(lambda: self.children()["a"]["said"] == "the very last", "its last words")  # the next one may be in the middle of it
        self.assertEqual(self.log_text().split("again in 0.5")[0].count("[a] line"), 50)


if __name__ == "__main__":
    main()
