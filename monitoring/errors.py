"""Define the errors that a user can correct: what is wrong, where, and how to fix it."""

import contextlib
from collections.abc import Iterator


class InputError(Exception):
    """Raised for invalid input; a command then exits with status 2.

    Args:
        message: what is wrong, in one sentence.
        where: the file, line and column (`monitors/failed.json:12:5`), setting or resource; "" for none.
        hint: how to fix it: the flag, key or file to change.
    """

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        prefix = f"{self.where}: " if self.where else ""
        return f"{prefix}{self.message}" + (f"\n  {self.hint}" if self.hint else "")

    def as_data(self) -> dict[str, str]:
        """Return the error as `--json` prints it."""
        return {"message": self.message, "where": self.where, "hint": self.hint}


@contextlib.contextmanager
def writing(path: object) -> Iterator[None]:
    """Convert an OSError of writing a file, such as a missing folder, to an InputError."""
    try:
        yield
    except OSError as error:
        filename = str(error.filename or path)
        raise InputError(f"cannot be written: {error.strerror or error}", where=filename) from None


EXTRAS = {
    "forwarder": "aws_lambda_powertools backports boto3 botocore click isal msgspec",
    "lint": "click datadog dateutil fontpkg_arimo fontpkg_roboto_mono jsonschema_rs markdown_it msgspec "
    "numpy resvg_py rich urllib3 yaml",
    "local": "PIL aws_lambda_powertools awslambdaric backports boto3 botocore click dateutil duckdb flask "
    "flask_cors hcl2 isal jsonata lark moto msgspec numpy rich samtranslator starlette uvicorn werkzeug yaml",
}
"""The extras of pyproject.toml, and the modules of each that the package imports."""


def missing_module(error: ImportError, needed_by: str, extra: str) -> InputError | None:
    """Return an error that names the extra to install, or None if the module is in no extra.

    Args:
        error: the exception of the import.
        needed_by: the command, fixture or file that needs the module.
        extra: the extra to name; another one is named if the module is not in it.
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
