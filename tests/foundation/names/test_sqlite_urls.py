"""A path is never read as a part of a URL, whatever characters it has."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

from minivess.compliance.audit.store.database import Database
from minivess.foundation.errors import UsageError
from minivess.foundation.names.sqlite_urls import check_options, for_mlflow, sqlite_file, sqlite_url
from minivess.foundation.settings import load_settings
from tests.support.properties import example, given, settings, strategies

pytestmark = pytest.mark.verifies("REQ-248")

AWKWARD = (
    "a?b",
    "c%41d",
    "a b ",
    "x#y",
    "größe",
    "it's",
    'say "so"',
    "a&b;c=d",
    "@:p",
    "a\\b",
    "a[x]b",
    "a*b",
    "{x}",
    "%",
    "%%",
    "+",
)
NAMES = strategies.text(
    strategies.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="/"), min_size=1, max_size=12
).filter(lambda name: name not in {".", ".."}) | strategies.sampled_from(AWKWARD)


def _examples[T: Callable[..., object]](test: T) -> T:
    for name in AWKWARD:
        test = example(name)(test)
    return test


@_examples
@given(NAMES)
@settings(max_examples=60)
def test_urls_of_the_settings_name_the_files_in_the_project(name: str) -> None:
    root = Path("/projects") / name
    found = load_settings(root)

    for url, file in ((found.database_url, "audit.db"), (found.mlflow_uri, "mlflow.db")):
        assert sqlite_file(url) == root / "evidence" / file
        assert make_url(url).database == f"{root}/evidence/{file}"
        assert not make_url(url).query
    undecoded = found.mlflow_uri.removeprefix("sqlite:///")  # MLflow makes the folder of this text
    assert undecoded in {f"{root}/evidence/mlflow.db", found.mlflow_uri}


@_examples
@given(NAMES)
@settings(max_examples=60)
def test_the_url_is_the_one_that_sqlalchemy_writes(name: str) -> None:
    file = f"/projects/{name}/audit.db"

    assert sqlite_url(Path(file)) == URL.create("sqlite", database=file).render_as_string()


@pytest.mark.parametrize("name", AWKWARD)
def test_the_database_is_written_and_read_in_the_folder_of_that_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    database = Database(load_settings(folder).database_url, wait=1.0)
    with closing(database):
        database.make_folder()
        with database.writing() as connection:
            connection.exec_driver_sql("CREATE TABLE things (name TEXT)")
            connection.exec_driver_sql("INSERT INTO things VALUES ('one')")
        with database.asking() as reader:
            assert reader.cursor().execute("SELECT name FROM things").fetchall() == [("one",)]

    assert [path.name for path in tmp_path.iterdir()] == [name]
    with closing(sqlite3.connect(folder / "evidence" / "audit.db")) as connection:
        assert connection.execute("SELECT name FROM things").fetchall() == [("one",)]


@pytest.mark.parametrize(
    "url",
    ["postgresql://db/minivess", "sqlite://", "sqlite:///:memory:", "sqlite:///file:a.db?uri=true", "sqlite:///a?b"],
)
def test_other_databases_are_no_file(url: str) -> None:
    assert sqlite_file(url) is None
    assert for_mlflow(url) == url


@pytest.mark.parametrize(
    "url",
    ["sqlite:////x/a?b/audit.db", "sqlite:////x/a?mode=ro", "sqlite+pysqlite:////x/a?", "sqlite:///a?timeout=1&b=2"],
)
def test_a_part_that_sqlite_would_ignore_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="here: ") as refused:
        check_options(url, "here")

    assert "%3F" in refused.value.hint


@pytest.mark.parametrize(
    "url", ["sqlite:////x/a", "sqlite:////x/a?timeout=5", "sqlite:///file:a?mode=ro&uri=true", "https://x/?a"]
)
def test_options_that_exist_are_allowed(url: str) -> None:
    check_options(url, "here")
