"""Projects that several scenarios start from, made once a session and copied."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from minivess.compliance.identity import keyfile
from tests.support import projects
from tests.support.servers.postgres import Server

SOURCE = Path(__file__).resolve().parents[1]

# Hundreds of tests start a process. Where Python may not keep what it compiled, each compiles every library again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# No test touches the profile of whoever runs it. What lives for a session sees this one, each test one of its own.
_SESSION_PROFILE = tempfile.TemporaryDirectory(prefix="minivess-tests-")
os.environ["XDG_DATA_HOME"] = projects.SESSION_PROFILE = _SESSION_PROFILE.name


@pytest.fixture(scope="session", autouse=True)
def remembered_derivations() -> Iterator[None]:
    """Argon2id is meant to be slow: each passphrase is derived once for each salt, whatever project was copied."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keyfile, "_derive", cache(keyfile._derive))
        yield


@pytest.fixture(autouse=True)
def profile_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty XDG_DATA_HOME for one test and the processes it starts."""
    home = tmp_path_factory.mktemp("profile")
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server. Without one the tests fail, unless somebody chose to leave them out."""
    if os.environ.get("MINIVESS_TESTS_WITHOUT_POSTGRES") == "1":
        pytest.skip("MINIVESS_TESTS_WITHOUT_POSTGRES leaves out what needs PostgreSQL")
    server = Server()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def started_project(tmp_path_factory: pytest.TempPathFactory) -> projects.ProjectFolder:
    """A project with people and a log; copy it before changing it."""
    with projects.machine(tmp_path_factory.mktemp("profile")):
        return projects.start(tmp_path_factory.mktemp("started") / "project", source=SOURCE)


@pytest.fixture(scope="session")
def sealed_project(tmp_path_factory: pytest.TempPathFactory) -> projects.ProjectFolder:
    """A project whose test part is sealed and whose toy model is exported; copy it before changing it."""
    with projects.machine(tmp_path_factory.mktemp("profile")):
        project = projects.start(tmp_path_factory.mktemp("sealed") / "project", source=SOURCE)
        projects.seal(project)
        projects.add_toy_training(project)
        projects.export_toy_model(project)
    return project


@pytest.fixture(scope="session")
def releasable_project(tmp_path_factory: pytest.TempPathFactory) -> projects.ProjectFolder:
    """A project on a tiny source tree that has everything a release needs; copy it before changing it."""
    folder = tmp_path_factory.mktemp("releasable")
    with projects.machine(tmp_path_factory.mktemp("profile")):
        project = projects.start(folder / "project", source=projects.write_tiny_tree(folder / "source"))
        policy = project.workspace.root / "release" / "policy.yaml"
        policy.parent.mkdir()
        policy.write_text(projects.POLICY, encoding="utf-8")
        projects.seal(project)
        projects.add_toy_training(project)
        projects.export_toy_model(project)
        projects.evaluate_and_verify(project)
    return project


@pytest.fixture
def postgres_url(postgres: Server) -> str:
    """SQLAlchemy URL of an empty database on PostgreSQL."""
    return postgres.new_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """SQLAlchemy URL of an empty database, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'audit.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url
