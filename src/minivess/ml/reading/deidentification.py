"""Where a file may say who is in the picture: DICOM attributes, text in pictures' metadata, burnt-in writing.

The measure is the Basic Application Level Confidentiality Profile of DICOM PS3.15 Annex E (table E.1-1): every person's
name, every date, every private attribute, and the attributes below that carry identifiers, contacts, institutions,
devices or remarks. UIDs are not reported: whether they were replaced cannot be seen. Findings name the place and never
what stands there. `identifiers` are refused unless the project states why they are accepted; `risks` are only reported.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import Any

from minivess.foundation.implements import implements
from minivess.ml.reading.deidentification_tables import (
    CHARACTERISTICS,
    EXIF,
    IDENTITY,
    PLACEHOLDERS,
    PNG_HARMLESS,
    PNG_NAMES,
    TIFF,
)

NAME_FIELDS = frozenset({"db_name"})
"""NIfTI fields that converters fill with the patient's name."""

_DATES_KEPT = {"113106", "113107"}
_PRIVATE_KEPT = "113111"
_INSTITUTION_KEPT, _DEVICE_KEPT = "113112", "113109"
_REPLACED = frozenset({"PatientName", "PatientID", "AccessionNumber", "StudyID", "ReferringPhysicianName"})
"""Annex E allows a dummy value here (actions Z and D); `PatientIdentityRemoved` YES says that it is one."""
_WORK_DATES = frozenset({"InstanceCreationDate", "ContentDate", "ContributionDateTime"})
"""In a segmentation these say when it was drawn, which every one does and which is no date of the patient."""
_BURNT_IN = frozenset({"US", "SC", "XC", "ES", "GM", "SM", "OT", "DOC", "OP"})
"""Modalities whose pictures often carry writing."""
_MOST = 12
_SIGNS = re.compile(
    r"\^|@|\bpatient|\bname\b|\bd\.?o\.?b\b|\bbirth|\bmrn\b|\baccession|\bphone|\bhospital|\baddress|\bssn\b"
    r"|(?<!\d)(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)|(?<!\d)(?:19|20)\d\d[-/.:][01]?\d[-/.:][0-3]?\d",
    re.IGNORECASE,
)
_OME_PERSONAL = ("FirstName", "MiddleName", "LastName", "Email", "UserName", "DisplayName", "Institution")


@dataclass(frozen=True)
class Traces:
    """What was found.

    Attributes:
        identifiers: places that carry identity, a date or private content; refused by default.
        risks: places that might; reported.
    """

    identifiers: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()

    def __add__(self, other: Traces) -> Traces:
        return Traces(
            tuple(dict.fromkeys((*self.identifiers, *other.identifiers))),
            tuple(dict.fromkeys((*self.risks, *other.risks))),
        )


@implements("REQ-079")
def free_text(where: str, text: str, *, identity: bool = False) -> Traces:
    """Judge free text: nothing, a risk, or, where it holds signs of identity, an identifier.

    Args:
        where: the place, for a person.
        text: what stands there; it is looked at and never repeated.
        identity: whether the field is one for names.
    """
    text = text[:65536].strip()
    if not text or text.lower() in PLACEHOLDERS:
        return Traces()
    if identity or _SIGNS.search(text):
        return Traces((where,))
    return Traces(risks=(f"{where} holds free text",))


