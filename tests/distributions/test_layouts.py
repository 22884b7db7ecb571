"""The installed wheel in projects as people lay them out: their own packages stay theirs, and ours works."""

import subprocess
import sys
import zipfile

import pytest
from venvs import PIP

pytestmark = pytest.mark.packaging

HANDLER = """
from monitoring import count, monitored

@monitored
def handler(event, context):
    count("shop.orders", tags=["shop:north"])
    return "mine"
"""
TEST = """
from {module} import handler

def test_it(lambda_context, emitted):
    assert handler({{}}, lambda_context) == "mine"
    emitted.assert_count("shop.orders", 1, tags={{"shop": "north"}})
"""
PATH = "[tool.pytest.ini_options]\npythonpath = [{!r}]\n"

# layout -> (the handler's module, the folder on the module path, more files)
LAYOUTS = {
    "a package handlers": ("handlers.orders", ".", {"handlers/__init__.py": ""}),
    "a folder handlers without __init__.py": ("handlers.orders", ".", {}),
    "a module handlers.py": ("handlers", ".", {}),
    "packages handlers and tests": (
        "handlers.orders",
        ".",
        {"handlers/__init__.py": "", "tests/__init__.py": ""},
    ),
    "a src layout": ("shop.orders", "src", {"src/shop/__init__.py": ""}),
    "a src layout with handlers": ("handlers.orders", "src", {"src/handlers/__init__.py": ""}),
    "a namespace package": ("company.shop.orders", ".", {"company/shop/__init__.py": ""}),
    "one folder for each function": ("app", "functions/orders", {}),
    "packages called as folders of ours": (
        "deploy.orders",
        ".",
        {f"{name}/__init__.py": "" for name in ("deploy", "dashboards", "monitors", "benchmarks", "shipped")},
    ),
}


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def project(root, layout):
    module, folder, files = LAYOUTS[layout]
    named = {
        f"{folder}/{module.replace('.', '/')}.py": HANDLER,
        "tests/test_orders.py": TEST.format(module=module),
        "pyproject.toml": PATH.format(folder),
    }
    return write(root, files | named)


@pytest.mark.parametrize("mode", ["prepend", "importlib"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_projects_own_tests_pass(installed, tmp_path, layout, mode):
    status, said = installed.run("-m", "pytest", f"--import-mode={mode}", cwd=project(tmp_path, layout))
    assert status == 0, said
    assert "1 passed" in said


def test_a_projects_own_package_monitoring_is_imported(installed, tmp_path):
    files = {
        "monitoring/__init__.py": "def alarm():\n    return 1\n",
        "tests/test_alarm.py": "from monitoring import alarm\n\ndef test_it():\n    assert alarm() == 1\n",
        "pyproject.toml": PATH.format("."),
    }
    status, said = installed.run("-m", "pytest", "-q", cwd=write(tmp_path, files))
    assert status == 0, said
    assert "1 passed" in said
    assert "hides stepscope's" in said


def test_the_wheels_top_level_names_are_ours(wheels):
    top = {}
    for name, wheel in wheels.items():
        with zipfile.ZipFile(wheel) as archive:
            top[name] = {entry.split("/")[0] for entry in archive.namelist()}
    top = {
        name: {entry for entry in entries if not entry.endswith(".dist-info")}
        for name, entries in top.items()
    }
    assert top == {"stepscope": {"monitoring", "stepscope_pytest.py"}, "function": {"monitoring"}}


# Ways into a bundle: how a build tool puts the wheel beside the function's code.


def by_pip(wheel, build):
    subprocess.run(
        [*PIP, "install", "--upgrade", "--no-deps", "--no-index", "--target", build, wheel], check=True
    )


def by_sam(wheel, build):
    """`sam build` unpacks wheels itself and compiles nothing."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(build)


@pytest.mark.parametrize("distribution", ["stepscope", "function"])
@pytest.mark.parametrize("bundle", [by_pip, by_sam])
@pytest.mark.parametrize("package", ["handlers/__init__.py", "handlers/helper.py"])
def test_a_bundle_keeps_its_own_handlers(wheels, tmp_path, distribution, bundle, package):
    build = tmp_path / "build"
    write(build, {"handlers/charge.py": HANDLER, package: "MINE = 1\n"})
    bundle(wheels[distribution], build)
    bundle(wheels[distribution], build)  # again, as the next build does
    assert (build / package).read_text() == "MINE = 1\n"
    called(build, "handlers.charge")


def called(*path, module="handlers.charge"):
    """Call a handler as Lambda does: the folders on the path, no site-packages, nothing written."""
    code = f"import sys; sys.path[:0] = {[str(folder) for folder in path]!r}\nfrom {module} import handler; handler({{}}, None)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", code],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "|count|shop.orders|#shop:north" in done.stdout
    assert not done.stderr
    return done.stdout


@pytest.mark.parametrize("distribution", ["stepscope", "function"])
def test_a_layers_folder_behind_the_code_is_enough(wheels, tmp_path, distribution):
    by_sam(wheels[distribution], tmp_path / "opt" / "python")
    called(write(tmp_path / "task", {"app.py": HANDLER}), tmp_path / "opt" / "python", module="app")


def test_stepscopes_wheel_can_be_imported_from_as_an_archive(wheels, tmp_path):
    called(write(tmp_path, {"app.py": HANDLER}), wheels["stepscope"], module="app")
