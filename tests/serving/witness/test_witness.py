"""The witness server over real loopback connections: what it remembers, what it refuses, and that nothing moves it else."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from minivess.cli.log.witnessing import witness as command
from minivess.compliance.proofs import merkle
from minivess.compliance.proofs.checkpoint import Checkpoint, sign_note
from minivess.compliance.proofs.cosignature import (
    LOG,
    WITNESS,
    AddCheckpoint,
    parse_verifier_key,
    verifier_key,
    verify_cosignatures,
)
from minivess.compliance.proofs.encoding import to_base64
from minivess.foundation.errors import InputError, RefusedError, UsageError
from minivess.serving.witness.app import STATE_FILE, Witness, read_state, serve_log
from tests.support.properties import HealthCheck, given, settings
from tests.support.properties import strategies as st
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

pytestmark = pytest.mark.verifies("REQ-054", "RC-16", "SU-44")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    held = Running(make_witness(tmp_path / "w"))
    yield held
    held.stop()


def test_every_answer_over_http(running: Running) -> None:
    status, _, line = running.post(body_of(0, 3))
    assert status == 200
    assert verify_cosignatures(note_of(3) + line, [verifier_key(NAME, WITNESS_SIGNER.public, WITNESS)], 1)
    assert running.seen == 3
    assert running.post(body_of(0, 5)) == (409, "text/x.tlog.size", "3\n")
    assert running.post(body_of(3, 5))[0] == 200
    assert running.post(body_of(5, 5))[0] == 200
    evil = [*LEAVES[:4], merkle.leaf_hash(b"evil"), *LEAVES[5:]]
    assert running.post(body_of(5, 5, evil))[0] == 422
    assert running.post(body_of(5, 9, evil))[0] == 422
    assert running.post(AddCheckpoint(9, (), note_of(5)).text().encode())[0] == 400
    stranger = AddCheckpoint(5, (), note_of(5, signer=WITNESS_SIGNER)).text().encode()
    assert running.post(stranger)[0] == 403
    other = sign_note(Checkpoint("other.example", 1, LEAVES[0]), LOG_SIGNER)
    assert running.post(AddCheckpoint(0, (), other).text().encode())[0] == 404
    assert running.post(b"nonsense")[0] == 400
    assert running.post(body_of(5, 9), path="/elsewhere")[0] == 404
    assert running.seen == 5


def test_who_it_is_and_one_connection_for_several_requests(running: Running) -> None:
    connection = running.connection()
    for old, size in ((0, 2), (2, 3)):
        connection.request("POST", "/add-checkpoint", body_of(old, size))
        answer = connection.getresponse()
        assert (answer.status, answer.version) == (200, 11)
        answer.read()
    connection.request("GET", "/")
    text = connection.getresponse().read().decode("utf-8")
    assert parse_verifier_key(text.strip()).name == NAME
    connection.close()


@pytest.mark.parametrize("length", ["", "-1", "+5", "266241", "9" * 5000, "0x10", "5, 5"])
def test_a_body_of_no_stated_or_too_great_length_is_refused_unread(running: Running, length: str) -> None:
    connection = running.connection()
    connection.putrequest("POST", "/add-checkpoint")
    if length:
        connection.putheader("Content-Length", length)
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 400
    assert answer.headers["Connection"] == "close"
    connection.close()
    assert running.post(body_of(0, 1))[0] == 200


def test_checkpoints_of_other_implementations_are_served(tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w")
    serve_log(folder, LOG_KEY.text(), origin="a log with spaces")
    held = Running(folder)
    try:
        foreign = sign_note(Checkpoint(ORIGIN, 3, merkle.root(LEAVES[:3]), ("an extension line",)), LOG_SIGNER)
        status, _, line = held.post(AddCheckpoint(0, (), foreign).text().encode())
        assert status == 200
        assert verify_cosignatures(foreign + line, [verifier_key(NAME, WITNESS_SIGNER.public, WITNESS)], 1)
        body = f"a log with spaces\n3\n{foreign.splitlines()[2]}\n"
        key = LOG_KEY.key_hash + LOG_SIGNER.sign(body.encode())
        spaced = f"{body}\n— {ORIGIN} {to_base64(key)}\n"
        assert held.post(AddCheckpoint(0, (), spaced).text().encode())[0] == 200
    finally:
        held.stop()


@pytest.mark.verifies("REQ-055")
def test_of_requests_at_once_that_contradict_each_other_one_is_answered(running: Running) -> None:
    forks = [[*LEAVES[:6], merkle.leaf_hash(b"fork" + bytes([number]))] for number in range(8)]
    assert running.post(body_of(0, 6))[0] == 200
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda leaves: running.post(body_of(6, 7, leaves))[0], forks))
    assert sorted(answers) == [200] + [409] * 7
    assert running.seen == 7


@pytest.mark.verifies("REQ-055")
def test_two_processes_cannot_serve_one_memory(running: Running) -> None:
    with pytest.raises(RefusedError, match="running"):
        Witness(running.folder, WITNESS_SIGNER)
    key = verifier_key("new.example", WITNESS_SIGNER.public, LOG).text()
    with pytest.raises(RefusedError, match="running"):
        serve_log(running.folder, key)
    assert running.post(body_of(0, 4))[0] == 200
    running.stop()
    serve_log(running.folder, key)
    again = Running(running.folder)
    try:
        assert [(log.origin, log.size) for log in read_state(running.folder).logs] == [(ORIGIN, 4), ("new.example", 0)]
        assert again.post(body_of(0, 5)) == (409, "text/x.tlog.size", "4\n")
    finally:
        again.stop()


def test_a_witness_that_cannot_write_signs_nothing(running: Running) -> None:
    (running.folder / STATE_FILE).unlink()
    (running.folder / STATE_FILE).mkdir()  # a file cannot be renamed over a folder
    status, _, text = running.post(body_of(0, 3))
    assert (status, text) == (500, "the witness cannot keep its state, or its clock went back\n")
    (running.folder / STATE_FILE).rmdir()
    assert running.post(body_of(0, 3))[0] == 200
    assert running.seen == 3


@pytest.mark.parametrize(
    ("old", "new"), [('"size"', '"sise"'), ("}", ""), (ORIGIN, "log.example/x y+"), ('"size": 3', '"size": -3')]
)
def test_a_damaged_memory_stops_it(tmp_path: Path, old: str, new: str) -> None:
    folder = make_witness(tmp_path / "w")
    held = Running(folder)
    held.post(body_of(0, 3))
    held.stop()
    path = folder / STATE_FILE
    text = path.read_text(encoding="utf-8")
    log = text[text.index("{", 1) : text.rindex("}", 0, text.rindex("]")) + 1]
    twice = text.replace(log, f"{log},{log}") if new == "log.example/x y+" else text.replace(old, new)
    path.write_text(twice, encoding="utf-8")
    with pytest.raises(InputError, match="damaged"):
        Witness(folder, WITNESS_SIGNER)
    path.unlink()
    with pytest.raises(InputError):
        Witness(folder, WITNESS_SIGNER)


def test_only_keys_of_logs_are_served(tmp_path: Path) -> None:
    folder = make_witness(tmp_path / "w")
    with pytest.raises(UsageError, match="key of a witness"):
        serve_log(folder, verifier_key("w.example", WITNESS_SIGNER.public, WITNESS).text())


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_noise_neither_ends_it_nor_moves_it(running: Running, data: st.DataObject) -> None:
    if running.seen == 0:
        running.post(body_of(0, 5))
    good = body_of(5, 9, [*LEAVES[:4], merkle.leaf_hash(b"evil"), *LEAVES[5:]])
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, len(good)))
    noise = data.draw(st.binary(max_size=60) | st.text(max_size=30).map(lambda text: text.encode("utf-8")))
    status, _, _ = running.post(good[:start] + noise + good[end:])
    assert status in {400, 403, 404, 409, 422}
    assert running.seen == 5


def test_the_commands_make_a_witness_with_a_name_as_c2sp_recommends(tmp_path: Path) -> None:
    environment = {"MINIVESS_PASSPHRASE_WITNESS": "correct horse battery staple"}
    folder = str(tmp_path / "w")
    wrong = CliRunner().invoke(command, ["init", folder, "--name", "a witness"], env=environment)
    assert isinstance(wrong.exception, UsageError)
    made = CliRunner().invoke(command, ["init", folder, "--name", NAME], env=environment)
    assert (made.exit_code, parse_verifier_key(made.output.strip()).name) == (0, NAME)
    done = CliRunner().invoke(command, ["serve-log", folder, LOG_KEY.text()], env=environment)
    assert done.output == f"serves {ORIGIN}\n"
    assert read_state(tmp_path / "w").logs[0].key == LOG_KEY.text()
