"""The SOUP list and the bill of materials of a pack: both verifiers refuse the same, and say the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from minivess.compliance.verification.pack_checks.soup import SBOM, SOUP, check_soup
from minivess.foundation.errors import VerificationError
from minivess.records.device.project import Device
from tests.support.builders.layout2_pack import small_pack
from tests.support.builders.release_builder import PROJECT
from tests.support.verify_script import verify

pytestmark = pytest.mark.verifies("REQ-264", "RC-119", "SU-14")

RESULTS = "data/verification/results.json"
DEVICE = Device.model_validate(PROJECT["device"])
Files = dict[str, bytes]
PYTEST = {"type": "library", "name": "pytest", "version": "9.0.0", "purl": "pkg:pypi/pytest@9.0.0"}


@cache
def whole() -> Files:
    return {name: small_pack().files[name] for name in (SBOM, SOUP, RESULTS)}


def said(files: Files) -> tuple[str, str]:
    """What the product and the script say."""
    release = verify.Release.__new__(verify.Release)
    release.files, release.prepared = files, {"device": DEVICE.model_dump(mode="json")}
    release.pack = verify.Pack(files, None)
    try:
        product = check_soup(files, DEVICE)
    except VerificationError as error:
        product = error.message
    _, script = verify.attempt(release.check_soup)
    return product, str(script)


def bill(change: Callable[[dict[str, Any]], object]) -> Files:
    value = json.loads(whole()[SBOM])
    change(value)
    return {**whole(), SBOM: json.dumps(value).encode("utf-8")}


def results(change: Callable[[dict[str, Any]], object]) -> Files:
    value = json.loads(whole()[RESULTS])
    change(value)
    return {**whole(), RESULTS: json.dumps(value).encode("utf-8")}


def rows(change: Callable[[list[str]], list[str]]) -> Files:
    lines = whole()[SOUP].decode("utf-8").splitlines()
    return {**whole(), SOUP: "\r\n".join(change(lines)).encode("utf-8")}


def without(kind: str) -> Callable[[dict[str, Any]], object]:
    return lambda value: value.update(parts=[part for part in value["parts"] if part["kind"] != kind])


def component(value: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in value["components"] if one["name"] == name)


def test_a_true_pack_holds() -> None:
    words = "6 SOUP items, the same in the list and in the bill of materials; 6 parts of the platform"
    assert said(whole()) == (words, words)


def test_results_of_earlier_versions_state_no_platform_and_hold() -> None:
    product, script = said(results(lambda value: value.pop("parts")))
    assert product == script
    assert product.endswith("; 0 parts of the platform")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (lambda: bill(lambda v: component(v, "click").update(version="9")), "soup.csv does not name click 9"),
        (lambda: bill(lambda v: v["components"].remove(component(v, "click"))), "sbom.cdx.json does not name click"),
        (lambda: bill(lambda v: component(v, "SQLite").update(scope="excluded")), "sbom.cdx.json does not name SQLite"),
        (
            lambda: bill(lambda v: v["components"].append({**PYTEST, "scope": "required"})),
            "soup.csv does not name pytest",
        ),
        (
            lambda: bill(lambda v: v["components"].append({**PYTEST, "scope": "optional"})),
            "soup.csv does not name pytest",
        ),
        (lambda: bill(lambda v: v["components"].append(PYTEST)), "soup.csv does not name pytest"),
        (lambda: bill(lambda v: v["metadata"]["component"].update(version="2")), "is of vessel-segmenter 2, and the"),
        (lambda: bill(lambda v: v.pop("components")), ""),
        (lambda: bill(lambda v: v.pop("metadata")), "is no bill of materials"),
        (lambda: bill(lambda v: v["components"].append(3)), "is no bill of materials"),
        (lambda: bill(lambda v: component(v, "click").update(scope=["x"])), "sbom.cdx.json does not name click"),
        (lambda: rows(lambda lines: [line for line in lines if "SQLite" not in line]), "soup.csv does not name SQLite"),
        (
            lambda: rows(lambda lines: [line for line in lines if "CUDA" not in line]),
            "does not name CUDA (driver) none",
        ),
        (lambda: rows(lambda lines: [*lines, lines[-1]]), "names a part twice"),
        (lambda: rows(lambda lines: lines[:1]), "names no software"),
        (lambda: rows(lambda lines: []), "is no SOUP list"),
        (lambda: rows(lambda lines: [*lines, "x"]), "is no SOUP list"),
        (lambda: {**whole(), SOUP: b"\xff"}, "soup.csv is not"),
        (lambda: results(without("sqlite")), "results.json states no sqlite"),
        (lambda: results(without("cuda")), "results.json states no cuda"),
        (lambda: results(lambda v: v["parts"][0].update(version="3.9.0")), "does not name CPython 3.9.0, on which"),
        (lambda: results(lambda v: v["parts"][0].update(kind="perl")), ""),
    ],
)
def test_what_differs_is_named_by_both(files: Callable[[], Files], words: str) -> None:
    product, script = said(files())
    assert words in product
    assert words in script
    assert "SOUP items" not in product + script


def test_a_name_that_a_spreadsheet_would_read_as_a_formula_is_the_same_in_both() -> None:
    made = bill(lambda v: component(v, "click").update(name="@scope/click"))
    made[SOUP] = made[SOUP].replace(b"\nclick,", b"\n'@scope/click,")
    product, script = said(made)
    assert product == script
    assert "SOUP items" in product
