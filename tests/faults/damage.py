#!/usr/bin/env python3
"""Spools of dead publishers with random damage: the daemon lives, what is whole is stored once and in order, and the rest is a loss.

    damage.py [--seeds N] [--seed FIRST]

What is whole is known without checksums: the bytes of the files before and after the damage are compared. A record is to be stored if it,
and all before it in its segment, are as they were written (SPOOL.md, "Rules", 4).
"""

import argparse
import os
import pathlib
import random
import shutil
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "system"))
import books
from daemon_peers import DaemonTest
from harness import main, wait_for

options = None
EVENTS, EVENT_BYTES = 700, 20000  # four segments
HEADER, RECORD = 64, 24
CLOSED = 0xFFFFFFFF


class Segment:
    """One file as it was written: [(seq, begin, end)] of its records, without the padding."""

    def __init__(self, path):
        self.path = path
        self.bytes = path.read_bytes()
        self.records = []
        at = HEADER
        while (size := struct.unpack_from("<I", self.bytes, at)[0]) not in (0, CLOSED):
            (seq,) = struct.unpack_from("<Q", self.bytes, at + 8)
            self.records.append((seq, at, at + RECORD + size))
            at += RECORD + size + 7 & ~7
        self.end = at

    def whole(self):
        """The sequence numbers that a reader finds in the file as it is now."""
        if self.path.is_symlink() or not self.path.is_file():
            return []
        now = self.path.read_bytes()

        def same(begin, end):
            return now[begin:end] == self.bytes[begin:end]

        found = []
        if same(0, 48):
            for seq, begin, end in self.records:
                if not (same(begin, begin + 4) and same(begin + 8, end)):
                    break
                found.append(seq)
        return found


class Damage:
    """What can happen to a segment. Each is a recipe that takes a random number generator and the segment."""

    @staticmethod
    def write(segment, at, data):
        with open(segment.path, "r+b") as file:
            file.seek(at)
            file.write(data)

    def flipped_bytes(self, rng, segment):
        at = rng.randrange(segment.end - 16)
        self.write(segment, at, bytes(byte ^ rng.randrange(1, 256) for byte in segment.bytes[at : at + rng.randrange(1, 16)]))

    def garbage(self, rng, segment):
        self.write(segment, rng.randrange(segment.end - 5000), rng.randbytes(rng.randrange(1, 5000)))

    def cut(self, rng, segment):
        os.truncate(segment.path, rng.randrange(segment.end))

    def cut_to_nothing(self, rng, segment):
        os.truncate(segment.path, rng.choice((0, 5, 30)))

    def zeroed_block(self, rng, segment):
        """As after a power cut: some pages were not written back."""
        _, begin, _ = rng.choice(segment.records)
        at = rng.choice((begin, begin & ~4095, 0))
        self.write(segment, at, bytes(rng.choice((4096, 8192, 65536))))

    def zeroed_to_its_end(self, rng, segment):
        _, begin, _ = rng.choice(segment.records)
        self.write(segment, begin, bytes(len(segment.bytes) - begin))

    def deleted(self, rng, segment):
        segment.path.unlink()

    def absurd_segment_size(self, rng, segment):
        self.write(segment, 32, struct.pack("<Q", rng.choice((0, 7, 64, 1 << 40, (1 << 64) - 8))))

    def absurd_record_size(self, rng, segment):
        _, begin, _ = rng.choice(segment.records)
        self.write(segment, begin, struct.pack("<I", rng.choice((1, EVENT_BYTES - 1, 1 << 24, 1 << 31, CLOSED - 1))))

    def absurd_sequence(self, rng, segment):
        _, begin, _ = rng.choice(segment.records)
        self.write(segment, begin + 8, struct.pack("<Q", rng.choice((0, 1, 1 << 33, (1 << 64) - 1))))

    def absurd_refusal(self, rng, segment):
        """In the newest segment, the only one where that field means something."""
        with open(max(segment.path.parent.glob("*.seg")), "r+b") as file:
            file.seek(56)
            file.write(struct.pack("<Q", rng.choice((EVENTS + (1 << 31), 1 << 63))))

    def symlink(self, rng, segment):
        """To itself as it was: still none of ours."""
        kept = segment.path.parents[2] / f"elsewhere-{segment.path.parent.name}"
        segment.path.rename(kept)
        segment.path.symlink_to(rng.choice((kept, "/dev/zero", "/nowhere")))

    def folder(self, rng, segment):
        segment.path.unlink()
        segment.path.mkdir()
        (segment.path / "something").touch()

    def fifo(self, rng, segment):
        segment.path.unlink()
        os.mkfifo(segment.path)

    def swapped(self, rng, segment):
        """The bytes of another segment."""
        others = [path for path in segment.path.parent.glob("*.seg") if path != segment.path and path.is_file()]
        if others:
            shutil.copyfile(rng.choice(others), segment.path)


RECIPES = sorted(name for name in vars(Damage) if name[0] != "_" and name != "write")


