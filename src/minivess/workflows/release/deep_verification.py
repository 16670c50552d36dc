"""Making again what a pack derives from its source tree: pages, tables, bill of materials and attested checks.

`release verify` judges a pack without its source tree. Where the tree of its commit is at hand, every derived file can be made
again and compared. The outcome is one more line beside the verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from minivess.compliance.documents.dossier import PackInputs, gather
from minivess.compliance.documents.formats.made import FORMATS, available
from minivess.compliance.documents.log_story import story_of
from minivess.compliance.pack.bills import SCAN
from minivess.compliance.pack.changes import CHANGES
from minivess.compliance.pack.model_signature import KEY, SIGNATURE
from minivess.compliance.pack.pack import payload
from minivess.compliance.proofs.canonical import digest_of
from minivess.compliance.proofs.checkpoint import Checkpoint
from minivess.compliance.proofs.merkle import leaf_hash, root
from minivess.compliance.release.derivation import UNCOMMITTED
from minivess.compliance.release.facts import FactsOfRelease, facts_of_release
from minivess.compliance.release.layout import DATA, layout
from minivess.compliance.release.lineage_events import EVENTS
from minivess.compliance.release.pack_files import lines_of, text_of
from minivess.compliance.rules.log_facts import LogFacts, read_log
from minivess.compliance.trace.tree import Tree
from minivess.compliance.verification.bag import read_pack
from minivess.compliance.verification.pack import DETAILS, ENTRIES
from minivess.compliance.verification.pack_checks.inclusion import CHECKPOINT
from minivess.foundation.errors import CouldNotCheckError, MinivessError
from minivess.foundation.files import write_atomic
from minivess.foundation.git.checkout import check_out
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace, templates_folder
from minivess.records.base import Record
from minivess.records.device.project import Project
from minivess.records.device.workspace_files import FILES
from minivess.workflows.session.project_file import load_project
from minivess.workflows.session.project_state import artifact_digests
from minivess.workflows.trace.clause_coverage import standards_of
from minivess.workflows.trace.workspace_evidence import PackBeingBuilt, ProjectEvidence

_NAMED = 5
"""How many files that differ are named in words."""


class DeepComparison(Record):
    """What came of making the derived files of a pack again."""

    commit: str | None = None
    """Of the source tree that was used."""
    compared: int = 0
    """How many files were made again."""
    differing: tuple[str, ...] = ()
    """Files that are others, that the pack lacks, or that cannot be made; in order of name."""
    open_gaps: int | None = None
    """Open gaps of the traceability check on that tree."""
    left_out: int = 0
    """Documents in formats that this installation cannot make."""
    not_made: str | None = None
    """Why nothing could be compared; None when it was."""

    @property
    def words(self) -> str:
        """One line."""
        if self.not_made is not None:
            return f"not compared: {self.not_made}"
        if not self.compared:
            return "not compared: no file was made again"
        where = f"made again from commit {(self.commit or '')[:12]}; open gaps: {self.open_gaps}"
        if self.left_out:
            where += f"; {self.left_out} documents not made again, because the extra `documents` is not installed"
        if not self.differing:
            return f"{self.compared} derived files are the same when {where}"
        more = len(self.differing) - _NAMED
        named = ", ".join(self.differing[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        return f"{len(self.differing)} of {self.compared} derived files differ when {where}: {named}"


@dataclass(frozen=True)
class _PackedState:
    """What a pack has of a project. Its log has the event of every entry."""

    workspace: Workspace
    project: Project
    facts: LogFacts
    undelivered: int = 0


@implements("REQ-224")
def compare_deeply(pack: Path, *, project: Path, source: Path | None = None) -> DeepComparison:
    """Make the derived files of a pack again and compare them.

    Args:
        pack: a pack whose verification failed in nothing but its signatures.
        project: the folder with the project file.
        source: a source folder in a repository that has the commit of the pack; default: that of the project file.

    Raises:
        InputError: there is no pack, or the project file is malformed.
    """
    files, _ = read_pack(pack)
    plan = load_project(project)
    try:
        with TemporaryDirectory(prefix="minivess-deep-") as folder:
            return _compared(files, plan, project, source or (project / plan.source).resolve(), Path(folder))
    except MinivessError as error:
        return DeepComparison(not_made=error.message)


def _compared(files: Mapping[str, bytes], plan: Project, project: Path, source: Path, folder: Path) -> DeepComparison:
    lines, details = lines_of(files, ENTRIES), lines_of(files, DETAILS)
    log = read_log(lines, text_of(files, CHECKPOINT), [None if line == b"null" else line for line in details])
    facts = facts_of_release(log.entries, files)
    commit = _commit_of(log, facts, plan)
    tree_folder = check_out(source, commit, folder / "source", diff=files.get(UNCOMMITTED))
    workspace = Workspace(folder / "project")
    _unpack(files, workspace, tree_folder)
    state = _PackedState(workspace, plan, log)
    inputs = _inputs(files, facts, state, tree_folder, artifacts_of=Workspace(project))
    lacking = tuple(f".{one}" for one in _formats_of(files) if one not in available())
    given = {name.removeprefix(DATA): files[name] for name in files if lacking and name.endswith(lacking)}
    if f"{DATA}{CHANGES}" in files:  # the pack of the release before is not at hand
        given[CHANGES] = files[f"{DATA}{CHANGES}"]
    made = {f"{DATA}{name}": content for name, content in payload(gather(inputs), given).items()}
    whole = {name for name in {*made, *files} if _is_derived(name)}
    derived = {name for name in whole if not name.endswith(lacking)} if lacking else whole
    return DeepComparison(
        commit=commit,
        compared=len(derived),
        differing=tuple(name for name in sorted(derived) if made.get(name) != files.get(name)),
        open_gaps=sum(one.open for one in inputs.tree.gaps),
        left_out=len(whole) - len(derived),
    )


def _commit_of(log: LogFacts, facts: FactsOfRelease, plan: Project) -> str:
    """The commit that the preparation of the release names.

    Raises:
        CouldNotCheckError: it names none, or the release was prepared with another project file.
    """
    commit = facts.prepared.source.commit
    if commit is None:
        raise CouldNotCheckError("the release was made from a source tree without a commit")
    if log.entries[-1].body.context.configuration != digest_of(plan):
        raise CouldNotCheckError("the project file is not the one that the release was prepared with")
    return commit


def _check_tree(tree: Tree, facts: FactsOfRelease) -> None:
    """Refuse a source tree that is another one than the release was made from, although its commit is the same.

    Raises:
        CouldNotCheckError: names both.
    """
    found, released = tree.version.tree, facts.prepared.source.tree
    if found != released:
        raise CouldNotCheckError(f"the source tree of the commit is {found}, and the release was made from {released}")


def _before_preparation(log: LogFacts) -> LogFacts:
    """The log as the pages show it: without its last entry. The signed note of that time is in no pack and in no page."""
    lines = log.lines[:-1]
    head = Checkpoint(log.checkpoint.origin, len(lines), root([leaf_hash(line) for line in lines]))
    return replace(log, lines=lines, details=log.details[:-1], checkpoint=head, entries=log.entries[:-1])


def _unpack(files: Mapping[str, bytes], workspace: Workspace, source: Path) -> None:
    """Put the files that entries made where a project has them, and the evidence of results into the source tree."""
    evidence = f"{DATA}traceability/evidence/"
    kept = {SCAN: workspace.scan, SIGNATURE: workspace.model_signature, KEY: workspace.model_signing_key}
    for packed, place in kept.items():
        if f"{DATA}{packed}" in files:
            write_atomic(place, files[f"{DATA}{packed}"])
    for name, content in files.items():
        row = layout().row(name.removeprefix(DATA)) if name.startswith(DATA) else None
        if row is not None and row.output is not None:
            output = row.output.replace("*", row.fit(name.removeprefix(DATA)) or "")
            write_atomic(workspace.root / _place_of(output), content)
        elif name.startswith(evidence):
            _put_evidence(source / name.removeprefix(evidence), content, name)


def _put_evidence(path: Path, content: bytes, name: str) -> None:
    """Put a file that a result names into the copy of the source tree, where the commit does not have it.

    Raises:
        CouldNotCheckError: it would be a file of git itself.
    """
    if any(part.lower() == ".git" for part in path.parts):
        raise CouldNotCheckError(f"{name} cannot be put into a source tree")
    if not path.exists():
        write_atomic(path, content)


def _place_of(output: str) -> str:
    """Where a project has an output of an entry."""
    row = next((row for row in FILES if row.matches(output)), None)
    if row is not None:
        return row.place_of(output)
    return f"evidence/{output}"


def _inputs(
    files: Mapping[str, bytes], facts: FactsOfRelease, state: _PackedState, source: Path, *, artifacts_of: Workspace
) -> PackInputs:
    """What the pack is made from; the release policy as a file is in no pack and is that of the project."""
    log, plan, workspace = _before_preparation(state.facts), state.project, state.workspace
    time = log.entries[-1].body.time
    tree = Tree.read(
        source,
        today=time.date(),
        results=workspace.results,
        artifacts=artifact_digests(plan, artifacts_of, log),
    )
    _check_tree(tree, facts)
    story = story_of(tree, log)
    rows = standards_of(
        tree,
        safety_class=plan.device.safety_class,
        story=story,
        workspace=ProjectEvidence(state),
        pack=PackBeingBuilt(tree),
    )
    commit, dirty = tree.version.state
    return PackInputs(
        project=plan,
        workspace=workspace,
        tree=tree,
        log=log,
        chain=facts.chain,
        story=story,
        policy=facts.chain.policy,
        gates=facts.derived.gates,
        time=time,
        source_state=facts.prepared.source,
        uncommitted=files.get(UNCOMMITTED),
        templates=templates_folder(),
        tool=facts.tool,
        events=files[EVENTS],
        commit=commit,
        dirty=dirty,
        coverage=tuple(row.to_data() for row in rows),
        formats=_formats_of(files),
    )


def _formats_of(files: Mapping[str, bytes]) -> tuple[str, ...]:
    """The formats in which a pack has documents."""
    names = [name for name in files if name.startswith(f"{DATA}documents/")]
    return tuple(one for one in FORMATS if any(name.endswith(f".{one}") for name in names))


def _is_derived(name: str) -> bool:
    """Whether a file of a pack is derived by its build, and neither the output of an entry nor a part of the log."""
    if not name.startswith(DATA) or name.startswith((f"{DATA}audit/", f"{DATA}lineage/")):
        return False
    row = layout().row(name.removeprefix(DATA))
    return row is None or row.made_by is None
