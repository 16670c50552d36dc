"""Where a site is written: in place of a site of ours, whole or not at all, and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from minivess.foundation.errors import CannotWriteError, InputError, UsageError
from tests.support.builders.trace_data import empty_trace, make_item, make_trace
from tests.support.html_pages import digests_of
from tests.support.trace_site import write_site

pytestmark = pytest.mark.verifies("SU-24")


@pytest.mark.parametrize("change", [{"format": "minivess-trace/1"}, {"format": None}])
def test_another_format_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a format"):
        write_site(empty_trace() | change, tmp_path / "site")
    assert not list(tmp_path.iterdir())


def test_an_id_that_stands_twice_is_refused(tmp_path: Path) -> None:
    twice = [make_item("REQ-001", "software-requirement", "One"), make_item("REQ-001", "software-requirement", "Two")]
    with pytest.raises(InputError, match="twice"):
        write_site(empty_trace() | {"items": twice}, tmp_path / "site")


def test_a_site_is_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    write_site(make_trace(120), folder)
    assert (folder / "items" / "REQ-100.html").exists()
    write_site(make_trace(10), folder)
    assert not (folder / "items" / "REQ-100.html").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    write_site(empty_trace(), folder)
    assert (folder / "index.html").exists()


@pytest.mark.parametrize("marker", [None, "{}", "no json", '{"format": "minivess-site/1"}', '["minivess-site/1"]'])
def test_a_folder_that_is_not_ours_is_left_alone(marker: str | None, tmp_path: Path) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter.txt").write_text("years of work", encoding="utf-8")
    if marker is not None:
        (folder / "site.json").write_text(marker, encoding="utf-8")
    with pytest.raises(UsageError, match=r"chapter\.txt"):
        write_site(make_trace(), folder)
    assert (folder / "chapter.txt").read_text(encoding="utf-8") == "years of work"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis"]


def test_a_site_somebody_put_notes_into_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    write_site(make_trace(), folder)
    (folder / "items" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="notes"):
        write_site(make_trace(), folder)
    assert (folder / "items" / "notes.txt").exists()


def test_a_file_or_a_link_in_the_place_of_the_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    (tmp_path / "away").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "away")
    for name in ("file", "link"):
        with pytest.raises(UsageError, match="not a folder"):
            write_site(make_trace(), tmp_path / name)


def test_a_disk_that_is_full_leaves_the_old_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "site"
    write_site(make_trace(10), folder)
    before = digests_of(folder)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotWriteError, match="No space left"):
        write_site(make_trace(20), folder)
    assert digests_of(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_folder_that_cannot_be_put_in_place_leaves_the_old_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site"
    write_site(make_trace(10), folder)
    before = digests_of(folder)
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name.startswith(".site.new.") and not self.name.endswith(".old"):
            raise OSError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(CannotWriteError, match="Permission denied"):
        write_site(make_trace(20), folder)
    monkeypatch.undo()
    assert digests_of(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
