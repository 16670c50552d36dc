"""Judging an evidence pack, offline: archive, bag, log, proofs, provenance, test-set conduct and release signatures."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from minivess.compliance.identity.approvals import check_policy
from minivess.compliance.identity.register import Register
from minivess.compliance.proofs.canonical import parse_json
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.envelope import parse_envelope
from minivess.compliance.proofs.merkle import leaf_hash, verify_inclusion
from minivess.compliance.proofs.tlog_proof import parse_proof
from minivess.compliance.verification.bag import SIGNATURE, TAG_MANIFEST, check_bag, read_pack
from minivess.compliance.verification.belief import Believed, LogAtHand, believe, keys_by_roots
from minivess.compliance.verification.conduct import check_odometer, check_openings, check_provenance
from minivess.compliance.verification.holders import check_holders
from minivess.compliance.verification.log import verify_entries
from minivess.compliance.verification.look_times import look_times_in_words
from minivess.compliance.verification.trust import LAYOUT, Trust, read_trust
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import InputError, MinivessError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.artifact import Artifact
from minivess.records.people.approval import Manifestation, Policy
from minivess.records.verdict import Check, Verdict

ENTRIES, DETAILS = "data/audit/entries.jsonl", "data/audit/details.jsonl"
CHECKPOINT, POLICY = "data/audit/checkpoint.txt", "data/release/policy.json"
_PROOF = re.compile(r"data/audit/proofs/(0|[1-9][0-9]{0,15})\.tlog-proof", re.ASCII)
_PROOFS = "data/audit/proofs/"
_POLICY_LIMIT = 1 << 20
SIGNATURES_CHECK = "release signatures"
"""Name of the check that fails on a pack that waits for its signatures."""


@implements("REQ-038", "REQ-151", "REQ-152", "RC-13")
def verify_pack(path: Path, *, trust: Path | None = None) -> Verdict:
    """Judge a pack.

    Args:
        path: the zip, or a folder it was unpacked to.
        trust: a trust file (`verification.trust`). Without it the pack is judged against its own keys alone, and the
            verdict says `trusted=False`. With one that names no release rules the verdict is LIMITED.

    Returns:
        The checks in order. It holds when none failed; the first failure names what is wrong.

    Raises:
        InputError: the path is no zip and no folder, is too large, or the trust file is malformed.
    """
    trusted = None if trust is None else read_trust(trust)
    try:
        files, container = read_pack(path)
    except VerificationError as error:
        return Verdict(subject=path.name, checks=(_failed("archive", error),), trusted=False)
    return judge_files(files, subject=path.name, container=container, trusted=trusted)


def judge_files(files: Mapping[str, bytes], *, subject: str, container: str, trusted: Trust | None) -> Verdict:
    """Judge the files of a pack that was read already.

    Args:
        files: content by name.
        subject: what to call the pack.
        container: what reading it found out, in words.
        trusted: the verifier's own keys.
    """
    checks = [
        Check(name="archive", passed=True, detail=container),
        _check("bag", lambda: check_bag(files)),
    ]
    try:
        lines = _lines(files, ENTRIES)
        details = [None if line == b"null" else line for line in _lines(files, DETAILS)]
        checkpoint = _text(files, CHECKPOINT)
    except VerificationError as error:
        return Verdict(subject=subject, checks=(*checks, _failed("log entries", error)), trusted=False)
    log_checks, standing, entries = verify_entries(
        zip(lines, chain(details, repeat(None)), strict=False),
        checkpoint,
        trust=trusted,
    )
    checks, register = checks + log_checks, standing.register
    if len(details) != len(lines):
        words = f"{DETAILS} has {len(details)} lines for {len(lines)} entries"
        checks.append(Check(name="log details", passed=False, detail=words))
    if all(check.passed for check in log_checks):
        checks += [
            _check("proofs", lambda: _check_proofs(files, lines, register, trusted)),
            _check("provenance", lambda: check_provenance(files, entries)),
            _check("test-set odometer", lambda: check_odometer(files, check_openings(entries, register))),
            _check("look times", lambda: look_times_in_words(entries, trusted, lines=lines)),
            _check(
                SIGNATURES_CHECK,
                lambda: (
                    _check_signatures(files, register, len(entries), trusted)
                    + check_holders(files, checkpoint, standing)
                ),
            ),
        ]
    if trusted is not None:
        checks.append(_check("layout", lambda: _check_layout(trusted)))
    holds = all(check.passed for check in checks)
    limits = () if trusted is None else trusted.limits
    return Verdict(subject=subject, checks=tuple(checks), trusted=trusted is not None and holds, limits=limits)


def _check_layout(trusted: Trust) -> str:
    if trusted.layout > LAYOUT:
        raise VerificationError(
            f"the pack is of layout {LAYOUT}, and the trust file asks for {trusted.layout} at least"
        )
    return f"layout {LAYOUT}, and {trusted.layout} at least is asked for"


def _check_proofs(files: Mapping[str, bytes], lines: list[bytes], register: Register, trusted: Trust | None) -> str:
    names = [name for name in sorted(files) if name.startswith(_PROOFS)]
    if not names:
        raise VerificationError(f"no inclusion proof in {_PROOFS}")
    checkpoint = _text(files, CHECKPOINT)
    head = parse_note(checkpoint).checkpoint
    for name in names:
        match = _PROOF.fullmatch(name)
        index = int(match[1]) if match else len(lines)
        if index >= len(lines):
            raise VerificationError(f"{name} is a proof of no entry of this log")
        try:
            proof = parse_proof(_text(files, name))
            if proof.index != index or proof.extra is not None:
                raise VerificationError("it is for another entry than its name says, or carries extra data")
            believed = Believed(head.size, head.root)
            if proof.checkpoint != checkpoint:  # that one was judged with the log
                believed = _believe_too(proof.checkpoint, head.origin, register, trusted)
            verify_inclusion(leaf_hash(lines[index]), index, believed.size, proof.hashes, believed.root)
        except MinivessError as error:
            raise VerificationError(f"{name}: {error.message}") from None
    return f"{len(names)} inclusion proofs lead to a signed checkpoint"


def _believe_too(note: str, origin: str, register: Register, trusted: Trust | None) -> Believed:
    """Another checkpoint in the pack than that of its log: it is held to all that that one is held to."""
    believed = believe(note, Trust.of_register(register), origin)
    if trusted is None:
        return believed
    keys = keys_by_roots(register, trusted, origin, believed.size)
    return believe(note, trusted, LogAtHand(origin, keys=keys))


def _check_signatures(files: Mapping[str, bytes], register: Register, entries: int, trusted: Trust | None) -> str:
    names = {match[1]: name for name in sorted(files) if (match := SIGNATURE.fullmatch(name))}
    if not names:
        raise VerificationError("the pack is not signed")
    if TAG_MANIFEST not in files:
        raise VerificationError(f"{TAG_MANIFEST} is missing, and it is what people sign")
    policy = _policy(files)
    if len(policy.rules) < 2:
        raise VerificationError(f"{POLICY} asks for fewer than two signatures; a release needs two people")
    envelopes = []
    for name in names.values():
        try:
            envelopes.append(parse_envelope(files[name]))
        except InputError as error:
            raise VerificationError(f"{name}: {error.message}") from None
    subject = Artifact(name=TAG_MANIFEST, digest=digest_bytes(files[TAG_MANIFEST]))
    signed = check_policy(policy, envelopes, (subject,), register)
    for (id_, name), manifestation in zip(names.items(), signed, strict=True):
        if manifestation.signer != id_:
            raise VerificationError(f"{name} holds the signature of {manifestation.signer}")
        if manifestation.head < entries:
            raise VerificationError(
                f"{id_} signed on a log of {manifestation.head} entries, older than the one in the pack"
            )
        if trusted is not None and not trusted.signs(register.person(id_)):
            raise VerificationError(
                f"{id_} signed, but is not among the people you trust with this key and these roles"
            )
    if trusted is not None and trusted.rules:
        check_policy(policy.model_copy(update={"rules": trusted.rules}), envelopes, (subject,), register)
    words = "; ".join(_words(item) for item in signed)
    return f"{words}{'. DEMO KEYS: this proves nothing about a real device' if register.demo else ''}"


def _policy(files: Mapping[str, bytes]) -> Policy:
    try:
        value: Any = parse_json(files[POLICY], limit=_POLICY_LIMIT)
        if set(value) != {"policy", "gates"} or not isinstance(value["gates"], list):
            raise VerificationError(f"{POLICY} is not a policy with its gates")
        return Policy.model_validate(value["policy"])
    except KeyError:
        raise VerificationError(f"{POLICY} is missing") from None
    except (InputError, ValidationError, TypeError):
        raise VerificationError(f"{POLICY} is not a policy with its gates") from None


def _words(item: Manifestation) -> str:
    return f"{item.printed_name} ({item.role.value}, {item.meaning.value}, {item.time:%Y-%m-%d %H:%M} UTC)"


def _lines(files: Mapping[str, bytes], name: str) -> list[bytes]:
    if name not in files:
        raise VerificationError(f"{name} is missing")
    lines = files[name].split(b"\n")
    if lines.pop() != b"":
        raise VerificationError(f"{name} is cut off: its last line has no end")
    return lines


def _text(files: Mapping[str, bytes], name: str) -> str:
    if name not in files:
        raise VerificationError(f"{name} is missing")
    try:
        return files[name].decode("utf-8")
    except UnicodeDecodeError:
        raise VerificationError(f"{name} is not UTF-8 text") from None


def _check(name: str, judge: Callable[[], str]) -> Check:
    try:
        return Check(name=name, passed=True, detail=judge())
    except MinivessError as error:
        return _failed(name, error)


def _failed(name: str, error: MinivessError) -> Check:
    return Check(name=name, passed=False, detail=error.message)
