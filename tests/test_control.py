"""The control socket at work: it answers, refuses in words, survives whatever is sent, and holds no frame up."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
import zmq

from tracker.clients.demo import _empty
from tracker.errors import PublishError, WireError
from tracker.publish import FeedSettings, Publisher
from tracker.wire.control import LONGEST, decode_answer, encode_request

ANYWHERE = "tcp://127.0.0.1:0"


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher(ANYWHERE, "demo", b"8 bytes.", "1.0", FeedSettings(control=ANYWHERE)) as bound:
        yield bound


@pytest.fixture
def asking(publisher: Publisher) -> Iterator[zmq.Socket]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
    with context.socket(zmq.DEALER) as connected:
        connected.connect(publisher.control_endpoint)
        yield connected


def answer(asking: zmq.Socket) -> bytes:
    assert asking.poll(5000), "no answer came"
    return asking.recv_multipart()[-1]


def test_off_unless_asked_for() -> None:
    with Publisher(ANYWHERE, "demo", b"8 bytes.", "1.0") as bound:
        assert bound.control_endpoint == ""


def test_a_question_is_answered_between_its_stamps(publisher: Publisher, asking: zmq.Socket) -> None:
    before = time.monotonic_ns()
    asking.send(encode_request(before))
    echo = decode_answer(answer(asking))
    assert echo.sent_ns == before and echo.epoch == publisher.epoch
    assert before <= echo.received_ns <= echo.answered_ns <= time.monotonic_ns()


def test_a_socket_of_kind_req_is_answered_too(publisher: Publisher) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
    with context.socket(zmq.REQ) as asking:
        asking.connect(publisher.control_endpoint)
        for stamp in (1, 2):
            asking.send(encode_request(stamp))
            assert decode_answer(answer(asking)).sent_ns == stamp


@pytest.mark.parametrize(
    "wrong", [[b""], [b"time?"], [bytes(24)], [b"FWclock:" + bytes(16)], [b"a", b"b"], [b"", b"", encode_request(1)]]
)
def test_what_is_no_request_is_answered_with_an_error(asking: zmq.Socket, wrong: list[bytes]) -> None:
    asking.send_multipart(wrong)
    with pytest.raises(WireError, match="refused"):
        decode_answer(answer(asking))
    asking.send(encode_request(5))
    assert decode_answer(answer(asking)).sent_ns == 5, "and it goes on"


def test_it_survives_what_is_too_long_and_what_is_no_zeromq(publisher: Publisher, asking: zmq.Socket) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
    with context.socket(zmq.DEALER) as flooding:
        flooding.connect(publisher.control_endpoint)
        flooding.send(bytes(LONGEST + 1))
        flooding.send(encode_request(1))
    host, port = publisher.control_endpoint.removeprefix("tcp://").split(":")
    with socket.create_connection((host, int(port)), 5) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n" * 100)
    asking.send(encode_request(6))
    assert decode_answer(answer(asking)).sent_ns == 6


def test_who_never_reads_the_answers_holds_nobody_up(publisher: Publisher, asking: zmq.Socket) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
    with context.socket(zmq.DEALER) as deaf:
        deaf.setsockopt(zmq.RCVHWM, 1)
        deaf.connect(publisher.control_endpoint)
        for stamp in range(100):
            deaf.send(encode_request(stamp))
        sequence = publisher.sequence
        for _ in range(50):
            publisher.publish(_empty(), ())
        assert publisher.sequence == sequence + 50
        asking.send(encode_request(7))
        assert decode_answer(answer(asking)).sent_ns == 7


def test_the_hello_names_it(publisher: Publisher) -> None:
    from tracker.wire import decode_hello

    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
    with context.socket(zmq.SUB) as listening:
        listening.setsockopt(zmq.SUBSCRIBE, b"FWhello:")
        listening.connect(publisher.endpoint)
        for _ in range(400):
            publisher.publish(_empty(), ())
            if listening.poll(10):
                assert decode_hello(listening.recv()).control == publisher.control_endpoint
                return
    raise AssertionError("no hello within 4 s")


def test_an_address_in_use_is_told_and_nothing_stays_bound(publisher: Publisher) -> None:
    with Publisher(ANYWHERE, "demo", b"8 bytes.", "1.0") as other:
        free = other.endpoint
    with pytest.raises(PublishError, match="in use"):
        Publisher(free, "demo", b"8 bytes.", "1.0", FeedSettings(control=publisher.control_endpoint))
    Publisher(free, "demo", b"8 bytes.", "1.0").close()
    with pytest.raises(PublishError, match="unknown transport"):
        Publisher(ANYWHERE, "demo", b"8 bytes.", "1.0", FeedSettings(control="udp://127.0.0.1:1"))


def test_closing_twice_frees_the_address() -> None:
    for _ in range(2):
        first = Publisher(ANYWHERE, "demo", b"8 bytes.", "1.0", FeedSettings(control=ANYWHERE))
        first.close()
        first.close()
        Publisher(first.endpoint, "demo", b"8 bytes.", "1.0", FeedSettings(control=first.control_endpoint)).close()
