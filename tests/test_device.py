"""Asking for a GPU where there is none, or not enough with it: one line that says what is missing, what to install."""

import pytest

from tracker import cli
from tracker.device import readiness
from tracker.errors import BackendUnavailable


def test_missing_packages_are_named_with_the_extra(monkeypatch):
    monkeypatch.setattr(readiness, "find_spec", lambda name: None if name in ("torch", "cupy") else object())
    with pytest.raises(BackendUnavailable) as error:
        readiness.cuda_device()
    text = str(error.value)
    assert "without torch, cupy; pip install 'facewire[gpu]'" in text and "--device" in text and "\n" not in text


def test_a_torch_without_cuda_is_named():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    missing = readiness.missing_packages()
    if missing:
        pytest.skip(f"without {', '.join(missing)}")
    assert f"torch {torch.__version__}" in (readiness.why_not_cuda() or "")


def test_the_command_says_so_before_it_opens_anything(capsys, monkeypatch):
    monkeypatch.setattr(readiness, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", "no-such-file.mp4", "--device", "cuda"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("facewire: device cuda: without torch, triton, cupy, onnx; pip install")


def test_another_device_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", "clip.mp4", "--device", "tpu"])
    assert ended.value.code == 2 and "'cpu', 'cuda'" in capsys.readouterr().err
