"""The subscriber library over real sockets: what it yields, what it counts, and what it survives."""

from __future__ import annotations

import asyncio
import math
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import zmq

from tracker.clients import subscribe, subscribe_async
from tracker.clients.subscribe import SourceCount
from tracker.errors import SettingsError, WireError
from tracker.wire import FrameMessage, decode, encode

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = decode((ROOT / "tests" / "golden" / "frame_v1_0.bin").read_bytes())


def frame(sequence: int, source_id: str = "cam1", epoch: int = 1, **known: object) -> bytes:
    changed = replace(GOLDEN, sequence=sequence, source_id=source_id, epoch=epoch, faces=(), meshes=(), **known)
    return bytes(encode(changed))


class Sender:
    """A bare publishing socket that knows when a subscription has arrived."""

    def __init__(self) -> None:
        self._socket = zmq.Context.instance().socket(zmq.XPUB)
        self._socket.setsockopt(zmq.SNDHWM, 0)  # what gets lost is to be lost at the subscriber
        self._socket.bind("tcp://127.0.0.1:*")
        self.url: str = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def wait(self) -> bytes:
        """The next subscription."""
        assert self._socket.poll(4000), "nobody subscribed within 4 s"
        return self._socket.recv()

    def send(self, *messages: bytes) -> None:
        for message in messages:
            self._socket.send(message)

    def close(self) -> None:
        self._socket.close(0)


@pytest.fixture
def sender() -> Iterator[Sender]:
    made = Sender()
    yield made
    made.close()


def sequences(messages: Iterator[FrameMessage]) -> list[int]:
    return [message.sequence for message in messages]


def test_every_message_in_order(sender: Sender) -> None:
    with subscribe(sender.url, timeout_seconds=0.3) as subscription:
        sender.wait()
        sender.send(*(frame(k) for k in range(50)))
        got = list(subscription)
    assert [message.sequence for message in got] == list(range(50))
    assert all(message.received_ns for message in got)
    assert [m.received_ns for m in got] == sorted(m.received_ns for m in got)  # type: ignore[type-var]


def test_the_newest_only(sender: Sender) -> None:
    with subscribe(sender.url, newest=True, timeout_seconds=0.3) as subscription:
        sender.wait()
        sender.send(frame(0))
        assert next(subscription).sequence == 0
        sender.send(*(frame(k) for k in range(1, 2000)))
        got = sequences(subscription)
    assert got[-1] == 1999
    assert len(got) < 1999, "a subscriber that looks rarely must not see them all"
    count = subscription.reception.sources["cam1"]
    assert count.missed == 1999 - len(got)


def test_one_source_of_several(sender: Sender) -> None:
    with subscribe(sender.url, source_id="cam1", timeout_seconds=0.3) as subscription:
        assert sender.wait() == b"\1FWframe:cam1\0"
        sender.send(frame(0, "cam10"), frame(1, "cam1"), frame(2, "cam"), frame(3, "cam1"))
        assert sequences(subscription) == [1, 3]


def test_all_sources(sender: Sender) -> None:
    with subscribe(sender.url, timeout_seconds=0.3) as subscription:
        sender.wait()
        sender.send(frame(0, "cam10"), frame(5, "cam1"), b"FWhello:" + frame(0)[8:])
        assert {message.source_id for message in subscription} == {"cam1", "cam10"}
        assert subscription.reception.bad == 0, "hellos are not asked for"


def test_gaps_are_counted_by_source_and_epoch(sender: Sender) -> None:
    with subscribe(sender.url, timeout_seconds=0.3) as subscription:
        sender.wait()
        sender.send(*(frame(k) for k in (7, 8, 11)), *(frame(k, "other") for k in (100, 101)))
        sender.send(frame(0, epoch=2), frame(3, epoch=2), frame(3, epoch=2))
        assert len(list(subscription)) == 8
    sources = subscription.reception.sources
    assert sources["cam1"] == SourceCount(epoch=2, sequence=3, received=6, missed=4, repeated=1, restarts=1)
    assert sources["other"] == SourceCount(epoch=1, sequence=101, received=2)


