"""steno-jsonl against the real daemon: what is in its files is what the journal has, whatever is killed, full, moved or torn."""

import ctypes
import glob
import gzip
import json
import os
import re
import resource
import signal
import stat
import subprocess
import time
import unittest

import harness
from harness import PATIENCE, keep_clear_of_the_quarter, wait_for, wait_for_count
from test_subscribers import SubscriberTest

CLONE_NEWNS = 0x00020000


def small_disk(folder, size):
    """A tmpfs of this process alone on the folder; why not, or None."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS):
        return f"no mount namespace: {os.strerror(ctypes.get_errno())} (root is needed)"
    for args in (["--make-rprivate", "/"], ["-t", "tmpfs", "-o", f"size={size},mode=700", "none", folder]):
        result = subprocess.run(["mount", *map(str, args)], capture_output=True, text=True, check=False)
        if result.returncode:
            return result.stderr.strip()
    return None


class JsonlTest(SubscriberTest):
    def setUp(self):
        super().setUp()
        self.folder = self.dir / "out"
        self.folder.mkdir()
        self.file = self.folder / "calls.jsonl"

    def start_jsonl(self, *options, file=None, **more):
        return self.start("steno-jsonl", *options, file or self.file, **more)

    def rotated(self, ending=""):
        """What was rotated away, the oldest first."""
        names = [name for name in os.listdir(self.folder) if re.fullmatch(r"calls\.jsonl\.\d{4}-\d\d-\d\d\.\d{12}(-\d+)?(\.gz)?", name) and name.endswith(ending)]
        return sorted((self.folder / name for name in names), key=lambda path: int(path.name.split(".")[3].split("-")[0]))

    def events(self):
        """Every line of every file, as JSON; a torn one fails the test."""
        events, seen = [], set()
        for path in [*self.rotated(), self.file]:
            plain = path.with_name(path.name.removesuffix(".gz"))
            if plain in seen:
                continue
            seen.add(plain)
            try:
                data = plain.read_bytes()
            except FileNotFoundError:  # compressed meanwhile: the twin is there before the plain one goes
                packed = plain.with_name(plain.name + ".gz")
                if not packed.exists():
                    continue
                data = gzip.decompress(packed.read_bytes())
            self.assertTrue(not data or data.endswith(b"\n"), path)
            events += [json.loads(line) for line in data.splitlines()]
        return events

    def offsets(self):
        return [event["offset"] for event in self.events()]

    def cursor(self, name="steno-jsonl"):
        rows = self.sql("select offset from subscriber where name = ?", name)
        return rows[0]["offset"] if rows else 0

    def wait_for_cursor(self, offset):
        wait_for_count(self.cursor, offset, f"the cursor to be {offset}{self.logs()}")
        self.assertEqual(self.cursor(), offset)

    def problem(self, name="steno-jsonl"):
        listed = [one for one in self.control("status")["subscribers"] if one["name"] == name]
        return listed[0]["problem"] if listed else None


class Files(JsonlTest):
    def test_every_event_is_a_line_and_the_file_is_private(self):
        self.start_daemon()
        out = self.publisher()
        self.start_jsonl(self.file, "success.", file="--")  # topics after the file
        self.emit(out, "success", text="é\n\x01", nested={"a": [1, 2.5, None]})
        self.emit(out, "failure")
        self.emit(out, "success")
        self.wait_for_cursor(3)
        events = self.events()
        self.assertEqual([event["offset"] for event in events], [1, 3])
        self.assertEqual((events[0]["text"], events[0]["nested"]), ("é\n\x01", {"a": [1, 2.5, None]}))
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o600)

    def test_kill_9_at_any_moment_leaves_no_hole_no_double_and_no_torn_line(self):
        self.start_daemon()
        out = self.publisher()
        for _ in range(3000):
            self.emit(out, text="x" * 300)
        for round in range(1, 13):
            program = self.start_jsonl("--fsync", "never" if round % 2 else "batch")
            size = self.file.stat().st_size if self.file.exists() else 0
            wait_for(lambda: self.file.exists() and self.file.stat().st_size > size or self.cursor() == 3000, "something to be written")
            self.stop(program, signal.SIGKILL)
        self.start_jsonl()
        self.wait_for_cursor(3000)
        self.assertEqual(self.offsets(), list(range(1, 3001)))

    def test_what_the_file_has_and_the_cursor_does_not_know_is_not_written_again(self):
        self.start_daemon()
        out = self.publisher()
        for _ in range(20):
            self.emit(out)
        program = self.start_jsonl()
        self.wait_for_cursor(20)
        self.stop(program)
        self.assertTrue(self.control("commit", name="steno-jsonl", offset=12)["ok"])  # as if killed before it was stored
        self.emit(out)
        program = self.start_jsonl()
        self.wait_for_cursor(21)
        self.assertEqual(self.offsets(), list(range(1, 22)))
        # While it runs, who sets the cursor back wants them again.
        self.steno("replay", "--to", "steno-jsonl", "--from", "20")
        wait_for(lambda: self.offsets() == [*range(1, 22), 20, 21], "two more lines")
        self.stop(program)

    def test_lines_of_another_log_are_not_taken_for_this_ones(self):
        self.start_daemon()
        out = self.publisher()
        self.file.write_text("".join(json.dumps({"event": "other", "offset": n}, separators=(",", ":")) + "\n" for n in range(1, 50)))
        for _ in range(5):
            self.emit(out)
        self.start_jsonl()
        self.wait_for_cursor(5)
        self.assertEqual([event["offset"] for event in self.events() if event["event"] == "success"], [1, 2, 3, 4, 5])

    def test_torn_last_line_is_cut_off_and_its_event_comes_again(self):
        self.start_daemon()
        out = self.publisher()
        for _ in range(3):
            self.emit(out)
        program = self.start_jsonl()
        self.wait_for_cursor(3)
        self.stop(program)
        self.file.write_bytes(self.file.read_bytes()[:-7])
        self.assertTrue(self.control("commit", name="steno-jsonl", offset=2)["ok"])
        self.start_jsonl()
        self.wait_for_cursor(3)
        self.assertEqual(self.offsets(), [1, 2, 3])
        self.assertIn("ended in the middle of a line", (self.dir / "steno-jsonl.log").read_text())

    def test_hangup_moved_deleted_and_truncated_files(self):
        self.start_daemon()
        out = self.publisher()
        program = self.start_jsonl()
        self.emit(out)
        self.wait_for_cursor(1)
        moved = self.file.with_suffix(".old")
        self.file.rename(moved)  # logrotate's way
        program.send_signal(signal.SIGHUP)
        wait_for(self.file.exists, "the file to be opened anew without an event")
        self.emit(out)
        self.wait_for_cursor(2)
        self.assertEqual([json.loads(line)["offset"] for line in moved.read_text().splitlines()], [1])
        self.assertEqual(self.offsets(), [2])
        self.file.rename(moved)  # without telling it
        self.emit(out)
        self.wait_for_cursor(3)
        self.assertEqual(self.offsets(), [3])
        self.file.unlink()
        self.emit(out)
        self.wait_for_cursor(4)
        self.assertEqual(self.offsets(), [4])
        os.truncate(self.file, 0)  # copytruncate
        self.emit(out)
        self.wait_for_cursor(5)
        self.assertEqual(self.offsets(), [5])

    def test_two_of_them_on_one_file_and_what_is_no_file_are_refused(self):
        self.start_daemon()
        self.start_jsonl()
        wait_for(self.file.exists, "the file")
        result = self.run_program("steno-jsonl", "--name", "other", self.file, check=False)
        self.assertEqual((result.returncode, "another steno-jsonl" in result.stderr), (1, True), result.stderr)
        for path, what in ((self.folder, "cannot open"), ("/dev/null", "is no file"), (self.folder / "no" / "where", "No such file")):
            result = self.run_program("steno-jsonl", "--name", "other", path, check=False)
            self.assertEqual((result.returncode, what in result.stderr), (1, True), result.stderr)

    def test_usage(self):
        for args, what in ([["--rotate-size", "1", "x"], "--rotate-size 1"], [["--rotate-size", "9T", "x"], "9T"], [["--rotate-size", "M", "x"], "--rotate-size M"],
                           [["--keep", "0", "x"], "--keep 0"], [["--fsync", "always", "x"], "always"], [[], "missing"], [["--gzip", "-"], "cannot be rotated"]):
            result = self.run_program("steno-jsonl", *args, check=False)
            self.assertEqual((result.returncode, what in result.stderr), (2, True), result.stderr)
            self.assertIn("usage:", result.stderr)
        self.assertIn("--rotate-daily", self.run_program("steno-jsonl", "--help").stdout)
        self.assertIn("steno-jsonl", self.run_program("steno-jsonl", "--version").stdout)


class StandardOutput(JsonlTest):
    def test_slow_reader_gets_every_line_and_one_that_leaves_ends_it(self):
        self.start_daemon()
        out = self.publisher()
        for _ in range(300):
            self.emit(out, text="x" * 2000)  # more than a pipe holds
        self.stored(300)
        program = self.start_jsonl(file="-", stdout=subprocess.PIPE)
        lines = [json.loads(program.stdout.readline())["offset"] for _ in range(300)]
        self.assertEqual(lines, list(range(1, 301)))
        self.wait_for_cursor(300)
        program.stdout.close()
        self.emit(out)
        self.assertEqual(program.wait(PATIENCE), 1)
        self.assertIn("nobody reads standard output", (self.dir / "steno-jsonl.log").read_text())
        self.assertEqual(self.cursor(), 300)

    def test_sigterm_ends_it_although_nobody_reads(self):
        self.start_daemon()
        out = self.publisher()
        for _ in range(300):
            self.emit(out, text="x" * 2000)
        self.stored(300)
        program = self.start_jsonl(file="-", stdout=subprocess.PIPE)
        fd = program.stdout.fileno()
        wait_for(lambda: os.path.exists(f"/proc/{program.pid}") and self.pending(fd) > 60000, "the pipe to be full")
        self.assertEqual(self.stop(program), 0)
        self.assertLess(self.cursor(), 300)

    @staticmethod
    def pending(fd):
        import fcntl
        import termios
        return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4), "little")


class Rotation(JsonlTest):
    def test_size_is_kept_and_what_was_rotated_is_compressed_and_limited(self):
        self.start_daemon()
        out = self.publisher()
        program = self.start_jsonl("--rotate-size", "20K", "--gzip", "--keep", "3")
        for _ in range(400):
            self.emit(out, text="x" * 300)
        self.wait_for_cursor(400)
        wait_for(lambda: len(self.rotated()) == 3 and len(self.rotated(".gz")) == 3, f"three compressed files{self.logs()}")
        for path in self.rotated():
            self.assertLessEqual(len(gzip.decompress(path.read_bytes())), 20 * 1024)
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertLessEqual(self.file.stat().st_size, 20 * 1024)
        offsets = self.offsets()
        self.assertEqual(offsets, list(range(offsets[0], 401)))  # the newest, without a hole
        last = [json.loads(gzip.decompress(path.read_bytes()).splitlines()[-1])["offset"] for path in self.rotated()]
        self.assertEqual(last, [int(path.name.split(".")[3]) for path in self.rotated()])
        self.stop(program)

    def test_event_larger_than_the_limit_has_a_file_of_its_own(self):
        self.start_daemon()
        out = self.publisher()
        for size in (10, 5000, 10):
            self.emit(out, text="x" * size)
        self.start_jsonl("--rotate-size", "2K")
        self.wait_for_cursor(3)
        self.assertEqual(self.offsets(), [1, 2, 3])
        self.assertEqual(len(self.rotated()), 2)

    def test_day_is_rotated_when_it_is_over_also_while_nothing_comes(self):
        keep_clear_of_the_quarter()
        self.start_daemon()
        out = self.publisher()
        self.emit(out)
        program = self.start_jsonl("--rotate-daily")
        self.wait_for_cursor(1)
        self.stop(program)
        yesterday = time.time() - 86400
        os.utime(self.file, (yesterday, yesterday))
        self.start_jsonl("--rotate-daily")
        (path,) = wait_for(lambda: self.rotated(), "the file to be rotated")
        self.assertEqual(path.name, "calls.jsonl." + time.strftime("%Y-%m-%d", time.localtime(yesterday)) + ".000000000001")
        self.emit(out)
        self.wait_for_cursor(2)
        self.assertEqual(self.offsets(), [1, 2])
        self.assertEqual(len(self.rotated()), 1)

    def test_folder_that_is_gone_is_waited_for_and_a_new_one_is_rotated_in(self):
        self.start_daemon()
        out = self.publisher()
        self.start_jsonl("--rotate-size", "5K", "--gzip")
        for _ in range(50):
            self.emit(out, text="x" * 200)
        self.wait_for_cursor(50)
        wait_for(lambda: len(self.rotated(".gz")) == len(self.rotated()) > 1, "the first ones to be compressed" + self.logs())
        self.folder.rename(self.dir / "elsewhere")
        self.emit(out)
        wait_for(lambda: "cannot open" in (self.problem() or ""), "the problem to be told")
        self.folder.mkdir()
        for _ in range(50):
            self.emit(out, text="x" * 200)
        self.wait_for_cursor(101)
        self.assertEqual(self.offsets(), list(range(51, 102)))
        wait_for(lambda: len(self.rotated(".gz")) == len(self.rotated()) > 1, "those of the new folder to be compressed" + self.logs())
        wait_for(lambda: not self.problem(), "the problem to be over")

    def test_what_cannot_be_compressed_stays_and_is_told(self):
        self.start_daemon()
        plain = self.folder / "calls.jsonl.2020-01-01.000000000007"
        plain.write_text("precious\n")
        (self.folder / (plain.name + ".gz")).mkdir()
        self.start_jsonl("--gzip")
        wait_for(lambda: "cannot compress" in (self.problem() or ""), "the problem to be told" + self.logs())
        self.assertEqual(plain.read_text(), "precious\n")
        self.emit(self.publisher())  # the rest goes on
        self.wait_for_cursor(1)
        self.assertIn("cannot compress", self.problem())

    def test_kill_9_through_rotation_and_compression_loses_nothing(self):
        self.start_daemon()
        out = self.publisher()
        for number in range(1500):
            self.emit(out, text=os.urandom(400).hex())
        self.stored(1500)
        for round in range(12):
            program = self.start_jsonl("--rotate-size", "64K", "--gzip", log="jsonl.log")
            before = len(os.listdir(self.folder))
            wait_for(lambda: len(os.listdir(self.folder)) > before + round % 3 or self.cursor() == 1500, "files to be rotated")
            self.stop(program, signal.SIGKILL)
        # What a crash can leave: an unfinished one, and a twin that was finished but not deleted.
        plain = self.folder / "calls.jsonl.2020-01-01.000000000000"
        plain.write_text("")
        (self.folder / (plain.name + ".gz")).write_bytes(gzip.compress(b""))
        (self.folder / "calls.jsonl.2020-01-02.000000000000.gz.tmp").write_bytes(b"half")
        foreign = self.folder / "calls.jsonl.2020-01-02.backup"
        foreign.write_text("mine")
        self.start_jsonl("--rotate-size", "64K", "--gzip", log="jsonl.log")
        self.wait_for_cursor(1500)
        wait_for(lambda: self.rotated() == self.rotated(".gz") and not glob.glob(f"{self.folder}/*.tmp"), "all to be compressed" + self.logs())
        self.assertEqual(self.offsets(), list(range(1, 1501)))
        self.assertEqual(foreign.read_text(), "mine")


class FullDisk(JsonlTest):
    def test_what_does_not_fit_is_taken_back_told_and_written_when_there_is_room(self):
        self.start_daemon()
        out = self.publisher()
        program = self.start_jsonl()
        self.emit(out, text="x" * 1000)
        self.wait_for_cursor(1)
        size = self.file.stat().st_size
        resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (size + 500, resource.RLIM_INFINITY))  # a part of the next line fits
        for _ in range(50):
            self.emit(out, text="x" * 1000)
        wait_for(lambda: "cannot write to" in (self.problem() or ""), "the problem to be told")
        self.assertEqual(self.offsets(), [1])
        self.assertIn("steno-jsonl: cannot write to", self.steno("status").stdout)
        resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.wait_for_cursor(51)
        self.assertEqual(self.offsets(), list(range(1, 52)))
        wait_for(lambda: not self.problem(), "the problem to be over")

    def test_batch_that_fails_between_two_files_is_in_them_once(self):
        self.start_daemon()
        out = self.publisher()
        program = self.start_jsonl("--rotate-size", "20K")
        self.emit(out)
        self.wait_for_cursor(1)
        resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))
        program.send_signal(signal.SIGSTOP)
        for number in range(60):
            self.emit(out, text="x" * (40_000 if number == 30 else 100))  # a piece that fits, then one that does not, in a file of its own
        self.stored(61)
        program.send_signal(signal.SIGCONT)
        wait_for(lambda: "cannot write to" in (self.problem() or ""), "the problem to be told")
        self.assertEqual(self.offsets(), list(range(1, 32)))
        resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.wait_for_cursor(61)
        self.assertEqual(self.offsets(), list(range(1, 62)))
        self.assertEqual(len(self.rotated()), 2)

    def test_disk_that_is_really_full(self):
        why = small_disk(self.folder, "1m")
        if why:
            self.skipTest(why)
        self.start_daemon()
        out = self.publisher()
        filler = self.folder / "filler"
        filler.write_bytes(b"x" * 600_000)
        program = self.start_jsonl("--rotate-size", "100K", "--gzip")
        for _ in range(600):
            self.emit(out, text=os.urandom(500).hex())
        wait_for(lambda: "No space left" in (self.problem() or ""), "the problem to be told" + self.logs())
        held = self.offsets()
        self.assertEqual(held, list(range(1, len(held) + 1)))
        self.assertLess(len(held), 600)
        self.assertLessEqual(self.cursor(), len(held))
        filler.unlink()
        self.wait_for_cursor(600)
        wait_for(lambda: self.rotated() == self.rotated(".gz"), "all to be compressed" + self.logs())
        self.stop(program)
        self.assertEqual(self.offsets(), list(range(1, 601)))


if __name__ == "__main__":
    harness.main()
