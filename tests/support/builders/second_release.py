"""A second release in the log of a small first one: another model on the same sealed cases, and a changed source tree."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from minivess.compliance.pack.changes import CHANGES
from minivess.compliance.proofs.archive import read_archive
from minivess.foundation.digests import digest_bytes
from minivess.foundation.paths import Workspace
from minivess.records.evaluation.cases import CaseCounts
from minivess.records.log.entry import Context
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES
from tests.support.builders import logged_signatures, release_builder
from tests.support.builders.exports import export_record
from tests.support.builders.layout2_pack import SmallPack
from tests.support.builders.release_builder import VERSION, Release, ReleaseLog
from tests.support.source_states import clean_state

LATER = "1.1.0"
CHANGED = {
    "requirements/all.yaml": release_builder.REQUIREMENTS.replace("numbers</b> & nothing else", "numbers</b> fast")
}
"""The source tree of the second release, where it differs."""

CHANGE_PLAN = """\
format: minivess-change-plan/1
modifications:
  - id: retraining
    title: Trained again
    kinds: [new-training-data, retraining, calibration]
    description: More cases of the same use.
    protocol: One look. Every gate passes.
    impact: A subgroup can be segmented worse.
    risks: [RISK-01]
  - {id: upkeep, title: Upkeep, kinds: [software], description: Software., protocol: Tests., impact: Defects.}
fixed: [architecture, sealed-test-set, acceptance-criteria]
performance:
  - {measure: dice, margin: 0.02, at_least: 0.85, subgroups_at_least: 0.8}
data: {parts: [train], added_at_most: 2}
looks_at_most: 2
"""
"""The plan of the first release, and of the second one."""


@dataclass(frozen=True)
class TwoReleases:
    """Both packs. The first is signed."""

    first: Mapping[str, bytes]
    second: SmallPack

    @property
    def log(self) -> ReleaseLog:
        """The log of the second, from the first entry to its preparation."""
        return self.second.log


@cache
def two_releases() -> TwoReleases:
    """The packs, made once a process; they are not to be changed."""
    return second_of(first_pack())


@cache
def first_pack() -> SmallPack:
    """The first release, whose policy allows a look for each of two releases."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    policy = release_builder.policy_of_release()
    gates = tuple(one.model_copy(update={"at_most": 2}) if one.id == "test-set" else one for one in policy.gates)
    source = release_builder.write_source(folder / "source")
    (source / "release").mkdir()
    (source / "release" / "change-plan.yaml").write_text(CHANGE_PLAN, encoding="utf-8")
    release = release_builder.make_release(folder, source=source, policy=policy.model_copy(update={"gates": gates}))
    files = read_archive(release.build(folder / "pack.zip").path.read_bytes())
    assert release.prepared is not None
    return SmallPack(files, release.prepared, release.people, release)


def second_of(
    first: SmallPack,
    *,
    cases: tuple[CaseCounts, ...] | None = None,
    tree: Mapping[str, str] | None = None,
    log: ReleaseLog | None = None,
) -> TwoReleases:
    """A second release after a first one.

    Args:
        first: its pack.
        cases: what the evaluation of the second counted; default: a Dice that is higher by .01 in each case.
        tree: files of the source tree that differ; default: one requirement.
        log: the log to continue; default: that of the first pack, with the entries of its build and its signatures.
    """
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copytree(first.release.source, folder / "source")
    shutil.copytree(first.release.workspace.root, folder / "workspace")
    for name, text in (CHANGED if tree is None else tree).items():
        (folder / "source" / name).write_text(text, encoding="utf-8")
    after, packed = signed(first) if log is None else (log, first.signed())
    release = _continued(first.release, folder, after, cases)
    built = release.build(folder / "pack.zip", previous=packed)
    assert release.prepared is not None
    files = read_archive(built.path.read_bytes())
    assert f"data/{CHANGES}" in files
    return TwoReleases(packed, SmallPack(files, release.prepared, release.people, release))


