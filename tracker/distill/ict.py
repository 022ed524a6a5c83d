"""The synthetic person's head: ICT-FaceKit's mesh as neutral + identity + expression, in our units and axes.

Given its `.npz` (and the `vertex_indices.json` beside it) it hands out what is opaque of it, skin, gums, teeth,
eyeballs and lashes, in head space (millimetres, x to the subject's left, y down, z away from the face), with one
displacement per ARKit shape. Its eyeLook shapes move the lids alone: here the eyeballs turn with them. It knows nothing
of colour or cameras.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tracker.errors import AssetError
from tracker.face.expression import ARKIT_INDEX, ARKIT_NAMES, ICT_NAMES

LOOK_DEG = {"In": 32.0, "Out": 32.0, "Up": 24.0, "Down": 28.0}
"""How far an eyeball turns at coefficient 1. ARKit gives no angle; this is about as far as people look."""
PARTS = ("M_Face", "M_BackHead", "M_GumsTongue", "M_Teeth", "M_ScleraLeft", "M_ScleraRight", "M_EyeLashes")
"""The overlays (M_EyeBlend, M_EyeOcclusion, M_LacrimalFluid) are transparent in truth, and the iris lies behind the
front of the sclera, where nothing would see it."""
EYES = ("M_ScleraLeft", "M_ScleraRight")
POINTS_68 = 68

_OUR_AXES = np.array([10.0, -10.0, -10.0], np.float32)  # centimetres, y up, z out of the face
_FIELDS = ("neutral", "triangles", "uv", "uv_triangles", "triangle_material", "materials", "identity", "expression",
           "expression_names")  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Ict:
    """V vertices: those of the parts, doubled along texture seams. I identity coefficients."""

    neutral_mm: np.ndarray
    """float32 [V, 3], origin midway between the eyeballs' centres."""
    identity_mm: np.ndarray
    """float32 [I, V, 3]: displacement for one standard deviation over people."""
    expression_mm: np.ndarray
    """float32 [52, V, 3] in the order of `ARKIT_NAMES`; `tongueOut` is zero, the mesh has none."""
    uv: np.ndarray
    """float32 [V, 2], v down; each part has the unit square or the next to its right to itself."""
    triangles: dict[str, np.ndarray]
    """Part -> int32 [T, 3], counter-clockwise seen from outside with y up."""
    points_68: np.ndarray
    """int32 [68]: vertices at the 68 points of 300-W."""
    welded: np.ndarray
    """int32 [V]: of the vertices doubled along a seam the first, so that normals do not differ across it."""
    eye_offset_mm: np.ndarray
    """float32 [2, 3]: from the mean of an eyeball's vertices to its centre, left first."""

    def vertices_of(self, part: str) -> np.ndarray:
        """Sorted vertices of a part."""
        return np.unique(self.triangles[part])

    def span_of(self, part: str) -> slice:
        """The vertices of a part other than the skin's two, which share some."""
        triangles = self.triangles[part]
        return slice(int(triangles.min()), int(triangles.max()) + 1)

    def person(self, identity: np.ndarray) -> np.ndarray:
        """The neutral face [V, 3] of coefficients [I], moved so that its eyeballs' centres have the origin midway."""
        vertices = self.neutral_mm + np.tensordot(np.asarray(identity, np.float32), self.identity_mm, 1)
        return vertices - self.eyeballs_mm(vertices).mean(0)

    def eyeballs_mm(self, person_mm: np.ndarray) -> np.ndarray:
        """float32 [2, 3]: centres of the eyeballs, left first, of a neutral face."""
        spans = (self.span_of(part) for part in EYES)
        middles = np.array([person_mm[span].mean(0) for span in spans], np.float32)
        return middles + self.eye_offset_mm

    def act(self, person_mm: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A neutral face [V, 3] making an expression [52]: vertices [V, 3] and gaze [2, 3], left first."""
        vertices = person_mm.copy()
        for shape in np.flatnonzero(weights):
            vertices += np.float32(weights[shape]) * self.expression_mm[shape]
        gaze = looking(weights)
        for part, centre, towards in zip(EYES, self.eyeballs_mm(person_mm), gaze, strict=True):
            eye = self.span_of(part)
            vertices[eye] = (person_mm[eye] - centre) @ _turn_onto(towards).T.astype(np.float32) + centre
        return vertices, gaze

    @staticmethod
    def load(path: str | Path) -> Ict:
        """Read `ict_facekit_light.npz`. Raises AssetError for a file that is not one, or without its indices beside."""
        path = Path(path)
        path = path / "ict_facekit_light.npz" if path.is_dir() else path
        beside = path.with_name("vertex_indices.json")
        for needed in (path, beside):
            if not needed.is_file():
                raise AssetError(
                    f"no file at {needed}; give ICT-FaceKit's ict_facekit_light.npz, its indices beside it"
                )
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in _FIELDS}
            points = json.loads(beside.read_text())["idx_to_landmark_verts"]
            return _read(arrays, np.array(points))
        except (ValueError, OSError, KeyError, IndexError, zipfile.BadZipFile) as error:
            raise AssetError(f"{path} is not an ICT-FaceKit model ({error}); give ict_facekit_light.npz") from error


def looking(weights: np.ndarray) -> np.ndarray:
    """float64 [2, 3]: where the eyes look in head space under coefficients [52], left first; unit vectors."""
    gaze = []
    for side, outwards in (("Left", 1.0), ("Right", -1.0)):
        angle = {way: np.radians(LOOK_DEG[way] * weights[ARKIT_INDEX[f"eyeLook{way}{side}"]]) for way in LOOK_DEG}
        across, down = (angle["Out"] - angle["In"]) * outwards, angle["Down"] - angle["Up"]
        gaze.append([np.sin(across) * np.cos(down), np.sin(down), -np.cos(across) * np.cos(down)])
    return np.array(gaze)


def _turn_onto(direction: np.ndarray) -> np.ndarray:
    """The smallest rotation that carries -z onto a unit vector of the half space z < 0 (Listing's law)."""
    x, y, z = -direction
    k = 1.0 / (1.0 + z)
    return np.array([[1 - k * x * x, -k * x * y, x], [-k * x * y, 1 - k * y * y, y], [-x, -y, z]])


def _sphere_centre(points: np.ndarray) -> np.ndarray:
    """Least squares over the back of an eyeball [N, 3]; the cornea bulges."""
    back = points[points[:, 2] > points[:, 2].min() + 4.0].astype(np.float64)
    solved = np.linalg.lstsq(np.column_stack([2 * back, np.ones(len(back))]), (back**2).sum(1), rcond=None)[0]
    return solved[:3]


def _read(arrays: dict[str, np.ndarray], points: np.ndarray) -> Ict:
    names, materials = [str(n) for n in arrays["expression_names"]], [str(m) for m in arrays["materials"]]
    if len(points) != POINTS_68:
        raise ValueError(f"{len(points)} landmark vertices, not {POINTS_68}")
    missing = sorted({part for parts in ICT_NAMES.values() for part in parts} - set(names))
    if missing:
        raise ValueError(f"no expression {', '.join(missing)}")
    faces, uv_faces, of = arrays["triangles"], arrays["uv_triangles"], arrays["triangle_material"]
    opaque = np.isin(of, [materials.index(part) for part in PARTS])
    corners = np.stack([faces[opaque], uv_faces[opaque]], -1).reshape(-1, 2)
    kept, corner = np.unique(corners, axis=0, return_inverse=True)
    triangles, vertex = corner.reshape(-1, 3).astype(np.int32), kept[:, 0]
    new = {int(old): index for index, old in reversed(list(enumerate(vertex)))}
    neutral = arrays["neutral"].astype(np.float32)[vertex] * _OUR_AXES
    by_part = {part: triangles[of[opaque] == materials.index(part)] for part in PARTS}
    centres = [_sphere_centre(neutral[np.unique(by_part[eye])]) for eye in EYES]
    origin = np.mean(centres, 0)
    expression = np.zeros((len(ARKIT_NAMES), len(vertex), 3), np.float32)
    for index, name in enumerate(ARKIT_NAMES):
        for part in ICT_NAMES[name]:
            expression[index] += arrays["expression"][names.index(part)][vertex] * _OUR_AXES
    return Ict(
        neutral_mm=(neutral - origin).astype(np.float32),
        identity_mm=np.ascontiguousarray(arrays["identity"][:, vertex] * _OUR_AXES),
        expression_mm=expression,
        uv=(arrays["uv"][kept[:, 1]] * [1, -1] + [0, 1]).astype(np.float32),
        triangles=by_part,
        welded=np.searchsorted(vertex, vertex).astype(np.int32),
        eye_offset_mm=np.array([centre - neutral[np.unique(by_part[eye])].mean(0)
                                for eye, centre in zip(EYES, centres, strict=True)], np.float32),
        points_68=np.array([new[int(p)] for p in points], np.int32),
    )  # fmt: skip
