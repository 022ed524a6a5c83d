"""What has to hold before a speed of a device counts: its kernels answer as numba's, its network is the shipped one's,
its faces are the processor's.

Given where tensors lie it compares, on meshes made up here and on the bundled clip, and says for each gate how far
apart the two were and how far they may be. It times nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tracker.bench import looks
from tracker.bench.cases import Cases, cases_of
from tracker.bench.places import Place
from tracker.device.faces import DeviceFaces
from tracker.device.network import Student
from tracker.errors import BackendUnavailable
from tracker.face.topology import LEFT_EYE_RING, RIGHT_EYE_RING
from tracker.kernels.backend import device_columns, operator
from tracker.kernels.rasterize.cases import Case
from tracker.pipeline import Pipeline, build_pipeline
from tracker.regress.outputs import CROP_PX, SLICES
from tracker.source import frame_from_image

LARGEST_BATCHES = (1, 2, 7, 64, 1024, 4096)
STUDENT_PX, STUDENT_COEFFICIENTS = 0.2, 0.01
"""Root mean square of guides in a crop of 128 px, and of expression: rounding activations to bytes, which only the
processor's network does, moves them by 0.08 px and 0.003."""
LANDMARKS_SHARE, LANDMARKS_WORST = 0.01, 0.04
"""Mean distance of the two pipelines' landmarks in distances between the eyes, on the median frame and on the worst: a
fifth and a half of what the student errs by."""
UNSEEN_WORST, UNSURE_SHARE = 0.08, 0.25
"""The same of a face that is not seen, which goes on as fast as it last seemed to; and of its deviations, which grow
many times over by then."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One comparison."""

    name: str
    passed: bool
    found: str
    """What was found, beside what is allowed."""


def pictures_gate(rasterize: Any, device: torch.device, batches: Sequence[int], side_px: int = 48) -> Iterator[Gate]:
    """Ids and depths of a device's `rasterize` have numba's bits, for each batch."""
    numba = operator("rasterize", "numba")[0]
    for batch in batches:
        case = Case("dome", 14, 10, side_px, batch=batch, noise_px=0.5)
        vertices, triangles, ids, depth = case.arguments()
        numba(vertices, triangles, ids, depth)
        there = [torch.from_numpy(array).to(device) for array in (vertices, triangles)]
        found = [torch.zeros(ids.shape, dtype=dtype, device=device) for dtype in (torch.int32, torch.float32)]
        rasterize(*there, *found)
        wrong = [int((one.cpu().numpy().view(np.int32) != wanted.view(np.int32)).sum())
                 for one, wanted in zip(found, (ids, depth), strict=True)]  # fmt: skip
        text = f"{wrong[0]} ids and {wrong[1]} depths of {ids.size} differ; none may"
        yield Gate(f"rasterize equals numba to the bit, batch {batch}", not any(wrong), text)


def operator_gate(
    row: str, place: Place, found: Callable[..., object] | None = None, which: Sequence[Any] | None = None
) -> Gate:
    """A row's device column, or what is given in its stead, against numba on the cases that its tests and its timing
    have, or on some; against the reference where numba has none. Within the tolerance that the cases state."""
    (column,), cases = device_columns(row), cases_of(row)
    call, (base, name) = found or operator(row, column)[0], base_of(row)
    which = cases.for_device() if which is None else which
    among = f"the worst of {len(which)} cases" if len(which) > 1 else "the one case"
    apart, where = worst(cases, which, call, base, place)
    return Gate(
        f"{row} on {column} answers as {name}", apart <= cases.tolerance,
        f"largest difference {apart:.1e} of {cases.tolerance:g} ({where}, {among})",
    )  # fmt: skip


def base_of(row: str) -> tuple[Callable[..., object], str]:
    """What a device is held against, and its name."""
    try:
        return operator(row, "numba")[0], "numba's"
    except BackendUnavailable:
        return operator(row, "reference")[0], "the reference"


def worst(
    cases: Cases, which: Sequence[Any], call: Callable[..., object], base: Callable[..., object], place: Place
) -> tuple[float, str]:
    """The largest difference over the cases, and in which; one that is no number is the worst of all."""
    found = [(cases.compared(case, call, base, place.there, place.back)[0], str(case.name)) for case in which]
    return max(((np.inf if np.isnan(apart) else apart, name) for apart, name in found), key=lambda one: one[0])


