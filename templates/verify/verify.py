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
import datetime
import functools
import hashlib
import json
import re
import struct
import sys
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
MADE = ("data/models/", "data/evaluation/", "data/datasets/", "data/verification/", "data/lineage/")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z", re.ASCII)
SIGNATURE = re.compile(r"signatures/([A-Za-z0-9][A-Za-z0-9._-]{0,63})\.(dsse\.json|cosignature)", re.ASCII)
DIGEST = r"sha256:[0-9a-f]{64}"
SHORT = r"(?s:.{1,200})"
CONTEXT = {
    "git_commit": r"[0-9a-f]{40,64}",
    "data": DIGEST,
    "dvc": r"md5:[0-9a-f]{32}(\.dir)?",
    "model": DIGEST,
    "configuration": DIGEST,
    "environment": DIGEST,
    "device": SHORT,
    "mlflow_run": SHORT,
    "openlineage_run": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
}
# What each action may say: its fields, "?" where one may be missing; after "*" all of them are in the details.
FIELDS = {
    "calibration": "* temperature threshold target_recall cases",
    "criteria.register": "criteria plan?",
    "data.add": "folder dvc files size",
    "data.card": "* cases missing findings openings",
    "data.ingest": "* dataset cases accept_identifiers? identifiers?",
    "data.leakage": "* across within",
    "data.profile": "* cases groups",
    "data.pull": "* remote files size folders",
    "data.push": "* remote files size folders",
    "data.seal": "files approvers root? terms?",
    "data.split": "* train calibration test folds? near_duplicates?",
    "data.validate": "* rules notes warnings blocking changed?",
    "ensemble": "* members rule",
    "entry.erased": "entry reason",
    "evaluation": "request cases aggregates baseline_dice look? criteria?",
    "identity.enrolled": "identity actions? checked?",
    "identity.locked": "identity attempts",
    "identity.refused": "identity key attempted",
    "identity.reinstated": "identity reason",
    "identity.revoked": "identity reason",
    "identity.rotated": "identity possession",
    "identity.unlock-failed": "identity attempt",
    "identity.unlocked": "identity",
    "identity.witness": "key",
    "inference": "* decision foreground_fraction? conformal?",
    "inference.refusals": "* since until counts",
    "log.created": "device log_key roots threshold serves? rules? checked?",
    "log.restored": "size root abandoned reason",
    "model.export": "* opset max_abs_difference tolerance",
    "model.promote": "model stage reason",
    "policy.register": "policy",
    "release.build": "version tag_manifest gates files",
    "release.prepare": "layout device tool chain environment sbom manifest files",
    "release.sign": "version tag_manifest envelope",
    "risk.drill": "noticed unnoticed tree",
    "roots.changed": "roots threshold envelopes log_key? possession?",
    "rules.adopted": "number digest envelopes",
    "run.disposition": "run verdict reason",
    "scenarios": "passed failed skipped tree",
    "serving.anchored": "origin note proof",
    "serving.enrolled": "origin site log_key service note",
    "test-set.approve": "grant",
    "test-set.open": "request",
    "test-set.request": "request",
    "time.attested": "kind size note token?",
    "trace.approve": "subject digest",
    "trace.attest": "item clause digest",
    "trace.baseline": "name items digest",
    "trace.review": "links",
    "training": "* architecture steps final_loss?",
}
BODY = {
    "action",
    "actor",
    "context",
    "details",
    "format",
    "index",
    "inputs",
    "key",
    "log",
    "outcome",
    "outputs",
    "payload",
    "started",
    "time",
}
COMPONENT = re.compile(r"[A-Za-z0-9_@+=(),. -]{1,120}", re.ASCII)
APPROVAL = "urn:minivess:approval:1"


class WrongError(Exception):
    """Something does not hold; the message says what, in words."""


def need(condition, message):
    """Fail with a message unless the condition holds."""
    if not condition:
        raise WrongError(message)


def unbase64(text):
    """Decode base64, accepting one spelling only."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        raise WrongError("not valid base64") from None
    need(base64.b64encode(data).decode("ascii") == text, "base64 with stray bits")
    return data


# ---------------------------------------------------------------- the container


def good_name(name):
    """Whether a name is relative, plain ASCII and free of steps upwards."""
    return len(name) <= 240 and all(
        COMPONENT.fullmatch(part) and part not in {".", ".."} and part[-1] not in ". " and part[0] != " "
        for part in name.split("/")
    )


def local_header(name, crc, size):
    """A zip local file header: stored, 1980-01-01, no extra field."""
    return struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 33, crc, size, size, len(name), 0) + name.encode("ascii")


def central_header(name, crc, size, offset):
    """The matching record of the central directory."""
    fields = (b"PK\1\2", 788, 20, 0, 0, 0, 33, crc, size, size, len(name), 0, 0, 0, 0, 0o100644 << 16, offset)
    return struct.pack("<4s6H3L5H2L", *fields) + name.encode("ascii")


def read_zip(data):
    """Files of a zip, whose every byte must be the one that its files require."""
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
        crc = zlib.crc32(content)
        need(data[offset:start] == local_header(name, crc, size), name + " is changed: bytes or header differ")
        files[name] = content
        need(len(files) <= LIMIT_FILES, "too many files")
        directory.append(central_header(name, crc, size, offset))
        offset, previous = start + size, name
    joined = b"".join(directory)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, len(files), len(files), len(joined), offset, 0)
    need(data[offset:] == joined + end, "the archive is changed: its directory is not the one that its files require")
    return files


def read_folder(folder):
    """Files of an unpacked pack."""
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


def read_manifest(files, name):
    """Digest by file name."""
    lines = files[name].decode("ascii").split("\n")
    need(lines.pop() == "", name + " is changed: its last line is cut off")
    found = {}
    for number, line in enumerate(lines, start=1):
        match = re.fullmatch(r"([0-9a-f]{128})  (.+)", line)
        need(match and match[2] not in found, "%s:%d is changed" % (name, number))
        found[match[2]] = match[1]
    return found


def check_bag(files):
    """BagIt: every file is named once with its SHA-512, and nothing else is there."""
    for name in (TAG, *TAGGED):
        need(name in files, name + " is missing")
    payload = {name for name in files if name.startswith("data/")}
    for manifest, present in ((TAG, set(TAGGED)), ("manifest-sha512.txt", payload)):
        named = read_manifest(files, manifest)
        for name in sorted(named):
            need(name in present, name + " is missing: " + manifest + " names it")
            same = hashlib.sha512(files[name]).hexdigest() == named[name]
            need(same, name + " is changed: its SHA-512 is not the one in " + manifest)
        for name in sorted(present):
            need(name in named, name + " is unexpected: " + manifest + " does not name it")
    for name in sorted(set(files) - payload - {TAG, *TAGGED}):
        need(SIGNATURE.fullmatch(name), name + " is unexpected: no manifest names it")
    declared = files["bagit.txt"] == b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
    need(declared, "bagit.txt does not declare BagIt 1.0 in UTF-8")
    return "%d payload files with the right SHA-512, none missing, none added" % len(payload)


# ---------------------------------------------------------------- canonical JSON (RFC 8785)


def number_text(value):
    """A number as ECMAScript writes it (RFC 8785 section 3.2.2.3)."""
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


def canonical_text(value):
    """Canonical JSON text of a parsed value."""
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


def canonical(value):
    """Canonical JSON bytes (RFC 8785)."""
    return canonical_text(value).encode("utf-8")


def whole_number(text):
    """An integer; beyond 2^53 the double that RFC 8785 takes it for."""
    number = float(text)
    return int(text) if abs(number) < 1 << 53 else number


def no_constant(name):
    """NaN and Infinity are not JSON."""
    raise WrongError(name + " is not JSON")


def parse(data, what):
    """Parse bytes that must be canonical JSON already. (A key given twice cannot be: it would not come back.)"""
    try:
        value = json.loads(data.decode("utf-8"), parse_int=whole_number, parse_constant=no_constant)
        same = canonical(value) == data
    except (ValueError, RecursionError):
        raise WrongError(what + " is not JSON") from None
    need(same, what + " is not in canonical form")
    return value


# ---------------------------------------------------------------- signatures


P25519 = 2**255 - 19
L25519 = 2**252 + 27742317777372353535851937790883648493
D25519 = -121665 * pow(121666, -1, P25519) % P25519
BASE_Y = 4 * pow(5, -1, P25519) % P25519


def edwards_add(p, q):
    """Sum of two points in extended coordinates (complete: doubles too)."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % P25519
    b = (p[1] + p[0]) * (q[1] + q[0]) % P25519
    c = 2 * p[3] * q[3] * D25519 % P25519
    d = 2 * p[2] * q[2] % P25519
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P25519, g * h % P25519, f * g % P25519, e * h % P25519)


@functools.lru_cache(maxsize=128)
def edwards_point(data):
    """Decode 32 bytes to a point (RFC 8032 section 5.1.3)."""
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


def ed25519_holds(key, data, signature):
    """RFC 8032 section 5.1.7, without cofactor, as OpenSSL does it."""
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


def jacobian_double(p):
    """Twice a P-256 point in Jacobian coordinates (a = -3)."""
    x, y, z = p
    if not z or not y:
        return (1, 1, 0)
    d, g = z * z % P256, y * y % P256
    b = x * g % P256
    a = 3 * (x - d) * (x + d) % P256
    x3 = (a * a - 8 * b) % P256
    return (x3, (a * (4 * b - x3) - 8 * g * g) % P256, 2 * y * z % P256)


