"""stenod when things go wrong: what was accepted is in the log once, whatever is killed, full or damaged."""

import os
import pathlib
import random
import resource
import signal
import time

import msgpack
import zmq

from daemon_peers import DaemonTest, Peer, accepted, event, pack_header
from harness import BIN, main, wait_for


class Spools(DaemonTest):
    def test_gap_is_filled_from_the_spool(self):
        """The bus carries the last event only; the others are in the spool."""
        writer = self.start_writer("--stay", 300)
        wait_for(lambda: len(self.accepted_by(writer)[1]) == 300, "the writer to be done")
        publisher, seqs = self.accepted_by(writer)
        self.start_daemon("--no-subscribers")
        peer = Peer(self, bytes.fromhex(publisher))
        peer.send(300)
        self.wait_for_seqs(publisher, seqs)
        self.assertEqual(self.sql("select * from loss"), [])

    def test_idle_tail_is_found_without_the_bus(self):
        self.start_daemon("--no-subscribers")
        writer = self.start_writer("--stay", "--rate", 200, 100)
        wait_for(lambda: len(self.accepted_by(writer)[1]) == 100, "the writer to be done")
        publisher, seqs = self.accepted_by(writer)
        self.wait_for_seqs(publisher, seqs)
        (listed,) = [p for p in self.status()["publishers"] if p["publisher"] == publisher]
        self.assertEqual((listed["alive"], listed["next"], listed["app"]), (True, 101, "spool_writer"))
        self.assertGreater(listed["spool_bytes"], 0)

    def test_events_that_are_only_on_the_bus_wait_for_the_spool(self):
        """Its spool could not keep the last two; they come while the daemon still reads the others."""
        count = 40000
        daemon = self.start_daemon("--no-subscribers")
        peer = Peer(self)
        daemon.send_signal(signal.SIGSTOP)
        writer = self.start_writer("--stay", "--quiet", "--size", 2000, count)
        wait_for(lambda: self.accepted_by(writer)[1], "the writer to be done")
        publisher, _ = self.accepted_by(writer)
        peer.publisher = bytes.fromhex(publisher)
        peer.send(200, body=b"")
        for seq in (count + 1, count + 2):
            peer.send(seq)
        daemon.send_signal(signal.SIGCONT)
        self.wait_for_seqs(publisher, range(1, count + 3))
        self.assertEqual(self.sql("select * from loss"), [])

    def test_leftovers_of_a_dead_publisher_are_stored_and_its_folder_deleted(self):
        publisher, seqs = self.writer("--die", 2000)
        self.assertEqual(self.spools(), [publisher])
        self.start_daemon("--no-subscribers")
        self.wait_for_seqs(publisher, seqs)
        wait_for(lambda: self.spools() == [], "the folder to be deleted")
        wait_for(lambda: self.sql("select ended from publisher where uuid = ?", bytes.fromhex(publisher))[0]["ended"], "its end")
        wait_for(lambda: publisher not in [p["publisher"] for p in self.status()["publishers"]], "it to be forgotten")

    def test_segments_of_a_living_publisher_are_given_back(self):
        self.start_daemon("--no-subscribers")
        writer = self.start_writer("--stay", "--quiet", "--size", 20000, 2000)
        wait_for(lambda: self.accepted_by(writer)[1], "the writer to be done")
        publisher, _ = self.accepted_by(writer)
        self.flush()
        segments = lambda: list((self.dir / "spool" / publisher).glob("*.seg"))
        wait_for(lambda: len(segments()) <= 3, "9 of 10 segments to be deleted")

    def test_a_damaged_segment_is_a_loss_that_names_the_file(self):
        publisher, seqs = self.writer("--die", "--size", 20000, 800)
        segments = sorted((self.dir / "spool" / publisher).glob("*.seg"))
        self.assertGreater(len(segments), 3)
        with open(segments[1], "r+b") as segment:
            segment.seek(200000)
            segment.write(b"\xff" * 1000)
        self.start_daemon("--no-subscribers")
        self.flush()
        stored = self.seqs(publisher)
        missing = sorted(set(seqs) - set(stored))
        self.assertEqual(stored, sorted(set(stored)))
        (loss,) = self.sql("select * from loss")
        self.assertEqual((loss["first_seq"], loss["last_seq"], loss["count"]), (missing[0], missing[-1], len(missing)))
        self.assertTrue(pathlib.Path(loss["file"]).exists())
        self.assertLess(len(missing), 240)
        wait_for(lambda: self.spools() == [], "the rest to be deleted")

    def test_foreign_files_in_the_spool_folder_are_left_alone(self):
        spool = self.dir / "spool"
        spool.mkdir(mode=0o700)
        (spool / "notes.txt").write_text("hello")
        (spool / ("a" * 32)).mkdir()
        (spool / ("a" * 32) / "00000001.seg").write_bytes(os.urandom(5000))
        (spool / ("b" * 32)).write_text("a file, not a folder")
        self.start_daemon("--no-subscribers")
        publisher, seqs = self.writer(10)
        self.wait_for_seqs(publisher, seqs)
        self.assertTrue((spool / "notes.txt").exists())

    def test_a_publisher_that_comes_and_goes_leaves_nothing(self):
        self.start_daemon("--no-subscribers")
        publishers = [self.writer(*mode, 3) for mode in (["--bus"], ["--die"], []) * 5]
        for publisher, seqs in publishers:
            self.wait_for_seqs(publisher, seqs)
        wait_for(lambda: self.spools() == [], "all folders to be deleted")
        wait_for(lambda: self.status()["publishers"] == [], "all of them to be forgotten")


