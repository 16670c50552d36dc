"""Steps of features/pack_verification.feature."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.main import app
from minivess.compliance.proofs.archive import write_archive
from minivess.compliance.release.lineage_events import EVENTS
from minivess.compliance.verification.pack import verify_pack
from minivess.compliance.verification.pack_checks.lineage import check_lineage
from minivess.foundation.errors import VerificationError
from minivess.records.log.entry import Context, Outcome
from tests.support import earlier
from tests.support.builders.pack_builder import (
    RUN,
    TEMPLATES,
    ada,
    bag,
    begin,
    complete_pack,
    events,
    open_test_set,
    opening_request,
    payload,
    service,
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
    assert verify_pack(path).first_failure is None
    assert bare(TEMPLATES / "verify.py", path, "--allow-layout", "1").returncode == 0


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
    assert bare(script, "--allow-layout", "1").returncode == 0
    (state["folder"] / RESULT).write_bytes(b"{}")
    assert bare(script).returncode == 1


@when("it is unpacked into a folder by other programs")
def _(state: dict[str, Any]) -> None:
    archive, folder = write(state), state["path"].with_name("unpacked")
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder / "python")
    shutil.copytree(folder / "python", folder / "copied", copy_function=shutil.copyfile)
    for item in (folder / "copied").rglob("*"):
        item.chmod(0o755)
    (folder / "copied" / "empty").mkdir()
    state["folders"] = [folder / "python", folder / "copied"]
    for name, command in (
        ("unzip", ["unzip", "-q", str(archive), "-d"]),
        ("bsdtar", ["bsdtar", "-xf", str(archive), "-C"]),
        ("7z", ["7z", "x", str(archive), "-o"]),
    ):
        if shutil.which(name):
            (folder / name).mkdir()
            target = [command[-1] + str(folder / name)] if name == "7z" else [command[-1], str(folder / name)]
            subprocess.run([*command[:-1], *target], check=True, capture_output=True)
            state["folders"].append(folder / name)


@then("the verifier finds nothing wrong in the folder")
def _(state: dict[str, Any]) -> None:
    for folder in state["folders"]:
        verdict = verify_pack(folder)
        assert verdict.first_failure is None, (folder, verdict.first_failure)
        assert verdict.state is verify_pack(state["path"]).state
        shown = CliRunner().invoke(app, ["release", "verify", str(folder), "--allow-layout", "1"])
        assert shown.exit_code == 0, shown.output
        assert "ok   archive: an unpacked folder" in shown.stdout


@then(parsers.parse('the verifier refuses the folder with one byte more in "{name}" and names it'))
def _(state: dict[str, Any], name: str) -> None:
    for folder in state["folders"]:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content + b"\0")
        shown = CliRunner().invoke(app, ["release", "verify", str(folder), "--allow-layout", "1"])
        assert shown.exit_code == 1
        assert f"FAIL bag: {name} is changed" in shown.stdout
        (folder / name).write_bytes(content)


@then(parsers.parse('the verifier refuses the folder with one file more in "{name}" and names it'))
def _(state: dict[str, Any], name: str) -> None:
    for folder in state["folders"]:
        (folder / name).write_bytes(b"more")
        shown = CliRunner().invoke(app, ["release", "verify", str(folder), "--allow-layout", "1"])
        assert shown.exit_code == 1
        assert f"FAIL bag: {name} is unexpected" in shown.stdout


@given("the evidence pack that version 0.1.0 wrote")
def _(state: dict[str, Any]) -> None:
    state["path"] = earlier.FOLDER / "evidence.zip"


def judged(state: dict[str, Any], *options: str) -> Result:
    if "files" in state:
        write(state)
    return CliRunner().invoke(app, ["release", "verify", str(state["path"]), *options])


@when('the command "release verify" judges it')
def _(state: dict[str, Any]) -> None:
    state["shown"] = judged(state)


@then(
    "its last line is LIMITED and names chain, files, source, soup, figures, gates, signing text, lineage and logged signatures",
)
def _(state: dict[str, Any]) -> None:
    assert state["shown"].stdout.splitlines()[-1] == (
        "LIMITED: every check passed; not checked in a pack of layout 1: "
        "chain, files, source, soup, figures, gates, signing text, lineage, logged signatures"
    )


@then("its exit code is 1, and 0 when layout 1 is allowed")
def _(state: dict[str, Any]) -> None:
    assert state["shown"].exit_code == 1
    assert judged(state, "--allow-layout", "1").exit_code == 0
    assert judged(state, "--allow-layout", "2").exit_code == 1
    for options, code in (((), 1), (("--allow-layout", "1"), 0)):
        assert bare(TEMPLATES / "verify.py", state["path"], *options).returncode == code
    read = json.loads(judged(state, "--json").stdout)
    assert (read["state"], read["layout"], read["holds"]) == ("LIMITED", 1, False)
    assert "signing text" in read["unchecked"]


@then("its exit code is 1 when layout 1 is allowed and the trust file names no release rules")
def _(state: dict[str, Any]) -> None:
    shown = judged(state, "--allow-layout", "1", "--trust", str(earlier.FOLDER / "trust.json"))
    assert shown.exit_code == 1
    assert "the trust file names no release rules" in shown.stdout.splitlines()[-1]


@then("it says that it used the pack's own keys")
def _(state: dict[str, Any]) -> None:
    assert "keys: the pack's own keys\n" in state["shown"].stdout


@when('the command "release verify" judges it with a trust file')
def _(state: dict[str, Any]) -> None:
    state["trust"] = state["path"].with_name("keys.json")
    state["trust"].write_bytes(trusted_keys())
    state["shown"] = judged(state, "--trust", str(state["trust"]))


@then("it names the trust file and the first twelve digits of its digest")
def _(state: dict[str, Any]) -> None:
    digits = hashlib.sha256(trusted_keys()).hexdigest()[:12]
    assert f"keys: the trust file keys.json (sha256:{digits})\n" in state["shown"].stdout


@when("the receiver requires layout 2")
def _(state: dict[str, Any]) -> None:
    state["trust"] = state["path"].with_name("keys.json")
    state["trust"].write_bytes(trusted_keys(layout=2))


@then("the pack is refused because it is of layout 1, also when layout 1 is allowed")
def _(state: dict[str, Any]) -> None:
    verdict = verify_pack(write(state), trust=state["trust"])
    assert verdict.first_failure
    assert verdict.first_failure.name == "layout"
    assert "the pack is of layout 1, and the trust file asks for 2" in verdict.first_failure.detail
    assert not verdict.accepted(least_layout=1)


def deep(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


def in_info(change: Callable[[bytes], bytes]) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    """A change of `bag-info.txt`, with the tag manifest over it."""

    def bent(files: dict[str, bytes]) -> dict[str, bytes]:
        info, tag = "bag-info.txt", "tagmanifest-sha512.txt"
        changed = change(files[info])
        old, new = (hashlib.sha512(content).hexdigest().encode() for content in (files[info], changed))
        return {**files, info: changed, tag: files[tag].replace(old, new)}

    return bent


def in_file(name: str, change: Callable[[bytes], bytes]) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda files: bag({**files, name: change(files[name])})


TWO_WAYS: dict[str, Callable[[dict[str, bytes]], dict[str, bytes]]] = {
    "states the looks twice in one file": in_file(
        "data/evaluation/odometer.json", lambda _: b'{"openings":9,"openings":1}'
    ),
    "adds an unknown field to the signature policy": in_file(
        "data/release/policy.json", lambda text: text.replace(b'{"name"', b'{"also":1,"name"')
    ),
    "nests the signature policy too deep": in_file(
        "data/release/policy.json", lambda text: text.replace(b'"gates":[]', b'"gates":' + deep(40))
    ),
    "writes a lineage event in another encoding": in_file(EVENTS, lambda text: text.replace(b"START", b"ST\xc4RT")),
    "writes a run id twice in one event": in_file(
        EVENTS, lambda text: text.replace(b'"COMPLETE","run":{', b'"COMPLETE","run":{"runId":"another",')
    ),
    "adds the start page in capital letters": lambda files: bag({**files, "data/INDEX.HTML": b"another page"}),
    "leaves the Payload-Oxum out": in_info(lambda text: text[: text.index(b"Payload-Oxum")]),
    "states another Payload-Oxum": in_info(lambda text: text[: text.index(b"Payload-Oxum")] + b"Payload-Oxum: 1.1\n"),
    "states the Payload-Oxum twice": in_info(lambda text: text + text[text.index(b"Payload-Oxum") :]),
    "writes bag-info.txt in another encoding": in_info(lambda text: text + b"Contact-Name: Bj\xf6rn\n"),
}


@when(parsers.parse("a builder of packs {change} and gets all signatures again"))
def _(state: dict[str, Any], change: str) -> None:
    state["files"] = sign(TWO_WAYS[change](state["files"]))


@then(parsers.parse('the verifier refuses it and names "{words}", and the pack\'s own script refuses it too'))
def _(state: dict[str, Any], words: str) -> None:
    # names that differ in case alone cannot be in an archive of this program: a folder can have them
    folder = state["path"].with_name("unpacked")
    for name, content in state["files"].items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    failure = verify_pack(folder).first_failure
    assert failure
    assert words in failure.detail
    result = bare(TEMPLATES / "verify.py", folder)
    assert result.returncode == 1
    assert re.split(r"[: ]", words)[0] in result.stdout


@given("the log and the lineage events of a pack")
def _(state: dict[str, Any]) -> None:
    log, run = begin(), Context(openlineage_run=RUN)
    start = log.append(service("pipeline"), "training", {}, outcome=Outcome.STARTED, context=run).body.index
    for outcome, done in ((Outcome.FAILED, {}), (Outcome.COMPLETED, {"architecture": "segresnet", "steps": 1})):
        log.append(service("pipeline"), "training", done, outcome=outcome, context=run, started=start)
    state.update(entries=log.entries, lines=events(log).splitlines(keepends=True))


def bent_lines(lines: list[bytes], change: str) -> list[bytes]:
    first, second, third = lines
    return {
        "nothing is changed": [first, second, third],
        "the event of the failed run is left out": [first, third],
        "a failed run is shown as completed": [first, second.replace(b"FAIL", b"ABORT"), third],
        "an event is repeated": [first, second, third, second],
        "an event of another run is added": [first, second, third, third.replace(b"0001", b"0002")],
        "a line is half an event": [first, second, b'{"eventType":"COMPLETE","run":{}}\n'],
        "the last line is cut off": [first, second, third[:-1]],
    }[change]


@when(parsers.parse("the lineage is changed so that {change}"))
def _(state: dict[str, Any], change: str) -> None:
    state["lines"] = bent_lines(state["lines"], change)


@then(parsers.parse('the lineage check names "{words}"'))
def _(state: dict[str, Any], words: str) -> None:
    try:
        found = check_lineage({EVENTS: b"".join(state["lines"])}, state["entries"])
    except VerificationError as refused:
        found = refused.message
    assert words in found
