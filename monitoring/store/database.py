"""Open the DuckDB file, and report what is wrong with it as an InputError."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb

from monitoring.errors import InputError
from monitoring.query.datafile import is_database
from monitoring.store import schema

_BROKEN = re.compile(
    "not a valid DuckDB|Corrupt database file|Could not read enough bytes|[Ss]erializ|checksum", re.IGNORECASE
)


def connect(path: Path | None, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Connect to the file (or to memory) and create the tables.

    Raises:
        InputError: the file is not a database of stepscope, is locked by another process, or is unreachable.
    """
    if path is None:
        connection = duckdb.connect(":memory:")
        _create(connection)
        return connection
    existed = path.exists() and path.stat().st_size > 0
    if read_only and not existed:
        raise InputError(
            "the database does not exist", where=str(path), hint="Start `stepscope serve` first."
        )
    try:
        if existed and path.is_file() and not is_database(path):
            raise _broken(path)  # DuckDB would make views of a CSV, JSON or Parquet file
        connection = duckdb.connect(str(path), read_only=read_only)
    except (duckdb.Error, RuntimeError, OSError) as error:
        raise _explain(path, error) from error
    try:
        _check(connection, path, existed=existed, read_only=read_only)
    except BaseException:
        connection.close()
        raise
    return connection


def _create(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("BEGIN")
    for statement in schema.statements():
        connection.execute(statement)
    if not connection.execute("SELECT 1 FROM store_version").fetchall():
        connection.execute("INSERT INTO store_version VALUES (?)", [schema.VERSION])
    connection.execute("COMMIT")


def _check(connection: duckdb.DuckDBPyConnection, path: Path, *, existed: bool, read_only: bool) -> None:
    if existed:
        tables = {row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        if tables and "store_version" not in tables:
            raise InputError(
                "this is a DuckDB database, but not one of stepscope's",
                where=str(path),
                hint="Give another file name.",
            )
    if not read_only:
        _create(connection)
    version = connection.execute("SELECT max(version) FROM store_version").fetchall()[0][0]
    if version != schema.VERSION:
        raise InputError(
            f"the database has format {version}, this stepscope reads format {schema.VERSION}",
            where=str(path),
            hint="Give another file name, or use the version of stepscope that wrote it.",
        )


@contextlib.contextmanager
def explained(path: Path | None) -> Iterator[None]:
    """Convert DuckDB's errors about a damaged file to an InputError."""
    try:
        yield
    except duckdb.Error as error:
        if path is None or not _BROKEN.search(str(error)):
            raise
        raise _broken(path) from error


def _broken(path: Path) -> InputError:
    return InputError(
        "the file is not a DuckDB database, or it is damaged",
        where=str(path),
        hint="Move it away to start with an empty one, or give another file name.",
    )


def _explain(path: Path, error: Exception) -> InputError:
    text = str(error).splitlines()[0]
    if lock := re.search(r"Conflicting lock is held in (.*?)(?: by.*)?\(?PID (\d+)", text):
        return InputError(
            f"the database is in use by another process (PID {lock[2]})",
            where=str(path),
            hint="Stop that process, or give another file name: only one process at a time can open it. "
            "A running `stepscope serve` answers `stepscope query --url`.",
        )
    if path.is_dir():
        return InputError("this is a folder, not a database", where=str(path), hint="Give a file name.")
    if _BROKEN.search(str(error)):
        return _broken(path)
    if not path.parent.is_dir():
        return InputError("the folder does not exist", where=str(path.parent), hint="Create it first.")
    if "ermission denied" in text:
        return InputError(
            "no permission to open the database", where=str(path), hint="Give a file that you may write."
        )
    return InputError(
        f"the database cannot be opened ({text})", where=str(path), hint="Give another file name."
    )
