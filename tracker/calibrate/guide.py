"""What a person is asked to do in a guided take, and which prompt a moment of it belongs to.

Given how long a take has run it says what is asked for, and how many seconds of it are left. It prints nothing and has
never seen a face.
"""

from __future__ import annotations

from dataclasses import dataclass

REST = "rest your face: mouth closed, look at the camera"
PROMPTS: tuple[str, ...] = (
    REST,
    "smile as broadly as you can, teeth and all",
    "raise your eyebrows high",
    "frown: pull your eyebrows down, corners of the mouth too",
    "open your mouth wide",
    "purse your lips, as for a kiss",
    "press your lips together and roll them in",
    "wrinkle your nose and show your upper teeth",
    "puff your cheeks",
    "move your jaw to the left, then to the right",
    "pull your mouth to the left, then to the right",
    "close both eyes firmly, then open them wide",
    "say: we owe you a few new shoes, Bob",
    REST,
)
PROMPT_SECONDS = 3.0
REACTION_SECONDS = 1.0
"""Of each prompt's time: until then people still read it and move there."""
GUIDED_SECONDS = PROMPT_SECONDS * len(PROMPTS)


@dataclass(frozen=True, slots=True)
class Moment:
    """What is going on at one time of a take."""

    place: int
    """In `PROMPTS`."""
    seconds_left: float
    """Of this prompt."""

    @property
    def text(self) -> str:
        """What is asked for."""
        return PROMPTS[self.place]

    @property
    def prompt(self) -> int:
        """Number of what is asked for, 0 for rest each time; -1 while people still get there."""
        return -1 if PROMPT_SECONDS - self.seconds_left < REACTION_SECONDS else PROMPTS.index(self.text)


def moment(seconds: float) -> Moment | None:
    """Where a guided take stands `seconds` after its first frame; None when it is over."""
    place = int(seconds // PROMPT_SECONDS)
    if not 0 <= place < len(PROMPTS):
        return None
    return Moment(place, PROMPT_SECONDS * (place + 1) - seconds)
