"""Judging a pack, twice: by `verify_pack`, and by the pack's own verify.py under a bare Python."""

from __future__ import annotations

import random
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from minivess.compliance.proofs.archive import read_archive, write_archive
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.envelope import envelope_bytes
from minivess.compliance.verification.pack import judge_files, verify_pack
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import InputError, MinivessError
from minivess.records.artifact import Artifact
from minivess.records.log.entry import Context
from minivess.records.people.identity import Meaning
from minivess.records.people.roles import Role
from minivess.records.verdict import VerdictState
from tests.support.builders.pack_builder import (
    RUN,
    TEMPLATES,
    LogBuilder,
    ada,
    bag,
    begin,
    ben,
    cleo,
    complete_pack,
    evaluate,
    open_test_set,
    opening_grant,
    opening_request,
    payload,
    person,
    register_criteria,
    release_signature,
    service,
    sign,
    story,
    trusted_keys,
)
from tests.support.properties import given, settings
from tests.support.properties import strategies as st
from tests.support.verify_script import verify

pytestmark = pytest.mark.verifies("REQ-038", "RC-13", "SU-14")

Files = dict[str, bytes]
TAG = "tagmanifest-sha512.txt"


@cache
def good() -> Files:
    return complete_pack()


def run_script(*arguments: object) -> subprocess.CompletedProcess[str]:
    """verify.py in a process of its own, without site packages and without environment."""
    command = [sys.executable, "-I", "-S", str(TEMPLATES / "verify.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False)


def write(folder: Path, files: Files) -> Path:
    path = folder / "pack.zip"
    path.write_bytes(write_archive(files))
    return path


def first_failure(files: Files) -> str:
    """The first failing check of verify_pack's judgement; fails the test when the pack holds."""
    verdict = judge_files(files, subject="pack", container="", trusted=None)
    assert verdict.first_failure
    assert not verdict.trusted
    return f"{verdict.first_failure.name}: {verdict.first_failure.detail}"


def both_refuse(folder: Path, files: Files, *words: str) -> None:
    """Both verifiers refuse the pack, and name these words."""
    path = write(folder, files)
    verdict = verify_pack(path)
    assert verdict.first_failure
    result = run_script(path)
    assert result.returncode == 1
    assert result.stdout.splitlines()[-1].startswith("VERDICT: NOT VERIFIED: ")
    for word in words:
        assert word in verdict.first_failure.detail
        assert word in result.stdout


def resign(files: Files) -> Files:
    """What insiders with all signing keys could do after a change: bag and sign again."""
    return sign(bag(files))


def test_a_complete_pack_holds(tmp_path: Path) -> None:
    path = write(tmp_path, good())
    verdict = verify_pack(path)
    assert verdict.state is VerdictState.LIMITED
    assert not verdict.limits
    assert not verdict.trusted
    trust = tmp_path / "keys.json"
    trust.write_bytes(trusted_keys())
    assert verify_pack(path, trust=trust).trusted


@pytest.mark.verifies("REQ-039")
def test_the_script_says_the_same_under_a_bare_python(tmp_path: Path) -> None:
    path = write(tmp_path, good())
    result = run_script(path)
    assert (result.returncode, result.stderr) == (1, "")
    limited = "VERDICT: LIMITED: every check passed; not checked in a pack of layout 1: "
    assert result.stdout.splitlines()[-1].startswith(limited)
    assert "keys: the pack's own keys" in result.stdout
    assert run_script(path, "--allow-layout", 1).returncode == 0
    assert run_script(path, "--allow-layout", 2).returncode == 1
    trust = tmp_path / "keys.json"
    trust.write_bytes(trusted_keys())
    told = run_script(path, "--trust", trust, "--allow-layout", 1)
    assert told.returncode == 0
    assert f"keys: the trust file keys.json ({digest_bytes(trusted_keys())[:19]})" in told.stdout


@pytest.mark.verifies("REQ-039")
def test_an_unpacked_pack_verifies_from_within(tmp_path: Path) -> None:
    for name, content in good().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    inside = [sys.executable, "-I", "-S", str(tmp_path / "data/verify/verify.py"), "--allow-layout", "1"]
    assert subprocess.run(inside, capture_output=True, check=False).returncode == 0
    assert verify_pack(tmp_path).first_failure is None
    (tmp_path / "data/index.html").write_bytes(b"other")
    assert subprocess.run(inside, capture_output=True, check=False).returncode == 1
    assert verify_pack(tmp_path).first_failure is not None


@pytest.mark.verifies("REQ-039")
def test_the_steps_by_hand_work(tmp_path: Path) -> None:
    for name, content in good().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    text = (TEMPLATES / "VERIFY.md").read_text(encoding="utf-8")
    steps = "\n".join(part.split("```")[0] for part in text.split("```bash\n")[1:])

    def by_hand() -> subprocess.CompletedProcess[str]:
        return subprocess.run(["bash", "-c", steps], cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)

    done = by_hand()
    assert done.stderr == ""
    for words, count in {
        "digests: OK": 1,
        "nothing added: OK": 1,
        "Verified OK": 3,
        "key id: OK": 2,
        "signed this pack: OK": 2,
        "Signature Verified Successfully": 1,
        "number of entries: OK": 1,
        "Merkle root: OK": 1,
        "recorded: ": 4,
        "details compared": 1,
        "erased or changed": 0,
    }.items():
        assert done.stdout.count(words) == count, words
    entries = tmp_path / "data/audit/entries.jsonl"
    entries.write_bytes(entries.read_bytes().replace(b"pipeline", b"pipelinE"))
    changed = by_hand().stdout
    assert "digests: OK" not in changed
    assert "Merkle root: OK" not in changed


def test_any_flipped_byte_of_the_archive_fails(tmp_path: Path) -> None:
    data = write_archive(good())
    chance = random.Random(7)  # noqa: S311
    positions = {0, 1, 10, len(data) - 1, len(data) - 22, *chance.sample(range(len(data)), 250)}
    path = tmp_path / "pack.zip"
    for position in sorted(positions):
        changed = bytearray(data)
        changed[position] ^= 1 << chance.randrange(8)
        path.write_bytes(bytes(changed))
        if position < 4:
            with pytest.raises(InputError, match="zip"):
                verify_pack(path)
        else:
            assert verify_pack(path).first_failure is not None
        with pytest.raises((verify.WrongError, UnicodeDecodeError)):
            verify.read_zip(bytes(changed))


@pytest.mark.verifies("REQ-039")
def test_the_script_as_a_program_fails_on_flipped_bytes(tmp_path: Path) -> None:
    data = write_archive(good())
    for position in random.Random(8).sample(range(len(data)), 12):  # noqa: S311
        changed = bytearray(data)
        changed[position] ^= 0x20
        (tmp_path / "pack.zip").write_bytes(bytes(changed))
        assert run_script(tmp_path / "pack.zip").returncode == 1


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_flipped_bit_of_any_file_fails_in_a_fresh_archive(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(name for name in good() if good()[name])))
    content = bytearray(good()[name])
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    changed = {**good(), name: bytes(content)}
    assert judge_files(changed, subject="", container="", trusted=None).first_failure is not None
    assert script_refuses(changed)


def test_every_bit_of_a_signature_file_counts() -> None:
    """No manifest covers these files, so their own form must: padding bits and key ids too."""
    name = "signatures/ben.dsse.json"
    size = len(good()[name])
    for position in sorted({*range(0, size, 29), *range(size - 12, size)}):
        content = bytearray(good()[name])
        content[position] ^= 1 << position % 8
        assert first_failure({**good(), name: bytes(content)}).startswith("release signatures")
    whole = good()[name]
    for changed_content in (whole + b"\n", b" " + whole, whole.replace(b",", b", ", 1)):
        assert script_refuses({**good(), name: changed_content})
        assert first_failure({**good(), name: changed_content})


@pytest.mark.verifies("REQ-039")
def test_the_script_too_counts_every_byte_of_a_signature_file() -> None:
    name = "signatures/cleo.dsse.json"
    for position in range(0, len(good()[name]), 13):
        content = bytearray(good()[name])
        content[position] ^= 1
        with pytest.raises((verify.WrongError, ValueError, KeyError, TypeError)):
            judged({**good(), name: bytes(content)}).check_signatures()


def test_any_dropped_file_is_named(tmp_path: Path) -> None:
    for name in good():
        files = {key: value for key, value in good().items() if key != name}
        detail = first_failure(files)
        if name.startswith("signatures/"):
            assert "a signature is missing" in detail
        else:
            assert f"{name} is missing" in detail
        assert script_refuses(files)
    both_refuse(tmp_path, {k: v for k, v in good().items() if k != "data/models/model.onnx"}, "data/models/model.onnx")


def test_any_added_file_is_named(tmp_path: Path) -> None:
    for name in ("data/extra.txt", "extra.txt", "signatures/extra.pem", "data/audit/proofs/99.tlog-proof"):
        both_refuse(tmp_path, {**good(), name: b"x"}, name)


def test_a_removed_entry_is_named_even_when_insiders_sign_again(tmp_path: Path) -> None:
    lines = good()["data/audit/entries.jsonl"].splitlines(keepends=True)
    for index in range(len(lines)):
        files = {**good(), "data/audit/entries.jsonl": b"".join(lines[:index] + lines[index + 1 :])}
        assert "data/audit/entries.jsonl is changed" in first_failure(files)
        again = resign(files)
        assert f"entry {index} is missing" in first_failure(again)
        assert script_refuses(again)
    files = {**good(), "data/audit/entries.jsonl": b"".join(lines[:4] + lines[5:])}
    both_refuse(tmp_path, resign(files), "entry 4")


def test_signatures_that_are_swapped_missing_or_by_one_person(tmp_path: Path) -> None:
    first, second = "signatures/ben.dsse.json", "signatures/cleo.dsse.json"
    both_refuse(tmp_path, {**good(), first: good()[second], second: good()[first]}, "holds the signature of")
    both_refuse(tmp_path, {**good(), second: good()[first]}, "ben signed twice")
    both_refuse(tmp_path, {key: value for key, value in good().items() if key != first}, "review")
    unsigned = {key: value for key, value in good().items() if not key.startswith("signatures/")}
    both_refuse(tmp_path, unsigned, "not signed")


def test_one_person_with_two_roles_cannot_release_alone(tmp_path: Path) -> None:
    both = person("bo", "Bo", Role.REVIEWER, Role.RELEASE_MANAGER)
    log = story()
    log.enrol(cleo(), both)
    files = bag(payload(log))
    review = release_signature(files, both, Meaning.REVIEW, head=99, role=Role.REVIEWER)
    approval = release_signature(files, both, Meaning.APPROVAL, head=99, role=Role.RELEASE_MANAGER)
    files["signatures/bo.dsse.json"] = envelope_bytes(review)
    files["signatures/bo2.dsse.json"] = envelope_bytes(approval)
    both_refuse(tmp_path, files, "bo signed twice")


def test_signatures_of_another_pack_or_an_older_log_do_not_count(tmp_path: Path) -> None:
    other = sign(bag({**payload(story()), "data/index.html": b"another"}))
    stolen = {**good(), **{key: value for key, value in other.items() if key.startswith("signatures/")}}
    assert "something else" in first_failure(stolen) or "not enrolled" in first_failure(stolen)
    both_refuse(tmp_path, sign(bag(payload(story())), head=3), "older")


def test_a_release_policy_of_one_signature_is_no_policy(tmp_path: Path) -> None:
    files = payload(story())
    rule = {"role": "independent-reviewer", "meaning": "review"}
    files["data/release/policy.json"] = canonical({"policy": {"name": "release", "rules": [rule]}, "gates": []})
    both_refuse(tmp_path, resign(files), "fewer than two")


def test_a_result_without_an_entry_is_named(tmp_path: Path) -> None:
    files = payload(story())
    files["data/evaluation/evaluation.json"] = b'{"dice":0.99}'
    both_refuse(tmp_path, resign(files), "data/evaluation/evaluation.json has no entry")
    files = payload(story())
    files["data/lineage/events.jsonl"] = b""
    both_refuse(tmp_path, resign(files), "entry 5 has no event")


def test_the_odometer_must_agree_with_the_log(tmp_path: Path) -> None:
    both_refuse(tmp_path, resign(payload(story(), openings=0)), "odometer.json does not state")
    second = story()
    open_test_set(second, opening_request("opening-2"))
    assert verify_pack(write(tmp_path, resign(payload(second, openings=2)))).first_failure is None
    both_refuse(tmp_path, resign(payload(second)), "2 look(s)")


def open_wrongly(log: LogBuilder, step: str) -> None:
    """An opening that was granted, and is another than was granted."""
    request = opening_request()
    if step == "expired":
        request = request.model_copy(update={"expires": log.entries[0].body.time})
    register_criteria(log)
    if step == "a look too many":
        for number in range(3):
            open_test_set(log, opening_request(f"opening-{number}"))
        return
    log.append(ada(), "test-set.request", {"request": request.model_dump(mode="json")})
    log.append(ben(), "test-set.approve", {"grant": opening_grant(request, ben()).model_dump(mode="json")})
    model = digest_bytes(b"another model") if step == "model" else request.model
    who = cleo() if step == "by another person" else ada()
    log.append(who, "test-set.open", {"request": request.id}, context=Context(model=model, openlineage_run=RUN))


def opening_without(step: str) -> Files:
    """A signed pack of insiders whose log breaks one rule of the test set."""
    log, request = begin(), opening_request()
    if step == "approved by the requester":
        request = opening_request(requester="bo")
        bo = person("bo", "Bo", Role.REVIEWER, Role.DEVELOPER)
        log.enrol(cleo(), bo)
        register_criteria(log)
        log.append(bo, "test-set.request", {"request": request.model_dump(mode="json")})
        log.append(bo, "test-set.approve", {"grant": opening_grant(request, bo).model_dump(mode="json")})
    elif step == "in another's name":
        register_criteria(log)
        log.append(cleo(), "test-set.request", {"request": request.model_dump(mode="json")})
    elif step == "criteria":
        open_test_set(log, request)
        register_criteria(log)
    elif step == "approval":
        register_criteria(log)
        log.append(ada(), "test-set.request", {"request": request.model_dump(mode="json")})
        log.append(ada(), "test-set.open", {"request": request.id})
    elif step == "request":
        register_criteria(log)
        log.append(ada(), "test-set.open", {"request": request.id})
    elif step == "another request":
        register_criteria(log)
        log.append(ada(), "test-set.request", {"request": request.model_dump(mode="json")})
        other = request.model_copy(update={"model": digest_bytes(b"another model")})
        log.append(ben(), "test-set.approve", {"grant": opening_grant(other, ben()).model_dump(mode="json")})
    elif step == "once":
        register_criteria(log)
        open_test_set(log, request)
        log.append(ada(), "test-set.open", {"request": request.id})
    elif step == "evaluation without opening":
        evaluate(log, request)
    else:
        open_wrongly(log, step)
    results = [
        Artifact(name=name, digest=digest_bytes(content))
        for name, content in payload(log).items()
        if name.startswith(("data/datasets", "data/models", "data/evaluation", "data/verification"))
    ]
    counts = {"passed": 3, "failed": 0, "skipped": 0, "tree": digest_bytes(b"tree")}
    log.append(service("pipeline"), "scenarios", counts, outputs=results)
    return resign(payload(log))


@pytest.mark.parametrize(
    "step",
    [
        "approved by the requester",
        "in another's name",
        "criteria",
        "approval",
        "request",
        "another request",
        "once",
        "model",
        "by another person",
        "a look too many",
        "expired",
        "evaluation without opening",
    ],
)
def test_the_test_set_was_used_by_the_rules(step: str, tmp_path: Path) -> None:
    files = opening_without(step)
    assert first_failure(files).startswith("test-set odometer: entry ")
    path = write(tmp_path, files)
    result = run_script(path)
    assert result.returncode == 1
    assert "FAIL  test-set odometer   entry " in result.stdout


@pytest.mark.verifies("REQ-009")
def test_a_signer_who_was_revoked_before_the_release_does_not_count(tmp_path: Path) -> None:
    log = story()
    log.append(cleo(), "identity.revoked", {"identity": "ben", "reason": "left"})
    both_refuse(tmp_path, resign(payload(log)), "revoked")


def test_trust_is_the_verifiers_own(tmp_path: Path) -> None:
    path, trust = write(tmp_path, good()), tmp_path / "keys.json"
    trust.write_bytes(trusted_keys([ada(), ben()]))
    verdict = verify_pack(path, trust=trust)
    assert verdict.first_failure is not None
    assert not verdict.trusted
    assert "cleo" in (verdict.first_failure.detail if verdict.first_failure else "")
    assert run_script(path, "--trust", trust).returncode == 1
    trust.write_bytes(b"{}")
    with pytest.raises(InputError):
        verify_pack(path, trust=trust)
    assert run_script(path, "--trust", trust).returncode == 2


def test_what_is_no_pack_gets_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "pack.zip"
    for content in (b"", b"no zip", b"\x00" * 1000):
        path.write_bytes(content)
        with pytest.raises(MinivessError):
            verify_pack(path)
        assert run_script(path).returncode == 1
    with pytest.raises(InputError):
        verify_pack(tmp_path / "nothing.zip")
    assert run_script(tmp_path / "nothing.zip").returncode == 2
    (tmp_path / "empty").mkdir()
    assert verify_pack(tmp_path / "empty").first_failure is not None
    path.write_bytes(write_archive({"hello.txt": b"hello"}))
    assert verify_pack(path).first_failure is not None
    assert run_script(path).returncode == 1


def test_reading_back_what_was_written() -> None:
    assert read_archive(write_archive(good())) == dict(sorted(good().items()))


def judged(files: Files) -> Any:
    """A pack as the script has it once it judged its log."""
    pack = verify.Pack(files, None)
    pack.check_log()
    return pack


def script_refuses(files: Files) -> bool:
    """Whether the script's checks, run as a module, refuse these files."""
    return not all(held for _, held, _ in verify.Judgement(None).judge(files).checks)
