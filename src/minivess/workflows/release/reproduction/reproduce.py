"""Make a released model again from its pack and its data, and compare every digest; figures that differ have intervals."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from minivess.compliance.changes.differences import SEED
from minivess.compliance.proofs.canonical import digest_of
from minivess.compliance.verification.trust import read_trust
from minivess.foundation.errors import MinivessError, RefusedError
from minivess.foundation.implements import implements
from minivess.records.changes.difference import MeasuredTwice, Measures
from minivess.records.changes.reproduction import Reproduction, SideBySide
from minivess.records.evaluation.comparison.evaluations import ComparedEvaluation, compare
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.models.model import RunRecord
from minivess.records.sinks import Progress
from minivess.workflows.release.changes.difference import open_pack
from minivess.workflows.release.reproduction.environment import circumstances_of
from minivess.workflows.release.reproduction.environment import rebuild as rebuild_in
from minivess.workflows.release.reproduction.made_again import Remade
from minivess.workflows.session.project_file import load_project

_NAMED = 5
"""Cases that are named at most."""


@implements("REQ-577")
def reproduce(
    pack: Path,
    data: Path,
    out: Path,
    *,
    source: Path | None = None,
    trust: Path | None = None,
    rebuild: bool = False,
    evaluate_different: bool = False,
    progress: Progress | None = None,
) -> Reproduction:
    """Train again with the recorded configuration and seeds, on the CPU, and compare.

    Args:
        pack: of the release.
        data: a folder with a project file, whose section `data` says how the cases are read.
        out: where everything is made; it is empty or does not exist.
        source: the source tree with the lock file; default: that of the project file.
        trust: a trust file to verify the pack with.
        rebuild: whether to make an environment from the lock file of the commit first, with uv.
        evaluate_different: whether to evaluate also a model whose weights are others. It is then another model, and each of its
            figures on the sealed cases is a look that no log counts.
        progress: hears about long work.

    Raises:
        InputError: the pack or the project file cannot be read.
        RefusedError: the pack does not hold, or the folder has something in it.
        CouldNotCheckError: an environment cannot be made.
    """
    begun = time.monotonic()
    read = open_pack(pack, None if trust is None else read_trust(trust))
    failure = read.verdict.first_failure
    if failure is not None and failure.name != "release signatures":
        raise RefusedError(f"the pack does not hold: {failure.name}: {failure.detail}")
    if out.exists() and any(out.iterdir()):
        raise RefusedError(f"{out} has something in it", hint="name an empty folder with --out")
    project = load_project(data)
    tree = source or (data / project.source).resolve()
    if rebuild:
        return rebuild_in(pack, read.release, data, tree, out)
    remade = Remade(read.release, project, data, out, progress)
    results, not_done = list[SideBySide](), list[str]()
    figures = _made(remade, results, not_done, evaluate_different=evaluate_different)
    return Reproduction(
        release=read.release.compared(read.words),
        circumstances=tuple(circumstances_of(read.release, remade.runs, tree)),
        results=tuple(results),
        figures=figures,
        not_done=tuple(not_done),
        seconds=round(time.monotonic() - begun, 3),
    )


def _made(
    remade: Remade, results: list[SideBySide], not_done: list[str], *, evaluate_different: bool
) -> Measures | None:
    """Make everything again, as far as it goes."""
    trained = train_again(remade)
    results += trained.results
    not_done += trained.not_done
    if trained.not_done:
        not_done.append("calibration, export and evaluation: the members are not there")
        return None
    predictor = remade.predictor(trained.runs)
    calibration = remade.calibrate(predictor)
    results.append(SideBySide(name="calibration", packed=digest_of(remade.calibration), now=digest_of(calibration)))
    export = remade.export(predictor, calibration)
    packed = remade.read("data/models/export.json", type(export))
    results.append(SideBySide(name="exported graph", packed=packed.onnx, now=export.onnx))
    if not all(one.equal for one in trained.results) and not evaluate_different:
        not_done.append(
            "evaluation: the weights are others, so it would be a look at another model (--evaluate-different)"
        )
        return None
    evaluation = remade.evaluate(calibration)
    compared = (
        one.model_dump(mode="json", include={"cases", "aggregates"}) for one in (remade.release.evaluation, evaluation)
    )
    before, now = map(digest_of, compared)
    results.append(SideBySide(name="evaluation", packed=before, now=now))
    return _figures(remade.release.evaluation, evaluation)


class TrainedAgain(NamedTuple):
    """Members that were trained again."""

    runs: tuple[RunRecord, ...]
    results: tuple[SideBySide, ...]
    """Cases, training cases and weights."""
    not_done: tuple[str, ...]


@implements("REQ-577")
def train_again(remade: Remade) -> TrainedAgain:
    """Read the cases and train every member again; no member is trained on other cases than those of the pack."""
    results, not_done, runs = list(compared_cases(remade)), list[str](), list[RunRecord]()
    if any(not one.equal for one in results):
        return TrainedAgain((), tuple(results), ("training: the cases are others",))
    for run in remade.runs:
        try:
            made = remade.train(run)
        except MinivessError as error:
            not_done.append(f"member of seed {run.seed}: {error.message}")
            continue
        runs.append(made)
        results.append(SideBySide(name=f"training cases of seed {run.seed}", packed=run.data, now=made.data))
        results.append(SideBySide(name=f"weights of seed {run.seed}", packed=run.weights, now=made.weights))
    return TrainedAgain(tuple(runs), tuple(results), tuple(not_done))


@implements("REQ-578", "RC-246")
def compared_cases(remade: Remade) -> Iterator[SideBySide]:
    """The cases of the pack beside those that were read; of cases that differ the first ones alone."""
    now = remade.read_cases()
    before = {case.id: (case.image, case.label) for case in remade.manifest.cases}
    found = {name: (case.image, case.label) for name, case in now.items() if name in before}
    differing = [name for name in before if found.get(name) != before[name]]
    if not differing:
        yield SideBySide(name="cases", packed=digest_of(before), now=digest_of(found))
    for name in differing[:_NAMED]:
        yield SideBySide(
            name=f"case {name}", packed=", ".join(before[name]), now=", ".join(found.get(name, ("not there",)))
        )


def _figures(packed: EvaluationRecord, now: EvaluationRecord) -> Measures:
    """The figures of both, and their paired differences."""
    values = tuple(
        MeasuredTwice.model_validate(
            {
                "measure": name,
                **({} if of_class is None else {"of_class": of_class}),
                "old": interval,
                "new": now.by_class[of_class].aggregates.get(name) if of_class in now.by_class else None,
            }
        )
        for of_class, held in packed.by_class.items()
        for name, interval in held.aggregates.items()
    )
    files = tuple(
        ComparedEvaluation(file=digest_of(one), model=one.model, request=one.request, look=one.look, entry=None)
        for one in (packed, now)
    )
    try:
        paired = compare(packed, now, (files[0], files[1]), seed=SEED)
    except MinivessError as error:
        return Measures(values=values, not_paired=error.message)
    return Measures(values=values, unit=packed.unit, paired=paired)
