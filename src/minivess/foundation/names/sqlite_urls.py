"""Paths of SQLite files in URLs (RFC 3986 section 2.1): a character of a path is never read as a part of the URL.

The URLs are those that `sqlalchemy.URL.create` writes and `sqlalchemy.make_url` reads, without loading SQLAlchemy.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements

_PLAIN = "sqlite:///"
_WITH_DRIVER = "sqlite+pysqlite:///"
_OPTIONS = frozenset({"cached_statements", "check_same_thread", "detect_types", "isolation_level", "timeout", "uri"})
"""What SQLAlchemy hands to the driver `pysqlite`; it ignores all others, unless `uri` is among them."""


@implements("REQ-248")
def sqlite_url(file: Path) -> str:
    """The SQLAlchemy URL of an SQLite file; `sqlite_file` gives the file again.

    Args:
        file: absolute, or relative to the working folder of the process that opens it.
    """
    return _PLAIN + quote(str(file), safe=" +/")


@implements("REQ-248")
def for_mlflow(url: str) -> str:
    """A URL of the same SQLite file that MLflow takes as it is.

    MLflow makes the folder that the text after `sqlite:///` names, and does not decode it first. A URL with encoded
    characters therefore also names the driver; MLflow leaves the folder of such a URL to others.
    """
    return _WITH_DRIVER + url.removeprefix(_PLAIN) if url.startswith(_PLAIN) and "%" in url else url


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite URL without options; None for any other database, and for one in memory."""
    start = next((one for one in (_PLAIN, _WITH_DRIVER) if url.startswith(one)), None)
    if start is None or "?" in url:
        return None
    file = unquote(url.removeprefix(start))
    return None if file in {"", ":memory:"} or file.startswith("file:") else Path(file)


@implements("REQ-248")
def check_options(url: str, what: str) -> None:
    """Refuse an SQLite URL with a part that SQLAlchemy would ignore, for example a path with a question mark in it.

    Args:
        url: of any database.
        what: names the URL in the error.

    Raises:
        UsageError: a part after the question mark is no option of SQLite.
    """
    scheme, _, rest = url.partition(":")
    _, mark, query = rest.partition("?")
    if scheme.partition("+")[0] != "sqlite" or not mark:
        return
    names = [name for name, _ in parse_qsl(query, keep_blank_values=True)]
    unknown = [name for name in names if name not in _OPTIONS] if "uri" not in names else []
    if unknown or not names:
        raise UsageError(
            f"{what}: {(unknown or [query])[0]!r} after the question mark is no option of SQLite",
            hint="write a question mark that belongs to the path as %3F",
        )