class DamagedSpools(DaemonTest):
    maxDiff = 0  # the messages say it

    def leave_a_spool(self):
        """A dead publisher: (uuid, its segments)."""
        publisher, _ = self.writer("--die", "--quiet", "--size", EVENT_BYTES, EVENTS)
        (folder,) = [path for path in (self.dir / "spool").iterdir() if path.name not in self.known]
        self.known.add(folder.name)
        # The newest segment of a publisher that died in a flood may be one that was made ready and not used.
        return folder.name, [segment for path in sorted(folder.glob("*.seg")) if (segment := Segment(path)).records]

    def litter(self, rng, folder):
        """What does not belong here, in the spool folder and in a publisher's."""
        spool = self.dir / "spool"
        (spool / "notes.txt").write_text("hello")
        (spool / ".hidden").mkdir(exist_ok=True)
        os.symlink(rng.choice(("/", "/nowhere", str(spool))), spool / rng.randbytes(16).hex())
        (spool / rng.randbytes(16).hex()).write_text("a file, not a folder")
        (spool / rng.randbytes(16).hex()).mkdir()
        (folder / "0000000g.seg").write_bytes(rng.randbytes(100))

    def check(self, publisher, segments, journal, recipe):
        stored = journal.of(publisher)
        whole = books.Ranges()
        for seq in (seq for segment in segments for seq in self.whole[segment.path]):
            whole.add(seq)
        self.assertTrue(stored.parts == whole.parts, f"{recipe}: stored {stored}, whole were {whole}")
        losses = self.sql("SELECT * FROM loss JOIN publisher ON publisher.id = loss.publisher WHERE uuid = ? ORDER BY first_seq",
                          bytes.fromhex(publisher))
        # What is missing between two stored ones is known by number. What is missing after the last one is not, but that something is.
        for first, last in [(a[1] + 1, b[0] - 1) for a, b in zip([[0, 0], *whole.parts], whole.parts)]:
            if first <= last:
                covered = sum(row["count"] for row in losses if first <= row["first_seq"] and (row["last_seq"] or 0) <= last and row["last_seq"])
                self.assertEqual(covered, last - first + 1, f"{recipe}: {first}-{last} is missing: {losses}")
        beyond = [row for row in losses if row["first_seq"] > whole.last()]
        if self.tail_is_visible(segments, whole.last()):
            self.assertTrue(beyond, f"{recipe}: what came after {whole.last()} is missing and nobody says so")
        for row in beyond:
            self.assertLessEqual((row["last_seq"] or 0), EVENTS, f"{recipe}: an invented loss: {row}")
        for row in losses:
            if row["file"]:
                self.assertTrue(os.path.lexists(row["file"]), f"{recipe}: {row['file']} is kept aside")
                self.assertEqual(pathlib.Path(row["file"]).parent, self.dir / "spool" / "damaged", recipe)

    def tail_is_visible(self, segments, last):
        """True if it can be known that something came after the last whole record: not where the rest looks as if never written."""
        return any(self.remains[segment.path] for segment in segments if segment.records[-1][0] > last)

    def remains_of(self, segment):
        if segment.path.is_symlink() or not segment.path.is_file():
            return os.path.lexists(segment.path)
        now = segment.path.read_bytes()
        if not any(now[:8]):
            return 0 < len(now) < 8
        found = segment.whole()
        at = next((end + 7 & ~7 for seq, _, end in segment.records if found and seq == found[-1]), HEADER)
        return any(now[at : at + 4]) or len(now) < at + 4

    def damaged_by_each_recipe(self, seed):
        """A publisher for each kind of damage, all in one folder."""
        rng = random.Random(seed)
        self.known, self.whole, self.remains, spools = set(), {}, {}, []
        for recipe in RECIPES:
            publisher, segments = self.leave_a_spool()
            for segment in rng.sample(segments, rng.choice((1, 1, 2))):
                getattr(Damage(), recipe)(rng, segment)
            for segment in segments:
                self.whole[segment.path] = segment.whole()
                self.remains[segment.path] = self.remains_of(segment)
            spools.append((publisher, segments, f"seed {seed}, {recipe}"))
        self.litter(rng, self.dir / "spool" / spools[0][0])
        healthy, seqs = self.writer(50)
        daemon = self.start_daemon("--no-subscribers")
        reply = self.control("flush", timeout_ms=20000, timeout=25)
        self.assertTrue(reply and reply["ok"], f"seed {seed}: flush: {reply}")
        self.assertIsNone(daemon.poll(), self.logs())
        journal = books.Journal(self.dir).read()
        self.assertEqual(journal.of(healthy).parts, [[1, 50]])
        wrong = []
        for publisher, segments, recipe in spools:
            try:
                self.check(publisher, segments, journal, recipe)
            except AssertionError as error:
                wrong.append(str(error))
        self.assertFalse(wrong, "\n".join(wrong))
        publisher, seqs = self.writer("--bus", 10)
        self.wait_for_seqs(publisher, seqs)
        self.assertEqual(self.stop(daemon), 0)

    def test_what_is_whole_is_stored_and_what_is_not_is_a_loss(self):
        for seed in range(options.seed, options.seed + options.seeds):
            with self.subTest(seed=seed):
                self.damaged_by_each_recipe(seed)
            self.end_processes()
            shutil.rmtree(self.dir)
            self.dir.mkdir(mode=0o700)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    sys.argv[1:] = []
    main()
