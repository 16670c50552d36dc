"""Many writers, one log: threads, processes, forks, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.verification.log import verify_log
from minivess.compliance.verification.receipt import verify_receipt
from minivess.foundation.errors import RefusedError, UsageError
from minivess.records.log.receipt import Receipt
from tests.support.builders import audit_logs
from tests.support.builders.audit_logs import Desk, draft

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
    pytest.mark.verifies("REQ-061", "RC-06"),
]

EACH = 12


def write(log: AuditLog, desk: Desk, name: str, out: Path) -> None:
    """One writer: half of its entries one by one, half of them three at a time."""
    receipts: list[Receipt] = []
    for number in range(0, EACH, 4):
        event = {"writer": name, "number": number}
        receipts.append(log.append(named(name, number), desk.ada, event=event))
        later = range(number + 1, number + 4)
        events = [{"writer": name, "number": one} for one in later]
        receipts += log.append_all([named(name, one) for one in later], desk.max, events=events)
    out.write_text(json.dumps([receipt.model_dump() for receipt in receipts]), encoding="utf-8")


def named(name: str, number: int) -> object:
    return draft(action="data.ingest", payload={"dataset": name, "cases": number})


def in_threads(log: AuditLog, desk: Desk, names: list[str]) -> None:
    faults: list[BaseException] = []

    def guarded(name: str) -> None:
        try:
            write(log, desk, name, desk.folder / f"{name}.json")
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=guarded, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]


def in_processes(desk: Desk, groups: list[list[str]]) -> None:
    """Each group of writers in a process of its own, which goes on with the log its parent had open."""
    children = []
    for names in groups:
        child = os.fork()
        if not child:
            try:
                in_threads(desk.log, desk, names)
                os._exit(0)
            except BaseException:
                os._exit(70)
        children.append(child)
    for child in children:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("shape", [(1, 16), (16, 1), (4, 4)], ids=["threads", "processes", "both"])
def test_sixteen_writers_share_one_log(any_desk: Desk, shape: tuple[int, int]) -> None:
    desk, (processes, threads) = any_desk, shape
    groups = [[f"w{process}-{thread}" for thread in range(threads)] for process in range(processes)]
    if processes == 1:
        in_threads(desk.log, desk, groups[0])
    else:
        in_processes(desk, groups)

    log = desk.log
    total = 16 * EACH
    pairs = list(log.pairs())
    assert len(pairs) == total + 1
    checks, register = verify_log(pairs, log.checkpoint())
    assert all(check.passed for check in checks), checks
    roots: dict[int, bytes] = {}
    seen: set[int] = set()
    for name in (name for group in groups for name in group):
        texts = json.loads((desk.folder / f"{name}.json").read_text(encoding="utf-8"))
        receipts = [Receipt.model_validate(text) for text in texts]
        indices = [receipt.index for receipt in receipts]
        assert indices == sorted(indices)
        seen |= set(indices)
        for number, receipt in enumerate(receipts):
            assert pairs[receipt.index][0].decode("utf-8") == receipt.entry
            assert json.loads(receipt.details or "")["payload"] == {"dataset": name, "cases": number}
            head = parse_note(receipt.checkpoint).checkpoint
            assert roots.setdefault(head.size, head.root) == head.root
        for receipt in receipts[::5]:
            assert verify_receipt(receipt, log_key=desk.log_signer.public, actor=register).holds
    assert seen == set(range(1, total + 1))
    events = [event for _, event in log.pending_events(total + 1)]
    order = [json.loads(details or b"{}")["payload"] for _, details in pairs[1:]]
    assert [(event["writer"], event["number"]) for event in events] == [
        (payload["dataset"], payload["cases"]) for payload in order
    ]


def test_a_refused_draft_fails_alone(any_desk: Desk) -> None:
    desk, stranger = any_desk, audit_logs.person("eve")
    answers: dict[str, object] = {}
    gate = threading.Barrier(6)

    def attempt(name: str) -> None:
        gate.wait()
        try:
            answers[name] = desk.log.append(draft(), stranger if name == "eve" else desk.ada)
        except RefusedError as error:
            answers[name] = error
        except Exception as error:
            answers[name] = error

    threads = [threading.Thread(target=attempt, args=(name,)) for name in ("a", "b", "eve", "c", "d", "e")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [name for name, answer in answers.items() if not isinstance(answer, Receipt)] == ["eve"]
    assert desk.log.size == 6
    assert all(check.passed for check in verify_log(desk.log.pairs(), desk.log.checkpoint())[0])


def test_several_entries_are_all_written_or_none(any_desk: Desk) -> None:
    desk = any_desk
    before = desk.log.checkpoint()
    with pytest.raises(UsageError, match="did not start"):
        desk.log.append_all([draft(), draft(started=0), draft()], desk.ada)
    assert desk.log.checkpoint() == before
    receipts = desk.log.append_all([draft() for _ in range(9)], desk.ada)
    assert len({receipt.checkpoint for receipt in receipts}) == 1
    assert desk.log.append_all([], desk.ada) == []
    assert desk.log.size == 10
    for receipt in receipts:
        assert verify_receipt(receipt, log_key=desk.log_signer.public, actor=desk.ada.public).holds


def test_an_action_ends_once(any_desk: Desk) -> None:
    desk = any_desk
    started = desk.log.append(draft(outcome="started"), desk.ada).index
    with pytest.raises(UsageError, match="ended already"):
        desk.log.append_all([draft(started=started), draft(started=started)], desk.ada)
    desk.log.append(draft(started=started), desk.ada)
    with pytest.raises(UsageError, match="ended already"):
        desk.log.append(draft(started=started), desk.ada)
