"""What a box and a hand do to the confidences, as the bench counts it; and the hand as it is drawn."""

from __future__ import annotations

import numpy as np

from tracker import REGIONS
from tracker.bench import covered, hand


def test_what_is_covered_loses_its_confidence_and_is_drawn() -> None:
    pictures: list[np.ndarray] = []
    rows = {(row.region, row.by): row for row in covered.measure(pictures)}
    assert {region for region, by in rows if by == "box"} == set(REGIONS) and len(pictures) == len(rows) == 6
    for (region, by), row in rows.items():
        assert row.share[region] < (0.15 if by == "box" else 0.5) and row.behind[region] > 0.9, (region, by)
        for name in REGIONS:  # what is mostly there to see loses what is behind it, and a little of the network's doubt
            assert row.behind[name] > 0.4 or row.share[name] > 0.75 * (1 - row.behind[name]), (region, by, name)
    for by in ("box", "hand"):
        assert min(rows["mouth", by].share[name] for name in REGIONS if name != "mouth") > 0.65, by
    assert all(picture.ndim == 3 and picture.dtype == np.uint8 and picture.std() > 10 for picture in pictures)


def test_a_hand_comes_from_its_side_in_the_skin_it_is_given() -> None:
    grey, skin = np.full((120, 160, 3), 60, np.uint8), np.array([210.0, 160, 130])
    spot = hand.Spot(80, 50, 24, 0.0)
    left, where = hand.draw(grey, spot, skin, True)
    _, other = hand.draw(grey, spot, skin, False)
    assert where[42:58, 62:98].mean() > 0.9, "fingers across what is hidden"
    assert where[:, :60].sum() > 4 * where[:, 100:].sum() and other[:, 100:].sum() > 4 * other[:, :60].sum()
    fingers = left[42:58, 70:95].reshape(-1, 3).mean(0)
    assert np.abs(fingers / fingers.sum() - skin / skin.sum()).max() < 0.02, "the colour, in light and shade"
    assert left[44:56, 70:95].std() > 5, "and shaded"
    assert np.array_equal(left[:, 130:][~where[:, 130:]], grey[:, 130:][~where[:, 130:]]), "nothing far from it changes"
    turned, there = hand.draw(grey, hand.Spot(80, 50, 24, np.pi / 2), skin, True)
    assert there[32:68, 72:88].mean() > 0.9 and turned.dtype == np.uint8


def test_its_skin_is_the_forehead_s_whatever_is_beside_it() -> None:
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[10:30, 10:30] = 200, 150, 120
    picture[18:22, 18:22] = 255
    assert hand.skin_of(picture, np.array([20.0, 20.0])).tolist() == [200, 150, 120]
