"""This project's own facets: published schemas, and facets that meet them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from minivess.foundation.errors import UsageError
from minivess.observability.lineage.event_validation import validate_event
from minivess.observability.lineage.events import audit_facet, new_run_id, provenance_facet, run_event
from minivess.observability.lineage.facets import FACETS, facet, facets_of, lineage_schemas
from minivess.records.log.entry import Context
from tests.support.builders.pack_builder import ben, opening_grant, opening_request

pytestmark = pytest.mark.verifies("REQ-051", "SU-35")

PUBLISHED = Path(__file__).parents[3] / "docs" / "schemas" / "lineage"
DIGEST = f"sha256:{'a' * 64}"
NOW = datetime(2026, 11, 21, tzinfo=UTC)
INTERVAL = {"mean": 0.9, "lower": 0.8, "upper": 1.0, "n": 4}


def test_the_published_schemas_are_those_of_the_code() -> None:
    published = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in PUBLISHED.iterdir()}
    assert published == lineage_schemas()
    assert len(published) == len(FACETS)


@pytest.mark.parametrize(
    ("action", "payload", "name"),
    [
        ("data.seal", {"files": 3, "approvers": ["rosa"]}, "minivess_datasetSeal"),
        ("training", {"architecture": "unet", "steps": 5, "final_loss": 0.25}, "minivess_training"),
        (
            "evaluation",
            {"request": "r", "cases": 4, "aggregates": {"dice": INTERVAL}, "baseline_dice": 0.5},
            "minivess_evaluation",
        ),
        (
            "test-set.approve",
            {"grant": opening_grant(opening_request(), ben()).model_dump(mode="json")},
            "minivess_approval",
        ),
        (
            "evaluation",  # of one subject: nothing to resample, so no interval
            {
                "request": "r",
                "cases": 1,
                "aggregates": {"dice": {"mean": 0.9, "lower": None, "upper": None, "n": 1}},
                "baseline_dice": 0.5,
            },
            "minivess_evaluation",
        ),
        (
            "release.sign",
            {
                "version": "1.0.0",
                "tag_manifest": DIGEST,
                "envelope": opening_grant(opening_request(), ben()).envelope.model_dump(mode="json"),
            },
            "minivess_approval",
        ),
        ("model.export", {}, "minivess_modelDigest"),
    ],
)
def test_an_action_carries_the_facet_that_fits_it(action: str, payload: dict[str, object], name: str) -> None:
    context = Context(model=DIGEST) if action == "model.export" else Context()
    made = facets_of(action, payload, context)
    assert list(made) == [name]
    event = run_event("COMPLETE", new_run_id(), action, NOW, facets=made)
    assert event["run"]["facets"][name]["_schemaURL"].removeprefix("urn:minivess:schema:lineage:") in lineage_schemas()
    schema = lineage_schemas()[f"{FACETS[name].__name__}-1.json"]
    assert set(event["run"]["facets"][name]) <= set(schema["properties"])


def test_an_approval_says_who_signed_what_and_nothing_else() -> None:
    payload = {"grant": opening_grant(opening_request(), ben()).model_dump(mode="json")}
    said = facets_of("test-set.approve", payload, Context())["minivess_approval"]
    assert (said["signer"], said["role"], said["meaning"]) == ("ben", "independent-reviewer", "approval")
    assert "wrapped" not in json.dumps(said)
    assert "Müller" not in json.dumps(said, ensure_ascii=False)


@pytest.mark.parametrize(
    ("action", "payload", "more"),
    [
        ("training", {"architecture": "unet", "steps": 5}, {"architecture": "unet"}),
        ("ensemble", {"members": 3, "rule": "mean"}, {"members": 3}),
        ("calibration", {"temperature": 1.0, "threshold": None, "target_recall": 0.9, "cases": 2}, {}),
        ("model.promote", {"model": DIGEST, "stage": "production", "reason": "Jane Doe asked for it"}, {}),
    ],
)
def test_a_model_is_named_by_its_digest_and_what_it_is_made_of(
    action: str, payload: dict[str, object], more: dict[str, object]
) -> None:
    made = facets_of(action, payload, Context(model=DIGEST))
    said = {name: value for name, value in made["minivess_modelDigest"].items() if not name.startswith("_")}
    assert said == {"digest": DIGEST, **more}
    assert "Jane" not in json.dumps(made)
    run_event("COMPLETE", new_run_id(), action, NOW, facets=made)


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("training", {"architecture": "unet", "steps": "Jane"}),
        ("training", {"architecture": "unet", "steps": 1, "patient": "Jane"}),
        ("training", {"architecture": "unet", "steps": 1, "final_loss": float("nan")}),
        ("evaluation", {"request": "Jane"}),
        ("evaluation", {"request": "r", "cases": 1, "aggregates": ["Jane"]}),
        ("test-set.approve", {"grant": {"Jane": 1}}),
        ("test-set.approve", {"grant": "Jane"}),
        (
            "release.sign",
            {"envelope": {"payloadType": "x", "payload": "Jane", "signatures": [{"keyid": "", "sig": ""}]}},
        ),
    ],
)
def test_a_payload_that_does_not_fit_is_a_usage_error_that_repeats_nothing(
    action: str, payload: dict[str, object]
) -> None:
    with pytest.raises(UsageError) as caught:
        facets_of(action, payload, Context())
    assert "Jane" not in f"{caught.value.message} {caught.value.hint}"


def test_a_facet_that_breaks_its_schema_is_refused() -> None:
    for change in ({"steps": -1}, {"patient": "Jane"}, {"_schemaURL": "urn:minivess:schema:lineage:Other-1.json"}):
        made = facet("minivess_training", architecture="unet", steps=1)
        made["minivess_training"] |= change
        with pytest.raises(UsageError, match="minivess_training"):
            run_event("COMPLETE", new_run_id(), "training", NOW, facets=made)


def test_provenance_leaves_out_what_does_not_apply() -> None:
    run = UUID("01890000-0000-7000-8000-000000000001")
    made = provenance_facet(Context(seed=3, openlineage_run=run)) | audit_facet(
        log="l", actor="a", action="x", started=None
    )
    assert set(made["minivess_provenance"]) == {"_producer", "_schemaURL", "seed", "openlineage_run"}
    validate_event(run_event("START", run, "x", NOW, facets=made))


@pytest.mark.verifies("REQ-338")
def test_an_evaluation_of_several_classes_carries_the_aggregates_of_each() -> None:
    said = {"request": "r", "cases": 4, "aggregates": {"dice": INTERVAL}, "baseline_dice": 0.5}
    figures = {"aggregates": {"dice": INTERVAL}, "baseline": INTERVAL, "ece": 0.1, "band_ece": 0.2}
    made = facets_of("evaluation", {**said, "classes": {"artery": figures, "vein": figures}}, Context())
    classes = made["minivess_evaluation"]["classes"]
    assert {name: one["dice"]["mean"] for name, one in classes.items()} == dict.fromkeys(
        ("artery", "vein"), INTERVAL["mean"]
    )
    assert "classes" not in facets_of("evaluation", said, Context())["minivess_evaluation"]
