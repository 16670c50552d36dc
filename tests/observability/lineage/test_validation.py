"""Events against OpenLineage 2-0-2 and the schemas of facets: an independent validator has to agree."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

import pytest

from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import UsageError
from minivess.observability.lineage.event_validation import documents, event_schema, validate_event
from minivess.observability.lineage.events import audit_facet, error_facet, provenance_facet, run_event
from minivess.observability.lineage.facets import PRODUCER, SCHEMAS, facet, facets_of
from minivess.records.artifact import Artifact
from minivess.records.log.entry import Context
from tests.support.builders.audit_logs import lineage_event
from tests.support.lazy_modules import lazily
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

with lazily("jsonschema", "referencing"):
    import jsonschema
    import referencing

pytestmark = pytest.mark.verifies("REQ-051", "SU-35")

DIGEST = digest_bytes(b"x")
AUDIT = audit_facet(log="minivess.test/toy", actor="ada", action="training", started=0)["minivess_audit"]
ARTIFACT = Artifact(name="data/manifest", digest=DIGEST)


@cache
def independent_validator() -> jsonschema.Draft202012Validator:
    """The validator of `jsonschema` for an event and its facets."""
    return jsonschema.Draft202012Validator(
        event_schema(),
        format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
        registry=referencing.Registry().with_resources(
            (name, referencing.Resource.from_contents(one)) for name, one in documents().items()
        ),
    )


@cache
def whole_event() -> dict[str, Any]:
    """An event with everything that can be in one."""
    context = Context(seed=1, model=DIGEST, git_dirty=False, openlineage_run=UUID(int=1))
    interval = {"mean": 0.5, "lower": None, "upper": 1, "n": 3}
    facets = {
        **audit_facet(log="minivess.test/toy", actor="ada", action="training", started=0),
        **provenance_facet(context),
        **error_facet("ValueError: no"),
        **facets_of("training", {"architecture": "unet", "steps": 3, "final_loss": 0.5}, context),
        **facet("minivess_evaluation", request="r", cases=3, aggregates={"dice": interval}),
        **facet("minivess_datasetSeal", files=3, approvers=["rosa"]),
        **facet(
            "minivess_approval",
            signer="ada",
            time="2026-11-21T00:00:00Z",
            role="independent-reviewer",
            meaning="approval",
            policy="unseal",
            subjects=[{"name": "a", "digest": DIGEST}],
        ),
    }
    moment = datetime(2026, 11, 21, tzinfo=UTC)
    event = run_event("COMPLETE", UUID(int=1), "training", moment, inputs=[ARTIFACT], outputs=[ARTIFACT], facets=facets)
    base = {"_producer": PRODUCER, "_schemaURL": "https://example.org/facet.json"}
    event["job"]["facets"] = {"theirs": {**base, "_deleted": True}}
    event["inputs"][0]["inputFacets"] = event["outputs"][0]["outputFacets"] = {"theirs": base}
    return event


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, held in inside for place in places(held, (*path, name)))]


@cache
def event_places() -> list[tuple[str | int, ...]]:
    """Every place of the whole event."""
    return places(whole_event())


VALUES = st.one_of(
    st.sampled_from(
        [
            *(
                None,
                True,
                False,
                0,
                -1,
                1,
                1.0,
                1.5,
                "",
                [],
                {},
                [[]],
                {"a": {}},
                "a b",
                "urn:x:y",
                "http://h/\n",
                DIGEST,
            ),
            *("COMPLETE", "DONE", f"{DIGEST}\n", str(UUID(int=7)), f"{{{UUID(int=7)}}}", "2026-02-30T00:00:00Z"),
            *("2026-11-21t00:00:00z", "2026-11-21", {"_producer": PRODUCER}, f"{SCHEMAS}TrainingRunFacet-1.json"),
            {"_producer": PRODUCER, "_schemaURL": "urn:x:y"},
        ]
    ),
    st.text(max_size=8),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=3), st.lists, max_leaves=4),
)


@st.composite
def changed_events(draw: st.DrawFn) -> Any:
    event = copy.deepcopy(whole_event())
    for _ in range(draw(st.integers(1, 3))):
        *above, last = draw(st.sampled_from(event_places()[1:]))
        held: Any = event
        try:
            for step in above:
                held = held[step]
            how = draw(st.sampled_from(["replace", "remove", "add"]))
            if how == "replace":
                held[last] = draw(VALUES)
            elif how == "remove":
                del held[last]
            else:
                held[draw(st.text(max_size=5))] = draw(VALUES)
        except (KeyError, IndexError, TypeError):
            continue
    return event


@settings(max_examples=400)
@given(event=st.one_of(changed_events(), VALUES))
def test_what_passes_is_valid_for_an_independent_validator_too(event: Any) -> None:
    try:
        validate_event(event)
    except UsageError as error:
        if "format" not in error.message and "pattern" not in error.message:  # these two are stricter here
            assert not independent_validator().is_valid(event)
    else:
        assert independent_validator().is_valid(event)


def test_the_whole_event_is_valid_for_both() -> None:
    validate_event(whole_event())
    independent_validator().validate(whole_event())
    for schema in (event_schema(), *documents().values()):
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        (
            "uri",
            [
                "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
                "urn:minivess:schema:lineage:AuditRunFacet-1.json",
                *("http://a@h:80/p//q?x=y/?#f?", "http://[2001:db8::1]:80/", "file:///x", "a:", "mailto:a@b", "a:/%20"),
            ],
            [
                *("", "a", "/x", "//h/x", "1a:b", "http://h/a b", "http://h/%2", "http://h/é", "urn:x:y\n", "a:#b#c"),
                *("http://[::1", "http://[12345::]/", "http://[1.2.3.4]/", "http://h:8a/", "http://h/[x]", 'a:"'),
            ],
        ),
        (
            "uuid",
            ["01932f6e-0000-7000-8000-000000000000", "01932F6E-0000-7000-8000-00000000000F"],
            [
                *("", "01932f6e00007000800000000000000", "{01932f6e-0000-7000-8000-000000000000}"),
                *("01932f6e-0000-7000-8000-00000000000g", "01932f6e-0000-7000-8000-000000000000\n"),
                "urn:uuid:01932f6e-0000-7000-8000-000000000000",
            ],
        ),
        (
            "date-time",
            [
                "2026-11-20T08:30:00.000000Z",
                "2024-02-29t23:59:59z",
                "2026-11-20T08:30:00+05:30",
                "0001-01-01T00:00:00-00:00",
            ],
            [
                *("", "2026-11-20", "2026-11-20 08:30:00Z", "2026-11-20T08:30:00", "2026-11-20T24:00:00Z"),
                *("2025-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-20T08:30:00Z\n"),
                *("2026-11-20T08:30:60Z", "2026-11-20T08:30:00+24:00", "٢٠٢٦-11-20T08:30:00Z", "2026-11-20T08:30:00.Z"),
            ],
        ),
    ],
)
def test_formats_are_rules(name: str, good: list[str], bad: list[str]) -> None:
    def passes(text: str) -> bool:
        change = {"uri": {"producer": text}, "uuid": {"run": {"runId": text}}, "date-time": {"eventTime": text}}[name]
        try:
            validate_event(lineage_event(1, **change))
        except UsageError:
            return False
        return True

    assert [text for text in good if not passes(text)] == []
    assert [text for text in bad if passes(text)] == []
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    assert [text for text in good if not checker.conforms(text, name)] == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"run": {"runId": "not-a-uuid"}}, "/run/runId breaks 'format uuid'"),
        ({"run": {}}, "/run breaks 'required runId'"),
        ({"run": {"runId": str(UUID(int=1)), "facets": {"a/b~c": {"a": 1}}}}, "/run/facets/a~1b~0c breaks"),
        ({"run": {"runId": str(UUID(int=1)), "facets": {"f": {"_producer": "no", "_schemaURL": "a:"}}}}, "f/_producer"),
        ({"run": {"runId": str(UUID(int=1)), "facets": {"f": {"_producer": "a:"}}}}, "required _schemaURL"),
        ({"eventTime": "yesterday"}, "/eventTime breaks 'format date-time'"),
        ({"eventType": "DONE"}, "/eventType breaks 'enum'"),
        ({"job": {"name": "x"}}, "/job breaks 'required namespace'"),
        ({"producer": None}, "/producer breaks 'type'"),
        ({"schemaURL": "2-0-2"}, "/schemaURL"),
        ({"inputs": [lineage_event(1), {"name": "x"}]}, "/inputs/0"),
        (
            {"run": {"runId": str(UUID(int=1)), "facets": {"minivess_audit": {**AUDIT, "ssn": 1}}}},
            "'additionalProperties'",
        ),
        ({"outputs": {}}, "/outputs breaks 'type'"),
        ({"loss": float("nan")}, "/loss is a number without a value"),
        ({"loss": [0, {"x": float("-inf")}]}, "/loss/1/x is a number without a value"),
        ({"text": "\ud800"}, "/text is a text that is no Unicode"),
        ({"\ud800": 1}, "/ is an object with a name that is no text"),
        ({"when": datetime(2026, 1, 1, tzinfo=UTC)}, "/when is a datetime"),
        ({"much": 10**5000}, "/much is a number of too many digits"),
        ({"text": "é" * 600_000}, "too large"),
    ],
)
def test_a_fault_is_named_by_its_place_and_rule(change: dict[str, Any], where: str) -> None:
    with pytest.raises(UsageError) as caught:
        validate_event(lineage_event(1, **change))
    assert where in caught.value.message
    assert "yesterday" not in caught.value.message


def test_what_goes_round_or_too_deep_is_refused() -> None:
    around: dict[str, Any] = lineage_event(1)
    around["self"] = around
    deep: Any = 0
    for _ in range(100_000):
        deep = [deep]
    for event in (around, lineage_event(1, deep=deep)):
        with pytest.raises(UsageError, match="nested too deep"):
            validate_event(event)


@pytest.mark.parametrize(
    "place", [("run", "facets", "errorMessage", "message"), ("inputs", 0, "facets", "version", "datasetVersion")]
)
def test_standard_facets_are_checked_too(place: tuple[str | int, ...]) -> None:
    for damage in (None, 7):
        event = copy.deepcopy(whole_event())
        held: Any = event
        for step in place[:-1]:
            held = held[step]
        if damage is None:
            del held[place[-1]]
        else:
            held[place[-1]] = damage
        with pytest.raises(UsageError, match=str(place[-2])):
            validate_event(event)


def test_checks_do_not_depend_on_the_order_of_fields() -> None:
    text = json.dumps(whole_event(), sort_keys=True)
    validate_event(json.loads(text))
