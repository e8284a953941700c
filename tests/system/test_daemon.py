"""stenod as its peers see it: what is published is stored once and in order, fanned out with its offset, and answered for."""

import struct
import time
import uuid

import msgpack
import zmq

from daemon_peers import DaemonTest, Peer, event, pack_header
from harness import SANITIZED, main, wait_for


class Order(DaemonTest):
    def setUp(self):
        super().setUp()
        self.start_daemon("--no-subscribers")
        self.peer = Peer(self)

    def test_in_order_and_duplicates_out(self):
        for seq in (1, 2, 3, 2, 3, 1, 4, 4, 5):
            self.peer.send(seq)
        self.wait_for_seqs(self.peer.publisher, [1, 2, 3, 4, 5])
        self.assertEqual(self.status()["duplicates"], 4)
        self.assert_dense()

    def test_gap_without_a_spool_is_a_loss(self):
        for seq in (1, 2, 7, 8):
            self.peer.send(seq)
        self.wait_for_seqs(self.peer.publisher, [1, 2, 7, 8])
        loss = self.sql("select first_seq, last_seq, count, reason from loss")
        self.assertEqual([(r["first_seq"], r["last_seq"], r["count"]) for r in loss], [(3, 6, 4)])
        self.assertEqual(self.status()["losses"], 4)

    def test_late_start_of_a_foreign_publisher_is_no_loss(self):
        for seq in (1000, 1001):
            self.peer.send(seq)
        self.wait_for_seqs(self.peer.publisher, [1000, 1001])
        self.assertEqual(self.sql("select * from loss"), [])

    def test_next_survives_a_restart(self):
        for seq in (1, 2, 3):
            self.peer.send(seq)
        self.wait_for_seqs(self.peer.publisher, [1, 2, 3])
        self.stop(self.processes[0])
        self.start_daemon("--no-subscribers")
        again = Peer(self, self.peer.publisher)
        for seq in (2, 3, 4, 6):
            again.send(seq)
        self.wait_for_seqs(self.peer.publisher, [1, 2, 3, 4, 6])
        self.assertEqual([r["first_seq"] for r in self.sql("select * from loss")], [5])

    def test_two_frames_are_stored_without_a_publisher(self):
        self.peer.two(event("test.twoframes"))
        row = self.wait_for_rows(1, "select publisher, seq, topic from event where event = 'test.twoframes'")[0]
        self.assertEqual((row["publisher"], row["seq"], row["topic"]), (None, None, "test.twoframes.unknown.unknown"))

    def test_topic_is_made_from_the_body(self):
        self.peer.raw(b"success.lie.lie", pack_header(self.peer.publisher, 1), msgpack.packb(event("test.topic", provider="a.b", model="m.1")))
        row = self.wait_for_rows(1, "select topic from event where event = 'test.topic'")[0]
        self.assertEqual(row["topic"], "test.topic.a_b.m.1")

    def test_malformed_and_hostile_messages_are_counted_and_dropped(self):
        good = msgpack.packb(event())
        sender = uuid.uuid4().bytes
        hostile = [
            (b"one frame",),
            (b"topic", b""),
            (b"topic", b"\xc1"),
            (b"topic", b"\xdf\xff\xff\xff\xff"),
            (b"topic", b"\x91" * 100000),
            (b"topic", msgpack.packb({"event": "nodot"})),
            (b"topic", msgpack.packb({"event": "steno.heartbeat", "offset": 1 << 60})),
            (b"topic", msgpack.packb({"event": "success"})),
            (b"topic", msgpack.packb({"event": "success", "call_id": 7})),
            (b"topic", msgpack.packb([1, 2, 3])),
            (b"topic", good + b"\x00"),
            (b"topic", b"", good),
            (b"topic", b"\xdd\xff\xff\xff\xff", good),
            (b"topic", msgpack.packb([1, sender, 0]), good),
            (b"topic", msgpack.packb([1, sender, -1]), good),
            (b"topic", msgpack.packb([1, sender, 1 << 63]), good),
            (b"topic", msgpack.packb([2, sender, 1]), good),
            (b"topic", msgpack.packb([1, sender[:8], 1]), good),
            (b"topic", msgpack.packb([1, sender, 1, 1]), good),
            (b"topic", b"a", b"b", b"c", b"d"),
        ]
        before = self.status()["malformed"]
        for frames in hostile:
            self.peer.raw(*frames)
        self.peer.send(1)
        self.wait_for_seqs(self.peer.publisher, [1])
        self.assertEqual(self.status()["malformed"] - before, len(hostile))
        self.assertLess(sum("malformed" in line for line in self.logs().splitlines()), 3)

    def test_a_sequence_that_jumps_absurdly_is_dropped(self):
        for seq in (1, 1 << 60, 2, (1 << 33) + 2, 3):
            self.peer.send(seq)
        self.wait_for_seqs(self.peer.publisher, [1, 2, 3])
        self.assertEqual(self.status()["malformed"], 2)
        self.assertEqual(self.sql("select * from loss"), [])

    def test_malformed_event_with_a_number_is_a_loss_of_that_number(self):
        self.peer.send(1)
        self.peer.send(2, body=b"\xc1")
        self.peer.send(3)
        self.wait_for_seqs(self.peer.publisher, [1, 3])
        self.assertEqual([(r["first_seq"], r["last_seq"]) for r in self.sql("select * from loss")], [(2, 2)])

    def test_times_that_are_none_do_not_stop_the_log(self):
        nan, inf = float("nan"), float("inf")
        self.peer.send(1, event("success", call_id="nan", time=nan, start_time=nan, end_time=inf))
        self.peer.send(2)
        self.wait_for_seqs(self.peer.publisher, [1, 2])
        self.assertEqual(self.sql("select status from call"), [{"status": "success"}])


