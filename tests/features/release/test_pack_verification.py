"""Steps of features/pack_verification.feature."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.proofs.archive import write_archive
from minivess.compliance.verification.pack import verify_pack
from tests.support.builders.pack_builder import (
    TEMPLATES,
    ada,
    bag,
    complete_pack,
    open_test_set,
    opening_request,
    payload,
    sign,
    story,
    trusted_keys,
)

scenarios("pack_verification.feature")

MODEL, RESULT = "data/models/model.onnx", "data/evaluation/evaluation.json"
BEN, CLEO = "signatures/ben.dsse.json", "signatures/cleo.dsse.json"


@pytest.fixture
def state() -> dict[str, Any]:
    return {}


def bare(*arguments: Path | str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False)


def write(state: dict[str, Any]) -> Path:
    path: Path = state["path"]
    path.write_bytes(state.get("archive") or write_archive(state["files"]))
    return path


@given("a signed evidence pack")
def _(state: dict[str, Any], tmp_path: Path) -> None:
    state.update(files=complete_pack(), path=tmp_path / "pack.zip")


@when("an attacker changes a byte of the model")
def _(state: dict[str, Any]) -> None:
    state["files"][MODEL] = b"\xff" + state["files"][MODEL][1:]


@when("an attacker drops the evaluation")
def _(state: dict[str, Any]) -> None:
    del state["files"][RESULT]


@when("an attacker adds a file")
def _(state: dict[str, Any]) -> None:
    state["files"]["data/extra.txt"] = b"extra"


@when("an attacker changes a byte in the middle of the archive")
def _(state: dict[str, Any]) -> None:
    data = bytearray(write_archive(state["files"]))
    data[len(data) // 2] ^= 1
    state["archive"] = bytes(data)


@when("an attacker removes all signatures")
def _(state: dict[str, Any]) -> None:
    state["files"] = {name: data for name, data in state["files"].items() if not name.startswith("signatures/")}


@when("an attacker replaces one signature by a copy of the other")
def _(state: dict[str, Any]) -> None:
    state["files"][CLEO] = state["files"][BEN]


@when("an attacker removes entry 6 and gets all signatures again")
def _(state: dict[str, Any]) -> None:
    name = "data/audit/entries.jsonl"
    lines = state["files"][name].splitlines(keepends=True)
    state["files"] = sign(bag({**state["files"], name: b"".join(lines[:6] + lines[7:])}))


@when("an attacker invents a result and gets all signatures again")
def _(state: dict[str, Any]) -> None:
    state["files"] = sign(bag({**state["files"], RESULT: b'{"dice":1}'}))


@when("an attacker hides an opening of the test set")
def _(state: dict[str, Any]) -> None:
    log = story()
    open_test_set(log, opening_request("opening-2"))
    state["files"] = sign(bag(payload(log, openings=1)))


@then("the verifier and the pack's own script both say that it holds")
def _(state: dict[str, Any]) -> None:
    path = write(state)
    assert verify_pack(path).holds
    assert bare(TEMPLATES / "verify.py", path).returncode == 0


@then(parsers.parse('the verifier and the pack\'s own script both refuse it and name "{words}"'))
def _(state: dict[str, Any], words: str) -> None:
    path = write(state)
    failure = verify_pack(path).first_failure
    assert failure
    assert words in failure.detail
    result = bare(TEMPLATES / "verify.py", path)
    assert result.returncode == 1
    assert words in result.stdout


@when("the stranger trusts only other people than those who signed")
def _(state: dict[str, Any]) -> None:
    state["trust"] = state["path"].with_name("keys.json")
    state["trust"].write_bytes(trusted_keys([ada()]))


@then("the pack is refused because of who signed")
def _(state: dict[str, Any]) -> None:
    verdict = verify_pack(write(state), trust=state["trust"])
    assert not verdict.trusted
    assert verdict.first_failure
    assert "not among the people you trust" in verdict.first_failure.detail


@when("it is unpacked into a folder")
def _(state: dict[str, Any]) -> None:
    state["folder"] = state["path"].with_name("unpacked")
    for name, content in state["files"].items():
        path = state["folder"] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@then("the script in it verifies the folder under a bare Python")
def _(state: dict[str, Any]) -> None:
    script = state["folder"] / "data" / "verify" / "verify.py"
    assert bare(script).returncode == 0
    (state["folder"] / RESULT).write_bytes(b"{}")
    assert bare(script).returncode == 1
