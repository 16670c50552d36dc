"""Everything that follows from the log and the files of a release: figures, criteria, gates and the signing text.

The build derives it to write `release/gates.json` and `signing-text.txt`; verification derives it again and compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from minivess.compliance.proofs.canonical import canonical, digest_of
from minivess.compliance.release.chain import JudgedChain
from minivess.compliance.release.earlier_entries import EarlierEntries
from minivess.compliance.release.figures import check_figures, outcomes_in
from minivess.compliance.release.gate_facts import ATTESTED, GATES, RESULTS, check_starts, read_gate_facts
from minivess.compliance.release.gates import judge, outcomes_of, stopping
from minivess.compliance.release.pack_files import json_of, record_of
from minivess.compliance.release.signing_text import SIGNING_TEXT, SigningFacts, signing_text
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import VerificationError
from minivess.foundation.implements import implements
from minivess.records.device.attested import Attested
from minivess.records.device.gate_outcomes import GateOutcome, GateOutcomes
from minivess.records.device.project import Device
from minivess.records.device.release import GateFacts, GateResult
from minivess.records.device.release_policy import ReleasePolicy
from minivess.records.device.source_state import SourceState
from minivess.records.device.strictness import below_least
from minivess.records.evaluation.acceptance_criteria import Judgement
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.items.trace import ResultReport
from minivess.records.log.entry import Entry

POLICY, START_PAGE = "data/release/policy.json", "data/index.html"
UNCOMMITTED = "data/source/uncommitted.diff"
"""All that differs from the commit; in a pack only when something does."""


@dataclass(frozen=True)
class Statement:
    """What the preparation of a release states, as far as the signing text needs it."""

    device: Device
    environment: str
    """Digest of the lock file."""
    sbom: str
    """Digest of the bill of materials."""
    state: SourceState
    """The state of the source tree."""

    @property
    def source(self) -> str:
        """The git tree of the source; `none` where it has none."""
        return self.state.git_tree or "none"

    @property
    def not_releasable(self) -> tuple[str, ...]:
        """Why the state of the source tree allows no release; empty when it does."""
        return self.state.not_releasable


@dataclass(frozen=True)
class DerivedRelease:
    """What follows from the log and the files of a release."""

    evaluation: EvaluationRecord
    """With its figures as they follow from the counts."""
    criteria: tuple[Judgement, ...]
    facts: GateFacts
    gates: tuple[GateResult, ...]
    attested: Attested
    text: bytes
    """The signing text."""

    @property
    def waived(self) -> tuple[str, ...]:
        """The gates that fail and are waived, in words."""
        return tuple(f"{one.id} ({one.waived.words})" for one in self.gates if one.waived is not None)

    @property
    def outcomes(self) -> tuple[GateOutcome, ...]:
        """The gates as the pack holds them."""
        return outcomes_of(self.gates)


@implements("REQ-230", "REQ-233")
def derive(
    files: Mapping[str, bytes], entries: Sequence[Entry] | EarlierEntries, chain: JudgedChain, statement: Statement
) -> DerivedRelease:
    """Derive figures, gates and the signing text.

    Args:
        files: of the pack, by name; those that are derived here may be missing.
        entries: the log before the release was prepared.
        chain: the entries that the release rests on.
        statement: what the preparation states.

    Raises:
        VerificationError: a file is missing or malformed, or a figure differs; names it.
    """
    evaluation, known = check_figures(files, chain), EarlierEntries.of(entries)
    criteria = outcomes_in(evaluation, chain)
    facts = read_gate_facts(files, known, evaluation, statement.state, statement.device.version)
    gates = judge(chain.policy, facts)
    attested = record_of(files, ATTESTED, Attested)
    text = signing_text(
        SigningFacts(
            device=statement.device,
            entries=known,
            chain=chain,
            facts=facts,
            gates=outcomes_of(gates),
            criteria=criteria,
            attested=attested,
            not_releasable=statement.not_releasable,
            digests=digests_of(chain, statement),
        )
    )
    return DerivedRelease(evaluation, criteria, facts, gates, attested, text)


@implements("REQ-217", "REQ-218")
def check_source(files: Mapping[str, bytes], state: SourceState) -> str:
    """Compare the state of the source tree with the results and the diff in a pack; returns in words what holds.

    Raises:
        VerificationError: the results are of another tree or environment or state other loaded files, or the diff is not
            the one that the state names.
    """
    report = record_of(files, RESULTS, ResultReport)
    for name, stated, found in (
        ("tree", state.tree, report.tree),
        ("environment", state.environment, report.environment),
        ("number of loaded files without an origin", state.strangers, report.strangers),
    ):
        if stated != found:
            raise VerificationError(f"{RESULTS}: the {name} is {found}, and by the preparation it is {stated}")
    diff = files.get(UNCOMMITTED)
    if (None if diff is None else digest_bytes(diff)) != state.uncommitted:
        raise VerificationError(f"{UNCOMMITTED} is not the diff that the preparation names")
    if not report.results:
        raise VerificationError(f"{RESULTS} has no result")
    return f"the {len(report.results)} results are those of the source tree {state.tree}" + "".join(
        f"; {one}" for one in state.faults()
    )


def digests_of(chain: JudgedChain, statement: Statement) -> dict[str, str]:
    """The digests that the signing text names.

    Raises:
        VerificationError: an entry does not name its output.
    """
    request = chain.request
    found = {
        "model": chain.model,
        "calibration": request.calibration,
        "evaluation": chain.output("evaluation", "evaluation/evaluation.json"),
        "request": digest_of(request),
        "criteria": request.criteria,
        "plan": request.plan,
        "policy": request.policy,
        "seal": request.data,
        "results": chain.output("scenarios", "verification/results.json"),
        "sbom": statement.sbom,
        "environment": statement.environment,
    }
    for name, digest in found.items():
        if digest is None:
            raise VerificationError(f"no entry of the release names the digest of its {name}")
    return {**{name: str(digest) for name, digest in found.items()}, "source": statement.source}


def policy_file(policy: ReleasePolicy) -> bytes:
    """The content of `release/policy.json`."""
    said = policy.model_dump(mode="json")
    return canonical({"policy": said["signatures"], "gates": said["gates"]})


@implements("REQ-232", "REQ-233")
def check_derived(
    files: Mapping[str, bytes], entries: Sequence[Entry] | EarlierEntries, chain: JudgedChain, statement: Statement
) -> DerivedRelease:
    """Derive a release and compare policy, gates and signing text of its pack with what follows.

    Args:
        files: of the pack, by name.
        entries: the log before the release was prepared.
        chain: the entries that the release rests on.
        statement: what the preparation states.

    Raises:
        VerificationError: something differs, or a gate fails; names the first file, gate, figure or line.
    """
    check_source(files, statement.state)
    check_policy_file(files, chain)
    derived = derive(files, entries, chain, statement)
    check_gates(files, derived)
    check_signing_text(files, derived)
    return derived


@implements("REQ-232", "RC-98")
def check_policy_file(files: Mapping[str, bytes], chain: JudgedChain) -> str:
    """Compare the policy in a pack with the one that was registered before the look; returns in words what holds.

    Raises:
        VerificationError: they differ, or the registered one asks for less than every release requires; names the first
            gate, or the signatures.
    """
    found, index = json_of(files, POLICY), chain.bodies["policy"].index
    for lack in below_least(chain.policy):
        raise VerificationError(f"the release policy of entry {index} is not enough: {lack}")
    if not isinstance(found, dict) or set(found) != {"policy", "gates"} or not isinstance(found["gates"], list):
        raise VerificationError(f"{POLICY} is not a policy with its gates")
    if found["policy"] != chain.policy.signatures.model_dump(mode="json"):
        raise VerificationError(f"{POLICY}: the signatures are not those that entry {index} registered")
    for mine, gate in zip_longest(found["gates"], chain.policy.gates):
        if gate is None or mine != gate.model_dump(mode="json"):
            name = mine.get("id") if gate is None and isinstance(mine, dict) else getattr(gate, "id", "")
            raise VerificationError(f"{POLICY}: the gate {name} is not one that entry {index} registered")
    if files[POLICY] != policy_file(chain.policy):
        raise VerificationError(f"{POLICY} is not the canonical JSON of what entry {index} registered")
    return f"the policy is the one that entry {index} registered"


@implements("REQ-232", "RC-98")
def check_gates(files: Mapping[str, bytes], derived: DerivedRelease) -> str:
    """Compare the gates in a pack with those that follow from it; returns in words what holds.

    Raises:
        VerificationError: one differs, or one fails that stops a release everywhere; names the first.
    """
    check_starts(files, derived.facts.starts)
    stated = {one.id: one for one in record_of(files, GATES, GateOutcomes).root}
    for one in derived.outcomes:
        if stated.get(one.id) != one:
            raise VerificationError(f"{GATES}: {_difference(stated.get(one.id), one)}")
    if files[GATES] != gates_file(derived.outcomes):
        raise VerificationError(f"{GATES} is not the canonical JSON of the gates that follow from the release")
    failing = stopping(derived.gates, demo=True)
    if failing:
        raise VerificationError(f"the gate {failing[0].id} fails: {failing[0].message}")
    passed = sum(one.passed for one in derived.gates)
    attested = sum(one.basis == "attested" for one in derived.gates)
    waived = "".join(f"; WAIVED {one}" for one in derived.waived)
    return f"{passed} of {len(derived.gates)} gates pass, {attested} of them by what the tool attests{waived}"


@implements("REQ-233", "RC-99")
def check_signing_text(files: Mapping[str, bytes], derived: DerivedRelease) -> str:
    """Compare the signing text in a pack with the one that follows from it; returns in words what holds.

    Raises:
        VerificationError: they differ, which names the first line with both sides; or the start page does not show it.
    """
    if SIGNING_TEXT not in files:
        raise VerificationError(f"{SIGNING_TEXT} is missing")
    found = files[SIGNING_TEXT]
    if found == derived.text:
        if page_text(found) not in files.get(START_PAGE, b""):
            raise VerificationError(f"{START_PAGE} does not show the signing text")
        return f"the signing text follows from the release ({len(found.splitlines())} lines)"
    shown, made = (text.decode("utf-8", "replace").split("\n") for text in (found, derived.text))
    number = next((n for n, pair in enumerate(zip(shown, made, strict=False)) if pair[0] != pair[1]), 0)
    number = number if shown[number] != made[number] else min(len(shown), len(made)) - 1
    raise VerificationError(
        f"{SIGNING_TEXT}:{number + 1} says {shown[number]!r}, and the release says {made[number]!r}"
    )


def page_text(text: bytes) -> bytes:
    """How the start page shows the signing text."""
    for sign, shown in ((b"&", b"&amp;"), (b"<", b"&lt;"), (b">", b"&gt;"), (b"'", b"&#39;"), (b'"', b"&#34;")):
        text = text.replace(sign, shown)
    return b'<pre class="text">' + text + b"</pre>"


def gates_file(outcomes: Sequence[GateOutcome]) -> bytes:
    """The content of `release/gates.json`."""
    return canonical([one.model_dump(mode="json") for one in outcomes])


def _difference(stated: GateOutcome | None, derived: GateOutcome) -> str:
    if stated is None:
        return f"the gate {derived.id} is missing"
    for name in ("kind", "basis", "value", "comparison", "limit", "margin", "passed"):
        mine, theirs = getattr(stated, name), getattr(derived, name)
        if mine != theirs:
            return f"the gate {derived.id} says {name} {mine}, and by the release it is {theirs}"
    return f"the gate {derived.id} differs"
