"""What holds for every test: a machine of its own, and passphrases that are derived once. Rooms have their own fixtures."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from minivess.compliance.identity.keystores import keyfile
from minivess.foundation import provenance
from tests.support.machines import machine

# Hundreds of tests start a process. Where Python may not keep what it compiled, each compiles every library again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Where tests run in a process a core, threads that wait for one another take the time of other tests.
if "PYTEST_XDIST_WORKER" in os.environ:
    for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(_threads, "1")

# No test touches the profile of whoever runs it, not even while test files are imported.
_SESSION_PROFILE = tempfile.TemporaryDirectory(prefix="minivess-tests-")
os.environ["XDG_DATA_HOME"] = _SESSION_PROFILE.name

collect_ignore = ["fixtures"]
"""Projects in there have tests of their own, which run in copies."""

# Collecting makes hundreds of thousands of objects that all stay: the collector would look through them again and again.
gc.disable()


def pytest_collection_finish() -> None:
    """Collect garbage from now on, as seldom as the command line does, and leave out what was made so far."""
    gc.enable()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


_LONGEST = ("yardstick", "features", "integration", "workflows", "serving")
"""Rooms with the files that take longest: they come first, so that no process waits for the last of them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files."""
    folder = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        room = item.path.relative_to(folder).parts[0] if item.path.is_relative_to(folder) else ""
        return _LONGEST.index(room) if room in _LONGEST else len(_LONGEST)

    items.sort(key=rank)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """As many processes as there are processors, and none beside this one where a single file or test is run."""
    one = len(config.args) == 1 and config.args[0].partition("::")[0].endswith(".py")
    return 0 if one else len(os.sched_getaffinity(0))


@pytest.fixture(scope="session", autouse=True)
def remembered_derivations() -> Iterator[None]:
    """Argon2id is meant to be slow: each passphrase is derived once for each salt, whatever project was copied."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keyfile, "_derive", cache(keyfile._derive))
        yield


@pytest.fixture(scope="session", autouse=True)
def remembered_source_tree() -> Iterator[None]:
    """Most projects of the tests have this tree as their source: what git says of it is asked once a session.

    No test changes this tree. Trees that tests make themselves are asked about each time.
    """
    tree = Path(__file__).resolve().parents[1]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("git", "repository_of"):
            patch.setattr(provenance, name, _remembered_for(tree, getattr(provenance, name)))
        yield


def _remembered_for(tree: Path, ask: Callable[..., Any]) -> Callable[..., Any]:
    """A function of a folder that asks about one folder once."""
    remembered = cache(lambda *arguments: ask(tree, *arguments))

    def answer(folder: Path, *arguments: str) -> Any:
        return remembered(*arguments) if folder == tree else ask(folder, *arguments)

    return answer


@pytest.fixture(scope="module", autouse=True)
def module_profile_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty profile for the fixtures of one test file."""
    home = tmp_path_factory.mktemp("profile")
    with machine(home):
        yield home


@pytest.fixture(autouse=True)
def profile_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty profile for one test and the processes it starts."""
    home = tmp_path_factory.mktemp("profile")
    with machine(home):
        yield home
