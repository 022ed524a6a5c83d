"""What scores of people come to: ratios, the spread over people, and what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tracker.bench.answers import read_image
from tracker.bench.curves import ACROSS, BELOW_PX, BETWEEN_PX, LEFT_PX, PANEL_PX, TOP_PX, draw
from tracker.bench.filters import METHODS
from tracker.bench.smoothing import Settings, _some, report
from tracker.bench.verdicts import OURS, RAW, RIVAL, VIDEO, WHATS, Scores, Table, conclude
from tracker.distill.shelf import VIDEO_SUFFIXES
from tracker.errors import SettingsError


def scores(jitter: float, lag: float, person: int) -> Scores:
    return {what: (jitter * (1 + 0.1 * person), lag + 0.1 * person) for what in WHATS}


def table() -> Table:
    """Three people: ours halves One-Euro's jitter at every setting, each setting later than the one before."""
    made: Table = {("rendered", RAW, None): [scores(1.0, 0.0, p) for p in range(3)]}
    for method in METHODS:
        for number, setting in enumerate(method.settings):
            one = {OURS: 0.25, RIVAL: 0.5}.get(method.name, 0.8) / (min(number, 6) + 1)
            made["rendered", method.name, setting] = [scores(one, 4.0 * number, p) for p in range(3)]
    made |= {("three faces", *key[1:]): rows for key, rows in made.items()}
    made["rendered", VIDEO, None] = [scores(0.2, 19.0, p) for p in range(3)]
    made["irregular", RAW, None] = [scores(1.0, 2.0, p) for p in range(3)]
    default = next(method.default for method in METHODS if method.name == OURS)
    made["irregular", OURS, default] = [
        {what: (1.1 * jitter, lag + 3.0) for what, (jitter, lag) in one.items()}
        for one in made["rendered", OURS, default]
    ]
    return made


def test_ratios_are_what_they_were_made_to_be() -> None:
    result = conclude(3, table(), {OURS: [0.9, 1.0, float("nan")], RIVAL: [float("nan")]})
    assert {one.part for one in result.advantages} == {"rendered", "three faces"}
    for one in result.advantages:
        assert one.ratio == pytest.approx(0.5, abs=1e-4)
        assert one.low <= one.ratio <= one.high
    (against,) = {(a.part, a.what): a for a in result.against if a.what == "pose"}.values()
    default = next(method for method in METHODS if method.name == OURS)
    expected = 0.25 / (default.settings.index(default.default) + 1) / 0.2
    assert against.jitter_ratio == pytest.approx(expected, rel=1e-6)
    assert against.peer_lag_ms == pytest.approx(19.1)
    assert result.irregular_jitter["shapes"] == pytest.approx(0.1)
    # Three ms later, of which the raw fits are two.
    assert result.irregular_lag_ms["shapes"] == pytest.approx(1.0)
    assert result.blink_kept == {OURS: pytest.approx(0.95)}
    text = report(result)
    chosen = [point.setting for point in result.points if point.method == OURS and point.is_default]
    assert set(chosen) == {default.default}
    assert "Facewire" in text and "0.50 (0.50-0.50)" in text and "+10% and +1.0 ms" in text


def test_the_figure_has_a_panel_for_each_thing(tmp_path: Path) -> None:
    """Landmarks, pose and shapes of the rendered people; then landmarks of those at irregular times, and of three."""
    draw(conclude(3, table(), {}), tmp_path / "curves.png")
    picture = read_image(tmp_path / "curves.png")
    ours, rival, video = (36, 106, 178), (206, 92, 60), (20, 20, 20)
    wanted = [*[{ours, rival, video}] * len(WHATS), {ours}, {ours, rival}, set()]
    for panel, inks in enumerate(wanted):
        left = LEFT_PX + panel % ACROSS * (PANEL_PX[0] + BETWEEN_PX)
        top = TOP_PX + panel // ACROSS * (PANEL_PX[1] + BELOW_PX)
        inside = picture[top : top + PANEL_PX[1], left - 6 : left + PANEL_PX[0] + 6]
        assert {rgb for rgb in (ours, rival, video) if (inside == rgb).all(2).any()} == inks, panel


def test_without_a_peer_nothing_is_said_of_it() -> None:
    made = {key: rows for key, rows in table().items() if key[1] != VIDEO and key[0] == "rendered"}
    result = conclude(3, made, {})
    assert result.against == () and np.isnan(result.irregular_jitter["pose"])
    assert "irregular" in report(result)


@pytest.mark.parametrize("change", [{"people": 2}, {"people": 101}, {"photographs": -1}, {"clips": -1}])
def test_bad_settings_are_named(change: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="3 to 100 people"):
        Settings(tmp_path, tmp_path, **change)


def test_clips_count_however_their_names_are_written(tmp_path: Path) -> None:
    for name in ("a.MP4", "b.mov", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in _some(tmp_path, VIDEO_SUFFIXES, 6)] == ["a.MP4", "b.mov"]
