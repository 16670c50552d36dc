"""The bill of materials of the model: CycloneDX 1.6 JSON of its graphs, members, training parameters and data sets.

The object model of the library has no model card and no data, so they are added to the serialised document. Intervals and
slices of the measures are those of the evaluation.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType, Pedigree
from cyclonedx.model.contact import OrganizationalEntity
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.lifecycle import LifecyclePhase
from cyclonedx.output.json import JsonV1Dot6

from minivess.compliance.facts.cyclonedx import HASH, LICENCE, PRODUCER, UNKNOWN, meta_data, unknown_properties
from minivess.compliance.facts.sbom import BillFacts
from minivess.foundation.clock import timestamp as rfc3339
from minivess.foundation.implements import implements
from minivess.records.data.card import DataCard
from minivess.records.evaluation.evaluation import AnalysisPlan, EvaluationRecord
from minivess.records.evaluation.measures import name_in
from minivess.records.evaluation.statistics.summaries import Interval
from minivess.records.evaluation.subgroups.sections import subgroup_tables
from minivess.records.models.exports.export import ExportRecord
from minivess.records.models.model import CalibrationRecord, RunRecord
from minivess.records.models.model_card import ModelCardFacts
from minivess.records.models.task import SegmentationTask

_SEALED = "sealed test set"


@dataclass(frozen=True)
class ModelFacts:
    """What the bill of materials of a model is made from."""

    export: ExportRecord
    runs: Sequence[RunRecord]
    """The members of the ensemble."""
    calibration: CalibrationRecord
    evaluation: EvaluationRecord
    """On the sealed test set."""
    plan: AnalysisPlan
    """The registered plan of this evaluation."""
    data: DataCard
    stated: ModelCardFacts | None = None
    """What the project file states about the model."""


@implements("REQ-531")
def ml_bom(facts: BillFacts, known: ModelFacts) -> dict[str, Any]:
    """Make the bill of materials of a model.

    Args:
        facts: device, version, manufacturer and time.
        known: the records of the model.
    """
    members = {f"member-{run.seed}": run for run in known.runs}
    parts = {f"data-{row.part.value}": row for row in known.data.parts}
    graphs = list(_graphs(facts, known))
    components = [
        _model(facts, known),
        *graphs,
        *(_member(facts, reference, run) for reference, run in members.items()),
        _data_set(known.data),
        *(_part(known.data, reference) for reference in parts),
    ]
    needs = {
        "device": ["model"],
        "model": [*(str(graph.bom_ref.value) for graph in graphs), *members, "data-calibration"],
        **{reference: ["data-train"] for reference in members},
        **{reference: ["data"] for reference in parts},
    }
    about = Component(name=facts.device, version=facts.version, type=ComponentType.APPLICATION, bom_ref="device")
    references = {component.bom_ref.value: component.bom_ref for component in (about, *components)}
    seed = "\n".join((facts.device, facts.version, known.export.onnx, known.data.root, known.data.split))
    bom = Bom(
        serial_number=uuid5(NAMESPACE_URL, f"minivess:ml-bom:{seed}"),
        metadata=meta_data(about, manufacturer=facts.manufacturer, tool=facts.tool, phase=LifecyclePhase.BUILD),
        components=components,
        dependencies=[
            Dependency(one, [Dependency(references[to]) for to in sorted(needs.get(str(name), ())) if to in references])
            for name, one in references.items()
        ],
    )
    bom.metadata.timestamp = facts.timestamp
    document: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    document["metadata"]["timestamp"] = rfc3339(facts.timestamp)
    for component in document["components"]:
        reference = component["bom-ref"]
        if reference == "model":
            component["modelCard"] = model_card(facts, known, parts)
        elif reference in members:
            component["modelCard"] = _card_of_member(members[reference])
        elif reference == "data":
            component["data"] = [_contents(known.data.name, {"split": known.data.split}, known.data)]
        elif reference in parts:
            row = parts[reference]
            figures = {"cases": row.cases, "subjects": row.subjects, "independent groups": row.groups}
            component["data"] = [_contents(f"{known.data.name}, {row.part.value}", figures, known.data)]
    return document


@implements("REQ-531")
def model_card(facts: BillFacts, known: ModelFacts, data: Iterable[str] = ()) -> dict[str, Any]:
    """The model card of CycloneDX 1.6: parameters, measures by slice with intervals, and considerations.

    Args:
        facts: intended use.
        known: the records of the model.
        data: references of the data sets.
    """
    summaries = sorted({run.model.summary for run in known.runs})
    parameters = {
        **_parameters(known.export.task),
        "modelArchitecture": "; ".join(summaries),
        "datasets": [{"ref": reference} for reference in data],
    }
    stated = known.stated or ModelCardFacts()
    considerations = {
        "users": [stated.intended_users] if stated.intended_users else [],
        "useCases": [facts.intended_use] if facts.intended_use else [],
        "technicalLimitations": [one for one in (stated.limitations, stated.out_of_scope) if one],
        "ethicalConsiderations": [{"name": stated.ethics}] if stated.ethics else [],
    }
    card: dict[str, Any] = {
        "bom-ref": "model-card",
        "modelParameters": parameters,
        "quantitativeAnalysis": {"performanceMetrics": [*_metrics(known.evaluation), *_by_subgroup(known)]},
        "properties": [
            {"name": "minivess:calibration:temperature", "value": f"{known.calibration.temperature:.6f}"},
            {"name": "minivess:calibration:method", "value": known.calibration.method},
        ],
    }
    held = {name: value for name, value in considerations.items() if value}
    return {**card, "considerations": held} if held else card


def _model(facts: BillFacts, known: ModelFacts) -> Component:
    return Component(
        name=f"{facts.device}-model",
        version=facts.version,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref="model",
        supplier=_entity(facts.manufacturer),
        manufacturer=OrganizationalEntity(name=facts.manufacturer or UNKNOWN),
        hashes=[_sha256(known.export.onnx)],
        properties=[
            Property(name="minivess:path", value="data/models/model.onnx"),
            Property(name="minivess:opset", value=str(known.export.opset)),
            *unknown_properties({LICENCE: None, PRODUCER: facts.manufacturer}),
        ],
    )


def _graphs(facts: BillFacts, known: ModelFacts) -> Iterator[Component]:
    """The files of the exported model."""
    contract = known.export.model
    for graph in () if contract is None else contract.graphs:
        yield Component(
            name=graph.file,
            version=facts.version,
            type=ComponentType.FILE,
            bom_ref=f"graph-{graph.file}",
            hashes=[_sha256(graph.digest)],
        )


def _member(facts: BillFacts, reference: str, run: RunRecord) -> Component:
    """One trained member, with every parameter of its training."""
    settings = dict(_flat("minivess:training", run.training.model_dump(mode="json")))
    trained = {
        "minivess:seed": run.seed,
        "minivess:data": run.data,
        "minivess:device": run.device,
        "minivess:parameters": run.parameters,
        "minivess:procedure": run.procedure,
        "minivess:steps": run.steps,
        "minivess:final-loss": f"{run.final_loss:.6g}",
        **settings,
    }
    ancestors = []
    if run.start is not None:
        ancestors = [
            Component(
                name="starting weights", type=ComponentType.MACHINE_LEARNING_MODEL, hashes=[_sha256(run.start.weights)]
            )
        ]
    return Component(
        name=reference,
        version=facts.version,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=reference,
        manufacturer=OrganizationalEntity(name=facts.manufacturer or UNKNOWN),
        hashes=[_sha256(run.weights)],
        pedigree=Pedigree(ancestors=ancestors) if ancestors else None,
        properties=[Property(name=name, value=str(value)) for name, value in trained.items() if value is not None],
    )


def _data_set(card: DataCard) -> Component:
    return Component(
        name=card.name,
        version=card.facts.version or card.root.removeprefix("sha256:")[:12],
        type=ComponentType.DATA,
        bom_ref="data",
        supplier=_entity(", ".join(card.facts.creators)),
        description=card.facts.description or card.source,
        licenses=[LicenseFactory().make_from_string(card.licence)],
        hashes=[_sha256(card.root)],
        properties=unknown_properties({PRODUCER: card.facts.creators}),
    )


def _part(card: DataCard, reference: str) -> Component:
    return Component(
        name=f"{card.name}, {reference.removeprefix('data-')}",
        version=card.facts.version or card.root.removeprefix("sha256:")[:12],
        type=ComponentType.DATA,
        bom_ref=reference,
        properties=unknown_properties({HASH: None}),
    )


def _contents(name: str, figures: Mapping[str, object], card: DataCard) -> dict[str, Any]:
    """A data set as CycloneDX describes its content."""
    properties = [{"name": f"minivess:{key}", "value": str(value)} for key, value in figures.items()]
    owners = [{"organization": {"name": one}} for one in card.facts.creators]
    return {
        "type": "dataset",
        "name": name,
        "contents": {"properties": properties},
        **({"governance": {"owners": owners}} if owners else {}),
    }


def _card_of_member(run: RunRecord) -> dict[str, Any]:
    parameters = {**_parameters(run.task), "modelArchitecture": run.model.summary, "datasets": [{"ref": "data-train"}]}
    return {"bom-ref": f"card-of-member-{run.seed}", "modelParameters": parameters}


def _parameters(task: SegmentationTask) -> dict[str, Any]:
    kind, place = ("volume", "z, y, x") if task.axes == "zyx" else ("picture", "y, x")
    channels = "" if task.channels == 1 else f"{task.channels}, "
    several = f"{task.outputs}, {place}"
    names = ", ".join(one.name for one in task.classes)
    output = f"{names} ({place})" if task.one_class else f"background, {names} ({several})"
    return {
        "approach": {"type": "supervised"},
        "task": f"semantic segmentation of {kind}s",
        "architectureFamily": "convolutional neural network",
        "inputs": [{"format": f"float32 {kind} ({channels}{place})"}],
        "outputs": [{"format": f"float32 probability of {output}"}],
    }


def _metrics(evaluation: EvaluationRecord) -> Iterator[dict[str, Any]]:
    """Every measure over the whole test set, of each class."""
    for of_class, figures in evaluation.by_class.items():
        place = _SEALED if of_class is None else f"{_SEALED}, class {of_class}"
        for name, interval in sorted((name, one) for name, one in figures.aggregates.items() if one.n):
            yield _metric(name_in(name, evaluation.unit), interval.mean, place, interval)


def _by_subgroup(known: ModelFacts) -> Iterator[dict[str, Any]]:
    """The measures of the criteria in each subgroup of cases."""
    for table in subgroup_tables(known.evaluation, known.plan):
        of_class = "" if table.of_class is None else f", class {table.of_class}"
        for row in table.rows:
            if row.mean is not None:
                place = f"{_SEALED}{of_class}, {row.attribute} {row.value} ({row.groups} groups)"
                yield _metric(name_in(table.measure, known.evaluation.unit), row.mean, place, row.interval)


def _metric(name: str, value: float, place: str, interval: Interval | None) -> dict[str, Any]:
    metric: dict[str, Any] = {"type": name, "value": f"{value:.4f}", "slice": place}
    if interval is not None and interval.lower is not None and interval.upper is not None:
        bounds = {"lowerBound": f"{interval.lower:.4f}", "upperBound": f"{interval.upper:.4f}"}
        metric["confidenceInterval"] = bounds
    return metric


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """The values of nested objects, each by its whole name."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _flat(f"{name}:{key}", one)
    elif value is not None:
        yield name, value if isinstance(value, str) else json.dumps(value)


def _sha256(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest.removeprefix("sha256:"))


def _entity(name: str) -> OrganizationalEntity | None:
    return OrganizationalEntity(name=name) if name else None
