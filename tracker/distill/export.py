"""Trained networks to ONNX: norms folded, batch free, weights as small as accuracy allows.

Given a cache it writes what was trained there, with the face model where that was learned anew, all of it or nothing.
A network becomes one self-contained `.onnx`, quantised to int8 with calibration inputs and stamped with the face
model's hash and a version, which the run time checks.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from tracker.detect.roi import Roi
from tracker.distill import current
from tracker.distill.calibration import Reliability, calibrated
from tracker.distill.corpus import Corpus, load
from tracker.distill.evaluate import true_roi
from tracker.distill.lessons import Poses, sparse_faces
from tracker.distill.reliability import draw
from tracker.distill.scenes import VIEW_PX, Scenes
from tracker.distill.student import Student
from tracker.distill.train import averaged, poses_of, student_path
from tracker.distill.train_detector import averaged_detector
from tracker.distill.whole import together, whole
from tracker.errors import AssetError
from tracker.face.model import FaceModel
from tracker.regress.outputs import CROP_PX

OPSET = 17
VERSION, DETECTOR_VERSION = "2.2", "1.0"
CALIBRATION = 400
"""Crops that set the ranges of the int8 activations."""
VIEWS = 240
"""Views that do so for the detector."""
DETECTOR = "detector.pt"


def export(
    cache: Path, data: Path, out: Path, *, open_only: bool = False, figure: Path | None = None,
    progress: Callable[[str], None] = print,
) -> list[Path]:  # fmt: skip
    """Write what was trained in `cache` into the folder `out`; returns the files.

    With a student trained through a face model of the cache that model goes along; with `open_only` it is the student
    of openly licensed rows, and no detector, which has seen them all. `figure` is a PNG to draw of how far the
    student's standard deviations can be believed. Raises SourceError without a corpus, AssetError for checkpoints that
    are missing, damaged or of another face model, SettingsError for a figure that cannot be written, OutputError;
    `out` is then as it was.
    """
    corpus = load(cache, open_only=open_only, in_memory=False)
    student, detector = student_path(cache, open_only), cache / DETECTOR
    with_detector = detector.is_file() and not open_only
    if not student.is_file() and not with_detector:
        raise AssetError(_nothing(cache, open_only))
    model = current.current_model(cache)
    poses = poses_of(cache, corpus, model)
    with together(out) as folder:
        if student.is_file():
            rows = export_student(student, corpus, poses, folder / "student.onnx", model)
            if figure is not None:
                draw(rows, figure)
            for row in rows:
                progress(
                    f"standard deviations, {row.block:10} {row.law:8} times {row.factor:.2f}, calibration error "
                    f"{row.before:.1%}, then {row.after:.1%}"
                )
            if (cache / current.FILE).is_file():
                shutil.copyfile(cache / current.FILE, folder / current.FILE)
        if with_detector:
            views = Scenes(corpus, poses, data, cache, sparse_faces(data)).batch(VIEWS)[0]
            export_detector(detector, views, folder / "detector.onnx")
        names = sorted(path.name for path in folder.iterdir())
    return [out / name for name in names]


def _nothing(cache: Path, open_only: bool) -> str:
    if open_only:
        return f"{cache} holds no open checkpoint; run `facewire distill train DATA --open` first"
    other = ", or give --open for the open one" if student_path(cache, True).is_file() else ""
    return f"{cache} holds no checkpoint; run `facewire distill train DATA` first{other}"


def to_onnx(net: nn.Module, example: torch.Tensor, path: Path, stamps: dict[str, str]) -> None:
    """Write float32 ONNX with inputs `x` [N, ...] and output `y`; `stamps` become metadata."""
    net = net.eval()
    torch.onnx.export(
        net, (example,), str(path), input_names=["x"], output_names=["y"], opset_version=OPSET,
        dynamic_axes={"x": {0: "n"}, "y": {0: "n"}}, dynamo=False,
    )  # fmt: skip
    graph = onnx.load(str(path))
    onnx.helper.set_model_props(graph, stamps)
    graph.doc_string = ""
    onnx.save(graph, str(path))


class _Calibration:
    """What onnxruntime's quantiser reads: one dict of inputs after another."""

    def __init__(self, inputs: Iterable[np.ndarray]) -> None:
        self._inputs = iter(inputs)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next input or None."""
        value = next(self._inputs, None)
        return None if value is None else {"x": value}


def quantise(path: Path, out: Path, calibration: Iterable[np.ndarray], keep_float: tuple[str, ...] = ()) -> None:
    """Int8 weights (per channel) and activations as QDQ pairs; nodes named in `keep_float` stay as they are.

    What matrix products give is never rounded: one scale for a vector of such unlike parts as a student's would leave
    a landmark a pixel of choice.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    stamps = {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props}
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.onnx"
        quant_pre_process(str(path), str(ready), skip_symbolic_shape=True)
        quantize_static(
            str(ready), str(out), _Calibration(calibration), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, nodes_to_exclude=list(keep_float),
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"OpTypesToExcludeOutputQuantization": ["Gemm"]},
        )  # fmt: skip
    graph = onnx.load(str(out))
    onnx.helper.set_model_props(graph, stamps)
    onnx.save(graph, str(out))


