"""What the student is asked for, as one number (torch).

Given the network's output and a batch it adds up: landmarks through the face model, scores and their changes between
two frames of a person, guides, rotation, presence, identity exchanged within a pair, and likelihoods for its own
standard deviations. Each idea beyond the plain ones can be switched off, to see what it buys.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tracker.distill.photometric import Photometric
from tracker.distill.student import Decoder
from tracker.face import topology
from tracker.face.topology import GUIDES
from tracker.regress.outputs import CROP_PX, SLICES

MIN_LOG_STD, MAX_LOG_STD = -7.0, 1.0
# A shape whose score the teacher holds still says nothing about faces: it is only asked, mildly, to rest where no truth
# is exact. Pulled as by its tiny spread, it never moves on faces where its truth is known either.
STILL_STD, STILL_SPREAD, LEAST_SPREAD = 0.01, 0.3, 0.05


@dataclass(frozen=True, slots=True)
class Terms:
    """Which ideas are in the sum."""

    guides: bool = True
    """The network points at landmarks directly; pose can be fitted to them."""
    tolerant: bool = True
    """A second teacher, the first one's landmarks as the face model can show them: where the two disagree their pulls
    cancel."""
    exchange: bool = True
    """Half of the pairs of one person are drawn with each other's identity."""
    photometric: bool = False
    """The face model, painted where the network puts it, has to look like the crop: also where nothing is labelled."""


@dataclass(frozen=True, slots=True)
class Truth:
    """A batch on the device; see `lessons.Batch`."""

    landmarks: Tensor
    tolerant: Tensor
    point_weight: Tensor
    scores: Tensor
    score_scale: Tensor
    rotation: Tensor
    taught: Tensor
    presence: Tensor
    person: Tensor


def region_of_vertices(mean_mm: Tensor) -> Tensor:
    """float [5, 478]: averaging weights of eyes, brows, mouth, jaw, cheeks; each row sums to one."""
    t = topology
    mouth_line = mean_mm[list(t.INNER_LIPS_RING)].mean(0)
    near_mouth = ((mean_mm - mouth_line).norm(dim=1) < 32).nonzero().flatten().tolist()
    jaw = (mean_mm[:, 1] > mouth_line[1] + 12).nonzero().flatten().tolist()
    cheeks = ((mean_mm[:, 0].abs() > 28) & (mean_mm[:, 1] > 15) & (mean_mm[:, 1] < mouth_line[1])).nonzero()
    eyes = [*t.LEFT_EYE_RING, *t.RIGHT_EYE_RING, *t.LEFT_IRIS, *t.RIGHT_IRIS]
    rows = [eyes, [*t.LEFT_BROW, *t.RIGHT_BROW], near_mouth, jaw, cheeks.flatten().tolist()]
    weight = torch.zeros(5, 478)
    for row, members in enumerate(rows):
        weight[row, members] = 1 / len(members)
    return weight


def vertex_weight(mean_mm: Tensor) -> Tensor:
    """float [478]: eyes, irises, brows and lips count more, since people look there; mean one."""
    weight = torch.ones(478)
    regions = region_of_vertices(mean_mm)
    weight[regions[0] > 0] = 3.0
    weight[regions[1] > 0] = 1.6
    weight[regions[2] > 0] = 1.8
    return weight / weight.mean()


