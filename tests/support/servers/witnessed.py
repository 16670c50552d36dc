"""A witness on loopback, and a log of forty leaves that asks it."""

from __future__ import annotations

import http.client
import threading
from pathlib import Path

from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs import merkle
from minivess.compliance.proofs.checkpoint import Checkpoint, sign_note
from minivess.compliance.proofs.cosignature import LOG, AddCheckpoint, verifier_key
from minivess.records.device.witnesses import WitnessState
from minivess.serving.witness.app import Witness, WitnessServer, read_state, serve_log, write_state
from tests.support.builders import audit_logs

ORIGIN = "log.example/x"
LOG_SIGNER, WITNESS_SIGNER = audit_logs.service("log"), audit_logs.service("witness")
LOG_KEY = verifier_key(ORIGIN, LOG_SIGNER.public, LOG)
LEAVES = [merkle.leaf_hash(bytes([number])) for number in range(40)]
NAME = "witness.example/w1"


def note_of(size: int, leaves: list[bytes] = LEAVES, signer: Signer = LOG_SIGNER, extra: tuple[str, ...] = ()) -> str:
    return sign_note(Checkpoint(ORIGIN, size, merkle.root(leaves[:size]), extra), signer)


def body_of(old: int, size: int, leaves: list[bytes] = LEAVES) -> bytes:
    proof = merkle.consistency_proof(merkle.tree_of(leaves), old, size)
    return AddCheckpoint(old, proof, note_of(size, leaves)).text().encode("utf-8")


def make_witness(folder: Path) -> Path:
    folder.mkdir()
    write_state(folder, WitnessState(name=NAME))
    serve_log(folder, LOG_KEY.text())
    return folder


class Running:
    """A witness on loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = WitnessServer(Witness(folder, WITNESS_SIGNER))
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=20)

    def post(self, body: bytes, path: str = "/add-checkpoint") -> tuple[int, str, str]:
        connection = self.connection()
        try:
            connection.request("POST", path, body)
            answer = connection.getresponse()
            return answer.status, answer.headers["Content-Type"], answer.read().decode("utf-8")
        finally:
            connection.close()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def seen(self) -> int:
        return read_state(self.folder).logs[0].size
