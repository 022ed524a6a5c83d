"""Where the 478 points lie on the ICT head, found once and kept as computed data in the training cache.

Heads are rendered in good light under several yaws, the teacher is asked, and each of its points is cast onto the
surface that was rendered; the median over the renders, made symmetric, is the point. Lids and lips are then settled on
their own side of the opening, irises on the eyeballs. It does not know what the points are used for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tracker.distill import archive
from tracker.distill.current import current_model
from tracker.distill.head import OVAL
from tracker.distill.ict import EYES, Ict
from tracker.distill.lamps import Lamps
from tracker.distill.morphable import similarity
from tracker.distill.portrait import Studio, canvas_for
from tracker.distill.raster import nearest_under
from tracker.distill.teacher import Teacher
from tracker.distill.whole import whole
from tracker.errors import AssetError
from tracker.face import topology
from tracker.face.camera import Camera
from tracker.face.expression import ARKIT_INDEX
from tracker.face.model import FaceModel

FILE = "ict_points.npz"
SIZE_PX, DISTANCE_MM, FOCAL_PX = 512, 900.0, 1250.0
YAWS_DEG = (-38.0, -20.0, 0.0, 20.0, 38.0)
PEOPLE = 8
# A ray that grazes the surface says little about where it meets it.
LEAST_FACING = 0.3
IRIS_RADIUS_MM = 5.85
LEAST_SURE = 350
CONTOUR_MM = 8.0
"""Where cast points and face model are further apart, the model is believed."""
UPPER_LIP = (191, 80, 81, 82, 13, 312, 311, 310, 415)
LOWER_LIP = (95, 88, 178, 87, 14, 317, 402, 318, 324)
UPPER_LIDS = (246, 161, 160, 159, 158, 157, 173, 466, 388, 387, 386, 385, 384, 398)
LOWER_LIDS = (7, 163, 144, 145, 153, 154, 155, 249, 390, 373, 374, 380, 381, 382)
_EVEN = Lamps(np.array([[-0.35, -0.5, -0.79]]), np.array([[0.6, 0.6, 0.6]]), np.full(3, 0.8), np.full(3, 0.6), 0.95)


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """The 478 points as places on the mesh."""

    vertices: np.ndarray
    """int32 [478, 3]: the corners of the triangle a point lies in."""
    shares: np.ndarray
    """float32 [478, 3]: barycentrics, which sum to one."""

    def on(self, vertices: np.ndarray) -> np.ndarray:
        """The points [478, 3] on a mesh of vertices [V, 3], in whatever space those are."""
        placed: np.ndarray = np.einsum("pk,pkc->pc", self.shares, vertices[self.vertices])
        return placed

    @staticmethod
    def load(path: Path) -> Points:
        """Raises AssetError for a file that holds no such points."""
        points = Points(**archive.read(path, "delete it to compute it anew", ("vertices", "shares")))
        if points.vertices.shape != (topology.VERTICES, 3):
            raise AssetError(
                f"{path} holds {points.vertices.shape} corners, not (478, 3); delete it to compute it anew"
            )
        return points


def points_of(cache: Path, studio: Studio, teacher_path: Path, progress: Callable[[str], None] = print) -> Points:
    """The points kept in `cache`, or computed into it. Raises AssetError where the teacher finds no rendered face,
    OutputError where the cache cannot be written."""
    path = cache / FILE
    if not path.is_file():
        progress("looking for the 478 points on the ICT head")
        points = find_points(studio, teacher_path, current_model(cache))
        with whole(path) as part, part.open("wb") as stream:
            np.savez(stream, vertices=points.vertices, shares=points.shares)
    return Points.load(path)


def find_points(studio: Studio, teacher_path: Path, model: FaceModel, seed: int = 0) -> Points:
    """Render, ask, cast, take the median; `model` says where the rays do not."""
    teacher, ict = Teacher(teacher_path), studio.ict
    rng = np.random.default_rng(seed)
    casts = []
    for number in range(PEOPLE):
        identity = rng.normal(0, 0.6, len(ict.identity_mm)) * (number > 0)
        person = replace(studio.person(rng, identity), lamps=_EVEN, masked=False, things=None)
        weights = np.zeros(52, np.float32)
        weights[ARKIT_INDEX["jawOpen"]] = 0.3 * (number % 2)
        shape, _ = ict.act(person.neutral_mm, weights)
        for yaw in np.radians(YAWS_DEG):
            rotation = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
            camera = Camera(FOCAL_PX, FOCAL_PX, SIZE_PX / 2, SIZE_PX / 2)
            canvas = canvas_for(camera, SIZE_PX, SIZE_PX, np.full((SIZE_PX, SIZE_PX, 3), 120, np.float32))
            at = np.array([0.0, -40.0, DISTANCE_MM])
            vertices, _ = studio.render(person, shape, rotation, at, canvas, np.random.default_rng(0))
            for lesson in teacher(canvas.picture()):
                casts.append(cast(ict, vertices, camera, lesson.landmarks_px[:, :2].astype(np.float64)))
    teacher.close()
    if len(casts) < PEOPLE:
        raise AssetError(f"the teacher finds a face in {len(casts)} renders of the ICT head; give another teacher file")
    return settle(ict, _median(np.array(casts)), model)


def _median(casts: np.ndarray) -> np.ndarray:
    """Over casts [N, 478, 3] that are not NaN; NaN where all are."""
    counted = np.ma.masked_invalid(casts)
    return np.ma.median(counted, axis=0).filled(np.nan)


def cast(ict: Ict, vertices: np.ndarray, camera: Camera, points_px: np.ndarray) -> np.ndarray:
    """Where the neutral face lies [478, 3] under points [478, 2] of a picture of it; NaN where it is not, or grazed."""
    triangles = ict.triangles["M_Face"]
    depth = vertices[:, 2].astype(np.float64)
    xy = vertices[:, :2] / depth[:, None] * [camera.fx, camera.fy] + [camera.cx, camera.cy]
    hit = nearest_under(xy, depth, triangles, points_px)
    corners = triangles[hit[:, 0].astype(int)]
    a, b, c = (vertices[corners[:, k]].astype(np.float64) for k in range(3))
    normal = np.cross(b - a, c - a)
    facing = -(normal * a).sum(1) / np.maximum(np.linalg.norm(normal, axis=1) * np.linalg.norm(a, axis=1), 1e-9)
    place = np.einsum("pk,pkc->pc", hit[:, 1:], ict.neutral_mm[corners].astype(np.float64))
    place[(hit[:, 0] < 0) | (facing < LEAST_FACING)] = np.nan
    return place


def settle(ict: Ict, places: np.ndarray, model: FaceModel) -> Points:
    """Places [478, 3] on the neutral head as points on the mesh: symmetric, lids and lips on their own side."""
    places = _symmetric(places, model)
    face = ict.triangles["M_Face"][~ears(ict)[ict.triangles["M_Face"]].any(1)]
    centre = ict.neutral_mm[face].mean(1)
    jaw = np.linalg.norm(ict.expression_mm[ARKIT_INDEX["jawOpen"]], axis=1)[face].mean(1)
    blink = sum(np.linalg.norm(ict.expression_mm[ARKIT_INDEX[f"eyeBlink{s}"]], axis=1) for s in ("Left", "Right"))
    lid = blink[face].mean(1)
    margin = _lid_margin(ict, face)
    lips = jaw[np.linalg.norm(centre - ict.neutral_mm[ict.points_68[66]], axis=1) < 12]
    half_open = (lips.min() + lips.max()) / 2
    sides = ((UPPER_LIP, jaw < half_open * 0.7), (LOWER_LIP, jaw > half_open * 1.2),
             (UPPER_LIDS, margin & (lid > 4.0)), (LOWER_LIDS, margin & (lid < 4.0)))  # fmt: skip
    vertices, shares = np.zeros((478, 3), np.int32), np.zeros((478, 3), np.float32)
    for point, place in enumerate(places[: topology.RIGHT_IRIS[0]]):
        allowed = next((chosen for members, chosen in sides if point in members), np.ones(len(face), bool))
        vertices[point], shares[point] = _nearest(ict.neutral_mm, face[allowed], place)
    for iris, eye in ((topology.LEFT_IRIS, EYES[0]), (topology.RIGHT_IRIS, EYES[1])):
        _place_iris(ict, eye, iris, vertices, shares)
    return Points(vertices, shares)


def ears(ict: Ict) -> np.ndarray:
    """bool [V]: the front of the ears, which have a corner of the face's texture each."""
    u, v = ict.uv.T
    return ((u < 0.095) | ((u > 0.905) & (u < 1.005))) & (v > 0.28) & (v < 0.58)


