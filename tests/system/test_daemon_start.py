"""stenod's start, configuration, children and stop."""

import os
import signal
import sqlite3
import stat

import tempfile

from daemon_peers import DaemonTest, Peer
from harness import BIN, main, wait_for


class Start(DaemonTest):
    def refuse(self, *args, status=1, env=None):
        result = self.run_program("stenod", *args, check=False, env={**self.env, **(env or {})})
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertTrue(result.stderr.startswith("stenod: "), result.stderr)
        return result.stderr

    def test_second_daemon_says_who_runs_and_exits(self):
        first = self.start_daemon("--no-subscribers")
        self.assertIn(f"pid {first.pid}", self.refuse())
        self.assertTrue(self.control("ping"), "the first one lost its sockets")
        self.stop(first, signal.SIGKILL)
        self.start_daemon("--no-subscribers")

    def test_folder_that_others_can_enter_is_refused(self):
        os.chmod(self.dir, 0o755)
        self.assertIn("chmod 700", self.refuse())

    def test_path_too_long_for_sockets_is_refused(self):
        self.assertIn("107", self.refuse("--dir", f"{self.dir}/{'x' * 100}"))

    def test_options(self):
        self.assertIn("--nonsense", self.refuse("--nonsense", status=2))
        self.assertIn("needs a value", self.refuse("--dir", status=2))
        self.assertIn("extra", self.refuse("extra", status=2))
        self.assertTrue(self.run_program("stenod", "--help").stdout.startswith("Usage: stenod"))
        self.assertIn("stenod ", self.run_program("stenod", "--version").stdout)

    def test_files_are_the_users_own(self):
        self.start_daemon("--no-subscribers")
        for name in ("log.db", "log.db-wal", "stenod.lock", "events.in", "events.out", "control", "spool"):
            self.assertEqual(stat.S_IMODE(os.stat(self.dir / name).st_mode) & 0o077, 0, name)

    def test_log_of_a_newer_version_is_left_alone(self):
        database = sqlite3.connect(self.dir / "log.db")
        database.execute("pragma user_version = 99")
        database.close()
        self.assertIn("99", self.refuse())

    def test_log_that_is_none_is_refused(self):
        (self.dir / "log.db").write_text("this is no database, whatever its name says" * 50)
        self.assertIn("log.db", self.refuse())
        self.assertIn("this is no database", (self.dir / "log.db").read_text())

    def test_errors_in_the_configuration_name_file_and_line(self):
        ini = self.dir / "stenod.ini"
        for text, line, what in [
            ("[stenod]\ndurability = hard\n", 2, "hard"),
            ("[stenod]\ndurabillity = full\n", 2, "durabillity"),
            ("\n[stendo]\n", 2, "stendo"),
            ("[subscriber a]\ncommand = x\n[subscriber a]\ncommand = y\n", 3, "two sections"),
            ("[subscriber a]\n", 1, "no `command`"),
            ("[subscriber a b]\ncommand = x\n", 1, "name"),
            ("[subscriber a]\ncommand = x | y\n", 2, "command"),
            ("[subscriber a]\ncommand = $(x)\n", 2, "command"),
            ("[subscriber a]\nrestart = no\n", 2, "restart"),
            ("durability = full\n", 1, "durability"),
            ("[stenod]\nnonsense\n", 2, "key = value"),
        ]:
            ini.write_text(text)
            message = self.refuse()
            self.assertIn(f"{ini}, line {line}: ", message, text)
            self.assertIn(what, message)
        ini.unlink()
        self.assertIn("nowhere.ini", self.refuse("--config", self.dir / "nowhere.ini"))

    def test_durability_full_works(self):
        (self.dir / "stenod.ini").write_text("[stenod]\ndurability = full ; to the disk\n")
        self.start_daemon("--no-subscribers")
        peer = Peer(self)
        peer.send(1)
        self.wait_for_seqs(peer.publisher, [1])

    def test_dir_and_xdg_folders(self):
        home = tempfile.TemporaryDirectory(dir="/tmp")
        self.addCleanup(home.cleanup)
        env = {k: v for k, v in self.env.items() if k != "STENO_DIR"}
        env.update(HOME=home.name, XDG_RUNTIME_DIR=home.name)
        daemon = self.start("stenod", "--no-subscribers", env=env)
        wait_for(lambda: os.path.exists(f"{home.name}/steno/control"), "the sockets")
        wait_for(lambda: os.path.exists(f"{home.name}/.local/state/steno/log.db"), "the log")
        self.assertEqual(self.stop(daemon), 0)


