"""The two rows of numbers that cross between the host and the device for each face: what is asked, what is answered.

Given names it says where their numbers stand; an answer is read as the pipeline's own `Fit` and `Face`. One row each
way is one small copy each way for any number of faces. A face that is not seen has rows of its own, in which no look
crosses and only what is expected of it comes back. It computes next to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tracker.detect.roi import Roi
from tracker.face.camera import Camera
from tracker.face.parameters import EXPRESSIONS, LANDMARKS, Deviation, Face, TrackState
from tracker.face.pose import deviations_mm
from tracker.kernels.reorient import Reorient
from tracker.refine.fit import Fit
from tracker.regress.outputs import CROP_PX, IDENTITIES

NEVER = 2.0
"""A presence that no look reaches: of the empty places in a batch."""


def _slices(sizes: dict[str, int]) -> dict[str, slice]:
    start, table = 0, {}
    for name, size in sizes.items():
        table[name] = slice(start, start + size)
        start += size
    return table


ASKED = _slices({
    "square": 4,  # x, y of the middle, side (px), roll (rad)
    "px_from_crop": 6,  # the same as the map that the crop is cut by
    "camera": 4,  # fx, fy, cx, cy
    "dt": 1,  # seconds since the face's last estimate; 0 holds it
    "slot": 1,
    "fresh": 1,  # above 0 for a face that the slot has not seen
    "anew": 1,  # above 0 where smoothing starts anew
    "ahead": 1,  # seconds after this frame that the estimate is for
    "least_presence": 1,  # what the look has to reach to count
})  # fmt: skip
"""float64, per face."""
ASKED_WIDTH = max(part.stop for part in ASKED.values())

ANSWERED = _slices({
    "landmarks_px": 3 * LANDMARKS, "blendshapes": EXPRESSIONS, "blendshapes_raw": EXPRESSIONS, "rotation": 9,
    "rotation_raw": 9, "translation_mm": 3, "translation_raw_mm": 3, "identity": IDENTITIES, "gaze": 6, "lighting": 27,
    "region_confidence": 5, "expression_std": EXPRESSIONS, "identity_std": 1, "rotation_std_rad": 1, "spread_mm": 3,
    "centre_std_px": 1, "log_scale_std": 1, "confidence": 1, "trust": 1, "presence": 1, "plausible": 1, "accepted": 1,
    "fit_rotation": 9, "fit_center_px": 2, "fit_scale": 1, "identity_raw": IDENTITIES,
    "expression_deviation": EXPRESSIONS, "rotation_deviation_rad": 1, "landmarks_deviation_px": 1,
})  # fmt: skip
"""float32, per face. The fit's pose is that in the picture, of this frame alone, as is what is called std; deviations
are those of the estimate."""
ANSWERED_WIDTH = max(part.stop for part in ANSWERED.values())

MISSED = _slices({
    "pose": 12,  # of its last fit: rotation, centre, scale
    "doubt": 2,  # and what was uncertain of it: the centre in px, the log scale
    "camera": 4, "dt": 1, "ahead": 1, "slot": 1,
})  # fmt: skip
"""float64, of a face that is not seen now."""
MISSED_WIDTH = max(part.stop for part in MISSED.values())

EXPECTED = _slices({
    "landmarks_px": 3 * LANDMARKS, "blendshapes": EXPRESSIONS, "rotation": 9, "translation_mm": 3, "gaze": 6,
    "spread_mm": 3, "landmarks_deviation_px": 1, "std": EXPRESSIONS + 6,
})  # fmt: skip
"""float32: what is likely of it; `std` as `smooth.Smoothed` has it."""
EXPECTED_WIDTH = max(part.stop for part in EXPECTED.values())


def ask(
    row: np.ndarray, roi: Roi, camera: Camera, slot: int, times: Sequence[float], least_presence: float
) -> None:  # fmt: skip
    """Fill one row; `times` are dt, fresh, anew and ahead."""
    row[ASKED["square"]] = roi.x_px, roi.y_px, roi.side_px, roi.roll_rad
    row[ASKED["px_from_crop"]] = roi.px_from_crop(CROP_PX).reshape(-1)
    row[ASKED["camera"]] = camera.fx, camera.fy, camera.cx, camera.cy
    dt, fresh, anew, ahead = times
    row[ASKED["dt"].start :] = dt, slot, fresh, anew, ahead, least_presence


def leave_empty(row: np.ndarray, spare: int) -> None:
    """A place without a face: an ordinary square, never accepted, remembered by nobody."""
    ask(row, Roi(64.0, 64.0, 128.0, 0.0), Camera(500.0, 500.0, 64.0, 64.0), spare, (0.0, 1.0, 1.0, 0.0), NEVER)


def miss(row: np.ndarray, last: np.ndarray, camera: Camera, slot: int, times: Sequence[float]) -> None:
    """Fill one row of `MISSED` from the face's last answer; `times` are dt and ahead."""
    parts = [last[ANSWERED[name]] for name in
             ("fit_rotation", "fit_center_px", "fit_scale", "centre_std_px", "log_scale_std")]  # fmt: skip
    row[: MISSED["camera"].start] = np.concatenate(parts)
    row[MISSED["camera"]] = camera.fx, camera.fy, camera.cx, camera.cy
    row[MISSED["dt"].start :] = *times, slot


