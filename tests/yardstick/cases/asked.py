"""Questions beside the verification of a log: receipts, a register without a log, what workflows ask."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from minivess.compliance.identity.register import Register
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.rules.looks import LookHistory
from minivess.compliance.verification import log as verification
from minivess.compliance.verification.log_entries import read_details
from minivess.compliance.verification.receipt import verify_receipt
from minivess.foundation.digests import digest_bytes
from minivess.records.log.entry import Entry, Outcome
from minivess.records.people.approval import Facts
from tests.support.builders import guarded_log as logs
from tests.support.builders.guarded_log import GuardedLog
from tests.support.builders.pack_builder import ada
from tests.yardstick.cases.case import Case, Words, note_over, refused
from tests.yardstick.cases.people import fold, folds


def asked() -> Iterator[Case]:
    """Questions beside the verification of a log: receipts, a register without a log, what workflows ask."""
    log = logs.evaluated()
    register = verification.verify_entries(log.pairs, log.checkpoint)[1].register
    index = next(place for place, told in enumerate(log.details) if told is not None)
    good = log.receipt(index)
    assert good.details is not None

    def receipt(**changes: Any) -> Callable[[], str]:
        bent = good.model_copy(update=changes)

        def ask() -> str:
            checks = verify_receipt(bent, log_key=register, actor=register).checks
            return next((check.detail for check in checks if not check.passed), "")

        return ask

    empty = Register()
    wish = logs.request()
    facts = Facts(**{name: getattr(wish, name) for name in Facts.model_fields})
    folded = LookHistory.fold(log.entries)
    questions: dict[str, tuple[Callable[[], str], Words | None]] = {
        "a receipt": (receipt(), None),
        "a receipt with a blank": (receipt(entry=good.entry.replace(":", ": ", 1)), ("not an audit entry",)),
        "a receipt with other details": (receipt(details=good.details.replace("0", "1", 1)), ("were changed",)),
        "a receipt of a key before it was enrolled": (
            lambda: refused(lambda: register.key(ada().key_id, 1)),
            ("was enrolled after entry 1",),
        ),
        "a register without a log: key": (lambda: refused(lambda: empty.log_key), ("does not begin",)),
        "a register without a log: roots": (lambda: refused(lambda: empty.roots), ("does not begin",)),
        "a register without a log: device": (lambda: refused(lambda: empty.device), ("does not begin",)),
        "an entry out of order": (
            lambda: refused(lambda: register.extend(log.entries[1])),
            ("entry 1 comes after entry",),
        ),
        "facts that were approved": (lambda: refused(lambda: folded.check_facts("open-1", facts)), None),
        "other facts than were approved": (
            lambda: refused(
                lambda: folded.check_facts("open-1", facts.model_copy(update={"model": digest_bytes(b"x")}))
            ),
            ("was approved for another model",),
        ),
        "the number of a look that nobody approved": (
            lambda: refused(lambda: folded.number_of("open-99")),
            ("was not approved",),
        ),
        "details that are malformed": (
            lambda: refused(lambda: read_details(b"{}", _committed(log, b"{}"))),
            ("are malformed",),
        ),
    }
    for name, (ask, words) in questions.items():
        yield Case(name, (), "", words, ask=ask)
    for name, told, folded_log in folds():
        yield Case(f"folded: {name}", (), "", (told,), ask=partial(fold, folded_log))
    text = b'{"error":null,"payload":{},"salt":"A"}'
    yield Case(
        "details with a short salt in a receipt",
        (),
        "",
        ("are malformed",),
        ask=lambda: refused(lambda: read_details(text, _committed(log, text))),
    )
    log = logs.evaluated()
    log.append(ada(), "data.validate", {}, outcome=Outcome.FAILED, error="OSError: disk full")
    body = {**json.loads(log.lines[-1])["body"], "format": "minivess-entry/3"}
    line = canonical({"body": body, "signature": to_base64(ada().sign(canonical(body)))})
    pairs = [*log.pairs[:-1], (line, log.pairs[-1][1])]
    words = (f"entry {len(pairs) - 1}", "format")
    yield Case("an entry of an unknown format, quickly judged", tuple(pairs), note_over(pairs), words, quick=True)
    body = {**json.loads(log.lines[-1])["body"], "time": "2026-11-31T00:00:00.000000Z"}
    line = canonical({"body": body, "signature": to_base64(ada().sign(canonical(body)))})
    pairs = [*log.pairs[:-1], (line, log.pairs[-1][1])]
    yield Case("a time that no calendar has", tuple(pairs), note_over(pairs), (f"entry {len(pairs) - 1}", "body.time"))


def _committed(log: GuardedLog, details: bytes) -> Entry:
    entry = log.entries[-1]
    return entry.model_copy(update={"body": entry.body.model_copy(update={"details": digest_bytes(details)})})
