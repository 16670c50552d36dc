"""JSON Schemas for editors: current, and true to the files they describe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator, ValidationError

from minivess.compliance.items.schemas import schemas, write_schemas
from minivess.foundation.reading.strict_yaml import load_yaml

pytestmark = pytest.mark.verifies("SU-16")

_ROOT = Path(__file__).parents[3]
_EDITED = [*sorted((_ROOT / "requirements").glob("*.yaml")), *sorted((_ROOT / "risk").glob("*.yaml"))]


def test_committed_schemas_are_current(tmp_path: Path) -> None:
    written = write_schemas(tmp_path)
    for path in written:
        assert (_ROOT / "docs" / "schemas" / path.name).read_text(encoding="utf-8") == path.read_text(encoding="utf-8")
    assert {path.name for path in (_ROOT / "docs" / "schemas").glob("*.json")} == {path.name for path in written}


@pytest.mark.parametrize("path", _EDITED, ids=lambda path: path.name)
def test_each_file_names_its_schema_and_fits_it(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    schema = (path.parent / first.partition("$schema=")[2]).resolve()
    assert schema.parent == _ROOT / "docs" / "schemas"
    Draft202012Validator(json.loads(schema.read_text(encoding="utf-8"))).validate(load_yaml(path))


@pytest.mark.verifies("REQ-030")
def test_a_schema_refuses_what_the_reader_refuses() -> None:
    schema = schemas()["requirements.json"]
    good = {"user_needs": [{"id": "UN-01", "title": "t", "statement": "s"}]}
    judge = Draft202012Validator(schema)
    judge.validate(good)
    wrong: tuple[dict[str, Any], ...] = (
        {"user_need": []},
        {"user_needs": [{**good["user_needs"][0], "source": "x"}]},
        {"user_needs": [{}]},
    )
    for bad in wrong:
        with pytest.raises(ValidationError):
            judge.validate(bad)
