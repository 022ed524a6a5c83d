"""The publisher on real sockets: it binds, numbers, greets, never waits, and says in one line why it cannot."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zmq

from tracker.clients import hello, subscribe
from tracker.errors import PublishError, SettingsError, WireError
from tracker.face.expression import MIRROR
from tracker.face.model import FaceModel
from tracker.face.parameters import Face
from tracker.publish import FeedSettings, Publisher
from tracker.wire import FrameHeader, decode

GOLDEN = decode((Path(__file__).parent / "golden" / "frame_v1_0.bin").read_bytes())
HASH = b"8 bytes."
ANYWHERE = "tcp://127.0.0.1:0"


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher(ANYWHERE, "cam1", HASH, "1.0") as bound:
        yield bound


def header(source_id: str = "cam1", **known: object) -> FrameHeader:
    base = FrameHeader(source_id, 5, 1, 30, 100, 200, 300, 1280, 720, 587.5, 588.0, 600.0, 360.0, 2)
    return replace(base, **known)  # type: ignore[arg-type]


def publish_until_heard(publisher: Publisher, subscription, faces: tuple[Face, ...] = ()):  # type: ignore[no-untyped-def]
    """A new subscription takes its time to arrive: publish until something comes back."""
    for _ in range(400):
        publisher.publish(header(publisher.source_id), faces)
        message = subscription.receive(0.01)
        if message is not None:
            return message
    raise AssertionError("nothing came within 4 s")


def test_what_is_published_arrives(publisher: Publisher) -> None:
    with subscribe(publisher.endpoint) as subscription:
        got = publish_until_heard(publisher, subscription, GOLDEN.faces)
        assert (got.source_id, got.pts_seconds, got.dropped) == ("cam1", 5 / 30, 2)
        assert (got.captured_ns, got.decoded_ns, got.inferred_ns) == (100, 200, 300)
        assert (got.fx, got.fy, got.cx, got.cy) == (587.5, 588.0, 600.0, 360.0)
        assert (got.epoch, got.model_hash, got.mirrored) == (publisher.epoch, HASH, False)
        assert abs(got.wall_ns(got.published_ns) - time.time_ns()) < 60e9
        assert len(got.faces) == 2
        np.testing.assert_array_equal(got.faces[1].blendshapes, GOLDEN.faces[1].blendshapes)
        np.testing.assert_array_equal(got.faces[0].landmarks_px, GOLDEN.faces[0].landmarks_px)


def test_the_stamp_is_returned_and_the_sequence_counts(publisher: Publisher) -> None:
    with subscribe(publisher.endpoint) as subscription:
        publish_until_heard(publisher, subscription)
        while subscription.receive(0.1):
            pass
        first = publisher.sequence
        stamps = [publisher.publish(header(), ()) for _ in range(5)]
        got = [subscription.receive(2) for _ in range(5)]
    assert [message.published_ns for message in got if message] == stamps == sorted(stamps)
    assert [message.sequence for message in got if message] == list(range(first, first + 5))


def test_a_frame_without_a_face_is_a_heartbeat(publisher: Publisher) -> None:
    with subscribe(publisher.endpoint) as subscription:
        assert publish_until_heard(publisher, subscription).faces == ()


def test_epochs_grow_and_differ() -> None:
    epochs = []
    for _ in range(3):
        with Publisher(ANYWHERE, "cam1", HASH, "1.0") as bound:
            epochs.append(bound.epoch)
    assert epochs == sorted(set(epochs)) and 0 < epochs[0] < 2**64


def test_landmarks_can_be_left_out_and_a_mesh_put_in() -> None:
    mesh = np.arange(12, dtype=np.float32).reshape(4, 3)
    with (
        Publisher(ANYWHERE, "cam1", HASH, "1.0", FeedSettings(landmarks=False)) as bound,
        subscribe(bound.endpoint) as subscription,
    ):
        publish_until_heard(bound, subscription)
        bound.publish(header(), GOLDEN.faces, (None, mesh))
        got = next(message for message in iter(subscription.receive, None) if message.faces)
    assert not got.has_landmarks and np.isnan(got.faces[0].landmarks_px).all()
    assert got.meshes[0] is None
    np.testing.assert_array_equal(got.meshes[1], mesh)


def test_mirrored_is_done_and_marked() -> None:
    model = FaceModel.load()
    with (
        Publisher(ANYWHERE, "cam1", HASH, "1.0", mirror=model) as bound,
        subscribe(bound.endpoint) as subscription,
    ):
        got = publish_until_heard(bound, subscription, GOLDEN.faces)
        said = ask_hello(bound)
    face, before = got.faces[0], GOLDEN.faces[0]
    assert got.mirrored and got.cx == 1280 - 600.0 and said.mirrored
    np.testing.assert_array_equal(face.blendshapes, before.blendshapes[list(MIRROR)])
    np.testing.assert_array_equal(face.translation_mm, before.translation_mm * [-1, 1, 1])


def ask_hello(publisher: Publisher):  # type: ignore[no-untyped-def]
    """A hello comes with the frames, so frames must go on while somebody listens for it."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
    with context.socket(zmq.SUB) as listening:
        listening.setsockopt(zmq.SUBSCRIBE, b"FWhello:")
        listening.connect(publisher.endpoint)
        from tracker.wire import decode_hello

        for _ in range(400):
            publisher.publish(header(publisher.source_id), ())
            if listening.poll(10):
                return decode_hello(listening.recv())
    raise AssertionError("no hello within 4 s")