@implements("REQ-079")
def dicom_traces(dataset: Any) -> Traces:
    """Look through every attribute of a pydicom data set, sequences included."""
    removed = str(dataset.get("PatientIdentityRemoved", "")).strip().upper() == "YES"
    kept = {str(item.get("CodeValue", "")) for item in dataset.get("DeidentificationMethodCodeSequence", None) or ()}
    changed_dates = str(dataset.get("LongitudinalTemporalInformationModified", "")).upper() in {"MODIFIED", "REMOVED"}
    found: dict[str, None] = {}
    risks: dict[str, None] = {}
    private: set[int] = set()
    work = str(dataset.get("Modality", "")) == "SEG"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for element in dataset.iterall():
            keyword, tag = element.keyword, element.tag
            if tag.is_private:
                private.add(tag.group)
            elif 0x6000 <= tag.group <= 0x60FF:
                risks[f"({tag.group:04x},xxxx) overlay, which may hold writing"] = None
            elif element.VR == "PN" or keyword in IDENTITY:
                spared = (removed and keyword in _REPLACED) or (
                    (keyword.startswith("Institution") and _INSTITUTION_KEPT in kept)
                    or (keyword in {"DeviceSerialNumber", "StationName"} and _DEVICE_KEPT in kept)
                )
                if not spared and not _empty(element.value):
                    found[f"({tag.group:04x},{tag.element:04x}) {keyword}"] = None
            elif element.VR in ("DA", "DT"):
                spared = removed and (changed_dates or bool(kept & _DATES_KEPT)) and keyword != "PatientBirthDate"
                spared = spared or (work and keyword in _WORK_DATES)
                if not spared and not _empty(element.value):
                    found[f"({tag.group:04x},{tag.element:04x}) {keyword}"] = None
            elif keyword in CHARACTERISTICS and not _empty(element.value):
                risks[f"{keyword} is kept"] = None
    if private and not (removed and _PRIVATE_KEPT in kept):
        groups = ", ".join(f"({group:04x},xxxx)" for group in sorted(private)[:_MOST])
        found[f"private attributes {groups}"] = None
    return Traces(tuple(found), tuple(risks)) + _burnt_in(dataset)


def _burnt_in(dataset: Any) -> Traces:
    said = str(dataset.get("BurnedInAnnotation", "")).strip().upper()
    if said == "YES":
        return Traces(("(0028,0301) BurnedInAnnotation is YES",))
    kind = [str(word).upper() for word in _several(dataset.get("ImageType", ()))]
    if said != "NO" and (str(dataset.get("Modality", "")) in _BURNT_IN or "SCREEN SAVE" in kind):
        return Traces(risks=("BurnedInAnnotation does not say NO: look for writing in the picture",))
    return Traces()


def _several(value: Any) -> list[Any]:
    return [value] if isinstance(value, str) else list(value or ())


def _empty(value: Any) -> bool:
    if value is None:
        return True
    text = str(value).strip().strip("^").lower()
    return not text or text in PLACEHOLDERS


@implements("REQ-079")
def picture_traces(kind: str, info: dict[Any, Any], exif: dict[int, Any]) -> Traces:
    """Look through what Pillow found beside the pixels of a PNG or JPEG: text chunks, comments, EXIF, XMP, IPTC."""
    found = Traces()
    for key, value in info.items():
        name = str(key)[:79]
        if name in PNG_HARMLESS or not isinstance(value, (str, bytes)):
            continue
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if name.startswith(("XML:", "Raw profile")):
            found += Traces((f"{kind} {name.split(':')[0] if name.startswith('XML') else 'raw profile'} metadata",))
        else:
            where = (
                f"{kind} text {name!r}" if name.isascii() and name.isprintable() and len(name) <= 32 else f"{kind} text"
            )
            found += free_text(where, text, identity=name.lower() in PNG_NAMES)
    if info.get("xmp") or "XML:com.adobe.xmp" in info:
        found += Traces((f"{kind} XMP metadata",))
    if isinstance(info.get("photoshop"), dict) and 0x0404 in info["photoshop"]:
        found += Traces((f"{kind} IPTC metadata",))
    return found + Traces(tuple(f"EXIF {name}" for tag, name in EXIF.items() if not _empty(exif.get(tag))))


@implements("REQ-079")
def tiff_traces(tags: dict[int, Any], description: str) -> Traces:
    """Look through the baseline tags of a TIFF page; `description` is free text that is neither OME-XML nor ImageJ's."""
    named = tuple(f"TIFF tag {tag} {name}" for tag, name in TIFF.items() if not _empty(tags.get(tag)))
    return Traces(named) + free_text("TIFF tag 270 ImageDescription", description)


@implements("REQ-079")
def ome_traces(elements: list[tuple[str, dict[str, str]]]) -> Traces:
    """Look through the start tags of OME-XML for people and dates."""
    found = Traces()
    for name, attributes in elements:
        if name in ("Experimenter", "Person") and any(attributes.get(key, "").strip() for key in _OME_PERSONAL):
            found += Traces(("OME-XML Experimenter",))
        elif name in ("AcquisitionDate", "AcquiredDate"):
            found += Traces(risks=("OME-XML states the date of acquisition",))
        elif name in ("XMLAnnotation", "Description"):
            found += Traces(risks=(f"OME-XML {name} may hold free text",))
    return found
