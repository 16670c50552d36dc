"""Taking the newest action table: roots sign, and a threshold of their signatures puts it into force."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from minivess.compliance.identity.signer import Signer
from minivess.compliance.rules.actions import table
from minivess.compliance.rules.adoption import sign_adoption
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.log.action_table import AdoptedRules
from minivess.records.log.receipt import Receipt
from minivess.records.people.approval import Envelope
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services


class RulesProposal(AdoptedRules):
    """The table to be adopted, and who agreed so far."""

    envelopes: Annotated[tuple[Envelope, ...], Field(max_length=64)] = ()


def propose_rules(services: Services) -> RulesProposal:
    """Name the newest table this version knows.

    Raises:
        UsageError: the log follows it already.
    """
    newest = table()
    if services.log.standing.rules.number >= newest.number:
        raise UsageError(f"the log follows action table {newest.number} already, the newest this version knows")
    return RulesProposal(number=newest.number, digest=newest.digest)


@implements("REQ-130")
def sign_rules(services: Services, signer: Signer, proposal: RulesProposal) -> RulesProposal:
    """The proposal with one more root's agreement.

    Raises:
        RefusedError: the signer is no root.
        VerificationError: this version does not know the table.
    """
    standing = services.log.standing
    envelope = sign_adoption(
        signer,
        standing.register,
        standing.rules,
        table(proposal.number),
        log=services.log.origin,
        head=services.log.size,
        now=services.clock(),
    )
    return proposal.model_copy(update={"envelopes": (*proposal.envelopes, envelope)})


@implements("REQ-130")
def adopt_rules(services: Services, signer: Signer, proposal: RulesProposal) -> Receipt:
    """Put the table into force from the next entry on.

    Raises:
        RefusedError: too few roots agreed, or the signer is neither a root nor a release manager.
    """
    with recorded(services, "rules.adopted", signer, instant=True) as record:
        record.payload(**proposal.model_dump(mode="json"))
    return record.receipt