def jacobian_add(p, q):
    """Sum of two P-256 points in Jacobian coordinates."""
    if not p[2]:
        return q
    if not q[2]:
        return p
    z1, z2 = p[2] * p[2] % P256, q[2] * q[2] % P256
    u1, u2 = p[0] * z2 % P256, q[0] * z1 % P256
    s1, s2 = p[1] * q[2] * z2 % P256, q[1] * p[2] * z1 % P256
    h, r = (u2 - u1) % P256, (s2 - s1) % P256
    if not h:
        return jacobian_double(p) if not r else (1, 1, 0)
    h2 = h * h % P256
    h3, v = h * h2 % P256, u1 * h2 % P256
    x = (r * r - h3 - 2 * v) % P256
    return (x, (r * (v - x) - s1 * h3) % P256, h * p[2] * q[2] % P256)


def der_integers(signature):
    """The r and s of a DER signature in its one canonical spelling, or None."""
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
    table = both(digest * inverse % N256, G256, r * inverse % N256, (x, y, 1), (1, 1, 0), jacobian_add)
    if not table[2]:
        return False
    return table[0] * pow(table[2], -2, P256) % P256 % N256 == r


PREFIXES = {
    "ed25519": (bytes.fromhex("302a300506032b6570032100"), 44, ed25519_holds),
    "ecdsa-p256-sha256": (bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004"), 91, p256_holds),
}


def raw_key(public):
    """Raw bytes of a public key record, whose id must be the SHA-256 of its SubjectPublicKeyInfo."""
    der = unbase64(public["spki"])
    need(hashlib.sha256(der).hexdigest() == public["key_id"], "a key without the id it claims")
    prefix, length, _ = PREFIXES[public["algorithm"]]
    need(der.startswith(prefix) and len(der) == length, "a key of another kind than it claims")
    return der[len(prefix) :]


def signed_by(public, data, signature):
    """Whether a base64 signature is that of a public key record over data."""
    return PREFIXES[public["algorithm"]][2](raw_key(public), data, unbase64(signature))


# ---------------------------------------------------------------- the log


def node(left, right):
    """RFC 6962 inner node."""
    return hashlib.sha256(b"\1" + left + right).digest()


def leaf(data):
    """RFC 6962 leaf."""
    return hashlib.sha256(b"\0" + data).digest()


def merkle_root(level):
    """RFC 6962 root: pair level by level, an odd last node goes up as it is."""
    while len(level) > 1:
        pairs = [node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]


def key_name(text):
    """Whether a text can name a key: not empty, no Unicode space, no plus sign."""
    return bool(text) and not any(char == "+" or char.isspace() for char in text)


def decimal(text):
    """A size: decimal digits, no leading zero, at most 2^63 - 1."""
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


def log_raw(public):
    """Raw bytes of the key of a log."""
    need(public["algorithm"] == "ed25519", "the key of a log is not Ed25519")
    return raw_key(public)


# ---------------------------------------------------------------- what is trusted


def read_vkey(text, kind):
    """Name and raw key of a C2SP verifier key of a type: 1 a log, 4 a witness."""
    name, digits, blob = text.split("+", 2)
    data = unbase64(blob)
    need(key_name(name) and len(data) == 33 and data[0] == kind, "a verifier key of another type")
    need(note_key(name, kind, data[1:])[1].hex() == digits, "a verifier key with a hash that is not its own")
    return name, data[1:]


def read_policy(text):
    """Logs, witnesses, groups and quorum of a C2SP tlog-policy, strictly."""
    found = {"logs": [], "witnesses": {}, "groups": {}, "quorum": None}
    need(len(text) <= 1 << 16 and text.endswith("\n"), "a policy that is too long, or whose last line has no end")
    need(
        not any((char < " " and char not in "\n\t") or char == "\x7f" for char in text),
        "a policy with control characters",
    )
    used = set()
    for line in text[:-1].split("\n"):
        word, *rest = line.replace("\t", " ").split(" ")
        word, *rest = [item for item in (word, *rest) if item] or ["#"]
        named = {**found["witnesses"], **found["groups"]}
        if word.startswith("#"):
            continue
        if word in {"witness", "group"}:
            need(rest and rest[0] not in named and rest[0] != "none", "a name that is defined already")
        if word == "log":
            need(len(rest) in {1, 2}, "a malformed log")
            found["logs"].append(read_vkey(rest[0], 1))
        elif word == "witness":
            need(len(rest) in {2, 3}, "a malformed witness")
            found["witnesses"][rest[0]] = read_vkey(rest[1], 4)
        elif word == "group":
            members = rest[2:]
            need(members and all(item in named and item not in used for item in members), "a malformed group")
            need(len(set(members)) == len(members), "a member twice")
            used.update(members)
            plain = re.fullmatch("[1-9][0-9]{0,2}", rest[1], re.ASCII)
            least = {"all": len(members), "any": 1}.get(rest[1], int(rest[1]) if plain else 0)
            need(1 <= least <= len(members), "a group that can never vouch")
            found["groups"][rest[0]] = (least, members)
        else:
            need(word == "quorum" and len(rest) == 1 and found["quorum"] is None, "a malformed line in the policy")
            need(rest[0] == "none" or rest[0] in named, "a quorum without witnesses")
            found["quorum"] = rest[0]
    for keys in ([raw for _, raw in found["logs"]], [raw for _, raw in found["witnesses"].values()]):
        need(len(set(keys)) == len(keys) <= 64, "one key twice, or more than 64")
    need(found["quorum"] and len(found["groups"]) <= 64, "a policy without a quorum, or with more than 64 groups")
    return found


def only(value, required, optional=()):
    """An object with these fields and no others."""
    need(isinstance(value, dict) and set(required) <= set(value) <= {*required, *optional}, "other fields")
    return value


def unique(pairs):
    """The fields of an object, none twice."""
    need(len({key for key, _ in pairs}) == len(pairs), "a field twice")
    return dict(pairs)


def whole(value, least):
    """A number that is whole and not too small."""
    need(isinstance(value, int) and not isinstance(value, bool) and value >= least, "a number out of range")
    return value


def signer_of(identity):
    """What of a person must be as the trust file says."""
    return {"id": identity["id"], "name": identity["name"], "roles": identity["roles"], "key": identity["signing_key"]}


def read_trust(data):
    """A trust file of either format, in one form."""
    need(len(data) <= 1 << 20, "too long")
    value = json.loads(data.decode("utf-8"), object_pairs_hook=unique, parse_constant=no_constant)
    if "format" not in value:
        return read_first_trust(value)
    only(value, {"format", "policy", "roots"}, {"former", "release", "services", "known", "layout"})
    need(value["format"] == "minivess-trust/2", "of another format")
    trust = read_policy(value["policy"])
    need(trust["logs"], "no log")
    trust["former"] = [
        (*read_vkey(item["log"], 1), whole(item["below"], 1))
        for item in value.get("former", [])
        if only(item, {"log", "below"})
    ]
    roots = only(value["roots"], {"threshold", "keys"})
    keys = [
        (item["id"], item["key"]["key_id"])
        for item in roots["keys"]
        if only(item, {"id", "key"}) and raw_key(item["key"])
    ]
    need(
        whole(roots["threshold"], 1) <= len({name for name, _ in keys}) == len(keys),
        "a threshold of roots that cannot be met",
    )
    release = only(value.get("release", {}), (), {"rules", "signers"})
    for item in value.get("services", []):
        need(only(item, {"id", "key"}) and raw_key(item["key"]), "a malformed service")
    for item in release.get("signers", []):
        need(only(item, {"id", "key", "name", "roles"})["roles"] and raw_key(item["key"]), "a malformed signer")
    rules = [only(item, {"role", "meaning"}) for item in release.get("rules", [])]
    trust.update(roots=(roots["threshold"], set(keys)), rules=rules, signers=release.get("signers", []))
    known = value.get("known")
    trust.update(known=None if known is None else known.encode("utf-8"), layout=whole(value.get("layout", 1), 1))
    if known is not None:
        read_note(trust["known"])
    return trust


def read_first_trust(value):
    """What version 0.1.0 wrote: the key of the log, of whatever name, and the people; it names no release rules."""
    only(value, {"log_key", "people"}, {"witnesses", "former_log_keys"})
    former = [(None, log_raw(item["key"]), whole(item["below"], 1)) for item in value.get("former_log_keys") or []]
    trust = {"logs": [(None, log_raw(value["log_key"]))], "former": former, "witnesses": {}, "groups": {}, "rules": []}
    trust.update(roots=None, signers=[signer_of(item) for item in value["people"]], known=None, layout=1, quorum="none")
    asked = value.get("witnesses")
    if asked is not None:
        keys = [read_vkey(item["key"], 4) for item in only(asked, {"quorum", "witnesses"})["witnesses"]]
        need(1 <= whole(asked["quorum"], 1) <= len(keys), "a quorum that cannot be met")
        need(len({name for name, _ in keys}) == len({raw for _, raw in keys}) == len(keys), "a witness twice")
        trust["witnesses"] = {"w%d" % place: key for place, key in enumerate(keys)}
        trust["groups"] = {"witnesses": (asked["quorum"], list(trust["witnesses"]))}
        trust["quorum"] = "witnesses"
    return trust


def trusted_keys(trust, origin, size):
    """Raw keys that may sign the checkpoint of so many entries of a log."""
    former = [raw for name, raw, below in trust["former"] if name in {None, origin} and size < below]
    return former[:1] or [raw for name, raw in trust["logs"] if name in {None, origin}]


def keys_by_roots(people, trust, origin, size):
    """The raw key that a log names itself for a size, where roots that are trusted created it and agreed to its keys."""
    if trust["roots"] is None:
        return []
    least, named = trust["roots"]
    states = (people.created, (people.roots, people.threshold))
    fits = [
        threshold >= least and {(item["id"], item["signing_key"]["key_id"]) for item in roots} == named
        for roots, threshold in states
    ]
    need(any(fits), "the roots of the log are not those you trust")
    held = {(origin, log_raw(key)) for _, key in people.log_keys}
    return [log_raw(people.log_key(size))] if fits[0] and not held.isdisjoint(trust["logs"]) else []


def vouches(name, trust, vouching):
    """Whether a witness, or enough members of a group, vouch."""
    if name not in trust["groups"]:
        return name == "none" or name in vouching
    least, members = trust["groups"][name]
    return sum(vouches(member, trust, vouching) for member in members) >= least


def vouching_for(data, trust):
    """When each trusted witness vouched for the checkpoint (C2SP cosignature/v1), in Unix seconds."""
    text, _, _, _, signatures = read_note(data)
    vouching = {}
    for place, (name, raw) in trust["witnesses"].items():
        seal = signatures.get(note_key(name, 4, raw))
        if seal is not None:
            time = int.from_bytes(seal[:8], "big")
            message = "cosignature/v1\ntime %d\n%s" % (time, text)
            holds = len(seal) == 72 and 0 < time < 1 << 63 and ed25519_holds(raw, message.encode("utf-8"), seal[8:])
            need(holds, "the signature of the witness %s is wrong" % name)
            vouching[place] = time
    return vouching


def check_witnesses(data, trust):
    """The quorum of witnesses that is asked for vouches for the checkpoint."""
    need(vouches(trust["quorum"], trust, vouching_for(data, trust)), "too few witnesses vouch for the checkpoint")


def believe(data, trust, people, origin, leaves):
    """Size and root of a checkpoint of a log: signed by its own key, and by all that is trusted."""
    named, size, root = check_note(data, [log_raw(people.log_key(read_note(data)[2]))])
    need(named == origin, "the checkpoint is of another log")
    if not trust:
        return size, root
    check_note(data, trusted_keys(trust, origin, size) + keys_by_roots(people, trust, origin, size))
    check_witnesses(data, trust)
    if trust["known"] and read_note(trust["known"])[1] == origin:
        known = read_note(trust["known"])[2]
        _, known, seen = check_note(trust["known"], trusted_keys(trust, origin, known))
        here = root if known == size else merkle_root(leaves[:known]) if 0 < known <= len(leaves) else seen
        need(here == seen, "two histories: the first %d entries are not those that the trust file knows" % known)
    return size, root


ATTEMPTS = {"identity.unlock-failed", "identity.unlocked", "identity.locked", "identity.reinstated"}
FOLDED = {"log.created", "identity.enrolled", "identity.rotated", "identity.revoked", "roots.changed", "entry.erased"}
FOLDED |= ATTEMPTS


def digest_of(value):
    """The digest of a value's canonical JSON."""
    return "sha256:" + hashlib.sha256(canonical(value)).hexdigest()


def plain_name(name):
    """A printed name without what two spellings of one name may differ in."""
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

    def key(self, key_id, index):
        """The identity whose key counts at an index."""
        if self.log_keys and key_id == self.log_key(index)["key_id"]:
            return {"id": "log", "kind": "service", "roles": ["service"], "signing_key": self.log_key(index)}
        known = self.by_key.get(key_id)
        need(known, "key %s is not enrolled in the log" % key_id[:12])
        identity, start, end = known
        need(start <= index, "the key of %s was enrolled after entry %d" % (identity["id"], index))
        need(end is None or index < end, "the key of %s was revoked at entry %s" % (identity["id"], end))
        return identity

    def person(self, who, index):
        """The identity of an id whose key counts at an index."""
        for identity, start, end in self.by_key.values():
            if identity["id"] == who and start <= index and (end is None or index < end):
                return identity
        raise WrongError(who + " is not enrolled in the log, or is revoked")

    def same(self, first, second):
        """Whether two ids are one person: the same id, printed name or encryption key, ever."""

        def known(who):
            held = [item[0] for item in self.by_key.values() if item[0]["id"] == who]
            keys = {item["encryption_key"]["key_id"] for item in held if item["encryption_key"]}
            return {plain_name(item["name"]) for item in held} | keys

        return first == second or bool(known(first) & known(second))

    def add(self, identity, start):
        """Enrol; no key, no id and no person twice."""
        key_id = identity["signing_key"]["key_id"]
        raw_key(identity["signing_key"])
        service = identity["kind"] == "service"
        need(service == (identity["roles"] == ["service"]), "roles that do not fit " + identity["id"])
        current = [item[0]["id"] for item in self.by_key.values() if item[2] is None]
        need(key_id not in self.by_key and identity["id"] not in current, identity["id"] + " is enrolled twice")
        need(start == 0 or self.demo or not identity.get("demo"), "demo keys in a real log")
        need(identity["id"] != "log", "enrols the log itself")
        names = [plain_name(item[0]["name"]) for item in self.by_key.values() if item[2] is None]
        need(service or plain_name(identity["name"]) not in names, identity["name"] + " is enrolled already")
        self.by_key[key_id] = (identity, start, None)

    def follow(self, body):
        """Take in one entry whose signature is already known to hold (entry 0 excepted)."""
        self.size = body["index"] + 1
        action, payload = body["action"], body["payload"]
        if body["outcome"] != "completed" or action not in FOLDED:
            return
        if action == "log.created":
            need(body["index"] == 0, "the log is created a second time")
            self.log_keys = [(0, payload["log_key"])]
            self.roots, self.threshold = payload["roots"], payload["threshold"]
            self.created = (self.roots, self.threshold)
            self.demo = all(identity.get("demo", False) for identity in self.roots)
            for identity in self.roots:
                self.add(identity, 0)
            return
        actor, index = self.key(body["key"], body["index"]), body["index"]
        if action == "identity.rotated":
            self.rotate(body, actor)
            return
        if action in ATTEMPTS and action != "identity.reinstated":
            self.attempt(action, payload, actor)
            return
        manager = actor["kind"] == "person" and "release-manager" in actor["roles"]
        need(actor in self.roots or manager, "%s may not do %s" % (actor["id"], action))
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

    def end(self, identity, index):
        """The valid key of an id counts no longer from an index on."""
        held = [key for key, item in self.by_key.items() if item[0]["id"] == identity and item[2] is None]
        need(held, identity + " is not there")
        self.by_key[held[0]] = (*self.by_key[held[0]][:2], index)

    def rotate(self, body, actor):
        """A new key, shown to be held by whoever rotates; nothing else changes. Roots do not rotate alone."""
        new, index = body["payload"]["identity"], body["index"]
        need(
            actor not in self.roots and dict(new, signing_key=actor["signing_key"]) == actor,
            "changes more than the keys",
        )
        keys = {"old_key": actor["signing_key"]["key_id"], "new_key": new["signing_key"]["key_id"]}
        statement = dict(keys, purpose="minivess key rotation", log=body["log"], identity=actor["id"])
        shown = signed_by(new["signing_key"], canonical(statement), body["payload"]["possession"])
        need(shown, "there is no proof of possession of the new key")
        self.end(actor["id"], index + 1)
        self.add(new, index + 1)

    def change_roots(self, payload, body):
        """Other roots, or another log key, agreed by a threshold of the old and of the new roots."""
        new, threshold, index = payload["roots"], payload["threshold"], body["index"]
        need(1 <= threshold <= len({root["id"] for root in new}) == len(new), "a threshold that cannot be met")
        old = {"roots": self.roots, "threshold": self.threshold}
        digests = [digest_of(old), digest_of({"roots": new, "threshold": threshold})]
        change = {"replaces": digests[0], "roots": digests[1]}
        log_key = payload.get("log_key")
        if log_key:
            change["log_key"] = log_key
        subject = {"name": "roots.json", "digest": digest_of(change)}
        counting = [item for item in self.roots if self.by_key[item["signing_key"]["key_id"]][2] is None]
        for group, least in ((counting, self.threshold), (new, threshold)):
            known, agreed = People(), set()
            known.by_key = {item["signing_key"]["key_id"]: (item, 0, None) for item in group}
            for envelope in payload["envelopes"]:
                if envelope["signatures"][0]["keyid"] in known.by_key:
                    said = open_envelope(envelope, known, 0)
                    need(said["subjects"] == [subject] and said["policy"] == "roots", "agrees to another change")
                    agreed.add(said["signer"])
            need(len(agreed) >= least, "too few roots agreed")
        for item in new:
            valid = [held[0] for held in self.by_key.values() if held[0]["id"] == item["id"] and held[2] is None]
            if valid != [item]:
                if valid:
                    self.end(item["id"], index + 1)
                self.add(item, index + 1)
        self.roots, self.threshold = new, threshold
        if log_key:
            used = {key["key_id"] for _, key in self.log_keys} | set(self.by_key)
            need(log_key["key_id"] not in used, "gives the log a key that another identity has or had")
            keys = {"old_key": self.log_key(index)["key_id"], "new_key": log_key["key_id"]}
            statement = dict(keys, purpose="minivess key rotation", log=body["log"], identity="log")
            shown = signed_by(log_key, canonical(statement), payload["possession"])
            need(shown, "there is no proof of possession of the new key of the log")
            self.log_keys.append((index + 1, log_key))


# ---------------------------------------------------------------- who may append what

# The published action table 2 (actions-2.json). Entries of a log that adopted no table are judged by the rules of 0.1.0.
TABLES = {
    2: json.loads(
        """{
 "format": "minivess-actions/1",
 "number": 2,
 "actions": {
  "calibration": {"by": ["developer"], "checks": ["makes", "references"], "log": "device"},
  "criteria.register": {"by": ["developer", "release-manager"],
   "checks": ["criteria", "registration", "references"], "log": "device"},
  "data.add": {"by": ["developer", "release-manager"], "checks": [], "log": "device"},
  "data.card": {"by": ["person"], "checks": [], "log": "device"},
  "data.ingest": {"by": ["developer", "release-manager"], "checks": ["references"], "log": "device"},
  "data.leakage": {"by": ["person"], "checks": [], "log": "device"},
  "data.profile": {"by": ["person"], "checks": [], "log": "device"},
  "data.pull": {"by": ["developer", "release-manager"], "checks": [], "log": "device"},
  "data.push": {"by": ["developer", "release-manager"], "checks": [], "log": "device"},
  "data.seal": {"by": ["developer"], "checks": ["seal", "registration", "references"], "log": "device"},
  "data.split": {"by": ["developer", "release-manager"], "checks": ["references"], "log": "device"},
  "data.validate": {"by": ["person"], "checks": ["references"], "log": "device"},
  "ensemble": {"by": ["developer"], "checks": ["makes", "references"], "log": "device"},
  "entry.erased": {"by": ["root", "release-manager"], "checks": [], "log": "any"},
  "evaluation": {"by": ["person"], "checks": ["evaluation", "references"], "log": "device"},
  "identity.enrolled": {"by": ["root", "release-manager"], "checks": ["enrolment"], "log": "any"},
  "identity.locked": {"by": ["log"], "checks": [], "log": "any"},
  "identity.refused": {"by": ["log"], "checks": [], "log": "any"},
  "identity.reinstated": {"by": ["root", "release-manager"], "checks": [], "log": "any"},
  "identity.revoked": {"by": ["root", "release-manager"], "checks": [], "log": "any"},
  "identity.rotated": {"by": ["person", "service"], "checks": [], "log": "any"},
  "identity.unlock-failed": {"by": ["log"], "checks": [], "log": "any"},
  "identity.unlocked": {"by": ["person", "service"], "checks": [], "log": "any"},
  "identity.witness": {"by": ["person"], "checks": [], "log": "device"},
  "inference": {"by": ["service"], "checks": [], "log": "serving"},
  "inference.refusals": {"by": ["service"], "checks": [], "log": "serving"},
  "log.created": {"by": ["root"], "checks": [], "log": "any"},
  "log.restored": {"by": ["root", "release-manager"], "checks": ["restored"], "log": "any"},
  "model.export": {"by": ["developer"], "checks": ["makes", "references"], "log": "device"},
  "model.promote": {"by": ["release-manager"], "checks": ["promotion"], "log": "device"},
  "policy.register": {"by": ["release-manager"], "checks": ["registration", "references"], "log": "device"},
  "release.build": {"by": ["release-manager"], "checks": ["build"], "log": "device"},
  "release.prepare": {"by": ["release-manager"], "checks": ["references", "preparation"], "log": "device"},
  "release.sign": {"by": ["person"], "checks": ["signature"], "log": "device"},
  "risk.drill": {"by": ["person"], "checks": ["references"], "log": "device"},
  "roots.changed": {"by": ["root", "release-manager"], "checks": [], "log": "any"},
  "rules.adopted": {"by": ["root", "release-manager"], "checks": ["adoption"], "log": "any"},
  "run.disposition": {"by": ["developer", "release-manager"], "checks": ["references"], "log": "device"},
  "scenarios": {"by": ["person"], "checks": ["references"], "log": "device"},
  "serving.anchored": {"by": ["service"], "checks": [], "log": "device"},
  "serving.enrolled": {"by": ["service"], "checks": [], "log": "device"},
  "test-set.approve": {"by": ["independent-reviewer", "custodian"],
   "checks": ["approval", "references"], "log": "device"},
  "test-set.request": {"by": ["developer", "release-manager"],
   "checks": ["request", "registration", "references"], "log": "device"},
  "time.attested": {"by": ["log", "person"], "checks": [], "log": "device"},
  "trace.approve": {"by": ["person"], "checks": [], "log": "device"},
  "trace.attest": {"by": ["person"], "checks": [], "log": "device"},
  "trace.baseline": {"by": ["person"], "checks": [], "log": "device"},
  "trace.review": {"by": ["person"], "checks": [], "log": "device"},
  "training": {"by": ["developer"], "checks": ["makes", "references"], "log": "device"}
 }
}"""
    )
}
TABLE_1 = "sha256:8031933fd9c02258dc583bf53647cb24f054987c2349385c8ff4cbfd88482072"
"""The digest of actions-1.json, which says what 0.1.0 did."""
ROLES = {"ingest": "data.ingest", "validation": "data.validate", "split": "data.split", "seal": "data.seal"}
ROLES.update(run="training", disposition="run.disposition", ensemble="ensemble", calibration="calibration")
ROLES.update(export="model.export", criteria="criteria.register", policy="policy.register", request="test-set.request")
ROLES.update(approval="test-set.approve", evaluation="evaluation", scenarios="scenarios", drill="risk.drill")
"""What a release can rest on: the action of the entry in each role."""
LINKS = set(ROLES.values())
MAKING = {"training", "ensemble", "calibration", "model.export"}


def adopted_table(adopted):
    """The actions of the table that an entry names by number and digest."""
    table = TABLES.get(adopted["number"])
    need(table, "the log follows action table %s, which this file does not know" % adopted["number"])
    need(digest_of(table) == adopted["digest"], "the log names an action table by the digest of other rules")
    return table


PLAN_FIELDS = {"measures", "mask", "mask_threshold", "conventions", "intervals", "confidence", "reuse", "baseline"}
PLAN_FIELDS |= {"published", "seed", "looks", "criteria", "notes"}
CONVENTIONS = {"tolerance_um", "foreground_connectivity", "both_empty", "one_empty", "border", "skeleton"}
CONVENTIONS |= {"bootstrap", "bootstrap_unit"}


def chain_of(chain):
    """Role and reference of every entry that a release names."""
    lists = {"runs": ("run", "disposition"), "looks": ("approval", "evaluation")}
    only(chain, set(ROLES) - {"run", "disposition", "drill"} | {"runs", "looks"}, {"drill"})
    pairs = [(role, chain[role]) for role in ROLES if role in chain]
    for name, (first, second) in lists.items():
        need(chain[name], "a release without " + name)
        for item in chain[name]:
            only(item, {first}, {second})
            pairs += [(first, item[first]), (second, item.get(second))]
    found = [
        (role, named)
        for role, named in pairs
        if named is not None or role not in {"drill", "disposition", "evaluation"}
    ]
    for _, named in found:
        only(named, {"index", "digest"})
    return found


def named(artifacts, name):
    """The digest of the artifact of a name, or None."""
    return next((item["digest"] for item in artifacts if item["name"] == name), None)


def limits_of(rows):
    """The strictest limit of each thing, on each side."""
    found = {}
    for what, side, limit in rows:
        if limit is not None:
            pick = max if side == "at_least" else min
            found[what, side] = pick(limit, found.get((what, side), limit))
    return found


def limits_of_criteria(criteria):
    """The limits of acceptance criteria."""
    return limits_of(
        (one["measure"] + ", " + one.get("statistic", "mean"), side, one.get(side))
        for one in criteria
        for side in ("at_least", "at_most")
    )


def limits_of_gates(gates):
    """The limits of release gates."""
    rows = []
    for gate in gates:
        if gate["kind"] == "metric":
            rows += [(gate["measure"] + ", " + gate["statistic"], side, gate[side]) for side in ("at_least", "at_most")]
        elif gate["kind"] == "baseline":
            rows.append(("dice_over_baseline, mean", "at_least", gate["at_least"]))
        else:
            rows.append((gate["kind"], "at_most", gate["at_most"]))
    return limits_of(rows)


def laxer_limits(old, new):
    """The first limit that became laxer, or None."""
    for (what, side), limit in old.items():
        now = new.get((what, side))
        if now is None or (now < limit if side == "at_least" else now > limit):
            return what
    return None


def laxer_plan(old, new):
    """The first thing in which an analysis plan is laxer than another, or None."""
    was, now = old["conventions"], new["conventions"]
    for what, worse in (
        ("tolerance_um", now["tolerance_um"] > was["tolerance_um"]),
        ("bootstrap", now["bootstrap"] < was["bootstrap"]),
        ("confidence", new["confidence"] < old["confidence"]),
        ("looks", any(new["looks"][name] > old["looks"][name] for name in ("per_release", "total"))),
        ("measures", set(old["measures"]) - set(new["measures"])),
    ):
        if worse:
            return what
    for name in ("mask", "mask_threshold", "seed", "intervals", "baseline", "reuse"):
        if old[name] != new[name]:
            return name
    for name in sorted(CONVENTIONS - {"tolerance_um", "bootstrap"}):
        if was[name] != now[name]:
            return name
    return laxer_limits(limits_of_criteria(old["criteria"]), limits_of_criteria(new["criteria"]))


def laxer_policy(old, new):
    """The first thing in which a release policy is laxer than another, or None."""
    asked = [(rule["role"], rule["meaning"]) for rule in new["signatures"]["rules"]]
    for rule in old["signatures"]["rules"]:
        if (rule["role"], rule["meaning"]) not in asked:
            return "signatures"
        asked.remove((rule["role"], rule["meaning"]))
    return laxer_limits(limits_of_gates(old["gates"]), limits_of_gates(new["gates"]))


class Standing:
    """What may be appended next, under an action table: the second writing of `admit`."""

    def __init__(self):
        self.table, self.kind, self.started, self.adopted, self.looks = None, "device", {}, None, []
        self.criteria, self.plans, self.requests, self.grants = set(), {}, {}, {}
        self.made, self.steps, self.asked, self.exported, self.evaluated = {}, {}, {}, set(), set()
        self.services, self.sealed, self.packs, self.serving = {}, {}, {}, {}
        self.witnesses, self.former_witnesses, self.judged, self.places = {}, set(), None, {}
        self.restores, self.links, self.prepared = [], {}, None
        self.policies, self.seals, self.seal, self.approved = {}, {}, None, []

    def words(self):
        """The table in force."""
        return "action table %d" % self.table["number"] if self.table else "action table 1 (the rules of version 0.1.0)"

    def admit(self, body, people, actor):
        """Say whether an entry may be at its place, and take in what it says. `people` are those before the entry."""
        action, outcome, index = body["action"], body["outcome"], body["index"]
        self.follow_started(body)
        if index == 0:
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
            manager = actor["kind"] == "person" and "release-manager" in actor["roles"]
            need(actor in people.roots or manager, "%s may not append %s" % (actor["id"], action))
            (self.check_adoption if action == "rules.adopted" else self.check_restored)(body, people)
        if done:
            self.follow(body)
        if self.table and action in LINKS and outcome in {"completed", "failed"}:
            self.links[index] = (action, outcome, digest_of(body), {item["digest"] for item in body["outputs"]})

    def follow_started(self, body):
        """An entry that ends an action names the one that started it, by the same actor, and nothing ends twice."""
        if body["started"] is not None:
            action, actor = self.started.pop(body["started"], (None, None))
            need(action == body["action"], "ends an action that was not started, or was ended before")
            need(not self.table or actor == body["actor"], "ends an action that another actor started")
        if body["outcome"] == "started":
            self.started[body["index"]] = (body["action"], body["actor"])

    def create(self, body, actor, people):
        """Entry 0."""
        payload = body["payload"]
        if payload.get("rules"):
            self.table, self.adopted = adopted_table(payload["rules"]), 0
            need(actor in people.roots, "the log is created by an identity that is not a root")
            services = [root["kind"] == "service" for root in payload["roots"]]
            fits = services == [True] if payload.get("serves") else not any(services)
            need(fits, "a service is the root of its own serving log, and of no other log")
        if payload.get("serves"):
            self.kind = "serving"

    def matches(self, word, actor, action, people):
        """Whether an actor is what a word of the table says."""
        if actor["id"] == "log" or word == "log":
            return actor["id"] == word
        if word in {"person", "root"}:
            return actor["kind"] == "person" if word == "person" else actor in people.roots
        if word == "service" and actor["kind"] == "service":
            named = self.services.get(actor["id"])
            return named is None or action in named or action.startswith("identity.")
        return word in actor["roles"]

    def follow(self, body):
        """Take in a completed entry."""
        action, payload = body["action"], body["payload"]
        model = body["context"]["model"]
        if action == "rules.adopted":
            self.table, self.adopted = adopted_table(payload), body["index"] + 1
        elif action == "log.restored":
            self.restores.append("entry %d: %s restored the log from a backup" % (body["index"], body["actor"]))
        elif action == "identity.enrolled":
            self.services[payload["identity"]["id"]] = payload.get("actions")
        elif action in MAKING:
            outputs = {item["digest"] for item in body["outputs"]} | ({model} if model else set())
            for digest in outputs:
                self.made.setdefault(digest, []).append(body["index"])
            self.steps[body["index"]] = (body["actor"], [item["digest"] for item in body["inputs"]])
            self.exported |= outputs if action == "model.export" else set()
        elif action == "data.seal":
            self.follow_seal(body)
        elif action == "policy.register":
            self.policies.setdefault(digest_of(payload["policy"]), payload["policy"])
        elif action == "criteria.register" or action.startswith("test-set."):
            self.follow_test_set(action, body)
        elif action == "evaluation":
            self.evaluated |= {model} if model else set()
            self.judged = self.requests.get(payload["request"], (None, {}))[1].get("data")
            self.places.setdefault(("result", payload["request"]), body["index"])
        elif action in {"identity.witness", "identity.revoked"}:
            self.follow_witness(body)
        elif action == "release.build":
            self.packs[payload["tag_manifest"]] = payload["version"], model
        elif action in {"serving.enrolled", "serving.anchored"}:
            self.follow_serving(body)

    def follow_seal(self, body):
        """Take in the entry of a sealing. The first one about a sealed part counts."""
        payload, manifest = body["payload"], named(body["outputs"], "data/sealed/manifest.json")
        if payload.get("root") is not None:
            self.sealed.setdefault(payload["root"], payload["approvers"])
        if manifest:
            said = (body["index"], named(body["inputs"], "data/split.json"), payload.get("root"), payload.get("terms"))
            self.seals.setdefault(manifest, said)
            self.seal = self.seals[manifest]

    def follow_test_set(self, action, body):
        """Take in what a completed entry says about the test set; the first with an id counts."""
        payload, index = body["payload"], body["index"]
        if action == "criteria.register":
            self.criteria.add(digest_of(payload["criteria"]))
            self.places.setdefault(("criteria", digest_of(payload["criteria"])), index)
            if payload.get("plan"):
                self.plans.setdefault(digest_of(payload["plan"]), payload["plan"])
                self.places.setdefault(("plan", digest_of(payload["plan"])), index)
        elif action == "test-set.request":
            self.places.setdefault(("request", payload["request"]["id"]), index)
            self.requests.setdefault(payload["request"]["id"], (body["actor"], payload["request"]))
            self.asked.setdefault(payload["request"]["model"], set()).add(body["actor"])
        elif action == "test-set.approve":
            grant = payload["grant"]
            self.approved.append((body["index"], grant["request"]))
            if grant["request"] not in self.grants:
                self.grants[grant["request"]] = grant
                if grant.get("mode"):
                    self.looks.append(grant["request"])
                    self.places.setdefault(("look", grant["request"]), index)
        elif action == "test-set.open":
            self.looks.append(payload["request"])
            self.places.setdefault(("look", payload["request"]), index)

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

    def check_adoption(self, body, people):
        """Another table, agreed by a threshold of the roots."""
        payload = body["payload"]
        old = digest_of(self.table) if self.table else TABLE_1
        need(payload["number"] > (self.table["number"] if self.table else 1), "goes back to an older action table")
        adopted_table(payload)
        change = {"log": body["log"], "replaces": old, "number": payload["number"], "digest": payload["digest"]}
        subject, agreed = {"name": "rules.json", "digest": digest_of(change)}, set()
        for envelope in payload["envelopes"]:
            said = open_envelope(envelope, people, body["index"])
            root = [item for item in people.roots if item["id"] == said["signer"]]
            need(root and people.by_key[root[0]["signing_key"]["key_id"]][2] is None, said["signer"] + " is not a root")
            need(said["subjects"] == [subject] and said["policy"] == "roots", "agrees to another action table")
            agreed.add(said["signer"])
        need(len(agreed) >= people.threshold, "too few roots agreed to the action table")

    def check_enrolment(self, body, people):
        """A service is enrolled for named actions; a person's roles say what they may do."""
        service = body["payload"]["identity"]["kind"] == "service"
        need(
            service == bool(body["payload"].get("actions")),
            "enrols a service without its actions, or a person with some",
        )

    def check_restored(self, body, people):
        """A restore follows the entries before it and gives up checkpoints that this log signed; `read_log` takes the root."""
        payload = only(body["payload"], {"size", "root", "abandoned", "reason"})
        need(payload["size"] == body["index"], "the restore follows other entries than those before it")
        need(0 < len(payload["abandoned"]) <= 64 and 0 < len(payload["reason"]) <= 200, "a malformed restore")
        keys = [log_raw(key) for _, key in people.log_keys]
        for note in payload["abandoned"]:
            need(len(note) <= 4000, "a malformed restore")
            origin, _, _ = check_note(note.encode("utf-8"), keys)
            need(origin == body["log"], "the restore gives up a checkpoint of another log")

    def check_makes(self, body, people):
        """A step names what it made."""
        need(body["outputs"], "names no output")

    def check_seal(self, body, people):
        """The holders of the data key are reviewers or custodians, and others than who seals."""
        need(body["payload"].get("root"), "seals something without naming its root")
        for who in body["payload"]["approvers"]:
            need(who != body["actor"], who + " seals the test set and would hold its key")
            held = people.person(who, body["index"])
            need({"independent-reviewer", "custodian"} & set(held["roles"]), who + " is neither reviewer nor custodian")

    def check_criteria(self, body, people):
        """Criteria come with their plan."""
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
            need(request.get("policy") in self.policies, "names no release policy that was registered before")
            self.check_plan(self.plans[request["plan"]])
            self.check_policy(self.policies[request["policy"]])

    def check_terms(self, body):
        """A seal fixes its terms once, and the test part of a split is sealed once."""
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

    def judged_by(self):
        """The requests of all looks at the test data in force."""
        if self.seal is None:
            return []
        index, _, root, _ = self.seal
        asked = [(at, self.requests[name][1]) for at, name in self.approved if name in self.requests]
        return [one for at, one in asked if (one["data"] == root if root else at > index)]

    def check_plan(self, plan):
        """A plan spells out every field, fits the terms of the seal, and is not laxer than that of a look."""
        need(set(plan) >= PLAN_FIELDS and set(plan["conventions"]) >= CONVENTIONS, "leaves fields of a plan out")
        terms = self.seal[3] if self.seal else None
        if terms:
            need(plan["looks"]["total"] <= terms["looks"], "allows more looks than the seal")
            need(plan["conventions"]["bootstrap_unit"] == terms["unit"], "resamples another unit than the seal")
        for request in self.judged_by():
            old = self.plans.get(request["plan"])
            laxer = laxer_plan(old, plan) if old else None
            need(not laxer, "has a plan that is laxer than that of a look: %s" % laxer)

    def check_policy(self, policy):
        """A release policy is not laxer than that of a look."""
        for request in self.judged_by():
            old = self.policies.get(request.get("policy"))
            laxer = laxer_policy(old, policy) if old else None
            need(not laxer, "has a release policy that is laxer than that of a look: %s" % laxer)

    def level_of(self, data, look):
        """The level of every interval of a look: fixed by the seal, or by the number of the look in version 0.1.0."""
        totals = [terms["looks"] for _, _, root, terms in self.seals.values() if root == data and terms]
        return 1 - (1 - 0.95) / (totals[0] if totals else look)

    def check_request(self, body, people):
        """A request under a registered plan, in one's own name, for an exported model, with a look left."""
        request = body["payload"]["request"]
        need(request["id"] not in self.requests, "the log has this request already")
        need(TIME.fullmatch(request["expires"]), "writes the time it expires in another way")
        need(request["requester"] == body["actor"], "asks in the name of " + request["requester"])
        need(request["criteria"] in self.criteria, "asks under criteria that were not registered before")
        need(request["plan"] in self.plans, "asks under an analysis plan that was not registered before")
        plan = self.plans[request["plan"]]
        need(digest_of(plan["criteria"]) == request["criteria"], "names other criteria than its plan has")
        self.look_left(request)
        need(request["model"] in self.exported, "no completed model.export made the model of this request")
        need(not self.sealed or request["data"] in self.sealed, "no data.seal made the test data of this request")

    def look_left(self, request):
        """The plan allows one more look at the test set."""
        same = [self.requests[name][1] for name in self.looks if self.requests[name][1]["data"] == request["data"]]
        allowed = self.plans[request["plan"]]["looks"]
        mine = [one for one in same if one["release"] == request["release"]]
        left = len(mine) < allowed["per_release"] and len(same) < allowed["total"]
        need(left, "is one look at the test set more than its analysis plan allows")

    def check_approval(self, body, people):
        """Another person, who had no part in the model, approves a request that is open."""
        grant = body["payload"]["grant"]
        who = grant["approver"]
        need(who == body["actor"], "approves in the name of " + who)
        need(grant["request"] in self.requests, "approves what was not requested before")
        need(grant["request"] not in self.grants, "approves a request a second time")
        actor, request = self.requests[grant["request"]]
        for one in (request["requester"], actor):
            need(not people.same(one, who), who + " made this request and cannot approve it too")
        people.person(request["requester"], body["index"])
        need(body["time"] < request["expires"], "approves a request that has expired")
        self.look_left(request)
        said = open_envelope(grant["envelope"], people, body["index"])
        need(said["signer"] == who, who + " did not sign this approval")
        need(said["role"] in {"independent-reviewer", "custodian"}, "was signed in a role that opens nothing")
        named = (said["policy"], said["meaning"]) == ("test-set-opening", "approval")
        need(named, "was signed under a policy that opens nothing")
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
        payload = body["payload"]
        need(payload["request"] in self.requests, "evaluates under a request that the log does not have")
        grant, request = self.grants.get(payload["request"], {}), self.requests[payload["request"]][1]
        need(grant.get("mode"), "evaluates without an approval")
        entitled = request["requester"] if grant["mode"] == "released" else grant["approver"]
        need(entitled == body["actor"], "evaluates what was granted to " + entitled)
        need(body["context"]["model"] == request["model"], "evaluates another model than was approved")
        data = [self.requests[name][1]["data"] for name in self.looks[: self.looks.index(request["id"]) + 1]]
        number = data.count(request["data"])
        levels = {interval.get("level", 0.95) for interval in payload["aggregates"].values()}
        need(levels <= {self.level_of(request["data"], number)}, "has intervals of another level than its seal fixes")
        need(payload.get("look", 1) == number, "states another look number than its own")

    def check_promotion(self, body, people):
        """Only a model that was exported is promoted, and only one that was evaluated into production."""
        payload = body["payload"]
        need(payload["model"] in self.exported, "promotes a model that no completed model.export made")
        fits = payload["stage"] != "production" or payload["model"] in self.evaluated
        need(fits, "puts a model into production that was not evaluated")

    def check_build(self, body, people):
        """A release names its model."""
        model, version = body["context"]["model"], body["payload"]["version"]
        need(model, "builds a release without naming its model")
        need(self.prepared, "builds a release that no release.prepare prepared")
        need(self.prepared == (version, model), "builds another version or model than was prepared")

    def link(self, index, digest):
        """An earlier entry that others can rest on, as they name it."""
        need(index in self.links, "rests on entry %s, which is no earlier entry of that kind" % index)
        need(self.links[index][2] == digest, "names entry %s by another digest" % index)
        return self.links[index]

    def check_references(self, body, people):
        """Inputs that name entries of this log name them as they are."""
        for item in body["inputs"]:
            if item["name"].startswith("log/"):
                match = re.fullmatch(r"log/(0|[1-9][0-9]{0,15})", item["name"], re.ASCII)
                need(match, "has an input %s, which is not the name of an entry" % item["name"])
                self.link(int(match[1]), item["digest"])

    def check_preparation(self, body, people):
        """A release rests on completed entries of the right actions, and its model was exported by one of them."""
        for role, named in chain_of(body["payload"]["chain"]):
            action, outcome, _, _ = self.link(named["index"], named["digest"])
            need(action == ROLES[role], "entry %d is %s and not the %s" % (named["index"], action, ROLES[role]))
            need(outcome == "completed" or role == "run", "entry %d was not completed" % named["index"])
        made = self.links[body["payload"]["chain"]["export"]["index"]][3]
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

    def follow_serving(self, body):
        """A serving log is known by its first checkpoint; each later one is signed by its key and continues it."""
        told, origin = body["payload"], body["payload"]["origin"]
        if body["action"] == "serving.enrolled":
            named = origin == "%s/serving/%s" % (body["log"], told["site"]) and told["service"] == body["actor"]
            need(named and origin not in self.serving, "enrols a serving log twice or under another name")
            keys = {known[0]["key_id"] for known in self.serving.values()}
            need(told["log_key"]["key_id"] not in keys, "enrols a key that another serving log has")
            _, size, root = check_note(told["note"].encode("utf-8"), [log_raw(told["log_key"])])
            need(told["note"].split("\n")[0] == origin and size > 0, "enrols the checkpoint of another log")
            self.serving[origin] = (told["log_key"], body["actor"], size, root)
            return
        need(origin in self.serving, "anchors a serving log that was not enrolled")
        key, service, size, root = self.serving[origin]
        need(service == body["actor"], "anchors the log of " + service)
        _, new, new_root = check_note(told["note"].encode("utf-8"), [log_raw(key)])
        need(told["note"].split("\n")[0] == origin and new > size, "anchors what is not more than is known")
        need(continues(size, new, [unbase64(item) for item in told["proof"]], root, new_root), "does not continue it")
        self.serving[origin] = (key, service, new, new_root)


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


def read_log(files, trusted):
    """Judge entries and checkpoint; returns bodies, lines, people and words."""
    lines = files["data/audit/entries.jsonl"].split(b"\n")
    need(lines.pop() == b"" and lines, "data/audit/entries.jsonl is empty or cut off")
    note = files["data/audit/checkpoint.txt"]
    origin, bodies, people, standing = read_note(note)[1], [], People(), Standing()
    for index, line in enumerate(lines):
        entry = parse(line, "entry %d" % index)
        try:
            check_entry(entry, bodies, people, standing, origin)
            if entry["body"]["action"] == "log.restored" and entry["body"]["outcome"] == "completed":
                before = merkle_root([leaf(one) for one in lines[:index]])
                told = unbase64(entry["body"]["payload"]["root"])
                need(told == before, "the restore follows other entries than those before it")
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            raise WrongError("entry %d is malformed" % index) from None
        except WrongError as error:
            raise WrongError("entry %d: %s" % (index, error)) from None
        bodies.append(entry["body"])
    check_details(files["data/audit/details.jsonl"].split(b"\n"), bodies, people.erased)
    leaves = [leaf(line) for line in lines]
    size, root = believe(note, trusted, people, origin, leaves)
    need(
        size == len(lines),
        "the checkpoint covers %d entries, %d are here: one is missing or added" % (size, len(lines)),
    )
    need(root == merkle_root(leaves), "the Merkle root is not the one in the checkpoint")
    people.standing = standing
    return (
        bodies,
        lines,
        people,
        "%d entries of %s, in order, each signed and permitted by %s; the Merkle root is the signed one%s"
        % (size, origin, standing.words(), "".join("; " + one for one in standing.restores)),
    )


def check_entry(entry, bodies, people, standing, origin):
    """One entry at its place."""
    body, index = entry["body"], len(bodies)
    need(set(entry) == {"body", "signature"} and body["format"] == "minivess-entry/2", "not an audit entry")
    check_form(body)
    need(body["index"] == index, "missing: entry %s is in its place" % body["index"])
    need(body["log"] == origin, "belongs to another log")
    need(TIME.fullmatch(body["time"]), "its time is malformed")
    need(not bodies or body["time"] >= bodies[-1]["time"], "dated before the entry that precedes it")
    if index == 0:
        need(body["action"] == "log.created" and body["outcome"] == "completed", "does not create the log")
        people.follow(body)
    actor = people.key(body["key"], index)
    lawful = actor["id"] != "log" or body["action"] in {"identity.unlock-failed", "identity.locked", "identity.refused"}
    need(lawful or standing.table, "the log itself may not sign this")
    need(actor["id"] == body["actor"], "the key is that of %s, not of %s" % (actor["id"], body["actor"]))
    holds = signed_by(actor["signing_key"], canonical(body), entry["signature"])
    need(holds, "changed, or not signed by " + body["actor"])
    standing.admit(body, people, actor)
    if index:
        people.follow(body)


def is_text(value, pattern):
    """Whether a value is a string of a form."""
    return isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) is not None


