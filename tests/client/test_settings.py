"""When the client waits, and what it does not send."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from minivess.foundation.errors import InputError, UsageError
from tests.support.lazy_modules import lazily
from tests.support.properties import given

with lazily(
    "minivess.client",
    "minivess.client.exchange",
    "minivess.client.images",
    "minivess.client.problems",
    "minivess.client.settings",
):
    from minivess.client import exchange, images, problems, settings

pytestmark = pytest.mark.verifies("SU-178")

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.mark.verifies("REQ-486")
@given(attempt=st.integers(1, 12))
def test_a_wait_is_below_a_bound_that_doubles(attempt: int) -> None:
    wait = settings.Retries(attempts=99, first_wait=0.5, longest_wait=30).wait(attempt, {})
    assert wait is not None
    assert 0 <= wait <= min(30, 0.5 * 2 ** (attempt - 1))


@pytest.mark.verifies("REQ-486")
def test_waits_differ() -> None:
    assert len({settings.Retries().wait(3, {}) for _ in range(20)}) > 10


@pytest.mark.verifies("REQ-486")
@pytest.mark.parametrize(
    ("stated", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("31", None),
        (format_datetime(NOW.replace(second=9), usegmt=True), 9.0),
        (format_datetime(NOW.replace(hour=11), usegmt=True), 0.0),
        (format_datetime(NOW.replace(hour=13), usegmt=True), None),
    ],
)
def test_the_service_states_how_long_to_wait(stated: str, seconds: float | None) -> None:
    assert settings.Retries().wait(1, {"retry-after": stated}, now=NOW) == seconds


@pytest.mark.verifies("REQ-486")
@pytest.mark.parametrize("stated", ["soon", "-1", "9" * 400, "Mon, 99 Foo 2026 12:00:00 GMT", "1e3"])
def test_a_wait_that_is_none_is_left_out(stated: str) -> None:
    wait = settings.Retries(first_wait=0.25).wait(1, {"retry-after": stated}, now=NOW)
    assert wait is not None
    assert 0 <= wait <= 0.25


@pytest.mark.verifies("REQ-486")
def test_the_last_attempt_has_no_wait() -> None:
    assert settings.Retries(attempts=2).wait(2, {}) is None
    assert settings.Retries(attempts=2).wait(2, {"retry-after": "1"}) is None


@pytest.mark.verifies("REQ-485")
@pytest.mark.parametrize("url", ["", "host:8000", "ftp://host", "file:///etc/passwd", "http://", "//host"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="address"):
        settings.Settings.of(url)


@pytest.mark.verifies("REQ-485")
def test_a_key_goes_to_other_machines_over_tls_alone() -> None:
    for url in ("https://segment.example.org", "http://127.0.0.1:8000", "http://[::1]:8000/", "http://localhost"):
        assert settings.Settings.of(url, key="secret").key == "secret"
    for url in (
        "http://segment.example.org",
        "http://10.0.0.1",
        "http://127.0.0.1.example.org",
        "http://localhost.example",
    ):
        with pytest.raises(UsageError, match="without TLS"):
            settings.Settings.of(url, key="secret")
        assert settings.Settings.of(url).key is None


@pytest.mark.verifies("REQ-485")
def test_a_key_is_not_shown_and_has_no_line_end() -> None:
    assert "secret" not in repr(settings.Settings.of("https://host", key="secret"))
    for key in ("secret\n", "", "sécret"):
        with pytest.raises(UsageError, match="key"):
            settings.Settings.of("https://host", key=key)


@pytest.mark.verifies("REQ-485")
def test_what_is_no_image_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    for wrong in (np.zeros((2, 2), np.complex64), np.array([[{}]], object), np.array([["a"]])):
        with pytest.raises(UsageError, match="image"):
            images.image_to_send(wrong, None)
    for spacing in ("2 x 1 x 1", "2 x 1 x 1 px", "one", ["1", "2"]):
        with pytest.raises(UsageError, match="spacing"):
            images.image_to_send(b"x", spacing)
    for path in (tmp_path / "missing.nii", tmp_path):
        with pytest.raises(InputError):
            images.image_to_send(path, None)


@pytest.mark.verifies("REQ-485")
def test_an_answer_is_read_up_to_a_limit_and_not_unpacked() -> None:
    collected = exchange.Collected({}, 10)
    collected.add(b"12345")
    collected.add(b"67890")
    assert collected.body == b"1234567890"
    with pytest.raises(InputError, match="more than 10 bytes"):
        collected.add(b"1")
    with pytest.raises(InputError, match="packed"):
        exchange.Collected({"content-encoding": "gzip"}, 10)


@pytest.mark.verifies("REQ-485")
@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[1]", b"null", b'{"reasons": 3}', b"[" * 100_000, b"\xff"], ids=range(7)
)
def test_a_problem_that_is_none_is_named_by_its_status(body: bytes) -> None:
    for status, kind in ((400, "RequestError"), (401, "NotAllowedError"), (500, "ServiceUnavailableError")):
        error = problems.error_of(problems.Problem.of(status, body))
        assert type(error).__name__ == kind
        assert str(status) in error.message
