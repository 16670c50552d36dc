"""Steps of features/proofs.feature."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.identity.keys import generate
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.checkpoint import sign_note
from minivess.compliance.proofs.merkle import consistency_proof, leaf_hash, root, tree_of, verify_consistency
from minivess.compliance.verification.log import verify_entries
from minivess.compliance.verification.receipt import verify_receipt
from minivess.foundation.errors import VerificationError
from minivess.records.people.identity import KeyAlgorithm
from tests.support.builders.pack_builder import log_key, service, story

scenarios("proofs.feature")


@pytest.fixture
def state() -> dict[str, Any]:
    return {}


@given("a log of a whole development story with its signed checkpoint")
def _(state: dict[str, Any]) -> None:
    log = story()
    state.update(log=log, lines=log.pairs, checkpoint=log.checkpoint)


@when(parsers.parse("an attacker removes entry {index:d}"))
def _(state: dict[str, Any], index: int) -> None:
    del state["lines"][index]


@when("an attacker removes the last entry")
def _(state: dict[str, Any]) -> None:
    state["lines"].pop()


@when(parsers.parse("an attacker swaps entries {first:d} and {second:d}"))
def _(state: dict[str, Any], first: int, second: int) -> None:
    lines = state["lines"]
    lines[first], lines[second] = lines[second], lines[first]


@when(parsers.parse("an attacker repeats entry {index:d}"))
def _(state: dict[str, Any], index: int) -> None:
    state["lines"].insert(index + 1, state["lines"][index])


@when(parsers.parse("an attacker rewrites the payload of entry {index:d}"))
def _(state: dict[str, Any], index: int) -> None:
    value = json.loads(state["lines"][index][0])
    value["body"]["payload"]["passed"] = 1000
    state["lines"][index] = (canonical(value), None)


@when("an attacker lets the actor of the last entry sign another")
def _(state: dict[str, Any]) -> None:
    log = state["log"]
    last = log.entries.pop()
    log.details.pop()
    log.append(service("pipeline"), "scenarios", {**last.body.payload, "passed": 1000})
    state["lines"] = log.pairs


@when("an attacker signs the checkpoint with another key")
def _(state: dict[str, Any]) -> None:
    state["checkpoint"] = sign_note(state["log"].head, generate(KeyAlgorithm.ED25519))


@when("a user verifies the log")
def _(state: dict[str, Any]) -> None:
    state["checks"] = verify_entries(state["lines"], state["checkpoint"], trust=log_key().public)[0]


@when(parsers.parse("the receipt of entry {index:d} is verified with the keys alone"))
def _(state: dict[str, Any], index: int) -> None:
    receipt = state["log"].receipt(index)
    state["checks"] = verify_receipt(receipt, log_key=log_key().public, actor=service("pipeline").public).checks


@when(parsers.parse("the receipt of entry {index:d} is verified with the text of entry {other:d} in it"))
def _(state: dict[str, Any], index: int, other: int) -> None:
    receipt = state["log"].receipt(index).model_copy(update={"entry": state["log"].receipt(other).entry})
    state["checks"] = verify_receipt(receipt, log_key=log_key().public, actor=service("pipeline").public).checks


@then("every check holds")
def _(state: dict[str, Any]) -> None:
    assert state["checks"]
    assert all(check.passed for check in state["checks"])


@then(parsers.parse('the verification fails and says "{words}"'))
def _(state: dict[str, Any], words: str) -> None:
    failed = [check for check in state["checks"] if not check.passed]
    assert words in failed[0].detail


@then(parsers.parse("the log of {size:d} entries is proven to be its beginning"))
def _(state: dict[str, Any], size: int) -> None:
    hashes = [leaf_hash(line) for line, _ in state["lines"]]
    verify_consistency(
        size, len(hashes), consistency_proof(tree_of(hashes), size, len(hashes)), root(hashes[:size]), root(hashes)
    )


@then(parsers.parse("a log of {size:d} entries with other content is not"))
def _(state: dict[str, Any], size: int) -> None:
    hashes = [leaf_hash(line) for line, _ in state["lines"]]
    other = root([leaf_hash(b"other")] * size)
    with pytest.raises(VerificationError):
        verify_consistency(
            size, len(hashes), consistency_proof(tree_of(hashes), size, len(hashes)), other, root(hashes)
        )