def check_form(body):
    """The fields of an entry, its circumstances, and what it read and made."""
    context, words = body["context"], "not an audit entry: see its "
    need(set(body) == BODY, words + "fields")
    need(body["outcome"] in {"started", "completed", "failed", "refused"}, words + "outcome")
    need(
        is_text(body["action"], r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*") and len(body["action"]) <= 64, words + "action"
    )
    need(body["details"] is None or is_text(body["details"], DIGEST), words + "details")
    need(isinstance(body["payload"], dict), words + "payload")
    need(set(context) == {"git_dirty", "seed", *CONTEXT}, words + "context")
    wrong = [name for name, form in CONTEXT.items() if context[name] is not None and not is_text(context[name], form)]
    wrong += [] if context["git_dirty"] is None or isinstance(context["git_dirty"], bool) else ["git_dirty"]
    seed = context["seed"]
    wrong += [] if seed is None or (type(seed) is int and abs(seed) < 1 << 53) else ["seed"]
    need(not wrong, words + "context." + "".join(wrong[:1]))
    for side in ("inputs", "outputs"):
        need(isinstance(body[side], list), words + side)
        for one in body[side]:
            named = isinstance(one, dict) and set(one) == {"name", "digest"} and is_text(one["digest"], DIGEST)
            need(named and is_text(one["name"], r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}"), words + side)


def check_details(lines, bodies, erased):
    """Each entry's details are those it commits to, or were erased by a later entry; payloads have their action's fields."""
    need(lines.pop() == b"" and len(lines) == len(bodies), "data/audit/details.jsonl is cut off or too long")
    for index, body in enumerate(bodies):
        line, where = lines[index], "the details of entry %d are " % index
        if line == b"null":
            need(index in erased or not body["details"], where + "changed or missing")
            check_payload(body, None)
            continue
        need("sha256:" + hashlib.sha256(line).hexdigest() == body["details"], where + "changed or missing")
        told = parse(line, "the details of entry %d" % index)
        held = isinstance(told, dict) and set(told) == {"error", "payload", "salt"}
        held = held and isinstance(told["payload"], dict) and is_text(told["salt"], "[A-Za-z0-9+/]{21}[AQgw]==")
        need(held and (told["error"] is None or is_text(told["error"], SHORT)), where + "malformed")
        check_payload(body, told["payload"])


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
    if not payload and body["outcome"] != "completed":
        return
    every = {name.rstrip("?") for name in names.split()}
    least = {name for name in names.split() if not name.endswith("?")}
    need(least <= set(payload) <= every, "entry %d: the payload of %s has other fields" % (index, action))


def check_proofs(files, lines, people, trusted):
    """Each .tlog-proof leads from its entry to a signed checkpoint (RFC 9162 section 2.1.3.2)."""
    names = [name for name in sorted(files) if name.startswith("data/audit/proofs/")]
    need(names, "there are no inclusion proofs")
    checkpoint, leaves = files["data/audit/checkpoint.txt"], [leaf(line) for line in lines]
    origin = read_note(checkpoint)[1]
    for name in names:
        head, _, note = files[name].decode("utf-8").partition("\n\n")
        first, second, *path = head.split("\n")
        index = int(second.replace("index ", "", 1))
        expected = "data/audit/proofs/%d.tlog-proof" % index
        need(
            first == "c2sp.org/tlog-proof@v1" and second == "index %d" % index and name == expected,
            name + " is malformed",
        )
        note = note.encode("utf-8")
        again = note != checkpoint  # that one was judged with the log
        size, root = believe(note, trusted, people, origin, leaves) if again else read_note(note)[2:4]
        need(0 <= index < min(size, len(lines)), name + " is for no entry of this log")
        place, last, value = index, size - 1, leaf(lines[index])
        for item in path:
            sibling = unbase64(item)
            need(last, name + " is too long")
            if place & 1 or place == last:
                value = node(sibling, value)
                while not place & 1 and place:
                    place, last = place >> 1, last >> 1
            else:
                value = node(value, sibling)
            place, last = place >> 1, last >> 1
        need(last == 0 and value == root, name + " does not hold")
    return "%d inclusion proofs lead to a signed checkpoint" % len(names)


# ---------------------------------------------------------------- what was done


def check_provenance(files, bodies):
    """Every result is the recorded output of a completed action; every recorded run has its lineage event."""
    made = {item["digest"] for body in bodies if body["outcome"] == "completed" for item in body["outputs"]}
    results = [name for name in sorted(files) if name.startswith(MADE) and name not in {ODOMETER, EVENTS}]
    for name in results:
        need("sha256:" + hashlib.sha256(files[name]).hexdigest() in made, name + " has no entry in the log")
    runs = {json.loads(line)["run"]["runId"] for line in files.get(EVENTS, b"").splitlines()}
    for body in bodies:
        run = body["context"]["openlineage_run"]
        need(run is None or run in runs, "entry %d has no event in %s" % (body["index"], EVENTS))
    return "%d results, each the recorded output of an action" % len(results)


def check_openings(files, bodies, people):
    """Under the rules of 0.1.0, criteria, request and another person's approval stand before each opening.

    Later entries were judged one by one, by `Standing`. The pack states as many looks as the log holds.
    """
    plans, requests, approved, opened = {}, {}, set(), []
    standing = people.standing
    for body in bodies[: standing.adopted]:
        action, payload, where = body["action"], body["payload"], "entry %d: " % body["index"]
        if body["outcome"] != "completed":
            continue
        if action == "criteria.register":
            if payload.get("plan"):
                plans["sha256:" + hashlib.sha256(canonical(payload["plan"])).hexdigest()] = payload["plan"]["looks"]
        elif action == "test-set.request":
            asked = payload["request"]
            fine = asked["id"] not in requests and asked["requester"] == body["actor"]
            need(fine, where + "asks a second time or for another person")
            need(asked["plan"] in plans, where + "asks under an analysis plan that was not registered before")
            requests[asked["id"]] = asked
        elif action == "test-set.approve":
            approved.add(check_grant(payload["grant"], requests, people, body["index"]))
        elif action == "test-set.open":
            name = payload["request"]
            need(name in requests and name in approved, where + "opens the test set without another person's approval")
            need(name not in opened, where + "opens the test set a second time on one approval")
            need(body["actor"] == requests[name]["requester"], where + "opens what was granted to another person")
            need(body["time"] <= requests[name]["expires"], where + "opens the test set after the request had expired")
            fits = body["context"]["model"] in {None, requests[name]["model"]}
            need(fits, where + "opens the test set for another model")
            opened.append(name)
            check_looks(where, requests[name], [requests[one] for one in opened], plans)
        elif action == "evaluation":
            need(payload["request"] in opened, where + "evaluates on the test set without having opened it")
    stated = json.loads(files[ODOMETER])
    looks = len(standing.looks)
    fine = stated == {"openings": looks} and not isinstance(stated["openings"], bool)
    need(fine, "%s does not state the %d look(s) that the log holds" % (ODOMETER, looks))
    return "%d look(s) at the test set, each after criteria, request and another person's approval" % looks


def attestations(bodies, lines, trusted):
    """Checkpoints of this log that trusted witnesses saw: index of the entry, size, time at the latest, by whom.

    A token of a time authority is beyond the standard library; `minivess release verify` checks it.
    """
    found, leaves = [], [leaf(line) for line in lines]
    for body in bodies:
        said = body["payload"]
        if (body["action"], body["outcome"], said.get("kind")) != ("time.attested", "completed", "cosignature"):
            continue
        try:
            note = said["note"].encode("utf-8")
            _, origin, size, root, _ = read_note(note)
            need((origin, size) == (body["log"], said["size"]) and 0 < size <= body["index"], "of another log")
            need(root == merkle_root(leaves[:size]), "of another history")
            seen = vouching_for(note, trusted)
            need(seen and vouches(trusted["quorum"], trusted, seen), "too few witnesses")
        except (WrongError, KeyError, TypeError):
            continue
        names = ", ".join(sorted(trusted["witnesses"][place][0] for place in seen))
        moment = datetime.datetime.fromtimestamp(max(seen.values()), datetime.UTC)
        found.append((body["index"], size, moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), names))
    return found


def look_times(bodies, lines, people, trusted):
    """Of each look, which phases others saw before the next one, and which have the machine's own time."""
    standing, words = people.standing, []
    seen = attestations(bodies, lines, trusted) if trusted and trusted["witnesses"] else []

    def phase(name, index, before):
        for entry, size, time, names in seen:
            if size > index and entry < before:
                return "%s: attested by %s, %s at the latest" % (name, names, time)
        return "%s: the machine's own time, %s" % (name, bodies[index]["time"])

    numbers = {}
    for name in standing.looks:
        if name in standing.requests:
            request, places = standing.requests[name][1], standing.places
            asked, look = places["request", name], places["look", name]
            numbers[request["data"]] = numbers.get(request["data"], 0) + 1
            fixed = max(
                places.get(("criteria", request["criteria"]), asked), places.get(("plan", request["plan"]), asked)
            )
            end = places.get(("result", name), len(bodies))
            phases = phase("criteria", fixed, asked), phase("approval", look, end)
            words.append("look %d (%s): %s" % (numbers[request["data"]], name, "; ".join(phases)))
    return ". ".join(words) or "there was no look at the test set"


def check_looks(where, granted, opened, plans):
    """No more looks at one test set than the plan of the newest allows."""
    same = [one["release"] for one in opened if one["data"] == granted["data"]]
    allowed = plans[granted["plan"]]
    fine = same.count(granted["release"]) <= allowed["per_release"] and len(same) <= allowed["total"]
    need(fine, where + "is one look at the test set more than its analysis plan allows")


def check_grant(grant, requests, people, index):
    """An approval by somebody else over the digest of the very request."""
    where = "entry %d: " % index
    asked = requests.get(grant["request"])
    need(asked, where + "approves what was not requested before")
    said = open_envelope(grant["envelope"], people, index)
    need(said["signer"] == grant["approver"] != asked["requester"], where + "not approved by another person")
    digest = "sha256:" + hashlib.sha256(canonical(asked)).hexdigest()
    need(digest in [item["digest"] for item in said["subjects"]], where + "approves another request")
    return grant["request"]


def open_envelope(envelope, people, index):
    """What a person signed: DSSE v1 around an in-toto Statement v1 around their manifestation."""
    need(len(envelope["signatures"]) == 1, "an envelope without exactly one signature")
    kind, payload, seal = envelope["payloadType"], unbase64(envelope["payload"]), envelope["signatures"][0]
    need(kind == "application/vnd.in-toto+json", "an envelope of another type")
    identity = people.key(seal["keyid"], index)
    encoded = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode("ascii"), len(payload), payload)
    need(signed_by(identity["signing_key"], encoded, seal["sig"]), "the signature of %s is wrong" % identity["id"])
    statement = parse(payload, "the statement of " + identity["id"])
    said = statement["predicate"]
    subjects = [{"name": item["name"], "digest": "sha256:" + item["digest"]["sha256"]} for item in statement["subject"]]
    stated = (statement["_type"], statement["predicateType"], subjects)
    need(
        stated == ("https://in-toto.io/Statement/v1", APPROVAL, said["subjects"]), "a statement that contradicts itself"
    )
    same = [said["signer"], said["printed_name"], said["demo"]] == [
        identity["id"],
        identity["name"],
        identity.get("demo", False),
    ]
    need(same, "an approval in another person's name")
    need(identity["kind"] == "person" and said["role"] in identity["roles"], identity["id"] + " does not hold the role")
    return said


