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
from pydantic import ValidationError

from minivess.compliance.facts.cyclonedx import validate_bom
from minivess.compliance.facts.package_metadata import licence
from minivess.compliance.facts.platform_soup import standard_url
from minivess.compliance.facts.sbom import BillFacts, sbom, tools_bom
from minivess.compliance.facts.soup import soup, soup_csv
from minivess.compliance.results.platform_parts import platform_parts
from minivess.foundation.errors import InputError, RefusedError
from minivess.foundation.reading.lock_file import Use, read_lock
from minivess.foundation.serving_platform import installed_file
from minivess.records.device.preparation import Tool
from minivess.records.items.item_parts import Support
from minivess.records.items.items import SoupItem
from minivess.records.items.platform_parts import PlatformPart, missing_parts
from tests.support.builders.release_builder import LOCK, ROOT, SHA
from tests.support.source_states import PARTS

pytestmark = pytest.mark.verifies("SU-23")

TIME = datetime(2026, 11, 20, tzinfo=UTC)
DIGEST = "sha256:" + "ab" * 32
TOOL = Tool(name="MiniVess", version="0.2.0")


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "uv.lock"
    path.write_text(LOCK, encoding="utf-8")
    return path


def _facts(lock: Path, **more: Any) -> BillFacts:
    return BillFacts(lock, device="device", version="1.0", timestamp=TIME, **more)


def _sbom(lock: Path, model: str | None = DIGEST) -> dict[str, Any]:
    return sbom(_facts(lock, intended_use="To show."), model_digest=model)


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
    return sbom(_facts(lock, manufacturer="Maker", tool=TOOL), model_digest=DIGEST, parts=PARTS)


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
    validate_bom(document)
    part = document
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = value
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document)) is not None
    with pytest.raises(RefusedError, match=r"does not meet CycloneDX 1\.6"):
        validate_bom(document)


@pytest.mark.verifies("REQ-036", "REQ-262", "REQ-264")
def test_the_minimum_elements_of_the_ntia_are_there(lock: Path) -> None:
    """Author, time, and for each component a name, a version, an identifier of its own and its place in the graph."""
    document = _whole(lock)
    assert document["metadata"]["timestamp"]
    assert document["metadata"]["authors"] == [{"name": "Maker"}]
    components = document["components"]
    assert len(components) == 2 + 4 + 5  # framework, model; packages; parts that were there
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


@pytest.mark.verifies("REQ-530", "REQ-264")
def test_a_part_that_comes_with_a_tool_does_not_ship(lock: Path) -> None:
    """CUDA of PyTorch is on the machine of the scenarios and not below the service, which has no PyTorch."""
    part = PlatformPart(kind="cuda", name="CUDA", version="13.2", part_of="PyTorch")
    document = sbom(_facts(lock), parts=(part,))
    assert "CUDA (PyTorch)" not in {one["name"] for one in document["components"]}
    stated = document["metadata"]["component"]["properties"]
    assert stated == [{"name": "minivess:cuda", "value": "CUDA (PyTorch) 13.2: does not ship"}]
    [row] = [
        one for one in csv.DictReader(io.StringIO(soup_csv(soup(lock, (part,))))) if one["name"].startswith("CUDA")
    ]
    assert (row["version"], row["purl"]) == ("13.2", "")
    assert row["purpose"].endswith("it comes with PyTorch, which does not ship")
    lock.write_text(
        LOCK.replace('dependencies = [{ name = "click" }]', 'dependencies = [{ name = "torch" }]'), encoding="utf-8"
    )
    assert "CUDA (PyTorch)" in {one["name"] for one in sbom(_facts(lock), parts=(part,))["components"]}


def _serial(lock: Path, parts: tuple[PlatformPart, ...]) -> str:
    made = sbom(_facts(lock), parts=parts)
    return str(made["serialNumber"])


@pytest.mark.verifies("REQ-263")
def test_our_own_bill_of_materials_read_back_names_the_same_software(lock: Path, tmp_path: Path) -> None:
    document, first = _whole(lock), read_lock(lock)
    document["components"] += tools_bom(_facts(lock))["components"]
    del document["dependencies"]
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


@pytest.mark.verifies("REQ-036", "REQ-530")
def test_what_ships_is_apart_from_what_builds_and_what_tests(lock: Path) -> None:
    shipped = {item["name"]: item["scope"] for item in _sbom(lock)["components"]}
    tools = {item["name"]: item["scope"] for item in tools_bom(_facts(lock))["components"]}
    assert shipped == {"thing": "required", "click": "required", "device-model": "required"}
    assert tools == {"torch": "optional", "pytest": "excluded", "colorama": "optional"}  # colorama: on Windows


@pytest.mark.verifies("REQ-530")
def test_the_hash_is_that_of_the_file_that_is_installed(lock: Path) -> None:
    [click] = [one for one in _sbom(lock)["components"] if one["name"] == "click"]
    assert click["hashes"] == [{"alg": "SHA-256", "content": SHA[::-1]}]  # of the wheel, not of the source archive
    assert {one["url"].rpartition(".")[2] for one in click["externalReferences"] if "files." in one["url"]} == {
        "gz",
        "whl",
    }