def _symmetric(places: np.ndarray, model: FaceModel) -> np.ndarray:
    """The places [478, 3] and their mirror images' mean. Where the rays agree on none, as along the contour, which the
    teacher lets slide over the cheek as the head turns, the face model laid over the others says where."""
    pair = np.stack([places, places[model.mirror_index] * [-1, 1, 1]])
    met = ~np.isnan(pair[..., 0])
    mean = np.where(met[..., None], pair, 0).sum(0) / np.maximum(met.sum(0), 1)[:, None]
    met = met.any(0)
    sure = met & ~np.isin(np.arange(len(met)), (*OVAL, *topology.RIGHT_IRIS, *topology.LEFT_IRIS))
    if sure.sum() < LEAST_SURE:
        raise AssetError(f"only {sure.sum()} of 478 points met the ICT head; give another teacher file")
    scale, rotation, shift = similarity(model.mean_mm[None, sure].astype(float), mean[sure])
    laid = scale[0] * model.mean_mm @ rotation[0].T + shift[0]
    apart = np.linalg.norm(laid - mean, axis=1)
    return np.where((met & (apart < CONTOUR_MM))[:, None], mean, laid)


def _lid_margin(ict: Ict, face: np.ndarray) -> np.ndarray:
    """bool [T]: triangles of the face that lie close before an eyeball and look outwards."""
    a, b, c = (ict.neutral_mm[face[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    near = np.zeros(len(face), bool)
    for part in EYES:
        ball = ict.neutral_mm[ict.vertices_of(part)]
        middle = (a + b + c) / 3
        gap = np.array([np.linalg.norm(ball - m, axis=1).min() if abs(m[2]) < 25 else 99 for m in middle])
        near |= gap < 3.2
    return near & (normal[:, 2] < 0)


def _place_iris(ict: Ict, eye: str, iris: tuple[int, ...], vertices: np.ndarray, shares: np.ndarray) -> None:
    """Centre and rim on the front of an eyeball; after the centre the rim goes left, up, right, down."""
    centre = ict.eyeballs_mm(ict.neutral_mm)[EYES.index(eye)].astype(np.float64)
    around = np.array([[0, 0], [1, 0], [0, -1], [-1, 0], [0, 1]]) * IRIS_RADIUS_MM
    triangles = ict.triangles[eye]
    hit = nearest_under(ict.neutral_mm[:, :2].astype(np.float64), ict.neutral_mm[:, 2].astype(np.float64), triangles,
                        centre[:2] + around)  # fmt: skip
    for point, row in zip(iris, hit, strict=True):
        vertices[point], shares[point] = triangles[int(row[0])], row[1:]


def _nearest(mesh: np.ndarray, triangles: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The triangle that comes nearest to a place [3], and barycentrics [3] of where."""
    likely = np.argsort(((mesh[triangles].mean(1) - place) ** 2).sum(1))[:24]
    best = (np.inf, triangles[likely[0]], np.array([1.0, 0, 0]))
    for triangle in triangles[likely]:
        a, b, c = mesh[triangle].astype(np.float64)
        solved = np.linalg.lstsq(np.column_stack([b - a, c - a]), place - a, rcond=None)[0]
        share = np.clip([1 - solved.sum(), *solved], 0, None)
        share /= share.sum()
        away = float(np.linalg.norm(share @ mesh[triangle] - place))
        if away < best[0]:
            best = (away, triangle, share)
    return best[1], best[2]
