"""Other people's rasterizers on our meshes: DRTK, PyTorch3D, and nvdiffrast where the user asks for it.

Given meshes in pixels each adapter brings them into its library's conventions and returns a call that draws them, so
that the bench times nothing but drawing; how many pixels show the triangle that ours shows tells whether that is the
same picture. A library is loaded only here, and one that is not installed is a row with the reason; nothing else needs
any of them. They draw backs as well, so ours does here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from tracker.bench.measure import Spread
from tracker.bench.places import on_the_clock
from tracker.bench.report import percent, said, table
from tracker.kernels.rasterize.cases import BENCH_CASES, Case

if TYPE_CHECKING:
    from torch import Tensor

Draw = Callable[[], Any]
"""What is timed; returns ids and depths as the library has them."""
Read = Callable[[Any], Any]
"""Takes that; returns ids as ours are, int [B, H, W], -1 where nothing is."""
Clock = Callable[[Callable[[], object]], Spread]


@dataclass(frozen=True, slots=True)
class Beside:
    """One rasterizer on one mesh."""

    who: str
    mesh: str
    batch: int
    spread: Spread | None
    """Of one call on the batch; None where it did not run."""
    per_second: float
    """Pictures, at the median; NaN where it did not run."""
    same: float
    """Share of the pixels that show the triangle which numba's rasterizer shows."""
    why: str = ""
    """What stood in the way."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One library, and how it is asked for a picture."""

    name: str
    module: str
    """What is imported."""
    install: str
    """Where it comes from, and under which licence."""
    prepare: Callable[[Any, Tensor, Tensor, int], tuple[Draw, Read]]
    """Takes the module, vertices float32 [B, V, 3] in px, triangles int32 [T, 3] and the side in px."""
    only_cuda: bool = False


def _drtk(drtk: Any, vertices: Tensor, triangles: Tensor, side_px: int) -> tuple[Draw, Read]:
    """Its pixel centres are whole numbers; ours end in a half."""
    shifted = vertices - vertices.new_tensor([0.5, 0.5, 0.0])
    return lambda: drtk.rasterize_with_depth(shifted, triangles, side_px, side_px), lambda found: found[1]


def _pytorch3d(renderer: Any, vertices: Tensor, triangles: Tensor, side_px: int) -> tuple[Draw, Read]:
    """Its x goes left and its y up, from 1 to -1 over the picture; triangles are numbered through the batch."""
    ndc = vertices.clone()
    ndc[..., :2] = 1 - 2 * vertices[..., :2] / side_px
    batch, count = len(vertices), len(triangles)
    meshes = import_module("pytorch3d.structures").Meshes(ndc, triangles.long().expand(batch, -1, -1))

    def draw() -> Any:
        return renderer.rasterize_meshes(meshes, image_size=side_px, blur_radius=0.0, faces_per_pixel=1)

    def read(found: Any) -> Any:
        ids = found[0][..., 0]
        return (ids % count).where(ids >= 0, ids)

    return draw, read


def _nvdiffrast(nvdiffrast: Any, vertices: Tensor, triangles: Tensor, side_px: int) -> tuple[Draw, Read]:
    """Clip space, its first row at y = -1; numbers start at one. Depths go into -1..1, nearer is smaller."""
    clip = vertices.new_ones((*vertices.shape[:2], 4))
    clip[..., :2] = 2 * vertices[..., :2] / side_px - 1
    near, far = vertices[..., 2].min(), vertices[..., 2].max()
    clip[..., 2] = 1.8 * (vertices[..., 2] - near) / (far - near).clamp_min(1e-9) - 0.9
    context, size = nvdiffrast.RasterizeCudaContext(device=vertices.device), (side_px, side_px)
    return (lambda: nvdiffrast.rasterize(context, clip, triangles, size, grad_db=False),
            lambda found: found[0][..., 3].int() - 1)  # fmt: skip


PEERS = (
    Peer("DRTK", "drtk", "github.com/facebookresearch/DRTK, MIT", _drtk),
    Peer("PyTorch3D", "pytorch3d.renderer.mesh", "github.com/facebookresearch/pytorch3d, BSD", _pytorch3d),
)
NVDIFFRAST = Peer(
    "nvdiffrast", "nvdiffrast.torch", "github.com/NVlabs/nvdiffrast; its licence allows research, not business",
    _nvdiffrast, only_cuda=True,
)  # fmt: skip


