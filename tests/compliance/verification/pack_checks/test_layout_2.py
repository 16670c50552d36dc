"""A small pack of layout 2, and each check of that layout failing by name when both people signed again."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from minivess.compliance.verification.pack import judge_files
from minivess.records.verdict import Check, Verdict, VerdictState
from tests.support.builders.guarded_log import VERIFY
from tests.support.builders.layout2_pack import SmallPack, small_pack

pytestmark = pytest.mark.verifies("REQ-221", "REQ-223", "RC-94")

EVENTS, ENTRIES, DETAILS = "data/lineage/events.jsonl", "data/audit/entries.jsonl", "data/audit/details.jsonl"
TABLE, PEOPLE = "data/verify/layout-2.json", "data/audit/identities.json"
INDEX = "data/index.html"
SBOM = "data/bom/sbom.cdx.json"
MODEL, RESULT, TEXT = "data/models/model.onnx", "data/evaluation/evaluation.json", "data/signing-text.txt"
GATES, POLICY = "data/release/gates.json", "data/release/policy.json"


def judged(pack: SmallPack) -> Verdict:
    return judge_files(pack.signed(), subject="pack", container="", trusted=None)


def failures(pack: SmallPack) -> dict[str, str]:
    return {check.name: check.detail for check in judged(pack).checks if not check.passed}


def failures_of_script(pack: SmallPack) -> set[str]:
    """The checks that fail in the pack's own verify.py."""
    judgement = VERIFY.Judgement(None).judge(pack.signed())
    return {name for name, held, _ in judgement.checks if not held}


def test_a_true_pack_is_verified() -> None:
    verdict = judged(small_pack())
    assert (verdict.state, verdict.layout, verdict.unchecked) == (VerdictState.VERIFIED, 2, ())
    names = [check.name for check in verdict.checks]
    assert names[names.index("layout") :] == [
        "layout",
        "chain",
        "files",
        "source",
        "source files",
        "log tables",
        "soup",
        "figures",
        "gates",
        "signing text",
        "proofs",
        "previous release",
        "provenance",
        "lineage",
        "test-set odometer",
        "look times",
        "release signatures",
    ]
    assert failures_of_script(small_pack()) == set()
    chain = next(check for check in verdict.checks if check.name == "chain")
    assert "vessel-segmenter 1.0.0" in chain.detail


def without_last_entry(pack: SmallPack) -> SmallPack:
    """The pack with the log as it was before the preparation: what a pack of layout 1 has."""
    from minivess.compliance.pack.pack import log_files

    before = pack.before()
    proofs: dict[str, bytes | None] = {name: None for name in pack.files if name.startswith("data/audit/proofs/")}
    files = {f"data/{name}": content for name, content in log_files(before.facts).items()}
    return pack.bent(proofs | files | {EVENTS: before.events()}, prepared=False)


def lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[SmallPack], SmallPack]:
    """The pack with other lineage events."""

    def bent(pack: SmallPack) -> SmallPack:
        return pack.bent({EVENTS: b"".join(change(pack.files[EVENTS].splitlines(keepends=True)))}, prepared=False)

    return bent


BENT: dict[str, tuple[Callable[[SmallPack], SmallPack], str, str]] = {
    "no preparation": (without_last_entry, "layout", "follows action table 2, which requires layout 2"),
    "the preparation of another version": (
        lambda pack: pack.bent(say=lambda said: said | {"device": said["device"] | {"version": "2.0"}}),
        "chain",
        "2.0",
    ),
    "another model": (lambda pack: pack.bent({MODEL: b"another net"}), "files", f"{MODEL} is sha256:"),
    "a file that nobody prepared": (
        lambda pack: pack.bent({"data/documents/soup.html": b"<p>none</p>"}, prepared=False),
        "files",
        "the release was prepared with",
    ),
    "a file too many": (lambda pack: pack.bent({"data/notes.txt": b"x"}), "files", "data/notes.txt is no file"),
    "a figure that is better": (
        lambda pack: pack.bent({RESULT: re.sub(rb'"mean": 0\.[0-9]+', b'"mean": 0.99', pack.files[RESULT], count=1)}),
        "files",
        f"{RESULT} is sha256:",
    ),
    "a gate that another value passed": (
        lambda pack: pack.bent({GATES: pack.files[GATES].replace(b'"value":"0"', b'"value":"-1"', 1)}),
        "gates",
        f"{GATES}: the gate ",
    ),
    "another policy": (
        lambda pack: pack.bent({POLICY: pack.files[POLICY].replace(b"0.85", b"0.8")}),
        "gates",
        f"{POLICY}: the gate dice is not one that entry",
    ),
    "another signing text": (
        lambda pack: pack.bent({TEXT: pack.files[TEXT].replace(b"Gates: ", b"All gates: ")}),
        "signing text",
        f"{TEXT}:",
    ),
    "another bill of materials": (
        lambda pack: pack.bent({SBOM: pack.files[SBOM].replace(b'"8.3.0"', b'"8.3.1"')}),
        "files",
        f"{SBOM} is sha256:",
    ),
    "another table of the layout": (
        lambda pack: pack.bent({TABLE: pack.files[TABLE].replace(b'"count": "one"', b'"count": "any"', 1)}),
        "files",
        f"{TABLE} is not the published table",
    ),
    "another name in the list of people": (
        lambda pack: pack.bent({PEOPLE: pack.files[PEOPLE].replace(b"Ada Lovelace", b"Eve Lovelace")}, prepared=False),
        "provenance",
        f"{PEOPLE} does not state",
    ),
    "a start page without the signing text": (
        lambda pack: pack.bent({INDEX: pack.files[INDEX].replace(b"Gates: ", b"All gates: ")}),
        "signing text",
        f"{INDEX} does not show the signing text",
    ),
    "a lineage event less": (lines(lambda events: events[:3] + events[4:]), "lineage", " has no COMPLETE event in"),
    "a lineage event twice": (lines(lambda events: [*events, events[2]]), "lineage", f"{EVENTS}:26 repeats the event"),
    "no lineage": (lines(lambda _: []), "lineage", "has no"),
    "no preparation's event": (lines(lambda events: events[:-1]), "lineage", "release.prepare"),
}


@pytest.mark.parametrize("case", BENT)
def test_a_false_pack_is_refused_by_name(case: str) -> None:
    bend, name, words = BENT[case]
    bent = bend(small_pack())
    failed = failures(bent)
    assert next(iter(failed)) == name
    assert words in failed[name]
    assert name in failures_of_script(bent)


def test_files_are_not_compared_with_a_chain_that_does_not_hold() -> None:
    bend, *_ = BENT["the preparation of another version"]
    checks: tuple[Check, ...] = judged(bend(small_pack())).checks
    assert "files" not in {check.name for check in checks}


def test_an_allowed_layout_does_not_excuse_a_log_that_requires_a_later_one() -> None:
    verdict = judged(without_last_entry(small_pack()))
    assert verdict.state is VerdictState.NOT_VERIFIED
    assert not verdict.accepted(least_layout=1)
