"""The data card: what people state about a data set (`data.card` in minivess.yaml), and what is known in all."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field

from minivess.foundation.digests import Digest
from minivess.records.base import Record, ShortText, Slug, Statement
from minivess.records.data.dataset import Axes, LabelClass, Unit
from minivess.records.data.split import Part
from minivess.records.data.validation import Severity

Url = Annotated[str, Field(pattern=r"^https?://[^\s<>\"]+$", max_length=500)]
Version = Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$", max_length=40)]


class DataCardFacts(Record):
    """Facts about a data set that only its makers know. A missing one is shown as "not stated".

    The questions are those of Gebru et al. (2021, "Datasheets for datasets", CACM 64:86) and of Croissant's vocabulary
    for responsible AI, RAI 1.0 (mlcommons.org).
    """

    description: Statement | None = None
    """What the data set is, in a paragraph."""
    version: Version | None = None
    """The version of the data set."""
    creators: tuple[ShortText, ...] = ()
    """Organisations or people who made it."""
    published: date | None = None
    """The day of publication."""
    url: Url | None = None
    """Where it is described or offered."""
    licence_url: Url | None = None
    """The address of the licence."""
    citation: Statement | None = None
    """How to cite it; BibTeX is best."""

    intended_use: Statement | None = None
    """What the data set is for."""
    out_of_scope: Statement | None = None
    """What it must not be used for."""

    collection: Statement | None = None
    """How, with which devices and protocol, and why the images were taken."""
    collected_from: date | None = None
    """The first day of collection."""
    collected_until: date | None = None
    """The last day of collection."""
    ethics: Statement | None = None
    """Approval by a board, consent, animal licence."""
    sensitive_information: Statement | None = None
    """What personal or sensitive information is or could be in it, and how it was removed."""

    population: Statement | None = None
    """Who or what the subjects are and how they were chosen."""
    demographics: Statement | None = None
    """Age, sex, ethnicity, strain, disease: distributions, or that they are not known."""

    annotation_protocol: Statement | None = None
    """How the masks were made."""
    annotators: Statement | None = None
    """How many, their training, how disagreement was resolved."""
    annotation_tools: Statement | None = None
    """The software for the masks."""
    preprocessing: Statement | None = None
    """Earlier processing of the images."""

    biases: Statement | None = None
    """Known biases."""
    limitations: Statement | None = None
    """Known limitations."""
    social_impact: Statement | None = None
    """Effects on people and groups."""
    known_traps: tuple[Statement, ...] = ()
    """Known problems of the data for other users."""
    maintenance: Statement | None = None
    """Who keeps it, how errors are reported, when it ends."""


class CardPart(Record):
    """One part of the split."""

    part: Part
    cases: int
    subjects: int
    groups: int
    """Independent groups: what statistics count."""


class CardAcquisition(Record):
    """Cases that were taken in the same way; None: the images do not say."""

    modality: ShortText
    site: ShortText | None
    scanner: ShortText | None
    axes: Axes
    unit: Unit
    spacing: tuple[float, ...]
    orientation: str | None
    cases: int
    subjects: int


class CardSubgroup(Record):
    """The cases with one value of an attribute, in independent groups of each part."""

    attribute: Slug
    value: ShortText
    """`not stated`: the cases without the attribute."""
    train: int
    calibration: int
    test: int


class CardCase(Record):
    """One case. Of a test case nothing is here but what everybody may know: no digest of its plain bytes, no share of
    foreground, no agreement of readers.
    """

    id: Slug
    subject: Slug
    acquisition: Slug
    part: Part | None
    axes: Axes
    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    unit: Unit
    foreground: float | None = None
    agreement: float | None = None
    image: Digest | None = None
    """Digest of the plain image; of a sealed case of the encrypted one."""
    label: Digest | None = None
    sealed: bool = False


class CardFinding(Record):
    """One finding of validation about cases that are not in the test part."""

    severity: Severity
    rule: Slug
    case: Slug
    message: ShortText


class CardFigure(Record):
    """How one figure spreads over the cases that are not in the test part."""

    name: ShortText
    cases: int
    minimum: float
    median: float
    maximum: float


class CardOpening(Record):
    """One opening of the sealed test part."""

    index: int
    requester: Slug
    approver: Slug | None
    purpose: str


class CardException(Record):
    """What a person states about two cases against or beyond the search for near duplicates."""

    cases: tuple[Slug, Slug]
    stated: ShortText
    """What is stated, in words."""
    reason: ShortText


class DataCard(Record):
    """Everything the card says, ready to be written down."""

    name: Slug
    source: ShortText
    licence: ShortText
    root: Digest
    split: Digest
    split_seed: int
    facts: DataCardFacts
    missing: tuple[ShortText, ...]
    """What nobody stated, by its name on the card."""
    made: Statement | None
    """How the cases were made, where they are synthetic."""
    identifiers: tuple[ShortText, ...]
    """Places in the sources that may say who is in an image, and were accepted."""
    accepted: ShortText | None
    """Why."""
    classes: tuple[LabelClass, ...]
    subjects: int
    groups: int
    """Independent groups: cases that share subject, acquisition, origin or image, or are near duplicates, are one."""
    acquisitions: tuple[CardAcquisition, ...]
    subgroups: Annotated[tuple[CardSubgroup, ...], Field(exclude_if=lambda rows: not rows)] = ()
    """By disease, sex, age band and other attributes; empty where no case states one."""
    parts: tuple[CardPart, ...]
    exceptions: tuple[CardException, ...] = ()
    """Pairs of cases that the project states to be the same, or to be no copies."""
    agreement: CardFigure | None
    """Dice of two readers, over cases that are not in the test part and have two."""
    figures: tuple[CardFigure, ...]
    rules: tuple[Slug, ...]
    findings: tuple[CardFinding, ...]
    withheld: int
    """Findings that are not among them because they are about a test case or the set as a whole."""
    traps: tuple[Statement, ...]
    """What the cases themselves say should be watched."""
    gaps: tuple[Statement, ...]
    """What the cases themselves do not say."""
    sealed_files: int
    openings: tuple[CardOpening, ...]
    cases: tuple[CardCase, ...]
