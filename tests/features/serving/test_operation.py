"""Steps of features/operation.feature."""

from __future__ import annotations

import socket
import sqlite3
from pathlib import Path
from typing import Any, NoReturn

import pytest
from click.testing import CliRunner
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.main import app
from minivess.compliance.audit.log import AuditLog
from minivess.compliance.audit.store.database import Database
from minivess.foundation.errors import CouldNotCheckError, InputError
from tests.support import projects
from tests.support.builders import audit_logs
from tests.support.builders.audit_logs import Desk

scenarios("operation.feature")


@given("a log", target_fixture="desk")
def _(tmp_path: Path) -> Desk:
    desk = audit_logs.start(tmp_path)
    desk.log.close()
    return desk


@when("its store is said to be of a newer version", target_fixture="before")
def _(desk: Desk) -> list[str]:
    with sqlite3.connect(store(desk)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    return dump(desk)


def store(desk: Desk) -> Path:
    return desk.folder / "evidence" / "audit.db"


def dump(desk: Desk) -> list[str]:
    with sqlite3.connect(store(desk)) as connection:
        return list(connection.iterdump())


@then("opening it is refused, and its bytes are what they were")
def _(desk: Desk, before: list[str]) -> None:
    with pytest.raises(InputError, match="9999"):
        desk.reopened()
    with pytest.raises(CouldNotCheckError, match="version"):
        AuditLog.open(desk.url, log_signer=None)
    assert dump(desk) == before


@given("an empty store", target_fixture="database")
def _(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path / 'audit.db'}", wait=1.0)


@when("its upgrade is interrupted")
def _(database: Database) -> None:
    def interrupted() -> None:
        with database.writing() as connection:
            database.migrate(connection)
            raise OSError(28, "No space left on device")

    with pytest.raises(CouldNotCheckError):
        interrupted()


@then("the store is as it was, and can be upgraded later")
def _(database: Database) -> None:
    with database.asking() as connection:
        assert database.revision(connection) is None
    with database.writing() as connection:
        database.migrate(connection)
    with database.asking() as connection:
        assert not database.outdated(connection)


@given("that no connection can be opened")
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> NoReturn:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@when("a user starts a project and reads its log", target_fixture="size")
def _(tmp_path: Path) -> int:
    project = projects.start(tmp_path / "project", source=projects.write_tiny_tree(tmp_path / "source"))
    with project.services() as services:
        return services.log.size


@then("it works")
def _(size: int) -> None:
    assert size == 1


@when(parsers.parse('a user asks for the help of "{command}"'), target_fixture="said")
def _(command: str) -> str:
    return " ".join(CliRunner().invoke(app, [*command.split(), "--help"]).output.split())


@then("the help states that it listens on loopback by default")
def _(said: str) -> None:
    assert "[default: 127.0.0.1]" in said
