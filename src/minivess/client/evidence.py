"""Whether a receipt proves an answer: its own proof, and the entry beside what was sent and what was answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from minivess.compliance.proofs.tlog_policy import LogPolicy
from minivess.compliance.verification.log_entries import read_entry
from minivess.compliance.verification.receipt import verify_receipt, verify_receipt_alone
from minivess.compliance.verification.trust import Trust
from minivess.foundation.errors import MinivessError
from minivess.foundation.implements import implements
from minivess.records.log.entry import Entry, Outcome
from minivess.records.log.receipt import Receipt
from minivess.records.verdict import Check, Verdict

ACTION = "inference"
OUTPUTS = ("masks/", "conformal-masks/", "probabilities/", "disagreement/")
"""How the names of what an answer has begin in an entry."""

NOT_YET = "the witnesses of the trust file have not vouched for this yet: ask for the receipt later"


@dataclass(frozen=True)
class Claim:
    """What an answer says and what it was asked, by which its entry is judged.

    Attributes:
        request: name of the request in the log.
        image: digest of the bytes that were sent.
        outcome: whether there is a mask.
        model: digest that the answer states; None for a refusal.
        outputs: digest of each mask and further output by its name in the entry.
        unread: what of the answer was not compared, in words.
    """

    request: str
    image: str
    outcome: Outcome
    model: str | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    unread: tuple[str, ...] = ()


@implements("REQ-487", "RC-203")
def judge_answer(receipt: Receipt, claim: Claim, trust: Trust | None) -> Verdict:
    """The checks of a receipt, and of its entry beside the answer.

    Args:
        receipt: that came with the answer.
        claim: the answer.
        trust: keys from elsewhere; None: those that the receipt itself names. The verdict is then LIMITED.
    """
    verdict = judge_receipt(receipt, trust)
    checks = (*verdict.checks, *entry_checks(receipt, claim))
    return verdict.model_copy(update={"checks": checks, "limits": (*verdict.limits, *claim.unread)})


@implements("REQ-487")
def judge_receipt(receipt: Receipt, trust: Trust | None) -> Verdict:
    """The checks of a receipt by itself. The verdict names the keys that were used.

    Witnesses vouch for the device's log, which takes a checkpoint of the service's log every hour. Until then a trust file
    that asks for witnesses gives LIMITED.

    Args:
        receipt: of an answer.
        trust: keys from elsewhere; None: those that the receipt itself names.
    """
    if trust is None:
        return verify_receipt_alone(receipt)
    verdict, limits = verify_receipt(receipt, log_key=trust, actor=trust), trust.limits
    if verdict.first_failure is not None and trust.asks_for_witnesses:
        alone = replace(trust, policy=LogPolicy(logs=trust.policy.logs))
        without = verify_receipt(receipt, log_key=alone, actor=alone)
        if without.first_failure is None:
            verdict, limits = without, (*limits, NOT_YET)
    return verdict.model_copy(update={"trust": trust.source, "limits": limits})


@implements("REQ-487", "RC-203")
def entry_checks(receipt: Receipt, claim: Claim) -> tuple[Check, ...]:
    """Whether the entry of a receipt is about this image, this answer and this model."""
    try:
        entry = read_entry(receipt.entry.encode("utf-8", errors="surrogatepass"), receipt.index)
    except MinivessError as error:
        return (Check(name="answer entry", passed=False, detail=error.message),)
    return tuple(_compared(entry, claim))


def _compared(entry: Entry, claim: Claim) -> Iterator[Check]:
    body = entry.body
    inputs = {one.name: one.digest for one in body.inputs}
    masks = {one.name: one.digest for one in body.outputs if one.name.startswith(OUTPUTS)}
    if claim.unread:
        masks = {one: digest for one, digest in masks.items() if one in claim.outputs}
    name = f"entry {body.index}"
    yield _check(
        "answer decision",
        body.action == ACTION and body.outcome is claim.outcome,
        f"{name} is {body.action}, {body.outcome.value}",
        f"{name} is {body.action}, {body.outcome.value}, and the answer is {claim.outcome.value}",
    )
    yield _check(
        "answer image",
        inputs.get(f"requests/{claim.request}") == claim.image,
        f"{name} names the image that was sent",
        f"{name} is about another image than the one that was sent",
    )
    if claim.outcome is not Outcome.COMPLETED:
        return
    yield _check(
        "answer model",
        claim.model is not None and body.context.model == claim.model,
        f"{name} names the model of the answer",
        f"{name} names another model than the answer",
    )
    yield _check(
        "answer mask",
        bool(claim.outputs) and masks == dict(claim.outputs),
        f"{name} names each of the {len(masks)} masks and outputs of the answer",
        f"{name} names other masks or outputs than the answer has",
    )


def _check(name: str, passed: bool, good: str, bad: str) -> Check:
    return Check(name=name, passed=passed, detail=good if passed else bad)
