"""Asking witnesses when some of them are down, wrong, dishonest or faster than the log: none of them can spoil the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import ValidationError

from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs import merkle
from minivess.compliance.proofs.checkpoint import Checkpoint, parse_note, sign_note
from minivess.compliance.proofs.cosignature import LOG, WITNESS, add_signatures, cosign, parse_request, verifier_key
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.verification.witness import compare_views
from minivess.foundation.errors import CouldNotCheckError, RefusedError, VerificationError
from minivess.records.device.witnesses import WitnessAddress, WitnessPolicy, WitnessState
from minivess.serving.witness.app import Witness, WitnessServer, serve_log, write_state
from minivess.workflows.log.witnessing import cosign_checkpoint
from tests.support.builders import audit_logs

pytestmark = pytest.mark.verifies("REQ-054", "RC-16", "SU-41", "SU-15")

ORIGIN = "log.example/x"
KEY = audit_logs.service("log")
LOG_KEY = verifier_key(ORIGIN, KEY.public, LOG)
LEAVES = [merkle.leaf_hash(bytes([number])) for number in range(20)]
Reply = Callable[[bytes], tuple[int, str]]


class MemoryLog:
    """A log that holds hashes alone."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.leaves = list(leaves)
        self.kept: dict[int, str] = {}

    def note(self, size: int) -> str:
        return self.kept.get(size) or sign_note(Checkpoint(ORIGIN, size, merkle.root(self.leaves[:size])), KEY)

    def checkpoint(self) -> str:
        return self.note(len(self.leaves))

    def consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        return merkle.consistency_proof(merkle.tree_of(self.leaves), old_size, new_size)

    def keep_note(self, note: str) -> None:
        self.kept[parse_note(note).verify(ORIGIN, KEY.public).size] = note


