"""The exported model in a pack: both verifiers know it by its record, by its graph in logs of before, and refuse the same."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from minivess.compliance.release.layout import check_graphs
from minivess.compliance.verification.pack import judge_files
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import VerificationError
from minivess.records.models.exports.export import ExportRecord
from minivess.records.models.intended_use import ChannelBounds
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import SegmentationTask
from minivess.records.verdict import VerdictState
from tests.support.builders.exports import USE, export_record
from tests.support.builders.guarded_log import VERIFY
from tests.support.builders.layout2_pack import small_pack

pytestmark = pytest.mark.verifies("REQ-341", "RC-143", "REQ-039")

EXPORT, GRAPH, TEXT = "data/models/export.json", "data/models/model.onnx", "data/signing-text.txt"
Files = dict[str, bytes]


@pytest.mark.parametrize(("contract", "file"), [(True, EXPORT), (False, GRAPH)])
def test_a_model_is_its_record_and_its_graph_in_packs_of_before(contract: bool, file: str) -> None:
    pack = small_pack(contract=contract)
    verdict = judge_files(pack.signed(), subject="pack", container="", trusted=None)
    assert verdict.state is VerdictState.VERIFIED
    judgement = VERIFY.Judgement(None).judge(pack.signed())
    assert [name for name, held, _ in judgement.checks if not held] == []
    model = digest_bytes(pack.files[file])
    assert f"model {model}\n" in pack.files[TEXT].decode("utf-8")
    assert pack.log.entries[-1].body.context.model == model


def _changed(change: Callable[[dict[str, Any]], object]) -> Files:
    value = json.loads(small_pack().files[EXPORT])
    change(value)
    return {**small_pack().files, EXPORT: json.dumps(value).encode("utf-8")}


@cache
def _judged() -> Any:
    """The pack as the script has it once its log was judged."""
    pack = VERIFY.Pack(dict(small_pack().files), None)
    pack.check_log()
    return pack


def _release(files: Files) -> Any:
    """The release of these files in the script."""
    pack = VERIFY.Pack(dict(files), None)
    for name in ("bodies", "leaves", "origin", "people", "standing"):
        setattr(pack, name, getattr(_judged(), name))
    return VERIFY.Release(pack)


def _script_check(files: Files) -> None:
    """What the script checks of the record and the graphs, once the files are those of the preparation."""
    record = _release(files).json("models/export.json", "export")
    with VERIFY.naming(EXPORT):
        VERIFY.check_contract(record, record["model"], files)


def _refused(files: Files) -> tuple[str, str]:
    """What both verifiers say of the record and the graphs."""
    said = []
    for check in (check_graphs, _script_check):
        with pytest.raises((VerificationError, VERIFY.WrongError)) as caught:
            check(files)
        said.append(str(caught.value))
    return said[0], said[1]


def _model(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], object]:
    return lambda value: change(value["model"])


def _graph(**fields: object) -> Callable[[dict[str, Any]], object]:
    return lambda value: value["model"]["graphs"][0].update(fields)


def _twice(value: dict[str, Any]) -> None:
    graphs = value["model"]["graphs"]
    graphs.append(copy.deepcopy(graphs[0]))


def _certified_in_8_bits(model: dict[str, Any]) -> None:
    """Without a graph of 8 bits."""
    model["backends"].append({**copy.deepcopy(model["backends"][0]), "name": "onnxruntime int8"})
    model["backend"] = "onnxruntime int8"


def _twice_outside(value: dict[str, Any]) -> None:
    _twice(value)
    value["model"]["calibrator"]["inside"] = False


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "another digest of the graph": lambda value: value.update(onnx=digest_bytes(b"another")),
    "a certificate of 8 bits without a graph of them": _model(_certified_in_8_bits),
    "a graph twice, calibrated outside": _twice_outside,
    "no graph": _model(lambda model: model.update(graphs=[])),
    "another graph": _graph(digest=digest_bytes(b"another")),
    "another graph by both digests": lambda value: (
        value.update(onnx=digest_bytes(b"another")),
        _graph(digest=digest_bytes(b"another"))(value),
    ),
    "a graph outside the folder": _graph(file="../model.onnx"),
    "a graph twice": _twice,
    "another patch": _graph(patch=[8, 8, 8]),
    "another digest of the preprocessing": _graph(preprocessing_digest=digest_bytes(b"another")),
    "another preprocessing": _graph(preprocessing={"channels": 1, "axes": "zyx", "spacing": [1.0, 1.0, 1.0]}),
    "no logits": _graph(outputs=[{"name": "embedding", "axes": "batch, features"}]),
    "an unknown output": _graph(outputs=[{"name": "attention", "axes": "batch"}]),
    "8 bits without a graph of them": _model(lambda model: model.update(backend="onnxruntime int8")),
    "a graph of 8 bits that is not run": _graph(
        quantised={"file": "graphs/int8-0.onnx", "digest": digest_bytes(b"int8")}
    ),
    "an unknown backend": _model(lambda model: model.update(backend="abacus")),
    "a backend that is not certified": _model(lambda model: model["backends"][0].update(certified=False)),
    "no backend": _model(lambda model: model.update(backends=[])),
    "no case": _model(lambda model: model["backends"][0]["parity"].update(cases=[])),
    "a threshold above 1": _model(lambda model: model["conformal"].update(thresholds={"foreground": 1.5})),
    "a threshold of another class": _model(lambda model: model["conformal"].update(thresholds={"vein": 0.5})),
    "a rule without its threshold": _model(lambda model: model["decision"].update(threshold=None)),
    "the rule of several classes": _model(lambda model: model.update(decision={"rule": "argmax", "threshold": None})),
    "an overlap of 1": _model(lambda model: model["tiling"].update(overlap=1)),
    "a temperature of 0": _model(lambda model: model["calibrator"].update(parameter=0)),
    "another format": _model(lambda model: model.update(format="minivess-model/2")),
    "a field that is not known": _model(lambda model: model.update(more=1)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_both_refuse_a_record_that_does_not_hold(change: str) -> None:
    assert all(EXPORT in said for said in _refused(_changed(CHANGES[change])))


def test_both_refuse_several_graphs_that_are_calibrated_inside() -> None:
    def change(value: dict[str, Any]) -> None:
        _twice(value)
        value["model"]["graphs"][1]["file"] = "graphs/second.onnx"

    files = _changed(change)
    second = {"data/models/graphs/second.onnx": files["data/models/model.onnx"]}
    product, script = _refused({**files, **second})
    assert "data/models/export.json" in product
    assert script == "data/models/export.json: several graphs are calibrated inside"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("another digest of the graph", "the first graph is another one"),
        ("a certificate of 8 bits without a graph of them", "graphs of 8 bits do not fit the backend"),
        ("a graph twice, calibrated outside", "two graphs have one file"),
        ("another patch", "the input is of another shape"),
        ("no logits", "an output is there twice, or the first is not logits"),
        ("another digest of the preprocessing", "the digest of a preprocessing is another one"),
        ("another graph by both digests", "the graphs of the pack are others"),
        ("a backend that is not certified", "the backend is not certified"),
        ("a threshold of another class", "the conformal thresholds are not those of the classes"),
        ("a rule without its threshold", "the decision rule does not fit the classes"),
        ("no graph", "graphs is empty"),
    ],
)
def test_the_script_names_what_does_not_hold(change: str, words: str) -> None:
    assert words in _refused(_changed(CHANGES[change]))[1]


@pytest.mark.parametrize("extra", ["data/models/graphs/int8-0.onnx", GRAPH])
def test_both_refuse_graphs_that_the_record_does_not_name(extra: str) -> None:
    assert all(EXPORT in said for said in _refused({**small_pack().files, extra: b"another"}))


def test_the_record_of_a_model_of_several_channels_is_read_strictly() -> None:
    channel = ChannelBounds(contrast_to_noise=(0, 1), bright_tail=(0, 1), difference=0.1)
    record = export_record(
        digest_bytes(b"graph"),
        (8, 8, 8),
        task=SegmentationTask(channels=2),
        preprocessing=Preprocessing(channels=2, spacing=(2.0, 1.0, 1.0)),
        intended_use=USE.model_copy(update={"further_channels": (channel,)}),
    )
    assert ExportRecord.model_validate_json(record.model_dump_json(), strict=True) == record


def test_both_take_the_record_of_the_pack() -> None:
    check_graphs(small_pack().files)
    _script_check(small_pack().files)
