"""The colour of faces without the light on them: a mean and a basis over people, per vertex.

Given the packed corpus and a face model it samples each face where it looks at the camera, takes the light off as nine
spherical harmonics fitted on the mean albedo (mean and light in turn), and finds principal components over people, each
seen in the mirror too. Colours are display values as the pictures have them, not linear light. It draws nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tracker.distill.corpus import KINDS, Corpus
from tracker.errors import SourceError
from tracker.face import topology
from tracker.face.expression import ARKIT_INDEX
from tracker.face.model import FaceModel
from tracker.kernels.normals.reference import normals_of
from tracker.kernels.shade.reference import harmonics

COMPONENTS = 24
FACES_EACH = 12
"""Of one person, so that who talks for minutes does not count for more."""
ROUNDS = 4
MEAN_LEVEL = 140.0
"""Mean of the mean albedo: brightness is the light's or the skin's, and only their product is seen."""
SKIN_SHARE = 0.5
"""Of what a face is brighter, darker or tinted than others (logarithm, per channel): the rest is the light's."""
# As multiples of what the pixels weigh. A face shows half of all directions, where harmonics are nearly alike.
LIGHT_RIDGE = np.array([1e-4, *[0.02] * 3, *[0.1] * 5])
_OUTLIER_LEVELS = 25.0
_DOUBT = 0.4
"""Of a vertex seen that weakly, half is taken from the components."""
_BLUR_SHARE = 0.018
"""Standard deviation of the blur before sampling, of the face's width: half the vertices' distance."""


@dataclass(frozen=True, slots=True, eq=False)
class Albedo:
    """What was learned over P people. V = 478, A components."""

    mean: np.ndarray
    """float64 [V, 3] RGB 0..255."""
    basis: np.ndarray
    """float64 [A, V, 3]: change of colour for one standard deviation over people."""
    explained: np.ndarray
    """float64 [A]: share of the variance over the people learned from that the first components explain."""
    people: int
    """P."""


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """Faces as sampled at the vertices."""

    colour: np.ndarray
    """float32 [N, V, 3] 0..255."""
    weight: np.ndarray
    """float32 [N, V]: 0 where a vertex is turned away, hidden or outside."""
    harmonics: np.ndarray
    """float32 [N, V, 9] of the normals in camera axes."""


def learn_albedo(corpus: Corpus, model: FaceModel, components: int = COMPONENTS) -> Albedo:
    """Learn from the training people in clips and stills. Raises SourceError with fewer people than `components`."""
    rows = choose_rows(corpus, held_out=False)
    person = np.unique(corpus.person[rows], return_inverse=True)[1]
    if len(rows) == 0 or person.max() < components:
        raise SourceError(f"{len(set(person.tolist()))} people in the corpus; {components} colours need more of them")
    seen = _sample(corpus, model, rows)
    mean = _level(model.albedo.astype(np.float64))
    for _ in range(ROUNDS):
        own, trust = _by_person(seen, mean, person)
        both, trusts = _mirrored(own, trust, model.mirror_index)
        # What nobody shows keeps the colour that it had.
        total, weighed = trusts.sum(0)[:, None], (both * trusts[..., None]).sum(0)
        mean = _level((weighed + mean * _DOUBT) / (total + _DOUBT))
    basis, explained = _components(both - mean, trusts, model.mirror_index, components)
    return Albedo(mean, basis, explained, len(own))


def explained_by_albedo(corpus: Corpus, model: FaceModel, counts: tuple[int, ...]) -> dict[int, float]:
    """Share of the variance of held-out people's vertex colours, light taken off, that the first components explain."""
    rows = choose_rows(corpus, held_out=True)
    person = np.unique(corpus.person[rows], return_inverse=True)[1]
    mean = model.albedo.astype(np.float64)
    own, trust = _by_person(_sample(corpus, model, rows), mean, person)
    root = np.sqrt(np.repeat(trust, 3, 1))
    flat, basis = (own - mean).reshape(len(own), -1), model.albedo_basis.astype(np.float64).reshape(-1, mean.size)
    whole, shares = ((flat * root) ** 2).sum(), {}
    for count in counts:
        left = 0.0
        for face, weight in zip(flat, root, strict=True):
            design = (basis[:count] * weight).T
            code = np.linalg.lstsq(design, face * weight, rcond=None)[0] if count else np.zeros(0)
            left += ((face * weight - design @ code) ** 2).sum()
        shares[count] = float(1 - left / whole)
    return shares


def choose_rows(corpus: Corpus, held_out: bool) -> np.ndarray:
    """int [N]: up to `FACES_EACH` faces of each person in clips and stills, evenly over what there is of him."""
    good = (corpus.validation == held_out) & (corpus.kind < KINDS.index("aflw"))
    rows = np.flatnonzero(good)
    order = rows[np.argsort(corpus.person[rows], kind="stable")]
    _, start, count = np.unique(corpus.person[order], return_index=True, return_counts=True)
    kept = [np.linspace(0, n - 1, min(n, FACES_EACH)).astype(int) + s for s, n in zip(start, count, strict=True)]
    return np.sort(order[np.concatenate(kept)]) if kept else rows