def beside(
    case: Case, device: Any, ours: tuple[str, Callable[..., object]], clock: Clock, peers: tuple[Peer, ...]
) -> list[Beside]:
    """Ours, which has a name and takes what `rasterize` takes, on `device`, then each of the peers on the same mesh."""
    from tracker.kernels.backend import operator

    vertices, triangles, ids, depth = case.arguments()
    operator("rasterize", "numba")[0](vertices, triangles, ids, depth, None, True)
    name, rasterize = ours
    there = _there(case.arguments(), device)
    rows = [_timed(name, case, ids, lambda: (lambda: rasterize(*there, None, True), lambda _: there[2]), clock)]
    for peer in peers:
        if why := _why_not(peer, device):
            rows.append(_absent(peer.name, case, why))
        else:
            rows.append(_timed(peer.name, case, ids, lambda peer=peer: _asked(peer, case, device), clock))  # type: ignore[misc]
    return rows


def beside_here(repeats: int) -> tuple[Beside, ...]:
    """On the processor, ours being numba's, on the meshes that the operator is timed on."""
    from tracker.kernels.backend import operator

    numba = "Facewire, numba", operator("rasterize", "numba")[0]

    def clock(call: Callable[[], object]) -> Spread:
        return on_the_clock(call, repeats)

    return tuple(row for case in BENCH_CASES for row in beside(case, "cpu", numba, clock, PEERS))


def beside_on(device: Any, batch: int, rasterize: Any, clock: Clock, nvdiffrast: bool) -> list[Beside]:
    """On a device of torch's, the largest mesh, one picture and `batch`. The user says whether nvdiffrast counts."""
    peers = (*PEERS, NVDIFFRAST) if nvdiffrast else PEERS
    ours = "Facewire, triton", rasterize
    return [
        row for many in dict.fromkeys((1, batch))
        for row in beside(replace(BENCH_CASES[-1], batch=many), device, ours, clock, peers)
    ]  # fmt: skip


def _there(arguments: tuple[np.ndarray, ...], device: Any) -> tuple[Any, ...]:
    """On the processor numpy's, so that ours needs no torch."""
    if str(device) == "cpu":
        return arguments
    import torch

    return tuple(torch.from_numpy(array).to(device) for array in arguments)


def _why_not(peer: Peer, device: Any) -> str:
    """What stands in the way of asking it at all; "" for nothing."""
    for package in ("torch", peer.module.partition(".")[0]):
        if find_spec(package) is None:
            return f"{package} is not installed ({peer.install})"
    return "needs a CUDA device" if peer.only_cuda and str(device) == "cpu" else ""


def _asked(peer: Peer, case: Case, device: Any) -> tuple[Draw, Read]:
    """Loads the library."""
    import torch

    vertices, triangles = (torch.from_numpy(array).to(device) for array in case.mesh())
    return peer.prepare(import_module(peer.module), vertices, triangles, case.side_px)


def _timed(who: str, case: Case, wanted: np.ndarray, prepare: Callable[[], tuple[Draw, Read]], clock: Clock) -> Beside:
    """Draw once to compare, then by the clock. Whatever a library raises is its row's reason."""
    try:
        draw, read = prepare()
        found = read(draw())
        found = found if isinstance(found, np.ndarray) else found.cpu().numpy()
        same = float((found == wanted).mean())
        spread = clock(draw)
    except Exception as error:
        return _absent(who, case, said(error))
    return Beside(who, case.name, case.batch, spread, case.batch * 1e9 / spread.p50_ns, same)


def _absent(who: str, case: Case, why: str) -> Beside:
    return Beside(who, case.name, case.batch, None, float("nan"), float("nan"), why)


def peers_table(rows: tuple[Beside, ...]) -> str:
    """One row each; those that did not run below, once each."""
    cells = [
        [f"{row.mesh}, batch {row.batch}", row.who, *(f"{ns / 1e3:.1f}" for ns in (
            row.spread.p50_ns, row.spread.p20_ns, row.spread.p80_ns)),
         f"{row.per_second:,.{0 if row.per_second >= 10 else 1}f}", percent(row.same)]
        for row in rows if row.spread
    ]  # fmt: skip
    headers = ("rasterize, backs too", "by", "p50 us", "p20 us", "p80 us", "pictures a second", "same ids")
    missed = dict.fromkeys(f"NOT measured: {row.who}: {row.why}" for row in rows if not row.spread)
    return "\n".join([table(headers, cells), *missed])
