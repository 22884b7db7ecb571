"""The house: where things are, by names that say so; what imports what; what a call walks through."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import house
import pytest
from walks import WALKS

import monitoring

PACKAGE = Path(monitoring.__file__).parent


def modules_of_the_package():
    """Return the files of the package; the example that the wheel carries in `shipped` is not of it."""
    return [path for path in PACKAGE.rglob("*.py") if "shipped" not in path.parts]


WHERE = [
    ("Where are tags normalised?", "tags", "log_events.tags", "normal_point"),
    ("Where is Lambda's REPORT line read?", "report", "log_events.report_lines", "read_report"),
    ("Where is it decided what no data means for a monitor?", "no_data", "monitor.no_data", "without_data"),
    ("Where is a MONITORING line read?", "line", "lines", "read_line"),
    ("Where is it found out what triggered a call?", "trigger", "instrumentation.triggers", "trigger_of"),
    (
        "How does a trace propagate to the next function?",
        "propagat",
        "instrumentation.propagation",
        "inject_headers",
    ),
    ("Who speaks for a call that is about to time out?", "timeout", "instrumentation.timeouts", "watch"),
    ("Where is a claim verified?", "verif", "instrumentation.verification", "Claim"),
    ("Where is a query parsed?", "parse", "query.parser", "parse"),
    ("Where is a percentile of a distribution computed?", "distribution", "query.distribution", "percentile"),
    ("Where are the recurrences of a downtime computed?", "recurrence", "monitor.recurrence", "Recurrence"),
    ("Where is the message of a monitor composed?", "message", "monitor.message", "compose"),
    ("Where is the history of an SLO evaluated?", "slo", "slo.evaluation", "evaluate_slo"),
    ("Where is the retry of a request decided?", "retry", "forwarder.retry", "decide"),
    ("Where is what cannot be sent spooled?", "spool", "forwarder.spool", "make_spool"),
    (
        "Where is a subscription's filter pattern matched?",
        "filter_pattern",
        "local_aws.filter_pattern",
        "compile_pattern",
    ),
    ("Where is the lint rule about dead links?", "dead_link", "lint.rules.dead_link", "check"),
    ("Where does `plan` find what differs?", "differ", "deploy.differ", "make_plan"),
    (
        "Where do the stacks of an application come from?",
        "stacks",
        "discovery.stacks",
        "read_stacks",
    ),
    ("Where is a monitor backtested?", "backtest", "testing.backtest", "backtest"),
    ("Where is the timeline of an execution put together?", "timeline", "log_events.timeline", "timeline"),
    ("Where are batches cut to the limits of the intake?", "batch", "forwarder.batches", "metric_batches"),
    ("Where does the forwarder read its API key?", "key", "forwarder.keys", "ApiKey"),
    ("Where are widgets drawn?", "widget", "preview.widgets", "draw"),
    ("Where are the faults of the drill listed?", "fault", "drill.faults", "chosen"),
]


@pytest.mark.parametrize(("question", "word", "module", "symbol"), WHERE, ids=[row[0] for row in WHERE])
def test_a_newcomer_finds_the_file_by_a_word_of_the_question(question, word, module, symbol):
    assert word in module.replace(".", "/")
    assert word.replace("_", "") in question.lower().replace(" ", "")
    path = PACKAGE / f"{module.replace('.', '/')}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert symbol in {getattr(node, "name", "") for node in tree.body}


PAGES = [house.ROOT / "README.md", house.ROOT / "ARCHITECTURE.md", house.ROOT / "CONTRIBUTING.md"]
PAGES += (house.ROOT / "docs").rglob("*.md")


def named(page):
    """The paths into the package that a page names: dotted, and with slashes."""
    for dotted in re.findall(r"\bmonitoring((?:\.\w+)+)", page):
        yield dotted[1:].split(".")
    for path, suffix in re.findall(r"\bmonitoring/([a-z_/]+)(\.[a-z]+)?", page):
        if suffix in {"", ".py"}:
            yield path.strip("/").split("/")


def exists(parts, package=PACKAGE):
    """Whether the parts lead to a file, and from there to a word in it."""
    for at, part in enumerate(parts):
        if (package / part).is_dir():
            package /= part
            continue
        module = (package / part).with_suffix(".py")
        rest = parts[at + 1 :] if module.exists() else parts[at:]
        source = (module if module.exists() else package / "__init__.py").read_text(encoding="utf-8")
        return all(re.search(rf"\b{name}\b", source) for name in rest[:1])
    return True


@pytest.mark.checkout
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_module_that_a_page_names_is_there(page):
    assert [parts for parts in named(page.read_text(encoding="utf-8")) if not exists(parts)] == []


def test_a_module_that_a_page_names_wrongly_is_found():
    page = "`monitoring.query.parse`, `monitoring/query/parser.py`, `monitoring.series`, `monitoring.plan.order`, `monitoring/plan/`"
    assert [parts for parts in named(page) if not exists(parts)] == [["plan", "order"], ["plan"]]


@pytest.mark.checkout
def test_the_picture_of_the_floors_is_the_one_that_the_contract_gives():
    page = (house.ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert page == house.with_picture(page, house.picture(house.ROOT)), "python tests/house.py floors --write"


@pytest.mark.checkout
@pytest.mark.parametrize("name", WALKS)
def test_a_walk_climbs_no_floor_and_calls_back_only_what_it_was_handed(name):
    run = subprocess.run(
        [sys.executable, house.__file__, "walk", name],
        check=False,
        capture_output=True,
        text=True,
        cwd=house.ROOT,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert " 0 climbs" in run.stdout
    assert len(run.stdout.splitlines()) > 15


BY_NAME = re.compile(r"import_module\(\s*(f?\"[^\"]*\"|[\w.]+)")


def test_no_room_imports_another_by_a_text_that_the_contract_cannot_see():
    foreign = {}
    for path in PACKAGE.rglob("*.py"):
        inside = path.relative_to(PACKAGE).parts
        own = ('f"{__name__}.', f'f"monitoring.{inside[0].removesuffix(".py")}.')
        for text in BY_NAME.findall(path.read_text(encoding="utf-8")):
            if not text.startswith(own):
                foreign.setdefault("/".join(inside), []).append(text)
    assert foreign.keys() <= {
        "__init__.py",  # exports what is loaded when it is asked for, and imports the same under TYPE_CHECKING
        "drill/injected_code/fault_handler.py",  # the handler of a user
        "local_aws/moto_patches/patch.py",  # modules of moto
        "local_aws/stack/moto_models.py",  # likewise
        "lines.py",
    }


@pytest.mark.checkout
def test_the_house_has_no_arrow_up_or_sideways_and_no_circle():
    run = subprocess.run(
        [sys.executable, house.__file__], check=False, capture_output=True, text=True, cwd=house.ROOT
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "\n0 arrows up or sideways\n0 circles of rooms\n0 circles of files\n" in run.stdout


VAGUE = {"each", "found", "given", "held", "lost", "many", "mine", "one", "sought", "things"}
STILL_USED = {
    "asked": {"cli", "deploy", "discovery", "drill", "monitor", "query", "store", "testing"},
    "here": {"drill", "lint", "preview", "serve"},
    "meant": {"lint"},
    "there": {"drill", "preview", "serve"},
    "said": {"lint", "monitor", "resources", "testing"},
    "taken": {"cli", "deploy", "lint"},
    "told": {"cli", "monitor"},
    "wish": {"local_aws"},
}
"""Vague words -> the rooms that still have locals of this name: no room is added here."""


def vague_names(tree):
    """The locals, parameters and functions in functions whose name is no noun of the field."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in VAGUE:
            yield node.id
        elif isinstance(node, ast.arg) and node.arg in VAGUE:
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = (part for part in ast.walk(node) if part is not node)
            yield from (part.name for part in inner if getattr(part, "name", "") in VAGUE)


