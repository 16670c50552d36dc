"""The model card as `README.md` of a model on Hugging Face: YAML metadata with the figures as `model-index`, then Markdown.

The fields of the metadata are those of huggingface.co/docs/hub/model-cards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from minivess.compliance.documents.model_card import CardFact, ModelCard
from minivess.foundation.implements import implements
from minivess.records.data.card import DataCard
from minivess.records.device.project import Device
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.evaluation.measures import heading_of
from minivess.records.models.exports.export import ExportRecord

KNOWN_LICENCES = frozenset(
    {
        "apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0",
        "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0", "mpl-2.0", "openrail", "unlicense",
    }
)  # fmt: skip
"""Licences that the hub knows by the SPDX identifier in lower case. Any other one is `other`, with its name."""
_TASK = "image-segmentation"
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")


@implements("REQ-397")
def hugging_face_card(
    card: ModelCard, device: Device, export: ExportRecord, evaluation: EvaluationRecord, data: DataCard, *, demo: bool
) -> str:
    """The text of `README.md`.

    Args:
        card: the model card.
        device: whose model it is.
        export: the exported model.
        evaluation: on the sealed test set; its figures are the `model-index`.
        data: the data card.
        demo: whether the model is one of a demonstration.
    """
    metadata = yaml.safe_dump(
        _metadata(device, export, evaluation, data), sort_keys=False, allow_unicode=True, default_flow_style=False
    )
    return f"---\n{metadata}---\n\n" + "\n".join(_body(card, device, evaluation, demo=demo)) + "\n"


def _metadata(device: Device, export: ExportRecord, evaluation: EvaluationRecord, data: DataCard) -> dict[str, Any]:
    licence = "" if export.model is None else export.model.licences.weights
    known = licence.lower()
    named: dict[str, Any] = {"license": known}
    if known not in KNOWN_LICENCES:
        named = {"license": "other", "license_name": licence or "not stated"}
    return {
        "language": ["en"],
        **named,
        "library_name": "onnx",
        "pipeline_tag": _TASK,
        "tags": ["medical", "segmentation", "onnx", "minivess", *(["3d"] if export.task.axes == "zyx" else [])],
        "metrics": [one.name for one in evaluation.measures],
        "model-index": [{"name": device.name, "results": [_result(export, evaluation, data)]}],
    }


def _result(export: ExportRecord, evaluation: EvaluationRecord, data: DataCard) -> dict[str, Any]:
    classes = ", ".join(one.name for one in export.task.classes)
    kind = "volumes" if export.task.axes == "zyx" else "pictures"
    return {
        "task": {"type": _TASK, "name": f"Segmentation of {kind}: {classes}"},
        "dataset": {"type": data.name, "name": f"{data.name}, sealed test part", "split": "test"},
        "metrics": [
            {
                "type": name,
                "value": interval.mean,
                "name": heading_of(name, evaluation.unit) if of_class is None else _of(name, of_class, evaluation),
            }
            for of_class, figures in evaluation.by_class.items()
            for name, interval in figures.aggregates.items()
        ],
    }


def _of(name: str, of_class: str, evaluation: EvaluationRecord) -> str:
    return f"{heading_of(name, evaluation.unit)}, {of_class}"


def _body(card: ModelCard, device: Device, evaluation: EvaluationRecord, *, demo: bool) -> Iterator[str]:
    yield f"# {_plain(device.name)} {_plain(device.version)}\n"
    if demo:
        yield "**This model was made by a demonstration and must not be used for any medical purpose.**\n"
    for title, facts in (
        ("Use", card.users),
        ("Model", card.model),
        ("Training", card.training),
        ("Data", card.data),
        ("Computing", card.computing),
    ):
        yield from _section(title, facts)
    yield "## Performance on the sealed test set\n"
    yield f"{_plain(evaluation.reuse)} {len(evaluation.tested)} cases, {len(evaluation.groups)} independent groups.\n"
    yield "| measure | mean | interval | how the interval is made |\n|---|---|---|---|"
    for of_class, figures in evaluation.by_class.items():
        for name, interval in figures.aggregates.items():
            title = heading_of(name, evaluation.unit) if of_class is None else _of(name, of_class, evaluation)
            yield f"| {_plain(title)} | {interval.mean:.3f} | {interval.words()} | {_plain(interval.basis)} |"
    for table in card.subgroups:
        yield f"\n### {_plain(table.header[0])}\n"
        yield f"| {' | '.join(_plain(cell) for cell in table.header)} |\n|{'---|' * len(table.header)}"
        yield from (f"| {' | '.join(_plain(cell) for cell in row)} |" for row in table.rows)
        yield f"\n{_plain(table.basis)}"
    yield from (f"\n{_plain(sentence)}" for sentence in card.readers)
    yield "\n## Calibration\n"
    yield "| expected calibration error | before | after | sealed test set, after |\n|---|---|---|---|"
    for row in card.calibration:
        tested = "not measured" if row.test is None else f"{row.test:.3f}"
        yield f"| {_plain(row.place)} | {row.before:.3f} | {row.after:.3f} | {tested} |"
    yield ""
    yield from (f"{_plain(sentence)}\n" for sentence in card.calibrated)
    yield "## Limits\n"
    yield from (f"- {_plain(sentence)}" for sentence in card.limits)


def _section(title: str, facts: Sequence[CardFact]) -> Iterator[str]:
    yield f"## {title}\n"
    yield "| | |\n|---|---|"
    yield from (f"| {_plain(fact.name)} | {_plain(fact.value)} |" for fact in facts)
    yield ""


def _plain(text: str) -> str:
    """Text on one line, in which Markdown and HTML mean nothing."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