class Children(DaemonTest):
    def configure(self, **commands):
        (self.dir / "stenod.ini").write_text("".join(f"[subscriber {name}]\ncommand = {command}\n" for name, command in commands.items()))

    def child(self, name):
        return next(c for c in self.status()["children"] if c["name"] == name)

    def log_text(self):
        return (self.dir / "stenod.log").read_text()

    def test_children_run_speak_and_end_with_the_daemon(self):
        self.configure(talk="sh -c 'echo hello from $STENO_DIR; exec sleep 1000'")
        daemon = self.start_daemon()
        wait_for(lambda: f"[talk] hello from {self.dir}" in self.log_text(), "the child's line")
        child = self.child("talk")
        self.assertEqual((child["state"], child["restarts"]), ("running", 0))
        self.assertEqual(self.stop(daemon), 0)
        self.assertFalse(os.path.exists(f"/proc/{child['pid']}"))

    def test_a_child_that_ends_is_started_again_after_a_longer_pause_each_time(self):
        self.configure(short="sh -c 'exit 3'", missing="no-such-program-at-all")
        self.start_daemon()
        wait_for(lambda: self.child("short")["restarts"] >= 2, "two restarts")
        log = self.log_text()
        self.assertIn("subscriber short exited with 3; again in 0.5 s", log)
        self.assertIn("subscriber short exited with 3; again in 1.0 s", log)
        self.assertIn("cannot run no-such-program-at-all", log)
        self.assertIn(self.child("short")["state"], ("waiting", "running"))

    def test_children_get_their_time_and_the_control_socket_while_the_daemon_stops(self):
        script = self.dir / "slow.py"
        script.write_text(
            "import msgpack, os, signal, sys, zmq\n"
            "def end(*_):\n"
            "    socket = zmq.Context().socket(zmq.REQ)\n"
            "    socket.connect('ipc://' + os.environ['STENO_DIR'] + '/control')\n"
            "    socket.send(msgpack.packb({'verb': 'commit', 'name': 'slow', 'offset': 1}))\n"
            "    print('committed', msgpack.unpackb(socket.recv())['ok'], flush=True)\n"
            "    os._exit(0)\n"
            "signal.signal(signal.SIGTERM, end)\n"
            "print('ready', flush=True)\n"
            "while True: signal.pause()\n"
        )
        self.configure(slow=f"/usr/bin/python3 -B {script}")
        daemon = self.start_daemon()
        peer = Peer(self)
        wait_for(lambda: "[slow] ready" in self.log_text(), "the child")
        self.assertEqual(self.stop(daemon), 0)
        self.assertIn("[slow] committed True", self.log_text())
        self.assertEqual(self.sql("select offset from subscriber where name = 'slow'"), [{"offset": 1}])

    def test_a_child_that_does_not_end_is_killed(self):
        self.configure(deaf="sh -c 'trap \"\" TERM; echo ready; while :; do sleep 1; done'")
        daemon = self.start_daemon()
        wait_for(lambda: "[deaf] ready" in self.log_text(), "the child")
        child = self.child("deaf")
        self.assertEqual(self.stop(daemon), 0)
        self.assertFalse(os.path.exists(f"/proc/{child['pid']}"))

    def test_children_end_when_the_daemon_is_killed(self):
        self.configure(talk="sleep 1000")
        daemon = self.start_daemon()
        child = wait_for(lambda: self.child("talk")["pid"], "the child")
        self.stop(daemon, signal.SIGKILL)
        wait_for(lambda: self.gone(child), "the child to end")

    @staticmethod
    def gone(pid):
        try:
            with open(f"/proc/{pid}/stat") as stat_line:
                return stat_line.read().split()[2] == "Z"
        except OSError:
            return True

    def test_no_configuration_means_steno_cost(self):
        self.start_daemon()
        (child,) = self.status()["children"]
        self.assertEqual((child["name"], child["command"]), ("cost", "steno-cost"))


if __name__ == "__main__":
    main()