def check_signatures(files, people, trusted):
    """The release policy is met by distinct people who signed this very tag manifest."""
    names = [name for name in sorted(files) if name.startswith("signatures/") and name.endswith(".json")]
    need(names, "the pack is not signed")
    policy = json.loads(files[POLICY])["policy"]
    need(len(policy["rules"]) >= 2, POLICY + " asks for fewer than two signatures; a release needs two people")
    subject = [{"name": TAG, "digest": "sha256:" + hashlib.sha256(files[TAG]).hexdigest()}]
    signers, offered, words = set(), [], []
    for name in names:
        said = open_envelope(parse(files[name], name), people, people.size)
        who = said["signer"]
        need(who not in signers, who + " signed twice; each signature needs another person")
        need(name == "signatures/%s.dsse.json" % who, name + " holds the signature of " + who)
        need(said["policy"] == policy["name"] and said["subjects"] == subject, who + " signed something else")
        need(said["head"] >= people.size, who + " signed on an older log than the one in the pack")
        need(people.demo or not said["demo"], who + " signed with demo keys")
        identity = people.key(parse(files[name], name)["signatures"][0]["keyid"], people.size)
        known = not trusted or signer_of(identity) in trusted["signers"]
        need(known, who + " signed, but is not among the people you trust with this key and these roles")
        signers.add(who)
        offered.append((said["role"], said["meaning"]))
        words.append("%s (%s, %s)" % (said["printed_name"], said["role"], said["meaning"]))
    for rules in (policy["rules"], (trusted or {"rules": []})["rules"]):
        left = list(offered)
        for rule in rules:
            wanted = (rule["role"], rule["meaning"])
            need(wanted in left, "a signature is missing: %s by %s" % (rule["meaning"], rule["role"]))
            left.remove(wanted)
    note = ". DEMO KEYS: this proves nothing about a real device" if people.demo else ""
    return "signed by " + " and ".join(words) + check_holders(files, people) + note


