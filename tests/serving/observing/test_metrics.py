"""Metrics: the table, what is counted, and what Prometheus reads."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from minivess.records.log.serving_log import RefusalReason
from minivess.records.log.stage_times import StageTimes
from minivess.workflows.serving.observer import BatchCut, ClassFact, Served
from tests.support.lazy_modules import lazily
from tests.support.servers import observed, toy_models

with lazily("prometheus_client", "prometheus_client.parser", "minivess.serving.observing.metrics"):
    from prometheus_client import parser

    from minivess.serving.observing import metrics

pytestmark = pytest.mark.verifies("SU-171", "REQ-462")

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "serving-metrics.md"


@pytest.fixture
def counting() -> metrics.Metrics:
    return metrics.Metrics(observed.model(toy_models.TWO_CLASSES))


def served(decision: str = "answered", *, index: int | None = 7) -> Served:
    facts = (ClassFact("artery", 0.04, 0.93), ClassFact("vein", 0.0, None)) if decision == "answered" else ()
    times = StageTimes(reading=0.5, inference=2.0, log_commit=0.004)
    return Served("r1", decision, (), times, facts, None, index, "sha256:00", "0.1.0")


def samples(made: metrics.Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """What a scrape has, by name and labels."""
    families = parser.text_string_to_metric_families(made.text().decode())
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def test_the_guide_has_the_table_of_the_code() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert text.count(metrics.metrics_table()) == 1, f"write this table into the guide:\n{metrics.metrics_table()}"


def test_what_is_exposed_is_the_table(counting: metrics.Metrics) -> None:
    counting.served(served())
    families = {one.name: one for one in parser.text_string_to_metric_families(counting.text().decode())}
    own = {name: one.type for name, one in families.items() if name.startswith("minivess_")}
    assert own == {name.removesuffix("_total"): row.kind for name, row in metrics.METRICS.items()}
    for name, row in metrics.METRICS.items():
        family = families[name.removesuffix("_total")]
        assert family.documentation == row.words
        assert {label for one in family.samples for label in one.labels} - {"le"} == set(row.labels)
        bounds = {one.labels["le"] for one in family.samples if "le" in one.labels}
        assert bounds == ({*(str(float(bound)) for bound in row.bounds), "+Inf"} if row.bounds else set())


def test_an_answer_is_counted_in_each_metric(counting: metrics.Metrics) -> None:
    before = samples(counting)
    counting.served(served())
    after = samples(counting)

    def more(name: str, **labels: str) -> float:
        key = (name, tuple(sorted(labels.items())))
        return after[key] - before[key]

    assert more("minivess_decisions_total", decision="answered", entry="recorded") == 1
    assert more("minivess_stage_seconds_sum", stage="inference") == 2
    assert more("minivess_stage_seconds_bucket", stage="inference", le="1.0") == 0
    assert more("minivess_stage_seconds_bucket", stage="inference", le="2.5") == 1
    assert more("minivess_stage_seconds_count", stage="encoding") == 0
    assert more("minivess_answer_seconds_sum", decision="answered") == pytest.approx(2.504)
    assert more("minivess_foreground_ratio_sum", **{"class": "artery"}) == pytest.approx(0.04)
    assert more("minivess_foreground_ratio_count", **{"class": "vein"}) == 1
    assert more("minivess_confidence_ratio_sum", **{"class": "artery"}) == pytest.approx(0.93)
    assert more("minivess_confidence_ratio_count", **{"class": "vein"}) == 0
    assert more("minivess_refusals_total", reason="outside-intended-use") == 0


def test_refusals_are_counted_by_reason_and_by_whether_they_have_an_entry(counting: metrics.Metrics) -> None:
    counting.served(served("refused"))
    counting.served(served("refused", index=None))
    for reason in RefusalReason:
        counting.turned_away(reason)
    after = samples(counting)
    for reason in RefusalReason:
        expected = 3 if reason is RefusalReason.OUTSIDE_USE else 1
        assert after["minivess_refusals_total", (("reason", reason.value),)] == expected
    for entry in ("recorded", "counted"):
        assert after["minivess_decisions_total", (("decision", "refused"), ("entry", entry))] == 1


def test_a_batch_is_counted_by_why_it_was_cut(counting: metrics.Metrics) -> None:
    counting.batched(3, BatchCut.TIME)
    after = samples(counting)
    assert after["minivess_batch_images_sum", (("cut", "time"),)] == 3
    assert after["minivess_batch_images_count", (("cut", "full"),)] == 0


def test_the_model_is_named_and_two_services_count_apart() -> None:
    first, second = (metrics.Metrics(observed.model(toy_models.TWO_CLASSES)) for _ in range(2))
    first.turned_away(RefusalReason.VOLUME)
    key = ("minivess_refusals_total", (("reason", "volume"),))
    assert (samples(first)[key], samples(second)[key]) == (1, 0)
    (info,) = [labels for name, labels in samples(first) if name == "minivess_model_info"]
    assert dict(info) == {"device": "toy-device", "version": "0.1.0", "digest": f"sha256:{'5a' * 32}"}


def test_what_is_exposed_passes_promtool_where_it_is(counting: metrics.Metrics) -> None:
    """Without promtool the parser of the client library reads it; the rules on names are checked either way."""
    counting.served(served())
    for name, row in metrics.METRICS.items():
        assert name.startswith("minivess_")
        assert name.endswith("_total") is (row.kind == "counter")
        assert row.words.endswith(".")
        if row.kind == "histogram":
            assert name.endswith(("_seconds", "_ratio", "_images"))
    promtool = shutil.which("promtool")
    if promtool is not None:
        done = subprocess.run([promtool, "check", "metrics"], input=counting.text(), capture_output=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert list(parser.text_string_to_metric_families(counting.text().decode()))
