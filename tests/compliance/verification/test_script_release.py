"""verify.py on packs of layout 2: what it derives is what the product derives, and what was falsified is refused by name."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from minivess.compliance.pack.pack import log_files
from minivess.compliance.proofs.archive import read_archive
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.envelope import envelope_bytes
from minivess.compliance.proofs.merkle import consistency_proof, inclusion_proof, leaf_hash, root, tree_of
from minivess.compliance.release.layout import layout_text
from minivess.compliance.release.signing_text import SIGNING_TEXT
from minivess.compliance.verification.pack import judge_files
from minivess.foundation.digests import digest_bytes
from minivess.records.artifact import Artifact
from minivess.records.data.dataset import CaseRecord, DatasetManifest
from minivess.records.data.groups import groups_of
from minivess.records.data.split import SplitManifest
from minivess.records.device.gate_outcomes import number_text
from minivess.records.evaluation.cases import CaseCounts
from minivess.records.evaluation.evaluation import AnalysisPlan, Conventions
from minivess.records.evaluation.recomputation import figures_of
from minivess.records.items.risk_items import Estimate
from minivess.records.items.risk_plan import RiskPlan
from minivess.records.log.entry import Context, Outcome
from minivess.records.models.task import SegmentationTask
from tests.support.builders import logged_signatures, release_builder
from tests.support.builders.counted_cases import counted_case
from tests.support.builders.layout2_pack import TAG, small_pack
from tests.support.builders.pack_builder import TEMPLATES
from tests.support.builders.random_plans import plans
from tests.support.builders.release_builder import PLAN, ReleaseLog, policy_of_release
from tests.support.properties import given, settings
from tests.support.properties import strategies as st
from tests.support.verify_script import verify

pytestmark = pytest.mark.verifies("REQ-039", "RC-13", "SU-14")

Files = dict[str, bytes]
Change = Callable[[Any], object]
RECORD, EXPORT, TEXT = "data/evaluation/evaluation.json", "data/models/export.json", "data/signing-text.txt"
GATES, POLICY, RISKS = "data/release/gates.json", "data/release/policy.json", "data/release/risks.json"
ATTESTED, RESULTS, EVENTS = "data/release/attested.json", "data/verification/results.json", "data/lineage/events.jsonl"
TRACE, SEALED, MANIFEST = (
    "data/traceability/data/trace.json",
    "data/datasets/sealed.json",
    "data/datasets/manifest.json",
)
CALIBRATION = "data/models/calibration.json"
SIGNED = "release signatures"
OLDER = Conventions(tolerance=2.0, unit="um", bootstrap=200)
"""Conventions that do not say their statistics, as plans of before."""


def failing(files: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """Checks of the script that fail, but for the signatures."""
    checks = verify.Judgement(None).judge(dict(files)).checks
    return [(name, words) for name, held, words in checks if not held and name != SIGNED]


def both_refuse(files: Mapping[str, bytes], name: str, *words: str) -> None:
    """The first check that fails is the same in both verifiers, and both name the same."""
    verdict = judge_files(files, subject="pack", container="", trusted=None)
    product = [(check.name, check.detail) for check in verdict.checks if not check.passed and check.name != SIGNED]
    for checks in (product, failing(files)):
        assert checks
        assert checks[0][0] == name, checks
        for word in words:
            assert word in checks[0][1], checks


def changed(name: str, change: Change) -> Files:
    """The files of the pack with one of them changed."""
    value = json.loads(small_pack().files[name])
    change(value)
    return {**small_pack().files, name: canonical(value)}


def put(*path: str | int, to: object) -> Change:
    def change(value: Any) -> None:
        for part in path[:-1]:
            value = value[part]
        value[path[-1]] = to

    return change


@cache
def judged_log() -> Any:
    """The pack as the script has it once its log was judged."""
    pack = verify.Pack(dict(small_pack().files), None)
    pack.check_log()
    return pack


def release_of(files: Files, *checks: str) -> Any:
    """The release of these files in the script, after some of its checks."""
    pack = verify.Pack(files, None)
    for name in ("bodies", "leaves", "origin", "people", "standing"):
        setattr(pack, name, getattr(judged_log(), name))
    pack.check_layout()
    for check in ("check_chain", *checks):
        getattr(pack.release, check)()
    return pack.release


def refusal(files: Files, *checks: str) -> str:
    with pytest.raises((verify.WrongError, KeyError)) as caught:
        release_of(files, *checks)
    return str(caught.value)


@pytest.mark.verifies("REQ-325", "RC-136")
def test_a_pack_of_before_whose_names_state_the_unit_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = PLAN.model_dump(mode="json")
    plain["conventions"]["tolerance_um"] = plain["conventions"].pop("tolerance")
    del plain["conventions"]["unit"]
    plain["measures"] = [name.replace("hd95", "hd95_um") for name in plain["measures"]]
    monkeypatch.setattr(release_builder, "PLAN", AnalysisPlan.model_validate(plain))
    counted = release_builder._counted

    def named_as_before(tested: Sequence[str], task: SegmentationTask, *, scored: bool = False) -> list[CaseCounts]:
        rows = [one.model_dump(mode="json") for one in counted(tested, task, scored=scored)]
        return [
            CaseCounts.model_validate(row | {"counts": row["counts"] | {"hd95_um": row["counts"].pop("hd95")}})
            for row in rows
        ]

    monkeypatch.setattr(release_builder, "_counted", named_as_before)
    release = release_builder.make_release(tmp_path / "release")
    files = read_archive(release.build(tmp_path / "pack.zip").path.read_bytes())
    text = files[TEXT].decode("utf-8")
    assert "hd95_um: mean" in text
    assert "distances in" not in text
    assert "95th percentile Hausdorff distance (µm)" in files["data/documents/model-card.html"].decode("utf-8")
    assert failing(files) == []
    verdict = judge_files(files, subject="pack", container="", trusted=None)
    assert [check.name for check in verdict.checks if not check.passed] == [SIGNED]


def test_a_true_pack_holds_but_for_its_signatures() -> None:
    assert failing(small_pack().files) == []
    assert [name for name, _, _ in verify.Judgement(None).judge(dict(small_pack().files)).checks] == [
        *("bag", "log", "layout", "chain", "files", "source", "soup", "figures", "gates", "signing text"),
        *("proofs", "provenance", "lineage", "test-set odometer", "look times", SIGNED),
    ]


class TestChain:
    """A release rests on the entries that its chain names."""

    def log(self) -> ReleaseLog:
        return small_pack().before()

    def test_a_later_export_of_another_model(self) -> None:
        log, who = self.log(), small_pack().people.developer
        payload = {"opset": 18, "max_abs_difference": 0.0, "tolerance": 1e-4}
        outputs = [Artifact(name="models/model.onnx", digest=digest_bytes(b"another"))]
        log.append(who, "model.export", payload, outputs=outputs, context=Context(model=digest_bytes(b"another")))
        both_refuse(small_pack().bent(log=log).files, "chain", "superseded", "export")

    def test_newer_results_than_the_release_names(self) -> None:
        log, who = self.log(), small_pack().people.developer
        payload = {"passed": 0, "failed": 1, "skipped": 0, "tree": digest_bytes(b"tree")}
        log.append(
            who, "scenarios", payload, outputs=[Artifact(name="verification/results.json", digest=digest_bytes(b"r"))]
        )
        both_refuse(small_pack().bent(log=log).files, "chain", "scenarios", str(len(log.entries) - 1))

    def test_a_training_run_that_is_not_listed(self) -> None:
        log, who = self.log(), small_pack().people.developer
        log.append(who, "training", {}, outcome=Outcome.FAILED)
        both_refuse(small_pack().bent(log=log).files, "chain", "run")

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (put("device", "version", to="2.0"), "2.0"),
            (put("chain", "runs", 3, "disposition", to=None), "run"),
            (put("chain", "looks", 0, "evaluation", to=None), "look"),
            (lambda said: said["chain"]["runs"].pop(), "run"),
            (lambda said: said["chain"].update(drill=None), "drill"),
        ],
    )
    def test_another_chain_than_the_log_gives(self, change: Change, words: str) -> None:
        def say(said: dict[str, Any]) -> dict[str, Any]:
            value: dict[str, Any] = json.loads(canonical(said))
            change(value)
            return value

        both_refuse(small_pack().bent(say=say).files, "chain", words)

    def test_an_entry_after_the_preparation(self) -> None:
        log = small_pack().log.copy()
        log.append(
            small_pack().people.developer,
            "trace.attest",
            {"item": "ATT-01", "clause": "5.1", "digest": digest_bytes(b"x")},
        )
        rest = {name: data for name, data in small_pack().files.items() if not name.startswith("data/audit/")}
        held = {f"data/{name}": content for name, content in log_files(log.facts).items()}
        files = replace(small_pack(), files={**rest, **held, EVENTS: log.events()}).bent(prepared=False).files
        both_refuse(files, "chain", "release.prepare", "trace.attest")

    def test_a_log_that_follows_table_2_and_prepares_nothing(self) -> None:
        log = self.log()
        rest = {name: data for name, data in small_pack().files.items() if not name.startswith("data/audit/")}
        held = {f"data/{name}": content for name, content in log_files(log.facts).items()}
        files = replace(small_pack(), files={**rest, **held, EVENTS: log.events()}).bent(prepared=False).files
        both_refuse(files, "layout", "layout 1", "action table 2")


class TestFiles:
    """Every file is of the layout, as its entry made it, and bound."""

    @pytest.mark.parametrize(
        ("name", "content", "words"),
        [
            ("data/release/cases.csv", None, "data/release/cases.csv is missing"),
            ("data/models/members/seed-0.json", None, "seed-0"),
            ("data/extra.txt", b"x", "data/extra.txt is no file of layout 2"),
            ("data/models/ensemble.json", b"{}", "data/models/ensemble.json"),
            ("data/models/members/seed-0.json", b"{}", "data/models/members/seed-0.json"),
        ],
    )
    def test_another_file_than_the_release_has(self, name: str, content: bytes | None, words: str) -> None:
        both_refuse(small_pack().bent({name: content}).files, "files", words)

    def test_a_file_that_the_preparation_does_not_bind(self) -> None:
        both_refuse(small_pack().bent({"data/index.html": b"x"}, prepared=False).files, "files", "manifest")

    def test_another_table_of_files(self) -> None:
        files = small_pack().bent({"data/verify/layout-2.json": b'{"files":[]}'}).files
        assert failing(files)[0][0] == "files"
        assert "layout-2.json" in failing(files)[0][1]

    def test_verify_py_knows_the_published_table(self) -> None:
        assert digest_bytes(layout_text().encode("utf-8")) == verify.LAYOUT_2

    def test_another_bill_of_materials_than_was_prepared(self) -> None:
        files = small_pack().bent(say=lambda said: {**said, "sbom": digest_bytes(b"other")}).files
        assert failing(files)[0][0] in {"files", "signing text"}


class TestSource:
    """The state of the source tree agrees with itself, with the results and with the diff."""

    @pytest.mark.parametrize(
        ("check", "fields", "words"),
        [
            ("log", {"not_releasable": ["uncommitted changes"]}, "source.not_releasable"),
            ("source", {"tree": f"sha256:{'0' * 64}"}, "source.tree"),
            ("source", {"environment": f"sha256:{'0' * 64}"}, "source.environment"),
            ("log", {"strangers": 3}, "source.not_releasable"),
            ("source", {"strangers": 3, "not_releasable": ["loaded files without an origin"]}, "source.strangers"),
            ("log", {"uncommitted": f"sha256:{'0' * 64}"}, "contradict each other"),
            ("log", {"git_tree": None}, "contradict each other"),
            (
                "source",
                {
                    "changes": 1,
                    "changed": ["x"],
                    "uncommitted": f"sha256:{'0' * 64}",
                    "not_releasable": ["uncommitted changes"],
                },
                "source.uncommitted",
            ),
        ],
    )
    def test_another_state_than_the_files_show(self, check: str, fields: dict[str, object], words: str) -> None:
        def say(said: dict[str, Any]) -> dict[str, Any]:
            return {**said, "source": {**said["source"], **fields}}

        assert (check, True) in [(name, words in told) for name, told in failing(small_pack().bent(say=say).files)]


class TestProofs:
    """Each inclusion proof that does not hold is named."""

    NAME = "data/audit/proofs/3.tlog-proof"

    def refusal(self, text: str) -> str:
        files = {**small_pack().files, self.NAME: text.encode("utf-8")}
        checks = {name: words for name, held, words in verify.Judgement(None).judge(files).checks if not held}
        return str(checks["proofs"])

    def test_each_is_named(self) -> None:
        text = small_pack().files[self.NAME].decode("utf-8")
        lines = text.split("\n")
        for bent in (
            text.replace("index 3", "index 4"),
            text.replace("index 3", "index 03"),
            "\n".join(lines[:2] + lines[3:]),
            "\n".join([*lines[:2], lines[2], *lines[2:]]),
            text.replace(lines[2], lines[3]),
            text.replace(lines[2], lines[2] + "="),
            text[:-3],
            text.replace("c2sp.org", "c3sp.org"),
            lines[0] + "\nextra AAAA\n" + "\n".join(lines[1:]),
        ):
            assert self.refusal(bent).startswith(self.NAME), bent

    def test_a_checkpoint_of_another_history(self) -> None:
        log = small_pack().before()
        log.append(
            small_pack().people.developer,
            "trace.attest",
            {"item": "ATT-01", "clause": "5.1", "digest": digest_bytes(b"x")},
        )
        proof = log.proof(3).text()
        assert "two histories" in self.refusal(proof)


class TestFigures:
    """The figures follow from the counts."""

    @pytest.mark.parametrize(
        ("name", "change", "words"),
        [
            (RECORD, put("aggregates", "dice", "mean", to=0.999), "aggregates.dice.mean is 0.999000"),
            (RECORD, put("aggregates", "nsd", "lower", to=0.89), "aggregates.nsd.lower is 0.890000"),
            (RECORD, put("aggregates", "nsd", "n", to=2), "aggregates.nsd.n is 2"),
            (RECORD, put("aggregates", "nsd", "n", to="3"), "aggregates.n"),
            (RECORD, put("aggregates", "more", to={}), "aggregates"),
            (RECORD, put("baseline", "mean", to=0.5), "baseline.mean is 0.500000"),
            (RECORD, put("ece", to=0.001), "ece is 0.001000"),
            (RECORD, put("band_ece", to=0.001), "band_ece is 0.001000"),
            (RECORD, put("best", to="case-01"), "best is"),
            (RECORD, put("worst", to="case-02"), "worst is"),
            (RECORD, put("conventions", "tolerance", to=3.0), "tolerance"),
            (RECORD, put("conventions", "unit", to="mm"), "unit"),
            (RECORD, put("threshold", to=0.4), "threshold"),
            (RECORD, put("look", to=2), "look is 2"),
            (RECORD, put("looks", to=1), "looks is 1"),
            (RECORD, put("request", to="open-2"), "request"),
            (RECORD, put("model", to=f"sha256:{'0' * 64}"), "model"),
            (RECORD, put("data", to=f"sha256:{'0' * 64}"), "data"),
            (RECORD, lambda value: value["cases"].pop(), "cases"),
            (RECORD, put("cases", 1, "case", to="case-00"), "twice"),
            (RECORD, put("cases", 1, "case", to="case-09"), "case-09"),
            (RECORD, put("cases", 1, "subject", to="mouse-00"), "case-01"),
            (RECORD, put("cases", 1, "group", to="case-00"), "case-01"),
            (RECORD, lambda value: value["cases"][1]["counts"].pop("nsd"), "other counts"),
            (RECORD, lambda value: [case["counts"].pop("nsd") for case in value["cases"]], "measures"),
            (RECORD, put("cases", 1, "counts", "dice", "tp", to=1), "the reference has"),
            (RECORD, put("cases", 1, "counts", "dice", "fp", to=10**9), "larger than its bins"),
            (RECORD, put("cases", 1, "counts", "dice", "fp", to=-1), "malformed"),
            (RECORD, put("cases", 1, "counts", "nsd", "predicted_within", to=10**6), "more than the whole"),
            (RECORD, put("cases", 1, "counts", "cldice", "reference", to=10**6), "skeleton or border"),
            (RECORD, lambda value: value["cases"][0]["bins"].pop(), "15 bins"),
            (RECORD, put("cases", 0, "bins", 3, to=[1, 2, 3, 4]), "malformed bin"),
            (RECORD, put("cases", 0, "bins", 3, 1, to=10**12), "case-00"),
            (RECORD, put("cases", 0, "border_bins", 3, 0, to=10**9), "case-00"),
            (RECORD, lambda value: value.pop("format"), "other fields"),
            (RECORD, put("format", to="minivess-evaluation/3"), "format"),
            (RECORD, put("more", to=1), "other fields"),
            (RECORD, put("aggregates", "dice", "method", to="percentile"), "aggregates.dice.method is percentile"),
            (RECORD, put("aggregates", "dice", "groups", to=9), "aggregates.dice.groups is 9"),
            (RECORD, put("aggregates", "dice", "coverage", to=0.99), "aggregates.dice has other fields"),
            (RECORD, put("aggregates", "dice", "beside", "lower", to=0.1), "aggregates.dice.beside.lower is 0.100000"),
            (RECORD, lambda value: value["aggregates"]["dice"].pop("beside"), "aggregates.dice has other fields"),
            (RECORD, put("aggregates", "failures", "upper", to=0.1), "aggregates.failures.upper is 0.100000"),
            (RECORD, lambda value: value["aggregates"].pop("failures"), "aggregates has other fields"),
            (RECORD, put("conventions", "failure_dice", to=0.1), "conventions.failure_dice is 0.1"),
            (CALIBRATION, put("groups", "train-4", to="train-5"), "groups.train-4 is train-5, and train-4 by"),
            (CALIBRATION, lambda value: value.pop("groups"), "has other fields"),
            (CALIBRATION, put("cases", to=["train-4"]), "cases is train-4, and train-4, train-5 in"),
            (CALIBRATION, put("target_recall", to=0.9), "a conformal threshold for recall 0.9 from 2 groups"),
            (MANIFEST, put("cases", 1, "subject", to="mouse-00"), "groups"),
            (SEALED, lambda value: value["files"].pop(0) and value["files"].pop(0), "cases"),
        ],
    )
    def test_a_figure_that_does_not_follow(self, name: str, change: Change, words: str) -> None:
        assert words in refusal(changed(name, change), "check_figures")

    @pytest.mark.parametrize(
        ("path", "value", "words"),
        [
            (("aggregates", "dice", "mean"), 0.9, "aggregates.dice.mean is 0.900000"),
            (("baseline_dice",), 0.1, "baseline_dice"),
            (("cases",), 4, "cases is 4"),
            (("criteria", 0, "met"), False, "criteria.0.met"),
            (("criteria", 0, "value"), 0.99, "criteria.0.value"),
        ],
    )
    def test_an_entry_that_states_another_figure(self, path: tuple[str | int, ...], value: object, words: str) -> None:
        release = release_of(dict(small_pack().files))
        entry = json.loads(canonical(release.by["evaluation"]))
        put(*path, to=value)(entry["payload"])
        release.by["evaluation"] = entry
        with pytest.raises(verify.WrongError, match=re.escape(words)):
            release.check_figures()

    @given(
        overlap=st.tuples(*(st.integers(0, 2) for _ in range(3))),
        parts=st.lists(st.integers(0, 2), min_size=8, max_size=8),
        distance=st.none() | st.just(1.0),
    )
    def test_counts_that_contradict_one_another_are_those_that_the_product_refuses(
        self, overlap: tuple[int, int, int], parts: list[int], distance: float | None
    ) -> None:
        case = json.loads(canonical(counted_case("a", overlap=overlap)))
        for measure, held in (("cldice", parts[:4]), ("nsd", parts[4:])):
            case["counts"][measure] = dict(zip(case["counts"][measure], held, strict=True))
        case["counts"]["hd95"] = {"value": distance}
        refused = {"verify.py": False, "product": False}
        try:
            verify.check_case(case)
        except verify.WrongError:
            refused["verify.py"] = True
        try:
            CaseCounts.model_validate(case)
        except ValidationError:
            refused["product"] = True
        assert refused["verify.py"] == refused["product"]

    @pytest.mark.verifies("REQ-247")
    @given(st.data())
    def test_figures_are_those_of_the_product(self, data: st.DataObject) -> None:
        counts = st.integers(0, 60)
        cases: list[CaseCounts] = []
        planned = data.draw(st.sampled_from([PLAN, PLAN.model_copy(update={"conventions": OLDER})]))
        for number in range(data.draw(st.integers(1, 8))):
            tp, fp, fn = (data.draw(counts) for _ in range(3))
            subject = f"s{data.draw(st.integers(0, 5))}"
            group = f"g{data.draw(st.integers(0, 5))}"
            distance = data.draw(st.none() | st.floats(0, 50))
            recall = (tp, fn)
            cases.append(
                counted_case(
                    f"c{number}",
                    overlap=(tp, fp, fn),
                    subject=subject,
                    group=group,
                    conformal=recall,
                    distance=distance,
                )
            )
        plan = json.loads(canonical(planned))
        told = verify.figures_of([json.loads(canonical(case)) for case in cases], plan, 0.98)
        made = figures_of(cases, planned.conventions, seed=planned.seed, level=0.98)
        assert told == json.loads(made.model_dump_json())


class TestGates:
    """Gates, risks and what is attested."""

    CHECKS = ("check_figures", "check_gates")

    @pytest.mark.parametrize(
        ("name", "change", "words"),
        [
            (GATES, put(1, "value", to="0.99"), "the gate dice"),
            (GATES, put(1, "passed", to=False), "the gate dice"),
            (GATES, put(1, "passed", to=1), f"{GATES}.passed is malformed"),
            (GATES, put(1, "limit", to="0.1"), "the gate dice"),
            (GATES, put(1, "margin", to="0.1"), "the gate dice"),
            (GATES, put(1, "basis", to="attested"), "the gate dice"),
            (GATES, put(1, "kind", to="parity"), "the gate dice"),
            (GATES, put(1, "comparison", to="at most"), "the gate dice"),
            (GATES, put(1, "more", to=1), "other fields"),
            (GATES, lambda value: value.pop(), GATES),
            (POLICY, lambda value: value["gates"].pop(), POLICY),
            (POLICY, put("gates", 1, "at_least", to=0.1), POLICY),
            (RISKS, put("risks", 0, "residual", "p1", to=2), "the gate risks"),
            (RISKS, lambda value: value["risks"].clear(), "the gate risk"),
            (
                RISKS,
                lambda value: [value["controls"].clear(), value["risks"][0]["controls"].clear()],
                "the gate counts",
            ),
            (RISKS, lambda value: value["risks"].append(value["risks"][0]), "twice"),
            (RISKS, put("risks", 0, "more", to=1), "other fields"),
            (RISKS, lambda value: value["controls"].append(value["controls"][0]), "a control"),
            (RISKS, put("risks", 0, "controls", to=["RC-99"]), "a control"),
            (
                RISKS,
                lambda value: value["plan"]["levels"][0].pop("acceptable"),
                f"{RISKS}.plan.levels has other fields",
            ),
            (GATES, lambda value: value[0].pop("id"), f"{GATES} has other fields"),
            (GATES, put(0, "id", to=7), f"{GATES}.id is malformed"),
            (
                ATTESTED,
                lambda value: value["gaps"].append({"kind": "k", "item": "i", "message": "m"}),
                "the gate trace",
            ),
            (ATTESTED, put("more", to=1), "other fields"),
            (RESULTS, put("results", 0, "outcome", to="failed"), "the gate scenarios"),
            (RESULTS, lambda value: value["results"].clear(), "the gate scenarios"),
            (TRACE, lambda value: value["items"].clear(), "the gate trace"),
            (EXPORT, put("max_abs_difference", to=0.1), "the gate parity"),
        ],
    )
    def test_what_was_falsified_is_named(self, name: str, change: Change, words: str) -> None:
        assert words in refusal(changed(name, change), *self.CHECKS)

    def test_a_gate_that_fails_as_the_pack_says_is_refused(self) -> None:
        files = changed(RESULTS, put("results", 0, "outcome", to="failed"))
        gates = json.loads(files[GATES])
        index = [gate["id"] for gate in gates].index("scenarios")
        gates[index].update(value="1", margin="-1", passed=False)
        assert refusal({**files, GATES: canonical(gates)}, *self.CHECKS) == "the gate scenarios fails"

    def test_a_risk_whose_benefit_outweighs_it_counts_as_accepted(self) -> None:
        files = changed(RISKS, lambda value: value["risks"][0].update(benefit="because"))
        value = json.loads(files[RISKS])
        value["risks"][0]["residual"]["p1"] = 2
        assert release_of({**files, RISKS: canonical(value)}, *self.CHECKS).open_risks == []

    @given(st.floats(allow_nan=False, allow_infinity=False, width=64) | st.integers(-(10**6), 10**6).map(float))
    def test_numbers_are_written_as_the_product_writes_them(self, value: float) -> None:
        assert verify.figure_text(value) == number_text(value)

    @settings(max_examples=60)
    @given(plans(), st.data())
    def test_both_verifiers_give_the_same_levels(self, plan: dict[str, Any], data: st.DataObject) -> None:
        """On plans of any scale and convention, whole or with one fault, and on estimates that may be off the scale."""
        estimate = data.draw(st.fixed_dictionaries(dict.fromkeys(("severity", "p1", "p2"), st.integers(1, 6))))
        try:
            product = RiskPlan.model_validate_json(canonical(plan), strict=True)
            problem = product.outside(Estimate(**estimate))
            expected = None if problem is not None else product.level(Estimate(**estimate)).name
        except ValidationError:
            expected = None
        try:
            found = verify.level_of(plan, verify.limits_of(plan), estimate)
        except verify.WrongError:
            found = None
        assert found == expected


class TestSigningText:
    """The signing text follows from the facts."""

    def test_any_other_line_is_named(self) -> None:
        lines = small_pack().files[SIGNING_TEXT].decode("utf-8").split("\n")
        for number in range(len(lines)):
            bent = [*lines[:number], lines[number] + "!", *lines[number + 1 :]]
            words = refusal(
                {**small_pack().files, TEXT: "\n".join(bent).encode("utf-8")}, *TestGates.CHECKS, "check_text"
            )
            assert words.startswith(f"{TEXT}:{number + 1} says")

    def test_a_text_that_is_cut_off_is_refused(self) -> None:
        whole = small_pack().files[TEXT]
        assert f"{TEXT}:" in refusal({**small_pack().files, TEXT: whole[:-1]}, *TestGates.CHECKS, "check_text")

    def test_long_lines_and_characters_that_steer_are_shown_as_the_product_shows_them(self) -> None:
        release = release_of(dict(small_pack().files), *TestGates.CHECKS)
        release.prepared["device"]["manufacturer"] = "a\x07b\u202ec" + "x" * 300
        release.files[TEXT] = b"\n\n"
        with pytest.raises(verify.WrongError, match="MiniVess signing text"):
            release.check_text()
        lines = small_pack().files[TEXT].decode("utf-8").split("\n")
        lines[2] = ("Manufacturer: a?b?c" + "x" * 300)[:197] + "..."
        release.files[TEXT] = "\n".join(lines).encode("utf-8")
        page = release.files["data/index.html"]
        release.files["data/index.html"] = page.replace(b"Manufacturer: Example Devices", lines[2].encode("utf-8"))
        try:
            release.check_text()
        finally:
            release.prepared["device"]["manufacturer"] = "Example Devices"


class TestLineage:
    """One event for each entry with a run."""

    def bent(self, change: Callable[[list[bytes]], object]) -> Files:
        lines = small_pack().files[EVENTS].splitlines(keepends=True)
        change(lines)
        return dict(small_pack().bent({EVENTS: b"".join(lines)}, prepared=False).files)

    def test_a_missing_event(self) -> None:
        both_refuse(self.bent(lambda lines: lines.pop(3)), "gates" if self.listed() else "lineage", "")
        assert "lineage" in [name for name, _ in failing(self.bent(lambda lines: lines.pop(3)))]

    def listed(self) -> bool:
        return any(gate["kind"] == "lineage" for gate in json.loads(small_pack().files[POLICY])["gates"])

    def test_an_event_twice(self) -> None:
        both_refuse(self.bent(lambda lines: lines.append(lines[3])), "lineage", EVENTS)

    def test_an_event_of_another_outcome(self) -> None:
        def change(lines: list[bytes]) -> None:
            lines[3] = lines[3].replace(b'"COMPLETE"', b'"FAIL"')

        assert any(name == "lineage" for name, _ in failing(self.bent(change)))

    def test_what_is_no_event(self) -> None:
        for line in (b"1\n", b'{"run":1}\n', b'{"run":{"runId":1}}\n', b'{"run":{},"run":{}}\n', b"x"):
            assert any(name == "lineage" for name, _ in failing(self.bent(lambda lines, line=line: lines.append(line))))


class TestSignatures:
    """A signature is an entry of a later log that continues that of the pack."""

    def signed(self) -> tuple[Files, ReleaseLog]:
        """The signed pack, and the log with its signatures."""
        pack = small_pack()
        log, files = pack.log.copy(), dict(pack.files)
        model = log.entries[-1].body.context.model
        logged_signatures.record_build(log, files, pack.people.manager, version="1.0.0", model=model or "")
        people = (pack.people.reviewer, pack.people.manager)
        policy = policy_of_release().signatures
        files = logged_signatures.sign_logged(log, files, people, version="1.0.0", packed=self.size, policy=policy)
        line = pack.people.reviewer.cosign(pack.log.checkpoint, 1_800_000_000)
        return {**files, "signatures/ben.cosignature": line.encode("utf-8")}, log

    @property
    def size(self) -> int:
        return len(small_pack().log.entries)

    @staticmethod
    def text(data: bytes) -> str:
        return base64.b64encode(data).decode("ascii")

    def refusal(self, files: Files) -> str:
        checks = {name: (held, words) for name, held, words in verify.Judgement(None).judge(files).checks}
        assert [name for name, (held, _) in checks.items() if not held] == [SIGNED]
        return str(checks[SIGNED][1])

    def test_logged_signatures_hold(self) -> None:
        judgement = verify.Judgement(None).judge(self.signed()[0])
        assert judgement.verdict()[0] == "VERIFIED", judgement.checks
        assert judgement.verdict()[2] == 0

    @pytest.mark.parametrize(
        ("name", "content", "words"),
        [
            ("signatures/ben.tlog-proof", None, "signatures/ben.tlog-proof is missing"),
            ("signatures/SIGNATURES.txt", None, "SIGNATURES.txt is missing"),
            ("signatures/SIGNATURES.txt", b"Ben\n", "is not the list"),
            (
                "signatures/dan.tlog-proof",
                b"x",
                "signatures/dan.tlog-proof is a proof without signatures/dan.dsse.json",
            ),
            ("signatures/dan.cosignature", b"x", "signatures/dan.cosignature is unexpected"),
        ],
    )
    def test_files_of_signatures(self, name: str, content: bytes | None, words: str) -> None:
        files = self.signed()[0]
        files = {key: value for key, value in files.items() if key != name} | (
            {} if content is None else {name: content}
        )
        assert words in self.refusal(files)

    def test_proofs_that_are_swapped(self) -> None:
        files = self.signed()[0]
        one, two = "signatures/ben.tlog-proof", "signatures/cleo.tlog-proof"
        assert "is not the signature of ben" in self.refusal({**files, one: files[two], two: files[one]})

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda extra: extra["consistency"].pop(), "signatures/ben.tlog-proof: its log of"),
            (
                lambda extra: extra["consistency"].append(extra["consistency"][0]),
                "does not continue the 29 entries of the pack",
            ),
            (lambda extra: extra["entry"]["body"]["payload"].update(version="2"), "does not lead to its checkpoint"),
            (lambda extra: extra["entry"].update(more=1), "other fields"),
            (lambda extra: extra.update(more=1), "the extra data has other fields"),
            (lambda extra: extra.update(consistency=[7]), "the extra data.consistency is malformed"),
        ],
    )
    def test_a_proof_that_holds_something_else(self, change: Change, words: str) -> None:
        files, _ = self.signed()
        name = "signatures/ben.tlog-proof"
        first, second, rest = files[name].decode("utf-8").split("\n", 2)
        extra = json.loads(base64.b64decode(second.removeprefix("extra ")))
        change(extra)
        bent = "\n".join([first, f"extra {self.text(canonical(extra))}", rest])
        assert words in self.refusal({**files, name: bent.encode("utf-8")})

    def test_a_later_entry_that_is_of_another_pack(self) -> None:
        pack = small_pack()
        files, log = self.signed()
        envelope = json.loads(files["signatures/ben.dsse.json"])
        payload = {**log.entries[-2].body.payload, "version": "2.0", "envelope": envelope}
        index = log.append(pack.people.reviewer, "release.sign", payload).body.index
        files["signatures/ben.tlog-proof"] = logged_signatures.proof_of(log, index, self.size).text().encode("utf-8")
        assert "of another signature, version or pack" in self.refusal(files)

    def test_an_entry_of_the_packed_log(self) -> None:
        files, log = self.signed()
        files["signatures/ben.tlog-proof"] = logged_signatures.proof_of(log, 4, self.size).text().encode("utf-8")
        assert "is not between those of the pack" in self.refusal(files)

    def test_another_text_than_was_shown(self) -> None:
        files, _ = self.signed()
        reviewer, policy = small_pack().people.reviewer, policy_of_release().signatures
        shown = digest_bytes(b"page")
        envelope = logged_signatures.envelope_of(files, reviewer, head=self.size, policy=policy, shown=shown)
        signed = {**files, "signatures/ben.dsse.json": envelope_bytes(envelope)}
        assert "was shown another text than data/signing-text.txt" in self.refusal(signed)


class TestBag:
    """What a bag says of itself."""

    def tagged(self, **changes: bytes) -> Files:
        """The pack of which tag files are changed and named again."""
        import hashlib

        files = {**small_pack().files, **{f"{name.replace('_', '-')}.txt": data for name, data in changes.items()}}
        lines = [f"{hashlib.sha512(files[name]).hexdigest()}  {name}\n" for name in sorted(verify.TAGGED)]
        return {**files, TAG: "".join(lines).encode("ascii")}

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda info: re.sub(rb"Payload-Oxum: [0-9]+", b"Payload-Oxum: 1", info), "Payload-Oxum"),
            (lambda info: re.sub(rb"Payload-Oxum: .*\n", b"", info), "Payload-Oxum"),
            (lambda info: info + b"no label\n", "bag-info.txt"),
            (lambda info: info + info.splitlines(keepends=True)[0], "bag-info.txt"),
            (lambda info: info[:-1], "cut off"),
        ],
    )
    def test_what_bag_info_states(self, change: Callable[[bytes], bytes], words: str) -> None:
        both_refuse(self.tagged(bag_info=change(small_pack().files["bag-info.txt"])), "bag", words)

    def test_names_that_differ_in_case_alone(self) -> None:
        files = small_pack().bent({"data/INDEX.html": b"x"}).files
        assert "differ in case alone" in failing(files)[0][1]
        assert failing(files)[0][0] == "bag"

    def test_a_file_of_json_that_is_too_large(self) -> None:
        with pytest.raises(verify.WrongError, match="larger than 64 MiB"):
            verify.read_json(b" " * (verify.LIMIT_JSON + 1), "it")

    @pytest.mark.parametrize("data", [b'{"a":1,"a":1}', b"\xff", b"[" * 99999, b"NaN", b"1e999", b"{"])
    def test_json_with_more_than_one_meaning_is_refused(self, data: bytes) -> None:
        with pytest.raises(verify.WrongError):
            verify.canonical(verify.read_json(data, "it"))


class TestVerdict:
    """What a verdict comes to."""

    def judgement(
        self, *, rules: bool = True, trusted: bool = True, layout: int = 2, reasons: tuple[str, ...] = ()
    ) -> Any:
        found = verify.Judgement({"rules": ["one"] if rules else []} if trusted else None)
        found.checks = [("bag", True, "")]
        found.pack = verify.Pack(dict(small_pack().files), None)
        found.pack.layout = layout
        if layout == 2:
            release = release_of(dict(small_pack().files))
            source = {**release.prepared["source"], "not_releasable": list(reasons)}
            release.prepared = {**release.prepared, "source": source}
            found.pack.release = release
        return found

    def test_states_and_exit_codes(self) -> None:
        assert self.judgement().verdict() == ("VERIFIED", "every check passed", 0)
        assert self.judgement(trusted=False).verdict()[0] == "VERIFIED"
        assert self.judgement(layout=1).verdict()[::2] == ("LIMITED", 1)
        assert self.judgement(layout=1).verdict(1)[::2] == ("LIMITED", 0)
        assert self.judgement(layout=1).verdict(2)[::2] == ("LIMITED", 1)
        assert self.judgement(layout=1, rules=False).verdict(1)[::2] == ("LIMITED", 1)
        assert self.judgement(rules=False).verdict(1)[::2] == ("LIMITED", 1)
        state, words, code = self.judgement(reasons=("uncommitted changes",)).verdict(1)
        assert (state, code) == ("NOT RELEASABLE", 1)
        assert "uncommitted changes" in words
        failed = self.judgement(reasons=("uncommitted changes",))
        failed.checks.append(("files", False, "x"))
        assert failed.verdict(1) == ("NOT VERIFIED", "files failed", 1)

    def test_a_log_that_does_not_hold_ends_the_judgement(self) -> None:
        files = {**small_pack().files, "data/audit/entries.jsonl": b"x"}
        assert [name for name, _, _ in verify.Judgement(None).judge(files).checks] == ["bag", "log"]


@given(st.integers(1, 70), st.data())
def test_proofs_of_trees_are_those_of_the_product(size: int, data: st.DataObject) -> None:
    hashes = [leaf_hash(b"%d" % number) for number in range(size)]
    tree, index, before = tree_of(hashes), data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    path = list(inclusion_proof(tree, index, size))
    assert verify.root_from(hashes[index], index, size, list(path)) == root(hashes)
    if path:
        with pytest.raises(verify.WrongError):
            verify.root_from(hashes[index], index, size, path[1:])
    if before < size:
        proof, old = consistency_proof(tree, before, size), root(hashes[:before])
        assert verify.continues(before, size, proof, old, root(hashes))
        assert not verify.continues(before, size, proof, leaf_hash(b"other"), root(hashes))
        assert not verify.continues(before, size, proof, old, leaf_hash(b"other"))
        assert not verify.continues(before, size, (*proof, old), old, root(hashes))


@given(st.data())
def test_groups_are_those_of_the_product(data: st.DataObject) -> None:
    word = st.sampled_from(["a", "b", "c", "d", "e", "f"])
    cases = tuple(
        CaseRecord(
            id=f"case-{number}",
            subject=data.draw(word),
            acquisition=data.draw(word) + f"-{data.draw(st.integers(0, 9))}",
            origin=data.draw(st.none() | word.map(lambda name: name * 7)),
            shape=(4, 4, 4),
            spacing=(1.0, 1.0, 1.0),
            modality="m",
            image=digest_bytes(data.draw(word).encode() + bytes([data.draw(st.integers(0, 20))])),
            label=digest_bytes(b"l"),
            source_dtype="float32",
            label_values=(0, 1),
            foreground_fraction=0.1,
        )
        for number in range(data.draw(st.integers(1, 7)))
    )
    names = st.sampled_from([case.id for case in cases])
    near = [
        {"cases": [data.draw(names), data.draw(names)], "kind": "identical", "score": 0.9, "detail": "d"}
        for _ in range(data.draw(st.integers(0, 2)))
    ]
    manifest = DatasetManifest(name="n", licence="l", source="s", cases=cases, root=digest_bytes(b"r"))
    split = SplitManifest.model_validate(
        {
            "dataset": manifest.root,
            "seed": 0,
            "train": [],
            "calibration": [],
            "test": [case.id for case in cases],
            "root": digest_bytes(b"s"),
            "near": near,
        }
    )
    told = verify.groups_of([json.loads(canonical(case)) for case in cases], near)
    assert told == groups_of(manifest, split)


@pytest.mark.slow
def test_the_steps_by_hand_work_on_layout_2(tmp_path: Path) -> None:
    files = small_pack().signed()
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    text = (TEMPLATES / "VERIFY.md").read_text(encoding="utf-8")
    steps = "\n".join(part.split("```")[0] for part in text.split("```bash\n")[1:])

    def by_hand() -> subprocess.CompletedProcess[str]:
        return subprocess.run(["bash", "-c", steps], cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)

    done = by_hand()
    assert done.stderr == ""
    told = done.stdout
    chain = small_pack().log.entries[-1].body.payload["chain"]
    references = json.dumps(chain).count('"index"')
    for words, count in {
        "digests: OK": 1,
        "Merkle root: OK": 1,
        "Verified OK": 3,
        "Signature Verified Successfully": 3,
        "signed this pack: OK": 2,
        "signing text: OK": 2,
        "prepared files: OK": 1,
        "rests on: ": references,
        "named: ": 5,
        "logged: ": 2,
        "this signature: OK": 2,
    }.items():
        assert told.count(words) == count, (words, told)
    bent = tmp_path / "data/release/cases.csv"
    bent.write_bytes(bent.read_bytes() + b"x")
    assert "prepared files: OK" not in by_hand().stdout
