"""Cameras are listed with what to write to open them; where that is impossible, it is said."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from tracker.errors import SourceError
from tracker.source import list_devices
from tracker.source.address import parse_address
from tracker.source.devices import linux_cameras


def test_this_machine() -> None:
    for device in list_devices():
        assert parse_address(device.spec).kind == "camera"


def test_linux_own_list(tmp_path: Path) -> None:
    for number, name in ((10, "Capture card"), (2, "Integrated Camera"), (0, None)):
        entry = tmp_path / f"video{number}"
        entry.mkdir()
        if name:
            (entry / "name").write_text(name + "\n")
    found = linux_cameras(tmp_path, "not known")
    assert [device.spec for device in found] == [f"v4l2:/dev/video{number}" for number in (0, 2, 10)]
    assert [device.description for device in found] == ["not known", "Integrated Camera", "Capture card"]
    assert linux_cameras(tmp_path / "missing", "") == []


def test_without_a_list_linux_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Older builds of PyAV cannot enumerate."""
    monkeypatch.delattr(av, "enumerate_input_devices")
    assert isinstance(list_devices("linux"), list)
    with pytest.raises(SourceError, match="avfoundation:0"):
        list_devices("darwin")


def test_systems() -> None:
    with pytest.raises(SourceError, match="linux"):
        list_devices("plan9")
    if "dshow" not in {device.spec.partition(":")[0] for device in list_devices()}:
        try:
            av.ContainerFormat("dshow", "r")
        except ValueError:
            with pytest.raises(SourceError, match="dshow:video=NAME"):
                list_devices("win32")
