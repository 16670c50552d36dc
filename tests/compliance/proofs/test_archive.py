"""The canonical archive: other tools can read it, and no byte of it can change."""

from __future__ import annotations

import io
import zipfile

import pytest

from minivess.compliance.proofs.archive import read_archive, write_archive
from minivess.foundation.errors import InputError, VerificationError
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("REQ-038", "REQ-040", "RC-13", "SU-06")

FILES = {"bagit.txt": b"x", "data/a.json": b"{}", "data/empty": b"", "data/models/m.onnx": bytes(range(256))}
NAMES = st.lists(st.text("abcXYZ019_-", min_size=1, max_size=6), min_size=1, max_size=3).map("/".join)


def test_other_tools_read_it() -> None:
    with zipfile.ZipFile(io.BytesIO(write_archive(FILES))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == FILES
        assert {item.date_time for item in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@given(st.dictionaries(NAMES, st.binary(max_size=40), min_size=1, max_size=6))
def test_files_come_back_and_order_does_not_matter(files: dict[str, bytes]) -> None:
    try:
        data = write_archive(files)
    except InputError:
        return  # names that collide
    assert read_archive(data) == files
    assert write_archive(dict(reversed(files.items()))) == data


def test_every_single_byte_counts() -> None:
    data = write_archive(FILES)
    for position in range(len(data)):
        for flip in (0x01, 0x80, 0xFF):
            changed = bytearray(data)
            changed[position] ^= flip
            with pytest.raises((InputError, VerificationError)):
                read_archive(bytes(changed))


@settings(max_examples=50)
@given(st.data())
def test_no_part_can_be_cut_out_or_put_in(data: st.DataObject) -> None:
    archive = write_archive(FILES)
    start = data.draw(st.integers(0, len(archive) - 1))
    length = data.draw(st.integers(1, len(archive)))
    with pytest.raises((InputError, VerificationError)):
        read_archive(archive[:start] + archive[start + length :])
    with pytest.raises((InputError, VerificationError)):
        read_archive(archive[:start] + b"\x00" * length + archive[start:])


def test_the_changed_file_is_named() -> None:
    data = write_archive(FILES)
    changed = data.replace(b"{}", b"[]", 1)
    with pytest.raises(VerificationError, match=r"data/a\.json"):
        read_archive(changed)


def test_an_archive_of_another_writer_is_refused() -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for name, content in FILES.items():
                archive.writestr(name, content * 50)
        with pytest.raises(VerificationError):
            read_archive(buffer.getvalue())


@pytest.mark.parametrize(
    "name", ["/a", "../a", "a/../b", "a//b", "a\\b", "C:a", "a\nb", "ä", "", "a/", ".", "a.", " a", "x" * 300]
)
def test_dangerous_names_are_refused(name: str) -> None:
    with pytest.raises(InputError):
        write_archive({name: b""})


@pytest.mark.parametrize("names", [("a", "A"), ("a", "a/b"), ("x/Y/z", "X/y")])
def test_names_that_collide_on_some_system_are_refused(names: tuple[str, str]) -> None:
    with pytest.raises(InputError):
        write_archive(dict.fromkeys(names, b""))


def test_what_is_no_zip_is_an_input_error() -> None:
    for data in (b"", b"PK", b"hello", b"PK\x05\x06" + b"\x00" * 18):
        with pytest.raises(InputError, match="not a zip"):
            read_archive(data)
