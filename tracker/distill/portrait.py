"""A synthetic person and pictures of them: who it is, how they look, and what a camera sees of one moment.

Given the ICT head it draws people at random and renders one of them under an expression, a pose and a camera, in the
person's own light. It does not know landmarks, patches or shards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.distill import head, lamps, wear
from tracker.distill.complexion import Complexion, Painter, hairline_share
from tracker.distill.head import smoothstep
from tracker.distill.ict import EYES, Ict
from tracker.distill.lamps import Lamps
from tracker.distill.raster import Canvas, Mesh, wound_normals
from tracker.distill.wear import Thing
from tracker.face.camera import Camera

GLASSES_SHARE, MASK_SHARE, HAND_SHARE = 0.13, 0.035, 0.045
GUM_RGB, TOOTH_RGB, LASH_RGB = (150.0, 72.0, 72.0), (222.0, 212.0, 196.0), (26.0, 20.0, 18.0)
MOUTH_PARTS = ("M_GumsTongue", "M_Teeth")
IDENTITY_SPREAD, IDENTITY_LIMIT = 0.85, 2.2

Rng = np.random.Generator


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """Who is shown, and in what light."""

    neutral_mm: np.ndarray
    """float32 [V, 3]."""
    complexion: Complexion
    """Skin with the scalp's hair painted on."""
    hair_mm: np.ndarray
    """float32 [V]: how far hair stands off the skin."""
    things: Thing | None
    """What moves with the head."""
    lamps: Lamps
    """In camera axes."""
    masked: bool
    """Wears a mask."""
    hidden: bool
    """Something that is worn hides the eyes or the mouth."""


