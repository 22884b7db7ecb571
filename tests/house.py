"""The house: rooms, floors, arrows and circles of the package, and what a call walks through.

    python tests/house.py                     rooms, floors, arrows, circles; --root for another checkout
    python tests/house.py floors [--write]    the picture of the floors, made from the import contract
    python tests/house.py walk [NAME…]        the files that an event, a payload, a query or a file passes
    python tests/house.py lines               lines of code by room, of blank lines and docstrings none; --root likewise

A room is a file or folder of `monitoring/`. Its floor is what the contract "floors" in pyproject.toml says; where
a checkout has no such contract, the length of the longest way down from it. The exit status is 1 where an arrow
leads up or sideways, or a call climbs.
"""

import argparse
import ast
import re
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- floors: python tests/house.py floors --write -->\n", "<!-- end of floors -->\n"
Graph = dict[str, set[str]]


def imports(root: Path) -> Graph:
    """Return what each module imports, wherever in its text: under TYPE_CHECKING and in functions as well."""
    import grimp

    sys.path.insert(0, str(root))
    packages = [name for name in ("monitoring", "handlers") if (root / name / "__init__.py").exists()]
    graph = grimp.build_graph(*packages, cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def room(module: str) -> str:
    """Return the room of a module, by its dotted path."""
    package, _, inside = module.partition(".")
    return package if package != "monitoring" or not inside else inside.split(".")[0]


def arrows(modules: Graph) -> Graph:
    """Return which rooms each room imports."""
    rooms: Graph = {room(module): set() for module in modules}
    for module, imported in modules.items():
        rooms[room(module)] |= {room(other) for other in imported} - {room(module)}
    return rooms


def circles(graph: Graph) -> list[list[str]]:
    """Return the groups of nodes that reach one another (Tarjan's strongly connected components)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in order:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == order[node]:
            at = stack.index(node)
            groups.append(sorted(stack[at:]))
            del stack[at:]

    sys.setrecursionlimit(10_000)
    for node in sorted(graph):
        if node not in order:
            visit(node)
    return [group for group in groups if len(group) > 1]


def contract_floors(root: Path) -> dict[str, int]:
    """Return each room's floor, 1 the lowest, as the import contract has it; empty where it has no rooms."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    for contract in settings["tool"]["importlinter"]["contracts"]:
        if contract["name"] == "floors" and "containers" in contract:
            layers = [re.findall(r"\w+", layer) for layer in reversed(contract["layers"])]
            return {
                name: floor
                for floor, layer in enumerate(layers, start=1)
                for name in layer
                if (root / "monitoring" / name).is_dir() or (root / "monitoring" / f"{name}.py").exists()
            }
    return {}


def longest_ways_down(rooms: Graph) -> dict[str, int]:
    """Return the length of each room's longest way down; the rooms of a circle share a floor."""
    group = {name: tuple(circle) for circle in circles(rooms) for name in circle}
    known: dict[str, int] = {}

    def floor(name: str) -> int:
        if name not in known:
            members = group.get(name, (name,))
            below = {other for member in members for other in rooms[member]} - set(members)
            known.update(dict.fromkeys(members, 1 + max(map(floor, below), default=0)))
        return known[name]

    return {name: floor(name) for name in rooms}


def report(root: Path) -> bool:
    """Print rooms, floors, arrows and circles; whether no arrow leads up or sideways and there is no circle."""
    modules = imports(root)
    rooms = arrows(modules)
    floors = contract_floors(root) or longest_ways_down(rooms)
    of_files, of_rooms = circles(modules), circles(rooms)
    wrong = [
        f"{name} -> {other}"
        for name in sorted(rooms)
        for other in sorted(rooms[name])
        if name in floors and other in floors and floors[name] <= floors[other]
    ]
    for floor in range(max(floors.values()), 0, -1):
        print(f"{floor:>3}  {', '.join(sorted(name for name in floors if floors[name] == floor))}")
    print()
    for name in sorted(rooms, key=lambda name: (-floors.get(name, 0), name)):
        print(f"{name}: {', '.join(sorted(rooms[name]))}")
    print(f"\n{len(rooms)} rooms, {max(floors.values())} floors, {sum(map(len, rooms.values()))} arrows")
    print(f"{len(wrong)} arrows up or sideways{': ' * bool(wrong)}{', '.join(wrong)}")
    for what, found in (("rooms", of_rooms), ("files", of_files)):
        print(f"{len(found)} circles of {what}")
        for circle in found:
            print(f"     {', '.join(circle)}")
    return not (wrong or of_files or of_rooms)


def code_lines(source: str) -> int:
    """Return how many lines of a module are neither blank nor part of a docstring."""
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
            if first is not None:
                docstrings.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    lines = enumerate(source.splitlines(), start=1)
    return sum(bool(line.strip()) and number not in docstrings for number, line in lines)


def lines_report(root: Path) -> None:
    """Print the lines of code of each room, and of all."""
    rooms: dict[str, int] = defaultdict(int)
    for path in (root / "monitoring").rglob("*.py"):
        name = path.relative_to(root / "monitoring").parts[0].removesuffix(".py")
        rooms[name] += code_lines(path.read_text(encoding="utf-8"))
    for name in sorted(rooms):
        print(f"{rooms[name]:>6}  {name}")
    print(f"{sum(rooms.values()):>6}  in all")


def sentence(root: Path, name: str) -> str:
    """Return the first sentence of a room's docstring, on one line."""
    folder = root / "monitoring" / name
    path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return re.split(r"(?<=[.;])\s", " ".join(text.split("\n\n")[0].split()))[0].rstrip(".;:") + "."


def picture(root: Path) -> str:
    """Return the floors as ARCHITECTURE.md shows them: the rooms by the contract, each with its own first sentence."""
    floors = contract_floors(root)
    top = max(floors.values())
    bands = {floor: "   ".join(_on(floors, floor, root)) for floor in range(top, 0, -1)}
    width = max(map(len, bands.values())) + 2
    lines = ["```", f"┌───┬{'─' * width}┐"]
    for floor, names in bands.items():
        lines += [f"├───┼{'─' * width}┤"] * (floor < top) + [f"│ {floor} │ {names:<{width - 1}}│"]
    lines += [f"└───┴{'─' * width}┘", "```", "", "| layer | package | contents |", "| --- | --- | --- |"]
    for floor in bands:
        named = [name for name in sorted(floors) if floors[name] == floor]
        lines += [f"| {floor} | `{_shown(name, root)}` | {sentence(root, name)} |" for name in named]
    return "\n".join(lines) + "\n"


def _on(floors: dict[str, int], floor: int, root: Path) -> list[str]:
    return [_shown(name, root) for name in sorted(floors) if floors[name] == floor]


def _shown(name: str, root: Path) -> str:
    return f"{name}/" if (root / "monitoring" / name).is_dir() else name


def with_picture(page: str, drawn: str) -> str:
    """Return the page with the picture in its place."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + drawn + END + rest.partition(END)[2]


def walk_report(names: list[str]) -> bool:
    """Print the walk of each entry point; whether each climb is a function that was handed down."""
    from walks import WALKS, walked

    modules, floors = imports(ROOT), contract_floors(ROOT)
    good = True
    for name in names or list(WALKS):
        walk, handed = walked(name), WALKS[name].handed_down
        print(f"{WALKS[name].title}: {len(walk.files)} files")
        for file in walk.files:
            print(f"{floors.get(room(module_of(file)), ''):>3}  {file}")
        climbs: dict[str, set[str]] = defaultdict(set)
        for (low, caller), (high, callee) in walk.calls:
            if climbs_from(module_of(low), module_of(high), floors, modules):
                climbs[f"{high}: {callee}"].add(f"{low}: {caller}")
        for function, callers in sorted(climbs.items()):
            said = f"handed down, {handed[function]}" if function in handed else "CLIMB"
            print(f"     {said}: {function} is called by {', '.join(sorted(callers))}")
        stale = sorted(set(handed) - set(climbs))
        print(
            f"     {len(set(climbs) - set(handed))} climbs{'; not called: ' * bool(stale)}{', '.join(stale)}\n"
        )
        good &= set(climbs) == set(handed)
    return good


def climbs_from(low: str, high: str, floors: dict[str, int], modules: Graph) -> bool:
    """Return whether a call leads up: to another room that is not below, or to a file that stands on the caller's."""
    if room(low) != room(high):
        return floors.get(room(low), 0) <= floors.get(room(high), 0)
    return low in reached(high, modules) and high not in reached(low, modules)


def reached(module: str, modules: Graph) -> set[str]:
    """Return all that a module imports, through however many others."""
    seen, waiting = set(), [module]
    while waiting:
        new = modules[waiting.pop()] - seen
        seen |= new
        waiting += new
    return seen


def module_of(file: str) -> str:
    """Return the dotted path of a file below the package."""
    return ".".join(
        ["monitoring", *file.removesuffix(".py").removesuffix("__init__").strip("/").split("/")]
    ).strip(".")


def main(argv: list[str] | None = None) -> int:
    """Run the command that the arguments name; its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", nargs="?", choices=["report", "floors", "walk", "lines"], default="report")
    parser.add_argument("names", nargs="*", help="walks, all where none is named")
    parser.add_argument("--root", type=Path, default=ROOT, help="another checkout")
    parser.add_argument("--write", action="store_true", help="write the picture into ARCHITECTURE.md")
    chosen = parser.parse_args(argv)
    if chosen.command == "walk":
        return not walk_report(chosen.names)
    if chosen.command == "report":
        return not report(chosen.root.resolve())
    if chosen.command == "lines":
        return lines_report(chosen.root.resolve()) or 0
    page = chosen.root / "ARCHITECTURE.md"
    if chosen.write:
        page.write_text(
            with_picture(page.read_text(encoding="utf-8"), picture(chosen.root)), encoding="utf-8"
        )
    else:
        print(picture(chosen.root), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
