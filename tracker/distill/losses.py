"""What the student is asked for, as one number (torch).

Given the network's output and a batch it adds up: landmarks through the face model, scores and their changes between
two frames of a person, rotation, presence, identity shared by a pair, and likelihoods for its own standard deviations.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tracker.distill.student import Decoder
from tracker.face import topology
from tracker.regress.outputs import CROP_PX, SLICES

MIN_LOG_STD, MAX_LOG_STD = -7.0, 1.0


@dataclass(frozen=True, slots=True)
class Truth:
    """A batch on the device; see `lessons.Batch`."""

    landmarks: Tensor
    point_weight: Tensor
    scores: Tensor
    rotation: Tensor
    taught: Tensor
    presence: Tensor


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


def _laplace(error: Tensor, log_std: Tensor) -> Tensor:
    """Negative log likelihood of |error| under a Laplace law of that standard deviation; the error gets no gradient."""
    log_std = log_std.clamp(MIN_LOG_STD, MAX_LOG_STD)
    return 2**0.5 * error.detach() * torch.exp(-log_std) + log_std


class Objective(nn.Module):
    """Weights were set so that each term starts at a like size; `forward` returns the sum and the parts."""

    regions: Tensor
    weight: Tensor
    shape_scale: Tensor

    def __init__(self, decoder: Decoder, score_std: Tensor) -> None:
        super().__init__()
        self.decoder = decoder
        self.register_buffer("regions", region_of_vertices(decoder.mean))
        self.register_buffer("weight", vertex_weight(decoder.mean))
        # A shape that rarely moves counts by its own spread, up to a point: what never moves is noise.
        self.register_buffer("shape_scale", 1 / score_std.clamp(min=0.03))

    def forward(self, out: Tensor, truth: Truth) -> tuple[Tensor, dict[str, Tensor]]:
        """`out` [B, WIDTH]."""
        points, rotation = self.decoder(out)
        taught, present = truth.taught, truth.presence
        flat = (points - truth.landmarks)[..., :2].norm(dim=2) / CROP_PX
        # The teacher counts depth from another point of the head than we do: only depth within the face is compared.
        behind = (points - truth.landmarks)[..., 2]
        depth = (behind - behind.mean(1, keepdim=True)).abs() / CROP_PX
        known = truth.point_weight * self.weight
        per_face = (flat * known).sum(1) / known.sum(1).clamp(min=1)
        landmarks = (per_face * present * torch.where(taught > 0, 1.0, 0.35)).mean()
        depth_loss = ((depth * self.weight).mean(1) * taught).mean()

        error = (out[:, SLICES["expression"]] - truth.scores) * self.shape_scale
        scores = (
            nn.functional.smooth_l1_loss(error, torch.zeros_like(error), reduction="none", beta=0.5).mean(1) * taught
        ).mean()
        half = len(out) // 2
        both = taught[:half] * taught[half:]
        change = nn.functional.smooth_l1_loss(error[:half], error[half:], reduction="none", beta=0.5).mean(1)
        pair = (change * both).mean()

        turn = ((rotation - truth.rotation) ** 2).sum((1, 2))
        turned = (turn.clamp(min=1e-8).sqrt() * taught).mean()
        codes = out[:, SLICES["identity"]]
        identity = (codes**2).mean()
        presence = nn.functional.binary_cross_entropy_with_logits(out[:, SLICES["presence"]][:, 0], present)
        doubt = self._doubt(out, error, turn, flat, truth)
        parts = {
            "landmarks": landmarks * 60, "depth": depth_loss * 10, "scores": scores * 4.0, "pair": pair * 3.0,
            "rotation": turned * 0.5, "identity": identity * 0.003, "presence": presence * 0.5, "doubt": doubt * 0.02,
        }  # fmt: skip
        return sum(parts.values(), start=torch.zeros((), device=out.device)), parts

    def _doubt(self, out: Tensor, error: Tensor, turn: Tensor, flat: Tensor, truth: Truth) -> Tensor:
        """Likelihoods of the predicted standard deviations; only they learn from it."""
        taught = truth.taught[:, None]
        scores = _laplace((error / self.shape_scale).abs(), out[:, SLICES["expression_log_std"]])
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
        total = scores.mean(1) + angle[:, 0] + regions.mean(1) + centre.mean(1) + 0.2 * same[:, 0]
        return (total * taught[:, 0]).mean()

    def _extent(self, out: Tensor, truth: Truth) -> Tensor:
        """log of the predicted face's size over the true one's, [B, 1]."""
        points = self.decoder(out)[0]
        size = points[..., :2].std(1).norm(dim=1, keepdim=True)
        true = truth.landmarks[..., :2].std(1).norm(dim=1, keepdim=True)
        return (size / true.clamp(min=1.0)).clamp(0.1, 10).log()