class Studio:
    """The parts all portraits share."""

    def __init__(self, ict: Ict) -> None:
        self.ict = ict
        self._painter = Painter(ict)
        self._skin = np.concatenate([ict.triangles["M_Face"], ict.triangles["M_BackHead"]])
        self._casting = np.concatenate([self._skin, *(ict.triangles[eye] for eye in EYES)])
        self._welded = ict.welded[np.concatenate(list(ict.triangles.values()))]
        normals = self._normals(ict.neutral_mm)
        self._open_sky = lamps.open_sky_share(ict.neutral_mm, self._casting, normals)
        inside = [part for part in ict.triangles if part not in ("M_Face", "M_BackHead")]
        self._spans = {part: ict.span_of(part) for part in inside}
        self._own = {part: ict.triangles[part] - self._spans[part].start for part in inside}
        self._teeth = {part: ict.vertices_of(part) for part in MOUTH_PARTS}
        ears = (ict.uv[:, 0] < 0.095) | ((ict.uv[:, 0] > 0.905) & (ict.uv[:, 0] < 1.02))
        self._ear = ears & (ict.uv[:, 1] > 0.28) & (ict.uv[:, 1] < 0.58)
        self._ear |= (ict.uv[:, 0] > 1.0) & (ict.uv[:, 1] < 0.32) & (np.abs(ict.uv[:, 0] - 1.5) > 0.24)

    def person(self, rng: Rng, identity: np.ndarray | None = None) -> Person:
        """Somebody at random, or of the given identity [I]."""
        ict = self.ict
        if identity is None:
            identity = draw_identity(rng, len(ict.identity_mm))
        neutral = ict.person(identity)
        old = float(rng.random())
        complexion = self._painter(rng, old)
        style = rng.random()  # bald or shorn, short, long, under a cap
        raised = abs(rng.normal(0, 3)) + (rng.uniform(4, 14) if old > 0.6 and rng.random() < 0.4 else 0) - 2
        lift = 1.0 if style < 0.13 else rng.uniform(3, 18)
        colour = complexion.hair_rgb
        if style > 0.94:
            colour, raised, lift = rng.uniform(10, 230, 3), rng.uniform(-3, 2), rng.uniform(8, 16)
        self._painter.scalp(complexion.texture, colour, raised, rng, rng.uniform(0, 0.6) if style < 0.13 else 1.0)
        grown = smoothstep((hairline_share(neutral) - raised + 2) / 22) * ~self._ear
        rough = 1 + 0.1 * np.sin(neutral @ rng.normal(0, 0.12, 3)) + 0.07 * np.sin(neutral @ rng.normal(0, 0.3, 3))
        top = 1 + 0.5 * np.clip(-(neutral[:, 1] + 50) / 60, 0, 1)
        marks = neutral[ict.points_68]
        things = [wear.shirt(rng)]
        if 0.55 < style < 0.97 and rng.random() < 0.8:
            things.append(wear.curtain(colour if style < 0.94 else complexion.hair_rgb, rng))
        hidden = False
        if rng.random() < GLASSES_SHARE:
            frames, hidden = wear.glasses(marks, rng)
            things += frames
        masked = bool(rng.random() < MASK_SHARE)
        return Person(
            neutral, complexion, (lift * grown * rough * top).astype(np.float32), wear.joined(things),
            lamps.draw_lamps(rng), masked, hidden or masked,
        )  # fmt: skip

    def render(
        self, person: Person, shape: np.ndarray, rotation: np.ndarray, translation_mm: np.ndarray, canvas: Canvas,
        rng: Rng,
    ) -> tuple[np.ndarray, bool]:  # fmt: skip
        """Paint a person whose head has the `shape` [V, 3] of the moment on a cleared canvas; vertices in camera space
        [V, 3], and whether something hides a part of the face. `rotation` is cam_from_head of the mesh's own axes."""
        ict = self.ict
        spin = rotation.T.astype(np.float32)
        bare = shape @ spin + translation_mm.astype(np.float32)
        normals = self._normals(bare)
        grown = bare + person.hair_mm[:, None] * normals
        normals = self._normals(grown)
        sky = self._open_sky.copy()
        jaw = float(np.clip(self._gape_mm(shape) / 18 + 0.12, 0, 1))
        for part in MOUTH_PARTS:
            own = shape[self._teeth[part]]
            back = np.clip((own[:, 2] - own[:, 2].min()) / 22, 0, 1)
            sky[self._teeth[part]] = (0.2 + 0.55 * jaw) * (1 - 0.8 * back)
        tint, gloss = lamps.shine(person.lamps, grown, normals, self._casting, sky, person.complexion.shine)
        skin = Mesh(grown, self._skin, ict.uv * [0.5, 1], person.complexion.texture, tint, False, 0.0,
                    gloss * (person.hair_mm < 0.5)[:, None], True)  # fmt: skip
        canvas.paint(skin)
        self._eyes(canvas, person, shape, bare, tint, gloss)
        for part, rgb in zip(MOUTH_PARTS, (GUM_RGB, TOOTH_RGB), strict=True):
            canvas.paint(self._cut(part, bare, tint * (np.array(rgb) / 255), gloss * 0.8))
        dark = person.complexion.lashes
        lash = (np.array(LASH_RGB) * dark + person.complexion.skin_rgb * (1 - dark)) / 255
        canvas.paint(self._cut("M_EyeLashes", bare, tint * lash, gloss * 0))
        things = [] if person.things is None else [person.things]
        hidden = person.hidden
        if person.masked:
            things.append(wear.mask(ict, shape, rng))
        if rng.random() < HAND_SHARE:
            things += wear.hand(person.complexion.skin_rgb, rng)
            hidden = True
        if things:
            worn = wear.joined(things)
            self._wear(canvas, worn, worn.vertices_mm @ spin + translation_mm, person.lamps)
        return bare, hidden

    def _normals(self, vertices: np.ndarray) -> np.ndarray:
        """float32 [V, 3], the same on both sides of a texture's seam."""
        return wound_normals(vertices, self._welded)[self.ict.welded]

    def _gape_mm(self, shape: np.ndarray) -> float:
        """How far the lips are apart."""
        lips = shape[self.ict.points_68[[62, 66]]]
        return float(np.linalg.norm(lips[1] - lips[0]))

    def _cut(self, part: str, vertices: np.ndarray, tint: np.ndarray, gloss: np.ndarray) -> Mesh:
        """One part of one colour, with only its own vertices."""
        own, triangles = self._spans[part], self._own[part]
        uv = np.zeros((own.stop - own.start, 2), np.float32)
        return Mesh(vertices[own], triangles, uv, head.WHITE, tint[own], False, 0.0, gloss[own])

    def _eyes(
        self, canvas: Canvas, person: Person, shape: np.ndarray, bare: np.ndarray, tint: np.ndarray, gloss: np.ndarray
    ) -> None:
        """Painted eyeballs; the texture turns with the ball, since it was laid on where the ball looks ahead."""
        centres = self.ict.eyeballs_mm(person.neutral_mm)
        for part, centre in zip(EYES, centres, strict=True):
            own = self._spans[part]
            ahead = person.neutral_mm[own] - centre
            uv = ahead[:, :2] / head.EYE_SPAN_MM + 0.5
            # The upper lid shades the ball.
            height = np.clip((shape[own, 1] - centre[1] + 7) / 7, 0, 1)[:, None]
            shade = tint[own] * (0.62 + 0.36 * height)
            canvas.paint(Mesh(bare[own], self._own[part], uv, person.complexion.eye, shade, False, 0.0,
                              0.4 * gloss[own], True))  # fmt: skip

    def _wear(self, canvas: Canvas, thing: Thing, vertices: np.ndarray, light: Lamps) -> None:
        vertices = vertices.astype(np.float32)
        normals = wound_normals(vertices, thing.triangles)
        # Either side of a thin thing may be seen.
        normals = np.where((normals * vertices).sum(1, keepdims=True) > 0, -normals, normals)
        sky = np.full(len(vertices), 0.8, np.float32)
        tint, gloss = lamps.shine(light, vertices, normals, thing.triangles[:0], sky, 0.2)
        canvas.paint(Mesh(vertices, thing.triangles, np.zeros((len(vertices), 2)), head.WHITE,
                          tint * thing.rgb / 255, False, 0.0, gloss * 0.5))  # fmt: skip


def draw_identity(rng: Rng, count: int) -> np.ndarray:
    """Coefficients [count] of a plausible head."""
    return np.clip(rng.normal(0, IDENTITY_SPREAD, count), -IDENTITY_LIMIT, IDENTITY_LIMIT).astype(np.float32)


def canvas_for(camera: Camera, width_px: int, height_px: int, background: np.ndarray) -> Canvas:
    """A cleared canvas on a background [H, W, 3]."""
    canvas = Canvas(width_px, height_px, camera)
    canvas.clear(background)
    return canvas
