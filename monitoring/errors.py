"""The errors that a user can correct: what is wrong, where, and what to do next."""

import contextlib
from collections.abc import Iterator


class InputError(Exception):
    """Something the user gave cannot be used; the command ends with status 2.

    Args:
        message: what is wrong, in one sentence.
        where: the place, as people write it (`monitors/failed.json:12:5`), where there is one.
        hint: the next step: the flag, key or file to change.
    """

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.message}" + (f"\n  {self.hint}" if self.hint else "")

    def as_data(self) -> dict[str, str]:
        """Return the error as `--json` prints it."""
        return {"message": self.message, "where": self.where, "hint": self.hint}


@contextlib.contextmanager
def writing(path: object) -> Iterator[None]:
    """Report what prevents a file from being written, such as a missing folder, as wrong input."""
    try:
        yield
    except OSError as error:
        place = str(error.filename or path)
        raise InputError(f"cannot be written: {error.strerror or error}", where=place) from None


EXTRAS = {
    "forwarder": "aws_lambda_powertools backports boto3 botocore click isal msgspec",
    "lint": "click datadog dateutil fontpkg_arimo fontpkg_roboto_mono jsonschema_rs markdown_it msgspec "
    "numpy resvg_py rich urllib3 yaml",
    "local": "PIL aws_lambda_powertools awslambdaric backports boto3 botocore click dateutil duckdb flask "
    "flask_cors hcl2 isal jsonata lark moto msgspec numpy rich samtranslator starlette uvicorn werkzeug yaml",
}
"""The extras of pyproject.toml, and the modules that the package imports of each."""


def missing_module(error: ImportError, needed_by: str, extra: str) -> InputError | None:
    """Return what to install where a module is missing, or None where the error is another one.

    Args:
        error: what an import raised.
        needed_by: the command, fixture or file that cannot work without the module.
        extra: the extra with all that it needs; another one is named if the module is not in it.
    """
    module = (error.name or "").partition(".")[0]
    if module == "monitoring":
        return InputError(
            f"the installation of stepscope is incomplete: {error}",
            hint="Install it again: pip install --force-reinstall --no-deps stepscope",
        )
    extras = [name for name in (extra, *EXTRAS) if module in EXTRAS.get(name, module).split()]
    if not extras:
        return None
    return InputError(
        f"{needed_by} needs {module}, which is not installed",
        hint=f'Install it: pip install "stepscope[{extras[0]}]"',
    )
