"""The layout of a pack: which files it must and may have under `data/`, and which entry made each.

The table is published as `layout-2.json`, in this folder and in every pack. A `*` in a name matches one or more
characters. The first row that fits a file counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from minivess.compliance.release.chain import JudgedChain
from minivess.compliance.release.pack_files import export_of
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import VerificationError
from minivess.foundation.implements import implements
from minivess.foundation.reading.packaged_tables import packaged_text
from minivess.records.base import Record
from minivess.records.device.preparation import LAYOUT, ReleasePrepared
from minivess.records.references import ROLES

DATA: Final = "data/"
UNBOUND: Final = ("audit/", "lineage/")
"""Folders that the payload manifest leaves out: they hold the entry that binds it."""
SBOM: Final = "bom/sbom.cdx.json"
"""The bill of materials, which the preparation names by its digest."""
FIGURES: Final = "evaluation/figures/"
"""The folder of the pictures of an evaluation: each that the entry names is in the pack."""
EXPORT: Final = "models/export.json"
"""The record of the exported model; the graphs that it names are in its folder."""
_STAR = "*"


Basis = Literal["derived", "release verify", "deep", "attested"]
"""`derived`: both verifiers derive it again. `release verify`: that command derives or compares it again, and `verify.py` its
digest. `deep`: `release verify --deep` makes it again. `attested`: it is taken as the build states it."""


class LayoutRow(Record):
    """One file, or several of a kind."""

    file: str
    """Relative to `data/`."""
    count: Literal["one", "some", "any"]
    """`some`: one or more. `any`: none, one or more."""
    made_by: str | None = None
    """The role of the entry whose output the file is, a key of `ROLES`; None: the build derives it."""
    output: str | None = None
    """The name of that output; its `*` stands for what the `*` of `file` stands for."""
    basis: Basis = "deep"
    """What shows that the file is right, where no entry made it and it is no part of the log."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.made_by is None) != (self.output is None) or (self.made_by or "run") not in ROLES:
            raise ValueError("a file that an entry made names the role of the entry and the output")
        stars = self.file.count(_STAR)
        if stars > 1 or self.count == ("some", "one")[stars] or (self.output or self.file).count(_STAR) != stars:
            raise ValueError("several files have one `*`, and a single file none")
        return self

    def fit(self, name: str) -> str | None:
        """What the `*` stands for in a file of this row; empty for a single file, None for a file of another row."""
        before, star, after = self.file.partition(_STAR)
        if not star:
            return "" if name == self.file else None
        fits = len(name) > len(before) + len(after) and name.startswith(before) and name.endswith(after)
        return name[len(before) : len(name) - len(after)] if fits else None


class Layout(Record):
    """A published table."""

    format: Literal["minivess-layout/1"]
    layout: Literal[2]
    files: tuple[LayoutRow, ...] = Field(min_length=1)

    def row(self, name: str) -> LayoutRow | None:
        """The row of a file, by its name relative to `data/`; None when the layout has no such file."""
        return next((row for row in self.files if row.fit(name) is not None), None)


@dataclass(frozen=True)
class PayloadManifest:
    """A line of SHA-256 and name for each file that a preparation binds, in order of name. It is not in the pack."""

    text: bytes
    files: int

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> Self:
        """The manifest of a pack's files.

        Args:
            files: content by name, with `data/`; files outside it, and those in `UNBOUND`, do not count.
        """
        lines = [f"{digest_bytes(files[DATA + name]).removeprefix('sha256:')}  {name}\n" for name in bound_files(files)]
        return cls("".join(lines).encode("utf-8"), len(lines))

    @property
    def digest(self) -> str:
        """What the entry names."""
        return digest_bytes(self.text)


def layout_text(number: int = LAYOUT) -> str:
    """The published table, as packs have it."""
    return packaged_text(__package__, f"layout-{number:d}.json")


@cache
def layout(number: int = LAYOUT) -> Layout:
    """A published table by its number."""
    return Layout.model_validate(json.loads(layout_text(number)))


def bound_files(files: Mapping[str, bytes]) -> Iterator[str]:
    """The names of the files that a payload manifest has, relative to `data/`, in order."""
    return (name for name in _payload(files) if not name.startswith(UNBOUND))


def _payload(files: Mapping[str, bytes]) -> Iterator[str]:
    return (name.removeprefix(DATA) for name in sorted(files) if name.startswith(DATA))


