"""Other people's rasterizers, none of which is installed: stand-ins that follow their conventions, and reasons."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tracker.bench import rasterizers
from tracker.bench.places import on_the_clock
from tracker.bench.rasterizers import NVDIFFRAST, PEERS, Peer, beside, beside_here, peers_table
from tracker.kernels.backend import operator
from tracker.kernels.rasterize.cases import Case

CASE = Case("ball", 14, 9, 24, batch=2, closed=True)
OURS = "ours", operator("rasterize", "numba")[0]


def clock(call: Any) -> Any:
    return on_the_clock(call, 2)


def drawn(vertices_px: np.ndarray, triangles: np.ndarray, side_px: int) -> tuple[np.ndarray, np.ndarray]:
    ids, depth = np.empty((len(vertices_px), side_px, side_px), np.int32), np.empty((2, side_px, side_px), np.float32)
    given = (np.ascontiguousarray(array) for array in (vertices_px, triangles))
    operator("rasterize", "numba")[0](*given, ids, depth, None, True)
    return ids, depth


def drtk() -> SimpleNamespace:
    """Pixel centres at whole numbers."""
    torch = pytest.importorskip("torch")

    def rasterize_with_depth(v: Any, vi: Any, height: int, width: int) -> tuple[Any, Any]:
        assert vi.dtype == torch.int32 and height == width
        ids, depth = drawn((v + v.new_tensor([0.5, 0.5, 0])).numpy(), vi.numpy(), width)
        return torch.from_numpy(depth), torch.from_numpy(ids)

    return SimpleNamespace(rasterize_with_depth=rasterize_with_depth)


def pytorch3d() -> tuple[SimpleNamespace, SimpleNamespace]:
    """x to the left, y up, triangles numbered through the batch."""
    torch = pytest.importorskip("torch")

    def rasterize_meshes(meshes: Any, image_size: int, blur_radius: float, faces_per_pixel: int) -> tuple[Any, ...]:
        ndc, faces = meshes
        assert (blur_radius, faces_per_pixel, faces.dtype) == (0.0, 1, torch.int64) and len(faces) == len(ndc)
        px = ndc.clone()
        px[..., :2] = (1 - ndc[..., :2]) * image_size / 2
        ids, depth = map(torch.from_numpy, drawn(px.numpy(), faces[0].int().numpy(), image_size))
        ids = torch.where(ids >= 0, ids + torch.arange(len(ndc))[:, None, None] * faces.shape[1], ids)
        return ids.long()[..., None], depth[..., None], None, None

    return SimpleNamespace(rasterize_meshes=rasterize_meshes), SimpleNamespace(
        Meshes=lambda verts, faces: (verts, faces)
    )


def nvdiffrast() -> SimpleNamespace:
    """Clip space, numbers from one, the depth of what is seen from -1 to 1."""
    torch = pytest.importorskip("torch")

    def rasterize(context: Any, pos: Any, tri: Any, resolution: tuple[int, int], grad_db: bool) -> tuple[Any, None]:
        assert context == "a context" and not grad_db and (pos[..., 3] == 1).all() and (pos[..., 2].abs() < 1).all()
        px = torch.cat([(pos[..., :2] + 1) * resolution[0] / 2, pos[..., 2:3] + 2], -1)
        ids, depth = map(torch.from_numpy, drawn(px.numpy(), tri.numpy(), resolution[0]))
        return torch.stack([depth, depth, depth, (ids + 1).float()], -1), None

    return SimpleNamespace(rasterize=rasterize, RasterizeCudaContext=lambda device: "a context")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins under their names."""
    renderer, structures = pytorch3d()
    for name, module in (("drtk", drtk()), ("pytorch3d", ModuleType("pytorch3d")), ("pytorch3d.structures", structures),
                         ("pytorch3d.renderer", ModuleType("pytorch3d.renderer")),
                         ("pytorch3d.renderer.mesh", renderer), ("nvdiffrast", ModuleType("nvdiffrast")),
                         ("nvdiffrast.torch", nvdiffrast())):  # fmt: skip
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(rasterizers, "find_spec", lambda name: name)


def test_each_draws_our_picture_by_its_own_conventions(installed: None) -> None:
    anywhere = Peer(NVDIFFRAST.name, NVDIFFRAST.module, NVDIFFRAST.install, NVDIFFRAST.prepare)
    rows = beside(CASE, "cpu", OURS, clock, (*PEERS, anywhere))
    assert [row.who for row in rows] == ["ours", "DRTK", "PyTorch3D", "nvdiffrast"]
    for row in rows:
        assert row.why == "" and row.spread and row.spread.count == 2, row
        assert row.same > 0.995, "but for what a float's rounding moves by a sixteenth of a pixel"
        assert row.per_second == pytest.approx(2e9 / row.spread.p50_ns)
    shown = peers_table(tuple(rows))
    assert "ball, batch 2" in shown and "100.00%" in shown and "NOT measured" not in shown


def test_another_picture_is_seen_to_be_one(installed: None) -> None:
    two_pixels_off = Peer("shifted", "drtk", "", lambda module, v, t, side: PEERS[0].prepare(module, v + 2, t, side))
    assert beside(CASE, "cpu", OURS, clock, (two_pixels_off,))[1].same < 0.9


def test_what_is_not_installed_or_needs_a_gpu_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rasterizers, "find_spec", lambda name: None if name == "drtk" else name)
    rows = beside(CASE, "cpu", OURS, clock, (PEERS[0], NVDIFFRAST)) * 2
    shown = peers_table(tuple(rows))
    assert shown.count("NOT measured: DRTK: drtk is not installed (github.com/facebookresearch/DRTK, MIT)") == 1
    assert "NOT measured: nvdiffrast: needs a CUDA device" in shown and "ours" in shown
    monkeypatch.setattr(rasterizers, "find_spec", lambda name: None if name == "torch" else name)
    assert "torch is not installed" in beside(CASE, "cpu", OURS, clock, (PEERS[1],))[1].why


def test_whatever_a_library_raises_is_its_rows_reason() -> None:
    pytest.importorskip("torch")

    def refuses(*given: Any) -> Any:
        raise RuntimeError("no kernel\n image")

    row = beside(CASE, "cpu", OURS, clock, (Peer("broken", "tracker", "", refuses),))[1]
    assert row.spread is None and row.why == "RuntimeError: no kernel image"


def test_nvdiffrast_is_only_taken_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rasterizers, "beside", lambda case, device, ours, clock, peers: list(peers))
    for asked in (False, True):
        found = rasterizers.beside_on("cuda", 8, OURS[1], clock, asked)
        assert (NVDIFFRAST in found) == asked and found.count(PEERS[0]) == 2


def test_here_every_mesh_has_our_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rasterizers, "BENCH_CASES", (CASE,))
    assert [row.mesh for row in beside_here(2) if row.who == "Facewire, numba"] == ["ball"]
