"""The oracle of the fault tests: what the apps were told is accepted, against what the log holds.

An app prints `publisher seq` with one write call for each event that was accepted, and `refused publisher seq` for one that was not.
Both sides are read on from where they were left, and kept as ranges: millions of events take no memory.
"""

import sqlite3


class Ranges:
    """Numbers that only rise, kept as [first, last]."""

    def __init__(self):
        self.parts = []

    def add(self, number):
        if self.parts and number <= self.parts[-1][1]:
            raise AssertionError(f"{number} after {self.parts[-1][1]}: doubled, or out of order")
        if self.parts and number == self.parts[-1][1] + 1:
            self.parts[-1][1] = number
        else:
            self.parts.append([number, number])

    def __len__(self):
        return sum(last - first + 1 for first, last in self.parts)

    def __repr__(self):
        return " ".join(str(first) if first == last else f"{first}-{last}" for first, last in self.parts) or "nothing"

    def last(self):
        return self.parts[-1][1] if self.parts else 0

    def without(self, other):
        """What is in this and not in the other."""
        left, at = Ranges(), 0
        for first, last in self.parts:
            while first <= last:
                while at < len(other.parts) and other.parts[at][1] < first:
                    at += 1
                begin, end = other.parts[at] if at < len(other.parts) else (last + 1, last + 1)
                if first < begin:
                    left.parts.append([first, min(last, begin - 1)])
                first = max(first, end + 1) if begin <= last else last + 1
        return left


class Receipts:
    """The file into which one app writes what it was told. Its last line may be cut."""

    def __init__(self, path):
        self.path, self.at = path, 0
        self.accepted, self.refused = {}, {}

    def read(self):
        with open(self.path, "rb") as file:
            file.seek(self.at)
            while (text := file.read(1 << 20)) and (whole := text[: text.rfind(b"\n") + 1]):
                self.at += len(whole)
                file.seek(self.at)
                for line in whole.decode().splitlines():
                    *refused, publisher, seq = line.split(" ")
                    into = self.refused if refused else self.accepted
                    if publisher not in into:
                        into[publisher] = Ranges()
                    into[publisher].add(int(seq))
        return self

    def count(self):
        return sum(map(len, self.accepted.values()))

    def refusals(self):
        return sum(map(len, self.refused.values()))


class Journal:
    """The events in log.db. Each read goes on where the last one ended, so the log may forget what was read."""

    def __init__(self, folder):
        self.path = folder / "log.db"
        self.offset, self.ends = 0, 0  # ends: terminal events
        self.names, self.stored = {}, {}  # publisher.id -> uuid; uuid -> Ranges

    def read(self):
        """Asserts what holds of every log: offsets have no holes, a publisher's events are there once and in order."""
        if not self.path.exists():
            return self
        connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=30)
        try:
            rows = connection.execute("SELECT offset, publisher, seq, event FROM event WHERE offset > ? ORDER BY offset", (self.offset,))
            for offset, publisher, seq, event in rows:
                if offset != self.offset + 1:
                    raise AssertionError(f"offset {offset} after {self.offset}")
                self.offset = offset
                self.ends += event in ("success", "failure")
                if publisher is not None:
                    self.publisher(connection, publisher).add(seq)
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
        finally:
            connection.close()
        return self

    def publisher(self, connection, number):
        if number not in self.names:
            (self.names[number],) = connection.execute("SELECT lower(hex(uuid)) FROM publisher WHERE id = ?", (number,)).fetchone()
            self.stored[self.names[number]] = Ranges()
        return self.stored[self.names[number]]

    def of(self, publisher):
        return self.stored.get(publisher) or Ranges()

    def missing(self, receipts):
        """Accepted and not stored: {publisher: Ranges}, which should be {}."""
        left = {name: accepted.without(self.of(name)) for name, accepted in receipts.accepted.items()}
        return {name: ranges for name, ranges in left.items() if len(ranges)}

    def unstored_refusals(self, receipts):
        """Refused by the spool and not come over the bus either: how many."""
        return sum(len(refused.without(self.of(name))) for name, refused in receipts.refused.items())
