"""Addresses: one line that says what is wrong."""

from __future__ import annotations

import pytest

from tracker.errors import SettingsError
from tracker.wire.endpoint import check_endpoint


@pytest.mark.parametrize(
    "url",
    ["tcp://127.0.0.1:5570", "tcp://*:5570", "tcp://0.0.0.0:0", "tcp://[::1]:*", "tcp://localhost:1", "ipc:///run/x"],
)
def test_good_to_bind(url: str) -> None:
    check_endpoint(url, bind=True)


@pytest.mark.parametrize(
    "url", ["tcp://127.0.0.1:5570", "tcp://host.example:65535", "tcp://[::1]:5570", "ipc://x.sock"]
)
def test_good_to_connect(url: str) -> None:
    check_endpoint(url, bind=False)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "no transport"), ("127.0.0.1:5570", "no transport"), ("http://127.0.0.1:5570", "unknown transport 'http'"),
        ("udp://127.0.0.1:5570", "valid: tcp, ipc"), ("tcp://127.0.0.1", "host and a port"), ("tcp://:5570", "host"),
        ("tcp://127.0.0.1:x", "port 'x'"), ("tcp://127.0.0.1:65536", "0 to 65535"), ("tcp://127.0.0.1:-1", "port"),
        ("tcp://a b:5570", "host and a port"), ("tcp://127.0.0.1:", "port ''"), ("ipc://", "path"),
        ("ipc:///" + "x" * 120, "path of 1 to"),
    ],
)  # fmt: skip
def test_bad_to_bind(url: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says) as caught:
        check_endpoint(url, bind=True)
    assert "\n" not in str(caught.value) and repr(url) in str(caught.value)


@pytest.mark.parametrize("url", ["tcp://127.0.0.1:0", "tcp://127.0.0.1:*", "tcp://0.0.0.0:5570", "tcp://*:5570"])
def test_bad_to_connect_only(url: str) -> None:
    check_endpoint(url, bind=True)
    with pytest.raises(SettingsError):
        check_endpoint(url, bind=False)
