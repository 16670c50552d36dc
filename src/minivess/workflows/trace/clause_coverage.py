"""How the clauses of standards stand for a source tree, and attestations of what only a person can state."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from minivess.compliance.items.items import load_items
from minivess.compliance.standards.catalogue import SafetyClass, catalogues
from minivess.compliance.standards.collectors.inputs import EvidenceSources, PackEvidence, WorkspaceEvidence
from minivess.compliance.standards.collectors.items import considered
from minivess.compliance.standards.collectors.registry import collect
from minivess.compliance.standards.coverage import Attested, Coverage, Facts, coverage, refuse_strangers
from minivess.compliance.trace.link_reviews import item_digest
from minivess.compliance.trace.tree import Tree
from minivess.foundation.errors import MinivessError, RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.foundation.reading.lock_file import lock_place, read_lock
from minivess.records.items.items import Attestation
from minivess.records.items.platform_parts import PART_KINDS
from minivess.records.items.trace import LogStory
from minivess.records.log.receipt import Receipt
from minivess.records.people.roles import IdentityKind

if TYPE_CHECKING:
    from minivess.compliance.identity.signer import Signer
    from minivess.workflows.session.services import Services


@implements("REQ-072")
def standards_of(
    tree: Tree,
    *,
    safety_class: SafetyClass,
    story: LogStory | None = None,
    workspace: WorkspaceEvidence | None = None,
    pack: PackEvidence | None = None,
) -> tuple[Coverage, ...]:
    """Every clause, check and hazard of machine learning that binds software of a class, and how it stands.

    Args:
        tree: the source tree, with results where there are some.
        safety_class: of the device.
        story: what the log says about the tree; without it nothing counts as signed.
        workspace: the workspace and the log of the project whose tree this is.
        pack: the pack of its release.

    Raises:
        InputError: a justification or a hazard's `covers` names nothing that is known, with file and line.
    """
    excuses = tuple(one.justification for one in tree.gaps if not one.open and one.justification is not None)
    facts = Facts(
        attestations=attested_in(story) if story is not None else (),
        justifications=tuple(one for one in tree.graph.justifications if not one.gap),
        excused={"trace-complete": excuses} if excuses else {},
        considered=considered(tree.items.all()),
    )
    refuse_strangers(facts, catalogues())
    sources = EvidenceSources(
        tree=tree,
        safety_class=safety_class,
        signatures=story.signatures if story is not None else (),
        workspace=workspace,
        pack=pack,
        locked=_locked(tree),
    )
    facts = replace(facts, present=collect(sources))
    return tuple(
        row for one in catalogues() for row in coverage(one, facts, safety_class=safety_class, today=tree.today)
    )


@implements("REQ-072")
def attest(services: Services, signer: Signer, item: str) -> Receipt:
    """Sign an attestation of the source tree, word for word as it stands.

    Raises:
        RefusedError: the signer is not its owner, or is no person.
        UsageError: there is no such attestation.
    """
    found = load_items(services.source).of(Attestation).get(item)
    if found is None:
        raise UsageError(
            f"there is no attestation {item}", hint="add it to the list `attestations` of a file in requirements/"
        )
    if signer.identity.kind is not IdentityKind.PERSON or signer.identity.id != found.owner:
        raise RefusedError(f"{item} must be signed by its owner {found.owner}, not by {signer.identity.id}")
    from minivess.workflows.session.recording import recorded  # a database, which the clauses of a tree do not need

    with recorded(services, "trace.attest", signer, instant=True) as record:
        record.payload(item=item, clause=found.clause, digest=item_digest(found))
    return record.receipt


def attested_in(story: LogStory) -> tuple[Attested, ...]:
    """The attestations whose words are those that were signed; the latest signature of each."""
    signed = (one for one in story.signatures if one.meaning == "attested" and not one.out_of_date)
    last = {one.item: Attested(one.about, one.actor, one.entry, one.time) for one in signed}
    return tuple(last.values())


def _locked(tree: Tree) -> dict[str, str]:
    """Versions of packages by name, from the lock file, and of the parts of the platform by their kind, from the results.

    There are none when there is no lock file that can be read.
    """
    report = tree.graph.report
    parts = () if report is None else report.parts
    platform = {kind: ", ".join(part.version for part in parts if part.kind == kind) for kind in PART_KINDS}
    try:
        return {kind: said for kind, said in platform.items() if said} | read_lock(*lock_place(tree.source)).versions()
    except MinivessError:
        return {}
