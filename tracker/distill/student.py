"""The student network and the differentiable face model it is trained through (torch).

Given crops it returns the vector of `regress.outputs`; given that vector the face model puts 478 landmarks into the
crop, and the landmarks that the network points at directly are read off. Plain 3x3 convolutions after a stride-4 stem:
the fastest shape to train and to run on a CPU.
"""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from tracker.face.model import FaceModel
from tracker.regress.guides import guides_at_rest
from tracker.regress.outputs import CROP_PX, ROI_CENTRE_MM, ROI_SIDE_MM, SLICES, WIDTH

WIDTHS = (32, 64, 112, 176)
BLOCKS = (1, 1, 2, 2)
LANDMARK_PULL = 0.1
MIDDLE, SPREAD = 127.5, 64.0
"""Crops are brought to (x - middle) / spread first."""


class Block(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.second_norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to the same."""
        y = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(x + self.second_norm(self.second(y)))


def down(channels_in: int, channels: int, factor: int) -> nn.Sequential:
    """Each `factor` x `factor` pixels to one."""
    conv = nn.Conv2d(channels_in, channels, factor, stride=factor, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU())


class Student(nn.Module):
    """RGB crops float [N, 3, 128, 128] in 0..255 to [N, WIDTH]."""

    def __init__(self) -> None:
        super().__init__()
        self.training_scale = True
        layers: list[nn.Module] = [down(3, WIDTHS[0], 4)]
        for stage, (width, blocks) in enumerate(zip(WIDTHS, BLOCKS, strict=True)):
            if stage:
                layers.append(down(WIDTHS[stage - 1], width, 2))
            layers += [Block(width) for _ in range(blocks)]
        self.body = nn.Sequential(*layers)
        self.neck = nn.Sequential(nn.Flatten(), nn.Linear(WIDTHS[-1] * 16, 320), nn.ReLU())
        self.head = nn.Linear(320, WIDTH)
        with torch.no_grad():
            self.head.weight.mul_(0.2)
            self.head.bias.zero_()
            self.head.bias[SLICES["rotation"]] = torch.tensor([1.0, 0, 0, 0, 1, 0])
            for name in SLICES:
                if name.endswith("log_std"):
                    self.head.bias[SLICES[name]] = -3.0

    def forward(self, crops: Tensor) -> Tensor:
        """See the class."""
        return self.told(self.seen(crops))

    def seen(self, crops: Tensor) -> Tensor:
        """Crops to what the convolutions make of them, [N, C, 4, 4]."""
        result: Tensor = self.body((crops - MIDDLE) / SPREAD if self.training_scale else crops)
        return result

    def told(self, features: Tensor) -> Tensor:
        """What `seen` gives to [N, WIDTH]."""
        result: Tensor = self.head(self.neck(features).float())
        return result

    @torch.no_grad()
    def folded(self) -> Student:
        """A copy that takes raw crops without scaling them first: the stem, which has no padding, does it exactly."""
        copy = deepcopy(self).eval()
        copy.training_scale = False
        first = copy.body[0]
        assert isinstance(first, nn.Sequential)
        stem, norm = first[0], first[1]
        assert isinstance(stem, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None
        norm.running_mean += stem.weight.sum((1, 2, 3)) * (MIDDLE / SPREAD)
        stem.weight /= SPREAD
        return copy


def rotation_from_6d(six: Tensor) -> Tensor:
    """[N, 6] to rotations [N, 3, 3] by Gram-Schmidt on two columns (Zhou et al. 2019)."""
    x = nn.functional.normalize(six[:, :3], dim=1)
    y = six[:, 3:] - (x * six[:, 3:]).sum(1, keepdim=True) * x
    y = nn.functional.normalize(y, dim=1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], 2)


class Decoder(nn.Module):
    """The face model as a fixed layer: network output to landmarks [N, 478, 3] in crop pixels."""

    mean: Tensor
    identity: Tensor
    expression: Tensor
    anchor: Tensor
    rest: Tensor

    def __init__(self, model: FaceModel) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(model.mean_mm))
        self.register_buffer("identity", torch.tensor(model.identity_mm).flatten(1))
        self.register_buffer("expression", torch.tensor(model.expression_mm).flatten(1))
        self.register_buffer("anchor", torch.tensor(ROI_CENTRE_MM))
        self.register_buffer("rest", torch.tensor(guides_at_rest(model)))

    def forward(self, out: Tensor, whose: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Landmarks [N, 478, 3] in crop pixels and the rotation [N, 3, 3].

        `whose` int64 [N] is the row whose identity each row is drawn with, its own by default.
        """
        expression = out[:, SLICES["expression"]].clamp(-0.1, 1.1)
        # Landmarks must not bend the scores to make up for what the linear basis cannot show: their pull is weakened.
        expression = expression.detach() * (1 - LANDMARK_PULL) + expression * LANDMARK_PULL
        identity = out[:, SLICES["identity"]]
        shape = (identity if whose is None else identity[whose]) @ self.identity + expression @ self.expression
        vertices = self.mean + shape.view(-1, *self.mean.shape)
        rotation = rotation_from_6d(out[:, SLICES["rotation"]])
        scale = CROP_PX / ROI_SIDE_MM * out[:, SLICES["log_scale"]].clamp(-1.5, 1.5).exp()
        turned = (vertices - self.anchor) @ rotation.transpose(1, 2) * scale[:, None]
        centre = (out[:, SLICES["centre"]] + 0.5) * CROP_PX
        return turned + nn.functional.pad(centre, (0, 1))[:, None], rotation

    def guides(self, out: Tensor) -> Tensor:
        """The landmarks of `topology.GUIDES` [N, G, 3] in crop pixels, as the network points at them."""
        return (out[:, SLICES["guides"]].view(-1, *self.rest.shape) + self.rest) * CROP_PX