class Calls(DaemonTest):
    def setUp(self):
        super().setUp()
        self.start_daemon("--no-subscribers")
        self.peer = Peer(self)

    def test_a_call_ends_once_and_as_its_first_terminal_event_says(self):
        common = {"call_id": "c1", "model": "m", "provider": "p", "call_type": "completion", "stream": True}
        messages = [{"role": "user", "content": "hä?"}]
        response = {"choices": [{"message": {"content": "ja"}, "finish_reason": "stop"}]}
        self.peer.send(1, event("pre_api_call", **common, start_time=10.0, messages=messages, attempt=1, app={"name": "a"}))
        row = self.wait_for_rows(1, "select * from calls")[0]
        self.assertEqual((row["status"], row["messages"]), ("pending", '[{"role":"user","content":"hä?"}]'))
        self.peer.send(2, event("pre_api_call", **common, attempt=2))
        self.peer.send(
            3,
            event(
                "success",
                **common,
                start_time=10.0,
                end_time=12.5,
                completion_start_time=10.25,
                response=response,
                usage={"prompt_tokens": 3, "completion_tokens": 4, "cached_tokens": 1},
                tags=["x"],
                metadata={"k": 1},
                attempts=2,
                user="u",
            ),
        )
        self.peer.send(4, event("failure", **common, error={"type": "Timeout"}))
        self.wait_for_seqs(self.peer.publisher, [1, 2, 3, 4])
        (row,) = self.sql("select * from calls")
        expected = {
            "status": "success", "app": "a", "model": "m", "provider": "p", "stream": 1, "attempts": 2, "latency_ms": 2500.0,
            "ttft_ms": 250.0, "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "cached_tokens": 1,
            "reasoning_tokens": None, "response_text": "ja", "finish_reason": "stop", "tags": '["x"]', "metadata": '{"k":1}',
            "user": "u", "error_type": None, "cost_usd": None, "started_at": "1970-01-01T00:00:10.000Z",
            "messages": '[{"role":"user","content":"hä?"}]',
        }
        self.assertEqual({k: row[k] for k in expected}, expected)

    def test_a_failure_has_its_error_and_an_embedding_its_input(self):
        error = {"type": "RateLimit", "message": "slow down", "status": 429}
        self.peer.send(1, event("failure", call_id="f", call_type="embedding", input=["a", "b"], error=error, attempts=0))
        (row,) = self.wait_for_rows(1, "select * from calls")
        self.assertEqual((row["status"], row["error_type"], row["error_message"], row["error_status"]), ("failure", "RateLimit", "slow down", 429))
        self.assertEqual((row["messages"], row["attempts"]), ('["a","b"]', 0))

    def test_custom_events_do_not_touch_calls(self):
        self.peer.send(1, event("alert.budget", call_id="c"))
        self.wait_for_seqs(self.peer.publisher, [1])
        self.assertEqual(self.sql("select * from call"), [])

    def test_publisher_is_described_by_its_first_event(self):
        self.peer.send(1, event(app={"name": "shop", "host": "h", "pid": 42, "version": "1.2"}))
        self.wait_for_seqs(self.peer.publisher, [1])
        (row,) = self.sql("select app, host, pid, version, next from publisher where uuid = ?", self.peer.publisher)
        self.assertEqual(row, {"app": "shop", "host": "h", "pid": 42, "version": "1.2", "next": 2})