def test_a_local_name_is_a_noun_of_the_field():
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in modules_of_the_package()}
    named = {str(path.relative_to(PACKAGE)): sorted(vague_names(tree)) for path, tree in trees.items()}
    assert {path: names for path, names in named.items() if names} == {}


def test_no_further_room_uses_a_vague_word():
    rooms = {}
    for path in modules_of_the_package():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            stored = node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else ""
            word = node.arg if isinstance(node, ast.arg) else stored
            if word in STILL_USED:
                rooms.setdefault(word, set()).add(path.relative_to(PACKAGE).parts[0])
    assert {
        word: sorted(used - STILL_USED[word]) for word, used in rooms.items() if used - STILL_USED[word]
    } == {}


@pytest.mark.parametrize(
    "source",
    [
        "found = 1",
        "[one for one in ()]",
        "def f(given): ...",
        "lambda each: 1",
        "def f():\n    def one(): ...",
        "with a as found: ...",
    ],
)
def test_a_vague_local_name_is_noticed(source):
    assert list(vague_names(ast.parse(source)))


def classes():
    """Name -> the files that define a class of that name."""
    where = {}
    for path in modules_of_the_package():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                where.setdefault(node.name, []).append(str(path.relative_to(PACKAGE)))
    return where


def test_a_class_is_not_named_by_a_word_that_says_nothing_of_it():
    vague = {"Found", "Given", "Made", "Shown", "Silent", "Thing", "Wanted", "Written"}
    assert {name: files for name, files in classes().items() if name in vague} == {}


def test_no_class_name_means_three_things():
    assert {name: files for name, files in classes().items() if len(files) > 2} == {}


