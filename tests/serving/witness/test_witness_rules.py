"""Each MUST of C2SP tlog-witness that takes a server, over loopback: what is asked, and the status of the answer."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from minivess.cli.log.witnessing import witness as command
from minivess.compliance.proofs import merkle
from minivess.compliance.proofs.checkpoint import MAX_SIZE, Checkpoint, key_hash, parse_note, raw_ed25519, sign_note
from minivess.compliance.proofs.cosignature import (
    LOG,
    REQUEST_LIMIT,
    WITNESS,
    AddCheckpoint,
    cosign,
    parse_verifier_key,
    verifier_key,
    verify_cosignatures,
)
from minivess.compliance.proofs.encoding import to_base64
from minivess.foundation.errors import InputError, RefusedError, UsageError
from minivess.serving.witness.app import STATE_FILE, Witness, change_keys, read_state
from tests.support.builders import audit_logs
from tests.support.servers.witnessed import (
    LEAVES,
    LOG_KEY,
    LOG_SIGNER,
    NAME,
    ORIGIN,
    WITNESS_SIGNER,
    Running,
    body_of,
    make_witness,
    note_of,
)

pytestmark = pytest.mark.verifies("REQ-154", "RC-16", "SU-44", "SU-15")

EVIL = [*LEAVES[:3], merkle.leaf_hash(b"evil"), *LEAVES[4:]]
NEXT_SIGNER = audit_logs.service("log")
NEXT_KEY = verifier_key(ORIGIN, NEXT_SIGNER.public, LOG)
HASH = hashlib.sha256(ORIGIN.encode()).hexdigest()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    held = Running(make_witness(tmp_path / "w"))
    assert held.post(body_of(0, 5))[0] == 200
    yield held
    held.stop()


def request(old: int, note: str, proof: tuple[bytes, ...] = ()) -> bytes:
    return AddCheckpoint(old, proof, note).text().encode()


def large(note: str, count: int) -> str:
    lines = (
        f"— other{number}.example {to_base64(number.to_bytes(4, 'big') + bytes(4627))}\n" for number in range(count)
    )
    return note + "".join(lines)


def half_signed() -> str:
    """A good signature of one key of the log and a wrong one of another; the other is known in one test alone."""
    key = key_hash(ORIGIN, raw_ed25519(NEXT_SIGNER.public))
    return note_of(5) + f"— {ORIGIN} {to_base64(key + bytes(64))}\n"


RULES: dict[str, tuple[Callable[[], bytes], int]] = {
    "a checkpoint that continues the last one is cosigned": (lambda: body_of(5, 9), 200),
    "the same checkpoint is cosigned again": (lambda: body_of(5, 5), 200),
    "a body of another form is 400": (lambda: b"old 5\n", 400),
    "64 lines of proof are 400": (lambda: request(5, note_of(9), (LEAVES[0],) * 64), 400),
    "an unknown origin is 404": (lambda: request(0, sign_note(Checkpoint("other", 1, LEAVES[0]), LOG_SIGNER)), 404),
    "a signature of no known key is 403": (lambda: request(5, note_of(9, signer=WITNESS_SIGNER)), 403),
    "a wrong signature of the known key is 403": (lambda: body_of(5, 9).replace(b"\n9\n", b"\n8\n"), 403),
    "a signature of an unknown key is ignored": (lambda: request(5, half_signed()), 200),
    "16 signatures are read, also large ones": (lambda: request(5, large(note_of(5), 15)), 200),
    "an old size beyond the checkpoint is 400": (lambda: request(6, note_of(5)), 400),
    "an old size that is not the last one is 409": (lambda: body_of(4, 9), 409),
    "an old size of 0 is 409 once there is another": (lambda: body_of(0, 9), 409),
    "an old size of 2^63 - 1 is read": (lambda: request(MAX_SIZE, note_of(9)), 400),
    "a checkpoint that is older is 409": (lambda: body_of(3, 4), 409),
    "a proof that does not hold is 422": (lambda: request(5, note_of(9), (LEAVES[0],)), 422),
    "no proof where one is needed is 422": (lambda: request(5, note_of(9)), 422),
    "another history is 422": (lambda: body_of(5, 9, EVIL), 422),
    "another root of the same size is 422": (lambda: body_of(5, 5, EVIL), 422),
    "a proof where none is needed is 422": (lambda: request(5, note_of(5), (LEAVES[0],)), 422),
}


@pytest.mark.parametrize("rule", RULES)
def test_each_must_has_a_case(running: Running, rule: str) -> None:
    body, status = RULES[rule]
    answer = running.post(body())
    assert answer[0] == status
    if status == 409:
        assert answer[1:] == ("text/x.tlog.size", "5\n")
    assert running.seen == (9 if rule.startswith("a checkpoint that continues") else 5)


FIRST: dict[str, tuple[Callable[[], bytes], int]] = {
    "a log of no entries is cosigned": (lambda: request(0, note_of(0)), 200),
    "a log of no entries with another root is 422": (
        lambda: request(0, empty_with(bytes(32))),
        422,
    ),
    "a proof from the old size 0 is 422": (lambda: request(0, note_of(3), (LEAVES[0],)), 422),
    "an old size that was never seen is 409": (lambda: body_of(2, 3), 409),
    "the first checkpoint is cosigned without a proof": (lambda: request(0, note_of(3)), 200),
}


def empty_with(root: bytes) -> str:
    body = f"{ORIGIN}\n0\n{to_base64(root)}\n"
    key = key_hash(ORIGIN, raw_ed25519(LOG_SIGNER.public))
    return f"{body}\n— {ORIGIN} {to_base64(key + LOG_SIGNER.sign(body.encode()))}\n"


@pytest.mark.parametrize("rule", FIRST)
def test_each_must_about_a_log_that_is_new(tmp_path: Path, rule: str) -> None:
    body, status = FIRST[rule]
    held = Running(make_witness(tmp_path / "w"))
    try:
        answer = held.post(body())
        assert answer[0] == status
        if status == 409:
            assert answer[1:] == ("text/x.tlog.size", "0\n")
    finally:
        held.stop()


def test_the_answer_is_the_cosignature_of_the_checkpoint(running: Running) -> None:
    status, kind, line = running.post(body_of(5, 9))
    assert (status, kind.split(";")[0]) == (200, "text/plain")
    assert line.startswith("— ")
    assert line.endswith("\n")
    (vouched,) = verify_cosignatures(note_of(9) + line, [verifier_key(NAME, WITNESS_SIGNER.public, WITNESS)], 1)
    assert vouched.time > 0


def get(running: Running, path: str) -> tuple[int, str]:
    connection = running.connection()
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_the_newest_checkpoint_is_served_with_both_signatures(running: Running) -> None:
    line = running.post(request(5, large(note_of(5), 3)))[2]
    assert get(running, f"/{HASH}/checkpoint") == (200, note_of(5) + line)
    running.post(body_of(5, 9))
    status, text = get(running, f"/{HASH}/checkpoint")
    assert status == 200
    assert parse_note(text).checkpoint.size == 9
    assert verify_cosignatures(text, [verifier_key(NAME, WITNESS_SIGNER.public, WITNESS)], 1)
    for path in (
        f"/{'0' * 64}/checkpoint",
        f"/{HASH.upper()}/checkpoint",
        f"/{HASH}",
        "/checkpoint",
        "/../checkpoint",
    ):
        assert get(running, path)[0] == 404
    running.stop()
    again = Running(running.folder)
    try:
        assert get(again, f"/{HASH}/checkpoint") == (200, text)
    finally:
        again.stop()


def test_a_log_that_was_never_cosigned_has_no_checkpoint(tmp_path: Path) -> None:
    held = Running(make_witness(tmp_path / "w"))
    try:
        assert get(held, f"/{HASH}/checkpoint")[0] == 404
    finally:
        held.stop()


CHUNKED = b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n"


def raw(running: Running, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", running.server.server_port), timeout=20) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


def chunks(body: bytes, size: int, *, more: bytes = b"") -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x%s\r\n%s\r\n" % (len(part), more, part) for part in parts) + b"0\r\n"


def test_a_body_in_chunks_is_read(running: Running) -> None:
    body = body_of(5, 9)
    assert raw(running, CHUNKED + b"\r\n" + chunks(body, 100, more=b";a=b") + b"Trailer: x\r\n\r\n").startswith(
        b"HTTP/1.1 200"
    )
    twice = (CHUNKED + b"\r\n" + chunks(body_of(9, 9), 7) + b"\r\n") * 2
    assert raw(running, twice).count(b"HTTP/1.1 200") == 2
    assert running.seen == 9


@pytest.mark.parametrize(
    "data",
    [
        CHUNKED + b"Content-Length: 5\r\n\r\n" + chunks(b"old 5", 5) + b"\r\n",
        CHUNKED + b"Transfer-Encoding: chunked\r\n\r\n" + chunks(b"old 5", 5) + b"\r\n",
        CHUNKED.replace(b"chunked", b"gzip, chunked") + b"\r\n" + chunks(b"old 5", 5) + b"\r\n",
        CHUNKED + b"\r\n" + b"zz\r\nold 5\r\n0\r\n\r\n",
        CHUNKED + b"\r\n" + b"-5\r\nold 5\r\n0\r\n\r\n",
        CHUNKED + b"\r\n" + b"5\r\nold 5x\r\n0\r\n\r\n",
        CHUNKED + b"\r\n" + b"5\r\nold 5\r\n",
        CHUNKED + b"\r\n" + b"5\r\nold 5\r\n0\r\n" + b"T: x\r\n" * 100,
        CHUNKED + b"\r\n" + b"%x\r\n" % (REQUEST_LIMIT + 1),
        CHUNKED + b"\r\n" + b"1\r\nx\r\n" * 5000 + b"0\r\n\r\n",
        b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nold 5",
    ],
    ids=range(11),
)
def test_a_body_of_two_lengths_or_none_is_400(running: Running, data: bytes) -> None:
    answer = raw(running, data)
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1") == 1
    assert running.seen == 5


class TestSeveralKeys:
    """A log that changes its key."""

    def test_both_count_until_the_old_one_is_dropped(self, tmp_path: Path) -> None:
        folder = make_witness(tmp_path / "w")
        change_keys(folder, ORIGIN, add=NEXT_KEY.text())
        held = Running(folder)
        assert held.post(request(0, note_of(3)))[0] == 200
        assert held.post(request(3, note_of(3, signer=NEXT_SIGNER)))[0] == 200
        assert held.post(request(3, half_signed()))[0] == 403
        held.stop()
        assert change_keys(folder, ORIGIN, drop=LOG_KEY.text()).keys == (NEXT_KEY.text(),)
        held = Running(folder)
        try:
            assert held.post(request(3, note_of(3)))[0] == 403
            assert held.post(request(3, note_of(3, signer=NEXT_SIGNER)))[0] == 200
        finally:
            held.stop()

    def test_a_key_is_added_once_and_one_is_left(self, tmp_path: Path) -> None:
        folder = make_witness(tmp_path / "w")
        for change in ({"add": LOG_KEY.text()}, {"drop": NEXT_KEY.text()}):
            with pytest.raises(UsageError):
                change_keys(folder, ORIGIN, **change)
        with pytest.raises(UsageError):
            change_keys(folder, "elsewhere", add=NEXT_KEY.text())
        with pytest.raises(UsageError):
            change_keys(folder, ORIGIN, add=verifier_key("w", WITNESS_SIGNER.public, WITNESS).text())
        with pytest.raises(InputError):
            change_keys(folder, ORIGIN, add="nonsense")
        with pytest.raises(RefusedError, match="no key"):
            change_keys(folder, ORIGIN, drop=LOG_KEY.text())
        assert change_keys(folder, ORIGIN, add=NEXT_KEY.text(), drop=LOG_KEY.text()).keys == (NEXT_KEY.text(),)

    def test_the_command(self, tmp_path: Path) -> None:
        folder = str(make_witness(tmp_path / "w"))
        done = CliRunner().invoke(command, ["keys", folder, ORIGIN, "--add", NEXT_KEY.text()])
        assert done.output == f"{LOG_KEY.text()}\n{NEXT_KEY.text()}\n"
        assert isinstance(CliRunner().invoke(command, ["keys", folder, ORIGIN]).exception, UsageError)


class TestTime:
    """The time of a cosignature says that nothing newer was seen."""

    @staticmethod
    def asked(folder: Path, now: float, old: int, size: int) -> int:
        witness = Witness(folder, WITNESS_SIGNER, clock=lambda: now)
        try:
            status, _, line = witness.add_checkpoint(body_of(old, size))
        finally:
            witness.close()
        assert status == 200
        (vouched,) = verify_cosignatures(note_of(size) + line, [verifier_key(NAME, WITNESS_SIGNER.public, WITNESS)], 1)
        return vouched.time

    def test_it_never_goes_back(self, tmp_path: Path) -> None:
        folder = make_witness(tmp_path / "w")
        assert self.asked(folder, 1_700_000_000.9, 0, 3) == 1_700_000_000
        assert self.asked(folder, 1_700_000_000 - 600, 3, 5) == 1_700_000_000
        assert self.asked(folder, 1_700_000_007, 5, 5) == 1_700_000_007

    @pytest.mark.parametrize("now", [0, -5, 0.9, 1_700_000_000 - 601])
    def test_a_clock_far_behind_signs_nothing(self, tmp_path: Path, now: float) -> None:
        folder = make_witness(tmp_path / "w")
        self.asked(folder, 1_700_000_000, 0, 3)
        with pytest.raises(RefusedError, match="clock"):
            self.asked(folder, now, 3, 5)
        assert read_state(folder).logs[0].size == 3


def test_a_state_of_0_1_0_is_read(tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w")
    root = to_base64(merkle.root(LEAVES[:5]))
    text = '{"name":"%s","logs":[{"origin":"%s","key":"%s","size":5,"root":"%s"}]}'
    (folder / STATE_FILE).write_text(text % (NAME, ORIGIN, LOG_KEY.text(), root), encoding="utf-8")
    held = Running(folder)
    try:
        assert get(held, f"/{HASH}/checkpoint")[0] == 404
        assert held.post(body_of(5, 9))[0] == 200
        assert get(held, f"/{HASH}/checkpoint")[0] == 200
    finally:
        held.stop()


def test_a_state_whose_checkpoint_is_not_its_newest_is_damaged(tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w")
    held = Running(folder)
    held.post(body_of(0, 5))
    held.stop()
    path = folder / STATE_FILE
    path.write_text(path.read_text(encoding="utf-8").replace('"size": 5', '"size": 4'), encoding="utf-8")
    with pytest.raises(InputError, match="damaged"):
        read_state(folder)


def test_a_witness_may_have_a_name_with_odd_characters(tmp_path: Path) -> None:
    name = "свидетель.example/ø·1"
    key = parse_verifier_key(verifier_key(name, WITNESS_SIGNER.public, WITNESS).text())
    assert key.name == name
    assert verify_cosignatures(note_of(3) + cosign(note_of(3), name, WITNESS_SIGNER, 5), [key], 1)