def check_holders(files, people):
    """Every holder of the test set's key, who was not revoked, cosigned the pack's checkpoint."""
    standing, found = people.standing, []
    for holder in standing.sealed.get(standing.judged, []):
        valid = [item for item in people.by_key.values() if item[0]["id"] == holder and item[2] is None]
        if not valid:
            continue
        need(holder in standing.witnesses, "the log does not know with which key %s cosigns" % holder)
        name, raw = standing.witnesses[holder]
        note, file = files["data/audit/checkpoint.txt"], "signatures/%s.cosignature" % holder
        if note_key(name, 4, raw) not in read_note(note)[4]:
            need(file in files, holder + " has not cosigned the pack's checkpoint")
            note += files[file]
        text, _, _, _, signatures = read_note(note)
        seal = signatures.get(note_key(name, 4, raw))
        need(seal is not None and len(seal) == 72, "the cosignature of %s is not by the key the log knows" % holder)
        message = "cosignature/v1\ntime %d\n%s" % (int.from_bytes(seal[:8], "big"), text)
        holds = int.from_bytes(seal[:8], "big") and ed25519_holds(raw, message.encode("utf-8"), seal[8:])
        need(holds, "the cosignature of %s is wrong" % holder)
        found.append(holder)
    return "; the checkpoint is cosigned by " + ", ".join(found) if found else ""