def _mean(distance: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean over points [B]."""
    total: Tensor = (distance * weight).sum(1) / weight.sum(1).clamp(min=1)
    return total


def _laplace(error: Tensor, log_std: Tensor) -> Tensor:
    """Negative log likelihood of |error| under a Laplace law of that standard deviation; the error gets no gradient."""
    log_std = log_std.clamp(MIN_LOG_STD, MAX_LOG_STD)
    return 2**0.5 * error.detach() * torch.exp(-log_std) + log_std


def _huber(error: Tensor, other: Tensor) -> Tensor:
    """Mean over shapes [B], errors in spreads. Squares up to two spreads: most shapes rest most of the time, and what
    counts errors as they are is content with the median, which is rest."""
    return nn.functional.smooth_l1_loss(error, other, reduction="none", beta=2.0).mean(1)


def exchanged(person: Tensor) -> Tensor:
    """int64 [B]: whose identity each row is drawn with. A batch's halves are pairs; where both show the same person
    they exchange theirs with even odds, everybody else keeps his own."""
    rows = torch.arange(len(person), device=person.device)
    half = len(person) // 2
    same = (person[:half] == person[half:]) & (person[:half] >= 0) & (torch.rand(half, device=person.device) < 0.5)
    return torch.where(torch.cat([same, same]), rows.roll(half), rows)


class Objective(nn.Module):
    """Weights were set so that each term starts at a like size; `forward` returns the sum and the parts."""

    regions: Tensor
    weight: Tensor
    shape_scale: Tensor
    at: Tensor

    def __init__(
        self, decoder: Decoder, score_std: Tensor, terms: Terms = Terms(), photometric: Photometric | None = None
    ) -> None:
        super().__init__()
        self.decoder, self.terms, self.photometric = decoder, terms, photometric
        self.register_buffer("regions", region_of_vertices(decoder.mean))
        self.register_buffer("weight", vertex_weight(decoder.mean))
        self.register_buffer("at", torch.tensor(GUIDES))
        # A shape that rarely moves counts by its own spread, up to a point.
        spread = torch.where(score_std < STILL_STD, STILL_SPREAD, score_std.clamp(min=LEAST_SPREAD))
        self.register_buffer("shape_scale", 1 / spread)

    def _apart(self, points: Tensor, truth: Truth, at: Tensor | slice = slice(None)) -> tuple[Tensor, Tensor, Tensor]:
        """Distances [B, P] in the picture, to the strict teacher and as the loss counts them, and in depth; in sides.

        Two distances that add up pull nowhere between two targets and twice where the targets are one.
        """
        true = truth.landmarks[:, at]
        strict = (points - true)[..., :2].norm(dim=2) / CROP_PX
        counted = strict
        if self.terms.tolerant:
            counted = (strict + (points[..., :2] - truth.tolerant[:, at]).norm(dim=2) / CROP_PX) / 2
        # The teacher counts depth from another point of the head than we do: only depth within the face is compared.
        behind = (points - true)[..., 2]
        return strict, counted, (behind - behind.mean(1, keepdim=True)).abs() / CROP_PX

    def forward(self, out: Tensor, truth: Truth, crops: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """`out` [B, WIDTH]; `crops` [B, 3, 128, 128] in 0..255 are for the photometric term."""
        points, rotation = self.decoder(out, exchanged(truth.person) if self.terms.exchange else None)
        taught, present = truth.taught, truth.presence
        believed = present * torch.where(taught > 0, 1.0, 0.35)
        flat, counted, depth = self._apart(points, truth)
        known = truth.point_weight * self.weight
        landmarks = (_mean(counted, known) * believed).mean()
        depth_loss = ((depth * self.weight).mean(1) * taught).mean()

        scale = torch.where(truth.score_scale[:, None] > 0, truth.score_scale[:, None], self.shape_scale)
        error = (out[:, SLICES["expression"]] - truth.scores) * scale
        scores = (_huber(error, torch.zeros_like(error)) * taught).mean()
        half = len(out) // 2
        both = taught[:half] * taught[half:]
        pair = (_huber(error[:half], error[half:]) * both).mean()

        turn = ((rotation - truth.rotation) ** 2).sum((1, 2))
        turned = (turn.clamp(min=1e-8).sqrt() * taught).mean()
        codes = out[:, SLICES["identity"]]
        identity = (codes**2).mean()
        presence = nn.functional.binary_cross_entropy_with_logits(out[:, SLICES["presence"]][:, 0], present)
        doubt = self._doubt(out, error / scale, turn, flat, truth)
        parts = {
            "landmarks": landmarks * 60, "depth": depth_loss * 10, "scores": scores * 8.0, "pair": pair * 6.0,
            "rotation": turned * 0.5, "identity": identity * 0.003, "presence": presence * 0.5, "doubt": doubt * 0.02,
        }  # fmt: skip
        if self.terms.guides:
            parts |= self._guides(out, truth, believed)
        if self.photometric is not None and crops is not None:
            parts["photometric"] = (self.photometric(crops, points) * believed).mean() * 15
        return sum(parts.values(), start=torch.zeros((), device=out.device)), parts

    def _guides(self, out: Tensor, truth: Truth, believed: Tensor) -> dict[str, Tensor]:
        """The landmarks pointed at directly, and the likelihood of their standard deviations."""
        flat, counted, depth = self._apart(self.decoder.guides(out), truth, self.at)
        known = truth.point_weight[:, self.at]
        doubt = (_laplace(flat, out[:, SLICES["guides_log_std"]]) * known).sum(1) / known.sum(1).clamp(min=1)
        return {
            "guides": (_mean(counted, known * self.weight[self.at]) * believed).mean() * 60,
            "guides_depth": (depth.mean(1) * truth.taught).mean() * 10,
            "guides_doubt": (doubt * truth.presence).mean() * 0.02,
        }

    def _doubt(self, out: Tensor, error: Tensor, turn: Tensor, flat: Tensor, truth: Truth) -> Tensor:
        """Likelihoods of the predicted standard deviations; only they learn from it."""
        taught = truth.taught[:, None]
        scores = _laplace(error.abs(), out[:, SLICES["expression_log_std"]])
        # |R - R'| over sqrt(2) is about the angle between them for small angles.
        angle = _laplace((turn / 2).clamp(min=0).sqrt()[:, None], out[:, SLICES["rotation_log_std"]])
        regions = _laplace(flat @ self.regions.T, out[:, SLICES["region_log_std"]])
        width = flat.mean(1, keepdim=True)
        log_scale = (self._extent(out, truth)).abs()
        centre = _laplace(torch.cat([width, log_scale], 1), out[:, SLICES["centre_log_std"]])
        half = len(out) // 2
        codes = out[:, SLICES["identity"]]
        apart = (codes[:half] - codes[half:]).abs().mean(1, keepdim=True) / 2**0.5
        same = _laplace(apart.repeat(2, 1), out[:, SLICES["identity_log_std"]])
        person = truth.person
        one = ((person[:half] == person[half:]) & (person[:half] >= 0)).float().repeat(2)
        total = scores.mean(1) + angle[:, 0] + regions.mean(1) + centre.mean(1) + 0.2 * one * same[:, 0]
        return (total * taught[:, 0]).mean()

    def _extent(self, out: Tensor, truth: Truth) -> Tensor:
        """log of the predicted face's size over the true one's, [B, 1]."""
        points = self.decoder(out)[0]
        size = points[..., :2].std(1).norm(dim=1, keepdim=True)
        true = truth.landmarks[..., :2].std(1).norm(dim=1, keepdim=True)
        return (size / true.clamp(min=1.0)).clamp(0.1, 10).log()
