"""What packages of a model contain: a copy of this software, and how folders are told apart and put in place."""

from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path

import minivess
from minivess.foundation.digests import Digest, digest_file, digest_json
from minivess.foundation.errors import CannotWriteError
from minivess.foundation.files import make_folder
from minivess.foundation.paths import templates_folder
from minivess.workflows.bento.requirements import OWN

TEMPLATES = "templates"
_COMPILED = shutil.ignore_patterns("__pycache__", "*.pyc")


def digest_of_folder(folder: Path) -> tuple[Digest, int]:
    """The digest of the names and digests of all files of a folder, and how many there are."""
    found = {
        path.relative_to(folder).as_posix(): digest_file(path) for path in sorted(folder.rglob("*")) if path.is_file()
    }
    return digest_json(found), len(found)


def copy_code(context: Path) -> Digest:
    """Copy this software as it is installed, with its version for those who ask for it; returns the digest of the code."""
    code = context / OWN
    shutil.copytree(Path(str(minivess.__path__[0])), code, ignore=_COMPILED)
    if not (code / TEMPLATES).is_dir():  # an installation from the source tree has them beside the code
        shutil.copytree(templates_folder(), code / TEMPLATES, ignore=_COMPILED)
    digest, _ = digest_of_folder(code)
    number = version(OWN)
    told = context / f"{OWN}-{number}.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {OWN}\nVersion: {number}\n", encoding="utf-8")
    return digest


def place(made: Path, out: Path) -> None:
    """Copy a folder to where it was asked for; a copy that fails leaves nothing.

    Raises:
        CannotWriteError: it cannot be written.
    """
    beside = out.with_name(f".{out.name}.new")
    try:
        make_folder(out.parent)
        shutil.copytree(made, beside)
        beside.rename(out)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise CannotWriteError(f"the package cannot be written: {error.strerror or error}") from error