def export_student(checkpoint: Path, corpus: Corpus, poses: Poses, out: Path, model: FaceModel) -> list[Reliability]:
    """The averaged student of a checkpoint, its standard deviations set right on the people kept aside, int8,
    stamped with the face model. Returns what the setting right is worth, by block; nothing where nobody is kept aside.
    """
    net = averaged(checkpoint, model)
    rows: list[Reliability] = []
    if corpus.validation.any():
        net, rows = calibrated(net, corpus, poses, model)
    write_student(net, calibration_crops(corpus, poses), out, VERSION, model)
    return rows


def calibration_crops(corpus: Corpus, poses: Poses) -> Iterator[np.ndarray]:
    """Training crops float32 [1, 3, 128, 128], as the run time cuts them, spread over the corpus."""
    chosen = np.flatnonzero(~corpus.validation)[:: max(1, len(corpus) // CALIBRATION)]
    rng = np.random.default_rng(0)
    return (crop_of(corpus.patches[k], true_roi(poses, k, rng)) for k in chosen.tolist())


def write_student(
    net: Student, crops: Iterable[np.ndarray], out: Path, version: str, model: FaceModel | None = None
) -> None:
    """A student, int8, calibrated on `crops`, stamped with the face model, by default the shipped one; whole or not at
    all."""
    stamps = {"version": version, "face_model": (model or FaceModel.load()).hash.hex()}
    example = torch.zeros(1, 3, CROP_PX, CROP_PX)
    with whole(out) as part, tempfile.TemporaryDirectory(dir=out.parent) as folder:
        exact = Path(folder) / "student.onnx"
        to_onnx(net.folded(), example, exact, stamps)
        quantise(exact, part, crops)


def export_detector(checkpoint: Path, views: np.ndarray, out: Path) -> None:
    """The detector, int8 but for its last layers, calibrated on composed `views` uint8 [N, 256, 256]."""
    net = averaged_detector(checkpoint)
    with whole(out) as part, tempfile.TemporaryDirectory(dir=out.parent) as folder:
        exact = Path(folder) / "detector.onnx"
        to_onnx(net, torch.zeros(1, 1, VIEW_PX, VIEW_PX), exact, {"version": DETECTOR_VERSION})
        inputs = (view[None, None].astype(np.float32) for view in views)
        quantise(exact, part, inputs, keep_float=("/head/head.0/Conv", "/head/head.2/Conv"))


def crop_of(patch: np.ndarray, roi: Roi) -> np.ndarray:
    """float32 [1, 3, 128, 128], as the run time cuts it."""
    import cv2

    px_from_crop = roi.px_from_crop(CROP_PX)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    crop = cv2.warpAffine(patch, px_from_crop, (CROP_PX, CROP_PX), flags=flags)
    return np.ascontiguousarray(crop.transpose(2, 0, 1)[None], np.float32)
