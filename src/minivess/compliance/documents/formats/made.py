"""The other formats of documents that this installation can make, and how each is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from minivess.compliance.documents.formats.docx import docx_of
from minivess.compliance.documents.formats.pdf import Imprint, pdf_of
from minivess.compliance.documents.model.blocks import DocumentModel
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.foundation.processes.processors import usable_processors
from minivess.records.device.project import Project

EXTRA = "documents"
"""The extra that brings what these formats need."""
_NEEDS = ("pypandoc", "typst")


@dataclass(frozen=True)
class Format:
    """A format of documents."""

    suffix: str
    title: str
    make: Callable[[DocumentModel, Imprint, Mapping[str, bytes], Path], bytes]
    """From the model, the imprint, the files of the pack, and the reference document for DOCX."""


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "docx": Format("docx", "DOCX", docx_of),
        "pdf": Format("pdf", "PDF", lambda model, imprint, files, _: pdf_of(model, imprint, files)),
    }
)
"""By suffix."""


@implements("REQ-507")
def available() -> tuple[str, ...]:
    """The suffixes of the formats that can be made here; none without the extra `documents`."""
    return tuple(FORMATS) if all(find_spec(name) is not None for name in _NEEDS) else ()


@implements("REQ-507")
def formats_of(project: Project) -> tuple[str, ...]:
    """The suffixes of the formats of a release: those that the project file asks for; else all that can be made here."""
    asked = None if project.documents is None else project.documents.formats
    return available() if asked is None else tuple(one for one in FORMATS if one in asked)


@implements("REQ-505", "REQ-506", "REQ-507")
def in_formats(
    suffixes: Iterable[str],
    models: Iterable[DocumentModel],
    imprint: Imprint,
    files: Mapping[str, bytes],
    reference: Path,
) -> dict[str, bytes]:
    """Each document in some formats, by file name.

    Args:
        suffixes: of the formats.
        models: the documents.
        imprint: what running heads and metadata state.
        files: of the pack, by name relative to `data/`: pictures.
        reference: the DOCX with the styles.

    Raises:
        UsageError: this installation cannot make one of the formats.
        CouldNotCheckError: a document cannot be written in a format.
        InputError: a picture is missing, or the reference is no DOCX.
    """
    asked = tuple(suffixes)
    lacking = [one for one in asked if one not in available()]
    if lacking:
        raise UsageError(
            f"documents in {', '.join(lacking)} cannot be made here",
            hint=f"install the extra `{EXTRA}`: minivess[{EXTRA}]",
        )
    wanted = [(model, suffix) for model in models for suffix in asked]
    with ThreadPoolExecutor(
        max(1, usable_processors())
    ) as pool:  # pandoc is a process of its own, and typst no Python code
        made = pool.map(lambda one: FORMATS[one[1]].make(one[0], imprint, files, reference), wanted)
        return {f"{model.name}.{suffix}": content for (model, suffix), content in zip(wanted, made, strict=True)}