def check_layout(trusted):
    """The pack has at least the layout that the trust file asks for."""
    need(trusted["layout"] <= LAYOUT, "the pack is of layout %d, and %d is asked for" % (LAYOUT, trusted["layout"]))
    return "layout %d" % LAYOUT


# ---------------------------------------------------------------- the door


def say(passed, name, words):
    """One line a check; nothing from the pack can steer the terminal."""
    clean = "".join(char if char.isprintable() else "?" for char in words)
    print("%-4s  %-18s  %s" % ("ok" if passed else "FAIL", name, clean))


def judge(target, trusted):
    """All checks in order; returns whether all hold."""
    state = {}
    held = True

    def run(name, check):
        nonlocal held
        try:
            say(True, name, check())
        except WrongError as error:
            held = False
            say(False, name, str(error))
        except KeyError as error:
            held = False
            say(False, name, "%s is missing" % error)
        except Exception as error:
            held = False
            say(False, name, "something is malformed (%s)" % type(error).__name__)

    def container():
        if target.is_dir():
            state["files"] = read_folder(target)
            return "an unpacked folder; only its files are judged, not an archive"
        need(target.stat().st_size <= LIMIT_BYTES + (1 << 26), "the archive is larger than 1 GiB")
        state["files"] = read_zip(target.read_bytes())
        return "%d files, and the archive has exactly the bytes that they require" % len(state["files"])

    def log():
        state["bodies"], state["lines"], state["people"], words = read_log(state["files"], trusted)
        return words

    run("archive", container)
    if "files" in state:
        files = state["files"]
        run("bag", lambda: check_bag(files))
        run("log", log)
        if "people" in state:
            bodies, lines, people = state["bodies"], state["lines"], state["people"]
            run("proofs", lambda: check_proofs(files, lines, people, trusted))
            run("provenance", lambda: check_provenance(files, bodies))
            run("test-set odometer", lambda: check_openings(files, bodies, people))
            run("look times", lambda: look_times(bodies, lines, people, trusted))
            run("release signatures", lambda: check_signatures(files, people, trusted))
            if trusted:
                run("layout", lambda: check_layout(trusted))
    return held


def main(arguments):
    """Parse the command line, judge, and say the verdict."""
    sys.stdout.reconfigure(errors="backslashreplace")
    parser = argparse.ArgumentParser(description="Verify an evidence pack.")
    parser.add_argument("pack", nargs="?", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("--trust", type=Path, help="trust file: keys, witnesses and people you trust")
    options = parser.parse_args(arguments)
    if not options.pack.exists():
        parser.error("%s does not exist" % options.pack)
    if (
        options.pack.is_dir()
        and not (options.pack / "bagit.txt").is_file()
        and options.pack == parser.get_default("pack")
    ):
        parser.error("name the pack: this file is not in an unpacked one")
    trusted = None
    if options.trust:
        try:
            trusted = read_trust(options.trust.read_bytes())
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, WrongError):
            parser.error("%s is not a trust file" % options.trust)
    held = judge(options.pack, trusted)
    if held and trusted and not trusted["rules"]:
        print("VERDICT: LIMITED: every check holds, but the trust file names no release rules")
        return 1
    source = "against keys you trust" if trusted else "against its own keys alone: give --trust to know who signed"
    print("VERDICT: the pack " + ("HOLDS " + source if held else "DOES NOT HOLD"))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
