"""Steps of features/release_gates.feature."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.release.chain import judge_chain
from minivess.compliance.release.earlier_entries import EarlierEntries
from minivess.compliance.release.facts import FactsOfRelease, facts_of_release
from minivess.compliance.release.figures import check_figures
from minivess.compliance.release.gate_facts import read_gate_facts
from minivess.compliance.release.gates import judge, stopping
from minivess.compliance.release.gating import gate_figures
from minivess.compliance.release.gating.waivers import waivers_for
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import VerificationError
from minivess.records.device.attested import Approvable, Counted
from minivess.records.device.release import GateFacts, GateResult
from minivess.records.device.release_policy import ReleasePolicy
from minivess.records.evaluation.counted.counts import OverlapCounts
from tests.compliance.release import test_vacuous as vacuous
from tests.support.builders import guarded_log
from tests.support.builders.guarded_log import GuardedLog
from tests.support.builders.layout2_pack import SmallPack, small_pack
from tests.support.builders.release_builder import VERSION

scenarios("release_gates.feature")

CALIBRATION = "data/models/calibration.json"
EVALUATION, TRACE = "data/evaluation/evaluation.json", "data/traceability/data/trace.json"
RISKS, RESULTS, TEXT = "data/release/risks.json", "data/verification/results.json", "data/signing-text.txt"


@dataclass
class Story:
    pack: SmallPack
    changed: dict[str, bytes] = field(default_factory=dict)
    facts: FactsOfRelease | None = None
    gates: tuple[GateResult, ...] = ()
    error: VerificationError | None = None
    known: dict[str, Any] = field(default_factory=dict)
    """Facts beside those of the pack."""
    policy: list[dict[str, Any]] = field(default_factory=list)

    @property
    def files(self) -> dict[str, bytes]:
        return {**self.pack.files, **self.changed}

    def change(self, name: str, change: Callable[[Any], object]) -> None:
        value = json.loads(self.files[name])
        change(value)
        self.changed[name] = canonical(value)


@pytest.fixture
def story() -> Story:
    return Story(small_pack())


@given("a pack in which everything is true")
def _(story: Story) -> None:
    facts_of_release(story.pack.log.facts.entries, story.pack.files)


@given(parsers.parse("the pack has no {counted}"))
def _(story: Story, counted: str) -> None:
    def without_risks(value: Any) -> None:
        value["risks"].clear()

    def without_controls(value: Any) -> None:
        value["controls"].clear()
        value["risks"][0]["controls"].clear()

    def without_requirements(value: Any) -> None:
        value["items"] = [one for one in value["items"] if one["kind"] != "software-requirement"]

    name, change = {
        "requirements": (TRACE, without_requirements),
        "risks": (RISKS, without_risks),
        "controls": (RISKS, without_controls),
        "scenarios": (RESULTS, lambda value: value["results"].clear()),
    }[counted]
    story.change(name, change)


@given("the mean Dice of the evaluation is stated as 0.999")
def _(story: Story) -> None:
    story.change(EVALUATION, lambda value: value["aggregates"]["dice"].update(mean=0.999))


@given("the calibration of the pack states other groups than the seal")
def _(story: Story) -> None:
    story.change(CALIBRATION, lambda value: value["groups"].update({"train-5": "other"}))


@given("the calibration of the pack promises a recall of 0.9 from 2 groups")
def _(story: Story) -> None:
    story.change(CALIBRATION, lambda value: value.update(target_recall=0.9))


@given("a residual risk is estimated at a level that the plan does not accept")
def _(story: Story) -> None:
    story.change(RISKS, lambda value: value["risks"][0]["residual"].update(p1=2))


@given(parsers.parse('the gate "{gate}" of the pack shows another value'))
def _(story: Story, gate: str) -> None:
    def falsify(value: Any) -> None:
        next(one for one in value if one["id"] == gate).update(value="0.999", margin="0.149")

    story.change("data/release/gates.json", falsify)


@given(parsers.parse('the policy of the pack has a lower limit for "{gate}"'))
def _(story: Story, gate: str) -> None:
    def lower(value: Any) -> None:
        next(one for one in value["gates"] if one["id"] == gate).update(at_least=0.1)

    story.change("data/release/policy.json", lower)


@given("the signing text of the pack says nothing of the training runs")
def _(story: Story) -> None:
    lines = story.files[TEXT].decode().splitlines(keepends=True)
    story.changed[TEXT] = "".join(line for line in lines if not line.startswith("run entry")).encode()


@given("the release manager prepares the release again")
def _(story: Story) -> None:
    story.pack = story.pack.bent(story.changed)


@when("the facts of the release are derived")
def _(story: Story) -> None:
    try:
        story.facts = facts_of_release(story.pack.log.facts.entries, story.files)
    except VerificationError as error:
        story.error = error


@when("the gates are judged from its files")
def _(story: Story) -> None:
    entries = story.pack.log.facts.entries
    _, chain = judge_chain(entries)
    story.gates = judge(chain.policy, read_gate_facts(story.files, entries[:-1]))


@given(parsers.parse("the project has no {thing} and nothing is wrong"))
def _(thing: str) -> None:
    assert thing


@when(parsers.parse("the gate {kind} is judged"))
def _(story: Story, kind: str) -> None:
    policy = ReleasePolicy.model_validate({"signatures": vacuous.SIGNATURES, "gates": [vacuous.gate_of(kind)]})
    story.gates = judge(policy, vacuous.empty_facts())


@then(parsers.parse('it fails because "{why}"'))
def _(story: Story, why: str) -> None:
    assert not story.gates[0].passed
    assert why in story.gates[0].message


@then(parsers.parse('it passes and says "{why}"'))
def _(story: Story, why: str) -> None:
    assert story.gates[0].passed
    assert why in story.gates[0].message


@then("each gate names the number of items it judged")
def _(story: Story) -> None:
    assert story.facts is not None
    for one in story.facts.derived.gates:
        assert one.of
        assert str(one.of) in one.message or one.kind == "counts"


@when("the figures are computed again")
def _(story: Story) -> None:
    _, chain = judge_chain(story.pack.log.facts.entries)
    with pytest.raises(VerificationError) as error:
        check_figures(story.files, chain)
    story.error = error.value


@then("the gates are those of the pack, each marked as derived or attested")
def _(story: Story) -> None:
    assert story.facts is not None
    found = [one.model_dump(mode="json") for one in story.facts.derived.outcomes]
    assert found == json.loads(story.pack.files["data/release/gates.json"])
    assert {one["id"] for one in found if one["basis"] == "attested"} <= {"trace", "source"}
    assert {one["basis"] for one in found} == {"derived", "attested"}


@then(parsers.parse('the gate "{gate}" fails and names "{words}"'))
def _(story: Story, gate: str, words: str) -> None:
    [result] = [one for one in story.gates if one.id == gate]
    assert not result.passed
    assert words in result.message


@then(parsers.parse('it is refused because "{words}"'))
def _(story: Story, words: str) -> None:
    assert story.error is not None
    assert words in story.error.message


@then("the file of attested findings names the tool, its version and the source tree")
def _(story: Story) -> None:
    said = json.loads(story.files["data/release/attested.json"])
    tree = json.loads(story.files[TRACE])["project"]["tree"]
    assert (said["tool"]["name"], said["tree"]) == ("minivess", tree)
    assert said["tool"]["version"]
    assert (said["gaps"], said["justified"]) == ([], [])


@then("the start page shows each line of the signing text")
def _(story: Story) -> None:
    page = story.files["data/index.html"].decode()
    shown = html.unescape(page.split('<pre class="text">', 1)[1].split("</pre>", 1)[0])
    assert shown == story.files[TEXT].decode()


STANDARD = "IEC 62304"


def of_kind(kind: str, **said: Any) -> dict[str, Any]:
    return {"id": kind, "kind": kind, **({"standard": STANDARD} if kind == "clauses" else {}), **said}


@given(parsers.parse("the tool found {found:d} offenders of {kind} among 10"))
def _(story: Story, found: int, kind: str) -> None:
    about = STANDARD if kind == "clauses" else ""
    said = {"kind": kind, "about": about, "of": 10, "offenders": [f"one {number}" for number in range(found)]}
    story.known["counted"] = (Counted.model_validate_json(json.dumps(said)),)


@given(parsers.parse("the policy allows {allowed:d} of {kind}"))
def _(story: Story, allowed: int, kind: str) -> None:
    story.policy.append(of_kind(kind, at_most=allowed))


@given("the plan has to be approved, and another version of it was")
def _(story: Story) -> None:
    log = story.pack.before()
    log.append(story.pack.people.reviewer, "trace.approve", {"subject": "sdp.md", "digest": digest_bytes(b"before")})
    now = [Approvable(subject="sdp.md", digest=digest_bytes(b"now"))]
    lacking = gate_figures.unapproved(now, EarlierEntries.of(log.facts.entries))
    story.known.update(approvable=1, unapproved=lacking)


@given(parsers.parse("the policy limits {kind} to {limit:g}"))
def _(story: Story, kind: str, limit: float) -> None:
    more = {"measure": "dice", "attribute": "site"} if kind == "subgroups" else {}
    story.policy.append(of_kind(kind, **{"at_least" if kind == "conformal" else "at_most": limit, **more}))


@given(parsers.parse("the figure of {kind} is {figure:g}"))
def _(story: Story, kind: str, figure: float) -> None:
    facts = story.pack.release.facts
    assert facts.evaluation is not None
    assert facts.export is not None
    if kind == "conformal":
        assert facts.evaluation.conformal_recall is not None
        recall = facts.evaluation.conformal_recall.model_copy(update={"mean": figure})
        story.known["evaluation"] = facts.evaluation.model_copy(update={"conformal_recall": recall})
    elif kind == "subgroups":
        cases = [
            one.model_copy(update={"attributes": {"site": "A" if place else "B"}})
            for place, one in enumerate(facts.evaluation.cases)
        ]
        tp = [round(1000 * (0.9 - figure * (not place))) for place in range(len(cases))]
        cases = [
            one.model_copy(update={"counts": {**one.counts, "dice": OverlapCounts(tp=n, fp=1000 - n, fn=1000 - n)}})
            for one, n in zip(cases, tp, strict=True)
        ]
        story.known["evaluation"] = facts.evaluation.model_copy(update={"cases": tuple(cases)})
    elif kind == "latency":
        story.known["export"] = facts.export.model_copy(update={"seconds_onnx": figure})
    else:
        story.known["witnessed"] = figure


@when("the gates are judged on these facts")
def _(story: Story) -> None:
    facts: GateFacts = story.pack.release.facts.model_copy(update=story.known)
    policy = ReleasePolicy.model_validate({"signatures": vacuous.SIGNATURES, "gates": story.policy})
    story.gates = judge(policy, facts)


@then(parsers.parse("the gate of {kind} {verdict:w}"))
def _(story: Story, kind: str, verdict: str) -> None:
    [gate] = [one for one in story.gates if one.kind == kind]
    assert gate.passed is (verdict == "passes"), gate.message
    assert bool(gate.mend) is not gate.passed


@then(parsers.parse('it says "{words}"'))
def _(story: Story, words: str) -> None:
    assert words in story.gates[0].message


@given(parsers.parse("a waiver of the gate {gate} for {release} until {until} about {risk}"))
def _(story: Story, gate: str, release: str, until: str, risk: str) -> None:
    log, facts = story.pack.before(), story.pack.release.facts
    assert facts.risks is not None
    ids = {one.id for one in facts.risks.risks}
    said = {
        "gate": gate,
        "version": VERSION if release == "this release" else "9.9",
        "found": "1 of 10",
        "reason": "its test runs on the next tree",
        "owner": "ben",
        "risk": min(ids) if risk == "a known risk" else "RISK-99",
        "until": f"{2027 if until == 'later' else 2020}-06-30T23:59:59.999999Z",
    }
    log.append(story.pack.people.reviewer, "release.gate-waived", said)
    story.known["waivers"] = waivers_for(EarlierEntries.of(log.facts.entries), VERSION, ids)


@then(parsers.parse("the release is {built}"))
def _(story: Story, built: str) -> None:
    gates = [one for one in story.gates if one.kind == "units"]
    assert (stopping(gates, demo=True) == ()) is (built == "built")
    assert all((one.waived is not None) is (built == "built") for one in gates)
    assert all(("WAIVED by entry" in one.message) is (built == "built") for one in gates)


@given("a log in which Eva trained a model", target_fixture="log")
def _() -> GuardedLog:
    log = guarded_log.begun()
    log.train(guarded_log.both_roles())
    return log


@when("Eva waives a gate as independent reviewer")
def _(log: GuardedLog) -> None:
    said = {"gate": "trace", "version": "1.0", "found": "1 gap", "reason": "its test is written", "owner": "cleo"}
    until = "2027-06-30T23:59:59.999999Z"
    log.append(guarded_log.both_roles(), "release.gate-waived", {**said, "risk": "RISK-01", "until": until})


@then("both verifiers refuse the log and name Eva")
def _(log: GuardedLog) -> None:
    assert all("eva" in words for words in guarded_log.both(log))
