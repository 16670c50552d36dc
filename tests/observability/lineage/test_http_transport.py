"""Events to a server: in order, at least once, whatever the server does."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from minivess.foundation.errors import CouldNotCheckError, UsageError
from minivess.foundation.settings import load_settings
from minivess.observability.lineage.relay import Relay
from minivess.observability.lineage.transports import FileTransport, HttpTransport, transport_for
from tests.support.builders.audit_logs import lineage_event
from tests.support.properties import given, settings
from tests.support.properties import strategies as st
from tests.support.servers.marquez import HANG_UP, LOSE_THE_ANSWER, ListOutbox, Marquez, post, serving

pytestmark = pytest.mark.verifies("REQ-051", "SU-35")


@pytest.fixture
def marquez() -> Iterator[Marquez]:
    with serving(Marquez()) as server:
        yield server


def test_everything_arrives_in_order(marquez: Marquez) -> None:
    assert Relay(ListOutbox(30), post(marquez, token="abc")).deliver() == 30
    assert marquez.numbers == list(range(30))
    assert set(marquez.tokens) == {"Bearer abc"}


@pytest.mark.parametrize("path", ["", "/", "/api/v1/lineage", "/api/v1/lineage#here"])
def test_the_path_is_marquez_s_unless_another_is_given(marquez: Marquez, path: str) -> None:
    assert HttpTransport(f"{marquez.url}{path}").send([lineage_event(99)]) == 1
    assert marquez.tokens == [None]


def test_a_batch_goes_as_far_as_it_goes(marquez: Marquez) -> None:
    marquez.answers = [201, 201, 400]
    assert post(marquez).send([lineage_event(number) for number in range(10)]) == 2
    marquez.answers = [400]
    with pytest.raises(CouldNotCheckError):
        post(marquez).send([lineage_event(2)])
    assert marquez.numbers == [0, 1]


@pytest.mark.parametrize("fault", [500, 501, 503, 504, 599, 408, 425, 429, HANG_UP])
def test_a_fault_that_passes_is_tried_again(marquez: Marquez, fault: int) -> None:
    pauses: list[float] = []
    marquez.answers = [201, fault, fault, 201]
    assert Relay(ListOutbox(5), HttpTransport(marquez.url, sleep=pauses.append)).deliver() == 5
    assert marquez.numbers == list(range(5))
    assert len(pauses) == 2
    assert 0 < pauses[0] < pauses[1] <= 2


@pytest.mark.parametrize("fault", [503, 400, 401, 404, 302, 304, HANG_UP])
def test_a_fault_that_stays_keeps_the_rest_waiting_in_order(marquez: Marquez, fault: int) -> None:
    outbox = ListOutbox(6)
    marquez.answers = [201, 201, *[fault] * 6]
    with pytest.raises(CouldNotCheckError):
        Relay(outbox, post(marquez)).deliver()
    assert marquez.numbers == [0, 1]
    assert sorted(outbox.waiting) == [2, 3, 4, 5]
    marquez.answers = []
    assert Relay(outbox, post(marquez)).deliver() == 4  # another relay, as after a restart
    assert marquez.numbers == list(range(6))


def test_an_event_whose_answer_is_lost_comes_again_and_not_too_late(marquez: Marquez) -> None:
    marquez.answers = [201, LOSE_THE_ANSWER]
    Relay(ListOutbox(4), post(marquez)).deliver()
    assert marquez.numbers == [0, 1, 1, 2, 3]


def test_the_number_of_tries_is_limited(marquez: Marquez) -> None:
    marquez.answers = [503] * 20
    with pytest.raises(CouldNotCheckError, match="503"):
        Relay(ListOutbox(1), post(marquez)).deliver()
    assert marquez.requests == 3


def test_a_refusal_is_not_tried_again_and_says_what_the_server_said(marquez: Marquez) -> None:
    marquez.answers, marquez.body = [422], f"run \x1b[31m{'x' * 500} not abc.def\nsecond".encode()
    marquez.body = b"bad \x1b[31mtoken abc.def " + marquez.body
    with pytest.raises(CouldNotCheckError, match="422") as caught:
        Relay(ListOutbox(1), post(marquez, token="abc.def")).deliver()
    said = caught.value.message
    assert marquez.requests == 1
    assert "bad [31mtoken (token) run" in said
    assert len(said) < 300
    for kept_out in ("\x1b", "abc.def", "second"):
        assert kept_out not in said


def test_a_server_that_is_down_loses_nothing_and_may_come_back() -> None:
    outbox = ListOutbox(6)
    with serving(Marquez()) as server:
        port = server.server_port
        server.answers = [201, 201, *[HANG_UP] * 6]
        with pytest.raises(CouldNotCheckError):
            Relay(outbox, post(server)).deliver()
    with pytest.raises(CouldNotCheckError, match="out of reach"):
        Relay(outbox, HttpTransport(f"http://127.0.0.1:{port}", sleep=lambda _: None)).deliver()
    with serving(Marquez(port)) as again:
        assert Relay(outbox, post(again)).deliver() == 4
        assert [*server.numbers, *again.numbers] == list(range(6))


def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(CouldNotCheckError, match="out of reach"):
            HttpTransport(url, timeout=0.05, sleep=lambda _: None).send([lineage_event(0)])


def test_whatever_the_server_does_nothing_is_lost_and_the_order_holds(marquez: Marquez) -> None:
    faults = st.sampled_from([201, 201, 500, 400, HANG_UP, LOSE_THE_ANSWER])

    @settings(max_examples=40)
    @given(count=st.integers(1, 12), answers=st.lists(faults, max_size=25))
    def holds(count: int, answers: list[int]) -> None:
        outbox = ListOutbox(count)
        marquez.got, marquez.answers = [], list(answers)
        while outbox.waiting:
            with suppress(CouldNotCheckError):
                Relay(outbox, post(marquez)).deliver()
        assert marquez.first_arrivals == list(range(count))

    holds()


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://host",
        "localhost:5000",
        "http://",
        "http://host:99999",
        "http://host:x",
        "http://ho st",
        "http://host/\n",
        "http://höst",
        "http://[::1",
        "",
    ],
)
def test_only_web_addresses_are_taken(url: str) -> None:
    with pytest.raises(UsageError, match="http or https URL"):
        HttpTransport(url)


def test_secrets_do_not_go_where_they_can_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for url in ("http://ada:hunter2@localhost", "https://hunter2@host"):
        with pytest.raises(UsageError, match="password") as caught:
            HttpTransport(url)
        assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"
    with pytest.raises(UsageError, match="unencrypted connection"):
        HttpTransport("http://marquez.example", token="hunter2")
    HttpTransport("https://marquez.example", token="hunter2")
    HttpTransport("http://[::1]:5000", token="hunter2")
    monkeypatch.setenv("MINIVESS_LINEAGE_URL", "https://marquez.example")
    monkeypatch.setenv("MINIVESS_LINEAGE_TOKEN", "hunter2\r\nX-More: yes")
    with pytest.raises(UsageError, match="no bearer token") as caught:
        transport_for(load_settings(tmp_path))
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


def test_settings_choose_the_transport(marquez: Marquez, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "evidence" / "lineage" / "events.jsonl"
    monkeypatch.delenv("MINIVESS_LINEAGE_URL", raising=False)
    monkeypatch.setenv("MINIVESS_LINEAGE_TOKEN", "abc")
    Relay(ListOutbox(2), transport_for(load_settings(tmp_path))).deliver()
    before = file.read_bytes()
    assert (len(before.splitlines()), marquez.got) == (2, [])

    monkeypatch.setenv("MINIVESS_LINEAGE_URL", marquez.url)
    relay = Relay(ListOutbox(3), transport_for(load_settings(tmp_path)))
    relay.deliver()
    assert marquez.numbers == [0, 1, 2]
    assert set(marquez.tokens) == {"Bearer abc"}
    assert file.read_bytes() == before
    relay.redact(str(UUID(int=1)), lambda event: {**event, "n": 9})  # also what went to the file before
    assert b'"n":9' in file.read_bytes()


def test_proxies_of_the_environment_are_not_used(marquez: Marquez, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert post(marquez).send([lineage_event(0)]) == 1


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tmp_path: Path) -> None:
    server = Marquez()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_self_signed(tmp_path))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server), pytest.raises(CouldNotCheckError, match="CertVerification"):
        HttpTransport(f"https://localhost:{server.server_port}", sleep=lambda _: None).send([lineage_event(0)])
    assert server.requests == 0


def test_a_transport_without_a_file_lets_one_send_at_a_time(marquez: Marquez, tmp_path: Path) -> None:
    for transport in (post(marquez), post(marquez, beside=FileTransport(tmp_path / "events.jsonl"))):
        with transport.turn(wait=True) as ours, transport.turn(wait=False) as others:
            assert (ours, others) == (True, False)
        with transport.turn(wait=False) as ours:
            assert ours


def _self_signed(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
