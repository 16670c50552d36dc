"""Judge a release, prepare it in the log, and build its evidence pack."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from minivess.compliance.documents.dossier import PackInputs
from minivess.compliance.documents.formats.made import formats_of
from minivess.compliance.documents.log_story import story_of
from minivess.compliance.facts.source_state import read_uncommitted
from minivess.compliance.identity.signer import Signer
from minivess.compliance.pack.pack import BuiltPack, PreparedPack, build_pack, prepare_pack
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.release.chain import PREPARED, JudgedChain
from minivess.compliance.rules.log_facts import LogFacts
from minivess.foundation.errors import CouldNotCheckError, RefusedError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.names.ids import check_new
from minivess.foundation.paths import Workspace, templates_folder
from minivess.records.device.preparation import Tool
from minivess.records.device.release import GateResult
from minivess.workflows.log.witnessing import cosign_checkpoint
from minivess.workflows.pipeline.stages import follows
from minivess.workflows.release.changes.previous import previous_pack
from minivess.workflows.release.check import check_release
from minivess.workflows.release.earlier_packs import earlier_checkpoint
from minivess.workflows.release.facts import ReleaseFacts
from minivess.workflows.release.gates import coverage_of
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from minivess.workflows.session.workspace_files import model_of

_EVENTS_LIMIT = 1 << 30


@implements("REQ-035", "REQ-036", "REQ-218", "RC-11")
@follows("release")
def build(
    services: Services, signer: Signer, release: ReleaseFacts | None = None, *, previous: Path | None = None
) -> BuiltPack:
    """Write the evidence pack, if every gate holds.

    Args:
        services: the workspace.
        signer: a release manager.
        release: the source tree and the log, where the caller has read them; entries appended since are read as well.
        previous: the pack of the release before, when it is not in the workspace.

    Raises:
        UsageError: the version cannot name a folder, or is the name of another release's folder.
        RefusedError: a gate fails (which, by how much, what would mend it), or evidence is missing or not in the log.
            Nothing is written but the refusal in the log.
    """
    workspace, project = Workspace(services.workspace), services.project
    device = project.device
    out = workspace.release(device.version) / f"{device.name}-{device.version}-evidence.zip"
    check_new(device.version, (one.name for one in out.parent.parent.glob("*")), "release")
    with recorded(services, "release.build", signer) as record:
        if (model := model_of(workspace)) is not None:
            record.context(model=model)
        if out.exists():
            raise RefusedError(
                f"release {device.version} was built already",
                hint="give the device a new version, or remove the old pack",
            )
        known = ReleaseFacts.read(services) if release is None else release.followed(services)
        services.deliver()  # the pack takes the events of the entries it takes
        check = check_release(services, known)
        chain = check.require()
        before = previous_pack(workspace, known.log, device.version, previous)
        ready = prepare_pack(replace(_pack_inputs(services, known, chain, check.gates), previous=before))
        log = _prepared(services, signer, ready)
        built = build_pack(ready, log, _events(services), out)
        record.output(f"release/{device.version}/{out.name}", built.path)
        record.payload(
            version=device.version, tag_manifest=built.tag_manifest_digest, gates=len(check.gates), files=built.files
        )
    return built


@implements("REQ-229")
def _prepared(services: Services, signer: Signer, ready: PreparedPack) -> LogFacts:
    """Append the preparation, and read the log that ends with it; witnesses cosign it where the project names some.

    Raises:
        CouldNotCheckError: others appended to the log meanwhile.
        RefusedError, VerificationError: as `cosign_checkpoint`.
    """
    before = ready.dossier.log
    context = services.context(model=ready.dossier.inputs.chain.model)
    with recorded(services, PREPARED, signer, instant=True, context=context) as record:
        record.payload(**dict(ready.prepared))
    log = services.log.facts(before)
    if services.project.witnesses is not None:
        note, _ = cosign_checkpoint(services.log, services.project.witnesses)
        if parse_note(note).checkpoint != log.checkpoint:
            raise CouldNotCheckError("the log grew while its witnesses were asked", hint="build the release again")
        log = replace(log, note=note)
    return log


def _events(services: Services) -> bytes:
    """The lineage events of the log, delivered up to now.

    Raises:
        CouldNotCheckError: they are not delivered to a file of the workspace.
    """
    services.deliver()
    path = Workspace(services.workspace).evidence / "lineage" / "events.jsonl"
    if not path.is_file():
        raise CouldNotCheckError(
            "the workspace has no file of lineage events", hint="deliver events to a file, then build again"
        )
    return read_limited(path, limit=_EVENTS_LIMIT)


def _pack_inputs(
    services: Services, release: ReleaseFacts, chain: JudgedChain, gates: tuple[GateResult, ...]
) -> PackInputs:
    """What the pack is made from."""
    project, tree, log = services.project, release.tree, release.log
    state = release.source_state
    return PackInputs(
        project=project,
        workspace=Workspace(services.workspace),
        tree=tree,
        log=log,
        chain=chain,
        story=story_of(tree, log),
        policy=chain.policy,
        gates=gates,
        time=log.entries[-1].body.time,
        templates=templates_folder(),
        tool=Tool(name="minivess", version=version("minivess")),
        events=_events(services),
        source_state=state,
        uncommitted=None if state.uncommitted is None else read_uncommitted(tree.version),
        commit=state.commit,
        dirty=None if state.commit is None else state.changes > 0,
        coverage=coverage_of(services, release),
        formats=formats_of(project),
        earlier=earlier_checkpoint(Workspace(services.workspace), log),
    )
