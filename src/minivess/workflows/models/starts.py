"""The weights that training starts from: read, and refused where they saw cases that they must not have seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from minivess.foundation.digests import Digest, digest_file
from minivess.foundation.errors import InputError, RefusedError, UsageError, VerificationError
from minivess.foundation.files import write_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.foundation.reading.json_records import RECORD_LIMIT, read_json_record
from minivess.ml.splits.contamination import Contamination, contaminations
from minivess.records.artifact import Artifact
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.source import Data
from minivess.records.data.split import Part, SplitManifest
from minivess.records.device.workspace_files import START
from minivess.records.log.entry import Outcome
from minivess.records.models.model import RunRecord
from minivess.records.models.start import SEED, ForeignWeights, PretrainingData, PretrainingSet
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.services import Services, WorkspaceReader

if TYPE_CHECKING:
    from minivess.ml.training.starts import LoadedStart

_NAMED = 3
"""Reasons that a refusal names."""


def start_input(services: WorkspaceReader) -> list[Artifact]:
    """How the entry of a training names what it starts from; empty where the seed draws the weights."""
    start = services.project.training.start
    if start == SEED:
        return []
    return [Artifact(name=START, digest=start.digest if isinstance(start, ForeignWeights) else start)]


@implements("REQ-329", "REQ-330")
def load_start(services: Services, inputs: BoundInputs) -> LoadedStart | None:
    """Read the weights that `training.start` names; None where the seed draws them.

    Raises:
        UsageError: the log has no such run, or its weights or the folder of images are not there.
        InputError: the file is damaged, too large or holds anything but tensors.
        VerificationError: it is another file than the project file or the log names.
        RefusedError: the weights have seen the test part or the calibration part, or a trial run made them.
    """
    start = services.project.training.start
    if start == SEED:
        return None
    loaded = _foreign(services, start) if isinstance(start, ForeignWeights) else _own(services, inputs, start)
    data, manifest, split = services.project.data, inputs.manifest, inputs.split
    refuse_contaminated([loaded.trained_on], data, manifest, split, copies=_copies(services, inputs, loaded.trained_on))
    return loaded


@implements("REQ-331", "RC-139")
def refuse_contaminated(
    declared: Iterable[PretrainingData],
    data: Data,
    manifest: DatasetManifest,
    split: SplitManifest,
    *,
    copies: Iterable[Contamination] = (),
) -> None:
    """Refuse weights that have seen test or calibration cases: figures and guarantees would show what they remember.

    Args:
        declared: what the weights of each member were trained on.
        data: of the project file.
        manifest: the cases.
        split: which of them are the test part and the calibration part.
        copies: test cases that were found among the files of a declared set.

    Raises:
        RefusedError: names rule, case and set of the first reasons.
    """
    found = [*copies, *(one for stated in declared for one in contaminations(stated, data, manifest, split))]
    if not found:
        return
    shown = "; ".join(f"{one.words} (rule `{one.rule}`)" for one in dict.fromkeys(found[:_NAMED]))
    more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    raise RefusedError(
        f"the weights that training started from have seen the test part or the calibration part: {shown}{more}",
        hint="start from the seed or from other weights, or test on data that they have not seen",
    )


@implements("REQ-331", "RC-139")
def refuse_seen_test_set(services: WorkspaceReader, held: BoundInputs) -> None:
    """Refuse a look with a model whose members started from weights that have seen test or calibration cases.

    Call it before the look.

    Raises:
        RefusedError: names rule, case and set.
        VerificationError: the record of such a member is not the one in the log.
    """
    if held.starts:
        declared = [one.trained_on for one in held.starts]
        refuse_contaminated(declared, services.project.data, held.manifest, held.split)


def _foreign(services: Services, start: ForeignWeights) -> LoadedStart:
    from minivess.ml.models.weights import weights_digest
    from minivess.ml.training.starts import LoadedStart, read_foreign

    path = services.workspace / start.weights
    state = read_foreign(path, start.digest)
    trained_on = start.trained_on
    if start.run is not None:
        run = read_json_record(services.workspace / start.run, RunRecord, shown=str(start.run), limit=RECORD_LIMIT)
        if run.smoke:
            raise RefusedError(f"{start.run} is the record of a trial run", hint="train it with `minivess train`")
        if run.weights != weights_digest(state):
            raise VerificationError(
                f"{start.run} is the record of other weights than {path.name}", hint="name its own record"
            )
        trained_on = _seen_by(run, run.cases, "the run that made them")
    assert trained_on is not None  # noqa: S101  the record has one of the two
    return LoadedStart(state, path, trained_on, start.allow, start.licence)


def _own(services: Services, inputs: BoundInputs, digest: Digest) -> LoadedStart:
    from minivess.ml.models.weights import load_weights
    from minivess.ml.training.runs import RUN, weights_of
    from minivess.ml.training.starts import LoadedStart

    made = {
        output.digest: entry.body.index
        for entry in services.log.entries(actions={"training"})
        if entry.body.outcome is Outcome.COMPLETED and entry.body.context.model == digest
        for output in entry.body.outputs
        if output.name.endswith(f"/{RUN}")
    }
    if not made:
        raise UsageError(
            f"training.start names {digest}, and the log has no completed training of such weights",
            hint="`minivess audit log --action training`; weights from elsewhere need `weights`, `digest` and `trained_on`",
        )
    kept = Workspace(services.workspace).models / "starts" / digest.removeprefix("sha256:")
    for folder in (kept, *sorted(kept.parent.with_name("members").glob("seed-*"))):
        record, weights = folder / RUN, weights_of(folder)
        if not record.is_file() or digest_file(record) not in made:
            continue
        run, state = read_json_record(record, RunRecord, limit=RECORD_LIMIT), load_weights(weights, expected=digest)
        if folder != kept:  # training may replace the member that it starts from
            for file in (weights, record):
                write_atomic(kept / file.name, file.read_bytes())
        seen = _seen_by(
            run, run.cases or images_of(inputs, Part.TRAIN), f"the run of entry {made[digest_file(record)]}"
        )
        return LoadedStart(state, kept / weights.name, seen)
    index = min(made.values())
    raise UsageError(f"the weights and run.json of entry {index} are not there", hint="restore models/members")


def images_of(inputs: BoundInputs, part: Part) -> tuple[Digest, ...]:
    """The digests of the images of a part, in order of the split."""
    return tuple(inputs.case_record(name).image for name in inputs.split.part(part))


def _seen_by(run: RunRecord, images: tuple[Digest, ...], words: str) -> PretrainingData:
    """What weights have seen that a run made: its cases, and what its own start had seen."""
    own = PretrainingSet(name=f"training cases of {words}", digests=images)
    status, sets = ("declared", ()) if run.start is None else (run.start.trained_on.status, run.start.trained_on.sets)
    return PretrainingData(status=status if images else "unknown", sets=(own, *sets))


def _copies(services: Services, inputs: BoundInputs, trained_on: PretrainingData) -> list[Contamination]:
    """Test cases of which a copy is in the folder of a declared set, as a prepared array or as a source file.

    Raises:
        UsageError: a folder is not there.
        InputError: a file in it cannot be looked into.
    """
    from minivess.ml.sealed.plain_copies import search

    found = []
    for one in trained_on.sets:
        if one.images is None:
            continue
        folder = services.workspace / one.images
        if not folder.is_dir():
            raise UsageError(
                f"the folder {one.images} of the set {one.name} is not there", hint="correct training.start"
            )
        searched = search([folder], inputs.seal, inputs.manifest, progress=services.progress)
        if searched.closed:
            raise InputError(
                "cannot be compared with the test cases", path=searched.closed[0], hint="unpack or remove it"
            )
        for copy in searched.copies:
            words = f"{copy.path.name} of the images of {one.name} is the {copy.kind} of case {copy.case}"
            found.append(Contamination("digest", copy.case, words))
    return found