@pytest.mark.verifies("REQ-530")
def test_author_tool_and_context_are_stated(lock: Path) -> None:
    about = _whole(lock)["metadata"]
    assert about["manufacturer"] == {"name": "Maker"}
    assert about["lifecycles"] == [{"phase": "pre-build"}]
    assert about["tools"] == {"components": [{"name": "MiniVess", "type": "application", "version": "0.2.0"}]}
    assert {one["name"] for one in about["properties"]} == {"minivess:lock", "minivess:platform"}


@pytest.mark.verifies("REQ-530")
def test_what_is_not_known_of_a_component_is_stated(lock: Path) -> None:
    [local] = [one for one in _whole(lock)["components"] if one["name"] == "local"]
    unknown = [one["value"] for one in local["properties"] if one["name"] == "cdx:cisa:unknown-information"]
    assert unknown == ["Component Hash Value", "Component License", "Component Producer"]
    assert local["manufacturer"] == {"name": "unknown"}


def _support(**more: Any) -> SoupItem:
    stated = {"versions": "8.3", "level": "actively maintained", "assessed": "2026-11-01", "source": "its site", **more}
    facts: dict[str, Any] = {"package": "click", "support": (Support.model_validate(stated),)}
    return SoupItem.model_construct(**facts)


@pytest.mark.verifies("REQ-530")
@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (
            {"ends": "2028-10-31"},
            {
                "cdx:fda:level-of-support": "actively maintained",
                "cdx:fda:support-assessed-date": "2026-11-01",
                "cdx:fda:end-of-support-date": "2028-10-31",
                "cdx:lifecycle:milestone:endOfSupport": "2028-10-31",
            },
        ),
        (
            {"no_end": "not announced"},
            {
                "cdx:fda:level-of-support": "actively maintained",
                "cdx:fda:support-assessed-date": "2026-11-01",
                "cdx:fda:justification": "cdx:fda:end-of-support-date: not announced",
            },
        ),
        (
            {"versions": "8.30", "ends": "2028-10-31"},
            {"cdx:fda:justification": "cdx:fda:level-of-support: its support was not assessed for this version"},
        ),
    ],
)
def test_the_support_is_that_of_the_locked_version(
    lock: Path, stated: dict[str, str], expected: dict[str, str]
) -> None:
    document = sbom(_facts(lock, soup=(_support(**stated),)))
    validate_bom(document)
    [click] = [one for one in document["components"] if one["name"] == "click"]
    shown = {one["name"]: one["value"] for one in click["properties"] if "fda" in one["name"] or "cycle" in one["name"]}
    assert shown == expected


@pytest.mark.verifies("REQ-530")
def test_support_with_an_end_and_a_reason_for_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="either the day"):
        _support(ends="2028-10-31", no_end="not announced")


@pytest.mark.verifies("REQ-530")
@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["a-1-py3-none-any.whl", "a-1.tar.gz"], "a-1-py3-none-any.whl"),
        (["a-1-cp312-cp312-win_amd64.whl", "a-1.tar.gz"], "a-1.tar.gz"),
        (["a-1-cp312-cp312-win_amd64.whl"], None),
        (
            ["a-1-cp312-cp312-manylinux_2_17_x86_64.whl", "a-1-py3-none-any.whl"],
            "a-1-cp312-cp312-manylinux_2_17_x86_64.whl",
        ),
        (
            ["a-1-cp312-cp312-manylinux_2_17_x86_64.whl", "a-1-cp312-cp312-manylinux_2_28_x86_64.whl"],
            "a-1-cp312-cp312-manylinux_2_28_x86_64.whl",
        ),
        (
            ["a-1-cp313-cp313-manylinux_2_17_x86_64.whl", "a-1-cp39-abi3-manylinux2014_x86_64.whl"],
            "a-1-cp39-abi3-manylinux2014_x86_64.whl",
        ),
        (["a-1-cp312-cp312-manylinux_2_39_x86_64.whl", "no wheel.whl"], None),
        (
            ["https://files.example/a-1%2Bcpu-cp312-cp312-linux_x86_64.whl"],
            "https://files.example/a-1%2Bcpu-cp312-cp312-linux_x86_64.whl",
        ),
    ],
)
def test_the_file_that_fits_the_platform_best_is_installed(files: list[str], expected: str | None) -> None:
    assert installed_file(files) == installed_file(reversed(files)) == expected


@pytest.mark.verifies("REQ-036")
def test_the_dependency_graph_starts_at_the_device(lock: Path) -> None:
    document = _sbom(lock)
    edges = {item["ref"]: set(item.get("dependsOn", ())) for item in document["dependencies"]}
    assert document["metadata"]["component"]["bom-ref"] == "device"
    assert edges["device"] == {"framework", "model"}
    assert "pkg:pypi/click@8.3.0" in edges["framework"]
    assert edges["pkg:pypi/click@8.3.0"] == set()  # colorama is not needed on the platform


def test_a_device_without_a_model_has_no_model_component(lock: Path) -> None:
    types = [item["type"] for item in _sbom(lock, None)["components"]]
    assert "machine-learning-model" not in types


def test_a_url_that_is_none_is_refused(lock: Path) -> None:
    lock.write_text(LOCK.replace("https://files.example/click", "javascript:alert"), encoding="utf-8")
    with pytest.raises(RefusedError, match="no URL"):
        validate_bom(_sbom(lock))


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
    assert [row["name"] for row in rows] == ["click"]  # what ships


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
