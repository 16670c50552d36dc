"""Steps of features/identity.feature."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.identity.approvals import approve, check_policy, open_approval
from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.compliance.identity.register import Register
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import canonical, digest_of
from minivess.foundation.errors import InputError, RefusedError, VerificationError
from minivess.records.artifact import Artifact
from minivess.records.people.approval import Envelope, Policy
from minivess.records.people.identity import Meaning
from minivess.records.people.roles import IdentityKind, Role
from tests.support.builders.pack_builder import BEGIN, RELEASE_POLICY, ada, begin, ben, cleo, person

scenarios("identity.feature")

PASSPHRASE = "a sentence that nobody guesses"
PACK = Artifact(name="tagmanifest-sha512.txt", digest="sha256:" + "1" * 64)
SHOWN = "sha256:" + "3" * 64


@pytest.fixture
def state() -> dict[str, Any]:
    return {}


def sign(who: Signer, role: Role, meaning: Meaning) -> Envelope:
    return approve(
        who, role=role, meaning=meaning, policy=RELEASE_POLICY, subjects=[PACK], shown=SHOWN, head=4, now=BEGIN
    )


def judge(state: dict[str, Any], envelopes: list[Envelope], policy: Policy = RELEASE_POLICY) -> None:
    try:
        state["accepted"] = check_policy(policy, envelopes, [PACK], Register.fold(state["log"].entries))
    except RefusedError as error:
        state["refusal"] = error.message


@given("a keystore with the keys of a person")
def _(state: dict[str, Any], tmp_path: Path) -> None:
    state["keystore"] = Keystore(tmp_path)
    state["identity"] = state["keystore"].create("ada", "Ada", IdentityKind.PERSON, (Role.DEVELOPER,), PASSPHRASE)
    state["file"] = tmp_path / "ada.json"


@then("the right passphrase unlocks them")
def _(state: dict[str, Any]) -> None:
    assert state["keystore"].unlock("ada", PASSPHRASE).identity == state["identity"]


@then("a wrong passphrase is refused in one line with a hint")
def _(state: dict[str, Any]) -> None:
    with pytest.raises(RefusedError, match="passphrase") as caught:
        state["keystore"].unlock("ada", PASSPHRASE.upper())
    assert "\n" not in caught.value.message
    assert caught.value.hint


@then("the key file can be read by its owner alone and is wrapped with Argon2id over 64 MiB")
def _(state: dict[str, Any]) -> None:
    assert state["file"].stat().st_mode & 0o777 == 0o600
    derivation = json.loads(state["file"].read_bytes())["header"]["derivation"]
    assert (derivation["name"], derivation["memory_kib"]) == ("argon2id", 65536)


@when("an attacker rewrites the key file to use 8 KiB of memory")
def _(state: dict[str, Any]) -> None:
    file = json.loads(state["file"].read_bytes())
    file["header"]["derivation"]["memory_kib"] = 8
    del file["digest"]
    state["file"].write_bytes(canonical({**file, "digest": digest_of(file)}))


@then("unlocking is refused as damage")
def _(state: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="damaged"):
        state["keystore"].unlock("ada", PASSPHRASE)


@given("a log with a developer, a reviewer and a release manager")
def _(state: dict[str, Any]) -> None:
    state["log"] = begin()


@when("the reviewer signs a release")
def _(state: dict[str, Any]) -> None:
    state["envelope"] = sign(ben(), Role.REVIEWER, Meaning.REVIEW)


@then("the signature states name, time, meaning, role, policy, what was shown and the head of the log")
def _(state: dict[str, Any]) -> None:
    said = open_approval(state["envelope"], Register.fold(state["log"].entries))
    stated = (said.printed_name, said.time, said.meaning, said.role, said.policy, said.shown, said.head)
    assert stated == ("Benoît Müller", BEGIN, Meaning.REVIEW, Role.REVIEWER, "release", SHOWN, 4)
    assert said.subjects == (PACK,)


@when("the developer tries to sign as reviewer")
def _(state: dict[str, Any]) -> None:
    with pytest.raises(RefusedError) as caught:
        sign(ada(), Role.REVIEWER, Meaning.REVIEW)
    state["refusal"] = caught.value.message


@when("the reviewer and the release manager sign")
def _(state: dict[str, Any]) -> None:
    judge(state, [sign(ben(), Role.REVIEWER, Meaning.REVIEW), sign(cleo(), Role.RELEASE_MANAGER, Meaning.APPROVAL)])


@when("one person with both roles signs twice")
def _(state: dict[str, Any]) -> None:
    both = person("bo", "Bo", Role.REVIEWER, Role.RELEASE_MANAGER)
    state["log"].enrol(cleo(), both)
    judge(state, [sign(both, Role.REVIEWER, Meaning.REVIEW), sign(both, Role.RELEASE_MANAGER, Meaning.APPROVAL)])


@when("only the reviewer signs")
def _(state: dict[str, Any]) -> None:
    judge(state, [sign(ben(), Role.REVIEWER, Meaning.REVIEW)])


@when("the signatures are judged by a policy without rules")
def _(state: dict[str, Any]) -> None:
    judge(state, [sign(ben(), Role.REVIEWER, Meaning.REVIEW)], Policy(name="release", rules=()))


@then("the release policy is satisfied")
def _(state: dict[str, Any]) -> None:
    assert {item.signer for item in state["accepted"]} == {"ben", "cleo"}


@then(parsers.parse('it is refused with "{words}"'))
def _(state: dict[str, Any], words: str) -> None:
    assert "accepted" not in state
    assert words in state["refusal"]


@when("the release manager revokes the reviewer")
def _(state: dict[str, Any]) -> None:
    state["log"].append(cleo(), "identity.revoked", {"identity": "ben", "reason": "left"})


@then("the reviewer's key counts before that entry and not from it on")
def _(state: dict[str, Any]) -> None:
    register = Register.fold(state["log"].entries)
    index = len(state["log"].entries) - 1
    assert register.key(ben().key_id, index - 1).id == "ben"
    with pytest.raises(VerificationError, match=f"revoked at entry {index}"):
        register.key(ben().key_id, index)


@when("the developer enrols a friend as release manager")
def _(state: dict[str, Any]) -> None:
    state["log"].enrol(ada(), person("eve", "Eve", Role.RELEASE_MANAGER))


@then(parsers.parse('the log is refused with "{words}"'))
def _(state: dict[str, Any], words: str) -> None:
    with pytest.raises(VerificationError, match=words):
        Register.fold(state["log"].entries)
