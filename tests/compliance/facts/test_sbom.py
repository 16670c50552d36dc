"""SBOM, SOUP list and the lock file they are read from."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from minivess.compliance.facts.package_metadata import licence
from minivess.compliance.facts.sbom import sbom, validate_sbom
from minivess.compliance.facts.soup import soup, soup_csv
from minivess.foundation.errors import InputError, RefusedError
from minivess.foundation.reading.lock_file import Use, read_lock
from tests.support.builders.release_builder import LOCK, ROOT, SHA

pytestmark = pytest.mark.verifies("SU-23")

TIME = datetime(2026, 11, 20, tzinfo=UTC)
DIGEST = "sha256:" + "ab" * 32


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "uv.lock"
    path.write_text(LOCK, encoding="utf-8")
    return path


def _sbom(lock: Path, model: str | None = DIGEST) -> dict[str, object]:
    return sbom(lock, device="device", version="1.0", timestamp=TIME, model_digest=model, intended_use="To show.")


@pytest.mark.verifies("REQ-036")
def test_it_passes_the_librarys_strict_validator_as_it_is(lock: Path) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = LOCK.replace("https://files.example/", "urn:x:")  # the validator's URL grammar is slow on long URLs
    lock.write_text(text, encoding="utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(_sbom(lock))) is None


@pytest.mark.verifies("REQ-036", "REQ-040")
def test_same_lock_same_document_other_model_other_serial_number(lock: Path) -> None:
    assert _sbom(lock) == _sbom(lock)
    assert _sbom(lock)["serialNumber"] != _sbom(lock, "sha256:" + "cd" * 32)["serialNumber"]


@pytest.mark.verifies("REQ-036")
def test_scope_says_what_runs_what_builds_and_what_tests(lock: Path) -> None:
    document = _sbom(lock)
    scopes = {item["name"]: item["scope"] for item in document["components"]}  # type: ignore[attr-defined]
    assert scopes["click"] == scopes["colorama"] == "required"
    assert scopes["torch"] == "optional"
    assert scopes["pytest"] == "excluded"


@pytest.mark.verifies("REQ-036")
def test_the_dependency_graph_starts_at_the_device(lock: Path) -> None:
    document = _sbom(lock)
    edges = {item["ref"]: set(item.get("dependsOn", ())) for item in document["dependencies"]}  # type: ignore[attr-defined]
    assert document["metadata"]["component"]["bom-ref"] == "device"  # type: ignore[index]
    assert edges["device"] == {"framework", "model"}
    assert "pkg:pypi/click@8.3.0" in edges["framework"]
    assert edges["pkg:pypi/click@8.3.0"] == {"pkg:pypi/colorama@0.4.6"}


def test_a_device_without_a_model_has_no_model_component(lock: Path) -> None:
    types = [item["type"] for item in _sbom(lock, None)["components"]]  # type: ignore[attr-defined]
    assert "machine-learning-model" not in types


def test_a_url_that_is_none_is_refused(lock: Path) -> None:
    lock.write_text(LOCK.replace("https://files.example/torch", "javascript:alert"), encoding="utf-8")
    with pytest.raises(RefusedError, match="no URL"):
        validate_sbom(_sbom(lock))


@pytest.mark.verifies("REQ-036")
def test_this_projects_own_lock_file_has_a_digest_for_every_package() -> None:
    packages = read_lock(ROOT / "uv.lock").packages
    assert len(packages) > 100
    assert all(package.distributions for package in packages)
    uses = {package.name: package.use for package in packages}
    assert (uses["pydantic"], uses["torch"], uses["ruff"]) == (Use.RUNTIME, Use.BUILD, Use.DEVELOPMENT)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not [toml", "not a uv lock file"),
        ("version = 1\n", "not a uv lock file"),
        (LOCK.replace(f"sha256:{SHA}", "md5:00"), "without a SHA-256"),
        (LOCK.replace("editable", "registry"), "0 root packages"),
    ],
)
def test_a_malformed_lock_file_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "uv.lock").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        read_lock(tmp_path / "uv.lock")


@pytest.mark.verifies("REQ-036")
def test_the_soup_list_has_what_is_in_the_device_and_why(lock: Path) -> None:
    items = {item.name: item for item in soup(lock)}
    assert set(items) == {"click", "colorama", "torch"}
    assert items["click"].purpose.startswith("Direct dependency of thing")
    assert items["colorama"].purpose == "Required by click, pytest"
    rows = list(csv.DictReader(io.StringIO(soup_csv(tuple(items.values())))))
    assert [row["name"] for row in rows] == ["click", "colorama", "torch"]


@pytest.mark.parametrize(
    ("expression", "text", "classifiers", "expected"),
    [
        ("MIT OR Apache-2.0", "whatever", [], "MIT OR Apache-2.0"),
        ("", "Apache License, Version 2.0", [], "Apache-2.0"),
        ("", "mit", [], "MIT"),
        ("", "The whole text of a licence " * 10, ["MIT License"], "MIT"),
        ("", "UNKNOWN", ["ISC License (ISCL)"], "ISC"),
        ("", "BSD", ["BSD License"], "BSD"),
        ("", "", ["OSI Approved"], ""),
        ("", "MPL-2.0 AND MIT", [], "MPL-2.0 AND MIT"),
    ],
)
def test_licences_are_normalised_but_never_invented(
    expression: str, text: str, classifiers: list[str], expected: str
) -> None:
    assert licence(expression, text, classifiers) == expected
