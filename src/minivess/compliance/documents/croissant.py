"""The data card for machines: Croissant 1.1 with the vocabulary for responsible AI, RAI 1.0 (mlcommons.org), JSON-LD.

Every file that the card names is a `FileObject` with its SHA-256: the plain arrays of training and calibration cases and
the encrypted ones of the test part. Two record sets describe the splits and the cases. What nobody stated is left out
where Croissant expects a date or an address, and says "not stated" where it expects words.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minivess.foundation.implements import implements
from minivess.records.data.card import CardCase, CardPart, DataCard
from minivess.records.data.split import Part

CONFORMS_TO = ("http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0")
NOT_STATED = "not stated"
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_SPLITS = {
    Part.TRAIN: "cr:TrainingSplit",
    Part.CALIBRATION: "cr:ValidationSplit",
    Part.TEST: "cr:TestSplit",
}
_USES = {
    Part.TRAIN: "fitting weights",
    Part.CALIBRATION: "temperature, conformal threshold, and the baseline's threshold",
    Part.TEST: "final evaluation; sealed until then",
}


@implements("REQ-104")
def croissant(card: DataCard) -> dict[str, Any]:
    """The card as a Croissant document; paths are relative to the folder `data` of the project."""
    facts = card.facts
    document: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": list(CONFORMS_TO),
        "name": card.name,
        "description": facts.description or f"{card.source}. A description is {NOT_STATED}.",
        "license": facts.licence_url or card.licence,
        "isBasedOn": card.source,
        "keywords": sorted({one.modality for one in card.acquisitions} | {"segmentation"}),
        "distribution": [item for case in card.cases for item in _files(case)],
        "recordSet": [_splits(card.parts), _cases(card), _classes(card)],
        **_rai(card),
    }
    stated: dict[str, Any] = {
        "version": facts.version,
        "url": facts.url,
        "citeAs": facts.citation,
        "datePublished": None if facts.published is None else facts.published.isoformat(),
        "creator": [{"@type": "sc:Organization", "name": name} for name in facts.creators] or None,
    }
    return document | {name: value for name, value in stated.items() if value is not None}


def _rai(card: DataCard) -> dict[str, Any]:
    """The terms of responsible AI."""
    facts, agreement = card.facts, card.agreement
    answers = {
        "dataCollection": facts.collection or card.made,
        "dataCollectionMissingData": _sentences(card.gaps),
        "dataPreprocessingProtocol": facts.preprocessing,
        "dataAnnotationProtocol": facts.annotation_protocol or card.made,
        "dataAnnotationPlatform": facts.annotation_tools,
        "dataAnnotationAnalysis": None
        if agreement is None
        else (
            f"Dice of two readers over {agreement.cases} cases outside the test part: median {agreement.median:.3f}, "
            f"from {agreement.minimum:.3f} to {agreement.maximum:.3f}."
        ),
        "annotatorDemographics": facts.annotators,
        "dataUseCases": _sentences(
            text for text in (facts.intended_use, facts.out_of_scope and f"Out of scope: {facts.out_of_scope}") if text
        ),
        "dataLimitations": _sentences(filter(None, (facts.limitations, *facts.known_traps, *card.traps, *card.gaps))),
        "dataBiases": facts.biases,
        "dataSocialImpact": facts.social_impact,
        "personalSensitiveInformation": _sentences(filter(None, (facts.sensitive_information, _identifiers(card)))),
        "dataReleaseMaintenancePlan": facts.maintenance,
    }
    made = {f"rai:{name}": text or NOT_STATED for name, text in answers.items()}
    days = [day.isoformat() for day in (facts.collected_from, facts.collected_until) if day is not None]
    return made | ({"rai:dataCollectionTimeFrame": days} if days else {})


def _sentences(texts: Iterable[str]) -> str:
    return " ".join(text.strip().rstrip(".") + "." for text in texts)


def _identifiers(card: DataCard) -> str | None:
    if not card.identifiers:
        return None
    return (
        f"Sources may say who is in the image, in {', '.join(card.identifiers[:8])}; accepted because: {card.accepted}"
    )


def _files(case: CardCase) -> list[dict[str, Any]]:
    made = []
    for kind, digest in (("image", case.image), ("label", case.label)):
        if digest is None:
            continue
        path = f"sealed/{case.id}.{kind}.sealed" if case.sealed else f"prepared/{case.id}/{kind}.npy"
        made.append(
            {
                "@type": "cr:FileObject",
                "@id": f"{case.id}/{kind}",
                "name": path,
                "description": f"{kind} of {case.id}, encrypted with AES-256-GCM"
                if case.sealed
                else f"{kind} of {case.id}",
                "contentUrl": path,
                "encodingFormat": "application/octet-stream",
                "sha256": digest.removeprefix("sha256:"),
            }
        )
    return made


def _splits(parts: tuple[CardPart, ...]) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "description": "The parts of the split: by subject and acquisition. Neither is in two parts.",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [
            _field("splits", "name", "sc:Text"),
            _field("splits", "url", "sc:URL"),
            _field("splits", "use", "sc:Text"),
        ],
        "data": [
            {
                "splits/name": one.part.value,
                "splits/url": _SPLITS[one.part].replace("cr:", "http://mlcommons.org/croissant/"),
                "splits/use": _USES[one.part],
            }
            for one in parts
        ],
    }


def _cases(card: DataCard) -> dict[str, Any]:
    kinds = {
        "id": "sc:Text",
        "subject": "sc:Text",
        "acquisition": "sc:Text",
        "split": "sc:Text",
        "axes": "sc:Text",
        "shape": "sc:Text",
        "spacing": "sc:Text",
        "unit": "sc:Text",
        "image": "sc:Text",
        "label": "sc:Text",
    }
    fields = [_field("cases", name, kind) for name, kind in kinds.items()]
    fields[3]["references"] = {"field": {"@id": "splits/name"}}
    return {
        "@type": "cr:RecordSet",
        "@id": "cases",
        "name": "cases",
        "description": "The cases: which subject, acquisition and part, which axes, and which files hold them.",
        "key": {"@id": "cases/id"},
        "field": fields,
        "data": [_row(case) for case in card.cases if case.part is not None],
    }


@implements("REQ-306")
def _classes(card: DataCard) -> dict[str, Any]:
    """What the values of the masks mean; an empty text where nothing is stated."""
    return {
        "@type": "cr:RecordSet",
        "@id": "classes",
        "name": "classes",
        "description": "What the values of the masks mean, with colour (sRGB) and coded term (DICOM PS3.3 8.8). 0 is background.",
        "key": {"@id": "classes/value"},
        "field": [
            _field("classes", "value", "sc:Integer"),
            *(_field("classes", name, "sc:Text") for name in ("name", "colour", "scheme", "code", "meaning")),
        ],
        "data": [
            {
                "classes/value": one.value,
                "classes/name": one.name,
                "classes/colour": one.colour or "",
                "classes/scheme": "" if one.code is None else one.code.scheme,
                "classes/code": "" if one.code is None else one.code.value,
                "classes/meaning": "" if one.code is None else one.code.meaning,
            }
            for one in card.classes
        ],
    }


def _row(case: CardCase) -> dict[str, str]:
    facts = {
        "id": case.id,
        "subject": case.subject,
        "acquisition": case.acquisition,
        "split": "" if case.part is None else case.part.value,
        "axes": case.axes,
        "shape": " ".join(map(str, case.shape)),
        "spacing": " ".join(f"{size:g}" for size in case.spacing),
        "unit": case.unit,
        "image": f"{case.id}/image" if case.image else "withheld",
        "label": f"{case.id}/label" if case.label else "withheld",
    }
    return {f"cases/{name}": text for name, text in facts.items()}


def _field(record_set: str, name: str, kind: str) -> dict[str, Any]:
    return {"@type": "cr:Field", "@id": f"{record_set}/{name}", "name": name, "dataType": kind}
