"""Damaged files of each format, and files that promise more than they have, end in a refusal within little memory."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from minivess.ml.reading import single_image
from tests.support.builders import specimens
from tests.support.builders.hostile_files import PROMISES
from tests.support.servers import served

pytestmark = pytest.mark.verifies("SU-43", "REQ-175", "REQ-460")

SEED = 19
MEMORY = 48 << 20
"""What a refusal may take at most: twice the body that is taken, what the parser holds, and what an archive may unpack to."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where images are written while they are read; nothing is left there."""
    place = tmp_path / "memory"
    place.mkdir()
    monkeypatch.setattr(single_image, "SHARED_MEMORY", place)
    yield place
    assert list(place.iterdir()) == []


@pytest.fixture(autouse=True)
def nothing_is_printed(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert "Traceback" not in "".join(capfd.readouterr()) + caplog.text


def totals(service: served.Service) -> int:
    """Entries and counts so far."""
    return sum(service.counts().values()) + len(service.entries())


@pytest.mark.parametrize("what", PROMISES)
def test_a_file_that_promises_too_much_is_refused_in_little_memory(service: served.Service, what: str) -> None:
    data = PROMISES[what]()
    service.send(data)  # what is loaded once
    before = totals(service)
    tracemalloc.start()
    response = service.send(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert response.status_code in {400, 413}, response.text
    assert response.json()["decision"] == "refused"
    assert totals(service) - before == 1
    assert peak < MEMORY


IMAGES = [kind for kind in specimens.KINDS if not kind.endswith(("xml", "csv", "seg.dcm"))]


@pytest.mark.parametrize("kind", IMAGES)
def test_damaged_files_of_each_format_are_refused(service: served.Service, kind: str) -> None:
    chance = random.Random(f"{SEED} {kind}")  # noqa: S311
    for _ in range(6):
        data, before = specimens.damage(specimens.valid(kind), chance), totals(service)
        response = service.post(data, {})
        assert response.status_code in {400, 422}, response.text
        assert response.json()["decision"] == "refused"
        assert totals(service) - before == 1
