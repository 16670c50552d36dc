"""What listens, listens on this machine alone unless told otherwise; ordinary work opens no connection."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, NoReturn

import pytest
import uvicorn
from click.testing import CliRunner
from fastapi import FastAPI

from minivess.cli.main import app
from minivess.serving import server
from tests import projects


@pytest.mark.verifies("REQ-114")
def test_the_service_listens_on_loopback_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, int]] = []
    monkeypatch.setattr(uvicorn, "run", lambda _app, *, host, port, **_: told.append((host, port)))
    server.serve(FastAPI())
    server.serve(FastAPI(), host="192.0.2.1", port=9000)
    assert told == [("127.0.0.1", 8000), ("192.0.2.1", 9000)]


@pytest.mark.verifies("REQ-114")
@pytest.mark.parametrize("command", [["serve"], ["witness", "serve"]])
def test_the_commands_say_so(command: list[str]) -> None:
    said = CliRunner().invoke(app, [*command, "--help"]).output
    assert "[default: 127.0.0.1]" in " ".join(said.split())


@pytest.mark.verifies("REQ-114")
def test_a_project_that_names_no_server_is_worked_on_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> NoReturn:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    project = projects.start(tmp_path / "project", source=projects.write_tiny_tree(tmp_path / "source"))
    with project.services() as services:
        assert services.log.size > 0
