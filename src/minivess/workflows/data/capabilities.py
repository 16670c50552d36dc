"""What the chosen model, calibration, measures and service cannot take of a project and its cases.

Each part states what it takes in the room that owns it (`Capabilities`). They are compared here, before anything is fixed:
the start of a log, `data check`, `data ingest`, `data validate`, `data split` and `data seal` call this module. After the
sealing it would be too late, because the same cases are not sealed twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from minivess.foundation.choices import choose
from minivess.foundation.errors import Reason, RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.ml.calibrators.registry import CAPABILITIES as CALIBRATORS
from minivess.ml.calibrators.registry import TEMPERATURE_SCALING
from minivess.ml.inference.intended_use import SERVED
from minivess.ml.models.registry import adapter_of
from minivess.ml.quality.rule_catalogue import RULES
from minivess.ml.quality.rules import severities
from minivess.records.data.dataset import Axes, Capabilities, CaseRecord, DatasetManifest, LabelClass
from minivess.records.data.findings import Found
from minivess.records.data.groups import groups_of
from minivess.records.data.split import SplitManifest
from minivess.records.data.validation import Severity
from minivess.records.device.project import Project
from minivess.records.evaluation.measures import MEASURES
from minivess.records.evaluation.tolerance import fits
from minivess.records.models.model import fewest_groups
from minivess.records.models.task import task_of

_AXES: dict[Axes, str] = {
    "zyx": "grey volumes (zyx)",
    "yx": "grey flat images (yx)",
    "zyxc": "volumes of several channels (zyxc)",
    "yxc": "flat images of several channels (yxc)",
}
_ONE_BY_ONE = 2
"""Up to so many cases with the same fault are findings of their own; more are one finding about the set."""
_NAMED = 4


class _Part(NamedTuple):
    """A part of the product and what it takes."""

    name: str
    takes: Capabilities


@implements("REQ-305", "RC-133")
def capability_findings(
    project: Project, manifest: DatasetManifest | None = None, split: SplitManifest | None = None
) -> tuple[Found, ...]:
    """Everything that a part of the product cannot take, under rules of data validation.

    Args:
        project: the project file.
        manifest: the cases; None: only what the project file states is compared.
        split: the parts of the cases, where they are known.
    """
    parts = parts_of(project)
    cases = () if manifest is None else manifest.cases
    found = [*_of_project(project, parts, known=manifest is not None)]
    by_text: dict[tuple[str, str], list[str]] = {}
    for case in cases:
        for rule, text in _of_case_in(project, case, parts):
            by_text.setdefault((rule, text), []).append(case.id)
    for (rule, text), names in by_text.items():
        if len(names) > _ONE_BY_ONE:
            found.append(Found(rule, None, f"{len(names)} of {len(cases)} cases: {text} ({_some(names)})"))
        else:
            found.extend(Found(rule, name, text) for name in names)
    found.extend((*_of_units(cases, project), *_of_patch(project, cases), *_of_training(project), *_of_kinds(manifest)))
    found.extend(_of_sizes(cases, project))
    if manifest is not None and split is not None:
        found.extend(_of_parts(project, manifest, split))
    else:
        found.extend(_of_plan(project))
    return tuple(found)


@implements("REQ-305", "RC-133")
def check_capabilities(
    project: Project, manifest: DatasetManifest | None = None, split: SplitManifest | None = None
) -> tuple[Found, ...]:
    """The same findings, after those that block were refused; `data.rules` of the project gives the severities.

    Raises:
        RefusedError: a finding blocks; each is a reason with its hint.
        UsageError: `data.rules` names an unknown rule, or lowers one without a reason.
    """
    grades, _ = severities(project.data.rules)
    found = capability_findings(project, manifest, split)
    blocking = [one for one in found if grades[one.rule] is Severity.BLOCK]
    if blocking:
        reasons = [Reason(_sentence(one), RULES[one.rule].hint) for one in blocking]
        more = f"; and {len(reasons) - 1} more" if len(reasons) > 1 else ""
        raise RefusedError(f"{reasons[0].message}{more}", hint=reasons[0].hint, reasons=reasons)
    return found


def parts_of(project: Project) -> tuple[_Part, ...]:
    """The parts that a project uses. Every evaluation has every measure.

    Raises:
        UsageError: a part states nothing of what it takes.
    """
    return (
        _Part(project.model.architecture, adapter_of(project.model.architecture).takes),
        _Part(TEMPERATURE_SCALING, choose(CALIBRATORS, TEMPERATURE_SCALING, what="calibrator with capabilities")),
        *(_Part(measure.name, measure.takes) for measure in MEASURES.values()),
        _Part("the service", SERVED),
    )


def _of_project(project: Project, parts: Sequence[_Part], *, known: bool) -> Iterator[Found]:
    """What the project file alone says; `known`: the cases say which classes they have."""
    if not _common(parts):
        model, *others = parts
        apart = [part for part in others if not set(part.takes.axes) & set(model.takes.axes)] or others
        kinds = " or ".join(_AXES[axes] for axes in model.takes.axes)
        wanted = " or ".join(_AXES[axes] for axes in apart[0].takes.axes)
        yield Found(
            "capability-axes", None, f"{model.name} takes {kinds}; {_names(apart, 'take')} {wanted}: no image fits"
        )
    if not known and (text := _classes(project.data.declared, parts)) is not None:
        yield Found("capability-classes", None, f"data.classes: {text}")
    tolerance = project.evaluation.tolerance
    if not known and tolerance is not None and project.data.unit == "px" and tolerance.unit != "px":
        yield Found("capability-tolerance", None, f"data.unit is px; evaluation.tolerance is {tolerance}")


@implements("REQ-367")
def _of_training(project: Project) -> Iterator[Found]:
    """Options of training that the family of networks must support."""
    for fault in adapter_of(project.model.architecture).option_faults(project.training):
        yield Found("capability-training", None, fault)


def _of_patch(project: Project, cases: Sequence[CaseRecord]) -> Iterator[Found]:
    """A patch must fit the axes of the cases; before they are known, axes that the model takes."""
    adapter = adapter_of(project.model.architecture)
    taken = dict.fromkeys(axes.removesuffix("c") for axes in adapter.takes.axes)
    met = dict.fromkeys(case.axes.removesuffix("c") for case in cases)
    fitting = [axes for axes in taken if len(axes) == len(project.model.patch)]
    for axes in [axes for axes in met if axes in taken] if cases else (fitting or list(taken))[:1]:
        if (fault := adapter.patch_fault(project.model, axes)) is not None:
            yield Found("capability-patch", None, fault)


def _of_kinds(manifest: DatasetManifest | None) -> Iterator[Found]:
    """A network is for cases of one kind: the same channels, spatial axes and classes, whose names differ."""
    if manifest is not None and manifest.cases:
        try:
            task_of(manifest)
        except UsageError as error:
            yield Found("capability-kinds", None, error.message)


def _of_preprocessing(case: CaseRecord, project: Project) -> Iterator[tuple[str, str]]:
    """Images are resampled from their own spacing, along each of their axes."""
    wanted = project.preprocessing.spacing
    if wanted == "native":
        return
    if case.unit == "px":
        yield "capability-resampling", "no physical size is known; preprocessing.spacing needs one"
    elif len(wanted) != len(case.spacing):
        axes = ", ".join(case.axes.removesuffix("c"))
        yield "capability-resampling", f"preprocessing.spacing has {len(wanted)} lengths; the axes are {axes}"


def _of_case_in(project: Project, case: CaseRecord, parts: Sequence[_Part]) -> Iterator[tuple[str, str]]:
    """Rules and sentences about one case."""
    yield from _of_case(case, parts)
    yield from _of_tolerance(case, project)
    yield from _of_preprocessing(case, project)
    yield from _of_criteria(case, project)


def _of_case(case: CaseRecord, parts: Sequence[_Part]) -> Iterator[tuple[str, str]]:
    refusing = [part for part in parts if case.axes not in part.takes.axes]
    if refusing and (common := _common(parts)):
        taken = " or ".join(_AXES[axes] for axes in common)
        yield "capability-axes", f"{_AXES[case.axes]}; {_names(refusing, 'take')} {taken}"
    refusing = [part for part in parts if case.unit not in part.takes.units]
    if refusing:
        yield "capability-unit", f"no physical size is known; {_names(refusing, 'need')} a voxel size"
    if (text := _classes(case.classes, parts)) is not None:
        yield "capability-classes", text
    for part in parts:
        axes = case.axes.removesuffix("c")
        for axis, size, least in zip(reversed(axes), reversed(case.grid), reversed(part.takes.smallest), strict=False):
            if size < least:
                yield "capability-size", f"{size} voxel along {axis}; {part.name} needs {least}"


def _common(parts: Sequence[_Part]) -> list[Axes]:
    """The axes that every part takes."""
    return [axes for axes in _AXES if all(axes in part.takes.axes for part in parts)]


@implements("REQ-324", "RC-136")
def _of_tolerance(case: CaseRecord, project: Project) -> Iterator[tuple[str, str]]:
    """A stated tolerance must be in a unit in which distances of the case can be measured."""
    tolerance = project.evaluation.tolerance
    if tolerance is not None and not fits(tolerance, case):
        size = "no physical size is known" if case.unit == "px" else "the case has a physical size"
        yield "capability-tolerance", f"{size}; evaluation.tolerance is {tolerance}"


@implements("REQ-324", "RC-136")
def _of_units(cases: Sequence[CaseRecord], project: Project) -> Iterator[Found]:
    """Without a stated tolerance, cases with and without a physical size have no common one."""
    sizeless = [case.id for case in cases if case.unit == "px"]
    if project.evaluation.tolerance is None and 0 < len(sizeless) < len(cases):
        text = f"{len(sizeless)} of {len(cases)} cases have no physical size: they have no tolerance in common with the rest"
        yield Found("capability-tolerance", None, f"{text} ({_some(sizeless)})")


def _of_criteria(case: CaseRecord, project: Project) -> Iterator[tuple[str, str]]:
    """A criterion on a measure that has no value where a mask has no voxel of its class; without a class, of any."""
    absent, sentences = _absent(case), list[str]()
    for criterion in project.evaluation.criteria:
        measure = MEASURES.get(criterion.measure)
        lacking = [name for name in absent if criterion.of_class in (None, name)]
        if measure is not None and measure.needs_reference and lacking:
            what = "is empty" if len(case.classes) == 1 else f"has no {' and no '.join(lacking)}"
            sentences.append(f"the mask {what}, and a criterion limits {criterion.named.rpartition(',')[0]}")
    for sentence in dict.fromkeys(sentences):
        yield "criterion-undefined", sentence


def _absent(case: CaseRecord) -> list[str]:
    """The classes of which the mask has no voxel. Masks of several classes are kept as they are, with their values."""
    if len(case.classes) == 1:
        return [] if case.foreground_fraction > 0 else [case.classes[0].name]
    return [one.name for one in case.classes if one.value not in case.label_values]


def _of_sizes(cases: Sequence[CaseRecord], project: Project) -> Iterator[Found]:
    """The cases that are smaller than the patch, as one finding with the sizes along each axis."""
    patch = project.model.patch
    short: dict[str, list[int]] = {}
    names = []
    for case in cases:
        if len(case.grid) != len(patch):
            continue
        axes = [(axis, size) for axis, size, side in zip(case.axes, case.grid, patch, strict=False) if size < side]
        names += [case.id] if axes else []
        for axis, size in axes:
            short.setdefault(axis, []).append(size)
    if names:
        sizes = "; ".join(f"along {axis} {_span(found)} voxels" for axis, found in sorted(short.items(), reverse=True))
        stated = ", ".join(f"{axis} {side}" for axis, side in zip("zyx"[-len(patch) :], patch, strict=True))
        smaller = f"smaller than the patch ({stated}): {sizes}"
        if len(names) == 1:
            yield Found("patch-padding", names[0], smaller)
        else:
            text = f"{len(names)} of {len(cases)} cases are {smaller} ({_some(names)})"
            yield Found("patch-padding", None, text, cases=tuple(names))


def _span(sizes: Sequence[int]) -> str:
    low, high = min(sizes), max(sizes)
    return f"{low}" if low == high else f"{low} to {high}"


def _classes(classes: Sequence[LabelClass], parts: Sequence[_Part]) -> str | None:
    """The sentence about classes that some part does not take; None where all do."""
    values = [one.value for one in classes]
    refusing = [part for part in parts if any(value > part.takes.classes for value in values)]
    if not refusing:
        return None
    most = min(part.takes.classes for part in refusing)
    wanted = "one class of value 1" if most == 1 else f"classes of the values 1 to {most}"
    named = ", ".join(f"{one.value} {one.name}" for one in classes[:_NAMED]) + (", …" if len(classes) > _NAMED else "")
    count = "one class" if len(classes) == 1 else f"{len(classes)} classes"
    return f"{count} ({named}); {_names(refusing, 'take')} {wanted}"


def _of_plan(project: Project) -> Iterator[Found]:
    """Before a split: the most groups that the calibration part can have is the number of its subjects."""
    wanted = project.split.calibration
    subjects = wanted if isinstance(wanted, int) else len(wanted)
    if project.split.published is None:
        yield from _few_groups(project, subjects, "subject")


def _of_parts(project: Project, manifest: DatasetManifest, split: SplitManifest) -> Iterator[Found]:
    groups = groups_of(manifest, split)
    yield from _few_groups(project, len({groups[name] for name in split.calibration}), "group")
    shares = {case.id: case.foreground_fraction for case in manifest.cases}
    training, calibration = ([shares[name] for name in names] for names in (split.train, split.calibration))
    for part, values, lacking in (
        ("training", training, "foreground" if max(training) == 0 else ""),
        (
            "calibration",
            calibration,
            "foreground" if max(calibration) == 0 else "background" if min(calibration) == 1 else "",
        ),
    ):
        if lacking:
            count = f"{len(values)} case{'' if len(values) == 1 else 's'}"
            yield Found("part-foreground", None, f"no mask of the {part} part ({count}) has {lacking}")


def _few_groups(project: Project, count: int, unit: str) -> Iterator[Found]:
    needed = fewest_groups(project.calibration.target_recall)
    if count < needed:
        counted = f"{count} {unit}{'' if count == 1 else 's'} in the calibration part"
        recall = project.calibration.target_recall
        yield Found("calibration-groups", None, f"{counted}; a recall of {recall:g} needs {needed} groups")


def _names(parts: Iterable[_Part], verb: str) -> str:
    """The parts and what they do, for example `nsd and the service need`."""
    *first, last = (part.name for part in parts)
    return f"{', '.join(first)} and {last} {verb}" if first else f"{last} {verb}s"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (" …" if len(names) > _NAMED else "")


def _sentence(found: Found) -> str:
    where = "" if found.case is None else f"case {found.case}: "
    return f"{where}{found.message} (rule {found.rule})"
