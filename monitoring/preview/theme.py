"""Colours: a light and a dark theme for pictures, and CSS variables for pages with both."""

from dataclasses import dataclass, fields

PALETTES: dict[str, tuple[str, ...]] = {
    "dog_classic": ("#3578d4", "#7d4fc4", "#2ca58d", "#e0803c", "#c94f7c", "#8a9a2f", "#5aa9e6", "#a36a4f"),
    "cool": ("#2456a6", "#3d84c6", "#5fb0d3", "#7fd1c7", "#3f8f8c", "#6a6fc1", "#9aa6e0", "#2f6f5f"),
    "warm": ("#b3372f", "#dd6b2f", "#eda13b", "#c94f7c", "#8f3b76", "#e0c04a", "#a8562f", "#d98880"),
    "purple": ("#5b2a86", "#7d4fc4", "#a27ddb", "#c3a6e8", "#8f3b76", "#4b3f99", "#b56bb0", "#6a6fc1"),
    "orange": ("#b7521e", "#e0803c", "#f0a868", "#f5c79b", "#a36a4f", "#d9953b", "#8a4b1f", "#e3b04b"),
    "grey": ("#4b5563", "#6b7280", "#8b95a1", "#aab2bd", "#374151", "#7a828e", "#c3c9d1", "#5a6472"),
}
PALETTES |= {
    "green": ("#2f8f5b", "#58b07f", "#1f6b43", "#86cba5", "#8a9a2f", "#3f8f8c", "#a9c77a", "#4b7a3a"),
    "red": ("#c0392f", "#dd6b5f", "#8f2a23", "#e89a92", "#c94f7c", "#a8562f", "#d98880", "#7a2f4b"),
    "blue": ("#3578d4", "#5aa9e6", "#2456a6", "#9cc4f0", "#3d84c6", "#6a6fc1", "#7fb3d5", "#1f3f7a"),
    "yellow": ("#c9971c", "#e0c04a", "#9a7414", "#eed98a", "#b8862f", "#d9b85b", "#8a6a2f", "#f0e3ac"),
    "gray": PALETTES["grey"],
    "semantic": PALETTES["dog_classic"],
    "datadog16": PALETTES["dog_classic"],
}
"""Datadog's names of palettes -> colours that can be told apart on light and on dark."""


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours by their purpose."""

    page: str
    panel: str
    edge: str
    ink: str
    muted: str
    grid: str
    good: str
    warn: str
    bad: str
    link: str

    @property
    def badges(self) -> dict[str, str]:
        """State in lower case -> background colour for white text, in both themes."""
        return BADGES


BADGES = {
    "ok": "#187548",
    "warn": "#a5670f",
    "warning": "#a5670f",
    "alert": "#c53030",
    "critical": "#c53030",
    "no data": "#5d6776",
    "unknown": "#5d6776",
    "": "#5d6776",
}

LIGHT = Theme(
    page="#f4f5f7",
    panel="#ffffff",
    edge="#dcdfe4",
    ink="#1d2430",
    muted="#5d6776",
    grid="#e6e9ee",
    good="#187548",
    warn="#8f5d12",
    bad="#c53030",
    link="#2456a6",
)
DARK = Theme(
    page="#12161d",
    panel="#1b212b",
    edge="#313a48",
    ink="#e8ebf0",
    muted="#9aa5b5",
    grid="#2a3240",
    good="#4cc38a",
    warn="#e3b04b",
    bad="#f07178",
    link="#7fb2ff",
)
PAGE = Theme(**{field.name: f"var(--{field.name})" for field in fields(Theme)})
"""The theme for SVG inside a page: the page's style sheet defines the variables."""

CONDITIONAL: dict[str, tuple[str, str]] = {
    "white_on_red": ("#c53030", "#ffffff"),
    "white_on_yellow": ("#8f5d12", "#ffffff"),
    "white_on_green": ("#187548", "#ffffff"),
    "white_on_gray": ("#5d6776", "#ffffff"),
    "black_on_light_red": ("#f8c9c9", "#4a1010"),
    "black_on_light_yellow": ("#f7e2ae", "#453006"),
    "black_on_light_green": ("#bfe8d2", "#0c3a23"),
    "red_on_white": ("", "#c53030"),
    "yellow_on_white": ("", "#8f5d12"),
    "green_on_white": ("", "#187548"),
}
"""Palette of a conditional format -> (background, text); an empty background means the panel's."""


def conditional(palette: str, theme: Theme) -> tuple[str, str]:
    """Return (background, text) of a conditional format."""
    plain = {"red": theme.bad, "yellow": theme.warn, "green": theme.good}
    if palette.endswith("_on_white"):
        return theme.panel, plain.get(palette.removesuffix("_on_white"), theme.ink)
    return CONDITIONAL.get(palette, (theme.panel, theme.ink))


def style_sheet() -> str:
    """Return the CSS variables of both themes; the reader's system selects one."""
    sets = {selector: _variables(theme) for selector, theme in ((":root", LIGHT), ("dark", DARK))}
    dark = f"@media (prefers-color-scheme: dark){{:root:not([data-theme=light]){{{sets['dark']}}}}}"
    return f":root{{{sets[':root']}}}{dark}:root[data-theme=dark]{{{sets['dark']}}}"


def _variables(theme: Theme) -> str:
    return "".join(f"--{field.name}:{getattr(theme, field.name)};" for field in fields(Theme))