class FanOut(DaemonTest):
    def setUp(self):
        super().setUp()
        self.start_daemon("--no-subscribers")

    def subscribe(self, prefix):
        socket = self.socket(zmq.SUB, "events.out")
        socket.subscribe(prefix)
        socket.subscribe("steno.heartbeat")
        while self.receive(socket)[0] != b"steno.heartbeat":
            pass  # the first heartbeat shows that the subscription is there
        return socket

    def receive(self, socket):
        self.assertTrue(socket.poll(30000), "nothing came")
        return socket.recv_multipart()

    def test_events_come_with_their_offsets_and_are_committed_by_then(self):
        subscriber = self.subscribe("")
        peer = Peer(self)
        for seq in range(1, 51):
            peer.send(seq)
        seen = []
        while len(seen) < 50:
            topic, stamp, body = self.receive(subscriber)
            fields = msgpack.unpackb(body)
            if "n" not in fields:
                continue
            (offset,) = struct.unpack(">Q", stamp)
            self.assertTrue(self.sql("select 1 from event where offset = ?", offset), "fanned out before it was committed")
            self.assertEqual(topic, b"test.event.unknown.unknown")
            seen.append((offset, fields["n"]))
        self.assertEqual(seen, peer.rows())

    def test_subscriptions_filter_by_prefix(self):
        subscriber = self.subscribe("success.openai.")
        peer = Peer(self)
        for seq, provider in enumerate(("groq", "openai"), 1):
            peer.send(seq, event("success", call_id=f"c{seq}", provider=provider, model="m"))
        while True:
            topic, _, body = self.receive(subscriber)
            if topic != b"steno.heartbeat":
                break
        self.assertEqual(topic, b"success.openai.m")
        self.assertEqual(msgpack.unpackb(body)["call_id"], "c2")

    def test_heartbeat_tells_the_last_offset(self):
        subscriber = self.subscribe("nothing")
        peer = Peer(self)
        peer.send(1)
        self.wait_for_seqs(peer.publisher, [1])
        last = self.status()["last_offset"]

        def newest():
            _, stamp, body = self.receive(subscriber)
            fields = msgpack.unpackb(body)
            self.assertEqual((fields["event"], fields["offset"]), ("steno.heartbeat", struct.unpack(">Q", stamp)[0]))
            return fields["offset"] == last

        wait_for(newest, "a heartbeat with the last offset")

    def test_a_subscriber_that_stands_still_costs_little_memory(self):
        stuck = self.subscribe("")
        stuck.rcvhwm = 1
        daemon = self.processes[0]
        for _ in range(6):
            publisher, seqs = self.writer("--size", 60000, "--quiet", 500)
        self.flush()
        with open(f"/proc/{daemon.pid}/status") as text:
            peak = next(int(line.split()[1]) for line in text if line.startswith("VmHWM"))
        if not SANITIZED:
            self.assertLess(peak, 48 << 10)


