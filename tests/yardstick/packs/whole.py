"""The whole yardstick of a pack: each change is forged by each group of people and judged by both verifiers.

Changes of files that a verifier has just accepted are tried together, one of each file at a time: when both verifiers accept
all of them together, none of them was noticed. When they do not, each is tried alone.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from minivess.compliance.proofs.canonical import digest_of
from minivess.foundation.files import write_text_atomic
from tests.support.builders.layout2_pack import SmallPack, small_pack
from tests.support.builders.release_builder import make_release
from tests.yardstick.packs.bags import is_bound, rebagged
from tests.yardstick.packs.forging import DETAILS, ENTRIES, SIGNED, Forger
from tests.yardstick.packs.judging import Answers, judge, remembered
from tests.yardstick.packs.places import Change, Place, Places
from tests.yardstick.packs.reasons import difference_reason, survivor_reason

SHARES = 24
"""Into how many shares the whole run is divided."""
OLDER_CASES = 4
"""Test cases of the older pack; the pack itself has another number."""
_UNREAD = ("data/lineage/events.jsonl", "data/audit/identities.json")
"""Files that the preparation does not bind, and that are tried together with others as well."""


@dataclass(frozen=True)
class Mutant:
    """A change that is tried, and who takes part in it."""

    place: Place
    how: str
    signed: str

    @property
    def survivor(self) -> str:
        """What it is called among the survivors."""
        return f"{self.place.kind}, signed again by {self.signed}"

    def __str__(self) -> str:
        return f"{self.place.kind} ({self.how}), signed again by {self.signed}"


@dataclass
class Report:
    """What became of the mutants."""

    counts: Counter[str] = field(default_factory=Counter)
    """Mutants by who took part and what both answered."""
    judged: int = 0
    """Packs that were judged: fewer than mutants, because some are tried together."""
    survivors: dict[str, set[str]] = field(default_factory=partial(defaultdict, set))
    """Kinds of change that were accepted, by place."""
    differences: dict[str, str] = field(default_factory=dict)
    """Mutants that the verifiers judge otherwise for a reason that is known."""
    other_checks: Counter[str] = field(default_factory=Counter)
    """Names of the first failed checks, where both name the same thing in different checks."""
    faults: list[str] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return {**vars(self), "survivors": {name: sorted(kinds) for name, kinds in self.survivors.items()}}

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> Self:
        """A report from what `plain` gave."""
        report = cls(judged=plain["judged"], differences=plain["differences"], faults=plain["faults"])
        report.counts.update(plain["counts"])
        report.other_checks.update(plain["other_checks"])
        report.survivors.update({name: set(kinds) for name, kinds in plain["survivors"].items()})
        return report

    def add(self, other: Report) -> None:
        """Take in another report."""
        self.counts += other.counts
        self.judged += other.judged
        self.other_checks += other.other_checks
        self.differences |= other.differences
        self.faults += other.faults
        for name, kinds in other.survivors.items():
            self.survivors[name] |= kinds

    def note(self, mutant: Mutant, answers: Answers) -> None:
        """Take in one mutant."""
        said = "refused" if answers.refused else "accepted"
        self.counts[f"{mutant.signed}: {said}"] += 1
        if answers.fault:
            reason = difference_reason(str(mutant), answers)
            if reason is None:
                self.faults.append(f"{mutant}: {answers.fault}")
            else:
                self.differences[str(mutant)] = reason
        elif said == "accepted":
            self.survivors[mutant.survivor].add(mutant.how)
            if survivor_reason(mutant.survivor) is None:
                self.faults.append(f"NO REASON: {mutant}")
        elif answers.other_check:
            self.other_checks[answers.other_check] += 1


def older_files() -> Mapping[str, bytes]:
    """An older pack of the same log origin, people and layout, with more test cases; it is valid as well."""
    from minivess.compliance.proofs.archive import read_archive

    with TemporaryDirectory() as folder:
        release = make_release(Path(folder) / "release", cases=OLDER_CASES)
        files = read_archive(release.build(Path(folder) / "pack.zip").path.read_bytes())
        assert release.prepared is not None
        return Forger(SmallPack(files, release.prepared, release.people, release)).whole


@dataclass(frozen=True)
class Yardstick:
    """A pack with its places."""

    maker: Forger
    places: Places

    @classmethod
    def make(cls) -> Self:
        """The small pack of the tests."""
        maker = Forger(small_pack())
        return cls(maker, Places(maker.whole, older_files()))

    def mutants(self) -> Iterator[Mutant]:
        """All that are tried, in a fixed order; not each is possible.

        A place inside a file is tried with every class of change where all who matter sign again. Where somebody does not,
        it is refused for that alone: then only the first occurrence is removed.
        """
        for place, how in self.places.tries():
            levels = self.maker.levels(place.file)
            first = how == "removed" and place == self.places.kinds[place.kind][0]
            for signed in levels:
                strongest = signed == levels[-1] or (signed == SIGNED[2] and not self._needs_maker(place.file))
                if strongest or not place.path or (first and signed != SIGNED[1]):
                    yield Mutant(place, how, signed)

    def _needs_maker(self, name: str) -> bool:
        """Whether a change is refused for the lack of the signature of whoever made the file or the entry."""
        return name in {ENTRIES, DETAILS} or self.maker.made(name) is not None

    def files(self, mutant: Mutant) -> dict[str, bytes] | None:
        """The changed pack; None where the change is not possible."""
        change = self.places.change(mutant.place, mutant.how)
        return None if change is None else self.maker.forge(change, mutant.signed)

    def run(self, every: Iterable[Mutant], calm: set[str]) -> Report:
        """Judge mutants, those of calm files together. `calm` has the files that were calm before, and is changed."""
        report, waiting = Report(), defaultdict[str, list[Mutant]](list)
        for mutant in every:
            file = mutant.place.file
            if mutant.signed == SIGNED[2] and mutant.place.path and (is_bound(file) or file in _UNREAD):
                waiting[file].append(mutant)
            else:
                self.alone(report, mutant)
        while any(waiting.values()):
            together = []
            for file, left in waiting.items():
                if left and file in calm:
                    together.append(left.pop(0))
                elif left and not self.alone(report, left.pop(0)):
                    calm.add(file)
            calm -= self._together(report, together)
        return report

    def alone(self, report: Report, mutant: Mutant) -> bool:
        """Judge one mutant; returns whether it is refused, or not possible."""
        try:
            files = self.files(mutant)
        except Exception as error:  # a change that cannot be forged is not judged, and must not stop the others
            report.faults.append(f"NOT FORGED: {mutant}: {type(error).__name__}: {error}")
            return True
        if files is None:
            return True
        answers = judge(files, self.maker.whole)
        report.judged += 1
        report.note(mutant, answers)
        return answers.refused

    def _together(self, report: Report, every: list[Mutant]) -> set[str]:
        """Judge mutants of different files together; returns the files of which one was noticed."""
        made = [(one, change) for one in every if (change := self.places.change(one.place, one.how)) is not None]
        if not made:
            return set()
        merged = {name: content for _, change in made for name, content in change.files.items()}
        try:
            forged = self.maker.forge(Change(made[0][0].place, "together", merged), SIGNED[2])
        except Exception:  # one of them cannot be forged; tried alone it is named
            return {one.place.file for one, _ in made if self.alone(report, one)}
        answers = judge(forged, self.maker.whole)
        report.judged += 1
        if not answers.product and not answers.script:
            for mutant, _ in made:
                report.note(mutant, answers)
            return set()
        return {one.place.file for one, _ in made if self.alone(report, one)}

    def sample(self, count: int, seed: int) -> Report:
        """Judge a seeded sample, each mutant alone."""
        report = Report()
        drawn = list(self.mutants())
        random.Random(seed).shuffle(drawn)  # noqa: S311  reproducible
        while report.judged < count:
            self.alone(report, drawn.pop())
        return report


def in_processes(yardstick: Yardstick, every: Iterable[Mutant], jobs: int, kept: Path) -> Report:
    """The same in several processes and in shares, whose reports are kept: a run that was stopped goes on with the next share.

    Args:
        yardstick: the pack with its places.
        every: the mutants.
        jobs: how many processes.
        kept: the folder for the reports of one state of the source tree.
    """
    shares = list(_shares(every))
    context = get_context("fork")
    results: Any = context.Queue()

    def work(number: int) -> None:
        calm, place = set[str](), number
        try:
            with remembered():
                for place in range(number, len(shares), jobs):
                    results.put((place, _share(yardstick, shares[place], calm, kept / f"{place}.json")))
        except Exception as error:  # a share that breaks is a fault, too
            results.put((place, Report(faults=[f"share {place} broke: {type(error).__name__}: {error}"])))
        results.put(None)

    workers = [context.Process(target=work, args=(number,)) for number in range(jobs)]
    for worker in workers:
        worker.start()
    report, running = Report(), jobs
    while running:
        told = results.get()
        if told is None:
            running -= 1
            continue
        place, one = told
        report.add(one)
        print(f"share {place} of {len(shares)}: {one.judged} packs", *one.faults, sep="\n", file=sys.stderr, flush=True)
    for worker in workers:
        worker.join()
    return report


def _shares(every: Iterable[Mutant]) -> Iterator[list[Mutant]]:
    """Shares of about equal work: each has a part of the mutants of every file, so that they can still be tried together."""
    by_file = defaultdict[str, list[Mutant]](list)
    for mutant in every:
        by_file[mutant.place.file].append(mutant)
    for place in range(SHARES):
        yield [one for rows in by_file.values() for one in rows[place::SHARES]]


def _share(yardstick: Yardstick, share: list[Mutant], calm: set[str], kept: Path) -> Report:
    """The report of a share that was judged before, or now."""
    said = digest_of([str(one) for one in share])
    if kept.is_file():
        plain = json.loads(kept.read_bytes())
        if plain.pop("share") == said:
            return Report.of_plain(plain)
    report = yardstick.run(share, calm)
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomic(kept, json.dumps({"share": said, **report.plain()}))
    return report


def of_real_pack(files: Mapping[str, bytes], count: int, seed: int) -> Report:
    """Judge a sample of changes of a pack whose keys nobody here has: its files are bagged again."""
    report = Report()
    before = judge(files, files)
    if before.product or before.script:
        report.faults.append(f"the pack is not accepted unchanged: {before.product} {before.script}")
        return report
    places = Places(files, files)
    drawn = list(places.tries())
    random.Random(seed).shuffle(drawn)  # noqa: S311  reproducible
    while report.judged < count and drawn:
        place, how = drawn.pop()
        change = places.change(place, how)
        if change is not None:
            changed = {name: content for name, content in {**files, **change.files}.items() if content is not None}
            report.judged += 1
            report.note(Mutant(place, how, SIGNED[0]), judge(rebagged(changed, change.files), files))
    return report
