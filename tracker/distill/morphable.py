"""Learn the face model from the teacher's landmarks and scores: mean, identity basis, one displacement per shape.

Given aligned landmarks it alternates between one shape per person and a ridge regression of the scores, every face
also seen in its mirror, each shape allowed only near what it moves. Then it turns the result into head space in
millimetres. It sees no pixels and no network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.face import topology
from tracker.face.expression import ARKIT_NAMES, GROUP_OF, MIRROR

IRIS_DIAMETER_MM = 11.7
EYEBALL_BEHIND_LIDS_MM = 9.0
RIDGE = 8.0
FAR_PENALTY = 60.0
ROUNDS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """The face model as learned, before it is written. V = 478."""

    mean_mm: np.ndarray
    """float64 [V, 3] head space, neutral."""
    identity_mm: np.ndarray
    """float64 [I, V, 3], displacement for one standard deviation over people."""
    expression_mm: np.ndarray
    """float64 [52, V, 3], displacement at coefficient 1."""
    mirror_index: np.ndarray
    """int32 [V]: the vertex on the other side."""
    explained: np.ndarray
    """float64 [I]: share of the variance over people that the first coefficients explain."""


def similarity(source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Umeyama's least-squares similarity of [N, V, 3] onto [V, 3]: scale [N], rotation [N, 3, 3], shift [N, 3].

    target ~ scale * rotation @ source + shift (Umeyama 1991).
    """
    source_mean, target_mean = source.mean(1, keepdims=True), target.mean(0)
    a, b = source - source_mean, target - target_mean
    u, singular, vt = np.linalg.svd(np.einsum("vi,nvj->nij", b, a))
    sign = np.ones((len(source), 3))
    sign[:, 2] = np.sign(np.linalg.det(u @ vt))
    rotation = np.einsum("nij,nj,njk->nik", u, sign, vt)
    scale = (singular * sign).sum(1) / (a**2).sum((1, 2))
    shift = target_mean - scale[:, None] * np.einsum("nij,nj->ni", rotation, source_mean[:, 0])
    return scale, rotation, shift


