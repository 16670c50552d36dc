"""What a log says about a trace: signatures that hold or not, what was made, and which entry recorded the results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from minivess.compliance.documents.log_story import ACTIONS, items_digest, log_story
from minivess.compliance.identity.approvals import approve
from minivess.compliance.standards.approved_subjects import approvable
from minivess.compliance.trace.graph import TraceGraph
from minivess.compliance.trace.link_reviews import item_digest, link_digests
from minivess.foundation.digests import digest_bytes
from minivess.records.artifact import Artifact
from minivess.records.items.trace import LogStory
from minivess.records.log.entry import Context, Outcome
from minivess.records.people.identity import Meaning
from minivess.records.people.roles import Role
from tests.support.builders import pack_builder as logs
from tests.support.tiny_tree import write_tree

ATTESTATION = """\
attestations:
  - id: ATT-01
    title: Plan
    statement: The plan is kept.
    clause: IEC 62304 5.1.2
    owner: ben
"""
DIGEST = digest_bytes(b"something")

pytestmark = pytest.mark.verifies("REQ-106", "SU-22")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "tree", {"requirements/attestations.yaml": ATTESTATION})


@pytest.fixture
def log() -> logs.LogBuilder:
    return logs.begin()


def edit(tree: Path, name: str, old: str, new: str) -> None:
    path = tree / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def told(tree: Path, log: logs.LogBuilder, **more: Any) -> LogStory:
    entries = [entry for entry in log.entries if entry.body.action in ACTIONS]
    graph = TraceGraph.load(tree)
    return log_story(entries, graph, size=len(log.entries), approvable=approvable(tree, graph.items), **more)


def said(story: LogStory) -> list[tuple[str, str, str, str, str]]:
    return [(one.item, one.actor, one.meaning, one.about, one.out_of_date) for one in story.signatures]


def review(log: logs.LogBuilder, tree: Path) -> None:
    digests = link_digests(TraceGraph.load(tree).items, {})
    log.append(logs.ben(), "trace.review", {"links": [{"link": str(k), "digest": d} for k, d in digests.items()]})


def test_a_review_holds_until_what_the_link_leads_to_changes(tree: Path, log: logs.LogBuilder) -> None:
    review(log, tree)
    story = told(tree, log)
    assert ("REQ-001", "ben", "reviewed", "derives-from UN-01", "") in said(story)
    assert not any(one.out_of_date for one in story.signatures)
    assert story.size == len(log.entries)
    [one] = [one for one in story.signatures if one.item == "REQ-001"]
    assert one.digest == item_digest(TraceGraph.load(tree).items.by_id["UN-01"])
    assert (one.entry, one.time) == (log.entries[-1].body.index, log.entries[-1].body.time)
    edit(tree, "requirements/all.yaml", "The user needs trust.", "Everybody does.")
    assert [row for row in said(told(tree, log)) if row[4]] == [
        ("REQ-001", "ben", "reviewed", "derives-from UN-01", "UN-01 has changed")
    ]


def test_a_review_of_a_link_that_is_gone_says_so_and_one_of_an_item_that_is_gone_is_left_out(
    tree: Path, log: logs.LogBuilder
) -> None:
    review(log, tree)
    edit(tree, "risk/risks.yaml", "controls: [RC-01]", "controls: []")
    (tree / "risk/controls.yaml").write_text("controls: []\n", encoding="utf-8")
    found = said(told(tree, log))
    assert ("RISK-01", "ben", "reviewed", "controls RC-01", "the link is gone") in found
    assert not [row for row in found if row[0] == "RC-01"]


def test_an_attestation_holds_for_its_words(tree: Path, log: logs.LogBuilder) -> None:
    digest = item_digest(TraceGraph.load(tree).items.by_id["ATT-01"])
    log.append(logs.ben(), "trace.attest", {"item": "ATT-01", "clause": "IEC 62304 5.1.2", "digest": digest})
    assert said(told(tree, log)) == [("ATT-01", "ben", "attested", "IEC 62304 5.1.2", "")]
    edit(tree, "requirements/attestations.yaml", "is kept", "is kept and read")
    assert said(told(tree, log))[0][4] == "its words have changed"


def test_an_approval_holds_until_what_was_read_changes_or_goes(tree: Path, log: logs.LogBuilder) -> None:
    (tree / "sdp.md").write_text("# Plan\n", encoding="utf-8")
    known = approvable(tree, TraceGraph.load(tree).items)
    for subject in ("sdp.md", "risk"):
        log.append(logs.ben(), "trace.approve", {"subject": subject, "digest": known[subject]})
    assert said(told(tree, log)) == [("", "ben", "approved", "sdp.md", ""), ("", "ben", "approved", "risk", "")]
    (tree / "sdp.md").unlink()
    edit(tree, "risk/plan.yaml", "Before each release.", "Once a year.")
    assert [row[4] for row in said(told(tree, log))] == ["it is gone", "it has changed"]


@pytest.mark.parametrize("subject", ["requirements", "risk"])
def test_an_approval_that_only_a_reviewer_can_give_does_not_hold_from_anybody_else(
    tree: Path, log: logs.LogBuilder, subject: str
) -> None:
    digest = approvable(tree, TraceGraph.load(tree).items)[subject]
    log.append(logs.ada(), "trace.approve", {"subject": subject, "digest": digest})
    assert said(told(tree, log)) == [("", "ada", "approved", subject, "an independent reviewer has to approve it")]


def test_a_baseline_holds_while_no_item_changes(tree: Path, log: logs.LogBuilder) -> None:
    items = TraceGraph.load(tree).items
    payload = {"name": "v1", "items": len(items.by_id), "digest": items_digest(items)}
    log.append(logs.ben(), "trace.baseline", payload, context=Context(git_commit="a" * 40))
    about = f"v1, {len(items.by_id)} items, commit {'a' * 12}"
    assert said(told(tree, log)) == [("", "ben", "baseline", about, "")]
    edit(tree, "requirements/all.yaml", "Because.", "For that reason.")
    assert said(told(tree, log)) == [("", "ben", "baseline", about, "items have changed")]


def sign(log: logs.LogBuilder, digest: str, *, with_other_words: bool = False) -> None:
    envelope = approve(
        logs.ben(),
        role=Role.REVIEWER,
        meaning=Meaning.REVIEW,
        policy=logs.RELEASE_POLICY,
        subjects=(Artifact(name="tagmanifest-sha512.txt", digest=digest),),
        shown=DIGEST,
        head=len(log.entries),
        now=logs.BEGIN,
    ).model_dump(mode="json")
    if with_other_words:
        envelope["payload"] = envelope["payload"][:-8] + "AAAAAAA="
    log.append(logs.ben(), "release.sign", {"version": "1.0", "tag_manifest": digest, "envelope": envelope})


def build(log: logs.LogBuilder, digest: str) -> None:
    payload = {"version": "1.0", "tag_manifest": digest, "gates": 1, "files": 1}
    log.append(logs.service("pipeline"), "release.build", payload)


def test_a_release_signature_holds_until_the_pack_is_built_again(tree: Path, log: logs.LogBuilder) -> None:
    build(log, DIGEST)
    sign(log, DIGEST)
    assert said(told(tree, log)) == [("", "ben", "review", "release 1.0 as independent-reviewer", "")]
    build(log, digest_bytes(b"another"))
    assert said(told(tree, log))[0][4] == "the pack was built again since"


def test_an_envelope_that_does_not_verify_is_shown_as_such(tree: Path, log: logs.LogBuilder) -> None:
    build(log, DIGEST)
    sign(log, DIGEST, with_other_words=True)
    [row] = said(told(tree, log))
    assert row[2:4] == ("signed", "release 1.0")
    assert row[4].startswith("does not verify: ")


def test_what_was_refused_or_failed_is_no_signature(tree: Path, log: logs.LogBuilder) -> None:
    for outcome in (Outcome.REFUSED, Outcome.FAILED, Outcome.STARTED):
        log.append(logs.ben(), "trace.baseline", {"name": "v1", "items": 3, "digest": DIGEST}, outcome=outcome)
    assert told(tree, log).signatures == ()


@pytest.mark.verifies("REQ-107")
def test_the_last_of_what_was_made_is_named_and_the_entry_of_these_results(tree: Path, log: logs.LogBuilder) -> None:
    pipeline = logs.service("pipeline")
    first, second, third = (digest_bytes(bytes([number])) for number in range(3))
    export = {"opset": 18, "max_abs_difference": 0.0, "tolerance": 0.1}
    for digest in (first, second):
        outputs = (Artifact(name="models/model.onnx", digest=digest), Artifact(name="models/a.png", digest=third))
        log.append(pipeline, "model.export", export, outputs=outputs)
    run = {"passed": 1, "failed": 0, "skipped": 0, "tree": DIGEST}
    for digest in (first, second, second, third):
        log.append(pipeline, "scenarios", run, outputs=(Artifact(name="results.json", digest=digest),))
    at = len(log.entries)
    story = told(tree, log, results=second)
    assert [(one.name, one.digest, one.entry) for one in story.made] == [
        ("models/model.onnx", second, at - 5),
        ("results.json", third, at - 1),
    ]
    assert story.results == at - 2
    assert told(tree, log, results=DIGEST).results is None
    assert told(tree, log).results is None