def test_no_module_has_more_than_500_lines():
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules_of_the_package()}
    assert {str(path.relative_to(PACKAGE)): size for path, size in sizes.items() if size > 500} == {}


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("", 0),
        ('"""A module."""\n', 0),
        ('"""A module\n\nof three lines."""\n\nimport ast\n\n\nimport re  # why\n', 2),
        (
            'class A:\n    """A class."""\n\n    def b(self):\n        """A method\n        of two."""\n        return 1\n',
            3,
        ),
        ('VALUE = """\n\ntext"""\n"""What it is."""\n', 3),
        ("# a comment\nVALUE = 1\n", 2),
    ],
)
def test_lines_of_code_are_those_that_are_neither_blank_nor_of_a_docstring(source, lines):
    assert house.code_lines(source) == lines


def a_checkout(tmp_path, **files):
    package = tmp_path / "monitoring"
    for name, text in {"__init__": "", **files}.items():
        path = package.joinpath(*name.split("__", 1)) if name != "__init__" else package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text(text)
    layers = '["upper", "left | right", "lower"]'
    contract = f'name = "floors"\ncontainers = ["monitoring"]\nlayers = {layers}\n'
    (tmp_path / "pyproject.toml").write_text(f"[[tool.importlinter.contracts]]\n{contract}")
    done = subprocess.run(
        [sys.executable, house.__file__, "--root", str(tmp_path)], check=False, capture_output=True, text=True
    )
    assert done.stdout, done.stderr
    return done.returncode, done.stdout


GOOD = {"upper": "import monitoring.left", "left": "import monitoring.lower", "right": "", "lower": ""}
LATER = "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    import monitoring.{}"


def test_the_report_of_a_house_in_order(tmp_path):
    status, said = a_checkout(tmp_path, **GOOD)
    assert status == 0
    assert (
        "5 rooms, 3 floors, 2 arrows\n0 arrows up or sideways\n0 circles of rooms\n0 circles of files" in said
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lower": "def later():\n    import monitoring.upper"}, "1 arrows up or sideways: lower -> upper"),
        ({"right": LATER.format("left")}, "1 arrows up or sideways: right -> left"),
        ({"lower": LATER.format("upper")}, "1 circles of rooms\n     left, lower, upper"),
        ({"right": "import monitoring.right.a"}, "0 circles of files"),
    ],
)
def test_what_the_report_finds(tmp_path, change, said):
    status, text = a_checkout(tmp_path, **{**GOOD, **change})
    assert said in text
    assert (status == 0) == said.startswith("0")


MODULES = {
    "monitoring.upper": {"monitoring.lower.a"},
    "monitoring.lower.a": {"monitoring.lower.b"},
    "monitoring.lower.b": set(),
}


@pytest.mark.parametrize(
    ("caller", "callee", "climbs"),
    [
        ("upper", "lower.a", False),
        ("lower.a", "upper", True),
        ("lower.a", "lower.b", False),
        ("lower.b", "lower.a", True),
        ("left", "right", True),
    ],
)
def test_a_call_climbs_to_a_room_that_is_not_below_and_to_a_file_that_imports_the_caller(
    caller, callee, climbs
):
    floors = {"upper": 3, "left": 2, "right": 2, "lower": 1}
    assert house.climbs_from(f"monitoring.{caller}", f"monitoring.{callee}", floors, MODULES) == climbs


@pytest.mark.parametrize(
    ("old", "name", "new"),
    [
        ("monitoring.series", "Series", "monitoring.query.series"),
        ("monitoring.platform.names", "METRICS", "monitoring.log_events.names"),
    ],
)
def test_a_path_that_the_docs_once_named_is_the_new_module_and_says_so(old, name, new):
    for module in [path for path in sys.modules if old.startswith(path) and path != "monitoring"]:
        sys.modules.pop(module)
    with pytest.warns(DeprecationWarning, match=new.rpartition(".")[0]):
        found = importlib.import_module(old)
    assert getattr(found, name) is getattr(importlib.import_module(new), name)


@pytest.mark.checkout
def test_what_the_old_paths_offer_costs_the_package_nothing():
    code = "import monitoring, sys; print([name for name in sys.modules if 'platform' in name or 'series' in name])"
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.checkout
def test_the_files_that_contributors_are_sent_to_are_there():
    page = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"`([a-z_]+/[\w./-]*|README\.md)`", page))
    assert len(named) > 25
    assert [name for name in sorted(named) if not (Path(__file__).parents[1] / name).exists()] == []


@pytest.mark.checkout
def test_no_two_files_of_tests_have_one_name():
    """The folders are not packages: pytest would import one file in the place of the other."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


@pytest.mark.checkout
def test_the_pages_that_are_made_from_the_code_are_up_to_date():
    """Help, options and settings: `python tests/reference.py --write` writes their pages anew."""
    script = Path(__file__).parent / "reference.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