def miss_nobody(row: np.ndarray, spare: int) -> None:
    """A place without a face: an ordinary pose of a face that never was, held."""
    row[MISSED["pose"]] = *np.eye(3).reshape(-1), 64.0, 64.0, 1.0
    row[MISSED["doubt"]] = 1.0, 0.1
    row[MISSED["camera"]] = 500.0, 500.0, 64.0, 64.0
    row[MISSED["dt"].start :] = 0.0, 0.0, spare


def coasted(last: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """A face's last answer with what is likely now in place of what was estimated; nothing of it is to be trusted."""
    row = last.copy()
    for name in EXPECTED.keys() & ANSWERED.keys():
        row[ANSWERED[name]] = expected[EXPECTED[name]]
    std = expected[EXPECTED["std"]]
    row[ANSWERED["expression_deviation"]] = np.hypot(last[ANSWERED["expression_deviation"]], std[:EXPRESSIONS])
    row[ANSWERED["rotation_deviation_rad"]] = np.hypot(last[ANSWERED["rotation_std_rad"]], std[-3:].max())
    for name in ("confidence", "region_confidence", "trust", "presence"):
        row[ANSWERED[name]] = 0.0
    return row


def light_up(rows: np.ndarray, asked: np.ndarray, reorient: Reorient) -> None:
    """Bring the light in answers [B, W] from the squares' axes, in which the device keeps it, into the camera's; of
    faces that were `asked` about in one frame."""
    if len(rows):
        light = np.ascontiguousarray(rows[:, ANSWERED["lighting"]]).reshape(-1, 9, 3)
        center_px = rows[:, ANSWERED["fit_center_px"]].astype(np.float64)
        roll_rad = asked[:, ASKED["square"]][:, 3].astype(np.float64)
        turned = np.empty_like(light)
        reorient(light, center_px, roll_rad, asked[0, ASKED["camera"]].astype(np.float64), turned)
        rows[:, ANSWERED["lighting"]] = turned.reshape(len(rows), -1)


def accepted(row: np.ndarray) -> bool:
    """Whether the look showed the face, and it was remembered."""
    return bool(row[ANSWERED["accepted"]][0] > 0)


def fit_of(row: np.ndarray, track_id: int) -> Fit:
    """The answer as the fit of this frame alone; its arrays are views of `row`."""

    def part(name: str) -> np.ndarray:
        return row[ANSWERED[name]]

    def number(name: str) -> float:
        return float(part(name)[0])

    return Fit(
        track_id, part("blendshapes_raw"), part("identity_raw"), part("fit_rotation").astype(np.float64).reshape(3, 3),
        part("fit_center_px").astype(np.float64), number("fit_scale"), number("presence"), part("region_confidence"),
        number("trust"), part("expression_std"), number("identity_std"), number("rotation_std_rad"),
        number("centre_std_px"), number("log_scale_std"), number("plausible") > 0,
    )  # fmt: skip


def face_of(row: np.ndarray, track_id: int, state: TrackState) -> Face:
    """The answer as published; its arrays are views of `row`, which has to be the face's own."""

    def part(name: str, *shape: int) -> np.ndarray:
        return row[ANSWERED[name]].reshape(shape or -1)

    def number(name: str) -> float:
        return float(row[ANSWERED[name]][0])

    return Face(
        track_id=track_id, state=state, landmarks_px=part("landmarks_px", LANDMARKS, 3),
        blendshapes=part("blendshapes"), blendshapes_raw=part("blendshapes_raw"), rotation=part("rotation", 3, 3),
        rotation_raw=part("rotation_raw", 3, 3), translation_mm=part("translation_mm"),
        translation_raw_mm=part("translation_raw_mm"), identity=part("identity"), gaze=part("gaze", 2, 3),
        lighting=part("lighting", 9, 3), confidence=number("confidence"),
        region_confidence=part("region_confidence"),
        deviation=Deviation(
            part("expression_deviation"), number("identity_std"), number("rotation_deviation_rad"),
            deviations_mm(part("translation_mm"), part("spread_mm")),
            number("landmarks_deviation_px"),
        ),
    )  # fmt: skip
