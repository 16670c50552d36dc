"""The register: who counted when, and what the log may not say."""

from __future__ import annotations

import pytest

from minivess.compliance.identity.register import Register
from minivess.foundation.errors import VerificationError
from minivess.records.log.entry import Outcome
from minivess.records.people.roles import Role
from tests.support.builders.pack_builder import LogBuilder, ada, begin, ben, cleo, log_key, person, service

pytestmark = pytest.mark.verifies("REQ-009", "SU-10")


def revoke(log: LogBuilder, by: object, who: str) -> None:
    log.append(by, "identity.revoked", {"identity": who, "reason": "lost"})


def test_the_fold_knows_roots_people_and_log_key() -> None:
    register = Register.fold(begin().entries)
    assert register.roots == (cleo().identity,)
    assert register.log_key == log_key().public
    assert register.device == "vessel-segmenter"
    assert register.person("ben") == ben().identity
    assert [item.id for item in register.identities] == ["cleo", "ada", "ben", "pipeline"]
    assert not register.demo


def test_a_key_counts_from_the_entry_after_its_enrolment() -> None:
    register = Register.fold(begin().entries)
    assert register.key(ada().key_id, 2) == ada().identity
    with pytest.raises(VerificationError, match="enrolled after"):
        register.key(ada().key_id, 1)
    with pytest.raises(VerificationError, match="not enrolled"):
        register.key("0" * 64, 3)


def test_a_revoked_key_stops_counting_at_its_index() -> None:
    log = begin()
    revoke(log, cleo(), "ada")
    register = Register.fold(log.entries)
    assert register.key(ada().key_id, 3) == ada().identity
    for index in (4, 5, 1000):
        with pytest.raises(VerificationError, match="revoked at entry 4"):
            register.key(ada().key_id, index)
    with pytest.raises(VerificationError):
        register.person("ada")


def test_an_id_can_come_back_with_a_new_key_but_a_key_never() -> None:
    log = begin()
    revoke(log, cleo(), "ada")
    again = person("ada", "Ada again", Role.DEVELOPER)
    log.enrol(cleo(), again)
    assert Register.fold(log.entries).person("ada") == again.identity
    log.enrol(cleo(), person("eve", "Eve", Role.DEVELOPER))
    forged = ada().identity.model_copy(update={"id": "zoe"})
    log.append(cleo(), "identity.enrolled", {"identity": forged.model_dump(mode="json")})
    with pytest.raises(VerificationError, match="has or had"):
        Register.fold(log.entries)


def test_only_roots_and_release_managers_enrol_and_revoke() -> None:
    for who in (ada(), ben(), service("pipeline")):
        log = begin()
        log.enrol(who, person("eve", "Eve", Role.REVIEWER))
        with pytest.raises(VerificationError, match="entry 4"):
            Register.fold(log.entries)
        log = begin()
        revoke(log, who, "cleo")
        with pytest.raises(VerificationError, match="entry 4"):
            Register.fold(log.entries)


def test_nobody_revokes_themselves_or_strangers() -> None:
    for target in ("cleo", "stranger"):
        log = begin()
        revoke(log, cleo(), target)
        with pytest.raises(VerificationError, match="entry 4"):
            Register.fold(log.entries)


def test_the_log_is_created_once_by_a_root() -> None:
    log = begin()
    log.append(cleo(), "log.created", log.entries[0].body.payload)
    with pytest.raises(VerificationError, match="second time"):
        Register.fold(log.entries)
    log = LogBuilder()
    log.append(ada(), "log.created", begin().entries[0].body.payload)
    with pytest.raises(VerificationError, match="entry 0"):
        Register.fold(log.entries)


def test_demo_people_do_not_enter_a_real_log_nor_roles_another_kind() -> None:
    log = begin()
    log.enrol(cleo(), person("dora", "Dora", Role.REVIEWER, demo=True))
    with pytest.raises(VerificationError, match="demo"):
        Register.fold(log.entries)
    log = begin()
    log.enrol(cleo(), person("dan", "Dan", Role.SERVICE))
    with pytest.raises(VerificationError, match="roles"):
        Register.fold(log.entries)


def test_entries_that_did_not_complete_change_nothing() -> None:
    log = begin()
    log.append(cleo(), "identity.revoked", {}, outcome=Outcome.FAILED, error="no")
    log.append(cleo(), "identity.revoked", {"identity": "ada", "reason": "lost"}, outcome=Outcome.STARTED)
    assert Register.fold(log.entries).person("ada") == ada().identity


def test_order_is_kept() -> None:
    entries = begin().entries
    with pytest.raises(VerificationError, match="comes after"):
        Register.fold([entries[0], entries[2], entries[1]])
