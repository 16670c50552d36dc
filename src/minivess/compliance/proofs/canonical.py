"""Canonical JSON (RFC 8785, JCS): one value, one sequence of bytes, so that bytes can be signed.

orjson with sorted keys writes the same bytes fifty times faster than a plain implementation, but for a few kinds of
numbers and keys. `canonical` and `parse_canonical` use it where a quick and exact look says that none of those is there.
"""

from __future__ import annotations

import json
import math
from typing import Any

import orjson
import rfc8785

from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import InputError
from minivess.records.base import Record

MAX_DEPTH = 32
"""How deep arrays and objects may nest in anything that is parsed."""
SAFE_INTEGER = 2**53
_WORDS = frozenset({str, bool, type(None)})
_CONTAINERS = frozenset({dict, list, tuple})


def canonical(value: Record | Any) -> bytes:
    """The RFC 8785 bytes of a record or of a plain JSON value.

    Args:
        value: a record (dumped with `mode="json"`), or None, bool, int, float, str, list, tuple or dict of these.

    Raises:
        InputError: the value holds NaN, infinity, an integer beyond 2^53-1, a lone surrogate, a key that is no text,
            or something that is not JSON.
    """
    plain = value.model_dump(mode="json") if isinstance(value, Record) else value
    try:
        if is_plain(plain):
            return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        pass  # orjson takes no key of a subclass of str, and no lone surrogate: rfc8785 judges them
    try:
        return rfc8785.dumps(plain)
    except (rfc8785.CanonicalizationError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"this value has no canonical JSON form: {_first_line(error)}") from None


def is_plain(value: Any, depth: int = 0) -> bool:
    """Whether quick encoders (orjson, msgspec) certainly write this array or object as RFC 8785 does."""
    kind = type(value)
    if kind is dict:
        keys = "".join(value)  # a key that is no text raises TypeError
        if not keys.isascii() and max(keys) >= "\ud800":  # keys beyond the BMP are sorted otherwise
            return False
        value = value.values()
    elif kind is not list and kind is not tuple:
        return False
    for item in [item for item in value if type(item) not in _WORDS]:
        kind = type(item)
        if kind is int:
            plain = -SAFE_INTEGER < item < SAFE_INTEGER
        elif kind is float:  # between these bounds neither writes an exponent; whole numbers differ by their `.0`
            plain = 1e-3 <= abs(item) < 1e15 and not item.is_integer()
        else:
            plain = kind in _CONTAINERS and (not item or (depth < MAX_DEPTH - 2 and is_plain(item, depth + 1)))
        if not plain:
            return False
    return True


def digest_of(value: Record | Any) -> str:
    """The `sha256:` digest of a value's canonical JSON.

    Raises:
        InputError: as `canonical`.
    """
    return digest_bytes(canonical(value))


def parse_json(data: bytes, *, limit: int) -> Any:
    """Parse JSON that somebody else wrote: bounded in size and depth, UTF-8, no duplicate key, nothing beyond a double.

    Raises:
        InputError: the bytes are anything else, or hold half of a surrogate pair.
    """
    if len(data) > limit:
        raise InputError(f"{len(data)} bytes of JSON is more than the {limit} allowed here")
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=_integer,
            parse_float=_double,
        )
    except (ValueError, RecursionError) as error:
        raise InputError(f"not valid JSON: {_first_line(error)}") from None
    _check_depth(value)
    if b"\\u" in data:
        _check_text(value)
    return value


def parse_canonical(data: bytes, *, limit: int) -> Any:
    """Parse bytes that must already be in canonical form (RFC 8785).

    Raises:
        InputError: not JSON, too large, too deep, a duplicate key, or the same value written differently.
    """
    if len(data) <= limit:
        try:
            value = orjson.loads(data)
            if is_plain(value) and orjson.dumps(value, option=orjson.OPT_SORT_KEYS) == data:
                return value
        except orjson.JSONDecodeError:
            pass  # the careful way below says what is wrong
    value = parse_json(data, limit=limit)
    if canonical(value) != data:
        raise InputError("the JSON is not in canonical form (RFC 8785)")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("an object has the same key twice")
    return result


def _integer(text: str) -> int | float:
    """A JSON number without fraction; beyond 2^53 it is the double that JCS takes it for."""
    if len(text) < 16:
        return int(text)
    number = _double(text)
    return int(text) if abs(number) < SAFE_INTEGER else number


def _double(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is larger than any double")
    return number


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return
    raise InputError(f"the JSON nests deeper than {MAX_DEPTH} levels")


def _check_text(value: Any) -> None:
    try:
        orjson.dumps(value)
    except TypeError:
        raise InputError("the JSON holds text with half of a surrogate pair") from None


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
