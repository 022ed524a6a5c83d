"""The name tables are total, and translations lose nothing."""

from tracker.face.expression import (
    ARKIT_INDEX,
    ARKIT_NAMES,
    GROUP_OF,
    MIRROR,
    REGIONS,
    from_mediapipe,
)


def test_arkit_has_52_distinct_names_in_apples_groups():
    assert len(ARKIT_NAMES) == len(set(ARKIT_NAMES)) == 52
    assert ARKIT_NAMES[0] == "eyeBlinkLeft" and ARKIT_NAMES[7] == "eyeBlinkRight"
    assert ARKIT_NAMES[17] == "jawOpen" and ARKIT_NAMES[51] == "tongueOut"


def test_mirror_is_an_involution_that_swaps_sides():
    assert all(MIRROR[MIRROR[i]] == i for i in range(52))
    assert MIRROR[ARKIT_INDEX["mouthSmileLeft"]] == ARKIT_INDEX["mouthSmileRight"]
    assert MIRROR[ARKIT_INDEX["jawLeft"]] == ARKIT_INDEX["jawRight"]
    assert MIRROR[ARKIT_INDEX["jawOpen"]] == ARKIT_INDEX["jawOpen"]


def test_every_shape_has_a_group():
    assert len(GROUP_OF) == 52
    assert set(GROUP_OF) == {"lids", "gaze", "brows", "jaw", "mouth", "cheeks"}
    assert GROUP_OF[ARKIT_INDEX["eyeLookInLeft"]] == "gaze"
    assert GROUP_OF[ARKIT_INDEX["eyeBlinkLeft"]] == "lids"
    assert len(REGIONS) == 5


def test_from_mediapipe_reorders_by_name():
    theirs = ["_neutral", *sorted(set(ARKIT_NAMES) - {"tongueOut"})]
    scores = {name: index / 100 for index, name in enumerate(theirs)}
    ours = from_mediapipe(scores)
    assert ours[ARKIT_INDEX["tongueOut"]] == 0.0
    for name in theirs[1:]:
        assert ours[ARKIT_INDEX[name]] == scores[name]
