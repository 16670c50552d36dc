"""SBOM, SOUP list and the lock file they are read from."""

from __future__ import annotations

import csv
import io
import json
import platform
import sqlite3
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from minivess.compliance.facts.package_metadata import licence
from minivess.compliance.facts.platform_soup import standard_url
from minivess.compliance.facts.sbom import sbom, validate_sbom
from minivess.compliance.facts.soup import soup, soup_csv
from minivess.compliance.results.platform_parts import platform_parts
from minivess.foundation.errors import InputError, RefusedError
from minivess.foundation.reading.lock_file import Use, read_lock
from minivess.records.items.platform_parts import PlatformPart, missing_parts
from tests.support.builders.release_builder import LOCK, ROOT, SHA
from tests.support.source_states import PARTS

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


OTHERS = f"""
[[package]]
name = "algo"
version = "1.0"
source = {{ git = "https://git.example/algo#{"0123456789" * 4}" }}

[[package]]
name = "wheelonly"
version = "2.0"
source = {{ url = "https://files.example/wheelonly-2.0-py3-none-any.whl" }}
wheels = [{{ url = "https://files.example/wheelonly-2.0-py3-none-any.whl", hash = "sha256:{SHA}" }}]

[[package]]
name = "local"
source = {{ directory = "../local" }}
"""
"""Packages from git, from an address and from a folder."""


def _whole(lock: Path) -> dict[str, Any]:
    """The SBOM of packages of every kind and of a platform."""
    needed = 'dependencies = [{ name = "click" }, { name = "algo" }, { name = "wheelonly" }, { name = "local" }]'
    lock.write_text(LOCK.replace('dependencies = [{ name = "click" }]', needed) + OTHERS, encoding="utf-8")
    return sbom(
        lock, device="device", version="1.0", timestamp=TIME, model_digest=DIGEST, manufacturer="Maker", parts=PARTS
    )


@pytest.mark.verifies("REQ-036", "REQ-262", "REQ-264")
def test_it_passes_the_librarys_strict_validator_as_it_is(lock: Path) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = json.dumps(_whole(lock)).replace("https://files.example/", "urn:x:")  # its URL grammar is slow on long URLs
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


@pytest.mark.verifies("REQ-036")
@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("bomFormat",), "another"),
        (("serialNumber",), "urn:x"),
        (("metadata", "timestamp"), "yesterday"),
        (("metadata", "authors", 0, "email"), "nobody"),
        (("components", 3, "type"), "thing"),
        (("components", 3, "extra"), 1),
        (("components", 3, "licenses"), [{"license": {"id": "Unknown-9"}}]),
        (("components", 3, "cryptoProperties"), {"assetType": "algorithm", "algorithmProperties": {"primitive": "x"}}),
        (("signature",), {"algorithm": "x"}),
    ],
)
def test_what_the_librarys_strict_validator_refuses_is_refused(lock: Path, place: tuple[Any, ...], value: Any) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    document = json.loads(json.dumps(_whole(lock)).replace("https://files.example/", "urn:x:"))
    validate_sbom(document)
    part = document
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = value
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document)) is not None
    with pytest.raises(RefusedError, match=r"does not meet CycloneDX 1\.6"):
        validate_sbom(document)


@pytest.mark.verifies("REQ-036", "REQ-262", "REQ-264")
def test_the_minimum_elements_of_the_ntia_are_there(lock: Path) -> None:
    """Author, time, and for each component a name, a version, an identifier of its own and its place in the graph."""
    document = _whole(lock)
    assert document["metadata"]["timestamp"]
    assert document["metadata"]["authors"] == [{"name": "Maker"}]
    components = document["components"]
    assert len(components) == 2 + 7 + 5  # framework, model; packages; parts that were there
    assert len({one["bom-ref"] for one in components}) == len(components)
    assert all(one["name"] and one["version"] for one in components)
    assert all(one["purl"] for one in components if one["type"] not in {"framework", "machine-learning-model"})
    assert {one["ref"] for one in document["dependencies"]} == {"device", *(one["bom-ref"] for one in components)}


@pytest.mark.verifies("REQ-264", "RC-119")
def test_the_platform_is_in_both_lists_as_it_was_recorded(lock: Path) -> None:
    document, rows = _whole(lock), soup(lock, PARTS)
    found = {
        (one["name"], one["version"], one["type"]) for one in document["components"] if "pkg:generic" in one["bom-ref"]
    }
    assert found == {
        ("CPython", "3.12.1", "platform"),
        ("OpenSSL (Python)", "3.0.19", "library"),
        ("OpenSSL (cryptography)", "4.0.3", "library"),
        ("SQLite", "3.40.1", "library"),
        ("Debian GNU/Linux", "12", "operating-system"),
        ("local", "not fixed", "library"),
    }
    assert document["metadata"]["component"]["properties"] == [
        {"name": "minivess:cuda", "value": "CUDA (driver): none"}
    ]
    assert [(row.name, row.version) for row in rows[: len(PARTS)]] == [(part.title, part.version) for part in PARTS]
    other = (*PARTS[:-1], PARTS[-1].model_copy(update={"version": "13.1"}))
    assert _serial(lock, other) != _serial(lock, PARTS)


def _serial(lock: Path, parts: tuple[PlatformPart, ...]) -> str:
    made = sbom(lock, device="device", version="1.0", timestamp=TIME, model_digest=None, parts=parts)
    return str(made["serialNumber"])


@pytest.mark.verifies("REQ-263")
def test_our_own_bill_of_materials_read_back_names_the_same_software(lock: Path, tmp_path: Path) -> None:
    document, first = _whole(lock), read_lock(lock)
    (tmp_path / "bom.json").write_text(json.dumps(document), encoding="utf-8")
    again = {one.purl: one for one in read_lock(tmp_path / "bom.json").packages}
    for package in first.packages:
        found = again[standard_url(package.purl)]
        assert (found.name, found.version, found.use) == (package.name, package.shown_version, package.use)
        assert set(found.source.sha256) == set(package.source.sha256)
    assert len(again) == len(first.packages) + 5 + 1  # the parts that were there, and the framework


@pytest.mark.verifies("REQ-263")
def test_a_lock_without_edges_says_that_they_are_not_known(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(f"click==8.3.0 --hash=sha256:{SHA}\n", encoding="utf-8")
    document = _sbom(tmp_path / "requirements.txt")
    assert document["compositions"] == [{"aggregate": "unknown", "dependencies": ["framework", "pkg:pypi/click@8.3.0"]}]
    [row] = soup(tmp_path / "requirements.txt")
    assert (row.purpose.split(":")[0], row.fixed_by) == ("Named by requirements.txt", "SHA-256")


@pytest.mark.verifies("REQ-264")
def test_the_platform_of_this_process_is_found() -> None:
    parts = platform_parts()
    assert missing_parts(parts) == ()
    found = {part.title: part.version for part in parts}
    assert found["SQLite"] == sqlite3.sqlite_version
    assert found["OpenSSL (Python)"] in ssl.OPENSSL_VERSION
    assert found[platform.python_implementation()] == platform.python_version()
    assert missing_parts(parts[1:]) == ("python",)


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
