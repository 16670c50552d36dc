"""Everything that relied on a key is listed, with the reason, and nothing else."""

from __future__ import annotations

import pytest

from minivess.compliance.audit.blast_radius import blast_radius, resolve_key
from minivess.compliance.identity.register import Register
from minivess.foundation.errors import UsageError
from minivess.records.people.roles import Role
from tests.support.builders.pack_builder import (
    ada,
    begin,
    ben,
    cleo,
    made,
    open_test_set,
    opening_request,
    person,
    service,
    story,
)

pytestmark = pytest.mark.verifies("REQ-059", "SU-13")


def test_what_an_approver_signed_reaches_the_evaluation_but_not_the_training() -> None:
    log = story()
    register = Register.fold(log.entries)
    found = blast_radius(log.entries, ben().key_id, register)
    assert {one.action: one.why for one in found.reliances} == {
        "test-set.approve": "signed with this key",
        "test-set.open": "continues what entry 10 allowed",
        "evaluation": "continues what entry 11 allowed",
    }
    assert (found.identity, found.start, found.end, found.releases) == ("ben", 3, None, ())


def test_what_a_pipeline_made_is_followed_into_the_releases() -> None:
    log = begin()
    log.append(
        service("pipeline"), "training", {"architecture": "x", "steps": 1}, outputs=made("data/models/model.onnx")
    )
    log.append(ada(), "ensemble", {"members": 1, "rule": "mean"}, inputs=tuple(made("data/models/model.onnx")))
    log.append(ada(), "data.ingest", {"dataset": "other", "cases": 1})
    digest = f"sha256:{'1' * 64}"
    log.append(cleo(), "release.build", {"version": "1.0", "tag_manifest": digest, "gates": 1, "files": 1})
    log.append(cleo(), "identity.revoked", {"identity": "pipeline", "reason": "stolen"})
    found = blast_radius(log.entries, service("pipeline").key_id, Register.fold(log.entries))
    assert [(one.index, one.why) for one in found.reliances] == [
        (4, "signed with this key"),
        (5, "uses what entry 4 made"),
        (7, "its pack contains the log, with 2 entries that relied on the key"),
    ]
    assert found.end == 8
    assert dict(found.releases) == {"1.0": "entry 7: its pack contains the log, with 2 entries that relied on the key"}


def test_whom_a_stolen_root_let_in_is_reached_too() -> None:
    log = begin()
    eve = person("eve", "Eve", Role.DEVELOPER)
    log.enrol(cleo(), eve)
    log.append(eve, "criteria.register", {"criteria": []})
    found = blast_radius(log.entries, cleo().key_id, Register.fold(log.entries))
    assert [one.index for one in found.reliances] == [0, 1, 2, 3, 4, 5]
    assert found.reliances[-1].why == "signed with a key that entry 4 let in"


def test_an_opening_is_reached_from_its_approver_alone() -> None:
    log, request = begin(), opening_request()
    open_test_set(log, request)
    found = blast_radius(log.entries, ada().key_id, Register.fold(log.entries))
    assert [one.action for one in found.reliances] == ["test-set.request", "test-set.open"]


def test_a_key_is_named_by_what_people_have_of_it() -> None:
    register = Register.fold(story().entries)
    key = ben().key_id
    assert resolve_key(register, "ben") == resolve_key(register, key) == resolve_key(register, key[:8].upper()) == key
    for text in ("nobody", key[:7], ""):
        with pytest.raises(UsageError, match="names no key"):
            resolve_key(register, text)