def align(landmarks: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Every face [N, V, 3] carried onto the mean by its own similarity."""
    scale, rotation, shift = similarity(landmarks, mean)
    moved: np.ndarray = np.einsum("nij,nvj->nvi", rotation, landmarks) * scale[:, None, None] + shift[:, None]
    return moved


def mirror_pairs(mean: np.ndarray) -> np.ndarray:
    """int32 [V]: for each vertex its partner across the best plane of symmetry; an involution.

    The plane starts as the perpendicular of the outer eye corners and is refined by aligning the mesh to its own
    reflection. The irises' rings are paired by index, since they are too round to tell.
    """
    centred = mean - mean.mean(0)
    across = centred[topology.LEFT_EYE_RING[0]] - centred[topology.RIGHT_EYE_RING[0]]
    normal = across / np.linalg.norm(across)
    index = np.arange(len(mean))
    for _ in range(5):
        reflected = centred - 2 * np.outer(centred @ normal, normal)
        index = np.linalg.norm(reflected[:, None] - centred[None], axis=2).argmin(1)
        apart = centred - centred[index]
        normal = np.linalg.svd(apart)[2][0]
    right, left = topology.RIGHT_IRIS, topology.LEFT_IRIS
    # Ring order: MediaPipe runs right iris 469..472 and left iris 474..477 so that horizontal ends mirror.
    for r, k in ((0, 0), (1, 3), (2, 2), (3, 1), (4, 4)):
        index[right[r]], index[left[k]] = left[k], right[r]
    if not (index[index] == np.arange(len(mean))).all():
        raise ValueError("the mean mesh is not symmetric enough to pair its vertices")
    return index.astype(np.int32)


def _reach(mean: np.ndarray, iod: float) -> np.ndarray:
    """[52, V] in 0..1: how freely each shape may move each vertex, by distance to the group's landmarks."""
    anchors = {
        "eyesLeft": (topology.LEFT_EYE_RING + topology.LEFT_IRIS, 0.22),
        "eyesRight": (topology.RIGHT_EYE_RING + topology.RIGHT_IRIS, 0.22),
        "browsLeft": (topology.LEFT_BROW, 0.30),
        "browsRight": (topology.RIGHT_BROW, 0.30),
        "mouth": (topology.INNER_LIPS_RING + (topology.CHIN,), 0.55),
        "cheeksLeft": ((topology.LEFT_CHEEK, 279), 0.45),
        "cheeksRight": ((topology.RIGHT_CHEEK, 49), 0.45),
    }
    fields = {}
    for name, (points, radius) in anchors.items():
        distance = np.linalg.norm(mean[:, None] - mean[list(points)][None], axis=2).min(1) / iod
        fields[name] = 1 / (1 + np.exp((distance - radius) / 0.06))
    group_field = {"lids": "eyes", "gaze": "eyes", "brows": "brows", "cheeks": "cheeks"}
    rows = []
    for name, group in zip(ARKIT_NAMES, GROUP_OF, strict=True):
        side = "Left" if name.endswith("Left") else "Right" if name.endswith("Right") else ""
        if group in ("mouth", "jaw"):
            rows.append(fields["mouth"])
        elif side:
            rows.append(fields[group_field[group] + side])
        else:
            rows.append(np.maximum(fields[group_field[group] + "Left"], fields[group_field[group] + "Right"]))
    return np.array(rows)


def _regress(scores: np.ndarray, residual: np.ndarray, weight: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Ridge regression [52, V, 3] of the residuals on the scores; far vertices cost more. tongueOut stays zero."""
    gram = (scores * weight[:, None]).T @ scores
    cross = np.einsum("nk,nx->kx", scores * weight[:, None], residual.reshape(len(scores), -1)).reshape(52, -1, 3)
    basis = np.empty_like(cross)
    typical = np.trace(gram) / 52
    for v in range(cross.shape[1]):
        penalty = RIDGE + FAR_PENALTY * typical * (1 - reach[:, v]) ** 2
        basis[:, v] = np.linalg.solve(gram + np.diag(penalty), cross[:, v])
    return basis


def _mean_per_person(values: np.ndarray, person: np.ndarray, people: int, prior: float) -> np.ndarray:
    total = np.zeros((people, *values.shape[1:]))
    np.add.at(total, person, values)
    count = np.bincount(person, minlength=people).reshape(-1, *[1] * (values.ndim - 1))
    return total / (count + prior)


def learn(
    landmarks: np.ndarray,
    scores: np.ndarray,
    person: np.ndarray,
    identities: int,
    rotation_bias: np.ndarray | None = None,
) -> Learned:
    """Learn from faces [N, 478, 3] (any image scale), their scores [N, 52] and who is shown [N].

    `rotation_bias` [3, 3] turns the mean so that it looks straight ahead. Each person weighs like sqrt(frames).
    """
    people = int(person.max()) + 1
    weight = 1 / np.sqrt(np.bincount(person, minlength=people)[person])
    weight /= weight.mean()
    mean = landmarks[0] - landmarks[0].mean(0)
    mean /= np.linalg.norm(np.subtract(*mean[list(topology.OUTER_EYE_CORNERS)]))
    for _ in range(3):
        mean = np.average(align(landmarks, mean), axis=0, weights=weight)
    mirror = mirror_pairs(mean)
    aligned, mean = _symmetric(landmarks, mean, weight, mirror)
    mirrored_scores = scores[:, list(MIRROR)]
    flip = np.array([-1.0, 1.0, 1.0])
    both = np.concatenate([aligned, aligned[:, mirror] * flip])
    both_scores = np.concatenate([scores, mirrored_scores])
    both_weight = np.concatenate([weight, weight])
    both_person = np.concatenate([person, person + people])
    base, own = mean, np.zeros((2 * people, 478, 3))
    basis = np.zeros((52, 478, 3))
    reach = _reach(mean, 1.0)
    for _ in range(ROUNDS):
        expression = np.einsum("nk,kvi->nvi", both_scores, basis)
        base = np.average(both - expression - own[both_person], axis=0, weights=both_weight)
        own = _mean_per_person(both - base - expression, both_person, 2 * people, prior=1.0)
        basis = _regress(both_scores, both - base - own[both_person], both_weight, reach)
    seen = np.bincount(both_person, minlength=2 * people) > 0
    _, singular, vt = np.linalg.svd(own[seen].reshape(int(seen.sum()), -1), full_matrices=False)
    explained = (np.cumsum(singular**2) / (singular**2).sum())[:identities]
    spread = singular[:identities] / np.sqrt(seen.sum())
    identity = (vt[:identities] * spread[:, None]).reshape(-1, 478, 3)
    return _to_head_mm(base, identity, basis, mirror, explained, rotation_bias)


def _symmetric(
    landmarks: np.ndarray, mean: np.ndarray, weight: np.ndarray, mirror: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Align everything to a mean that is its own mirror image in x; outer eye corners one unit apart."""
    flip = np.array([-1.0, 1.0, 1.0])
    for _ in range(4):
        mean = mean - mean.mean(0)
        # The subject's left is on the image's right: left minus right points along +x.
        apart = (mean - mean[mirror])[list(topology.LEFT_EYE_RING)].mean(0)
        x = apart / np.linalg.norm(apart)
        z = np.cross(x, [0.0, 1.0, 0.0])
        z /= np.linalg.norm(z)
        mean = mean @ np.stack([x, np.cross(z, x), z]).T
        mean = (mean + mean[mirror] * flip) / 2
        mean /= np.linalg.norm(np.subtract(*mean[list(topology.OUTER_EYE_CORNERS)]))
        aligned = align(landmarks, mean)
        mean = np.average(aligned, axis=0, weights=weight)
    mean = (mean + mean[mirror] * flip) / 2
    return align(landmarks, mean), mean


def _to_head_mm(
    base: np.ndarray, identity: np.ndarray, basis: np.ndarray, mirror: np.ndarray, explained: np.ndarray,
    rotation_bias: np.ndarray | None,
) -> Learned:  # fmt: skip
    """Iris 11.7 mm wide, origin midway between the eyeball centres, turned to look straight ahead."""
    turn = np.eye(3) if rotation_bias is None else rotation_bias
    rings = [list(topology.RIGHT_IRIS[1:]), list(topology.LEFT_IRIS[1:])]
    diameter = np.mean([max(np.linalg.norm(base[a] - base[b]) for a in ring for b in ring) for ring in rings])
    scale = IRIS_DIAMETER_MM / diameter
    mean = base @ turn.T * scale
    lids = mean[list(topology.RIGHT_EYE_RING + topology.LEFT_EYE_RING)].mean(0)
    mean = mean - lids - [0.0, 0.0, EYEBALL_BEHIND_LIDS_MM]
    mean = (mean + mean[mirror] * [-1.0, 1.0, 1.0]) / 2
    return Learned(mean, identity @ turn.T * scale, basis @ turn.T * scale, mirror, explained)


def residual_share(learned: Learned, landmarks: np.ndarray, scores: np.ndarray, person: np.ndarray) -> dict[str, float]:
    """How well held-out faces are explained: mean 2D-like distance over the inter-ocular distance, in percent.

    `static`: the person's own mean; `shapes`: plus the scores' displacements; `model`: identity coefficients instead
    of the free per-person shape.
    """
    iod = float(np.linalg.norm(np.subtract(*learned.mean_mm[list(topology.OUTER_EYE_CORNERS)])))
    aligned = align(landmarks, learned.mean_mm)
    expression = np.einsum("nk,kvi->nvi", scores, learned.expression_mm)
    people = int(person.max()) + 1
    flat = learned.identity_mm.reshape(len(learned.identity_mm), -1)
    own = _mean_per_person(aligned - learned.mean_mm - expression, person, people, 0.0)[person]
    static = _mean_per_person(aligned - learned.mean_mm, person, people, 0.0)[person]
    codes = own.reshape(len(own), -1) @ flat.T / (flat**2).sum(1)
    parts = {
        "mean": np.zeros_like(aligned), "static": static, "shapes": own + expression,
        "model": (codes @ flat).reshape(aligned.shape) + expression,
    }  # fmt: skip
    return {
        name: float(np.linalg.norm((aligned - learned.mean_mm - part)[..., :2], axis=2).mean() / iod * 100)
        for name, part in parts.items()
    }