def student_gate(device: torch.device, frames: int) -> Gate:
    """The torch student against ONNX Runtime on crops of the bundled clip."""
    pipeline, crops, wanted = build_pipeline(), [], []
    for frame in looks.frames(frames):
        if pipeline.track(frame):
            crops.append(pipeline.regressor.network.input[0].copy())
            wanted.append(pipeline.regressor.network.output[0].copy())
    student = Student().eval().to(device, torch.float16 if device.type == "cuda" else torch.float32)
    with torch.no_grad():
        found = student(torch.from_numpy(np.stack(crops)).to(device)).cpu().numpy()
    apart = found - np.stack(wanted)
    pixels = float(np.sqrt((apart[:, SLICES["guides"]] ** 2).mean())) * CROP_PX
    coefficients = float(np.sqrt((apart[:, SLICES["expression"]] ** 2).mean()))
    return Gate(
        "student equals ONNX Runtime", pixels <= STUDENT_PX and coefficients <= STUDENT_COEFFICIENTS,
        f"rms {pixels:.3f} px of {STUDENT_PX}, coefficients {coefficients:.4f} of {STUDENT_COEFFICIENTS}, "
        f"{len(crops)} crops",
    )  # fmt: skip


def faces_gate(device: Callable[..., DeviceFaces], frames: int, decode: looks.Decode = "cpu") -> Gate:
    """The device's pipeline against the processor's on the bundled clip: states equal, landmarks near. With `cuda` its
    pictures are NVDEC's. Raises SourceError where there is none."""
    theirs, ours, shares, states = build_pipeline(), Pipeline(device=device), [], 0
    for frame, same in zip(looks.frames(frames), looks.frames(frames, decode), strict=True):
        wanted, found = theirs.track(frame), ours.track(same)
        states += [(f.track_id, f.state) for f in wanted] != [(f.track_id, f.state) for f in found]
        shares += [_apart(one.landmarks_px, other.landmarks_px) for one, other in zip(wanted, found, strict=False)]
    middle, worst = (float(np.median(shares)), max(shares)) if shares else (np.inf, np.inf)
    by = "NVDEC" if decode == "cuda" else "the processor"
    return Gate(
        f"faces equal the processor's, decoded by {by}",
        not states and middle <= LANDMARKS_SHARE and worst <= LANDMARKS_WORST,
        f"landmarks {middle:.2%} of the eyes' distance apart (of {LANDMARKS_SHARE:.0%}), worst frame {worst:.2%} (of "
        f"{LANDMARKS_WORST:.0%}), {states} states differ, {len(shares)} faces",
    )


def unseen_gate(device: Callable[..., DeviceFaces]) -> Gate:
    """A face that is gone from one frame to the next: the two pipelines carry it on alike, and are alike unsure."""
    seen, missed = 20, 8
    frames = list(looks.frames(seen))
    last, empty = frames[-1].pts_seconds or 0.0, np.full((frames[-1].height_px, frames[-1].width_px, 3), 110, np.uint8)
    frames += [frame_from_image(empty, last + (1 + number) / 30) for number in range(missed)]
    both = (build_pipeline(), Pipeline(device=device))
    theirs, ours = ([pipeline.track(frame) for frame in frames][seen:] for pipeline in both)
    states = sum([f.state for f in one] != [f.state for f in other] for one, other in zip(theirs, ours, strict=True))
    pairs = [(one[0], other[0]) for one, other in zip(theirs, ours, strict=True) if one and other]
    worst = max((_apart(one.landmarks_px, other.landmarks_px) for one, other in pairs), default=np.inf)
    ratios = [other.deviation.landmarks_px / one.deviation.landmarks_px for one, other in pairs]
    unsure = max((abs(ratio - 1) for ratio in ratios), default=np.inf)
    return Gate(
        "a face that is not seen goes on as the processor's",
        not states and len(pairs) >= missed // 2 and worst <= UNSEEN_WORST and unsure <= UNSURE_SHARE,
        f"landmarks at worst {worst:.2%} of the eyes' distance apart (of {UNSEEN_WORST:.0%}), deviations {unsure:.0%} "
        f"(of {UNSURE_SHARE:.0%}), {states} states differ, {len(pairs)} faces",
    )


def _apart(wanted: np.ndarray, found: np.ndarray) -> float:
    """Mean distance in the picture, in distances between the eyes."""
    left, right = (wanted[list(ring), :2].mean(0) for ring in (LEFT_EYE_RING, RIGHT_EYE_RING))
    distance = float(np.linalg.norm(left - right))
    return float(np.linalg.norm(wanted[:, :2] - found[:, :2], axis=1).mean()) / max(distance, 1.0)
