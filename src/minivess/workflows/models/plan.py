"""A proposal for spacing, network, training and measures, and writing it into the project file."""

from __future__ import annotations

from minivess.foundation.errors import UsageError
from minivess.foundation.files import read_limited, write_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import PROJECT_FILE, Workspace
from minivess.foundation.reading.strict_yaml import LIMITS, YamlMap, load_yaml
from minivess.foundation.reading.yaml_edits import set_values
from minivess.ml.cases.manifests import cases_root
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.split import Part
from minivess.records.device.workspace_files import SPLIT
from minivess.records.models.plan import MemoryAtHand, Plan
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.services import WorkspaceReader

SECTIONS = ("preprocessing", "model", "training")
"""Sections of the project file that a plan may write into."""


@implements("REQ-345")
def plan(reader: WorkspaceReader, *, memory: int | None = None, replace: bool = False) -> Plan:
    """Propose from the training part, or from all cases where there is no split yet, and from the memory at hand.

    Nothing is written and nothing is recorded. Images of the test part are read only while there is no test part.

    Args:
        reader: the workspace.
        memory: bytes that training may take; None: the memory at hand.
        replace: whether fields that the project file states are planned too; else they are kept.

    Raises:
        UsageError: nothing was ingested, the training part is empty, or no network fits what is stated.
        InputError: a case cannot be read.
        CouldNotCheckError: the memory of the machine is not known.
    """
    from minivess.ml.planning.fingerprint import fingerprint
    from minivess.ml.planning.memory import memory_at_hand
    from minivess.ml.planning.proposal import Settings, propose
    from minivess.ml.quality.survey import survey

    workspace = Workspace(reader.workspace)
    project = reader.project
    manifest, part = _cases(BoundInputs.of(reader))
    surveyed = survey(manifest, workspace.prepared, memory=workspace.measures, tidy=False, progress=reader.progress)
    at_hand = memory_at_hand()
    if memory is not None:
        at_hand = MemoryAtHand(size=memory, device=at_hand.device, source="the memory that was stated", stated=True)
    stated = _stated(workspace)
    settings = Settings(
        model=project.model,
        training=project.training,
        preprocessing=project.preprocessing,
        stated=() if replace else stated,
        replaced=stated if replace else (),
    )
    return propose(fingerprint(surveyed, progress=reader.progress), settings, at_hand, part=part)


def _cases(inputs: BoundInputs) -> tuple[DatasetManifest, str]:
    """The cases to plan from, and what they are."""
    manifest = inputs.manifest
    if not inputs.knows(SPLIT):
        return manifest, "all cases (there is no split yet)"
    chosen = frozenset(inputs.split.part(Part.TRAIN))
    cases = tuple(case for case in manifest.cases if case.id in chosen)
    if not cases:
        raise UsageError("the training part is empty", hint="leave subjects for it in `split`")
    return manifest.model_copy(update={"cases": cases, "root": cases_root(cases)}), "the training part"


def _stated(workspace: Workspace) -> tuple[str, ...]:
    """Places of the fields that the project file states; of a field that is a mapping, of the fields in it."""
    said = load_yaml(workspace.project_file, shown=PROJECT_FILE)
    places: list[str] = []
    for section in SECTIONS:
        fields = said.get(section)
        for field, value in fields.items() if isinstance(fields, YamlMap) else ():
            place = f"{section}.{field}"
            places += [f"{place}.{inner}" for inner in value] if isinstance(value, YamlMap) else [place]
    return tuple(places)


@implements("REQ-347")
def write_plan(reader: WorkspaceReader, proposed: Plan) -> bool:
    """Write the proposed lines into the project file; returns whether it changed. All other characters stay.

    Raises:
        UsageError: the project file was changed since the plan was made.
        InputError: the project file cannot be changed line by line.
        CannotWriteError: the disk is full or read-only.
    """
    from minivess.workflows.session.project_file import load_project

    path = Workspace(reader.workspace).project_file
    if load_project(reader.workspace) != reader.project:
        raise UsageError(f"{PROJECT_FILE} was changed meanwhile", hint="start the same command again")
    values = {line.place: line.text for line in proposed.lines if line.writes}
    before = read_limited(path, limit=LIMITS.size)
    after = set_values(before.decode("utf-8"), values, shown=PROJECT_FILE).encode("utf-8")
    if after == before:
        return False
    write_atomic(path, after)
    return True


def memory_size(text: str) -> int:
    """Bytes of a size such as `8 GB`.

    Raises:
        UsageError: it is no size.
    """
    from minivess.ml.planning.memory import stated_memory

    size = stated_memory(text)
    if size is None:
        raise UsageError(f"{text!r} is no size of memory", hint="for example 8GB or 800MB")
    return size


def memory_sentence(proposed: Plan) -> str:
    """What training needs and what is there, for people."""
    from minivess.ml.planning.memory import memory_in_words

    there = f"{memory_in_words(proposed.memory.size)} ({proposed.memory.source})"
    images = f"an image takes {memory_in_words(proposed.images)}"
    if proposed.memory.device == "gpu":
        images += " beside the GPU"
    if proposed.predicted is None:
        return f"memory: {images}; at hand: {there}"
    return f"memory: {images} and training {memory_in_words(proposed.predicted)}; at hand: {there}"