class Control(DaemonTest):
    def setUp(self):
        super().setUp()
        self.start_daemon("--no-subscribers")
        self.peer = Peer(self)

    def test_ping_and_status(self):
        ping = self.control("ping", id="x")
        self.assertEqual((ping["ok"], ping["id"], ping["pid"]), (True, "x", self.processes[0].pid))
        self.peer.send(1, event(app={"name": "shop"}))
        self.wait_for_seqs(self.peer.publisher, [1])
        status = self.status()
        self.assertEqual(status["dir"], str(self.dir))
        self.assertIsNone(status["problem"])
        self.assertEqual(status["last_offset"], self.sql("select max(offset) n from event")[0]["n"])
        (listed,) = [p for p in status["publishers"] if p["publisher"] == self.peer.publisher.hex()]
        self.assertEqual((listed["app"], listed["next"], listed["losses"]), ("shop", 2, 0))

    def test_a_req_socket_is_answered_too(self):
        socket = self.socket(zmq.REQ, "control")
        socket.send(msgpack.packb({"verb": "ping"}))
        self.assertTrue(socket.poll(30000))
        self.assertTrue(msgpack.unpackb(socket.recv())["ok"])
        socket.close()

    def test_wrong_requests_are_answered_with_their_error(self):
        for request, code in [
            ({"verb": "nonsense"}, "unknown_verb"),
            ({}, "invalid"),
            ({"verb": "replay"}, "invalid"),
            ({"verb": "replay", "after": -1}, "invalid"),
            ({"verb": "replay", "after": 0, "topics": "x"}, "invalid"),
            ({"verb": "replay", "after": 0, "topics": ["x"] * 65}, "invalid"),
            ({"verb": "replay", "after": 0, "limit": 0}, "invalid"),
            ({"verb": "cursor"}, "invalid"),
            ({"verb": "cursor", "name": "a b"}, "invalid"),
            ({"verb": "commit", "name": "a"}, "invalid"),
            ({"verb": "commit", "name": "a", "offset": 1 << 40}, "invalid"),
            ({"verb": "flush", "publisher": "zz"}, "invalid"),
            ({"verb": "flush", "seq": 1}, "invalid"),
        ]:
            request["id"] = 5
            socket = self.socket(zmq.DEALER, "control")
            socket.send(msgpack.packb(request))
            self.assertTrue(socket.poll(30000), request)
            reply = msgpack.unpackb(socket.recv())
            self.assertEqual((reply["ok"], reply["id"], reply["error"]["code"]), (False, 5, code), request)
            self.assertTrue(reply["error"]["message"])
            socket.close()

    def test_hostile_requests_leave_it_running(self):
        for frames in ([b"\xc1"], [b""], [b"\xdf\xff\xff\xff\xff"], [b"x" * 60000], [b"a", b"b", b"c"], [b"\x91" * 60000], [b"x" * 200000]):
            socket = self.socket(zmq.DEALER, "control")
            socket.send_multipart(frames)
            socket.poll(50)
            socket.close()
        self.assertTrue(self.control("ping"))

    def test_cursors_are_kept_and_may_go_back(self):
        for seq in range(1, 11):
            self.peer.send(seq)
        self.wait_for_seqs(self.peer.publisher, range(1, 11))
        first = self.control("cursor", name="me")
        self.assertEqual((first["offset"], first["exists"]), (0, False))
        for offset in (9, 4):
            self.assertTrue(self.control("commit", name="me", offset=offset)["ok"])
            again = self.control("cursor", name="me")
            self.assertEqual((again["offset"], again["exists"]), (offset, True))
        last = self.status()["last_offset"]
        (listed,) = self.status()["subscribers"]
        self.assertEqual((listed["name"], listed["offset"], listed["lag"]), ("me", 4, last - 4))

    def replay_all(self, **fields):
        events, after = [], 0
        while True:
            reply = self.control("replay", after=after, **fields)
            self.assertTrue(reply["ok"], reply)
            events += reply["events"]
            self.assertTrue(reply["end"] or reply["last"] > after)
            after = reply["last"]
            if reply["end"]:
                return events, reply

    def test_replay_is_bounded_and_whole(self):
        self.writer("--quiet", 2500)
        self.flush()
        events, reply = self.replay_all()
        last = self.status()["last_offset"]
        self.assertEqual([offset for offset, _, _ in events], list(range(1, last + 1)))
        self.assertEqual((reply["last"], reply["first"]), (last, 1))
        one = self.control("replay", after=0)
        self.assertEqual((len(one["events"]), one["end"]), (1000, False))
        few = self.control("replay", after=5, limit=3)
        self.assertEqual(([e[0] for e in few["events"]], few["last"], few["end"]), ([6, 7, 8], 8, False))
        self.assertEqual(self.control("replay", after=last)["events"], [])

    def test_replay_filters_by_topic(self):
        self.writer("--quiet", "--calls", 20)
        self.flush()
        events, _ = self.replay_all(topics=["success.test.", "nothing."])
        self.assertEqual(len(events), 10)
        self.assertEqual({topic for _, topic, _ in events}, {"success.test.test-model"})
        self.assertEqual({msgpack.unpackb(body)["event"] for _, _, body in events}, {"success"})

    def test_replay_is_bounded_in_bytes_but_sends_one_event_however_large(self):
        self.writer("--quiet", "--size", 3 << 20, 3)
        self.flush()
        self.writer("--quiet", "--size", 10 << 20, 1)
        self.flush()
        events, _ = self.replay_all(topics=["test.event."])
        self.assertEqual([len(body) >> 20 for _, _, body in events], [3, 3, 3, 10])

    def test_flush_waits_for_one_event_and_times_out_for_one_that_does_not_come(self):
        publisher, seqs = self.writer(100)
        self.flush(publisher=publisher, seq=100)
        self.assertEqual(self.seqs(publisher), seqs)
        self.flush(publisher=bytes.fromhex(publisher), seq=100)
        self.flush(publisher=publisher)
        before = time.monotonic()
        reply = self.control("flush", publisher=publisher, seq=101, timeout_ms=300)
        self.assertEqual((reply["ok"], reply["error"]["code"]), (False, "timeout"))
        self.assertLess(time.monotonic() - before, 10)

    def test_flush_of_all_waits_for_every_spool(self):
        writers = [self.start_writer("--stay", 500) for _ in range(3)]
        for writer in writers:
            wait_for(lambda: len(self.accepted_by(writer)[1]) == 500, "the writer to be done")
        self.flush()
        for writer in writers:
            self.assertEqual(self.seqs(self.accepted_by(writer)[0]), list(range(1, 501)))


if __name__ == "__main__":
    main()
