"""The state of the source tree in a pack: both verifiers say the same of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from minivess.compliance.proofs.archive import write_archive
from minivess.compliance.verification.pack import judge_files
from minivess.records.verdict import VerdictState
from tests.support.builders.layout2_pack import SmallPack, small_pack
from tests.support.builders.release_builder import TEMPLATES
from tests.support.source_states import DIFF

pytestmark = pytest.mark.verifies("REQ-217", "REQ-218")

UNCOMMITTED = "data/source/uncommitted.diff"


def verdicts(pack: SmallPack, folder: Path) -> tuple[VerdictState, str, list[str]]:
    """The state and the first failing check by the product, and the failing checks and the verdict by verify.py."""
    files = pack.signed()
    found = judge_files(files, subject="pack", container="", trusted=None)
    path = folder / "pack.zip"
    path.write_bytes(write_archive(files))
    script = TEMPLATES / "verify" / "verify.py"
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(script), str(path)], capture_output=True, text=True, check=False, timeout=120
    )
    failed = [check.name for check in found.checks if not check.passed]
    lines = done.stdout.strip().splitlines()
    refused = [line.split()[1] for line in lines if line.startswith("FAIL")]
    return found.state, failed[0] if failed else "", [*refused, lines[-1].partition(": ")[2]]


def test_a_demonstration_of_an_uncommitted_tree_is_not_releasable(tmp_path: Path) -> None:
    verdict = "NOT RELEASABLE: every check passed; uncommitted changes"
    assert verdicts(small_pack(demo=True, dirty=True), tmp_path) == (VerdictState.NOT_RELEASABLE, "", [verdict])


def source(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[SmallPack], SmallPack]:
    """The pack whose preparation states another source."""
    return lambda pack: pack.bent(say=lambda said: said | {"source": said["source"] | change(said["source"])})


FALSE: dict[str, Callable[[SmallPack], SmallPack]] = {
    "the diff is removed": lambda pack: pack.bent({UNCOMMITTED: None}),
    "the diff is another one": lambda pack: pack.bent({UNCOMMITTED: DIFF + b"+"}),
    "another tree": source(lambda _: {"tree": f"sha256:{'1' * 64}"}),
    "another environment": source(lambda _: {"environment": f"sha256:{'1' * 64}"}),
    "fewer loaded files": source(
        lambda said: {
            "strangers": 1,
            "not_releasable": [*said["not_releasable"], "loaded files without an origin"],
        }
    ),
}


@pytest.mark.parametrize("case", FALSE)
def test_a_source_that_does_not_fit_is_refused_by_both(case: str, tmp_path: Path) -> None:
    state, failed, script = verdicts(FALSE[case](small_pack(demo=True, dirty=True)), tmp_path)
    assert (state, failed) == (VerdictState.NOT_VERIFIED, "source")
    assert script[0] == "source"


def test_changes_that_the_preparation_does_not_count_as_a_reason_are_refused_by_both(tmp_path: Path) -> None:
    hidden = source(lambda _: {"not_releasable": []})(small_pack(demo=True, dirty=True))
    state, _, script = verdicts(hidden, tmp_path)
    assert state is VerdictState.NOT_VERIFIED
    assert script[0] in {"log", "chain", "source"}
