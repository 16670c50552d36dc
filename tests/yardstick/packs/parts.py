"""The parts of the yardstick that are about packs, with what they found in lines of text."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path

from minivess.compliance.proofs.archive import read_archive
from minivess.compliance.proofs.canonical import digest_of
from minivess.foundation.digests import digest_bytes
from tests.yardstick.packs import removal, whole
from tests.yardstick.packs.judging import remembered
from tests.yardstick.packs.reasons import survivor_reason

RESULT = Path(__file__).parent / "RESULT.md"
ROOT = Path(__file__).resolve().parents[3]
KEPT = ROOT / ".pytest_cache" / "yardstick"
"""Where the reports of finished shares are kept: a folder for each state of the source tree."""
SEED, OF_FILE, FOR_CHECKS = 11, 500, 900
"""The seed of every draw; changes of a real pack; changed packs with which checks are tried."""
Found = tuple[list[str], list[str]]
"""Lines, and what is wrong."""


def changes(jobs: int, sample: int | None) -> Found:
    """Every change, or some of them."""
    yardstick = whole.Yardstick.make()
    every = list(yardstick.mutants())
    drawn = every if sample is None else random.Random(SEED).sample(every, sample)  # noqa: S311  reproducible
    report = whole.in_processes(yardstick, drawn, jobs, KEPT / _state())
    what = "" if sample is None else f"; a sample of {sample} of them, drawn with the seed {SEED}, was judged"
    head = f"{len(yardstick.places.kinds)} kinds of place, {len(every)} changes with who signs again, as far as possible{what}"
    return [head, "", *_lines(report)], report.faults


def _state() -> str:
    """The state of everything that decides how a changed pack is judged."""
    folders = ("src/minivess", "templates", "tests/yardstick", "tests/support")
    files = sorted(
        path for name in folders for path in (ROOT / name).rglob("*") if path.suffix in {".py", ".json", ".html"}
    )
    return digest_of({path.relative_to(ROOT).as_posix(): digest_bytes(path.read_bytes()) for path in files})[7:23]


def of_file(path: Path) -> Found:
    """Changes of a real pack, whose keys are not at hand."""
    with remembered():
        report = whole.of_real_pack(read_archive(path.read_bytes()), OF_FILE, SEED)
    return [f"{report.judged} changes of {path.name}", "", *_lines(report)], report.faults


def checks() -> Found:
    """Every check of both verifiers, taken out."""
    yardstick = whole.Yardstick.make()
    every = list(yardstick.mutants())
    drawn = random.Random(SEED).sample(every, min(FOR_CHECKS, len(every)))  # noqa: S311  reproducible
    with remembered():
        forged = (files for one in drawn if (files := yardstick.files(one)) is not None)
        found = removal.unnoticed(yardstick.maker.whole, forged)
    blind, faults = defaultdict[str, list[str]](list), list[str]()
    for one in found.blind:
        reason = removal.reason_of(one)
        if reason is None:
            faults.append(f"NO REASON: {one}")
        else:
            blind[reason].append(str(one))
    reached = found.count - len(found.unreached)
    lines = [
        f"{found.count} checks; {reached} refuse one of {len(drawn)} changed packs, {reached - len(found.blind)} are missed"
    ]
    for reason, names in blind.items():
        lines += ["", f"{len(names)} of: {reason}", "", *(f"- {name}" for name in names)]
    lines += ["", f"{len(found.unreached)} that no changed pack reaches; other tests are about them", ""]
    return [*lines, *(f"- {one}" for one in found.unreached)], faults


def _lines(report: whole.Report) -> list[str]:
    lines = [f"{report.judged} packs judged by both verifiers. Changed packs by who signed again:", ""]
    lines += [f"- {name}: {count}" for name, count in sorted(report.counts.items())]
    lines += ["", "Both name the same thing, in checks of other names:", ""]
    lines += [f"- {names}: {count}" for names, count in sorted(report.other_checks.items())]
    lines += _by_reason("answered differently", {name: (reason, "") for name, reason in report.differences.items()})
    survivors = {
        name: (survivor_reason(name) or "NO REASON", f" ({', '.join(sorted(kinds))})")
        for name, kinds in report.survivors.items()
    }
    return [*lines, *_by_reason("accepted", survivors)]


def _by_reason(what: str, named: dict[str, tuple[str, str]]) -> list[str]:
    groups = defaultdict[str, list[str]](list)
    for name, (reason, more) in sorted(named.items()):
        groups[reason].append(f"- {name}{more}")
    lines = list[str]()
    for reason, names in groups.items():
        lines += ["", f"{len(names)} {what}: {reason}", "", *names]
    return lines