class Endings(DaemonTest):
    def failures(self):
        return self.sql("select call_id, status, error_type from call order by id")

    def test_open_calls_of_a_dead_app_end_as_process_died_once(self):
        publisher, seqs = self.writer("--open", "--die", 700)
        self.start_daemon("--no-subscribers")
        wait_for(lambda: self.spools() == [], "its folder to be deleted")
        calls = self.failures()
        self.assertEqual(len(calls), 700)
        self.assertEqual({(c["status"], c["error_type"]) for c in calls}, {("failure", "ProcessDied")})
        self.assertEqual(self.sql("select count(*) n from event where event = 'failure'")[0]["n"], 700)
        (own,) = self.sql("select app, next from publisher where app = 'stenod'")
        self.assertEqual(own["next"], 701)
        body = msgpack.unpackb(self.sql("select body from event where event = 'failure' limit 1")[0]["body"])
        self.assertEqual((body["v"], body["log_event_type"], body["model"], body["provider"]), (1, "failed_api_call", "test-model", "test"))
        self.assertEqual((body["error"]["type"], body["error"]["retryable"], body["app"]["name"]), ("ProcessDied", True, "spool_writer"))
        self.assert_dense()

    def test_once_also_when_the_daemon_is_killed_in_between(self):
        self.writer("--open", "--die", 3000)
        for _ in range(6):
            daemon = self.start_daemon("--no-subscribers")
            wait_for(lambda: self.sql("select 1 from event where event = 'failure' limit 1") or self.spools() == [], "the first failures")
            time.sleep(random.uniform(0, 0.05))
            self.stop(daemon, signal.SIGKILL)
        self.start_daemon("--no-subscribers")
        wait_for(lambda: self.spools() == [], "its folder to be deleted")
        self.assertEqual(self.sql("select count(*) n, count(distinct call_id) d from event where event = 'failure'"), [{"n": 3000, "d": 3000}])
        self.assertEqual(self.sql("select count(*) n from call where status = 'failure'")[0]["n"], 3000)
        self.assert_dense()

    def test_calls_of_a_living_app_stay_open(self):
        self.start_daemon("--no-subscribers")
        writer = self.start_writer("--open", "--stay", 5)
        self.wait_for_rows(5, "select * from call")
        self.flush()
        self.assertEqual({c["status"] for c in self.failures()}, {"pending"})
        writer.kill()
        wait_for(lambda: {c["error_type"] for c in self.failures()} == {"ProcessDied"}, "the calls to end")


