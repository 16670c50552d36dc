#!/usr/bin/env python3
"""Verify a MiniVess evidence pack with nothing but Python (3.9 or newer) and this file.

    python verify.py PACK.zip [--trust trust.json]
    python verify.py FOLDER   [--trust trust.json]
    python verify.py                               from inside an unpacked pack

It shares no code with the program that made the pack. It prints one line a check and ends with exit code 0 if the
pack holds, 1 if it does not, 2 if it could not be asked that way. Without `--trust` the pack is measured against keys
that it brings along itself: that shows that it is consistent, not who made it. Take `trust.json` (`minivess audit
trust`), and best this file too, from somewhere else than the pack. A trust file that names no release rules, as those
of version 0.1.0, gives the verdict LIMITED and exit code 1. VERIFY.md says how to do the same by hand.

Standards: BagIt (RFC 8493), canonical JSON (RFC 8785), Merkle trees (RFC 6962), C2SP signed notes, checkpoints,
cosignatures, policies and tlog-proofs, Ed25519 (RFC 8032), ECDSA P-256 (FIPS 186-5), DSSE v1 and in-toto Statement v1.
The models of each action's payload are beyond this file; `minivess release verify` checks those as well.
"""

# ruff: noqa: UP031  percent formatting reads the same in every Python this must run on
from __future__ import annotations

import argparse
import base64
import functools
import hashlib
import json
import re
import struct
import sys
import time
import unicodedata
import zlib
from pathlib import Path

LIMIT_BYTES = 1 << 30
LIMIT_FILES = 20000
LAYOUT = 1
TAG = "tagmanifest-sha512.txt"
TAGGED = ("bag-info.txt", "bagit.txt", "manifest-sha512.txt")
ODOMETER = "data/evaluation/odometer.json"
EVENTS = "data/lineage/events.jsonl"
POLICY = "data/release/policy.json"
CHECKPOINT = "data/audit/checkpoint.txt"
MADE = ("data/models/", "data/evaluation/", "data/datasets/", "data/verification/", "data/lineage/")
SIGNATURE = re.compile(r"signatures/([A-Za-z0-9][A-Za-z0-9._-]{0,63})\.(dsse\.json|cosignature)", re.ASCII)
COMPONENT = re.compile(r"[A-Za-z0-9_@+=(),. -]{1,120}", re.ASCII)
APPROVAL = "urn:minivess:approval:1"


class WrongError(Exception):
    """Something does not hold; the message says what, in words."""


def need(condition, message):  # fail with a message unless the condition holds
    if not condition:
        raise WrongError(message)


def unbase64(text):  # decode base64, accepting one spelling only
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        raise WrongError("not valid base64") from None
    need(base64.b64encode(data).decode("ascii") == text, "base64 with stray bits")
    return data


def sha256(data):  # the digest of bytes, as the log and the records write it
    return "sha256:" + hashlib.sha256(data).hexdigest()


# ---------------------------------------------------------------- the container


def good_name(name):  # whether a name is relative, plain ASCII and free of steps upwards
    return len(name) <= 240 and all(
        COMPONENT.fullmatch(part) and part not in {".", ".."} and part[-1] not in ". " and part[0] != " "
        for part in name.split("/")
    )


def zip_headers(name, crc, size, offset):
    """A zip local file header (stored, 1980-01-01, no extra field), and its record in the central directory."""
    local = (b"PK\3\4", 20, 0, 0, 0, 33, crc, size, size, len(name), 0)
    central = (b"PK\1\2", 788, 20, 0, 0, 0, 33, crc, size, size, len(name), 0, 0, 0, 0, 0o100644 << 16, offset)
    return [struct.pack("<4s5H3L2H", *local) + name, struct.pack("<4s6H3L5H2L", *central) + name]


def read_zip(data):  # files of a zip, whose every byte must be the one that its files require
    need(data[:4] == b"PK\3\4", "this is not a zip archive")
    files, directory, offset, previous = {}, [], 0, ""
    while data[offset : offset + 4] == b"PK\3\4":
        near = "after " + previous if previous else "at its start"
        need(offset + 30 <= len(data), "the archive is cut off " + near)
        method, size, length = struct.unpack_from("<8xH8xL4xH", data, offset)
        raw = data[offset + 30 : offset + 30 + length]
        need(raw.isascii() and good_name(raw.decode("ascii")), "the archive is changed " + near)
        name, start = raw.decode("ascii"), offset + 30 + length
        need(method == 0, name + " is compressed or encrypted; a pack stores files as they are")
        need(name > previous, "the archive is changed: " + name + " occurs twice or out of order")
        need(start + size <= len(data), "the archive is changed or cut off in " + name)
        content = data[start : start + size]
        local, central = zip_headers(raw, zlib.crc32(content), size, offset)
        need(data[offset:start] == local, name + " is changed: bytes or header differ")
        files[name] = content
        need(len(files) <= LIMIT_FILES, "too many files")
        directory.append(central)
        offset, previous = start + size, name
    joined = b"".join(directory)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, len(files), len(files), len(joined), offset, 0)
    need(data[offset:] == joined + end, "the archive is changed: its directory is not the one that its files require")
    return files


def read_folder(folder):  # files of an unpacked pack
    files, total = {}, 0
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        need(not path.is_symlink(), name + " is a link; a pack holds plain files alone")
        if path.is_dir():
            continue
        need(path.is_file(), name + " is not a plain file")
        total += path.stat().st_size
        need(total <= LIMIT_BYTES and len(files) < LIMIT_FILES, "the folder is larger than a pack may be")
        need(good_name(name), repr(name) + " cannot be the name of a file in a pack")
        files[name] = path.read_bytes()
    return files


def read_manifest(files, name):  # digest by file name
    lines = files[name].decode("ascii").split("\n")
    need(lines.pop() == "", name + " is changed: its last line is cut off")
    found = {}
    for number, line in enumerate(lines, start=1):
        match = re.fullmatch(r"([0-9a-f]{128})  (.+)", line)
        need(match and match[2] not in found, "%s:%d is changed" % (name, number))
        found[match[2]] = match[1]
    return found


# ---------------------------------------------------------------- JSON: canonical (RFC 8785), and of a form


