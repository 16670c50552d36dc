"""Logs that break the rules of `identity.register`, `identity.roots` and `rules.adoption`, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from minivess.compliance.identity.keys import PrivateKey, generate
from minivess.compliance.identity.register import Register
from minivess.compliance.identity.roots import Roots
from minivess.compliance.identity.signer import Signer
from minivess.compliance.identity.tenure import possession_statement
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.rules.actions import table
from minivess.compliance.rules.adoption import sign_adoption
from minivess.foundation.digests import digest_bytes
from minivess.records.log.entry import Outcome
from minivess.records.people.identity import Identity, KeyAlgorithm
from minivess.records.people.roles import Role
from tests.support.builders.guarded_log import GuardedLog
from tests.support.builders.pack_builder import BEGIN, ada, ben, cleo, log_key, person, service
from tests.yardstick import story
from tests.yardstick.cases.case import (
    Case,
    Words,
    log_signer,
    note_over,
    of,
    people,
    refused,
    roots_entry,
    under,
    with_key,
)


def _rotation(log: GuardedLog, who: Signer, new: Signer, *, shown_by: Signer | None = None) -> None:
    shown = (shown_by or new).sign(possession_statement(log.origin, who.identity.id, who.key_id, new.key_id))
    payload = {"identity": new.identity.model_dump(mode="json"), "possession": to_base64(shown)}
    log.append(who, "identity.rotated", payload)


def of_people() -> Iterator[Case]:
    """The rules of `identity.register`, each broken once by the last entry."""
    zoe = person("zoe", "Zoe", Role.DEVELOPER)
    fresh = with_key(ada())
    other_key = generate(KeyAlgorithm.ED25519)
    stranger = person("stranger", "Stranger", Role.RELEASE_MANAGER)
    boss = person("boss", "Boss", Role.RELEASE_MANAGER)
    steps: dict[str, tuple[Callable[[GuardedLog], Any], Words]] = {
        "a log is created twice": (lambda log: log.create(cleo()), ("creates the log a second time",)),
        "a key is enrolled twice": (
            lambda log: log.enrol(cleo(), under(ada(), id="ada-2", name="Ada Second")),
            ("enrols a key that ada has or had",),
        ),
        "an id is enrolled twice": (lambda log: log.enrol(cleo(), with_key(ada())), ("enrols ada twice",)),
        "a name is enrolled twice": (
            lambda log: log.enrol(cleo(), person("ada-3", "ADA  lovelace", Role.REVIEWER)),
            ("one person, one key",),
        ),
        "the key of the log is enrolled": (
            lambda log: log.enrol_service(
                cleo(), Signer(log_signer().identity.model_copy(update={"id": "x"}), log_key()), "inference"
            ),
            ("enrols a key of the log itself",),
        ),
        "somebody is enrolled as the log": (
            lambda log: log.enrol_service(cleo(), under(service("pipeline"), id="log"), "inference"),
            ("enrols log twice",),
        ),
        "a service is enrolled for nothing": (
            lambda log: log.enrol(cleo(), service("pipeline")),
            ("a service is enrolled for named actions",),
        ),
        "a person is enrolled for named actions": (
            lambda log: log.enrol_service(cleo(), zoe, "inference"),
            ("and a person for none",),
        ),
        "a restore at another size": (
            lambda log: log.append(cleo(), "log.restored", _restored(log, size=99)),
            ("follows other entries than those before it",),
        ),
        "a restore gives up what is no checkpoint": (
            lambda log: log.append(cleo(), "log.restored", _restored(log, note="nonsense")),
            ("gives up a checkpoint that is malformed",),
        ),
        "a restore to another root": (
            lambda log: log.append(cleo(), "log.restored", _restored(log) | {"root": to_base64(bytes(32))}),
            ("log.restored",),
        ),
        "a restore gives up what the log did not sign": (
            lambda log: log.append(
                cleo(), "log.restored", _restored(log, note=note_over(log.pairs, generate(KeyAlgorithm.ED25519)))
            ),
            ("gives up a checkpoint that this log did not sign",),
        ),
        "a person is enrolled as a service": (
            lambda log: log.enrol_service(cleo(), under(service("pipeline"), roles=(Role.DEVELOPER,)), "inference"),
            ("roles that do not fit",),
        ),
        "demo keys enter a real log": (
            lambda log: log.enrol(cleo(), under(zoe, demo=True)),
            ("enrols demo keys of zoe in a real log",),
        ),
        "a key of another kind than it says is enrolled": (
            lambda log: log.append(cleo(), "identity.enrolled", {"identity": _false_key(zoe).model_dump(mode="json")}),
            ("identity.enrolled",),
        ),
        "a root rotates alone": (
            lambda log: _rotation(log, cleo(), with_key(cleo())),
            ("root keys change by `roots.changed`",),
        ),
        "a rotation changes the name": (
            lambda log: _rotation(log, ada(), under(fresh, name="Ada Byron")),
            ("changes something else as well",),
        ),
        "a rotation to a key that another shows": (
            lambda log: _rotation(log, ada(), fresh, shown_by=ben()),
            ("there is no proof that ada holds the new key",),
        ),
        "a rotation in the name of another": (
            lambda log: log.append(ben(), "identity.rotated", _rotated(log, ada(), fresh)),
            ("changes something else as well",),
        ),
        "somebody revokes their own key": (
            lambda log: log.append(cleo(), "identity.revoked", {"identity": "cleo", "reason": "lost"}),
            ("cannot revoke their own key",),
        ),
        "somebody unknown is revoked": (
            lambda log: log.append(cleo(), "identity.revoked", {"identity": "zoe", "reason": "lost"}),
            ("revokes an unknown identity",),
        ),
        "the last root is revoked": (
            lambda log: [
                log.enrol(cleo(), boss),
                log.append(boss, "identity.revoked", {"identity": "cleo", "reason": "lost"}),
            ],
            ("fewer than 1 roots remain",),
        ),
        "a wrong passphrase is counted twice": (
            lambda log: [_failure(log, "ada", 1), _failure(log, "ada", 1)],
            ("counts 1 wrong passphrases of ada; it is 2",),
        ),
        "somebody is locked too early": (
            lambda log: [_failure(log, "ada", 1), _locked(log, "ada")],
            ("locks ada before 5 wrong passphrases",),
        ),
        "somebody unlocks another": (
            lambda log: [_failure(log, "ada", 1), log.append(ben(), "identity.unlocked", {"identity": "ada"})],
            ("unlocks ada, which it cannot",),
        ),
        "somebody locked unlocks": (
            lambda log: [_lock(log, "ada"), log.append(ada(), "identity.unlocked", {"identity": "ada"})],
            ("unlocks ada, which it cannot",),
        ),
        "somebody reinstates who is not locked": (
            lambda log: log.append(cleo(), "identity.reinstated", {"identity": "ada", "reason": "x"}),
            ("reinstates ada, who is not locked",),
        ),
        "somebody reinstates themselves": (
            lambda log: [
                log.enrol(cleo(), boss),
                _lock(log, "boss"),
                log.append(boss, "identity.reinstated", {"identity": "boss", "reason": "x"}),
            ],
            ("reinstates boss, who is not locked or does it alone",),
        ),
        "an entry is erased twice": (
            lambda log: [log.append(cleo(), "entry.erased", {"entry": 1, "reason": "x"}) for _ in range(2)],
            ("erases entry 1 a second time",),
        ),
        "an entry is erased beforehand": (
            lambda log: log.append(cleo(), "entry.erased", {"entry": 99, "reason": "x"}),
            ("a second time, or beforehand",),
        ),
        "the log signs what it may not": (
            lambda log: log.append(log_signer(), "data.validate", {}, outcome=Outcome.FAILED),
            ("may not",),
        ),
        "a person signs what the log alone may": (lambda log: _failure(log, "ada", 1, by=ada()), ("may not append",)),
        "a key that nobody enrolled acts": (
            lambda log: log.append(stranger, "data.validate", {}, outcome=Outcome.FAILED),
            ("is not enrolled in the log",),
        ),
        "a key acts under another name": (
            lambda log: log.append(ada(), "data.validate", {}, outcome=Outcome.FAILED, actor="ben"),
            ("the key is that of ada, not of ben",),
        ),
        "a revoked key acts": (
            lambda log: [
                log.append(cleo(), "identity.revoked", {"identity": "ada", "reason": "lost"}),
                log.append(ada(), "data.validate", {}, outcome=Outcome.FAILED),
            ],
            ("the key of ada was revoked at entry",),
        ),
        "a rotated key acts": (
            lambda log: [
                _rotation(log, ada(), fresh),
                log.append(ada(), "data.validate", {}, outcome=Outcome.FAILED),
            ],
            ("the key of ada was revoked at entry",),
        ),
        "somebody enrols themselves": (lambda log: log.enrol(stranger, stranger), ("not enrolled",)),
        "a payload about people is malformed": (
            lambda log: log.append(cleo(), "identity.revoked", {"identity": "ada"}),
            ("identity.revoked", "payload"),
        ),
        "a key with another name than its own is enrolled": (
            lambda log: log.append(cleo(), "identity.enrolled", {"identity": _misnamed(zoe, other_key)}),
            ("identity.enrolled",),
        ),
    }
    for name, (step, words) in steps.items():
        log = people()
        step(log)
        yield of(name, log, (f"entry {len(log.entries) - 1}", *words))
    yield from _of_creation()


def _restored(log: GuardedLog, *, size: int | None = None, note: str | None = None) -> dict[str, Any]:
    """A restore of the log as it is, that gives up a checkpoint."""
    return {
        "size": len(log.entries) if size is None else size,
        "root": to_base64(log.head.root),
        "abandoned": [note or log.checkpoint],
        "reason": "the disk was replaced",
    }


def _of_creation() -> Iterator[Case]:
    """Entries that create a log and may not."""
    demo = person("dora", "Dora", Role.RELEASE_MANAGER, demo=True)
    for name, signer, changes, words in (
        ("a log asks for more roots than it names", cleo(), {"threshold": 2}, "asks for more roots"),
        ("a log mixes demo and real roots", cleo(), {"roots": [cleo(), demo]}, "mixes demo and real identities"),
        ("a log is created by a stranger", ada(), {"roots": [cleo()]}, "not enrolled"),
        ("a log has a P-256 key", cleo(), {"log_key": ada().public}, "signed with an Ed25519 key"),
        ("a log follows unknown rules", cleo(), {"rules": {"number": 99, "digest": table().digest}}, "action table 99"),
        ("a log names rules by another digest", cleo(), {"rules": {"number": 2, "digest": table(1).digest}}, "digest"),
        ("a log names the same root twice", cleo(), {"roots": [cleo(), cleo()]}, "enrols"),
    ):
        payload: dict[str, Any] = {"threshold": 1, "roots": [signer], "log_key": log_key().public, **changes}
        log = GuardedLog()
        log.append(
            signer,
            "log.created",
            {
                "device": "vessel-segmenter",
                "rules": payload.get("rules", table().adopted.model_dump(mode="json")),
                "threshold": payload["threshold"],
                "log_key": payload["log_key"].model_dump(mode="json"),
                "roots": [one.identity.model_dump(mode="json") for one in payload["roots"]],
            },
        )
        yield of(name, log, (words,))
    for name, action, outcome in (
        ("a log begins with something else", "data.validate", Outcome.FAILED),
        ("a log begins with a failed creation", "log.created", Outcome.FAILED),
    ):
        log = GuardedLog()
        log.append(cleo(), action, {}, outcome=outcome)
        yield of(name, log, ("entry 0 does not create the log",))


def _rotated(log: GuardedLog, who: Signer, new: Signer) -> dict[str, Any]:
    shown = new.sign(possession_statement(log.origin, who.identity.id, who.key_id, new.key_id))
    return {"identity": new.identity.model_dump(mode="json"), "possession": to_base64(shown)}


def _failure(log: GuardedLog, who: str, attempt: int, *, by: Signer | None = None) -> None:
    log.append(by or log_signer(), "identity.unlock-failed", {"identity": who, "attempt": attempt})


def _locked(log: GuardedLog, who: str) -> None:
    log.append(log_signer(), "identity.locked", {"identity": who, "attempts": 5})


def _lock(log: GuardedLog, who: str) -> None:
    for attempt in range(1, 6):
        _failure(log, who, attempt)
    _locked(log, who)


def _false_key(who: Signer) -> Identity:
    """Somebody whose signing key says that it is of another algorithm."""
    key = who.public.model_copy(update={"algorithm": KeyAlgorithm.ED25519})
    return who.identity.model_copy(update={"signing_key": key})


def _misnamed(who: Signer, other: PrivateKey) -> dict[str, Any]:
    """Somebody whose signing key has the id of another key."""
    key = who.public.model_copy(update={"key_id": other.public.key_id})
    return who.identity.model_copy(update={"signing_key": key}).model_dump(mode="json")


def of_roots() -> Iterator[Case]:
    """Changes of the roots that too few agreed to, or that name what they may not."""
    boss = person("boss", "Boss", Role.RELEASE_MANAGER)
    demo = person("dora", "Dora", Role.RELEASE_MANAGER, demo=True)
    both = Roots((cleo().identity, boss.identity), 2)
    key = generate(KeyAlgorithm.ED25519)
    new_cleo = with_key(cleo())
    for name, make, words in (
        ("roots change with both", lambda log: roots_entry(log, both, [cleo(), boss]), None),
        (
            "a root gets another key",
            lambda log: roots_entry(log, Roots((new_cleo.identity,), 1), [cleo(), new_cleo]),
            None,
        ),
        ("roots change without the old", lambda log: roots_entry(log, both, [boss]), "of the old roots agreed"),
        ("roots change without the new", lambda log: roots_entry(log, both, [cleo()]), "of the new roots agreed"),
        (
            "roots agreed to another change",
            lambda log: roots_entry(log, both, [cleo(), boss], said=Roots(both.members, 1)),
            "agreed to another change of the roots",
        ),
        (
            "roots change by a developer",
            lambda log: roots_entry(log, both, [cleo(), boss], by=ada()),
            "may not",
        ),
        (
            "a threshold that the new roots cannot meet",
            lambda log: roots_entry(log, Roots(both.members, 3), [cleo(), boss]),
            "cannot agree on anything",
        ),
        (
            "a root is named twice",
            lambda log: roots_entry(log, Roots((cleo().identity, cleo().identity), 1), [cleo()]),
            "the same root is named twice",
        ),
        (
            "a demo root in a real log",
            lambda log: roots_entry(log, Roots((cleo().identity, demo.identity), 1), [cleo(), demo]),
            "mixes demo and real identities",
        ),
        (
            "a new log key that another shows",
            lambda log: roots_entry(log, Roots((cleo().identity,), 1), [cleo()], key=key, shown_by=log_key()),
            "there is no proof of possession of the new key of the log",
        ),
        (
            "a new log key that the log has already",
            lambda log: roots_entry(log, Roots((cleo().identity,), 1), [cleo()], key=log_key()),
            "a key that another identity has or had",
        ),
        (
            "a root whose key is another's",
            lambda log: roots_entry(
                log,
                Roots((cleo().identity, under(ada(), id="ada-2", name="Ada Second").identity), 1),
                [cleo(), under(ada(), id="ada-2", name="Ada Second")],
            ),
            "enrols a key that ada has or had",
        ),
    ):
        log = people()
        make(log)
        yield of(name, log, None if words is None else (f"entry {len(log.entries) - 1}", words))


def of_adoption() -> Iterator[Case]:
    """Adoptions of a table that too few agreed to, or that go back."""
    boss = person("boss", "Boss", Role.RELEASE_MANAGER)
    for name, signers, changes, words in (
        ("rules adopted by nobody", [], {}, "rules.adopted"),
        ("rules adopted by a release manager who is no root", [boss], {}, "not a root"),
        ("rules adopted by half of the roots", [cleo()], {}, "1 roots agreed to the action table, and it takes 2"),
        ("rules adopted by one root twice", [cleo(), cleo()], {}, "1 roots agreed"),
        ("rules adopted for another log", [cleo(), ben()], {"log": "elsewhere.example"}, "another action table"),
        ("rules adopted by an unknown number", [cleo(), ben()], {"number": 7}, "action table 7"),
        ("rules adopted by another digest", [cleo(), ben()], {"digest": digest_bytes(b"x")}, "other rules"),
        ("rules adopted again", [cleo(), ben()], {"again": True}, "cannot go back"),
        ("rules adopted by both roots", [cleo(), ben()], {}, None),
    ):
        log = GuardedLog()
        payload = {
            "device": "vessel-segmenter",
            "log_key": log_key().public.model_dump(mode="json"),
            "roots": [cleo().identity.model_dump(mode="json"), ben().identity.model_dump(mode="json")],
            "threshold": 2,
        }
        if changes.get("again"):
            payload["rules"] = table().adopted.model_dump(mode="json")
        log.append(cleo(), "log.created", payload)
        log.enrol(cleo(), boss)
        register = story._register_of(log)
        origin, new = changes.get("log", log.origin), table(2)
        envelopes = []
        for who in signers:
            rooted = replace_roots(register, who)
            agreed = sign_adoption(who, rooted, table(1), new, log=origin, head=1, now=BEGIN)
            envelopes.append(agreed.model_dump(mode="json"))
        adopted = {"number": changes.get("number", 2), "digest": changes.get("digest", new.digest)}
        log.append(cleo(), "rules.adopted", {**adopted, "envelopes": envelopes})
        if words is None:
            yield of(name, log, None)
        else:
            yield of(name, log, ("entry 2", words))


def replace_roots(register: Any, who: Signer) -> Any:
    """The register with somebody among the roots, so that they can sign as if they were one."""
    roots = replace(register.current, members=(*register.current.members, who.identity))
    return replace(register, current=roots)


def fold(log: GuardedLog) -> str:
    return refused(lambda: Register.fold(log.entries))


def folds() -> Iterator[tuple[str, str, GuardedLog]]:
    """Entries about people that the register alone is asked about, without the action table."""
    boss = person("boss", "Boss", Role.RELEASE_MANAGER)
    both = Roots((cleo().identity, boss.identity), 2)
    key = generate(KeyAlgorithm.ED25519).public
    false = key.model_copy(update={"spki": ada().public.spki})
    steps: tuple[tuple[str, str, Callable[[GuardedLog], Any]], ...] = (
        ("a developer enrols", "may not enrol or revoke", lambda log: log.enrol(ada(), boss)),
        (
            "a developer changes the roots",
            "may not enrol or revoke",
            lambda log: roots_entry(log, both, [cleo(), boss], by=ada()),
        ),
        (
            "a developer erases",
            "may not enrol or revoke",
            lambda log: log.append(ada(), "entry.erased", {"entry": 1, "reason": "x"}),
        ),
        (
            "a key under another name",
            "the key is that of cleo, not of ben",
            lambda log: log.append(cleo(), "identity.revoked", {"identity": "ada", "reason": "x"}, actor="ben"),
        ),
    )
    for name, words, step in steps:
        log = people()
        step(log)
        yield name, words, log
    for name, words, signer, changes in (
        ("a stranger creates", "is not enrolled", ada(), {}),
        ("a log key that is none", "malformed payload", cleo(), {"log_key": false.model_dump(mode="json")}),
    ):
        log = GuardedLog()
        payload = {
            "device": "vessel-segmenter",
            "log_key": log_key().public.model_dump(mode="json"),
            "roots": [cleo().identity.model_dump(mode="json")],
            "threshold": 1,
            **changes,
        }
        log.append(signer, "log.created", payload)
        yield name, words, log