@implements("REQ-228", "RC-97")
def check_files(files: Mapping[str, bytes], prepared: ReleasePrepared, chain: JudgedChain) -> str:
    """Compare the files of a pack with its layout, with the entries that made them, and with its payload manifest.

    Args:
        files: content by name, with `data/`.
        prepared: what the last entry of the log says.
        chain: the entries that the release rests on.

    Returns:
        In words what holds.

    Raises:
        VerificationError: names the first file that is missing, superfluous, or not the one that the entry made; or the
            files are not those that were prepared.
    """
    check_layout(files)
    table = f"{DATA}verify/layout-{prepared.layout}.json"
    if files[table] != layout_text(prepared.layout).encode("utf-8"):
        raise VerificationError(f"{table} is not the published table of layout {prepared.layout}")
    check_made(files, chain)
    check_graphs(files)
    manifest = PayloadManifest.of(files)
    if (manifest.digest, manifest.files) != (prepared.manifest, prepared.files):
        raise VerificationError(
            f"the {manifest.files} files of the pack have the manifest {manifest.digest}, the release was prepared with "
            f"{prepared.files} files and the manifest {prepared.manifest}"
        )
    bill = digest_bytes(files[DATA + SBOM])
    if bill != prepared.sbom:
        raise VerificationError(f"{DATA}{SBOM} is {bill}, and the release was prepared with {prepared.sbom}")
    return f"{manifest.files} files of layout {prepared.layout}, each bound by the preparation of the release"


@implements("REQ-228", "RC-97")
def check_layout(files: Mapping[str, bytes]) -> None:
    """Compare the names of a pack's files with its layout.

    Raises:
        VerificationError: names the first file that is missing, or that the layout does not have.
    """
    table = layout()
    there: set[str] = set()
    for name in _payload(files):
        row = table.row(name)
        if row is None:
            raise VerificationError(f"{DATA}{name} is no file of layout {table.layout}")
        there.add(row.file)
    for row in table.files:
        if row.count != "any" and row.file not in there:
            raise VerificationError(f"{DATA}{row.file} is missing")


@implements("REQ-228", "RC-97")
def check_made(files: Mapping[str, bytes], chain: JudgedChain) -> None:
    """Compare files with the outputs of the entries that made them.

    Raises:
        VerificationError: names the first file that is another one than the entry made, or the first member of the ensemble
            without its file.
    """
    runs = [(run.ended.index, run.ended.outputs) for run in chain.members if run.ended is not None]
    members = {one.name: (index, one.digest) for index, outputs in runs for one in outputs}
    for name in _payload(files):
        row = layout().row(name)
        if row is None or row.made_by is None or row.output is None:
            continue
        output = row.output.replace(_STAR, row.fit(name) or "")
        if row.made_by == "run":
            index, made = members.pop(output, (None, None))
        else:
            entry = chain.bodies.get(row.made_by)
            index, made = None if entry is None else entry.index, chain.output(row.made_by, output)
        found = digest_bytes(files[DATA + name])
        if made != found:
            raise VerificationError(
                f"{DATA}{name} is {found}, "
                + (
                    f"and no entry of the release made {output}"
                    if made is None
                    else f"the {row.made_by} of entry {index} made {made}"
                )
            )
    figures = (one.name for one in chain.bodies["evaluation"].outputs if one.name.startswith(FIGURES))
    for name in figures:
        if DATA + name not in files:
            raise VerificationError(
                f"{DATA}{name} is missing: the evaluation of entry {chain.bodies['evaluation'].index} made it"
            )
    for row in layout().files:
        _check_there(files, row, chain)
        left = [name for name in members if row.made_by == "run" and _fits(row.output or "", name)]
        if left:
            raise VerificationError(
                f"the run of entry {members[left[0]][0]} is a member, and its file {left[0]} is missing"
            )


def _check_there(files: Mapping[str, bytes], row: LayoutRow, chain: JudgedChain) -> None:
    """Refuse a pack without a file that is optional and that the entry made all the same.

    Raises:
        VerificationError: names the file and the entry.
    """
    if row.made_by is None or row.output is None or row.made_by == "run" or _STAR in row.file:
        return
    if DATA + row.file not in files and chain.output(row.made_by, row.output) is not None:
        index = chain.bodies[row.made_by].index
        raise VerificationError(f"{DATA}{row.file} is missing: the {row.made_by} of entry {index} made it")


@implements("REQ-341", "RC-143")
def check_graphs(files: Mapping[str, bytes]) -> None:
    """Compare the graphs of a pack with those that the record of its export names. Records of before name none.

    Raises:
        VerificationError: a graph is missing, is another one, or is not named; the record is malformed.
    """
    contract = export_of(files).model
    if contract is None:
        return
    folder = f"{DATA}{EXPORT.rpartition('/')[0]}/"
    named = {folder + name: digest for name, digest in contract.files}
    there = {name for name in files if name.startswith(folder) and name.endswith(".onnx")}
    for name in sorted(named.keys() | there):
        found = digest_bytes(files[name]) if name in files else None
        if found != named.get(name):
            raise VerificationError(f"{name} is {found}, and {DATA}{EXPORT} names {named.get(name)}")


def _fits(pattern: str, name: str) -> bool:
    before, _, after = pattern.partition(_STAR)
    return len(name) > len(before) + len(after) and name.startswith(before) and name.endswith(after)
