"""Signing keys that stay in a token: PKCS #11 (OASIS, v2.40), through the optional library `python-pkcs11`.

The library that drives the token is named by the environment variable MINIVESS_PKCS11_MODULE and by nothing else. Three
properties of PKCS #11 shape what follows:

- A log-in holds for the whole program and every session with the token (section 5.6, C_Login). While somebody is logged
  in, the token does not look at a PIN, so all keys of a token share one session here, which remembers a keyed digest of
  the PIN it was opened with and refuses any other.
- The library is loaded without locking functions (section 5.4, C_Initialize), so one call at a time is made.
- What a token signs is checked before it is handed on: a token whose key was exchanged is noticed at once.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from minivess.compliance.identity.keys import p256_signature, verify
from minivess.compliance.identity.tokens.pkcs11_objects import (
    find_private_key,
    find_token,
    load_library,
    public_half,
    refuse_unfit,
)
from minivess.compliance.identity.tokens.pkcs11_uri import TokenKey, parse_pkcs11_uri
from minivess.foundation.errors import CouldNotCheckError, RefusedError, UsageError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.people.identity import KeyAlgorithm, PublicKey

__all__ = ["TokenKey", "TokenPrivateKey", "adopt_token_key", "open_token_key", "parse_pkcs11_uri"]

_CHECK = b"minivess-token-check/1\x00"


@dataclass(eq=False)
class _Login:
    """A logged-in session with a token, shared by all keys that are open in it."""

    place: tuple[str, int]
    session: Any
    digest: bytes
    salt: bytes
    users: int = 0
    process: int = field(default_factory=os.getpid)

    def fits(self, pin: str) -> bool:
        return hmac.compare_digest(self.digest, _keyed(self.salt, pin))


_ONE_CALL = threading.Lock()
_LOGINS: dict[tuple[str, int], _Login] = {}
"""By library and slot."""
_LEFT: deque[_Login] = deque()
"""One for every key that was closed or collected and whose share of a session is still to be given back. The garbage
collector can run inside a call to the token, so it only writes here."""


@implements("REQ-053")
class TokenPrivateKey:
    """A private key in a token: the same face as `keys.PrivateKey` has for signing, but there is no secret to show."""

    def __init__(self, where: TokenKey, public: PublicKey, key: Any, login: _Login) -> None:
        self.where = where
        self._public = public
        self._key = key
        self._login = login
        self._finalizer = weakref.finalize(self, _leave, login)

    @property
    def public(self) -> PublicKey:
        """The public half."""
        return self._public

    @property
    def key_id(self) -> str:
        """Id of the public half."""
        return self._public.key_id

    def sign(self, data: bytes) -> bytes:
        """Have the token sign bytes: 64 raw bytes for Ed25519, DER with low `s` for P-256.

        Raises:
            CouldNotCheckError: the key was closed, the token does not answer, or it signed with another key.
        """
        p256 = self._public.algorithm is KeyAlgorithm.P256
        with _calls() as pkcs11:
            if not self._finalizer.alive:
                raise CouldNotCheckError("the session with the token was closed", hint="unlock the key again")
            try:
                if p256:
                    raw = self._key.sign(hashlib.sha256(data).digest(), mechanism=pkcs11.Mechanism.ECDSA)
                else:
                    raw = self._key.sign(data, mechanism=pkcs11.Mechanism.EDDSA)
            except pkcs11.PKCS11Error:
                _forget(self._login)
                raise
        try:
            if p256:
                raw = p256_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
            verify(self._public, data, raw)
        except (VerificationError, ValueError):
            raise CouldNotCheckError(
                f"the token signed with another key than {self.key_id[:12]}", hint="is it the right token?"
            ) from None
        return bytes(raw)

    def close(self) -> None:
        """Give back this key's share of the session; the last one logs out of the token."""
        self._finalizer()
        with _ONE_CALL:
            _sweep()

    def __repr__(self) -> str:
        return f"<TokenPrivateKey {self._public.algorithm.value} {self.key_id[:12]}>"


