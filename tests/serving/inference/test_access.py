"""Who may call the service: what each address needs, how often, over which TLS (features/serving_access.feature has the rest)."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from minivess.foundation.errors import InputError, UsageError
from minivess.records.log.callers import Scope
from tests.support.lazy_modules import lazily
from tests.support.projects import ProjectFolder
from tests.support.properties import given
from tests.support.properties import strategies as st
from tests.support.servers import served, toy_models

with lazily(
    "fastapi",
    "minivess.serving.inference.access.exposure",
    "minivess.serving.inference.access.buckets",
    "minivess.serving.inference.access.rules",
    "minivess.serving.inference.access.repeats",
    "minivess.serving.inference.access.headers",
    "minivess.serving.inference.access.gate",
):
    import fastapi
    from fastapi import testclient

    from minivess.serving.inference.access import buckets, exposure, gate, headers, repeats, rules

pytestmark = pytest.mark.verifies("SU-168")


@pytest.mark.verifies("REQ-446")
@pytest.mark.parametrize(
    ("path", "need"),
    [
        ("/v1/segment", Scope.INFER),
        ("/v1/segment/", Scope.INFER),
        ("/v1/jobs/5", Scope.INFER),
        ("/predict", Scope.INFER),
        ("/v1/decisions/3/receipt", Scope.READ),
        ("/v1/receipts/3", Scope.READ),
        ("/metrics", Scope.METRICS),
        ("/v1/segments", "any"),
        ("/v1/model", "any"),
        ("//v1/segment", "any"),
        ("/demo/../v1/segment", "open"),
        ("/", "open"),
        ("/healthz", "open"),
        ("/healthz/", "any"),
        ("", "any"),
    ],
)
def test_what_an_address_needs(path: str, need: object) -> None:
    assert rules.need_of(path) == need


@pytest.mark.verifies("REQ-449")
@given(
    a_minute=st.integers(1, 5000),
    waits=st.lists(st.floats(0, 30, allow_nan=False), min_size=1, max_size=60),
)
def test_a_caller_gets_no_more_than_the_limit_and_its_burst(a_minute: int, waits: list[float]) -> None:
    now, granted = [0.0], list[float]()
    shared = buckets.Buckets(elapsed=lambda: now[0])
    for wait in waits:
        now[0] += wait
        left = shared.take("pacs", a_minute)
        assert left >= 0
        if left == 0:
            granted.append(now[0])
        else:
            before = now[0]
            now[0] += left * 1.0001
            assert shared.take("pacs", a_minute) == 0  # what was promised holds
            granted.append(now[0])
            assert now[0] > before
    burst = max(1.0, a_minute / 6)
    for first in range(len(granted)):
        for last in range(first, len(granted)):
            allowed = burst + (granted[last] - granted[first]) * a_minute / 60
            assert last - first + 1 <= allowed + 1e-6 * (last + 1) + 1e-9


@pytest.mark.verifies("REQ-449")
def test_one_caller_takes_nothing_of_another() -> None:
    shared = buckets.Buckets(elapsed=lambda: 0.0)
    assert shared.take("slow", 1) == 0
    assert shared.take("slow", 1) == 60
    assert shared.take("other", 1) == 0


def certificate(folder: Path, name: str = "localhost") -> exposure.Tls:
    """A certificate of its own for a name, valid for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    tls = exposure.Tls(folder / f"{name}.pem", folder / f"{name}.key")
    tls.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    tls.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return tls


def handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> str | None:
    """The version that both agree on, without a network."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = (
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    done = [False, False]
    for _ in range(10):
        for number, side in enumerate(sides):
            try:
                side.do_handshake()
                done[number] = True
            except ssl.SSLWantReadError:
                continue
        if all(done):
            return sides[0].version()
    return None


@pytest.mark.verifies("REQ-451")
def test_tls_is_1_2_or_newer(tmp_path: Path) -> None:
    tls = certificate(tmp_path)
    found = []
    for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
        client = ssl.create_default_context(cafile=tls.certificate)
        client.minimum_version = client.maximum_version = version
        found.append(handshake(tls.context(), client))
    assert found == ["TLSv1.3", "TLSv1.2"]
    assert tls.context().minimum_version is ssl.TLSVersion.TLSv1_2
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.load_verify_locations(tls.certificate)
    with pytest.raises(ssl.SSLError):
        handshake(tls.context(), old)


@pytest.mark.verifies("REQ-451")
def test_files_that_cannot_be_used_for_tls_are_refused(tmp_path: Path) -> None:
    one, other = certificate(tmp_path), certificate(tmp_path, "elsewhere")
    for tls in (
        exposure.Tls(one.certificate, other.key),
        exposure.Tls(one.certificate, tmp_path / "no-file"),
        exposure.Tls(one.key, one.key),
    ):
        with pytest.raises(InputError, match="cannot be used for TLS"):
            tls.context()
    for files in ((one.certificate, None), (None, one.key)):
        with pytest.raises(UsageError, match="takes a certificate and its key"):
            exposure.tls_of(*files)
    assert exposure.tls_of(None, None) is None
    assert exposure.tls_of(one.certificate, one.key) == one


@pytest.mark.verifies("REQ-450")
def test_a_page_runs_its_own_blocks_alone() -> None:
    made = headers.page(
        "<style>a{}</style><script>one()</script><script src='/static/x.js'></script><script>two()</script>"
    )
    rules_of = dict(rule.strip().split(" ", 1) for rule in made.headers["content-security-policy"].split(";"))
    assert rules_of["default-src"] == "'none'"
    assert rules_of["script-src"].count("'sha256-") == 2
    assert rules_of["style-src"].count("'sha256-") == 1
    assert rules_of["frame-ancestors"] == "'none'"


@pytest.mark.verifies("REQ-446")
def test_nothing_is_let_through_when_callers_cannot_be_found_out() -> None:
    class Engine:
        """Fails in a way that nothing expects."""

        counted: ClassVar[list[str]] = []

        def callers(self) -> object:
            raise RuntimeError("a secret")

        def turn_away(self, reason: str) -> None:
            self.counted.append(reason)

    made = fastapi.FastAPI()
    made.add_api_route("/v1/segment", lambda: "reached", methods=["POST"])
    made.add_middleware(gate.Gate, engine=cast("Any", Engine()))
    answer: Any = testclient.TestClient(made).post("/v1/segment")
    assert (answer.status_code, Engine.counted) == (503, ["failed"])
    assert "secret" not in answer.text


def held(size: int, status: int = 200) -> repeats.Finished:
    return repeats.Finished(status, {"content-type": "application/json"}, (b"x" * size,))


@pytest.mark.verifies("REQ-453")
@given(sizes=st.lists(st.integers(0, 40), max_size=30), gap=st.floats(0, 50))
def test_answers_are_held_within_their_bounds(sizes: list[int], gap: float) -> None:
    now = [0.0]
    bounds = repeats.Bounds(answers=5, size=100, seconds=60)
    kept = repeats.Repeats(bounds, elapsed=lambda: now[0])
    for number, size in enumerate(sizes):
        name = ("pacs", str(number))
        assert kept.reserve(name, "body") is None
        kept.finish(name, held(size))
        now[0] += gap
        known = [one for one in range(number + 1) if kept.knows(("pacs", str(one)))]
        assert len(known) <= bounds.answers
        assert sum(sizes[one] for one in known) <= bounds.size
        assert all((number - one) * gap + gap <= bounds.seconds + gap for one in known)
        assert known == sorted(known)[-len(known) :] if known else True


@pytest.mark.verifies("REQ-453")
def test_what_failed_is_answered_anew() -> None:
    kept = repeats.Repeats()
    assert kept.reserve(("pacs", "one"), "body") is None
    kept.finish(("pacs", "one"), None)
    assert not kept.knows(("pacs", "one"))
    large = repeats.Repeats(repeats.Bounds(size=10))
    large.reserve(("pacs", "one"), "body")
    large.finish(("pacs", "one"), held(11))
    assert not large.knows(("pacs", "one"))


@pytest.mark.verifies("REQ-450")
def test_colours_of_classes_are_no_attributes(servable_project: ProjectFolder, tmp_path: Path) -> None:
    with (
        served.running(servable_project.copy_to(tmp_path / "project")) as service,
        toy_models.serving(service, toy_models.TWO_CLASSES) as other,
    ):
        text = other.client.get("/").text
    assert " style=" not in text
    assert "<script" not in text
    for label in toy_models.TWO_CLASSES.classes:
        assert f".of-{label.value} {{ background: {label.colour}; }}" in text.split("</style>")[0]
        assert f'class="colour of-{label.value}"' in text