def _sample(corpus: Corpus, model: FaceModel, rows: np.ndarray) -> _Seen:
    colour = np.empty((len(rows), topology.VERTICES, 3), np.float32)
    weight = np.empty(colour.shape[:2], np.float32)
    basis = np.empty((*colour.shape[:2], 9), np.float32)
    for n, row in enumerate(rows.tolist()):
        points = corpus.landmarks[row].astype(np.float64)
        blur_px = max(float(np.ptp(points[:, 0])) * _BLUR_SHARE, 0.3)
        soft = cv2.GaussianBlur(corpus.patches[row], (0, 0), blur_px)
        x, y = (points[None, :, axis].astype(np.float32) - 0.5 for axis in (0, 1))
        colour[n] = cv2.remap(soft, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
        normals = normals_of(points, model.triangles)
        basis[n] = harmonics(normals)
        inside = ((points[:, :2] > 0) & (points[:, :2] < soft.shape[0])).all(1)
        weight[n] = np.clip((-normals[:, 2] - 0.2) / 0.5, 0, 1) * inside * (colour[n].max(1) < 252)
        for side, iris in (("Left", topology.LEFT_IRIS), ("Right", topology.RIGHT_IRIS)):
            if corpus.scores[row, ARKIT_INDEX[f"eyeBlink{side}"]] > 0.35:
                weight[n, list(iris)] = 0
    return _Seen(colour, weight, basis)


def _shading(seen: _Seen, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the light makes of white [N, V, 3], and the weights without what does not fit: hair, glints, glasses."""
    weight, shade = seen.weight, np.empty_like(seen.colour)
    for _ in range(3):
        for channel in range(3):
            design = seen.harmonics * mean[:, channel, None].astype(np.float32)
            weighted = design * weight[..., None]
            gram = (weighted.transpose(0, 2, 1) @ design).astype(np.float64)
            gram[:, range(9), range(9)] += gram[:, 0, 0, None] * LIGHT_RIDGE + 1e-6
            right = np.einsum("nvk,nv->nk", weighted, seen.colour[..., channel]).astype(np.float64)
            light = np.linalg.solve(gram, right[..., None]).astype(np.float32)
            shade[..., channel] = (seen.harmonics @ light)[..., 0]
        miss = ((seen.colour - mean.astype(np.float32) * shade) ** 2).mean(2)
        weight = seen.weight / (1 + miss / _OUTLIER_LEVELS**2) ** 2
    shade = np.clip(shade, 0.05, 4.0)
    level = (weight[..., None] * np.log(shade)).sum(1) / (weight.sum(1)[:, None] + 1e-6)
    apart = np.clip(level - np.median(level, axis=0), -1.5, 1.0)
    return shade / np.exp(SKIN_SHARE * apart)[:, None], weight


def _by_person(seen: _Seen, mean: np.ndarray, person: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least-squares albedo of each person [P, V, 3] given the light on every face, and how well it is seen [P, V]."""
    shade, weight = _shading(seen, mean)
    people = int(person.max()) + 1
    above, below = np.zeros((2, people, *mean.shape))
    trust = np.zeros((people, len(mean)))
    np.add.at(above, person, weight[..., None] * shade * seen.colour)
    np.add.at(below, person, weight[..., None] * shade**2)
    np.add.at(trust, person, weight)
    own = np.where(below > 1e-3, above / np.maximum(below, 1e-3), mean)
    return np.clip(own, 0, 255), np.minimum(trust, 3.0)


def _mirrored(own: np.ndarray, trust: np.ndarray, mirror_index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([own, own[:, mirror_index]]), np.concatenate([trust, trust[:, mirror_index]])


def _level(mean: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = np.clip(mean * (MEAN_LEVEL / mean[:468].mean()), 0, 255)
    return scaled


def _components(
    both: np.ndarray, trust: np.ndarray, mirror_index: np.ndarray, components: int
) -> tuple[np.ndarray, np.ndarray]:
    """Principal components [A, V, 3] of faces [2 P, V, 3] and their mirror images, about zero, and the share of the
    variance that they explain [A]. Vertices are seen unequally well: what is hidden is filled in from the components.

    By subspace iteration that starts with as many symmetric directions as lopsided ones, which never mix.
    """
    flat, sure = both.reshape(len(both), -1), np.repeat(trust, 3, 1)
    sure = sure / (sure + _DOUBT)
    start = np.random.default_rng(0).normal(size=(both.shape[1], 3, components + 8))
    flipped = start[mirror_index]
    kept = np.linalg.qr(np.concatenate([start + flipped, start - flipped], 2).reshape(flat.shape[1], -1))[0]
    filled = flat * sure
    for _ in range(8):
        for _ in range(4):
            kept = np.linalg.qr(filled.T @ (filled @ kept))[0]
        codes = filled @ kept
        variance, turn = np.linalg.eigh(codes.T @ codes / len(codes))
        kept = (kept @ turn)[:, ::-1]
        shown = kept[:, :components]
        filled = flat * sure + (filled @ shown @ shown.T) * (1 - sure)
    shown = shown * np.where(shown.sum(0) < 0, -1, 1)
    spread = np.sqrt(np.maximum(variance[::-1][:components], 0))
    explained = np.cumsum(spread**2) / (filled**2).mean(0).sum()
    return (shown * spread).T.reshape(components, *both.shape[1:]), explained