@implements("REQ-053")
def adopt_token_key(where: TokenKey, pin: str) -> TokenPrivateKey:
    """Open a key that no identity has yet: its public half is read from the token.

    Raises:
        UsageError: no library is set or installed; the URI fits several tokens or keys; or the key is not fit: neither
            P-256 nor Ed25519, able to leave the token, or wanting the PIN at every signature.
        RefusedError: the token refuses the PIN.
        CouldNotCheckError: token or key is not there, the PIN is locked, or the token does not answer.
    """
    with _calls() as pkcs11, _share(pkcs11, where, pin) as login:
        key = find_private_key(pkcs11, login.session, where)
        refuse_unfit(pkcs11, key)
        opened = TokenPrivateKey(where, public_half(pkcs11, login.session, key), key, login)
    return _checked(opened)


@implements("REQ-053")
def open_token_key(where: TokenKey, public: PublicKey, pin: str) -> TokenPrivateKey:
    """Open the key of an identity: the token shows that it holds the private half of `public`.

    Raises:
        UsageError: no library is set or installed, or the URI fits several tokens or keys.
        RefusedError: the token refuses the PIN; for no other reason.
        CouldNotCheckError: as `adopt_token_key`; also when the token holds another key by that name.
    """
    with _calls() as pkcs11, _share(pkcs11, where, pin) as login:
        opened = TokenPrivateKey(where, public, find_private_key(pkcs11, login.session, where), login)
    return _checked(opened)


def _checked(key: TokenPrivateKey) -> TokenPrivateKey:
    try:
        key.sign(_CHECK + os.urandom(32))
    except BaseException:
        key.close()
        raise
    return key


@contextmanager
def _calls() -> Iterator[Any]:
    """The only way to the token: one thread at a time, with the token's errors put into ours; gives the bindings."""
    try:
        import pkcs11
    except ImportError:
        raise UsageError("a key in a token needs an optional library", hint="pip install 'minivess[hsm]'") from None
    with _ONE_CALL:
        _sweep()
        try:
            yield pkcs11
        except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange, UnicodeEncodeError):
            raise RefusedError(
                "the token refused the PIN", hint="after a few wrong ones a token locks itself"
            ) from None
        except pkcs11.PinLocked:
            raise CouldNotCheckError(
                "the token has locked its PIN", hint="unlock it with the tool of its maker"
            ) from None
        except (pkcs11.UserAlreadyLoggedIn, pkcs11.AnotherUserAlreadyLoggedIn):
            raise CouldNotCheckError("another part of this program is logged in to the token") from None
        except pkcs11.PKCS11Error as error:
            raise CouldNotCheckError(
                f"the token does not answer as it should: {type(error).__name__}", hint="is it plugged in?"
            ) from None
        finally:
            _sweep()


@contextmanager
def _share(pkcs11: Any, where: TokenKey, pin: str) -> Iterator[_Login]:
    """A share of the session with a token; it passes to the key that is made of it, or back when none is."""
    library = load_library(pkcs11)
    token = find_token(pkcs11, library, where)
    place = (str(library.so), int(token.slot.slot_id))
    login = _LOGINS.get(place)
    if login is None:
        salt = os.urandom(32)
        login = _Login(place, token.open(user_pin=pin), _keyed(salt, pin), salt)
        _LOGINS[place] = login
    elif not login.fits(pin):
        raise pkcs11.PinIncorrect
    login.users += 1
    try:
        yield login
    except BaseException:
        _LEFT.append(login)
        raise


def _keyed(salt: bytes, pin: str) -> bytes:
    return hmac.digest(salt, pin.encode("utf-8"), "sha256")


def _forget(login: _Login) -> None:
    """Let the next key open a session of its own: this one failed."""
    if _LOGINS.get(login.place) is login:
        del _LOGINS[login.place]


def _sweep() -> None:
    while _LEFT:
        login = _LEFT.popleft()
        login.users -= 1
        if login.users == 0:
            _forget(login)
            if login.process == os.getpid():
                with suppress(Exception):
                    login.session.close()


def _leave(login: _Login) -> None:
    _LEFT.append(login)
    if _ONE_CALL.acquire(blocking=False):
        try:
            _sweep()
        finally:
            _ONE_CALL.release()
