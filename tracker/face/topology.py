"""Which of the 478 vertices are what: rings, anchors and the 68-point map, in MediaPipe's face-mesh numbering.

Only indices live here. Right and left are the subject's. The numbering is MediaPipe's (468 of the face, then five for
each iris, centre first), so that a user's own index tables keep working.
"""

from __future__ import annotations

VERTICES = 478
RIGHT_EYE_RING = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
LEFT_EYE_RING = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
INNER_LIPS_RING = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
RIGHT_IRIS = (468, 469, 470, 471, 472)
LEFT_IRIS = (473, 474, 475, 476, 477)
RIGHT_BROW = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55)
LEFT_BROW = (300, 293, 334, 296, 336, 276, 283, 282, 295, 285)
OUTER_EYE_CORNERS = (33, 263)
"""Right, left: their distance is the inter-ocular distance of every percentage in this project."""
NOSE_TIP = 4
CHIN = 152
RIGHT_CHEEK = 50
LEFT_CHEEK = 280

# The 68 points of 300-W and AFLW2000-3D as mesh vertices: jaw, brows, nose, eyes, mouth.
POINTS_68: tuple[int, ...] = (
    127, 234, 93, 132, 58, 136, 150, 176, 152, 400, 379, 365, 288, 361, 323, 454, 356,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 168, 197, 5, 4, 59, 60, 2, 290, 289,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip

GUIDES: tuple[int, ...] = tuple(sorted({
    *POINTS_68, *RIGHT_EYE_RING, *LEFT_EYE_RING, *RIGHT_IRIS, *LEFT_IRIS, *INNER_LIPS_RING,
    RIGHT_CHEEK, LEFT_CHEEK, 10, 151,
}))  # fmt: skip
"""The vertices that the network also points at directly; pose is fitted to them. 10 and 151 are on the forehead."""