class Village:
    """Servers on loopback: honest witnesses, and whatever else a test needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stops: list[Callable[[], None]] = []
        self.witnesses: dict[str, Witness] = {}

    def honest(self, name: str) -> WitnessAddress:
        signer = audit_logs.service(name)
        folder = self.folder / name
        folder.mkdir()
        write_state(folder, WitnessState(name=name))
        serve_log(folder, LOG_KEY.text())
        self.witnesses[name] = Witness(folder, signer)
        server = WitnessServer(self.witnesses[name])
        self.run(server)
        return _address(name, signer, server.url)

    def other(self, name: str, reply: Reply, signer: Signer | None = None) -> WitnessAddress:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                status, text = reply(self.rfile.read(int(self.headers["Content-Length"])))
                body = text.encode("utf-8")
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Location", "http://127.0.0.1:1/")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.run(server)
        return _address(name, signer or audit_logs.service(name), f"http://127.0.0.1:{server.server_port}")

    def run(self, server: ThreadingHTTPServer) -> None:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.stops += [server.shutdown, server.server_close]


def _address(name: str, signer: Signer, url: str) -> WitnessAddress:
    return WitnessAddress(url=url, key=verifier_key(name, signer.public, WITNESS).text())


def _policy(quorum: int, *witnesses: WitnessAddress) -> WitnessPolicy:
    return WitnessPolicy(quorum=quorum, witnesses=witnesses)


@pytest.fixture
def village(tmp_path: Path) -> Iterator[Village]:
    held = Village(tmp_path)
    yield held
    for stop in held.stops:
        stop()


BAD = audit_logs.service("bad")
BAD_KEY = verifier_key("bad", BAD.public, WITNESS)


def _signed(body: bytes, time: int = 5, signer: Signer = BAD) -> str:
    return cosign(parse_request(body).note, "bad", signer, time)


def _false(name: str, hashed: bytes, size: int) -> str:
    return f"— {name} {to_base64(hashed + bytes(size))}\n"


USELESS: dict[str, Reply] = {
    "another's signature": lambda body: (200, _signed(body, signer=audit_logs.service("else"))),
    "a wrong signature": lambda _: (200, _false("bad", BAD_KEY.key_hash, 72)),
    "the signature of another head": lambda _: (200, cosign(MemoryLog(LEAVES[:2]).checkpoint(), "bad", BAD, 5)),
    "a time to come": lambda body: (200, _signed(body, 1 << 40)),
    "a time beyond all time": lambda body: (200, _signed(body, 1 << 63)),
    "nothing": lambda _: (200, ""),
    "no newline": lambda body: (200, _signed(body)[:-1]),
    "nonsense": lambda _: (200, "<html>\n"),
    "megabytes": lambda body: (200, _signed(body) * 20_000),
    "a redirect": lambda _: (302, ""),
    "a failure": lambda _: (500, "out of order"),
    "a conflict without a size": lambda _: (409, "no"),
    "a size of nothing": lambda _: (409, "0\n"),
    "a wrong proof, of nothing": lambda _: (422, ""),
}


@pytest.mark.parametrize("reply", USELESS.values(), ids=USELESS.keys())
def test_one_useless_witness_does_not_stop_a_quorum_of_others(village: Village, reply: Reply) -> None:
    log = MemoryLog(LEAVES[:7])
    policy = _policy(2, village.other("bad", reply, BAD), village.honest("w1"), village.honest("w2"))
    note, vouched = cosign_checkpoint(log, policy)
    assert [one.name for one in vouched] == ["w1", "w2"]
    assert note == log.checkpoint()
    assert [item.name for item in parse_note(note).signatures] == [ORIGIN, "w1", "w2"]
    with pytest.raises(RefusedError) as caught:
        cosign_checkpoint(MemoryLog(LEAVES[:7]), _policy(3, *policy.witnesses))
    assert type(caught.value) is RefusedError
    assert caught.value.hint.startswith("bad: ")


@pytest.mark.parametrize("count", [1, 60])
def test_lines_in_the_name_of_others_are_not_taken(village: Village, count: int) -> None:
    honest = village.honest("w1"), village.honest("w2")
    hashed = bytes.fromhex(honest[0].key.split("+")[1])
    false = _false("w1", hashed, 72) + _false(ORIGIN, LOG_KEY.key_hash, 64)
    false += "".join(_false(f"noise{number}", bytes(4), 72) for number in range(count))
    log = MemoryLog(LEAVES[:7])
    note, vouched = cosign_checkpoint(
        log, _policy(3, village.other("bad", lambda body: (200, false + _signed(body)), BAD), *honest)
    )
    assert [one.name for one in vouched] == ["bad", "w1", "w2"]
    assert len(parse_note(note).signatures) == 4


def test_one_that_is_down_and_one_that_drips_cost_no_more_than_the_time_allowed(village: Village) -> None:
    ended = threading.Event()

    class Dripping(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "60000")
            self.end_headers()
            try:
                while not ended.wait(0.05):
                    self.wfile.write(b"x")
            except OSError:
                ended.set()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Dripping)
    village.run(server)
    dripping = _address("drips", audit_logs.service("drips"), f"http://127.0.0.1:{server.server_port}")
    down = _address("down", audit_logs.service("down"), "http://127.0.0.1:1")
    try:
        _, vouched = cosign_checkpoint(
            MemoryLog(LEAVES[:3]), _policy(1, dripping, down, village.honest("w1")), timeout=0.5
        )
        assert [one.name for one in vouched] == ["w1"]
        assert ended.wait(30)  # it was the client that hung up
    finally:
        ended.set()


def test_a_checkpoint_that_others_overtook_is_no_split_view(village: Village) -> None:
    policy = _policy(2, village.honest("w1"), village.honest("w2"))
    cosign_checkpoint(MemoryLog(LEAVES[:9]), policy)

    class Overtaken(MemoryLog):
        asked = 0

        def checkpoint(self) -> str:
            self.asked += 1
            return self.note(5 if self.asked == 1 else 9)

    log = Overtaken(LEAVES[:9])
    note, vouched = cosign_checkpoint(log, policy)
    assert (parse_note(note).checkpoint.size, len(vouched)) == (9, 2)


def test_a_witness_that_others_moved_meanwhile_is_no_split_view(village: Village) -> None:
    village.honest("w1")
    honest, log = village.witnesses["w1"], MemoryLog(LEAVES[:9])
    signer = honest._signer
    moved = iter((2, 4, 6))

    def reply(body: bytes) -> tuple[int, str]:
        size = next(moved, None)
        if size is not None:
            old = honest._state.logs[0].size
            head = "".join(f"{to_base64(item)}\n" for item in log.consistency(old, size))
            assert honest.add_checkpoint(f"old {old}\n{head}\n{log.note(size)}".encode())[0] == 200
        status, _, text = honest.add_checkpoint(body)
        return status, text

    _, vouched = cosign_checkpoint(log, _policy(1, village.other("w1", reply, signer)))
    assert [one.name for one in vouched] == ["w1"]


def test_a_log_that_outruns_its_witnesses_is_not_accused(village: Village) -> None:
    class Running(MemoryLog):
        size = 1

        def checkpoint(self) -> str:
            self.size += 1
            return self.note(self.size)

    ahead = village.other(
        "bad", lambda body: (409, f"{parse_note(parse_request(body).note).checkpoint.size + 1}\n"), BAD
    )
    with pytest.raises(CouldNotCheckError, match="appended to the log while"):
        cosign_checkpoint(Running(LEAVES), _policy(1, ahead))


@pytest.mark.verifies("REQ-055")
@pytest.mark.parametrize(("size", "says"), [(6, "split view"), (5, "split view"), (4, "rolled back")])
def test_another_history_is_loud_even_when_a_quorum_did_not_see_it(village: Village, size: int, says: str) -> None:
    first, second = village.honest("w1"), village.honest("w2")
    fork = MemoryLog([*LEAVES[:4], merkle.leaf_hash(b"evil"), *LEAVES[5:7]][:size])
    cosign_checkpoint(MemoryLog(LEAVES[:5]), _policy(1, first))
    with pytest.raises(VerificationError, match=f"w1.*{says}"):
        cosign_checkpoint(fork, _policy(1, first, second))
    assert [item.name for item in parse_note(fork.checkpoint()).signatures] == [ORIGIN, "w2"]
    with pytest.raises(VerificationError, match=says):
        cosign_checkpoint(fork, _policy(2, first, second))


def test_asking_again_renews_the_signatures_and_says_to_nobody_who_else_was_asked(village: Village) -> None:
    log = MemoryLog(LEAVES[:3])
    heard: list[bytes] = []

    def reply(body: bytes) -> tuple[int, str]:
        heard.append(body)
        return 200, _signed(body, len(heard))

    policy = _policy(2, village.other("bad", reply, BAD), village.honest("w1"))
    for turn in range(1, 30):
        note, vouched = cosign_checkpoint(log, policy)
        assert vouched[0].time == turn
    assert len(parse_note(note).signatures) == 3
    assert all(f"— {name} " not in body.decode("utf-8") for body in heard for name in ("w1", "bad"))


def test_the_time_of_a_signature_is_held_against_ones_own_clock(village: Village) -> None:
    policy = _policy(1, village.other("bad", lambda body: (200, _signed(body, 2_000_000_000)), BAD))
    with pytest.raises(RefusedError, match="0 of 1") as caught:
        cosign_checkpoint(MemoryLog(LEAVES[:3]), policy, clock=lambda: datetime(2030, 1, 1, tzinfo=UTC))
    assert "future" in caught.value.hint
    assert cosign_checkpoint(MemoryLog(LEAVES[:3]), policy, clock=lambda: datetime(2034, 1, 1, tzinfo=UTC))


def test_requests_can_go_another_way() -> None:
    def post(url: str, body: bytes, timeout: float) -> tuple[int, str]:
        assert (url, timeout) == ("https://w.example/prefix/add-checkpoint", 3.0)
        return 200, _signed(body)

    address = WitnessAddress(url="https://w.example/prefix/", key=BAD_KEY.text())
    _, vouched = cosign_checkpoint(MemoryLog(LEAVES[:3]), _policy(1, address), timeout=3.0, post=post)
    assert [one.name for one in vouched] == ["bad"]


def test_a_policy_counts_each_witness_once_and_no_log() -> None:
    one, twin = (_address(name, BAD, "http://w.example") for name in ("w1", "w2"))
    with pytest.raises(ValidationError, match="twice"):
        _policy(2, one, twin)
    with pytest.raises(ValidationError, match="twice"):
        _policy(1, one, _address("w1", KEY, "http://w.example"))
    with pytest.raises(ValidationError, match="another type"):
        _policy(1, WitnessAddress(url="http://w.example", key=LOG_KEY.text()))
    with pytest.raises(ValidationError, match="never"):
        _policy(2, one)


@pytest.mark.verifies("REQ-055")
def test_two_views_of_other_sizes_need_a_proof(village: Village) -> None:
    log = MemoryLog(LEAVES[:9])
    small, large = log.note(4), add_signatures(log.note(9), _false("w", bytes(4), 72))
    assert "continues" in compare_views(small, large, KEY.public, log.consistency(4, 9))
    with pytest.raises(CouldNotCheckError, match="without a proof"):
        compare_views(small, large, KEY.public)
    with pytest.raises(VerificationError, match="does not show"):
        compare_views(small, large, KEY.public, log.consistency(3, 9))
    other = sign_note(Checkpoint(ORIGIN, 9, bytes(32)), KEY)
    with pytest.raises(VerificationError, match="split view"):
        compare_views(large, other, KEY.public)