BAD = {
    "random": bytes(range(256)) * 4,
    "empty": b"",
    "truncated": frame(0)[:-1],
    "header only": frame(0)[:100],
    "newer major": frame(0)[:76] + struct.pack("<H", 9) + frame(0)[78:],
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_message_raises_and_the_next_comes(sender: Sender, kind: str) -> None:
    bad = BAD[kind]
    with subscribe(sender.url, timeout_seconds=0.3) as subscription:
        sender.wait()
        # What does not begin like a frame is not even delivered; forge that much.
        sender.send(frame(0), bad if bad.startswith(b"FWframe:") else b"FWframe:" + bad, frame(1))
        assert next(subscription).sequence == 0
        with pytest.raises(WireError):
            next(subscription)
        assert next(subscription).sequence == 1
        assert subscription.reception.bad == 1


def test_bad_messages_can_be_handed_to_a_function(sender: Sender) -> None:
    errors: list[WireError] = []
    with subscribe(sender.url, timeout_seconds=0.3, on_error=errors.append) as subscription:
        sender.wait()
        sender.send(frame(0), BAD["truncated"], frame(1), BAD["newer major"], frame(2))
        assert sequences(subscription) == [0, 1, 2]
    assert subscription.reception.bad == len(errors) == 2
    assert "upgrade" in str(errors[1])


def test_waiting_ends_when_nothing_comes(sender: Sender) -> None:
    with subscribe(sender.url, timeout_seconds=0.05) as subscription:
        assert list(subscription) == []
        sender.wait()
        sender.send(frame(0))
        assert sequences(subscription) == [0], "and can begin again"
        assert subscription.receive(0.01) is None


def test_a_publisher_that_starts_later_is_found() -> None:
    first = Sender()
    first.close()
    with subscribe(first.url, timeout_seconds=5) as subscription:
        assert subscription.receive(0.05) is None
        with zmq.Context.instance().socket(zmq.XPUB) as late:
            late.bind(first.url)
            assert late.poll(4000) and late.recv()
            late.send(frame(4))
            assert next(subscription).sequence == 4


def test_a_closed_subscription_ends(sender: Sender) -> None:
    subscription = subscribe(sender.url)
    subscription.close()
    subscription.close()
    assert list(subscription) == []


def test_closing_from_another_thread_ends_who_waits(sender: Sender) -> None:
    with ThreadPoolExecutor(1) as elsewhere, subscribe(sender.url) as waiting:
        sender.wait()
        got = elsewhere.submit(list, waiting)
        sender.send(frame(0))
        for _ in range(500):
            if waiting.reception.sources:
                break
            time.sleep(0.01)
        waiting.close()
        assert sequences(got.result(10)) == [0]
        assert list(waiting) == [] and waiting._socket.closed


def test_who_takes_a_bad_message_may_close(sender: Sender) -> None:
    with subscribe(sender.url, on_error=lambda _: waiting.close()) as waiting:
        sender.wait()
        sender.send(BAD["truncated"], frame(1))
        assert list(waiting) == [] and waiting._socket.closed


def test_async(sender: Sender) -> None:
    async def collect() -> tuple[list[int], int, int]:
        got: list[int] = []
        async with subscribe_async(sender.url, timeout_seconds=0.3) as subscription:
            await asyncio.to_thread(sender.wait)
            sender.send(frame(0), BAD["truncated"], frame(2))
            for _ in range(2):  # the second go is after the bad one
                try:
                    async for message in subscription:
                        got.append(message.sequence)
                except WireError:
                    got.append(-1)
            count = subscription.reception.sources["cam1"]
            return got, subscription.reception.bad, count.missed

    assert asyncio.run(collect()) == ([0, -1, 2], 1, 1)


def test_async_newest_and_other_work_beside(sender: Sender) -> None:
    async def collect() -> tuple[int, int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        async with subscribe_async(sender.url, newest=True, timeout_seconds=0.3) as subscription:
            await asyncio.to_thread(sender.wait)
            beside = asyncio.create_task(tick())
            sender.send(*(frame(k) for k in range(500)))
            last = [message.sequence async for message in subscription][-1]
            beside.cancel()
        return last, ticks

    last, ticks = asyncio.run(collect())
    assert last == 499
    assert ticks > 3, "waiting must leave the loop to others"


def test_async_closing_ends_who_waits_and_cancelling_still_cancels(sender: Sender) -> None:
    async def collect() -> list[FrameMessage]:
        waiting = subscribe_async(sender.url)
        task = asyncio.create_task(anext(waiting, None))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        asyncio.get_running_loop().call_later(0.05, waiting.close)
        assert [message async for message in waiting] == []
        return [message async for message in waiting]

    assert asyncio.run(collect()) == []


def test_waiting_for_ever_by_a_number(sender: Sender) -> None:
    with subscribe(sender.url, timeout_seconds=math.inf) as subscription:
        sender.wait()
        sender.send(frame(7))
        assert next(subscription).sequence == 7


@pytest.mark.parametrize(
    "url", ["5570", "http://127.0.0.1:5570", "tcp://127.0.0.1", "tcp://127.0.0.1:0", "tcp://*:5570"]
)
def test_malformed_addresses(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        subscribe(url)
    assert "\n" not in str(caught.value)


def test_a_source_id_that_cannot_be() -> None:
    with pytest.raises(WireError, match="source id"):
        subscribe("tcp://127.0.0.1:5570", source_id="x" * 64)


def run_python(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True, timeout=60
    )
    return done.stdout


@pytest.mark.parametrize("module", ["subscribe", "feed", "print"])
def test_a_subscriber_loads_nothing_heavy(module: str) -> None:
    loaded = run_python(f"import tracker.clients.{module}, sys; print(*sys.modules)").split()
    heavy = {"av", "numba", "llvmlite", "openvino", "onnxruntime", "torch", "mediapipe", "scipy", "click", "asyncio"}
    assert not heavy & set(loaded)
    assert f"tracker.clients.{module}" in loaded and "zmq" in loaded


def test_the_one_line_of_the_readme(sender: Sender) -> None:
    """`tracker.clients.subscribe` is the function, though its module has the same name; leaving early is no matter."""
    program = (
        "import tracker.clients\n"
        f"for frame in tracker.clients.subscribe({sender.url!r}):\n"
        "    print(frame.source_id, len(frame.faces)); break\n"
    )
    running = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    sender._socket.poll(20_000)
    sender.wait()
    sender.send(bytes(encode(GOLDEN)))
    output, _ = running.communicate(timeout=20)
    assert (output, running.returncode) == ("camera0 2\n", 0)