def signed(pack: SmallPack) -> tuple[ReleaseLog, dict[str, bytes]]:
    """The log after a pack was built and signed by two people, and the signed files."""
    log, people = pack.log.copy(), pack.people
    model = pack.log.entries[-1].body.context.model
    logged_signatures.record_build(log, pack.files, people.manager, version=VERSION, model=model or "")
    found = logged_signatures.sign_logged(
        log,
        pack.files,
        (people.reviewer, people.manager),
        version=VERSION,
        packed=len(pack.log.entries),
        policy=release_builder.policy_of_release().signatures,
    )
    line = people.reviewer.cosign(pack.log.checkpoint, 1_800_000_000)
    return log, {**found, f"signatures/{people.reviewer.identity.id}.cosignature": line.encode("utf-8")}


def _continued(first: Release, folder: Path, log: ReleaseLog, cases: tuple[CaseCounts, ...] | None) -> Release:
    workspace, tree, team = Workspace(folder / "workspace"), folder / "source", first.people
    onnx = bytes(reversed(range(256))) * 8
    export = export_record(digest_bytes(onnx), (32, 64, 64), threshold=0.312)
    outputs = release_builder._put(workspace, {"models/model.onnx": onnx, "models/export.json": export})
    combined = release_builder._artifact(log, "ensemble", "models/ensemble.json")
    calibrated = release_builder._artifact(log, "calibration", "models/calibration.json")
    log.append(
        team.developer,
        "model.export",
        {"opset": 18, "max_abs_difference": 3.1e-6, "tolerance": 1e-4},
        inputs=(combined, calibrated),
        outputs=outputs,
        context=Context(model=outputs[1].digest),
    )
    tested = tuple(row.case for row in _rows(first))
    evaluation = release_builder._look(
        workspace,
        log,
        team,
        tested,
        ONE_CLASS_OF_VOLUMES,
        contract=True,
        scored=False,
        policy=first.policy,
        version=LATER,
        look=2,
        cases=cases or better(first, 100),
    )
    report = release_builder._report(tree)
    facts = first.facts.model_copy(
        update={
            "evaluation": evaluation,
            "export": export,
            "report": report,
            "source": clean_state(tree),
            "openings": 2,
        }
    )
    made = replace(first, source=tree, workspace=workspace, log=log, facts=facts, version=LATER, prepared=None)
    made.record(report)
    return made


def _rows(release: Release) -> list[CaseCounts]:
    assert release.facts.evaluation is not None
    return [row for row in release.facts.evaluation.cases if isinstance(row, CaseCounts)]


def better(release: Release, voxels: int) -> tuple[CaseCounts, ...]:
    """The counts of a release's cases with so many voxels more in both masks, of 10,000; a negative number: fewer."""
    found = []
    for place, row in enumerate(_rows(release)):
        right = 8600 + 1000 * ((7 * place) % len(_rows(release))) // len(_rows(release)) + voxels
        changed = release_builder._counted_row(row.case, right, None, flat=False, scored=False)
        changed = changed.model_copy(update={"attributes": {"site": "north" if place == 1 else "south"}})
        if place == 1:
            changed = changed.model_copy(update={"counts": {**changed.counts, "hd95": row.counts["hd95"]}})
        found.append(changed)
    return tuple(found)


def revoked_log(first: SmallPack) -> ReleaseLog:
    """The log after a release was built, signed and revoked."""
    log, files = signed(first)
    said = {
        "version": VERSION,
        "tag_manifest": digest_bytes(files["tagmanifest-sha512.txt"]),
        "model": first.log.entries[-1].body.context.model,
        "reason": "it misses thin vessels",
        "instructions": "Stop using it. Go back to the version before.",
        "decided_by": "Cleo Release",
    }
    log.append(first.people.manager, "release.revoked", said)
    return log