def test_a_new_subscriber_gets_a_hello_at_once() -> None:
    """Long before the next one is due; the second subscriber to the same topic, too."""
    with Publisher(ANYWHERE, "cam1", HASH, "1.7", FeedSettings(hello_seconds=3600)) as bound:
        bound.publish(header(), ())
        for _ in range(2):
            said = ask_hello(bound)
            assert (said.source_id, said.epoch, said.model_version) == ("cam1", bound.epoch, "1.7")
            assert said.model_hash == HASH.hex()


def test_the_hello_is_repeated() -> None:
    with Publisher(ANYWHERE, "cam1", HASH, "1.0", FeedSettings(hello_seconds=0.05)) as bound:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        with context.socket(zmq.SUB) as listening:
            listening.setsockopt(zmq.SUBSCRIBE, b"FWhello:")
            listening.connect(bound.endpoint)
            heard = 0
            for _ in range(400):
                bound.publish(header(), ())
                heard += bool(listening.poll(10)) and bool(listening.recv())
                if heard == 4:
                    return
    raise AssertionError(f"{heard} hellos within 4 s")


def test_the_client_function_asks_for_the_hello() -> None:
    with Publisher(ANYWHERE, "cam1", HASH, "1.0") as bound:
        assert hello(bound.endpoint, timeout_seconds=0.05) is None  # no frames, no hello


def test_a_stuck_subscriber_holds_nobody_up() -> None:
    """One does not read; the publisher goes on and takes note, and the other one gets everything."""
    with Publisher(ANYWHERE, "cam1", HASH, "1.0", FeedSettings(queue=4)) as bound:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        with context.socket(zmq.SUB) as stuck, subscribe(bound.endpoint) as reading:
            stuck.setsockopt(zmq.RCVHWM, 1)
            stuck.setsockopt(zmq.RCVBUF, 4096)
            stuck.setsockopt(zmq.SUBSCRIBE, b"FWframe:")
            stuck.connect(bound.endpoint)
            publish_until_heard(bound, reading)
            while not stuck.poll(10):
                bound.publish(header(), ())
            for _ in range(20_000):
                bound.publish(header(), GOLDEN.faces)
                reading.receive(0)
                if bound.overflows:
                    break
            assert bound.overflows
            while reading.receive(0.2):
                pass
            for _ in range(50):  # while the stuck one is full, the other one misses nothing it has time for
                bound.publish(header(), GOLDEN.faces)
                got = reading.receive(2)
                assert got is not None and got.sequence == bound.sequence - 1


def test_a_subscription_that_is_far_too_long_ends_its_connection_alone(publisher: Publisher) -> None:
    """A hundred bytes of memory for each of its own is what ZeroMQ would keep of it."""
    with zmq.Context() as context, context.socket(zmq.XSUB) as greedy, subscribe(publisher.endpoint) as subscription:
        greedy.setsockopt(zmq.LINGER, 0)
        greedy.setsockopt(zmq.RECONNECT_IVL, -1)
        with greedy.get_monitor_socket(zmq.EVENT_DISCONNECTED) as monitor:
            greedy.connect(publisher.endpoint)
            greedy.send(b"\1FWframe:" + bytes(64))
            assert not monitor.poll(200), "what makes sense is taken"
            greedy.send(b"\1" + bytes(4096))
            assert monitor.poll(4000), "it is told to go"
            greedy.disable_monitor()
        assert publish_until_heard(publisher, subscription).source_id == "cam1"