def number_text(value):  # a number as ECMAScript writes it (RFC 8785 section 3.2.2.3)
    if isinstance(value, int):
        need(abs(value) < 1 << 53, "an integer beyond 2^53")
        return str(value)
    need(value == value and abs(value) != float("inf"), "a number that is not finite")  # noqa: PLR0124
    if value == 0:
        return "0"
    mantissa, _, power = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(power or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    sign = "-" if value < 0 else ""
    if len(digits) <= point <= 21:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return sign + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    tail = "." + digits[1:] if len(digits) > 1 else ""
    return "%s%s%se%+d" % (sign, digits[0], tail, point - 1)


def canonical_text(value):  # canonical JSON text of a parsed value
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (int, float)):
        return number_text(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ",".join(map(canonical_text, value)) + "]"
    keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
    return "{" + ",".join(canonical_text(key) + ":" + canonical_text(value[key]) for key in keys) + "}"


def canonical(value):  # canonical JSON bytes (RFC 8785)
    return canonical_text(value).encode("utf-8")


def digest_of(value):  # the digest of a value's canonical JSON
    return sha256(canonical(value))


def unique(pairs):  # the fields of an object, none twice
    fields = dict(pairs)
    need(len(fields) == len(pairs), "a field is there twice")
    return fields


READER = json.JSONDecoder(
    object_pairs_hook=unique,
    parse_int=lambda text: int(text) if abs(float(text)) < 1 << 53 else float(text),  # RFC 8785 knows doubles alone
    parse_constant=lambda name: need(False, name + " is not JSON"),
)


def read_json(data, what, strict=False):
    """Parse bytes that are JSON in UTF-8, in which no object has a field twice; strict: in canonical form."""
    try:
        value = READER.decode(data.decode("utf-8"))
        same = not strict or canonical(value) == data
    except (ValueError, RecursionError):
        raise WrongError(what + " is not JSON") from None
    need(same, what + " is not in canonical form")
    return value


def parse(data, what):  # parse bytes that must be canonical JSON already
    return read_json(data, what, strict=True)


def fit(value, form, where):
    """Refuse a value that is not of a form, naming the place; and return it.

    A form is a pattern that a text must match, a least whole number, a type (float: a number), a list with the form of its
    items, an object with the form of each field ("?": it may be missing), (None, a form), or a function that judges.
    """
    fits = True
    if isinstance(form, dict):
        least = {name for name in form if name[-1] != "?"}
        every = {name.rstrip("?") for name in form}
        need(isinstance(value, dict) and least <= set(value) <= every, where + " has other fields")
        for name, inner in form.items():
            if name in least or name[:-1] in value:
                fit(value[name.rstrip("?")], inner, where + "." + name.rstrip("?"))
    elif isinstance(form, list):
        need(isinstance(value, list), where + " is not a list")
        for item in value:
            fit(item, form[0], where)
    elif isinstance(form, tuple):
        if value is not None:
            fit(value, form[1], where)
    elif isinstance(form, str):
        fits = isinstance(value, str) and re.fullmatch(form, value, re.ASCII)
    elif isinstance(form, int):
        fits = type(value) is int and value >= form
    elif form is float:
        fits = type(value) in {int, float}
    elif isinstance(form, type):
        fits = type(value) is form
    else:
        form(value)
    need(fits, where + " is malformed")
    return value


ANY = r"(?s:.*)"
ANYTHING = lambda value: value  # noqa: E731
SHORT = r"(?s:.{1,200})"
DIGEST = r"sha256:[0-9a-f]{64}"
TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"
ARTIFACTS = [{"name": r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}", "digest": DIGEST}]
CONTEXT = {"git_dirty": (None, bool), "seed": (None, 1 - (1 << 53)), "git_commit": (None, r"[0-9a-f]{40,64}")}
CONTEXT.update(dict.fromkeys(("data", "model", "configuration", "environment"), (None, DIGEST)))
CONTEXT.update(dict.fromkeys(("device", "mlflow_run"), (None, SHORT)), dvc=(None, r"md5:[0-9a-f]{32}(\.dir)?"))
CONTEXT["openlineage_run"] = (None, r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BODY = {"format": "minivess-entry/2", "payload": dict, "context": CONTEXT, "inputs": ARTIFACTS, "outputs": ARTIFACTS}
BODY.update(
    index=int, time=TIME, started=(None, int), details=(None, DIGEST), **dict.fromkeys(("log", "actor", "key"), ANY)
)
BODY["action"] = r"(?=.{1,64}\Z)[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*"
BODY["outcome"] = "started|completed|failed|refused"
ENTRY = {"body": BODY, "signature": str}


# ---------------------------------------------------------------- signatures


P25519 = 2**255 - 19
L25519 = 2**252 + 27742317777372353535851937790883648493
D25519 = -121665 * pow(121666, -1, P25519) % P25519
BASE_Y = 4 * pow(5, -1, P25519) % P25519


def edwards_add(p, q):  # sum of two points in extended coordinates (complete: doubles too)
    a = (p[1] - p[0]) * (q[1] - q[0]) % P25519
    b = (p[1] + p[0]) * (q[1] + q[0]) % P25519
    c = 2 * p[3] * q[3] * D25519 % P25519
    d = 2 * p[2] * q[2] % P25519
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P25519, g * h % P25519, f * g % P25519, e * h % P25519)


@functools.lru_cache(maxsize=128)
def edwards_point(data):  # decode 32 bytes to a point (RFC 8032 section 5.1.3)
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    need(y < P25519, "a malformed Ed25519 key")
    square = (y * y - 1) * pow(D25519 * y * y + 1, -1, P25519) % P25519
    x = pow(square, (P25519 + 3) // 8, P25519)
    if (x * x - square) % P25519:
        x = x * pow(2, (P25519 - 1) // 4, P25519) % P25519
    need((x * x - square) % P25519 == 0 and (x or not sign), "a malformed Ed25519 key")
    x = P25519 - x if x & 1 != sign else x
    return (x, y, 1, x * y % P25519)


@functools.lru_cache(maxsize=128)
def multiples(point, zero, add):
    """0 to 15 times 16**i times a point, for i from 0 to 63; kept, because few keys sign many entries."""
    rows = []
    for _ in range(64):
        row = [zero]
        for _ in range(15):
            row.append(add(row[-1], point))
        rows.append(row)
        point = add(row[-1], point)
    return rows


def both(a, p, b, q, zero, add):  # noqa: PLR0917
    """a*p + b*q for numbers below 2**256, by one addition for each of their hexadecimal digits."""
    result = zero
    for number, point in ((a, p), (b, q)):
        for place, row in enumerate(multiples(point, zero, add)):
            digit = number >> 4 * place & 15
            if digit:
                result = add(result, row[digit])
    return result


def ed25519_holds(key, data, signature):  # RFC 8032 section 5.1.7, without cofactor, as OpenSSL does it
    scalar = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or scalar >= L25519:
        return False
    point = edwards_point(key)
    minus = (P25519 - point[0], point[1], 1, P25519 - point[3])
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + key + data).digest(), "little") % L25519
    base = edwards_point(BASE_Y.to_bytes(32, "little"))
    x, y, z, _ = both(scalar, base, challenge, minus, (0, 1, 1, 0), edwards_add)
    inverse = pow(z, -1, P25519)
    x, y = x * inverse % P25519, y * inverse % P25519
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


P256 = 2**256 - 2**224 + 2**192 + 2**96 - 1
N256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B256 = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G256 = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    1,
)


def p256_add(p, q):
    """Sum of two P-256 points in projective coordinates (complete: Renes, Costello and Batina 2016, a = -3)."""
    xx, yy, zz = p[0] * q[0], p[1] * q[1], p[2] * q[2]
    xy, xz, yz = p[0] * q[1] + p[1] * q[0], p[0] * q[2] + p[2] * q[0], p[1] * q[2] + p[2] * q[1]
    c = 3 * (B256 * zz - xz) % P256
    d = 3 * (B256 * xz - xx - 3 * zz) % P256
    e, f, g = 3 * (xx - zz), yy - c, yy + c
    return ((xy * f - yz * d) % P256, (e * d + f * g) % P256, (yz * g + xy * e) % P256)


def der_integers(signature):  # the r and s of a DER signature in its one canonical spelling, or None
    values, rest = [], signature[2:]
    while rest and len(values) < 2:
        need(len(rest) > 2, "a malformed signature")
        values.append(int.from_bytes(rest[2 : 2 + rest[1]], "big"))
        rest = rest[2 + rest[1] :]
    parts = [value.to_bytes(value.bit_length() // 8 + 1, "big") for value in values]
    body = b"".join(bytes((2, len(part))) + part for part in parts)
    return values if len(values) == 2 and bytes((48, len(body))) + body == signature else None


def p256_holds(key, data, signature):
    """FIPS 186-5 section 6.4.2 with SHA-256; the larger of the two possible s values is refused."""
    x, y = int.from_bytes(key[:32], "big"), int.from_bytes(key[32:], "big")
    need(x < P256 and y < P256 and (y * y - x * x * x + 3 * x - B256) % P256 == 0, "a key that is not on P-256")
    values = der_integers(signature)
    if not values or not 0 < values[0] < N256 or not 0 < values[1] <= N256 // 2:
        return False
    r, s = values
    inverse = pow(s, -1, N256)
    digest = int.from_bytes(hashlib.sha256(data).digest(), "big")
    point = both(digest * inverse % N256, G256, r * inverse % N256, (x, y, 1), (0, 1, 0), p256_add)
    return point[2] != 0 and point[0] * pow(point[2], -1, P256) % P256 % N256 == r


PREFIXES = {
    "ed25519": (bytes.fromhex("302a300506032b6570032100"), 44, ed25519_holds),
    "ecdsa-p256-sha256": (bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004"), 91, p256_holds),
}


def raw_key(public):  # raw bytes of a public key record, whose id must be the SHA-256 of its SubjectPublicKeyInfo
    der = unbase64(public["spki"])
    need(hashlib.sha256(der).hexdigest() == public["key_id"], "a key without the id it claims")
    prefix, length, _ = PREFIXES[public["algorithm"]]
    need(der.startswith(prefix) and len(der) == length, "a key of another kind than it claims")
    return der[len(prefix) :]


def signed_by(public, data, signature):  # whether a base64 signature is that of a public key record over data
    return PREFIXES[public["algorithm"]][2](raw_key(public), data, unbase64(signature))


# ---------------------------------------------------------------- Merkle trees and checkpoints


def node(left, right):  # RFC 6962 inner node
    return hashlib.sha256(b"\1" + left + right).digest()


def leaf(data):  # RFC 6962 leaf
    return hashlib.sha256(b"\0" + data).digest()


def merkle_root(level):  # RFC 6962 root: pair level by level, an odd last node goes up as it is
    while len(level) > 1:
        pairs = [node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]


def root_from(value, index, size, path):
    """The root to which an inclusion proof leads from a leaf (RFC 9162 section 2.1.3.2)."""
    place, last = index, size - 1
    for sibling in path:
        need(last, "the inclusion proof is too long")
        if place & 1 or place == last:
            value = node(sibling, value)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            value = node(value, sibling)
        place, last = place >> 1, last >> 1
    need(last == 0, "the inclusion proof is too short")
    return value


def continues(first, second, proof, old, new):
    """Whether a consistency proof leads from an older to a newer tree (RFC 9162 section 2.1.4.2); 0 < first < second."""
    path = [old, *proof] if first & (first - 1) == 0 else list(proof)
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    if not path:
        return False
    one = two = path[0]
    for item in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            one, two = node(item, one), node(item, two)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            two = node(two, item)
        fn, sn = fn >> 1, sn >> 1
    return one == old and two == new and sn == 0


def key_name(text):  # whether a text can name a key: not empty, no Unicode space, no plus sign
    return bool(text) and not any(char == "+" or char.isspace() for char in text)


def decimal(text):  # a size: decimal digits, no leading zero, at most 2^63 - 1
    need(re.fullmatch("0|[1-9][0-9]{0,18}", text, re.ASCII) and int(text) < 1 << 63, "a malformed size")
    return int(text)


def read_note(data):
    """Text, origin, size, root and signatures of a C2SP checkpoint, strictly; nothing in it is to be believed yet."""
    need(len(data) <= 1 << 18, "the checkpoint is longer than 256 KiB")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise WrongError("the checkpoint is not UTF-8 text") from None
    need(not any(char < " " and char != "\n" for char in text), "the checkpoint holds control characters")
    body, blank, tail = text.rpartition("\n\n")
    lines, signatures = body.split("\n"), {}
    need(blank and tail.endswith("\n") and len(lines) == 3, "the checkpoint is malformed")
    origin, size, root = lines[0], decimal(lines[1]), unbase64(lines[2])
    plain = key_name(origin) and len(origin) <= 200 and not any("\x7f" <= char <= "\x9f" for char in origin)
    need(plain and len(root) == 32, "the checkpoint is malformed")
    for line in tail[:-1].split("\n"):
        match = re.fullmatch("\u2014 (\\S+) (\\S+)", line, re.ASCII)
        need(match and key_name(match[1]), "a signature line of the checkpoint is malformed")
        blob = unbase64(match[2])
        need(len(blob) > 4, "a signature of the checkpoint is too short")
        need((match[1], blob[:4]) not in signatures, "the checkpoint has two signatures of one key")
        signatures[match[1], blob[:4]] = blob[4:]
    need(len(signatures) <= 64, "the checkpoint has more than 64 signatures")
    return body + "\n", origin, size, root, signatures


def note_key(name, kind, raw):
    """How a signature line names a key: its name, and the first 4 bytes of SHA-256(name, newline, type, key)."""
    return name, hashlib.sha256(name.encode("utf-8") + b"\n" + bytes([kind]) + raw).digest()[:4]


def check_note(data, keys):
    """Origin, size and root of a checkpoint that one of these raw keys signed under the log's name, and none wrongly."""
    text, origin, size, root, signatures = read_note(data)
    held = [(raw, signatures.get(note_key(origin, 1, raw))) for raw in keys]
    need(any(seal for _, seal in held), "the checkpoint is not signed by a log key that counts")
    for raw, seal in held:
        holds = seal is None or ed25519_holds(raw, text.encode("utf-8"), seal)
        need(holds, "the signature on the checkpoint is wrong")
    need(size or root == hashlib.sha256(b"").digest(), "the checkpoint has entries and says that it has none")
    return origin, size, root


def cosigned(data, name, raw):
    """When a witness vouched for the checkpoint (C2SP cosignature/v1), in Unix seconds; None: it did not."""
    text, _, _, _, signatures = read_note(data)
    seal = signatures.get(note_key(name, 4, raw))
    if seal is None:
        return None
    moment = int.from_bytes(seal[:8], "big")
    message = "cosignature/v1\ntime %d\n%s" % (moment, text)
    holds = len(seal) == 72 and 0 < moment < 1 << 63 and ed25519_holds(raw, message.encode("utf-8"), seal[8:])
    need(holds, "the cosignature of the witness %s is wrong" % name)
    return moment


def log_raw(public):  # raw bytes of the key of a log
    need(public["algorithm"] == "ed25519", "the key of a log is not Ed25519")
    return raw_key(public)


# ---------------------------------------------------------------- what is trusted


def read_vkey(text, kind):  # name and raw key of a C2SP verifier key of a type: 1 a log, 4 a witness
    name, digits, blob = text.split("+", 2)
    data = unbase64(blob)
    need(key_name(name) and len(data) == 33 and data[0] == kind, "a verifier key of another type")
    need(note_key(name, kind, data[1:])[1].hex() == digits, "a verifier key with a hash that is not its own")
    return name, data[1:]


def read_policy(text):  # logs, witnesses, groups and quorum of a C2SP tlog-policy, strictly
    logs, witnesses, groups, quorum, used = [], {}, {}, None, set()
    need(len(text) <= 1 << 16 and text.endswith("\n"), "a policy that is too long, or whose last line has no end")
    wrong = any((char < " " and char not in "\n\t") or char == "\x7f" for char in text)
    need(not wrong, "a policy with control characters")
    for line in text[:-1].split("\n"):
        word, *rest = [item for item in line.replace("\t", " ").split(" ") if item] or ["#"]
        known = {*witnesses, *groups}
        if word.startswith("#"):
            continue
        if word in {"witness", "group"}:
            need(rest and rest[0] not in known and rest[0] != "none", "a name that is defined already")
        if word == "log":
            need(len(rest) in {1, 2}, "a malformed log")
            logs.append(read_vkey(rest[0], 1))
        elif word == "witness":
            need(len(rest) in {2, 3}, "a malformed witness")
            witnesses[rest[0]] = read_vkey(rest[1], 4)
        elif word == "group":
            members = rest[2:]
            need(members and all(item in known and item not in used for item in members), "a malformed group")
            need(len(set(members)) == len(members), "a member twice")
            used.update(members)
            plain = re.fullmatch("[1-9][0-9]{0,2}", rest[1], re.ASCII)
            least = {"all": len(members), "any": 1}.get(rest[1], int(rest[1]) if plain else 0)
            need(1 <= least <= len(members), "a group that can never vouch")
            groups[rest[0]] = (least, members)
        else:
            need(word == "quorum" and len(rest) == 1 and quorum is None, "a malformed line in the policy")
            need(rest[0] == "none" or rest[0] in known, "a quorum without witnesses")
            quorum = rest[0]
    for keys in ([raw for _, raw in logs], [raw for _, raw in witnesses.values()]):
        need(len(set(keys)) == len(keys) <= 64, "one key twice, or more than 64")
    need(quorum and len(groups) <= 64, "a policy without a quorum, or with more than 64 groups")
    return {"logs": logs, "witnesses": witnesses, "groups": groups, "quorum": quorum}


def signer_of(identity):  # what of a person must be as the trust file says
    return {"id": identity["id"], "name": identity["name"], "roles": identity["roles"], "key": identity["signing_key"]}


HOLDER = {"id": ANY, "key": raw_key}
TRUST_2 = {
    "format": "minivess-trust/2",
    "policy": ANY,
    "roots": {"threshold": 1, "keys": [HOLDER]},
    "former?": [{"log": ANY, "below": 1}],
    "release?": {
        "rules?": [{"role": ANY, "meaning": ANY}],
        "signers?": [{**HOLDER, "name": ANY, "roles": lambda roles: need(roles, "a signer without a role")}],
    },
    "services?": [HOLDER],
    "known?": (None, lambda note: read_note(note.encode("utf-8"))),
    "layout?": 1,
}
TRUST_1 = {"log_key": log_raw, "people": list, "former_log_keys?": (None, list)}
TRUST_1["witnesses?"] = (None, {"quorum": 1, "witnesses": list})


def read_trust(data):  # a trust file of either format, in one form
    need(len(data) <= 1 << 20, "too long")
    value = read_json(data, "the trust file")
    if "format" not in value:
        return read_first_trust(value)
    fit(value, TRUST_2, "the trust file")
    trust = read_policy(value["policy"])
    need(trust["logs"], "no log")
    trust["former"] = [(*read_vkey(item["log"], 1), item["below"]) for item in value.get("former", [])]
    keys = [(item["id"], item["key"]["key_id"]) for item in value["roots"]["keys"]]
    least = value["roots"]["threshold"]
    need(least <= len({name for name, _ in keys}) == len(keys), "a threshold of roots that cannot be met")
    release, known = value.get("release", {}), value.get("known")
    trust.update(roots=(least, set(keys)), rules=release.get("rules", []), signers=release.get("signers", []))
    trust.update(known=None if known is None else known.encode("utf-8"), layout=value.get("layout", 1))
    return trust


def read_first_trust(value):
    """What version 0.1.0 wrote: the key of the log, of whatever name, and the people; it names no release rules."""
    fit(value, TRUST_1, "the trust file")
    former = [
        (None, log_raw(item["key"]), fit(item["below"], 1, "below")) for item in value.get("former_log_keys") or []
    ]
    trust = {"logs": [(None, log_raw(value["log_key"]))], "former": former, "witnesses": {}, "groups": {}, "rules": []}
    trust.update(roots=None, signers=[signer_of(item) for item in value["people"]], known=None, layout=1, quorum="none")
    asked = value.get("witnesses")
    if asked is not None:
        keys = [read_vkey(item["key"], 4) for item in asked["witnesses"]]
        need(asked["quorum"] <= len(keys), "a quorum that cannot be met")
        need(len({name for name, _ in keys}) == len({raw for _, raw in keys}) == len(keys), "a witness twice")
        trust["witnesses"] = {"w%d" % place: key for place, key in enumerate(keys)}
        trust["groups"] = {"witnesses": (asked["quorum"], list(trust["witnesses"]))}
        trust["quorum"] = "witnesses"
    return trust


def trusted_keys(trust, people, origin, size):
    """Raw keys that may sign the checkpoint of so many entries of a log.

    The key that a log names itself is one of them, where roots that are trusted created it and agreed to its keys.
    """
    former = [raw for name, raw, below in trust["former"] if name in {None, origin} and size < below]
    keys = former[:1] or [raw for name, raw in trust["logs"] if name in {None, origin}]
    if trust["roots"] is None or people is None:
        return keys
    least, trusted = trust["roots"]
    fits = [
        threshold >= least and {(item["id"], item["signing_key"]["key_id"]) for item in roots} == trusted
        for roots, threshold in (people.created, (people.roots, people.threshold))
    ]
    need(any(fits), "the roots of the log are not those you trust")
    held = {(origin, log_raw(key)) for _, key in people.log_keys}
    return keys + ([log_raw(people.log_key(size))] if fits[0] and not held.isdisjoint(trust["logs"]) else [])


def vouches(name, trust, vouching):  # whether a witness, or enough members of a group, vouch
    if name not in trust["groups"]:
        return name == "none" or name in vouching
    least, members = trust["groups"][name]
    return sum(vouches(member, trust, vouching) for member in members) >= least


def vouching_for(data, trust):  # when each trusted witness vouched for the checkpoint, in Unix seconds
    times = {place: cosigned(data, name, raw) for place, (name, raw) in trust["witnesses"].items()}
    return {place: moment for place, moment in times.items() if moment is not None}


def believe(data, trust, people, origin, leaves):
    """Size and root of a checkpoint of a log: signed by its own key, and by all that is trusted."""
    named, size, root = check_note(data, [log_raw(people.log_key(read_note(data)[2]))])
    need(named == origin, "the checkpoint is of another log")
    if not trust:
        return size, root
    check_note(data, trusted_keys(trust, people, origin, size))
    need(vouches(trust["quorum"], trust, vouching_for(data, trust)), "too few witnesses vouch for the checkpoint")
    if trust["known"] and read_note(trust["known"])[1] == origin:
        known = read_note(trust["known"])[2]
        _, known, seen = check_note(trust["known"], trusted_keys(trust, None, origin, known))
        here = root if known == size else merkle_root(leaves[:known]) if 0 < known <= len(leaves) else seen
        need(here == seen, "two histories: the first %d entries are not those that the trust file knows" % known)
    return size, root


# ---------------------------------------------------------------- who held which key

ATTEMPTS = {"identity.unlock-failed", "identity.unlocked", "identity.locked"}
FOLDED = {"identity.enrolled", "identity.rotated", "identity.revoked", "identity.reinstated"}
FOLDED |= {"log.created", "roots.changed", "entry.erased", *ATTEMPTS}


def plain_name(name):  # a printed name without what two spellings of one name may differ in
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


class People:
    """Who held which key when: folded from the log."""

    def __init__(self):
        self.by_key, self.log_keys, self.roots, self.demo, self.size = {}, [], (), False, 0
        self.threshold, self.erased, self.failures, self.locked = 1, set(), {}, set()
        self.created = ((), 1)

    def log_key(self, size):
        """The key that signs the checkpoint of that many entries, and acts as the service `log` at that index."""
        need(self.log_keys, "the log does not begin with log.created")
        return [key for start, key in self.log_keys if start <= size][-1]

    def key(self, key_id, index):  # the identity whose key counts at an index
        if self.log_keys and key_id == self.log_key(index)["key_id"]:
            return {"id": "log", "kind": "service", "roles": ["service"], "signing_key": self.log_key(index)}
        known = self.by_key.get(key_id)
        need(known, "key %s is not enrolled in the log" % key_id[:12])
        identity, start, end = known
        need(start <= index, "the key of %s was enrolled after entry %d" % (identity["id"], index))
        need(end is None or index < end, "the key of %s was revoked at entry %s" % (identity["id"], end))
        return identity

    def person(self, who, index):  # the identity of an id whose key counts at an index
        for identity, start, end in self.by_key.values():
            if identity["id"] == who and start <= index and (end is None or index < end):
                return identity
        raise WrongError(who + " is not enrolled in the log, or is revoked")

    def valid(self):  # every identity whose key counts now
        return [identity for identity, _, end in self.by_key.values() if end is None]

    def same(self, first, second):  # whether two ids are one person: the same id, printed name or encryption key, ever

        def known(who):
            held = [item[0] for item in self.by_key.values() if item[0]["id"] == who]
            keys = {item["encryption_key"]["key_id"] for item in held if item["encryption_key"]}
            return {plain_name(item["name"]) for item in held} | keys

        return first == second or bool(known(first) & known(second))

    def manages(self, actor):  # whether somebody is a root or a release manager
        return actor in self.roots or (actor["kind"] == "person" and "release-manager" in actor["roles"])

    def add(self, identity, start):  # enrol; no key, no id and no person twice
        key_id, service = identity["signing_key"]["key_id"], identity["kind"] == "service"
        raw_key(identity["signing_key"])
        need(service == (identity["roles"] == ["service"]), "roles that do not fit " + identity["id"])
        ids = [item["id"] for item in self.valid()]
        need(key_id not in self.by_key and identity["id"] not in ids, identity["id"] + " is enrolled twice")
        need(start == 0 or self.demo or not identity.get("demo"), "demo keys in a real log")
        need(identity["id"] != "log", "enrols the log itself")
        names = [plain_name(item["name"]) for item in self.valid()]
        need(service or plain_name(identity["name"]) not in names, identity["name"] + " is enrolled already")
        self.by_key[key_id] = (identity, start, None)

    def end(self, identity, index):  # the valid key of an id counts no longer from an index on
        held = [key for key, item in self.by_key.items() if item[0]["id"] == identity and item[2] is None]
        need(held, identity + " is not there")
        self.by_key[held[0]] = (*self.by_key[held[0]][:2], index)

    def follow(self, body):  # take in one entry whose signature is already known to hold (entry 0 excepted)
        self.size = body["index"] + 1
        action, payload, index = body["action"], body["payload"], body["index"]
        if body["outcome"] != "completed" or action not in FOLDED:
            return
        if action == "log.created":
            need(index == 0, "the log is created a second time")
            self.log_keys = [(0, payload["log_key"])]
            self.roots, self.threshold = payload["roots"], payload["threshold"]
            self.created = (self.roots, self.threshold)
            self.demo = all(identity.get("demo", False) for identity in self.roots)
            for identity in self.roots:
                self.add(identity, 0)
            return
        actor = self.key(body["key"], index)
        if action == "identity.rotated":
            self.rotate(body, actor)
            return
        if action in ATTEMPTS:
            self.attempt(action, payload, actor)
            return
        need(self.manages(actor), "%s may not do %s" % (actor["id"], action))
        if action == "identity.enrolled":
            self.add(payload["identity"], index + 1)
        elif action == "roots.changed":
            self.change_roots(payload, body)
        elif action == "identity.reinstated":
            who = payload["identity"]
            need(actor["id"] != who and who in self.locked, "reinstates who is not locked, or does it alone")
            self.locked.discard(who)
            self.failures.pop(who, None)
        elif action == "entry.erased":
            need(payload["entry"] < index and payload["entry"] not in self.erased, "erases what it cannot")
            self.erased.add(payload["entry"])
        else:
            need(actor["id"] != payload["identity"], actor["id"] + " cannot revoke their own key")
            self.end(payload["identity"], index)

    def attempt(self, action, payload, actor):
        """Wrong passphrases in a row are counted, the fifth locks, the right one before that ends the row."""
        who = payload["identity"]
        count = self.failures.get(who, 0)
        if action == "identity.unlock-failed":
            need(payload["attempt"] == count + 1, "miscounts the wrong passphrases of " + who)
            self.failures[who] = count + 1
        elif action == "identity.locked":
            need(count >= 5, "locks %s before five wrong passphrases" % who)
            self.locked.add(who)
        else:
            need(actor["id"] == who and who not in self.locked, "unlocks who cannot be unlocked")
            self.failures.pop(who, None)

    def rotate(self, body, actor):
        """A new key, shown to be held by whoever rotates; nothing else changes. Roots do not rotate alone."""
        new, index = body["payload"]["identity"], body["index"]
        same = dict(new, signing_key=actor["signing_key"]) == actor
        need(actor not in self.roots and same, "changes more than the keys")
        self.possessed(body, actor["id"], actor["signing_key"], new["signing_key"])
        self.end(actor["id"], index + 1)
        self.add(new, index + 1)

    def possessed(self, body, who, old, new):  # noqa: PLR6301, RUF100
        """The holder of a new key signed with it that it replaces the old one."""
        keys = {"old_key": old["key_id"], "new_key": new["key_id"]}
        statement = dict(keys, purpose="minivess key rotation", log=body["log"], identity=who)
        shown = signed_by(new, canonical(statement), body["payload"]["possession"])
        need(shown, "there is no proof of possession of the new key of " + who)

    def change_roots(self, payload, body):
        """Other roots, or another log key, agreed by a threshold of the old and of the new roots."""
        new, threshold, index = payload["roots"], payload["threshold"], body["index"]
        need(1 <= threshold <= len({root["id"] for root in new}) == len(new), "a threshold that cannot be met")
        old = {"roots": self.roots, "threshold": self.threshold}
        change = {"replaces": digest_of(old), "roots": digest_of({"roots": new, "threshold": threshold})}
        log_key = payload.get("log_key")
        if log_key:
            change["log_key"] = log_key
        subject = {"name": "roots.json", "digest": digest_of(change)}
        counting = [item for item in self.roots if self.by_key[item["signing_key"]["key_id"]][2] is None]
        for group, least in ((counting, self.threshold), (new, threshold)):
            known = People()
            known.by_key = {item["signing_key"]["key_id"]: (item, 0, None) for item in group}
            envelopes = [one for one in payload["envelopes"] if one["signatures"][0]["keyid"] in known.by_key]
            need(len(agreed(envelopes, known, 0, subject)) >= least, "too few roots agreed")
        for item in new:
            valid = [held for held in self.valid() if held["id"] == item["id"]]
            if valid != [item]:
                if valid:
                    self.end(item["id"], index + 1)
                self.add(item, index + 1)
        self.roots, self.threshold = new, threshold
        if log_key:
            used = {key["key_id"] for _, key in self.log_keys} | set(self.by_key)
            need(log_key["key_id"] not in used, "gives the log a key that another identity has or had")
            self.possessed(body, "log", self.log_key(index), log_key)
            self.log_keys.append((index + 1, log_key))


def open_envelope(envelope, people, index):
    """What a person signed: DSSE v1 around an in-toto Statement v1 around their manifestation."""
    need(len(envelope["signatures"]) == 1, "an envelope without exactly one signature")
    kind, payload, seal = envelope["payloadType"], unbase64(envelope["payload"]), envelope["signatures"][0]
    need(kind == "application/vnd.in-toto+json", "an envelope of another type")
    identity = people.key(seal["keyid"], index)
    who = identity["id"]
    encoded = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode("ascii"), len(payload), payload)
    need(signed_by(identity["signing_key"], encoded, seal["sig"]), "the signature of %s is wrong" % who)
    statement = parse(payload, "the statement of " + who)
    said = statement["predicate"]
    subjects = [{"name": item["name"], "digest": "sha256:" + item["digest"]["sha256"]} for item in statement["subject"]]
    stated = (statement["_type"], statement["predicateType"], subjects)
    fits = stated == ("https://in-toto.io/Statement/v1", APPROVAL, said["subjects"])
    need(fits, "a statement that contradicts itself")
    same = (said["signer"], said["printed_name"], said["demo"]) == (who, identity["name"], identity.get("demo", False))
    need(same, "an approval in another person's name")
    need(identity["kind"] == "person" and said["role"] in identity["roles"], who + " does not hold the role")
    return said


def agreed(envelopes, people, index, subject):  # the roots who signed a change
    signers = set()
    for envelope in envelopes:
        said = open_envelope(envelope, people, index)
        need(said["subjects"] == [subject] and said["policy"] == "roots", "agrees to another change")
        signers.add(said["signer"])
    return signers


# ---------------------------------------------------------------- who may append what

# In which log | who may append it (none: the rules of 0.1.0 alone know it) | what is checked | each action and the fields of
# its payload: "?" where one may be missing, and after "*" all of them are in the details of the entry. Without the fields
# this is the published action table 2 (actions-2.json). Entries of a log that adopted no table are judged as 0.1.0 did.
# ROLES is what a release can rest on: the action of the entry in each role.
ACTIONS = """
device | person | - | data.card: * cases missing findings openings; data.leakage: * across within; data.profile: * cases
    groups; identity.witness: key; trace.approve: subject digest; trace.attest: item clause digest; trace.baseline: name
    items digest; trace.review: links
device | developer | makes references | calibration: * temperature threshold target_recall cases; ensemble: * members
    rule; model.export: * opset max_abs_difference tolerance; training: * architecture steps final_loss?
device | developer release-manager | - | data.add: folder dvc files size; data.pull: * remote files size folders;
    data.push: * remote files size folders
device | developer release-manager | references | data.ingest: * dataset cases accept_identifiers? identifiers?;
    data.split: * train calibration test folds? near_duplicates?; run.disposition: run verdict reason
device | person | references | data.validate: * rules notes warnings blocking changed?; risk.drill: noticed unnoticed
    tree; scenarios: passed failed skipped tree
device | service | - | serving.anchored: origin note proof; serving.enrolled: origin site log_key service note
device | developer release-manager | criteria registration references | criteria.register: criteria plan?
device | developer | seal registration references | data.seal: files approvers root? terms?
device | person | evaluation references | evaluation: request cases aggregates baseline_dice look? criteria?
device | release-manager | promotion | model.promote: model stage reason
device | release-manager | registration references | policy.register: policy
device | release-manager | build | release.build: version tag_manifest gates files
device | release-manager | references preparation | release.prepare: layout device tool chain environment sbom manifest
    files
device | person | signature | release.sign: version tag_manifest envelope
device | independent-reviewer custodian | approval references | test-set.approve: grant
device | none | - | test-set.open: request
device | developer release-manager | request registration references | test-set.request: request
device | log person | - | time.attested: kind size note token?
any | root release-manager | - | entry.erased: entry reason; identity.reinstated: identity reason; identity.revoked:
    identity reason; roots.changed: roots threshold envelopes log_key? possession?
any | log | - | identity.locked: identity attempts; identity.refused: identity key attempted; identity.unlock-failed:
    identity attempt
any | person service | - | identity.rotated: identity possession; identity.unlocked: identity
any | root release-manager | enrolment | identity.enrolled: identity actions? checked?
any | root | - | log.created: device log_key roots threshold serves? rules? checked?
any | root release-manager | restored | log.restored: size root abandoned reason
any | root release-manager | adoption | rules.adopted: number digest envelopes
serving | service | - | inference: * decision foreground_fraction? conformal?; inference.refusals: * since until counts
"""
FIELDS, TABLES = {}, {2: {"format": "minivess-actions/1", "number": 2, "actions": {}}}
for row in ACTIONS.replace("\n    ", " ").strip().split("\n"):
    where, allowed, checked, listed = row.split(" | ")
    for action, fields in (item.split(": ") for item in listed.split("; ")):
        FIELDS[action] = fields
        if allowed != "none":
            rule = {"by": allowed.split(), "checks": [] if checked == "-" else checked.split(), "log": where}
            TABLES[2]["actions"][action] = rule
TABLE_1 = "sha256:8031933fd9c02258dc583bf53647cb24f054987c2349385c8ff4cbfd88482072"
"""The digest of actions-1.json, which says what 0.1.0 did."""
MAKING = {"training", "ensemble", "calibration", "model.export"}
ROLES = {"ingest": "data.ingest", "validation": "data.validate", "split": "data.split", "seal": "data.seal"}
ROLES.update(run="training", disposition="run.disposition", ensemble="ensemble", calibration="calibration")
ROLES.update(export="model.export", criteria="criteria.register", policy="policy.register", request="test-set.request")
ROLES.update(approval="test-set.approve", evaluation="evaluation", scenarios="scenarios", drill="risk.drill")
LINKS = set(ROLES.values())
REFERENCE = {"index": 0, "digest": DIGEST}
CHAIN = dict.fromkeys(set(ROLES) - {"run", "disposition", "drill"}, REFERENCE)
CHAIN.update({"drill?": (None, REFERENCE), "runs": [{"run": REFERENCE, "disposition?": (None, REFERENCE)}]})
CHAIN["looks"] = [{"approval": REFERENCE, "evaluation?": (None, REFERENCE)}]
FOLLOWED = {"data.seal": "follow_seal", **dict.fromkeys(("identity.witness", "identity.revoked"), "follow_witness")}
FOLLOWED.update(dict.fromkeys(("serving.enrolled", "serving.anchored"), "follow_serving"))


def adopted_table(adopted):  # the actions of the table that an entry names by number and digest
    table = TABLES.get(adopted["number"])
    need(table, "the log follows action table %s, which this file does not know" % adopted["number"])
    need(digest_of(table) == adopted["digest"], "the log names an action table by the digest of other rules")
    return table


PLAN_SAME = ("mask", "mask_threshold", "seed", "intervals", "baseline", "reuse")
CONVENTIONS_SAME = ("border", "bootstrap_unit", "both_empty", "foreground_connectivity", "one_empty", "skeleton")
PLAN_FIELDS = {*PLAN_SAME, "measures", "conventions", "confidence", "published", "looks", "criteria", "notes"}
CONVENTIONS = {*CONVENTIONS_SAME, "tolerance_um", "bootstrap"}


def chain_of(chain):  # role and reference of every entry that a release names
    fit(chain, CHAIN, "the chain")
    need(chain["runs"] and chain["looks"], "a release without runs or looks")
    pairs = [(role, chain.get(role)) for role in ROLES]
    pairs += [(role, item.get(role)) for item in chain["runs"] + chain["looks"] for role in item]
    return [(role, reference) for role, reference in pairs if reference is not None]


def named(artifacts, name):  # the digest of the artifact of a name, or None
    return next((item["digest"] for item in artifacts if item["name"] == name), None)


def limits_of_plan(plan):  # what may not become laxer in an analysis plan: of what, on which side, its limit
    told = plan["conventions"]
    yield from (("tolerance_um", "at_most", told["tolerance_um"]), ("bootstrap", "at_least", told["bootstrap"]))
    yield "confidence", "at_least", plan["confidence"]
    yield from (("looks, " + name, "at_most", plan["looks"][name]) for name in ("per_release", "total"))
    yield from (("measures, " + name, "equal", True) for name in plan["measures"])
    yield from ((name, "equal", [plan[name]]) for name in PLAN_SAME)
    yield from ((name, "equal", [told[name]]) for name in CONVENTIONS_SAME)
    for one in plan["criteria"]:
        what = one["measure"] + ", " + one.get("statistic", "mean")
        yield from ((what, side, one.get(side)) for side in ("at_least", "at_most"))


def limits_of_policy(policy):  # what may not become laxer in a release policy: of what, on which side, its limit
    asked = [(rule["role"], rule["meaning"]) for rule in policy["signatures"]["rules"]]
    yield from (("signatures, %s by %s" % (rule[1], rule[0]), "at_least", asked.count(rule)) for rule in asked)
    for gate in policy["gates"]:
        if gate["kind"] == "metric":
            what = gate["measure"] + ", " + gate["statistic"]
            yield from ((what, side, gate[side]) for side in ("at_least", "at_most"))
        elif gate["kind"] == "baseline":
            yield "dice_over_baseline, mean", "at_least", gate["at_least"]
        else:
            yield gate["kind"], "at_most", gate["at_most"]


def laxer(old, new):  # the first thing of which a limit became laxer, or None. The strictest of several limits counts.
    found = {}
    for place, rows in enumerate((old, new)):
        for what, side, limit in rows:
            if limit is not None:
                kept = found.setdefault((what, side), [None, None])
                pick = min if side == "at_most" else max
                kept[place] = limit if kept[place] is None else pick(kept[place], limit)
    for (what, side), (was, now) in found.items():
        if was is not None and (
            now is None or {"at_most": now > was, "at_least": now < was, "equal": now != was}[side]
        ):
            return what
    return None


class Standing:
    """What may be appended next, under an action table: the second writing of `admit`."""

    def __init__(self):
        self.table, self.kind, self.started, self.adopted, self.looks = None, "device", {}, None, []
        self.first, self.made, self.steps, self.asked, self.exported, self.evaluated = {}, {}, {}, {}, set(), set()
        self.services, self.sealed, self.packs, self.serving = {}, {}, {}, {}
        self.witnesses, self.former_witnesses, self.judged, self.restores = {}, set(), None, []
        self.seals, self.seal, self.approved, self.links, self.prepared = {}, None, [], {}, None

    def words(self):  # the table in force
        return "action table " + (str(self.table["number"]) if self.table else "1 (the rules of version 0.1.0)")

    def payload(self, kind, name):
        """The payload of the first completed entry that made something known by a name; {}: none did."""
        return self.first.get((kind, name), {"payload": {}})["payload"]

    def request(self, name):  # the first request of an id; {}: there is none
        return self.payload("request", name).get("request", {})

    def plan(self, digest):  # the registered plan of a digest; None: there is none
        return self.payload("plan", digest).get("plan")

    def policy(self, digest):  # the registered release policy of a digest; None: there is none
        return self.payload("policy", digest).get("policy")

    def admit(self, body, people, actor):
        """Say whether an entry may be at its place, and take in what it says. `people` are those before the entry."""
        action, outcome = body["action"], body["outcome"]
        self.follow_started(body)
        if body["index"] == 0:
            self.create(body, actor, people)
            return
        done = outcome == "completed"
        if self.table:
            row = self.table["actions"].get(action)
            need(row, "action table %d does not have the action %s" % (self.table["number"], action))
            need(row["log"] in {"any", self.kind}, "%s does not belong into the log of a %s" % (action, self.kind))
            excused = outcome == "refused" and actor["kind"] == "person" and actor["id"] != "log"
            may = any(self.matches(word, actor, action, people) for word in row["by"])
            need(excused or may, "%s may not append %s" % (actor["id"], action))
            for check in row["checks"] if done else ():
                getattr(self, "check_" + check)(body, people)
        elif action in {"rules.adopted", "log.restored"} and done:
            need(people.manages(actor), "%s may not append %s" % (actor["id"], action))
            (self.check_adoption if action == "rules.adopted" else self.check_restored)(body, people)
        if done:
            self.follow(body)
        if self.table and action in LINKS and outcome in {"completed", "failed"}:
            self.links[body["index"]] = body

    def follow_started(self, body):
        """An entry that ends an action names the one that started it, by the same actor, and nothing ends twice."""
        if body["started"] is not None:
            action, actor = self.started.pop(body["started"], (None, None))
            need(action == body["action"], "ends an action that was not started, or was ended before")
            need(not self.table or actor == body["actor"], "ends an action that another actor started")
        if body["outcome"] == "started":
            self.started[body["index"]] = (body["action"], body["actor"])

    def create(self, body, actor, people):  # entry 0
        payload = body["payload"]
        if payload.get("rules"):
            self.table, self.adopted = adopted_table(payload["rules"]), 0
            need(actor in people.roots, "the log is created by an identity that is not a root")
            services = [root["kind"] == "service" for root in payload["roots"]]
            fits = services == [True] if payload.get("serves") else not any(services)
            need(fits, "a service is the root of its own serving log, and of no other log")
        if payload.get("serves"):
            self.kind = "serving"

    def matches(self, word, actor, action, people):  # whether an actor is what a word of the table says
        if actor["id"] == "log" or word == "log":
            return actor["id"] == word
        if word in {"person", "root"}:
            return actor["kind"] == "person" if word == "person" else actor in people.roots
        if word == "service" and actor["kind"] == "service":
            allowed = self.services.get(actor["id"])
            return allowed is None or action in allowed or action.startswith("identity.")
        return word in actor["roles"]

    def follow(self, body):  # take in a completed entry. The first one that makes something known by a name counts.
        action, payload, model = body["action"], body["payload"], body["context"]["model"]
        for kind, name in names_of(action, payload):
            self.first.setdefault((kind, name), body)
        if action == "rules.adopted":
            self.table, self.adopted = adopted_table(payload), body["index"] + 1
        elif action == "log.restored":
            self.restores.append("entry %d: %s restored the log from a backup" % (body["index"], body["actor"]))
        elif action == "identity.enrolled":
            self.services[payload["identity"]["id"]] = payload.get("actions")
        elif action in MAKING:
            self.follow_making(body, model)
        elif action.startswith("test-set."):
            self.follow_test_set(action, body)
        elif action == "evaluation":
            self.evaluated |= {model} if model else set()
            self.judged = self.request(payload["request"]).get("data")
        elif action == "release.build":
            self.packs[payload["tag_manifest"]] = payload["version"], model
        elif action in FOLLOWED:
            getattr(self, FOLLOWED[action])(body)

    def follow_making(self, body, model):  # who made what from what
        outputs = {item["digest"] for item in body["outputs"]} | ({model} if model else set())
        for digest in outputs:
            self.made.setdefault(digest, []).append(body["index"])
        self.steps[body["index"]] = (body["actor"], [item["digest"] for item in body["inputs"]])
        self.exported |= outputs if body["action"] == "model.export" else set()

    def follow_test_set(self, action, body):  # the approval is the look; in version 0.1.0 it was the opening
        payload = body["payload"]
        if action == "test-set.request":
            self.asked.setdefault(payload["request"]["model"], set()).add(body["actor"])
        elif action == "test-set.open":
            self.looks.append(payload["request"])
        else:
            name = payload["grant"]["request"]
            self.approved.append((body["index"], name))
            self.looks += [name] if self.first["grant", name] is body and payload["grant"].get("mode") else []

    def follow_seal(self, body):  # take in the entry of a sealing. The first one about a sealed part counts.
        payload, manifest = body["payload"], named(body["outputs"], "data/sealed/manifest.json")
        if payload.get("root") is not None:
            self.sealed.setdefault(payload["root"], payload["approvers"])
        if manifest:
            said = (body["index"], named(body["inputs"], "data/split.json"), payload.get("root"), payload.get("terms"))
            self.seal = self.seals.setdefault(manifest, said)

    def follow_witness(self, body):
        """The key with which a person cosigns checkpoints, until they are revoked; no key serves two people."""
        who, payload = body["actor"], body["payload"]
        if body["action"] == "identity.revoked":
            self.former_witnesses |= {raw for _, raw in [self.witnesses.pop(payload["identity"], (None, None))] if raw}
            return
        name, raw = read_vkey(payload["key"], 4)
        need(name == "%s/%s" % (body["log"], who), "names a witness key under another name")
        others = {key[1] for holder, key in self.witnesses.items() if holder != who}
        need(raw not in others | self.former_witnesses, "names a witness key that another person has or had")
        self.witnesses[who] = (name, raw)

    def follow_serving(self, body):
        """A serving log is known by its first checkpoint; each later one is signed by its key and continues it."""
        told, origin = body["payload"], body["payload"]["origin"]
        note = told["note"].encode("utf-8")
        if body["action"] == "serving.enrolled":
            fits = origin == "%s/serving/%s" % (body["log"], told["site"]) and told["service"] == body["actor"]
            need(fits and origin not in self.serving, "enrols a serving log twice or under another name")
            keys = {known[0]["key_id"] for known in self.serving.values()}
            need(told["log_key"]["key_id"] not in keys, "enrols a key that another serving log has")
            known, size, root = check_note(note, [log_raw(told["log_key"])])
            need(known == origin and size > 0, "enrols the checkpoint of another log")
            self.serving[origin] = (told["log_key"], body["actor"], size, root)
            return
        need(origin in self.serving, "anchors a serving log that was not enrolled")
        key, service, size, root = self.serving[origin]
        need(service == body["actor"], "anchors the log of " + service)
        known, new, new_root = check_note(note, [log_raw(key)])
        need(known == origin and new > size, "anchors what is not more than is known")
        need(continues(size, new, [unbase64(item) for item in told["proof"]], root, new_root), "does not continue it")
        self.serving[origin] = (key, service, new, new_root)

    def check_adoption(self, body, people):  # another table, agreed by a threshold of the roots
        payload = body["payload"]
        old = digest_of(self.table) if self.table else TABLE_1
        need(payload["number"] > (self.table["number"] if self.table else 1), "goes back to an older action table")
        adopted_table(payload)
        change = {"log": body["log"], "replaces": old, "number": payload["number"], "digest": payload["digest"]}
        subject = {"name": "rules.json", "digest": digest_of(change)}
        signers = agreed(payload["envelopes"], people, body["index"], subject)
        roots = {item["id"] for item in people.roots if people.by_key[item["signing_key"]["key_id"]][2] is None}
        need(signers <= roots, ", ".join(sorted(signers - roots)) + " is not a root")
        need(len(signers) >= people.threshold, "too few roots agreed to the action table")

    def check_enrolment(self, body, people):
        """A service is enrolled for named actions; a person's roles say what they may do."""
        service = body["payload"]["identity"]["kind"] == "service"
        fits = service == bool(body["payload"].get("actions"))
        need(fits, "enrols a service without its actions, or a person with some")

    def check_restored(self, body, people):
        """A restore follows the entries before it and gives up checkpoints that this log signed; `read_log` takes the root."""
        form = {"size": 0, "root": ANY, "abandoned": [r"(?s:.{0,4000})"], "reason": SHORT}
        payload = fit(body["payload"], form, "the restore")
        need(payload["size"] == body["index"], "the restore follows other entries than those before it")
        need(0 < len(payload["abandoned"]) <= 64, "a malformed restore")
        keys = [log_raw(key) for _, key in people.log_keys]
        for note in payload["abandoned"]:
            need(check_note(note.encode("utf-8"), keys)[0] == body["log"], "gives up a checkpoint of another log")

    def check_makes(self, body, people):  # a step names what it made
        need(body["outputs"], "names no output")

    def check_seal(self, body, people):
        """The holders of the data key are reviewers or custodians, and others than who seals."""
        need(body["payload"].get("root"), "seals something without naming its root")
        for who in body["payload"]["approvers"]:
            need(who != body["actor"], who + " seals the test set and would hold its key")
            held = people.person(who, body["index"])
            need({"independent-reviewer", "custodian"} & set(held["roles"]), who + " is neither reviewer nor custodian")

    def check_criteria(self, body, people):  # criteria come with their plan
        need(body["payload"].get("plan"), "acceptance criteria without an analysis plan")

    def check_registration(self, body, people):
        """What was fixed before a look remains; a request names its policy and its input files."""
        action, payload = body["action"], body["payload"]
        if action == "data.seal":
            self.check_terms(body)
        elif action == "criteria.register":
            self.check_plan(payload["plan"])
        elif action == "policy.register":
            self.check_policy(payload["policy"])
        else:
            request = payload["request"]
            need(request.get("inputs"), "does not name the input files of the evaluation")
            need(self.policy(request.get("policy")), "names no release policy that was registered before")
            self.check_plan(self.plan(request["plan"]))
            self.check_policy(self.policy(request["policy"]))

    def check_terms(self, body):  # a seal fixes its terms once, and the test part of a split is sealed once
        payload, manifest = body["payload"], named(body["outputs"], "data/sealed/manifest.json")
        root, terms, split = payload.get("root"), payload.get("terms"), named(body["inputs"], "data/split.json")
        if manifest in self.seals:
            _, _, before, fixed = self.seals[manifest]
            need((before or root) == root and fixed == terms, "changes the terms of a seal")
            return
        need(root and terms and manifest, "seals something without naming its root, its manifest and its terms")
        need(terms["level"] == 1 - (1 - 0.95) / terms["looks"], "fixes a level that does not follow from its looks")
        taken = [one for _, one, _, _ in self.seals.values() if one]
        need(split not in taken, "seals the test part of a split a second time")

    def judged_by(self):  # the requests of all looks at the test data in force
        if self.seal is None:
            return []
        index, _, root, _ = self.seal
        asked = [(at, self.request(name)) for at, name in self.approved if self.request(name)]
        return [one for at, one in asked if (one["data"] == root if root else at > index)]

    def check_plan(self, plan):
        """A plan spells out every field, fits the terms of the seal, and is not laxer than that of a look."""
        need(set(plan) >= PLAN_FIELDS and set(plan["conventions"]) >= CONVENTIONS, "leaves fields of a plan out")
        terms = self.seal[3] if self.seal else None
        if terms:
            need(plan["looks"]["total"] <= terms["looks"], "allows more looks than the seal")
            need(plan["conventions"]["bootstrap_unit"] == terms["unit"], "resamples another unit than the seal")
        for request in self.judged_by():
            old = self.plan(request["plan"])
            what = laxer(limits_of_plan(old), limits_of_plan(plan)) if old else None
            need(not what, "has a plan that is laxer than that of a look: %s" % what)

    def check_policy(self, policy):  # a release policy is not laxer than that of a look
        for request in self.judged_by():
            old = self.policy(request.get("policy"))
            what = laxer(limits_of_policy(old), limits_of_policy(policy)) if old else None
            need(not what, "has a release policy that is laxer than that of a look: %s" % what)

    def level_of(self, data, look):
        """The level of every interval of a look: fixed by the seal, or by the number of the look in version 0.1.0."""
        totals = [terms["looks"] for _, _, root, terms in self.seals.values() if root == data and terms]
        return 1 - (1 - 0.95) / (totals[0] if totals else look)

    def check_request(self, body, people):
        """A request under a registered plan, in one's own name, for an exported model, with a look left."""
        request = body["payload"]["request"]
        need(("request", request["id"]) not in self.first, "the log has this request already")
        need(re.fullmatch(TIME, request["expires"], re.ASCII), "writes the time it expires in another way")
        need(request["requester"] == body["actor"], "asks in the name of " + request["requester"])
        need(("criteria", request["criteria"]) in self.first, "asks under criteria that were not registered before")
        plan = self.plan(request["plan"])
        need(plan, "asks under an analysis plan that was not registered before")
        need(digest_of(plan["criteria"]) == request["criteria"], "names other criteria than its plan has")
        self.look_left(request, self.looks)
        need(request["model"] in self.exported, "no completed model.export made the model of this request")
        need(not self.sealed or request["data"] in self.sealed, "no data.seal made the test data of this request")

    def look_left(self, request, looks):  # the plan of a request allows one more look at the test set than these
        same = [one for one in map(self.request, looks) if one["data"] == request["data"]]
        allowed = self.plan(request["plan"])["looks"]
        mine = [one for one in same if one["release"] == request["release"]]
        left = len(mine) < allowed["per_release"] and len(same) < allowed["total"]
        need(left, "is one look at the test set more than its analysis plan allows")

    def check_approval(self, body, people):
        """Another person, who had no part in the model, approves a request that is open."""
        grant = body["payload"]["grant"]
        who, request = grant["approver"], self.request(grant["request"])
        need(who == body["actor"], "approves in the name of " + who)
        need(request, "approves what was not requested before")
        need(("grant", grant["request"]) not in self.first, "approves a request a second time")
        for one in (request["requester"], self.first["request", grant["request"]]["actor"]):
            need(not people.same(one, who), who + " made this request and cannot approve it too")
        people.person(request["requester"], body["index"])
        need(body["time"] < request["expires"], "approves a request that has expired")
        self.look_left(request, self.looks)
        said = open_envelope(grant["envelope"], people, body["index"])
        need(said["signer"] == who, who + " did not sign this approval")
        need(said["role"] in {"independent-reviewer", "custodian"}, "was signed in a role that opens nothing")
        fits = (said["policy"], said["meaning"]) == ("test-set-opening", "approval")
        need(fits, "was signed under a policy that opens nothing")
        subject = {"name": "test-set/" + request["id"], "digest": digest_of(request)}
        need(said["subjects"] == [subject], "signed something else than the request")
        need(people.demo or not said["demo"], who + " signed with demo keys")
        form = (grant.get("wrapped_key") is not None, grant.get("key_digest") is not None)
        fits = {"released": (False, True), "custodian": (False, False)}.get(grant.get("mode")) == form
        need(fits, "a grant that does not say who gets the key")
        need(who in self.sealed.get(request["data"], [who]), "the test set was not sealed for " + who)
        self.refuse_maker(who, [request["model"], request["calibration"]], people)

    def refuse_maker(self, reviewer, digests, people):
        """Whoever trained, combined, calibrated, exported or requested a model does not review it."""
        found, waiting, seen = set(), list(digests or []), set()
        if digests is None:
            found = {actor for actor, _ in self.steps.values()}.union(*self.asked.values())
        while waiting:
            digest = waiting.pop()
            if digest not in seen:
                seen.add(digest)
                found |= self.asked.get(digest, set())
                for index in self.made.get(digest, ()):
                    found.add(self.steps[index][0])
                    waiting += self.steps[index][1]
        had_part = any(people.same(maker, reviewer) for maker in found)
        need(not had_part, reviewer + " took part in making this model and cannot review it")

    def check_evaluation(self, body, people):
        """An evaluation under an approval, by who was let, of the model that was asked for, with its number."""
        payload, request = body["payload"], self.request(body["payload"]["request"])
        need(request, "evaluates under a request that the log does not have")
        grant = self.payload("grant", request["id"]).get("grant", {})
        need(grant.get("mode"), "evaluates without an approval")
        entitled = request["requester"] if grant["mode"] == "released" else grant["approver"]
        need(entitled == body["actor"], "evaluates what was granted to " + entitled)
        need(body["context"]["model"] == request["model"], "evaluates another model than was approved")
        looks = self.looks[: self.looks.index(request["id"]) + 1]
        number = [self.request(name)["data"] for name in looks].count(request["data"])
        levels = {interval.get("level", 0.95) for interval in payload["aggregates"].values()}
        need(levels <= {self.level_of(request["data"], number)}, "has intervals of another level than its seal fixes")
        need(payload.get("look", 1) == number, "states another look number than its own")

    def check_promotion(self, body, people):
        """Only a model that was exported is promoted, and only one that was evaluated into production."""
        payload = body["payload"]
        need(payload["model"] in self.exported, "promotes a model that no completed model.export made")
        fits = payload["stage"] != "production" or payload["model"] in self.evaluated
        need(fits, "puts a model into production that was not evaluated")

    def check_build(self, body, people):  # a release is built as it was prepared last
        version, model = body["payload"]["version"], body["context"]["model"]
        need(model, "builds a release without naming its model")
        need(self.prepared, "builds a release that no release.prepare prepared")
        need(self.prepared == (version, model), "builds another version or model than was prepared")

    def link(self, index, digest):  # an earlier entry that others can rest on, as they name it
        need(index in self.links, "names entry %s, which is no earlier entry that something can rest on" % index)
        need(digest_of(self.links[index]) == digest, "names entry %s by another digest" % index)
        return self.links[index]

    def check_references(self, body, people):  # inputs that name entries of this log name them as they are
        for item in body["inputs"]:
            if item["name"].startswith("log/"):
                match = re.fullmatch(r"log/(0|[1-9][0-9]{0,15})", item["name"], re.ASCII)
                need(match, "has an input %s, which is not the name of an entry" % item["name"])
                self.link(int(match[1]), item["digest"])

    def check_preparation(self, body, people):  # completed entries of the right actions; one of them exported the model
        for role, reference in chain_of(body["payload"]["chain"]):
            link = self.link(reference["index"], reference["digest"])
            fits = link["action"] == ROLES[role]
            need(fits, "names entry %d, which is %s and not %s" % (link["index"], link["action"], ROLES[role]))
            need(link["outcome"] == "completed" or role == "run", "names entry %d, which failed" % link["index"])
        made = [item["digest"] for item in self.links[body["payload"]["chain"]["export"]["index"]]["outputs"]]
        need(body["context"]["model"] in made, "names a model that its export did not make")
        self.prepared = body["payload"]["device"]["version"], body["context"]["model"]

    def check_signature(self, body, people):
        """A signature under a pack that this log built; a reviewer had no part in its model."""
        payload = body["payload"]
        need(payload["tag_manifest"] in self.packs, "signs a pack that no release.build of this log made")
        version, model = self.packs[payload["tag_manifest"]]
        need(payload["version"] == version, "signs another version than the pack was built as")
        said = open_envelope(payload["envelope"], people, body["index"])
        need(said["signer"] == body["actor"], "is a signature by " + said["signer"])
        need(payload["tag_manifest"] in [item["digest"] for item in said["subjects"]], "signs another pack")
        if said["role"] == "independent-reviewer":
            self.refuse_maker(said["signer"], [model] if model else None, people)


def names_of(action, payload):  # by what later entries name a completed entry: kind and name
    if action == "criteria.register":
        plan = payload.get("plan")
        plans = [("plan", digest_of(plan))] if plan else []
        return [("criteria", digest_of(payload["criteria"])), *plans]
    if action == "policy.register":
        return [("policy", digest_of(payload["policy"]))]
    if action == "test-set.request":
        return [("request", payload["request"]["id"])]
    if action == "test-set.approve":
        grant = payload["grant"]
        return [("grant", grant["request"])] + ([("look", grant["request"])] if grant.get("mode") else [])
    if action in {"test-set.open", "evaluation"}:
        return [("look" if action == "test-set.open" else "result", payload["request"])]
    return []


# ---------------------------------------------------------------- the pack


class Pack:
    """A pack as it is judged: its files, what is trusted (None: nothing), and what its log says."""

    def __init__(self, files, trust):
        self.files, self.trust, self.bodies, self.leaves, self.origin = files, trust, [], [], ""
        self.people, self.standing = People(), Standing()

    def check_bag(self):  # BagIt: every file is named once with its SHA-512, and nothing else is there
        files = self.files
        for name in (TAG, *TAGGED):
            need(name in files, name + " is missing")
        payload = {name for name in files if name.startswith("data/")}
        for manifest, present in ((TAG, set(TAGGED)), ("manifest-sha512.txt", payload)):
            listed = read_manifest(files, manifest)
            for name in sorted(listed):
                need(name in present, name + " is missing: " + manifest + " names it")
                same = hashlib.sha512(files[name]).hexdigest() == listed[name]
                need(same, name + " is changed: its SHA-512 is not the one in " + manifest)
            for name in sorted(present):
                need(name in listed, name + " is unexpected: " + manifest + " does not name it")
        for name in sorted(set(files) - payload - {TAG, *TAGGED}):
            need(SIGNATURE.fullmatch(name), name + " is unexpected: no manifest names it")
        declared = files["bagit.txt"] == b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
        need(declared, "bagit.txt does not declare BagIt 1.0 in UTF-8")
        return "%d payload files with the right SHA-512, none missing, none added" % len(payload)

    def check_log(self):  # every entry at its place, signed and permitted, under a checkpoint that is believed
        lines = self.files["data/audit/entries.jsonl"].split(b"\n")
        need(lines.pop() == b"" and lines, "data/audit/entries.jsonl is empty or cut off")
        self.origin, self.leaves = read_note(self.files[CHECKPOINT])[1], [leaf(line) for line in lines]
        for index, line in enumerate(lines):
            entry = parse(line, "entry %d" % index)
            try:
                self.check_entry(entry, index)
            except (KeyError, TypeError, ValueError, AttributeError, IndexError):
                raise WrongError("entry %d is malformed" % index) from None
            except WrongError as error:
                raise WrongError("entry %d: %s" % (index, error)) from None
            self.bodies.append(entry["body"])
        self.check_details(self.files["data/audit/details.jsonl"].split(b"\n"))
        size, root = believe(self.files[CHECKPOINT], self.trust, self.people, self.origin, self.leaves)
        told = "the checkpoint covers %d entries, %d are here: one is missing or added" % (size, len(lines))
        need(size == len(lines), told)
        need(root == merkle_root(self.leaves), "the Merkle root is not the one in the checkpoint")
        words = "%d entries of %s, in order, each signed and permitted by %s; the Merkle root is the signed one"
        return "; ".join([words % (size, self.origin, self.standing.words()), *self.standing.restores])

    def check_entry(self, entry, index):  # one entry at its place
        fit(entry, ENTRY, "not an audit entry: it")
        body, people = entry["body"], self.people
        need(body["index"] == index, "missing: entry %s is in its place" % body["index"])
        need(body["log"] == self.origin, "belongs to another log")
        need(not index or body["time"] >= self.bodies[-1]["time"], "dated before the entry that precedes it")
        if index == 0:
            need(body["action"] == "log.created" and body["outcome"] == "completed", "does not create the log")
            people.follow(body)
        actor = people.key(body["key"], index)
        by_log = {"identity.unlock-failed", "identity.locked", "identity.refused"}
        lawful = actor["id"] != "log" or body["action"] in by_log
        need(lawful or self.standing.table, "the log itself may not sign this")
        need(actor["id"] == body["actor"], "the key is that of %s, not of %s" % (actor["id"], body["actor"]))
        holds = signed_by(actor["signing_key"], canonical(body), entry["signature"])
        need(holds, "changed, or not signed by " + body["actor"])
        self.standing.admit(body, people, actor)
        if index:
            people.follow(body)
        if body["action"] == "log.restored" and body["outcome"] == "completed":
            same = unbase64(body["payload"]["root"]) == merkle_root(self.leaves[:index])
            need(same, "the restore follows other entries than those before it")

    def check_details(self, lines):  # each entry's details are those it commits to, or were erased by a later entry
        complete = lines.pop() == b"" and len(lines) == len(self.bodies)
        need(complete, "data/audit/details.jsonl is cut off or too long")
        form = {"error": (None, SHORT), "payload": dict, "salt": "[A-Za-z0-9+/]{21}[AQgw]=="}
        for body, line in zip(self.bodies, lines):  # noqa: B905  no strict before 3.10; the lengths are equal
            where = "the details of entry %d" % body["index"]
            gone = line == b"null"
            allowed = body["index"] in self.people.erased or not body["details"]
            need(allowed if gone else sha256(line) == body["details"], where + " are changed or missing")
            check_payload(body, None if gone else fit(parse(line, where), form, where)["payload"])

    def check_proofs(self):  # each .tlog-proof leads from its entry to a signed checkpoint
        names = [name for name in sorted(self.files) if name.startswith("data/audit/proofs/")]
        need(names, "there are no inclusion proofs")
        for name in names:
            head, _, note = self.files[name].decode("utf-8").partition("\n\n")
            first, second, *path = head.split("\n")
            index = int(second.replace("index ", "", 1))
            fits = (first, second) == ("c2sp.org/tlog-proof@v1", "index %d" % index)
            need(fits and name == "data/audit/proofs/%d.tlog-proof" % index, name + " is malformed")
            note = note.encode("utf-8")
            known = note == self.files[CHECKPOINT]  # that one was judged with the log
            judged = read_note(note)[2:4] if known else believe(note, self.trust, self.people, self.origin, self.leaves)
            size, root = judged
            need(0 <= index < min(size, len(self.leaves)), name + " is for no entry of this log")
            need(root_from(self.leaves[index], index, size, map(unbase64, path)) == root, name + " does not hold")
        return "%d inclusion proofs lead to a signed checkpoint" % len(names)

    def check_provenance(self):
        """Every result is the recorded output of a completed action; every recorded run has its lineage event."""
        made = {item["digest"] for body in self.bodies if body["outcome"] == "completed" for item in body["outputs"]}
        results = [name for name in sorted(self.files) if name.startswith(MADE) and name not in {ODOMETER, EVENTS}]
        for name in results:
            need(sha256(self.files[name]) in made, name + " has no entry in the log")
        runs = {read_json(line, EVENTS)["run"]["runId"] for line in self.files.get(EVENTS, b"").splitlines()}
        for body in self.bodies:
            run = body["context"]["openlineage_run"]
            need(run is None or run in runs, "entry %d has no event in %s" % (body["index"], EVENTS))
        return "%d results, each the recorded output of an action" % len(results)

    def check_openings(self):
        """Under the rules of 0.1.0, criteria, request and another person's approval stand before each opening.

        Later entries were judged one by one, by `Standing`. The pack states as many looks as the log holds.
        """
        approved, opened = set(), []
        for body in self.bodies[: self.standing.adopted]:
            if body["outcome"] == "completed":
                try:
                    self.check_opening(body, approved, opened)
                except WrongError as error:
                    raise WrongError("entry %d: %s" % (body["index"], error)) from None
        stated, looks = read_json(self.files[ODOMETER], ODOMETER), len(self.standing.looks)
        fine = stated == {"openings": looks} and not isinstance(stated["openings"], bool)
        need(fine, "%s does not state the %d look(s) that the log holds" % (ODOMETER, looks))
        return "%d look(s) at the test set, each after criteria, request and another person's approval" % looks

    def check_opening(self, body, approved, opened):
        """One entry about the test set under the rules of 0.1.0; `approved` and `opened` name the requests so far."""
        action, payload, index, standing = body["action"], body["payload"], body["index"], self.standing

        def before(kind, name):
            return standing.first.get((kind, name), body)["index"] < index

        if action == "test-set.request":
            asked = payload["request"]
            fine = not before("request", asked["id"]) and asked["requester"] == body["actor"]
            need(fine, "asks a second time or for another person")
            need(before("plan", asked["plan"]), "asks under an analysis plan that was not registered before")
        elif action == "test-set.approve":
            grant = payload["grant"]
            asked = standing.request(grant["request"])
            need(before("request", grant["request"]), "approves what was not requested before")
            said = open_envelope(grant["envelope"], self.people, index)
            need(said["signer"] == grant["approver"] != asked["requester"], "not approved by another person")
            need(digest_of(asked) in [item["digest"] for item in said["subjects"]], "approves another request")
            approved.add(grant["request"])
        elif action == "test-set.open":
            name, asked = payload["request"], standing.request(payload["request"])
            need(name in approved, "opens the test set without another person's approval")
            need(name not in opened, "opens the test set a second time on one approval")
            need(body["actor"] == asked["requester"], "opens what was granted to another person")
            need(body["time"] <= asked["expires"], "opens the test set after the request had expired")
            need(body["context"]["model"] in {None, asked["model"]}, "opens the test set for another model")
            standing.look_left(asked, opened)
            opened.append(name)
        elif action == "evaluation":
            need(payload["request"] in opened, "evaluates on the test set without having opened it")

    def attestations(self):
        """Checkpoints of this log that trusted witnesses saw: index of the entry, size, time at the latest, by whom.

        A token of a time authority is beyond the standard library; `minivess release verify` checks it.
        """
        found = []
        for body in self.bodies if self.trust and self.trust["witnesses"] else ():
            said = body["payload"]
            if (body["action"], body["outcome"], said.get("kind")) != ("time.attested", "completed", "cosignature"):
                continue
            try:
                note = said["note"].encode("utf-8")
                _, origin, size, root, _ = read_note(note)
                need((origin, size) == (self.origin, said["size"]) and 0 < size <= body["index"], "of another log")
                need(root == merkle_root(self.leaves[:size]), "of another history")
                seen = vouching_for(note, self.trust)
                need(seen and vouches(self.trust["quorum"], self.trust, seen), "too few witnesses")
            except (WrongError, KeyError, TypeError):
                continue
            names = ", ".join(sorted(self.trust["witnesses"][place][0] for place in seen))
            moment = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(max(seen.values())))
            found.append((body["index"], size, moment, names))
        return found

    def look_times(self):
        """Of each look, which phases others saw before the next one, and which have the machine's own time."""
        standing, words, numbers, attested = self.standing, [], {}, self.attestations()

        def index(kind, name, otherwise):
            return standing.first.get((kind, name), {"index": otherwise})["index"]

        def phase(name, place, before):
            for entry, size, moment, names in attested:
                if size > place and entry < before:
                    return "%s: attested by %s, %s at the latest" % (name, names, moment)
            return "%s: the machine's own time, %s" % (name, self.bodies[place]["time"])

        for name in standing.looks:
            request = standing.request(name)
            if request:
                asked, look = index("request", name, 0), index("look", name, 0)
                numbers[request["data"]] = numbers.get(request["data"], 0) + 1
                fixed = max(index("criteria", request["criteria"], asked), index("plan", request["plan"], asked))
                phases = (
                    phase("criteria", fixed, asked),
                    phase("approval", look, index("result", name, len(self.bodies))),
                )
                words.append("look %d (%s): %s" % (numbers[request["data"]], name, "; ".join(phases)))
        return ". ".join(words) or "there was no look at the test set"

    def check_signatures(self):  # the release policy is met by distinct people who signed this very tag manifest
        files, people, trust = self.files, self.people, self.trust
        names = [name for name in sorted(files) if name.startswith("signatures/") and name.endswith(".json")]
        need(names, "the pack is not signed")
        policy = read_json(files[POLICY], POLICY)["policy"]
        need(len(policy["rules"]) >= 2, POLICY + " asks for fewer than two signatures; a release needs two people")
        subject = [{"name": TAG, "digest": sha256(files[TAG])}]
        signers, offered, words = set(), [], []
        for name in names:
            envelope = parse(files[name], name)
            said = open_envelope(envelope, people, people.size)
            who = said["signer"]
            need(who not in signers, who + " signed twice; each signature needs another person")
            need(name == "signatures/%s.dsse.json" % who, name + " holds the signature of " + who)
            need(said["policy"] == policy["name"] and said["subjects"] == subject, who + " signed something else")
            need(said["head"] >= people.size, who + " signed on an older log than the one in the pack")
            need(people.demo or not said["demo"], who + " signed with demo keys")
            identity = people.key(envelope["signatures"][0]["keyid"], people.size)
            known = not trust or signer_of(identity) in trust["signers"]
            need(known, who + " signed, but is not among the people you trust with this key and these roles")
            signers.add(who)
            offered.append((said["role"], said["meaning"]))
            words.append("%s (%s, %s)" % (said["printed_name"], said["role"], said["meaning"]))
        for rules in (policy["rules"], trust["rules"] if trust else []):
            left = list(offered)
            for rule in rules:
                wanted = (rule["role"], rule["meaning"])
                need(wanted in left, "a signature is missing: %s by %s" % (rule["meaning"], rule["role"]))
                left.remove(wanted)
        note = ". DEMO KEYS: this proves nothing about a real device" if people.demo else ""
        return "signed by " + " and ".join(words) + self.check_holders() + note

    def check_holders(self):  # every holder of the test set's key, who was not revoked, cosigned the pack's checkpoint
        standing, found = self.standing, []
        valid = [item["id"] for item in self.people.valid()]
        for holder in [who for who in standing.sealed.get(standing.judged, []) if who in valid]:
            need(holder in standing.witnesses, "the log does not know with which key %s cosigns" % holder)
            note, file = self.files[CHECKPOINT], "signatures/%s.cosignature" % holder
            key = standing.witnesses[holder]
            if cosigned(note, *key) is None:
                need(file in self.files, holder + " has not cosigned the pack's checkpoint")
                seen = cosigned(note + self.files[file], *key)
                need(seen is not None, "the cosignature of %s is not by the key the log knows" % holder)
            found.append(holder)
        return "; the checkpoint is cosigned by " + ", ".join(found) if found else ""

    def check_layout(self):  # the pack has at least the layout that the trust file asks for
        asked = self.trust["layout"] if self.trust else 1
        need(asked <= LAYOUT, "the pack is of layout %d, and %d is asked for" % (LAYOUT, asked))
        return "layout %d" % LAYOUT


def check_payload(body, told):
    """A payload has the fields of its action, in the entry or in its details. `told`: that of the details, if there are any."""
    index, action, payload = body["index"], body["action"], body["payload"]
    need(action in FIELDS, "entry %d: unknown action %s" % (index, action))
    _, star, names = FIELDS[action].rpartition("* ")
    if star:
        need(not payload, "entry %d: its payload belongs into its details" % index)
        if told is None and body["details"] is not None:
            return  # erased
        payload = told or {}
    else:
        need(not told, "entry %d: its payload belongs into the entry itself" % index)
    if payload or body["outcome"] == "completed":
        fit(payload, dict.fromkeys(names.split(), ANYTHING), "entry %d: the payload of %s" % (index, action))


# ---------------------------------------------------------------- the verdict


def attempt(check):  # whether a check holds, and its words
    try:
        return True, check()
    except WrongError as error:
        return False, str(error)
    except KeyError as error:
        return False, "%s is missing" % error
    except Exception as error:
        return False, "something is malformed (%s)" % type(error).__name__


def read_pack(target):  # files of a pack, and how they were kept
    if target.is_dir():
        return read_folder(target), "an unpacked folder; only its files are judged, not an archive"
    need(target.stat().st_size <= LIMIT_BYTES + (1 << 26), "the archive is larger than 1 GiB")
    files = read_zip(target.read_bytes())
    return files, "%d files, and the archive has exactly the bytes that they require" % len(files)


def judge_files(files, trusted):
    """All checks in order: name, whether it holds, words. Nothing more is judged of a pack whose log does not hold."""
    pack, found = Pack(files, trusted), []
    checks = [
        ("bag", pack.check_bag),
        ("log", pack.check_log),
        ("proofs", pack.check_proofs),
        ("provenance", pack.check_provenance),
        ("test-set odometer", pack.check_openings),
        ("look times", pack.look_times),
        ("release signatures", pack.check_signatures),
        ("layout", pack.check_layout),
    ]
    for name, check in checks:
        found.append((name, *attempt(check)))
        if name == "log" and not found[-1][1]:
            break
    return found


def judge(target, trusted):  # the same of a pack as a file or folder
    held, read = attempt(lambda: read_pack(target))
    return [("archive", held, read[1] if held else read), *(judge_files(read[0], trusted) if held else [])]


def main(arguments):  # parse the command line, judge, and say the verdict
    sys.stdout.reconfigure(errors="backslashreplace")
    parser = argparse.ArgumentParser(description="Verify an evidence pack.")
    parser.add_argument("pack", nargs="?", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("--trust", type=Path, help="trust file: keys, witnesses and people you trust")
    options = parser.parse_args(arguments)
    if not options.pack.exists():
        parser.error("%s does not exist" % options.pack)
    if options.pack == parser.get_default("pack") and not (options.pack / "bagit.txt").is_file():
        parser.error("name the pack: this file is not in an unpacked one")
    trusted = None
    if options.trust:
        try:
            trusted = read_trust(options.trust.read_bytes())
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, WrongError):
            parser.error("%s is not a trust file" % options.trust)
    checks = judge(options.pack, trusted)
    for name, held, words in checks:  # nothing from the pack can steer the terminal
        clean = "".join(char if char.isprintable() else "?" for char in words)
        print("%-4s  %-18s  %s" % ("ok" if held else "FAIL", name, clean))
    held = all(held for _, held, _ in checks)
    if held and trusted and not trusted["rules"]:
        print("VERDICT: LIMITED: every check holds, but the trust file names no release rules")
        return 1
    source = "against keys you trust" if trusted else "against its own keys alone: give --trust to know who signed"
    print("VERDICT: the pack " + ("HOLDS " + source if held else "DOES NOT HOLD"))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