class Killed(DaemonTest):
    def test_daemon_killed_in_mid_flood_and_restarted(self):
        self.start_daemon("--no-subscribers")
        writers = [self.start_writer("--bus", "--size", 2000, "--rate", 3000, 12000) for _ in range(2)]
        writers.append(self.start_writer("--size", 2000, "--rate", 3000, 12000))
        rng = random.Random(7)
        kills = 0
        while any(w.poll() is None for w in writers) or kills <= 4:  # on a slow machine they may be done before
            time.sleep(rng.uniform(0.05, 0.5))
            self.stop(self.processes[-1] if kills else self.processes[0], signal.SIGKILL)
            kills += 1
            self.start_daemon("--no-subscribers")
        self.flush()
        for writer in writers:
            publisher, seqs = self.accepted_by(writer)
            self.assertEqual(len(seqs), 12000)
            self.assertEqual(self.seqs(publisher), seqs)
        self.assert_dense()
        self.assertEqual(self.sql("select * from loss"), [])

    def test_app_killed_in_mid_flood(self):
        self.start_daemon("--no-subscribers")
        for mode in (["--bus"], []):
            writer = self.start_writer(*mode, "--calls", 1000000)
            wait_for(lambda: len(self.accepted_by(writer)[1]) > 500, "some events")
            writer.kill()
            writer.wait()
            publisher, seqs = self.accepted_by(writer)
            wait_for(lambda: self.spools() == [], "its spool to be taken over")
            stored = self.seqs(publisher)
            # The event in the making when it was killed may be there too.
            self.assertIn(stored, (seqs, seqs + [seqs[-1] + 1]))
        self.assertEqual(self.sql("select count(*) n from call where status = 'pending'")[0]["n"], 0)
        self.assert_dense()

    def test_sigterm_stores_everything(self):
        daemon = self.start_daemon("--no-subscribers")
        writers = [self.start_writer(*mode, "--stay", 5000) for mode in (["--bus"], [])]
        peer = Peer(self)
        for seq in range(1, 101):
            peer.send(seq)
        for writer in writers:
            wait_for(lambda: len(self.accepted_by(writer)[1]) == 5000, "the writer to be done")
        wait_for(lambda: self.seqs(peer.publisher)[-1:] == [100], "the peer's events")
        self.assertEqual(self.stop(daemon), 0)
        self.assertFalse((self.dir / "log.db-wal").exists(), "the write-ahead log was not copied back")
        for writer in writers:
            publisher, seqs = self.accepted_by(writer)
            self.assertEqual(self.seqs(publisher), seqs)


class FullDisk(DaemonTest):
    def test_nothing_is_lost_when_the_log_cannot_grow(self):
        """RLIMIT_FSIZE stands in for a full disk: the daemon says so, acknowledges nothing, and goes on when there is room."""
        daemon = self.start_daemon("--no-subscribers")
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
        writer = self.start_writer("--bus", "--stay", "--size", 2000, 3000)
        wait_for(lambda: len(self.accepted_by(writer)[1]) == 3000, "the writer to be done")
        problem = wait_for(lambda: self.status()["problem"], "the daemon to say what is wrong")
        self.assertIn("log.db", problem)
        self.assertTrue(self.control("ping"))
        publisher, seqs = self.accepted_by(writer)
        self.assertLess(len(self.seqs(publisher)), 3000)
        reply = self.control("flush", timeout_ms=100)
        self.assertEqual(reply["error"]["code"], "timeout")
        self.assertIn("log.db", reply["error"]["message"])
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.wait_for_seqs(publisher, seqs)
        self.assertIsNone(self.status()["problem"])
        self.assertEqual(self.sql("select * from loss"), [])
        self.assert_dense()

    def test_another_writer_of_the_log_is_waited_for(self):
        import sqlite3

        self.start_daemon("--no-subscribers")
        peer = Peer(self)
        other = sqlite3.connect(self.dir / "log.db", isolation_level=None)
        other.execute("begin immediate")
        for seq in range(1, 11):
            peer.send(seq)
        self.assertTrue(self.control("ping"))
        self.assertEqual(self.seqs(peer.publisher), [])
        other.execute("rollback")
        other.close()
        self.wait_for_seqs(peer.publisher, range(1, 11))


if __name__ == "__main__":
    main()
