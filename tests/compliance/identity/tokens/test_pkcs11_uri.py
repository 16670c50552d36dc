"""PKCS #11 URIs: strict, without secrets, one spelling."""

from __future__ import annotations

import pytest

from minivess.compliance.identity.tokens.pkcs11 import TokenKey, parse_pkcs11_uri
from minivess.foundation.errors import InputError
from tests.support.properties import given
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("REQ-053", "SU-09")


def labels(limit: int) -> st.SearchStrategy[str]:
    letters = st.characters(exclude_categories=("Cs", "Cc"))
    return st.text(letters, min_size=1, max_size=limit).filter(lambda text: len(text.encode()) <= limit)


names = st.builds(
    TokenKey,
    token=labels(32),
    manufacturer=st.none() | labels(32),
    model=st.none() | labels(16),
    serial=st.none() | labels(16),
    slot_id=st.none() | st.integers(0, (1 << 64) - 1),
    object=st.none() | labels(60),
    id=st.binary(min_size=1, max_size=40),
)


@given(names)
def test_what_is_written_is_read_again(where: TokenKey) -> None:
    assert parse_pkcs11_uri(where.uri) == where


@given(st.text(max_size=60) | st.text(";=?&%1aé/", max_size=60))
def test_nonsense_is_refused_and_never_anything_else(text: str) -> None:
    for candidate in (text, "pkcs11:" + text, "pkcs11:token=t;object=o;" + text):
        try:
            where = parse_pkcs11_uri(candidate)
        except InputError:
            continue
        assert parse_pkcs11_uri(where.uri) == where


def test_the_form_that_tools_print_is_read() -> None:
    where = parse_pkcs11_uri(
        "pkcs11:model=SoftHSM%20v2;manufacturer=SoftHSM%20project;serial=2f43a62ff78e96a6;token=The%20Software%20PKCS%2311"
        ";id=%00%1fA;object=ada%20%E2%82%AC;type=private"
    )
    assert where == TokenKey(
        token="The Software PKCS#11",
        manufacturer="SoftHSM project",
        model="SoftHSM v2",
        serial="2f43a62ff78e96a6",
        object="ada €",
        id=b"\x00\x1fA",
    )
    assert parse_pkcs11_uri("pkcs11:slot-id=007;id=AB").slot_id == 7


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "not a PKCS #11 URI"),
        ("PKCS11:token=t;object=o", "not a PKCS #11 URI"),
        ("pkcs11:", "malformed"),
        ("pkcs11:token=t;", "malformed"),
        ("pkcs11:token=t;;object=o", "malformed"),
        ("pkcs11:token=t;object", "malformed"),
        ("pkcs11:token=;object=o", "malformed"),
        ("pkcs11:token=t;object=a b", "malformed"),
        ("pkcs11:token=t;object=%4", "malformed"),
        ("pkcs11:token=t;object=%zz", "malformed"),
        ("pkcs11:token=t;object=é", "malformed"),
        ("pkcs11:token=t;object=a/b", "malformed"),
        ("pkcs11:token=t;object=o\n", "malformed"),
        ("pkcs11:token=t;Object=o", "malformed"),
        ("pkcs11:token=t;object=o?", "malformed"),
        ("pkcs11:token=t;object=a;object=a", "gives object twice"),
        ("pkcs11:token=t;object=a;colour=red", "not known here: colour"),
        ("pkcs11:token=t;object=a;library-version=3", "not known here"),
        ("pkcs11:token=t;object=a;type=public", "something else than a private key"),
        ("pkcs11:token=t;object=%FF", "not UTF-8"),
        ("pkcs11:token=t;object=%00", "control characters"),
        ("pkcs11:token=t;object=%7F", "control characters"),
        ("pkcs11:token=" + "t" * 33 + ";object=a", "too long"),
        ("pkcs11:token=t;id=" + "a" * 256, "255 bytes"),
        ("pkcs11:token=t;object=" + "a" * 1024, "1024 characters"),
        ("pkcs11:slot-id=-1;object=a", "decimal number"),
        ("pkcs11:slot-id=0x1;object=a", "decimal number"),
        ("pkcs11:slot-id=18446744073709551616;object=a", "decimal number"),
        ("pkcs11:object=a", "which token"),
        ("pkcs11:token=t", "which key"),
        ("pkcs11:token=t;object=a?vendor=x", "a query"),
    ],
)
def test_what_is_malformed_or_unclear_is_refused(text: str, what: str) -> None:
    with pytest.raises(InputError, match=what):
        parse_pkcs11_uri(text)


@pytest.mark.parametrize(
    "place", ["pkcs11:token=t;object=a?{}", "pkcs11:{};token=t;object=a", "pkcs11:token=t;object=a?x=y&{}"]
)
@pytest.mark.parametrize(
    "unsafe", ["pin-value=s3cret", "pin-source=file:s3cret", "module-path=s3cret", "module-name=s3cret"]
)
def test_a_pin_or_a_library_is_refused_wherever_it_stands_and_not_repeated(place: str, unsafe: str) -> None:
    with pytest.raises(InputError, match=unsafe.partition("=")[0]) as caught:
        parse_pkcs11_uri(place.format(unsafe))
    assert "s3cret" not in str(caught.value) + caught.value.hint
    assert caught.value.hint
