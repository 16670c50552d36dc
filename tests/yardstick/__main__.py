"""All of the yardstick: `python -m tests.yardstick [--write]`. Exit code 1: something was not noticed that has no reason.

The parts `packs` and `pack checks` are about evidence packs, the others about the log. `--pack FILE` tries a real pack.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.yardstick import caches, drafts, fields, removal
from tests.yardstick.cases.battery import battery
from tests.yardstick.fast import remembered_signatures
from tests.yardstick.packs import parts as packs
from tests.yardstick.reasons import reason_of, unread_by_script

Part = Callable[[], tuple[list[str], list[str]]]
"""What it found, and what is wrong."""
RESULT = Path(__file__).parent / "RESULT.md"
SEEDS, DRAFTS = range(10), 150
"""Of the random drafts: runs, and drafts a process."""


def main(arguments: list[str]) -> int:
    options = argparse.ArgumentParser(prog="python -m tests.yardstick", description=__doc__)
    options.add_argument("--write", action="store_true", help="write RESULT.md")
    options.add_argument("--only", choices=[*_OF_LOG, *_OF_PACKS], help="one part alone")
    options.add_argument("--pack", type=Path, help="try 500 changes of this pack, and nothing else")
    options.add_argument("--sample", type=int, help="of the changes of a pack, so many drawn by chance")
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes that judge changed packs")
    chosen = options.parse_args(arguments)
    if chosen.pack is not None:
        return _run({"pack": lambda: packs.of_file(chosen.pack)}, chosen, None)
    of_packs: dict[str, Part] = {
        "packs": lambda: packs.changes(chosen.jobs, chosen.sample),
        "pack checks": packs.checks,
    }
    wrong = _run(_OF_LOG, chosen, RESULT)
    return _run(of_packs, chosen, packs.RESULT) or wrong


def _run(parts: Mapping[str, Part], chosen: argparse.Namespace, result: Path | None) -> int:
    """Run the chosen parts, and write their result."""
    sections, faults = dict[str, str](), list[str]()
    for name, part in parts.items():
        if chosen.only in {None, name}:
            began = _cpu()
            with remembered_signatures():
                said, wrong = part()
            without = ["Without a reason:", "", *(f"- {words}" for words in wrong), ""] if wrong else []
            head = f"Commit {_commit()}, {time.strftime('%Y-%m-%d', time.gmtime())}, {_cpu() - began:.0f} CPU-s"
            sections[name] = "\n".join([head, "", *without, *said])
            faults += wrong
            print("\n".join([*said, *wrong]), flush=True)
    if chosen.write and result is not None and sections:
        before = result.read_text(encoding="utf-8") if result.is_file() else ""
        result.write_text(with_sections(before, sections), encoding="utf-8")
    return 1 if faults else 0


def with_sections(before: str, sections: Mapping[str, str]) -> str:
    """The text of a result with some sections made again; the others stay as they are."""
    stay = {
        name: text.strip()
        for name, text in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", before, re.MULTILINE | re.DOTALL)
    }
    named = "\n\n".join(f"## {name}\n\n{text.strip()}" for name, text in {**stay, **sections}.items())
    return f"# Result of the yardstick\n\n`just mutants` makes this file again.\n\n{named}\n"


def _cpu() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def _commit() -> str:
    asked = ["git", "rev-parse", "HEAD"]
    return subprocess.run(asked, capture_output=True, encoding="utf-8", check=False, cwd=RESULT.parent).stdout.strip()


def _listed(survivors: dict[str, set[str]]) -> tuple[list[str], list[str]]:
    """Survivors by reason, and those without one."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    faults = []
    for words, kinds in sorted(survivors.items()):
        reason = reason_of(words)
        line = f"{words} ({', '.join(sorted(kinds))})" if kinds else words
        if reason is None:
            faults.append(f"NO REASON: {line}")
        else:
            by_reason[reason].append(line)
    said = []
    for reason, lines in by_reason.items():
        said += ["", f"{len(lines)} of: {reason}", "", *(f"- {line}" for line in lines)]
    return said, faults


def _fields() -> tuple[list[str], list[str]]:
    found: Counter[str] = Counter()
    survivors: dict[str, set[str]] = defaultdict(set)
    faults = []
    for mutant in fields.mutants():
        answer = fields.judge(mutant)
        found[answer] += 1
        if answer == "accepted":
            survivors[mutant.place].add(mutant.kind)
        elif answer != "refused":
            faults.append(f"{answer}: {mutant}")
    said, unexplained = _listed(survivors)
    head = (
        f"{found.total()} changes of fields: {json.dumps(dict(found))}; places with an accepted one: {len(survivors)}"
    )
    return [head, *said], [*faults, *unexplained]


def _script() -> tuple[list[str], list[str]]:
    """Where `verify.py` judges a changed entry otherwise than the product."""
    count, unread, faults = 0, set[str](), []
    for mutant in fields.mutants():
        if mutant.signed != "by both":
            continue
        count += 1
        product, script = fields.of_both(mutant)
        if unread_by_script(mutant.place, product, script):
            unread.add(mutant.place)
        elif bool(product) != bool(script):
            faults.append(f"{mutant}: product {product!r}, verify.py {script!r}")
    head = f"{count} changes put to verify.py too; places that only the product reads: {len(unread)}"
    return [head, "", *(f"- {place}" for place in sorted(unread))], faults


def _caches() -> tuple[list[str], list[str]]:
    survivors: dict[str, set[str]] = defaultdict(set)
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        store = caches.Store(Path(folder))
        for change in caches.changes(store):
            count += 1
            if not store.judge(change):
                survivors[change.place].add(change.kind)
        store.close()
    said, faults = _listed(survivors)
    return [f"{count} changes of the database; places that survive one: {len(survivors)}", *said], faults


def _removal() -> tuple[list[str], list[str]]:
    wrong = [one.fault for one in removal.judged() if one.fault]
    wrong += [words for case in removal.for_script() if (words := removal.fault_of_script(case))]
    every = list(removal.removals())
    survivors = {str(one): set[str]() for one in every if not removal.noticed(one)}
    said, faults = _listed(survivors)
    head = f"{len(every)} checks taken out, {len(every) - len(survivors)} noticed by {len(battery())} cases"
    return [head, *said], [*wrong, *faults]


def _drafts() -> tuple[list[str], list[str]]:
    accepted, refused, raced, faults = 0, 0, 0, list[str]()
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            for told in drafts.run(Path(folder), 2 * seed, DRAFTS):
                accepted += told.accepted.total()
                refused += told.refused.total()
                raced += told.raced
                faults += told.faults
    head = f"{accepted} drafts accepted and verified, {refused} refused; {refused - raced} of these refused by hand too"
    return [head], faults


_OF_LOG: Mapping[str, Part] = {
    "fields": _fields,
    "script": _script,
    "caches": _caches,
    "removal": _removal,
    "drafts": _drafts,
}
_OF_PACKS = ("packs", "pack checks")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
