"""The data card's content, from records alone: what machines know, what people stated, and what nobody did.

Of the test part the card says how many cases and subjects it has, their shapes and spacings, which encrypted files hold
them and how often they were opened. It says nothing that was measured on their pixels or masks.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from minivess.compliance.rules.looks import LookHistory
from minivess.foundation.errors import RefusedError
from minivess.foundation.implements import implements
from minivess.records.attributes import NOT_STATED
from minivess.records.data.card import (
    CardAcquisition,
    CardCase,
    CardException,
    CardFigure,
    CardFinding,
    CardOpening,
    CardPart,
    CardSubgroup,
    DataCard,
    DataCardFacts,
)
from minivess.records.data.dataset import CaseRecord, DatasetManifest
from minivess.records.data.groups import groups_of, own_subjects
from minivess.records.data.likeness import Likeness
from minivess.records.data.profile import CaseProfile, DatasetProfile
from minivess.records.data.seal import SealManifest
from minivess.records.data.source import Data, VesselClasses
from minivess.records.data.split import Part, SplitManifest
from minivess.records.data.validation import Severity, ValidationReport
from minivess.records.lengths import shown as with_unit

QUESTIONS = {
    "description": "description",
    "version": "version",
    "creators": "creators",
    "published": "date of publication",
    "url": "address",
    "citation": "citation",
    "intended_use": "intended use of the data",
    "out_of_scope": "uses out of scope",
    "collection": "how the images were collected",
    "collected_from": "time of collection",
    "ethics": "ethics and consent",
    "sensitive_information": "personal and sensitive information",
    "population": "population",
    "demographics": "demographics",
    "annotation_protocol": "annotation protocol",
    "annotators": "annotators",
    "annotation_tools": "annotation tools",
    "preprocessing": "earlier processing",
    "biases": "biases",
    "limitations": "limitations",
    "social_impact": "social impact",
    "known_traps": "pitfalls known to the makers",
    "maintenance": "maintenance",
}
"""Fields of `DataCardFacts` by what the card calls them."""

_FIGURES = {
    "foreground": "share of foreground",
    "mean": "mean intensity",
    "deviation": "standard deviation of intensity",
    "noise": "noise (standard deviation)",
    "snr": "signal to noise",
    "cnr": "contrast to noise",
    "sharpness": "sharpness",
}


@implements("REQ-102", "REQ-103", "REQ-306")
def data_card(
    data: Data,
    manifest: DatasetManifest,
    validation: ValidationReport,
    split: SplitManifest,
    *,
    sealed: SealManifest | None = None,
    profile: DatasetProfile | None = None,
    history: LookHistory | None = None,
) -> DataCard:
    """Gather the card.

    Args:
        data: what the project file says about the data.
        manifest: the cases.
        validation: what was found in them.
        split: their parts. There is no card before it: until then nobody can say what must not be shown.
        sealed: the encrypted test part, once there is one.
        profile: figures of the images, where they were measured.
        history: how often the test part was opened.

    Raises:
        RefusedError: the records are about different cases.
    """
    about = {"the validation": validation.dataset, "the split": split.dataset}
    if profile is not None:
        about["the profile"] = profile.dataset
    for name, dataset in about.items():
        if dataset != manifest.root:
            raise RefusedError(f"{name} is about other cases", hint="validate and split these cases, then try again")
    facts = data.card or DataCardFacts()
    parts = {name: part for part in (Part.TRAIN, Part.CALIBRATION, Part.TEST) for name in split.part(part)}
    hidden = frozenset(split.test)
    shown = [case for case in manifest.cases if case.id not in hidden]
    findings = _findings(validation, hidden)
    return DataCard(
        name=manifest.name,
        source=manifest.source,
        licence=manifest.licence,
        root=manifest.root,
        split=split.root,
        split_seed=split.seed,
        facts=facts,
        missing=tuple(words for field, words in QUESTIONS.items() if not getattr(facts, field)),
        made=origin_of(data),
        identifiers=tuple(sorted({place for case in manifest.cases for place in case.identifiers})),
        accepted=data.accept_identifiers,
        classes=tuple(sorted({one for case in manifest.cases for one in case.classes}, key=lambda one: one.value)),
        subjects=len({case.subject for case in manifest.cases}),
        groups=len(set(groups_of(manifest, split).values())),
        acquisitions=_acquisitions(manifest.cases),
        subgroups=tuple(_subgroups(manifest, split)),
        parts=tuple(_part(part, manifest, split) for part in (Part.TRAIN, Part.CALIBRATION, Part.TEST)),
        exceptions=tuple(_exceptions(split)),
        agreement=_figure("Dice of two readers", [case.reader_agreement for case in shown]),
        figures=_figures([] if profile is None else [one for one in profile.cases if one.case not in hidden]),
        rules=validation.rules,
        findings=findings,
        withheld=len(validation.findings) - len(findings),
        traps=tuple(_traps(manifest, shown)),
        gaps=tuple(_gaps(manifest, shown, taken=data.synthetic is None)),
        sealed_files=0 if sealed is None else len(sealed.files),
        openings=() if history is None else tuple(_openings(history)),
        cases=tuple(_case(case, parts.get(case.id), sealed) for case in manifest.cases),
    )


_MASKS: dict[VesselClasses, str] = {
    "vessel": "The masks are the vessels from which the images were generated.",
    "artery-vein": (
        "The masks are the arteries and veins from which the images were generated. Where the two meet, the mask is artery. "
        "That the dye of arteries pulsates and that veins are wider is exaggerated."
    ),
    "lumen-wall": "The masks are the lumens and walls from which the images were generated. Every wall is equally thick.",
}
"""What the masks of the generator are, by its classes."""


def origin_of(data: Data) -> str | None:
    """How the images were made, where the generator made them; else None."""
    made = data.synthetic
    if made is None:
        return None
    flat = made.axes == "yx"
    light = (
        f"{made.photons:g} expected photons a pixel {'of white' if made.colour else 'in the brightest vessel'}"
        if flat
        else f"{made.photons:g} expected photons a voxel in the brightest vessel and an axial blur of "
        f"{made.psf_sigma_z}"
    )
    return (
        f"The {'pictures' if flat else 'volumes'} are synthetic: made by the project's own generator with seed "
        f"{made.seed}, {light}. They show no animal and no person. {_MASKS[made.classes]} There was no annotation."
    )


def _part(part: Part, manifest: DatasetManifest, split: SplitManifest) -> CardPart:
    names = frozenset(split.part(part))
    cases = [case for case in manifest.cases if case.id in names]
    groups = groups_of(manifest, split)
    return CardPart(
        part=part,
        cases=len(cases),
        subjects=len({case.subject for case in cases}),
        groups=len({groups[case.id] for case in cases}),
    )


def _case(case: CaseRecord, part: Part | None, sealed: SealManifest | None) -> CardCase:
    plain = part is not Part.TEST
    files = {} if plain or sealed is None else {file.kind: file.sealed for file in sealed.files if file.case == case.id}
    return CardCase(
        id=case.id,
        subject=case.subject,
        acquisition=case.acquisition,
        part=part,
        axes=case.axes,
        shape=case.shape,
        spacing=case.spacing,
        unit=case.unit,
        foreground=case.foreground_fraction if plain else None,
        agreement=case.reader_agreement if plain else None,
        image=case.image if plain else files.get("image"),
        label=case.label if plain else files.get("label"),
        sealed=bool(files),
    )


def _acquisitions(cases: Iterable[CaseRecord]) -> tuple[CardAcquisition, ...]:
    groups: dict[tuple[object, ...], list[CaseRecord]] = {}
    for case in cases:
        spacing = tuple(round(size, 4) for size in case.spacing)
        key = (case.modality, case.site, case.scanner, case.axes, case.unit, spacing, case.orientation)
        groups.setdefault(key, []).append(case)
    made = [
        CardAcquisition(
            modality=group[0].modality,
            site=group[0].site,
            scanner=group[0].scanner,
            axes=group[0].axes,
            unit=group[0].unit,
            spacing=tuple(round(size, 4) for size in group[0].spacing),
            orientation=group[0].orientation,
            cases=len(group),
            subjects=len({case.subject for case in group}),
        )
        for group in groups.values()
    ]
    return tuple(sorted(made, key=lambda one: (-one.cases, one.modality, one.spacing, str(one.site), str(one.scanner))))


@implements("REQ-414")
def _subgroups(manifest: DatasetManifest, split: SplitManifest) -> Iterable[CardSubgroup]:
    """The independent groups of each part by each attribute that a case states, in order of attribute and value."""
    groups = groups_of(manifest, split)
    for name in sorted({name for case in manifest.cases for name in case.attributes}):
        held: dict[str, list[CaseRecord]] = {}
        for case in manifest.cases:
            held.setdefault(case.attributes.get(name, NOT_STATED), []).append(case)
        for value, cases in sorted(held.items()):
            counts = {
                part.value: len({groups[case.id] for case in cases if case.id in split.part(part)})
                for part in (Part.TRAIN, Part.CALIBRATION, Part.TEST)
            }
            yield CardSubgroup(attribute=name, value=value, **counts)


def _figures(profiles: list[CaseProfile]) -> tuple[CardFigure, ...]:
    made = (_figure(words, [getattr(one, field) for one in profiles]) for field, words in _FIGURES.items())
    return tuple(figure for figure in made if figure is not None)


def _figure(name: str, values: Iterable[float | None]) -> CardFigure | None:
    known = sorted(value for value in values if value is not None)
    if not known:
        return None
    return CardFigure(name=name, cases=len(known), minimum=known[0], median=median(known), maximum=known[-1])


def _findings(report: ValidationReport, hidden: frozenset[str]) -> tuple[CardFinding, ...]:
    """Findings that say nothing about a test case: those about the set as a whole, or about a pair, may."""
    made = [
        CardFinding(severity=one.severity, rule=one.rule, case=one.case, message=one.message)
        for one in report.findings
        if one.case is not None and not {one.case, *one.others} & hidden
    ]
    return tuple(sorted(made, key=lambda one: (-list(Severity).index(one.severity), one.rule, one.case)))


def _exceptions(split: SplitManifest) -> Iterable[CardException]:
    for pair in split.not_copies:
        yield CardException(cases=pair.cases, stated="no copies", reason=pair.reason)
    for twins in split.near:
        if twins.kind is Likeness.STATED:
            yield CardException(cases=twins.cases, stated="the same object", reason=twins.detail)


def _openings(history: LookHistory) -> Iterable[CardOpening]:
    for opening in history.opened:
        asked = history.requests[opening.request].request
        grant = history.grants.get(opening.request)
        yield CardOpening(
            index=opening.index,
            requester=asked.requester,
            approver=None if grant is None else grant.grant.approver,
            purpose=asked.purpose,
        )


def _traps(manifest: DatasetManifest, published: list[CaseRecord]) -> Iterable[str]:
    """What the records themselves say should be watched."""
    cases = manifest.cases
    for words, names in (("subject", [c.subject for c in cases]), ("acquisition", [c.acquisition for c in cases])):
        several = sorted(name for name in set(names) if names.count(name) > 1)
        if several:
            yield (
                f"{len(several)} {words}{'' if len(several) == 1 else 's'} with more than one case "
                f"({_some(several)}): cases are not independent, so they are one group of splits and intervals."
            )
    spacings = {tuple(round(size, 4) for size in case.spacing) for case in cases if case.unit == "um"}
    if len(spacings) > 1:
        low, high = min(spacings), max(spacings)
        yield (
            f"{len(spacings)} different spacings, from {with_unit(low, 'um')} to {with_unit(high, 'um')}: measurements in voxels "
            "are not comparable between cases."
        )
    yield from (
        f"Doubtful source: {text}." for text in sorted({one.message for case in published for one in case.doubts})
    )
    changed = sorted({note for case in published for note in case.notes})
    for note in changed[:8]:
        yield f"Changed or unsettled when read: {note.rstrip('.')}."
    if len(changed) > 8:
        yield f"{len(changed) - 8} more notes of reading are in the manifest."


def _gaps(manifest: DatasetManifest, shown: list[CaseRecord], *, taken: bool) -> Iterable[str]:
    """What the records lack; `taken`: the images come from a device and the masks from people."""
    cases = manifest.cases
    if (sentence := own_subjects(manifest)) is not None:
        yield f"{sentence[0].upper()}{sentence[1:]}."
    if flat := [case.id for case in cases if case.unit == "px"]:
        yield f"{_count(flat)} without a known physical size: nothing can be measured in micrometres there."
    if taken and (unknown := [case.id for case in cases if case.site is None and case.scanner is None]):
        yield (
            f"{_count(unknown)} without a stated site or scanner: differences between devices and sites cannot be assessed."
        )
    if taken and not any(case.reader_agreement is not None for case in shown):
        yield "No case has a second reader's mask: the agreement between two readers is not known."


def _count(names: list[str]) -> str:
    return f"{len(names)} case{'' if len(names) == 1 else 's'} ({_some(names)})"


def _some(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
