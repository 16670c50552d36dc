"""Steps of source.feature."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.facts.source_state import read_source_state, read_uncommitted
from minivess.compliance.proofs.archive import read_archive
from minivess.compliance.release.gates import judge, load_policy
from minivess.compliance.results.loaded_files import judge_loaded
from minivess.compliance.trace.graph import TraceGraph
from minivess.foundation.clock import utc_now
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import RefusedError
from minivess.foundation.provenance import SourceVersion, environment_digest, tree_digest
from minivess.records.device.release import GateFacts
from minivess.records.device.source_state import SourceState
from minivess.records.items.trace import RecordedResult, ResultReport
from tests.support.builders.release_builder import POLICY, Release, make_release
from tests.support.pump_device import device_below_root, device_with_submodule
from tests.support.source_states import DIFF, LOADED, commit_all, git, uncommitted

scenarios("source.feature")

CORE = "src/pumpseg/core.py"


@dataclass
class Device:
    """A device, and results of its tests."""

    folder: Path
    report: ResultReport

    @property
    def state(self) -> SourceState:
        """The state of its source as it is now."""
        return read_source_state(SourceVersion(self.folder), self.report)


def _with_results(folder: Path) -> Device:
    graph = TraceGraph.load(folder)
    results = tuple(
        RecordedResult(
            name=one.name, node=f"t::{one.name}", ids=one.tags, outcome="passed", seconds=0.1, scenario=one.source
        )
        for one in graph.scenarios
    )
    return Device(
        folder,
        ResultReport(
            commit=None,
            dirty=None,
            tree=tree_digest(folder),
            environment=environment_digest(folder),
            platform="here",
            time=utc_now(),
            tester="ada",
            results=results,
            loaded=LOADED,
        ),
    )


@given("a device in a git repository, with its algorithm in a submodule", target_fixture="device")
def _(tmp_path: Path) -> Device:
    device = _with_results(device_with_submodule(tmp_path))
    assert device.state.releasable
    assert device.state.faults() == ()
    return device


@given("a device in a git repository below its root", target_fixture="device")
def _(tmp_path: Path) -> Device:
    return _with_results(device_below_root(tmp_path / "top"))


@given("results of it in which everything passed")
def _(device: Device) -> None:
    graph = TraceGraph.load(device.folder, device.report)
    assert [graph.verdict_for(name) for name in ("REQ-001", "REQ-002")] == ["passed", "passed"]


@given("a file that git ignores and that the tests load")
def _(device: Device) -> None:
    secret = device.folder / "ignored" / "secret.py"
    secret.parent.mkdir()
    secret.write_text("", encoding="utf-8")
    loaded = judge_loaded([str(secret), str(device.folder / CORE)], device.folder)
    device.report = device.report.model_copy(update={"loaded": loaded})


def _append(path: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8") + "# more\n", encoding="utf-8")


def _other_commit(folder: Path) -> None:
    git(folder / "src/pumpseg", "commit", "--allow-empty", "-qm", "other")


def _nested(folder: Path) -> None:
    (folder / "src/inner").mkdir()
    (folder / "src/inner/a.py").write_text("", encoding="utf-8")
    commit_all(folder / "src/inner")


CHANGES: dict[str, Callable[[Path], object]] = {
    "a new file is not committed": lambda folder: (folder / "src/new.py").write_text("x = 1\n", encoding="utf-8"),
    "the algorithm in the submodule is changed": lambda folder: _append(folder / CORE),
    "the submodule is set to another commit": _other_commit,
    "a repository is made inside the tree": _nested,
    "a link is made that leads out of the tree": lambda folder: (folder / "src/outside.py").symlink_to("/etc/hosts"),
    "changes of a file are hidden from git": lambda folder: git(
        folder, "update-index", "--assume-unchanged", "minivess.yaml"
    ),
    "the repository is removed": lambda folder: shutil.rmtree(folder / ".git"),
}


@when(parsers.re(f"(?P<change>{'|'.join(CHANGES)})"))
def _(device: Device, change: str) -> None:
    CHANGES[change](device.folder)


@then(parsers.parse('nothing may be released from it because of "{reason}"'))
def _(device: Device, reason: str) -> None:
    state = device.state
    assert not state.releasable
    assert reason in state.not_releasable
    assert SourceState.model_validate_json(state.model_dump_json()) == state


@then(parsers.parse('the gate "source" fails and names "{name}"'))
def _(device: Device, name: str) -> None:
    facts = GateFacts(source=device.state, report=device.report)
    gate = next(one for one in judge(load_policy(POLICY), facts) if one.kind == "source")
    assert gate.value == float(len(device.state.not_releasable))
    assert not gate.passed
    assert name in gate.message
    assert gate.mend


@then(parsers.parse('"{first}" and "{second}" count as stale'))
def _(device: Device, first: str, second: str) -> None:
    graph = TraceGraph.load(device.folder, device.report)
    assert [graph.verdict_for(name) for name in (first, second)] == ["stale", "stale"]
    assert {"REQ-001", "REQ-002"} <= {gap.item for gap in graph.gaps()}


@then("the recorded state names the digest of a diff that restores the tree from its commit")
def _(device: Device, tmp_path: Path) -> None:
    version, state = SourceVersion(device.folder), device.state
    diff = read_uncommitted(version)
    assert diff is not None
    assert state.uncommitted == digest_bytes(diff)
    assert (state.folder, state.changed) == ("products/pump", ("products/pump/src/new.py",))
    assert state.commit is not None
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(version.contents.top), str(clone))
    git(clone, "checkout", "-q", state.commit)
    assert git(clone, "rev-parse", "HEAD^{tree}").strip() == state.git_tree
    subprocess.run(["git", "apply", "-"], cwd=clone, input=diff, check=True, capture_output=True)
    assert tree_digest(clone) == state.tree


@given("a release of a source tree with uncommitted changes", target_fixture="release")
def _(tmp_path: Path) -> Release:
    return _uncommitted(make_release(tmp_path))


@given("a demonstration of a source tree with uncommitted changes", target_fixture="release")
def _(tmp_path: Path) -> Release:
    return _uncommitted(make_release(tmp_path, demo=True))


def _uncommitted(release: Release) -> Release:
    assert release.facts.source is not None
    release.facts = release.facts.model_copy(update={"source": uncommitted(release.facts.source)})
    return release


@then(parsers.parse('its pack is refused because "{words}"'))
def _(release: Release, tmp_path: Path, words: str) -> None:
    with pytest.raises(RefusedError) as refused:
        release.build(tmp_path / "pack.zip")
    assert words in refused.value.message
    assert not (tmp_path / "pack.zip").exists()


@then(parsers.parse('its pack states on the start page "{words}"'))
def _(release: Release, tmp_path: Path, words: str) -> None:
    files = read_archive(release.build(tmp_path / "pack.zip").path.read_bytes())
    page = files["data/index.html"].decode("utf-8")
    assert words in page
    assert "src/thing/sums.py" in page
    assert "release gates passed" not in page
    assert files["data/source/uncommitted.diff"] == DIFF
    assert f"NOT RELEASABLE: {words.partition('(')[2].rstrip(')')}" in files["data/signing-text.txt"].decode("utf-8")
