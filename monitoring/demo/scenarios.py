"""List the demo's scenarios: their inputs and expected results."""

from dataclasses import dataclass
from typing import Any

TALK, BROKEN, LIVE, EMPTY = "night-watch", "broken-link", "live-figure", "half-a-deck"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One execution.

    Attributes:
        name: the name of the scenario.
        what: a short description.
        key: the photo's key; its folder is the talk.
        photo: the slide on the photo, as an argument of `handlers.slides.seed`; bytes for a file that is not
            a photo, None for a missing photo.
        ends: the last state.
        error: the error of an execution that fails.
    """

    name: str
    what: str
    key: str
    photo: str | bytes | None
    ends: str
    error: str = ""


FIRST = Scenario("new-slide", "a new slide", f"{TALK}/001.jpg", "s05:ordinary:11", "Done")
"""It runs alone, because every function has its first cold start here."""
LANES: tuple[tuple[Scenario, ...], ...] = (
    (
        Scenario("same-slide", "the same slide again", f"{TALK}/002.jpg", "s05:hard:12", "Unchanged"),
        Scenario("next-slide", "one bullet more", f"{TALK}/003.jpg", "s06:ordinary:13", "Done"),
    ),
    (
        Scenario(
            "slow-figure",
            "a live figure that never comes",
            f"{LIVE}/001.jpg",
            "s13:ordinary:14",
            "StepTimedOut",
            "StepTimedOut",
        ),
    ),
    (
        Scenario(
            "unsure-photo",
            "a photo nobody can read",
            f"{TALK}/004.jpg",
            "s09:hopeless:21",
            "UnsurePhoto",
            "UnsurePhoto",
        ),
        Scenario(
            "broken-build",
            "a page with a broken link",
            f"{BROKEN}/001.jpg",
            "s10:ordinary:15",
            "BuildFailed",
            "BuildFailed",
        ),
        Scenario(
            "no-photo", "started by hand, without a photo", "nowhere/001.jpg", None, "NoPhoto", "NoPhoto"
        ),
        Scenario(
            "not-a-photo",
            "a text named .jpg",
            f"{TALK}/005.jpg",
            b"Dear pipeline, this is a letter.\n",
            "UnreadablePhoto",
            "UnreadablePhoto",
        ),
        Scenario(
            "unknown-slide",
            "a slide without data",
            f"{EMPTY}/001.jpg",
            "s08:ordinary:16",
            "UnknownSlide",
            "UnknownSlide",
        ),
    ),
)
"""Groups of scenarios: groups run in parallel, the scenarios of a group in sequence."""

OUTAGE = Scenario("datadog-away", "while Datadog is away", f"{TALK}/006.jpg", "s06:ordinary:17", "Unchanged")
"""It runs alone and last: Datadog responds with 503 meanwhile, so that the forwarder has to spool."""

SCENARIOS = (FIRST, *(scenario for lane in LANES for scenario in lane), OUTAGE)


def talks(figure_url: str) -> dict[str, dict[str, Any]]:
    """Return the talks of the table with their options for `handlers.slides.seed --talk`."""
    return {
        TALK: {},
        BROKEN: {"s10": {"see_also": ["s99"]}},
        LIVE: {"s13": {"figure_url": figure_url}},
        EMPTY: {"s08": None},
    }