def test_without_subscribers_nothing_is_dropped(publisher: Publisher) -> None:
    for _ in range(500):
        publisher.publish(header(), GOLDEN.faces)
    assert publisher.overflows == 0 and publisher.sequence == 500


def test_many_faces_outgrow_the_first_buffer(publisher: Publisher) -> None:
    with subscribe(publisher.endpoint) as subscription:
        publish_until_heard(publisher, subscription)
        publisher.publish(header(), GOLDEN.faces * 20)
        got = next(message for message in iter(subscription.receive, None) if message.faces)
    assert len(got.faces) == 40


def test_a_bad_value_is_refused_and_the_next_frame_goes_out(publisher: Publisher) -> None:
    with subscribe(publisher.endpoint) as subscription:
        publish_until_heard(publisher, subscription)
        sequence = publisher.sequence
        with pytest.raises(WireError):
            publisher.publish(header(width_px=-1), ())
        publisher.publish(header(), ())
        assert publisher.sequence == sequence + 1


def test_another_sources_header_is_refused(publisher: Publisher) -> None:
    with pytest.raises(PublishError, match="one source each"):
        publisher.publish(header("cam2"), ())


def test_closing_twice_and_publishing_after() -> None:
    bound = Publisher(ANYWHERE, "cam1", HASH, "1.0")
    bound.close()
    bound.close()
    with pytest.raises(PublishError, match="closed"):
        bound.publish(header(), ())


def test_the_last_message_before_closing_is_delivered() -> None:
    with Publisher(ANYWHERE, "cam1", HASH, "1.0") as bound, subscribe(bound.endpoint) as subscription:
        publish_until_heard(bound, subscription)
        bound.publish(header(pts=77), ())
        bound.close()
        assert 77 in [message.pts for message in iter(lambda: subscription.receive(1.0), None)]


def test_the_address_is_free_again_after_closing() -> None:
    first = Publisher(ANYWHERE, "cam1", HASH, "1.0")
    first.close()
    Publisher(first.endpoint, "cam1", HASH, "1.0").close()


def complaint(endpoint: str) -> str:
    with pytest.raises(PublishError) as caught:
        Publisher(endpoint, "cam1", HASH, "1.0")
    assert "\n" not in str(caught.value) and endpoint in str(caught.value)
    return str(caught.value)


def test_a_port_in_use(publisher: Publisher) -> None:
    assert "in use" in complaint(publisher.endpoint)


@pytest.mark.parametrize(
    ("endpoint", "says"),
    [
        ("5570", "no transport"), ("http://127.0.0.1:5570", "unknown transport 'http'"),
        ("tcp://127.0.0.1:99999", "0 to 65535"), ("tcp://127.0.0.1", "host and a port"),
        ("tcp://192.0.2.1:5570", "not this machine's"), ("tcp://no.such.host.invalid:5570", "no such host"),
        ("ipc:///no/such/folder/socket", "no such folder"),
    ],
)  # fmt: skip
def test_addresses_that_cannot_be_bound(endpoint: str, says: str) -> None:
    assert says in complaint(endpoint)


def test_a_file_at_the_path_is_never_replaced(tmp_path: Path) -> None:
    """ZeroMQ itself would delete it."""
    precious = tmp_path / "talk.mp4"
    precious.write_bytes(b"the only copy")
    link = tmp_path / "link"
    link.symlink_to(precious)
    for path in (precious, link, tmp_path):
        assert "no socket" in complaint(f"ipc://{path}")
    assert precious.read_bytes() == b"the only copy" and link.is_symlink()


def test_a_path_in_use_and_one_left_behind(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/feed"
    with Publisher(endpoint, "cam1", HASH, "1.0") as bound, subscribe(endpoint) as subscription:
        assert "in use" in complaint(endpoint)
        publish_until_heard(bound, subscription)
    left_behind = socket.socket(socket.AF_UNIX)
    left_behind.bind(str(tmp_path / "stale"))
    left_behind.close()
    Publisher(f"ipc://{tmp_path}/stale", "cam1", HASH, "1.0").close()


def test_a_source_id_that_does_not_fit() -> None:
    with pytest.raises(WireError, match="source id"):
        Publisher(ANYWHERE, "x" * 64, HASH, "1.0")


@pytest.mark.parametrize("wrong", [{"queue": 0}, {"hello_seconds": 0.0}, {"hello_seconds": float("nan")}])
def test_settings_outside_what_is_valid(wrong: dict) -> None:
    with pytest.raises(SettingsError):
        FeedSettings(**wrong)
