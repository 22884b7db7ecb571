"""Where everything of a drawn graph is, read back from its SVG; and what lies on something that it must not."""

import itertools
import re
from dataclasses import dataclass
from xml.etree import ElementTree as ET

import pytest

SVG = "{http://www.w3.org/2000/svg}"
_MOVE = re.compile(r"translate\(([-\d.]+),([-\d.]+)\)")
_POINT = re.compile(r"([MLQ ])\s*(-?[\d.]+) (-?[\d.]+)")


@dataclass(frozen=True)
class Box:
    name: str
    left: float
    top: float
    right: float
    bottom: float
    inside: tuple[str, ...]

    def overlaps(self, other: "Box", slack: float = 0.5) -> bool:
        return (
            self.left < other.right - slack
            and other.left < self.right - slack
            and self.top < other.bottom - slack
            and other.top < self.bottom - slack
        )

    def holds(self, x: float, y: float, slack: float = 1.0) -> bool:
        return self.left + slack < x < self.right - slack and self.top + slack < y < self.bottom - slack


@dataclass(frozen=True)
class Way:
    source: str
    target: str
    points: tuple[tuple[float, float], ...]
    inside: tuple[str, ...]


class Drawing:
    def __init__(self, text: str) -> None:
        root = ET.fromstring(text)
        self.width, self.height = float(root.attrib["width"]), float(root.attrib["height"])
        self.states: list[Box] = []
        self.labels: list[Box] = []
        self.ways: list[Way] = []
        self.texts: list[str] = []
        self._walk(root, 0.0, 0.0, ())

    def _walk(self, element: ET.Element, x: float, y: float, inside: tuple[str, ...]) -> None:
        moved = _MOVE.match(element.attrib.get("transform", ""))
        if moved:
            x, y = x + float(moved[1]), y + float(moved[2])
        name = element.attrib.get("data-state")
        classes = element.attrib.get("class", "").split()
        if name is not None:
            rect = element.find(f"{SVG}rect")
            self.states.append(_box(rect, name, x, y, inside))
            inside = (*inside, name)
        if "label" in classes:
            self.labels.append(_box(element.find(f"{SVG}rect"), "label", x, y, inside))
        if "edge" in classes and element.tag == f"{SVG}path":
            points = tuple(
                (x + float(px), y + float(py)) for _, px, py in _POINT.findall(element.attrib["d"])
            )
            self.ways.append(
                Way(element.attrib["data-source"], element.attrib["data-target"], points, inside)
            )
        if element.tag == f"{SVG}text":
            self.texts.append(element.text or "")
        for child in element:
            self._walk(child, x, y, inside)

    def faults(self) -> list[str]:
        """What a reader would stumble over."""
        found = []
        boxes = self.states
        for at, one in enumerate(boxes):
            if one.left < 0 or one.top < 0 or one.right > self.width or one.bottom > self.height:
                found.append(f"{one.name} is outside of the picture")
            found += [
                f"{one.name} overlaps {other.name}"
                for other in boxes[at + 1 :]
                if one.name not in other.inside and other.name not in one.inside and one.overlaps(other)
            ]
        for at, label in enumerate(self.labels):
            if label.left < 0 or label.right > self.width:
                found.append("a label is outside of the picture")
            found += [
                f"a label lies on {box.name}"
                for box in boxes
                if box.name not in label.inside and label.overlaps(box)
            ]
            found += ["two labels overlap" for other in self.labels[at + 1 :] if label.overlaps(other)]
        bottoms = {(box.name, box.inside): box.bottom for box in boxes}
        for way in self.ways:
            (x0, _), (x, y) = way.points[-2:]
            if bottoms.get((way.target, way.inside)) == pytest.approx(y, abs=0.2) and abs(x - x0) > 1:
                found.append(f"the head of {way.source} → {way.target} is under the box")
            found += [
                f"{way.source} → {way.target} goes through {box.name}"
                for box in boxes
                if box.name not in {way.source, way.target, *way.inside}
                and way.source not in box.inside
                and not set(box.inside) - set(way.inside)
                and any(box.holds(*point) for point in _along(way.points))
            ]
        return found


def _along(points: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
    found = []
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        steps = max(1, int(((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5 / 3))
        found += [(x0 + (x1 - x0) * n / steps, y0 + (y1 - y0) * n / steps) for n in range(steps + 1)]
    return found


def _box(rect: ET.Element, name: str, x: float, y: float, inside: tuple[str, ...]) -> Box:
    left, top = x + float(rect.attrib.get("x", 0)), y + float(rect.attrib.get("y", 0))
    return Box(
        name, left, top, left + float(rect.attrib["width"]), top + float(rect.attrib["height"]), inside
    )
