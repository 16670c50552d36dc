#!/usr/bin/env python3
"""Verify a MiniVess evidence pack with nothing but Python (3.9 or newer) and this file.

    python verify.py PACK.zip [--trust trust.json] [--allow-layout 1]
    python verify.py FOLDER   [--trust trust.json]
    python verify.py                               from inside an unpacked pack

It shares no code with the program that made the pack. It prints one line a check, which keys were used, and a verdict:
VERIFIED (exit code 0), NOT VERIFIED (a check failed), LIMITED (something was not checked) or NOT RELEASABLE (the source
tree had changes), with exit code 1; exit code 2: it was asked wrongly. Without `--trust` the pack is measured against keys
that it brings along itself: that shows that it is whole, not who made it. Take `trust.json` (`minivess audit trust`), and
best this file too, from somewhere else than the pack. VERIFY.md says how to do the same by hand.

Standards: BagIt (RFC 8493), canonical JSON (RFC 8785), Merkle trees (RFC 6962), C2SP signed notes, checkpoints,
cosignatures, policies and tlog-proofs, Ed25519 (RFC 8032), ECDSA P-256 (FIPS 186-5), DSSE v1 and in-toto Statement v1.
"""

# ruff: noqa: UP031  percent formatting reads the same in every Python this must run on
from __future__ import annotations

import argparse
import base64
import contextlib
import csv
import datetime
import decimal
import functools
import hashlib
import io
import itertools
import json
import math
import operator
import random
import re
import struct
import sys
import unicodedata
import zlib
from pathlib import Path

TAG, LIST, ODOMETER, RECORD, EVENTS, CHECKPOINT, PAGE, POLICY, GATES, TEXT, RISKS, RESULTS, SBOM, SOUP = (
    "tagmanifest-sha512.txt",
    "signatures/SIGNATURES.txt",
    "data/evaluation/odometer.json",
    "data/evaluation/evaluation.json",
    "data/lineage/events.jsonl",
    "data/audit/checkpoint.txt",
    "data/index.html",
    "data/release/policy.json",
    "data/release/gates.json",
    "data/signing-text.txt",
    "data/release/risks.json",
    "data/verification/results.json",
    "data/bom/sbom.cdx.json",
    "data/bom/soup.csv",
)
"""The files of a pack by which checks are made, in this order."""
LIMIT_BYTES, LIMIT_FILES, LIMIT_JSON, UTC, TAGGED, BAGIT, MADE, PARTS, SHOWN_AS = (
    1 << 30,
    20000,
    1 << 26,
    datetime.timezone.utc,  # noqa: UP017  Python 3.9
    ("bag-info.txt", "bagit.txt", "manifest-sha512.txt"),
    b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
    ("data/models/", "data/evaluation/", "data/datasets/", "data/verification/", "data/lineage/"),
    ("python", "openssl", "sqlite", "operating-system", "cuda"),
    (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("'", "&#39;"), ('"', "&#34;")),
)
"""The most bytes and files of a pack, and bytes of JSON; UTC; the tag files and what one says; the folders of results; parts of
the platform; how a page shows signs."""
REASONS = (
    "no repository",
    "no commit",
    "uncommitted changes",
    "submodule not at its recorded commit",
    "nested repository",
    "link out of the tree",
    "changes hidden from git",
    "loaded files without an origin",
)
"""Why nothing may be released from a source tree, in this order."""
SIGNATURE, COMPONENT, PROBABILITY, UNSHOWN, LABEL = (
    re.compile(text, re.ASCII)
    for text in (
        r"signatures/([A-Za-z0-9][A-Za-z0-9._-]{0,63})\.(dsse\.json|cosignature|tlog-proof)",
        r"[A-Za-z0-9_@+=(),. -]{1,120}",
        r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,9})?",
        "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]",
        "([A-Za-z0-9-]{1,80}): ([^\r\ufffd]*)",
    )
)
"""The name of a file of signatures; a part of a file's name; a probability; signs that change how a line reads; a label."""
LEAST_RULES = [
    {"role": "independent-reviewer", "meaning": "review"},
    {"role": "release-manager", "meaning": "approval"},
]

class WrongError(Exception):
    """Something does not hold; the message says what, in words."""

def need(condition, message, *values):  # fail with a message, which takes the values, unless the condition holds
    if not condition:
        raise WrongError(message % values if values else message)

@contextlib.contextmanager
def naming(where, words="", *errors):  # the place before what does not hold inside; where one of these errors is raised, words
    try:
        yield
    except WrongError as error:
        raise WrongError("%s: %s" % (where, error)) from None
    except errors:
        raise WrongError(where + words) from None

def unbase64(text):  # decode base64, accepting one spelling only
    with naming("not valid base64", "", ValueError):
        data = base64.b64decode(text.encode("ascii"), validate=True)
    need(base64.b64encode(data).decode("ascii") == text, "base64 with stray bits")
    return data

def utf8(data, name):  # the text of a file
    with naming(name, " is not UTF-8 text", UnicodeDecodeError):
        return data.decode()

def grouped(pairs):  # a list of the values of each key, in the order of both
    held = {}
    for key, value in pairs:
        held.setdefault(key, []).append(value)
    return held

def sha256(data):  # the digest of bytes, as the log and the records write it
    return "sha256:" + hashlib.sha256(data).hexdigest()

def plain_text(text):  # a text that cannot steer a terminal
    return "".join(char if char.isprintable() else "?" for char in text)

# ---------------------------------------------------------------- the container

def good_name(name):  # whether a name is relative, plain ASCII and free of steps upwards
    parts = name.split("/")
    plain = all(COMPONENT.fullmatch(part) and part[-1] not in ". " and part[0] != " " for part in parts)
    return len(name) <= 240 and plain and not {".", ".."} & set(parts)

def read_zip(data):  # files of a zip, whose every byte must be the one that its files require
    need(data[:4] == b"PK\3\4", "this is not a zip archive")
    files, directory, offset, previous = {}, [], 0, ""
    while data[offset : offset + 4] == b"PK\3\4":
        near = "after " + previous if previous else "at its start"
        need(offset + 30 <= len(data), "the archive is cut off " + near)
        size, length = struct.unpack_from("<18xL4xH", data, offset)
        raw, start = data[offset + 30 : offset + 30 + length], offset + 30 + length
        need(raw.isascii() and good_name(raw.decode("ascii")), "the archive is changed " + near)
        name, content = raw.decode("ascii"), data[start : start + size]
        need(name > previous, "the archive is changed: " + name + " occurs twice or out of order")
        need(len(content) == size, "the archive is changed or cut off in " + name)
        fields = (zlib.crc32(content), size, size, len(raw), 0)  # of a stored file of 1980-01-01
        local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 33, *fields) + raw
        need(data[offset:start] == local, name + " is changed or not stored as it is: bytes or header differ")
        files[name] = content
        need(len(files) <= LIMIT_FILES, "too many files")
        central = (b"PK\1\2", 788, 20, 0, 0, 0, 33, *fields, 0, 0, 0, 0o100644 << 16, offset)
        directory.append(struct.pack("<4s6H3L5H2L", *central) + raw)
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

def read_lines(files, name):  # the lines of a file, each without its end
    lines = files[name].split(b"\n")
    need(lines.pop() == b"", name + " is cut off: its last line has no end")
    return lines

def read_manifest(files, name):  # digest by file name
    found = {}
    for number, line in enumerate(read_lines(files, name), start=1):
        match = re.fullmatch("([0-9a-f]{128})  ([ -~]+)", line.decode("latin-1"))
        need(match and match[2] not in found, "%s:%d is changed", name, number)
        found[match[2]] = match[1]
    return found

# ---------------------------------------------------------------- canonical JSON (RFC 8785)

def number_text(value):  # a number as ECMAScript writes it (RFC 8785 section 3.2.2.3)
    if isinstance(value, int):
        need(abs(value) < 1 << 53, "an integer beyond 2^53")
        return str(value)
    need(value == value and abs(value) != float("inf"), "a number that is not finite")  # noqa: PLR0124
    shortest, plain = decimal.Decimal(repr(value)).normalize(), 1e-6 <= abs(value) < 1e21
    return format(shortest, "f" if plain else "e") if value else "0"

PLAIN = json.JSONEncoder(ensure_ascii=False)

def canonical_text(value):  # canonical JSON text of a parsed value
    if value is None or isinstance(value, (bool, str)):
        return PLAIN.encode(value)
    if isinstance(value, (int, float)):
        return number_text(value)
    if isinstance(value, list):
        return "[" + ",".join(map(canonical_text, value)) + "]"
    keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
    return "{" + ",".join(canonical_text(key) + ":" + canonical_text(value[key]) for key in keys) + "}"

def canonical(value):  # canonical JSON bytes
    return canonical_text(value).encode()

def digest_of(value):  # the digest of a value's canonical JSON
    return sha256(canonical(value))

def unique(pairs):  # the fields of an object, none twice
    fields = dict(pairs)
    need(len(fields) == len(pairs), "a field is there twice")
    return fields

def whole_number(text):  # an integer; beyond 2^53 the double that RFC 8785 takes it for
    return int(text) if abs(float(text)) < 1 << 53 else float(text)

def deep(value, left):  # whether something is nested deeper than so many levels
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not left or any(deep(one, left - 1) for one in inner)

READER = json.JSONDecoder(object_pairs_hook=unique, parse_int=whole_number, parse_constant=functools.partial(need, False))

def read_json(data, what, strict=False):  # JSON in UTF-8 without a field twice; strict: in canonical form
    need(len(data) <= LIMIT_JSON, what + " is larger than 64 MiB")
    with naming(what, " is not JSON", ValueError, RecursionError):
        value = READER.decode(data.decode())
        same = not strict or canonical(value) == data
    need(not deep(value, 32), what + " nests deeper than 32 levels")
    need(same, what + " is not in canonical form")
    return value

parse = functools.partial(read_json, strict=True)

# ---------------------------------------------------------------- signatures

P25519, L25519, D25519, BASE = (
    2**255 - 19,
    2**252 + 27742317777372353535851937790883648493,
    0x52036CEE2B6FFE738CC740797779E89800700A4D4141D8AB75EB4DCA135978A3,
    bytes([0x58] + [0x66] * 31),
)
"""Of edwards25519 (RFC 8032 section 5.1): its prime, its order, d, and its generator as 32 bytes."""

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
def multiples(point, zero, add):  # 0 to 15 times 16**i times a point, for each i; kept, for few keys sign many entries
    rows = []
    for _ in range(64):
        rows.append(list(itertools.accumulate([point] * 15, add, initial=zero)))
        point = add(rows[-1][-1], point)
    return rows

def both(a, p, b, q, zero, add):  # noqa: PLR0917  a*p + b*q below 2**256, by an addition for each hexadecimal digit
    terms = []
    for number, point in ((a, p), (b, q)):
        terms += [row[number >> 4 * place & 15] for place, row in enumerate(multiples(point, zero, add))]
    return functools.reduce(add, terms, zero)

def ed25519_holds(key, data, signature):  # RFC 8032 section 5.1.7, without cofactor, as OpenSSL does it
    scalar = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or scalar >= L25519:
        return False
    point = edwards_point(key)
    minus = (P25519 - point[0], point[1], 1, P25519 - point[3])
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + key + data).digest(), "little") % L25519
    x, y, z, _ = both(scalar, edwards_point(BASE), challenge, minus, (0, 1, 1, 0), edwards_add)
    x, y = x * pow(z, -1, P25519) % P25519, y * pow(z, -1, P25519) % P25519
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]

P256, N256, B256, G256 = (
    2**256 - 2**224 + 2**192 + 2**96 - 1,
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    (
        0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
        1,
    ),
)
"""Of the curve P-256 (SP 800-186 section 3.2.1.3): its prime, its order, b, and its generator in projective coordinates."""

def p256_add(p, q):  # sum of two points (complete, a = -3: Renes, Costello and Batina 2016, in projective coordinates)
    xx, yy, zz = p[0] * q[0], p[1] * q[1], p[2] * q[2]
    xy, xz, yz = p[0] * q[1] + p[1] * q[0], p[0] * q[2] + p[2] * q[0], p[1] * q[2] + p[2] * q[1]
    c = 3 * (B256 * zz - xz) % P256
    d = 3 * (B256 * xz - xx - 3 * zz) % P256
    e, f, g = 3 * (xx - zz), yy - c, yy + c
    return ((xy * f - yz * d) % P256, (e * d + f * g) % P256, (yz * g + xy * e) % P256)

def p256_holds(key, data, signature):  # FIPS 186-5 section 6.4.2 with SHA-256; the larger of two possible s is refused
    x, y = int.from_bytes(key[:32], "big"), int.from_bytes(key[32:], "big")
    need(x < P256 and y < P256 and (y * y - x * x * x + 3 * x - B256) % P256 == 0, "a key that is not on P-256")
    if not 8 <= len(signature) <= 72:
        return False
    end = 4 + signature[3]  # of r; the one canonical DER spelling is 48, length, 2, length, r, 2, length, s
    r, s = int.from_bytes(signature[4:end], "big"), int.from_bytes(signature[end + 2 :], "big")
    body = b"".join(bytes((2, len(part))) + part for part in [n.to_bytes(n.bit_length() // 8 + 1, "big") for n in (r, s)])
    if bytes((48, len(body))) + body != signature or not 0 < r < N256 or not 0 < s <= N256 // 2:
        return False
    inverse = pow(s, -1, N256)
    digest = int.from_bytes(hashlib.sha256(data).digest(), "big")
    point = both(digest * inverse % N256, G256, r * inverse % N256, (x, y, 1), (0, 1, 0), p256_add)
    return point[2] != 0 and point[0] * pow(point[2], -1, P256) % P256 % N256 == r

PREFIXES = {
    "ed25519": (bytes.fromhex("302a300506032b6570032100"), 44, ed25519_holds),
    "ecdsa-p256-sha256": (bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004"), 91, p256_holds),
    "x25519": (bytes.fromhex("302a300506032b656e032100"), 44, None),
}

def raw_key(public):  # raw bytes of a public key record, whose id is the SHA-256 of its SubjectPublicKeyInfo
    der = unbase64(public["spki"])
    need(hashlib.sha256(der).hexdigest() == public["key_id"], "a key without the id it claims")
    prefix, length, _ = PREFIXES[public["algorithm"]]
    need(der.startswith(prefix) and len(der) == length, "a key of another kind than it claims")
    return der[len(prefix) :]

def signed_by(public, data, signature):  # whether a base64 signature is that of a public key record over data
    holds = PREFIXES[public["algorithm"]][2]
    need(holds, "a key of X25519 signs nothing")
    return holds(raw_key(public), data, unbase64(signature))

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

def fork(size):  # where RFC 6962 divides a tree: the largest power of two below its size
    return 1 << (size - 1).bit_length() - 1

def root_from(value, index, size, path):  # the root to which an audit path leads from a leaf (RFC 6962 section 2.1.1)
    if size == 1:
        return value
    need(path, "the inclusion proof is too short")
    other, left = path.pop(), fork(size)
    if index < left:
        return node(root_from(value, index, left, path), other)
    return node(other, root_from(value, index - left, size - left, path))

def both_roots(first, second, old, proof, whole=True):  # of a consistency proof (RFC 6962 section 2.1.2)
    if first == second and whole:
        return old, old
    need(proof, "the consistency proof is too short")
    other = proof.pop()
    if first == second:
        return other, other
    left = fork(second)
    if first <= left:
        one, two = both_roots(first, left, old, proof, whole)
        return one, node(two, other)
    return [node(other, root) for root in both_roots(first - left, second - left, old, proof, False)]

def continues(first, second, proof, old, new):  # whether a consistency proof leads from an older to a newer tree
    left = list(proof)
    with contextlib.suppress(WrongError):
        return 0 < first < second and [*both_roots(first, second, old, left)] == [old, new] and not left
    return False

def size_of(text):  # a size: decimal digits, no leading zero, at most 2^63 - 1
    need(re.fullmatch("0|[1-9][0-9]{0,18}", text, re.ASCII) and int(text) < 1 << 63, "a malformed size")
    return int(text)

KEY_NAME = r"[^\s+\x00-\x1f\ud800-\udfff]+"
"""What names a key: at least one character, no Unicode space, no plus sign."""
NOTE = re.compile("((.{1,200})\n(.+)\n(.{44})\n)\n((?:\u2014 %s \\S+\n){1,64})" % KEY_NAME)

def read_note(data):  # text, origin, size, root and signatures of a C2SP checkpoint; not to be believed yet
    need(len(data) <= 1 << 18, "the checkpoint is longer than 256 KiB")
    match, signatures = NOTE.fullmatch(data.decode("utf-8", "surrogateescape")), {}
    need(match, "the checkpoint is malformed")
    text, origin, size, root, tail = match.groups()
    plain = re.fullmatch(KEY_NAME, origin) and not re.search("[\x7f-\x9f]", origin)
    size, root = size_of(size), unbase64(root)
    need(plain and len(root) == 32, "the checkpoint is malformed")
    for line in tail[:-1].split("\n"):
        _, name, blob = line.split(" ")
        blob = unbase64(blob)
        need(len(blob) > 4, "a signature of the checkpoint is too short")
        need((name, blob[:4]) not in signatures, "the checkpoint has two signatures of one key")
        signatures[name, blob[:4]] = blob[4:]
    return text, origin, size, root, signatures

def note_key(name, kind, raw):  # how a signature line names a key: its name, and the start of SHA-256(name, type, key)
    return name, hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + raw).digest()[:4]

def check_note(data, keys):  # origin, size, root of a checkpoint that one of these raw keys signed, and none wrongly
    text, origin, size, root, signatures = read_note(data)
    held = [(raw, signatures.get(note_key(origin, 1, raw))) for raw in keys]
    need(any(seal for _, seal in held), "the checkpoint is not signed by a log key that counts")
    for raw, seal in held:
        need(seal is None or ed25519_holds(raw, text.encode(), seal), "the signature on the checkpoint is wrong")
    need(size or root == hashlib.sha256(b"").digest(), "the checkpoint has entries and says that it has none")
    return origin, size, root

def cosigned(data, name, raw):  # when a witness vouched for the checkpoint (C2SP cosignature/v1); None: it did not
    text, _, _, _, signatures = read_note(data)
    seal = signatures.get(note_key(name, 4, raw))
    if seal is None:
        return None
    moment = int.from_bytes(seal[:8], "big")
    message = "cosignature/v1\ntime %d\n%s" % (moment, text)
    holds = len(seal) == 72 and 0 < moment < 1 << 63 and ed25519_holds(raw, message.encode(), seal[8:])
    need(holds, "the cosignature of the witness %s is wrong", name)
    return moment

def read_proof(data, name):  # index, audit path, checkpoint and extra data of a C2SP tlog-proof
    head, _, note = utf8(data, name).partition("\n\n")
    first, *lines = head.split("\n")
    extra = unbase64(lines.pop(0)[6:]) if lines and lines[0].startswith("extra ") else None
    need(first == "c2sp.org/tlog-proof@v1" and lines and lines[0].startswith("index "), name + " is malformed")
    return size_of(lines[0][6:]), [unbase64(item) for item in lines[1:]], note.encode(), extra

def log_raw(public):  # raw bytes of the key of a log
    need(public["algorithm"] == "ed25519", "the key of a log is not Ed25519")
    return raw_key(public)

# ---------------------------------------------------------------- forms of records and payloads

FORMULAS = {
    "dice": ("dice", "tp tp", "tp tp fp fn", 1.0),
    "cldice": ("cldice", "", "predicted reference", 1.0),
    "nsd": ("nsd", "predicted_within reference_within", "predicted reference", 1.0),
    "hd95": ("hd95", "value", "", None),
    "hd95_um": ("hd95_um", "value", "", None),
    "iou": ("dice", "tp", "tp fp fn", 1.0),
    "sensitivity": ("dice", "tp", "tp fn", None),
    "specificity": ("dice", "tn", "tn fp", None),
    "ppv": ("dice", "tp", "tp fp", None),
    "volume_error": ("dice", "fp -fn", "tp fn", None),
    "hd": ("distances", "hd", "", None),
    "assd": ("distances", "assd", "", None),
    "masd": ("distances", "masd", "", None),
    "boundary_iou": ("boundary_iou", "both", "predicted reference -both", 1.0),
    "skeleton_precision": ("cldice", "predicted_inside", "predicted", None),
    "skeleton_recall": ("cldice", "reference_inside", "reference", None),
    "betti0_error": ("topology", "predicted_components -reference_components", "", None),
    "betti1_error": ("topology", "predicted_tunnels -reference_tunnels", "", None),
    "object_f1": ("objects", "tp tp", "tp tp fp fn", 1.0),
    "branch_error": ("network", "predicted_branches -reference_branches", "reference_branches", None),
    "length_error": ("network", "predicted_length -reference_length", "reference_length", None),
    "radius_error": ("network", "predicted_radius -reference_radius", "reference_radius", None),
}
"""By measure: where a case has its counts, and which counts are added up (`-`: subtracted) above and below the line; then the
value where the sum below is 0 (None: undefined). Nothing below: it is not divided. `tn` is the rest of the voxels. `measure` has
two exceptions."""
HELD = {
    "cldice": ("predicted_inside predicted reference_inside reference", "predicted", "reference"),
    "nsd": ("predicted_within predicted reference_within reference", "predicted", "reference"),
    "boundary_iou": ("both predicted both reference", "predicted", "reference"),
    "objects": ("", "tp fp", "tp fn"),
    "topology": (
        "",
        "predicted_components|predicted_tunnels predicted_cavities",
        "reference_components|reference_tunnels reference_cavities",
    ),
    "network": (
        "",
        "predicted_branches|predicted_length|predicted_radius",
        "reference_branches|reference_length|reference_radius",
    ),
}
"""By counts: pairs of a part and its whole; then for prediction and reference what a mask has if and only if it has a voxel, and
at most one for each voxel, what is 0 without a voxel, and what is undefined if and only if there is none."""
LOSSES, SCORES = (
    ("brier", "nll"),
    ("brier", "nll", "ace", "average_precision", "border_brier", "border_nll", "border_ace", "border_average_precision"),
)
"""The scores of a case that are sums over voxels; and all: over all voxels, and along the border of the reference."""

def check_time(text):  # a moment in UTC with microseconds, which the calendar has
    with naming("a time that no calendar has", "", ValueError):
        return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")  # noqa: DTZ007  it is in UTC

def check_note_text(text):  # a checkpoint in a record
    read_note(text.encode())

def check_gate(gate):  # it has the form of its kind
    fit(gate, "gate %s" % gate.get("kind"), "a gate")

def check_sentences(held):  # one for each measure
    fit_field([*held], "*", "measure", "it")
    fit_field(held, "+", "short", "it")

def check_shares(held):  # values by name, some of which can be undefined
    fit_field([one for one in held.values() if one is not None], "*", "share", "it")

def check_bin(row):  # voxels, the sum of their probabilities in millionths, and how many the reference has
    need(len(row) == 3 and all(type(one) is int and one >= 0 for one in row), "a malformed bin")

def check_unit(plan):  # it states the unit of distances once: in fields of its own, or in names, as plans of before
    limited = plan["criteria"] + plan.get("margins", [])
    names = {*plan["conventions"], *plan.get("measures", ["hd95"]), *(one["measure"] for one in limited)}
    need(any(one <= names and not names & other for one, other in UNITS), "states the unit of distances not once")

# A field is `name`, `name=type` or `name=least whole number`; ? may be missing, ~ may be null, * is a list of such, + an
# object with values of such, ! not empty. `...?` stands for other fields, which are not read. A type is a kind of value, a
# pattern of a text, the words and limits of a number, or another type and a function that refuses some of its values.
# fmt: off
TYPES = {
    "key": ("public-key", raw_key), "log-key": ("public-key", log_raw), "note": ("text", check_note_text), "any": object,
    "policy-gate": ("object", check_gate), "one-unit": ("plan", check_unit), "sentences": ("object", check_sentences),
    "shares": ("object", check_shares), "neighbours": ("int", {6, 18, 26}.__contains__), "counts": ("list", check_bin),
    "number": ["a number that is none"],
    "positive": ["no number above 0", (operator.gt, 0)],
    "from-0": ["no number from 0 on", (operator.ge, 0)],
    "share": ["no number from 0 to 1", (operator.ge, 0), (operator.le, 1)],
    "between-0-1": ["no number between 0 and 1", (operator.gt, 0), (operator.lt, 1)],
    "above-0-to-1": ["no number above 0 up to 1", (operator.gt, 0), (operator.le, 1)],
    "overlap-share": ["no number from 0 to below 1", (operator.ge, 0), (operator.lt, 1)],
    "int": int, "bool": bool, "object": dict, "list": list, "text": r"(?s:.*)", "short": r"(?s:.{1,200})",
    "title": r"(?s:.{0,200})",
    "digest": r"sha256:[0-9a-f]{64}",
    "moment": r"[0-9-]{10}T[0-9:]{8}\.[0-9]{6}Z", "time": ("moment", check_time), "file": r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}",
    "commit": r"[0-9a-f]{40,64}", "dvc": r"md5:[0-9a-f]{32}(\.dir)?", "uuid": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "action": r"(?=.{1,64}\Z)[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*", "outcome": "started|completed|failed|refused",
    "part-kind": "|".join(PARTS), "reason": "|".join(REASONS), "method": "student-t|percentile|clopper-pearson",
    "hex": "[0-9a-f]{64}", "algorithm": "ed25519|ecdsa-p256-sha256|x25519", "holder-kind": "person|service",
    "role": "developer|independent-reviewer|release-manager|custodian|service", "mode": "released|custodian",
    "meaning": "authorship|review|approval|responsibility", "stage": "candidate|production|retired",
    "scope": "infer|read|metrics",
    "measure": "|".join(FORMULAS), "length-unit": "um|mm|px",
    "aggregate": "|".join([*FORMULAS, "dice_over_baseline", "failures", "(border_)?(brier|nll|ace|average_precision)"]),
    "statistic": "mean|lower|upper", "attestation": "ATT-[0-9]{2,5}", "witnessing": "rfc3161|cosignature",
    "link": r"(?=.{1,120}\Z)[A-Z]+-[0-9]+ [a-z_]+ [A-Za-z0-9._-]+", "paragraph": r"(?s:.{1,4000})", "risk-id": "RISK-[0-9]{2,5}",
    "salt": "[A-Za-z0-9+/]{21}[AQgw]==", "slug": "[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "severity": "note|warning|block",
    "graph-file": r"(?=.{1,80}\Z)(graphs/)?[a-z0-9][a-z0-9-]*\.onnx", "backend": "onnxruntime (fp32|int8)",
    "output-name": "logits|member_logits|disagreement|embedding", "decision-rule": "threshold|argmax",
    "in-toto": r"application/vnd\.in-toto\+json", "statement-type": r"https://in-toto\.io/Statement/v1",
    "approval-type": "urn:minivess:approval:1", "blend": "gaussian, deviation an eighth of the patch",
    "statistics": "mean of (case|group)s", "training-data": "declared|refused|unknown", "safety-class": "[ABC]",
    "counted-kind": "clauses|drafts|expiries|licences|suspects|units|vulnerabilities",
    **{name: "minivess-" + name for name in ("attested/1", "entry/2", "trust/2", "evaluation/2", "model/1")},
}
# fmt: on

def read_forms(text, usual=None):  # by name: the marks and the type of each field. `usual`: types by the name of a field
    found = {}
    for row in re.split("; |\n(?! )", text.strip()):
        name, _, fields = row.partition(": ")
        found[name] = {}
        for field, _, kind in [field.partition("=") for field in fields.split()]:
            plain = field.rstrip("?~*+!<")
            found[name][plain] = field[len(plain) :], kind or (usual or {}).get(plain, "any")
    return found

BUILT_IN, COUNTED, LAPSE, ATTESTED, NEVER_WAIVED, MARKS = (
    ("counts", "source"),
    {"approvals", "clauses", "drafts", "expiries", "licences", "suspects", "units", "vulnerabilities"},
    {"expiries"},
    {"trace", "source", "documents"},
    {"criteria", "counts", "source", "risk", "runs", "lineage", "test-set"},
    ("FAIL", "ok", "WAIVED"),
)
"""Kinds of gates that no policy leaves out; those whose offenders a tool counted; of these the one that may look at nothing;
others whose figure a tool attests; those that no waiver lets fail; and how the signing text marks a gate."""
FORMS = read_forms("""
entry: body=body signature=text; artifact: name=file digest=digest; details: error~=short payload=object salt=salt
logged: consistency*=text entry=entry
body: format=entry/2 log=text index=0 time=time actor=text key=text action=action outcome=outcome started~=0
    details~=digest payload=object context=context inputs*=artifact outputs*=artifact
context: git_commit~=commit git_dirty~=bool data~=digest dvc~=dvc model~=digest configuration~=digest environment~=digest
    device~=short mlflow_run~=short openlineage_run~=uuid seed~=-9007199254740991
trust 2: format=trust/2 policy=text roots=roots former?*=former release?=rules services?*=holder known?~=note layout?=1
trust 1: log_key=log-key people=list witnesses?~=quorum former_log_keys?~*=old-key
roots: threshold=1 keys*=holder; holder: id=text key=key; former: log=text below=1; old-key: key=log-key below=1
stage-times: reading?~=from-0 queueing?~=from-0 preprocessing?~=from-0 inference?~=from-0 postprocessing?~=from-0
    log_commit?~=from-0 encoding?~=from-0
rules: rules?*=rule signers?*=signer; rule: role=role meaning=meaning; signer: id=text key=key name=text roles*!=text
policy: policy=signatures gates=list; signatures: name=slug rules*=rule; quorum: quorum=1 witnesses=list
terms: split=digest looks=1 level=between-0-1 groups=digest unit=short lowered?*=lowered statistics?=statistics
lowered: rule=slug usual=severity severity=severity; graded: rule=slug usual=severity severity=severity reason~=short
identity: id=slug name=short kind=holder-kind roles*=role signing_key=key encryption_key~=key demo=bool
public-key: key_id=hex algorithm=algorithm spki=text; checked: document=short training=short; reviewed: link=link digest=digest
adopted: number=1 digest=digest
criterion: measure=aggregate of_class?=short statistic?=statistic at_least?~=number at_most?~=number
outcome-of: criterion=criterion value~=number met=bool; looks: per_release?=1 total?=1
plan: measures?*=measure mask?=short mask_threshold=between-0-1 conventions=conventions intervals?=short confidence?=number
    reuse?=short baseline?=short published?=short seed=int looks=looks criteria*=criterion notes?~=paragraph
    scores?=short margins?*=margin
margin: measure=measure loss=positive
conventions: tolerance?=positive unit?=length-unit tolerance_um?=positive foreground_connectivity?=neighbours
    both_empty?=short one_empty?=short of_measure?=sentences border?=short
    skeleton?=short bootstrap?=100 bootstrap_unit?=short statistics?=statistics failure_dice?~=above-0-to-1
registered: signatures=signatures gates*=policy-gate
gate metric: kind=text id=slug measure=measure of_class?=short statistic?=statistic at_least?~=number at_most?~=number
    reason?=short
gate baseline: kind=text id=slug at_least=number reason?=short; gate parity: kind=text id=slug at_most=from-0 reason?=short
gate pretraining: kind=text id=slug at_most?=0 reason?=short
start: weights=digest trained_on=trained-on fresh?*=text unused?*=text licence?~=short
trained-on: status=training-data sets?*=seen; seen: name=short accessions?*=short digests?*=digest images?~=text
gate calibration: kind=text id=slug at_most=share reason?=short; gate criteria: kind=text id=slug at_most?=0 reason?=short
gate trace: kind=text id=slug at_most?=0 reason?=short; gate risk: kind=text id=slug at_most?=0 reason?=short
gate runs: kind=text id=slug at_most?=0 reason?=short
gate test-set: kind=text id=slug at_most?=0 reason?=short; gate scenarios: kind=text id=slug at_most?=0 reason?=short
gate documents: kind=text id=slug at_most?=0 reason?=short; gate approvals: kind=text id=slug at_most?=0 reason?=short
gate clauses: kind=text id=slug standard=short at_most?=0 reason?=short; gate drafts: kind=text id=slug at_most?=0 reason?=short
gate expiries: kind=text id=slug at_most?=0 reason?=short; gate licences: kind=text id=slug at_most?=0 reason?=short
gate suspects: kind=text id=slug at_most?=0 reason?=short; gate units: kind=text id=slug at_most?=0 reason?=short
gate vulnerabilities: kind=text id=slug at_most?=0 reason?=short; gate latency: kind=text id=slug at_most=positive reason?=short
gate conformal: kind=text id=slug statistic?=statistic at_least=share reason?=short
gate witness: kind=text id=slug at_most=from-0 reason?=short
gate subgroups: kind=text id=slug measure=measure attribute=short at_most=from-0 reason?=short
gate lineage: kind=text id=slug at_most?=0 reason?=short; gate counts: kind=text id=slug at_most?=0 reason?=short
gate source: kind=text id=slug at_most?=0 reason?=short
request: model=digest calibration=digest configuration=digest plan=digest criteria=digest data=digest inputs?~=digest
    policy?~=digest id=slug requester=slug purpose=short release=slug expires=time ephemeral_key=text
grant: request=slug approver=slug wrapped_key?~=text key_digest?~=digest mode?~=mode envelope=envelope
chain: ingest=ref validation=ref split=ref seal=ref runs*!=run ensemble=ref calibration=ref export=ref criteria=ref policy=ref
    request=ref approval=ref evaluation=ref scenarios=ref drill?~=ref qualification?=ref
    looks*!=look
ref: index=0 digest=digest; run: run=ref disposition?~=ref; look: approval=ref evaluation?~=ref
tool: name=short version=short; device: name=text version=text manufacturer=text intended_use=text
    safety_class=safety-class
source: tree=digest folder=text commit~=text git_tree~=text repository~=text submodules*=submodule nested*=text links*=text
    hidden*=text changed*=text changes=0 uncommitted~=digest environment~=digest strangers=0 not_releasable*=reason
submodule: path=text commit=text found~=text clean=bool
case: case=short of_class?=short subject=short group=short counts=measures baseline=overlap conformal~=recall bins*=counts
    border_bins*=counts scores?=sums border_scores?=sums shape?*=1 spacing?*=positive attributes?+=short
    errors?=errors readers?=measures
errors: missed=missed false=false; false: depth?*=counts size*=counts components*=counts border*=counts
missed: radius*=counts depth?*=counts size*=counts components*=counts border*=counts
sums: brier=0 nll=0 bins*=counts
measures: dice=overlap cldice?=inside nsd?=within hd95?=distance hd95_um?=distance distances?=distances boundary_iou?=common
    topology?=topology objects?=overlap network?=network
distances: hd~=from-0 assd~=from-0 masd~=from-0; common: both=0 predicted=0 reference=0
topology: predicted_components=0 predicted_tunnels=0 predicted_cavities=0 reference_components=0 reference_tunnels=0
    reference_cavities=0
network: predicted_branches=0 predicted_length=from-0 predicted_radius~=from-0 reference_branches=0 reference_length=from-0
    reference_radius~=from-0
overlap: tp=0 fp=0 fn=0; recall: tp=0 fn=0
inside: predicted_inside=0 predicted=0 reference_inside=0 reference=0; distance: value~=from-0
within: predicted_within=0 predicted=0 reference_within=0 reference=0
interval: mean=number lower~=number upper~=number n=int level?=between-0-1 method?~=method groups?~=1 coverage?~=share
    beside?~=limits
limits: method=method lower=number upper=number coverage?~=share
record: format=evaluation/2 model=digest data=digest request=short threshold=number conventions=object cases*=case
    aggregates+=interval baseline=interval conformal_recall~=interval ece=number band_ece=number best=short worst=short look=1
    looks~=1 measured?*=measure classes?+=figures
figures: aggregates+=interval baseline=interval conformal_recall~=interval ece=number band_ece=number
export: onnx=digest opset=int input_shape*=int max_abs_difference=number tolerance=number flipped_voxels=int
    tested_patches=int seconds_torch=number seconds_onnx=number task?=object preprocessing?=object model?=contract
contract: format=model/1 graphs*!=graph rule=short tiling=tiling calibrator=calibrator decision=decision conformal=conformal
    intended_use=object licences=licences backend=backend backends*!=measured
graph: file=graph-file digest=digest quantised?=quantised network=short patch*=1 members=1 preprocessing=object
    preprocessing_digest=digest outputs*!=graph-output
quantised: file=graph-file digest=digest; graph-output: name=output-name axes=short; tiling: overlap=overlap-share blending=blend
calibrator: method=short parameter=positive inside=bool; decision: rule=decision-rule threshold~=share
conformal: target_recall=between-0-1 thresholds=shares; licences: code=short weights=short data=short
measured: name=backend certified=bool reason=short seconds=positive seconds_eager=positive speed=positive threads=1
    parity=parity
parity: cases*!=text voxels=1 max_probability_difference=from-0 flipped_voxels=0 measures+=from-0
sealed: split=digest files*=sealed-file wrapped_keys=object salt?=text sources?*=sealed-source root=digest
sealed-file: case=slug kind=text commitment=digest sealed=digest size=0 session?=0
sealed-source: case=slug kind=text digest=digest size=0
envelope: payloadType=in-toto payload=text signatures*=seal; seal: keyid=text sig=text; sha256: sha256=text
statement: _type=statement-type subject*=subject predicateType=approval-type predicate=approval; subject: name=text digest=sha256
approval: signer=slug printed_name=short time=time meaning=meaning role=role policy=slug subjects*=artifact shown=digest head=0
    demo=bool
test-set.open: request=slug
run-part: first_step=1 last_step=0 where=circumstances seconds=number entry?~=int
circumstances: device=short processes?=1 threads=1 memory_format=short torch=short not_repeatable?*=short
class-share: name=short foreground_fraction=number conformal=bool
shadow-class: name=short images=1 mean_dice=between-0-1 least_dice=between-0-1
attested: format=attested/1 tool=tool tree=digest gaps*<=gap justified*<=justified open_clauses*<=text anomalies*<=anomaly
    missing_chapters?*<=text counted?*<=counted approvable?*<=approvable
    conditions?*=condition reviews?*=review-count; condition: id=text text=short; review-count: signed=0 links=0
counted: about=title kind=counted-kind of=0 offenders*<=text source?=short; approvable: digest=digest subject=short
gap: kind=text item=text message=text; justified: kind=text item=text message=text remark=text
anomaly: id=text title=text; gate: id=text kind=text basis=text passed=bool value~=text comparison=text limit=text margin~=text
    waived?=0
risks: plan=risk-plan risks*=risk controls*=text; estimate: severity=1 p1=1 p2=1
risk-plan: scope=text severity*=object probability=scale software_p1=text levels*=level matrix*=list overall=text
    disclosure?~=object benefit_approvers?*=text serious_from?~=1 review=text
scale: inclusive=text combine=text steps*=step; step: word=text upper=any meaning=text
part: kind=part-kind name=short version=short part_of?~=short
trace: items*=trace-item ...?; trace-item: kind=text ...?; event: run=run-of-event ...?; run-of-event: runId=text ...?
level: name=text acceptable=bool meaning=text; risk: id=text residual=estimate controls*=text benefit~=text
""")

UNITS = (
    ({"tolerance_um"}, {"tolerance", "unit", "hd95"}),
    ({"tolerance", "unit"}, {"tolerance_um", "hd95_um"}),
)
"""What states the unit of distances, and what does not go with it. Plans of before state it in the names."""

def fit(value, form, where):  # refuse a value that is not of a form or type, naming the place; and return it
    if form in FORMS:
        fields = FORMS[form]
        least = {name for name, (marks, _) in fields.items() if "?" not in marks}
        fits = isinstance(value, dict) and least <= set(value) and ("..." in fields or set(value) <= set(fields))
        need(fits, where + " has other fields")
        for name in [one for one in value if one in fields]:
            fit_field(value[name], *fields[name], where + "." + name)
        return value
    known = int(form) if form.lstrip("-").isdigit() else TYPES.get(form)
    need(known is not None, "%s is a %s, which this file does not know", where, form)
    if isinstance(known, tuple):
        fit(value, known[0], where)
        with naming(where):
            need(known[1](value) is not False, "none of those that there are")
    elif isinstance(known, list):
        words, *limits = known
        need(type(value) in {int, float} and all(holds(value, limit) for holds, limit in limits), "%s: %s", where, words)
    elif isinstance(known, int):
        need(type(value) is int and value >= known, where + " is malformed")
    elif isinstance(known, str):
        need(isinstance(value, str) and re.fullmatch(known, value, re.ASCII), where + " is malformed")
    else:
        need(known is object or type(value) is known, where + " is malformed")
    return value

def fit_field(value, marks, form, where):  # the same of what a field with marks holds: one value, a list or an object
    if value is not None or "~" not in marks:
        need("*" not in marks or isinstance(value, list), where + " is not a list")
        need("+" not in marks or isinstance(value, dict), where + " is not an object")
        need("!" not in marks or value, where + " is empty")
        for one in value if "*" in marks else value.values() if "+" in marks else [value]:
            fit(one, form, where)
        listed = [sorted(one.items()) if isinstance(one, dict) else one for one in value] if "<" in marks else []
        need(listed == sorted(listed), where + " is not in order")

# ---------------------------------------------------------------- what is trusted

def read_vkey(text, kind):  # name and raw key of a C2SP verifier key of a type: 1 a log, 4 a witness
    name, digits, blob = text.split("+", 2)
    data = unbase64(blob)
    need(re.fullmatch(KEY_NAME, name) and len(data) == 33 and data[0] == kind, "a verifier key of another type")
    need(note_key(name, kind, data[1:])[1].hex() == digits, "a verifier key with a hash that is not its own")
    return name, data[1:]

SIZES = {
    "log": range(1, 3),
    "witness": range(2, 4),
    "group": range(3, 200),
    "quorum": range(1, 2),
}
"""How many words follow each first word of a line of a policy."""

def read_policy(text):  # logs, witnesses, groups and quorum of a C2SP tlog-policy, strictly
    logs, witnesses, groups, quorum, used = [], {}, {}, None, set()
    need(len(text) <= 1 << 16 and text.endswith("\n"), "a policy that is too long, or whose last line has no end")
    need(not re.search("[\0-\x08\x0b-\x1f\x7f]", text), "a policy with control characters")
    rows = [re.findall("[^\t ]+", line) for line in text[:-1].split("\n")]
    for word, *rest in [row for row in rows if row and not row[0].startswith("#")]:
        known = {"none", *witnesses, *groups}
        need(len(rest) in SIZES.get(word, ()), "a malformed line in the policy")
        need(word not in {"witness", "group"} or rest[0] not in known, "a name that is defined already")
        if word == "log":
            logs.append(read_vkey(rest[0], 1))
        elif word == "witness":
            witnesses[rest[0]] = read_vkey(rest[1], 4)
        elif word == "group":
            name, least, *members = rest
            fits = len(set(members)) == len(members) and known - {"none"} - used >= set(members)
            need(fits, "a group with a member that is unknown, or is in a group already")
            used.update(members)
            groups[name] = {"all": len(members), "any": 1}.get(least) or size_of(least), members
            need(1 <= groups[name][0] <= len(members), "a group that can never vouch")
        else:
            need(quorum is None and rest[0] in known, "a second quorum, or one without witnesses")
            quorum = rest[0]
    for keys in ([raw for _, raw in logs], [raw for _, raw in witnesses.values()]):
        need(len(set(keys)) == len(keys) <= 64, "one key twice, or more than 64")
    need(quorum and len(groups) <= 64, "a policy without a quorum, or with more than 64 groups")
    return {"logs": logs, "witnesses": witnesses, "groups": groups, "quorum": quorum}

def signer_of(identity):  # what of a person must be as the trust file says
    return {"id": identity["id"], "name": identity["name"], "roles": identity["roles"], "key": identity["signing_key"]}

def read_trust(data):  # a trust file of either format, in one form
    need(len(data) <= 1 << 20, "too long")
    value = read_json(data, "the trust file")
    if "format" not in value:
        return read_first_trust(fit(value, "trust 1", "the trust file"))
    fit(value, "trust 2", "the trust file")
    policy, release, known = read_policy(value["policy"]), {"rules": [], "signers": []}, value.get("known")
    release.update(value.get("release", {}))
    need(policy["logs"], "no log")
    keys, least = [(item["id"], item["key"]["key_id"]) for item in value["roots"]["keys"]], value["roots"]["threshold"]
    need(least <= len({name for name, _ in keys}) == len(keys), "a threshold of roots that cannot be met")
    former = [(*read_vkey(item["log"], 1), item["below"]) for item in value.get("former", [])]
    trust = dict(policy, **release, former=former, roots=(least, set(keys)), layout=value.get("layout", 1))
    return dict(trust, known=None if known is None else known.encode())

def read_first_trust(value):  # of version 0.1.0: the key of the log, of whatever name, and people; no release rules
    former = [(None, log_raw(item["key"]), item["below"]) for item in value.get("former_log_keys") or []]
    trust = {"logs": [(None, log_raw(value["log_key"]))], "former": former, "roots": None}
    trust.update(signers=[signer_of(item) for item in value["people"]], rules=[], known=None, layout=1)
    asked = value.get("witnesses") or {"quorum": 0, "witnesses": []}
    keys = [read_vkey(item["key"], 4) for item in asked["witnesses"]]
    need(asked["quorum"] <= len(keys), "a quorum that cannot be met")
    need(len({name for name, _ in keys}) == len({raw for _, raw in keys}) == len(keys), "a witness twice")
    witnesses = {"w%d" % place: key for place, key in enumerate(keys)}
    return dict(trust, witnesses=witnesses, groups={"all": (asked["quorum"], list(witnesses))}, quorum="all")

def trusted_keys(trust, people, origin, size):
    """Raw keys that may sign a checkpoint; the one that a log names counts where trusted roots agreed to it."""
    former = [raw for name, raw, below in trust["former"] if name in {None, origin} and size < below]
    keys = former[:1] or [raw for name, raw in trust["logs"] if name in {None, origin}]
    if trust["roots"] is None or people is None:
        return keys
    states, (least, trusted) = (people.created, (people.roots, people.threshold)), trust["roots"]
    known = [({(one["id"], one["signing_key"]["key_id"]) for one in roots}, number) for roots, number in states]
    fits = [named == trusted and number >= least for named, number in known]
    need(any(fits), "the roots of the log are not those you trust")
    held = {(origin, log_raw(key)) for _, key in people.log_keys}
    return keys + ([log_raw(people.log_key(size))] if fits[0] and not held.isdisjoint(trust["logs"]) else [])

def vouches(name, trust, vouching):  # whether a witness, or enough members of a group, vouch
    least, members = trust["groups"].get(name, (1, ()))
    return name in {"none", *vouching} or sum(vouches(member, trust, vouching) for member in members) >= least

def vouching_for(data, trust):  # when each trusted witness vouched for the checkpoint, in Unix seconds
    return {place: moment for place, key in trust["witnesses"].items() for moment in [cosigned(data, *key)] if moment}

def believe(data, trust, people, origin, leaves):  # size and root of a checkpoint that its log and all trusted signed
    named, size, root = check_note(data, [log_raw(people.log_key(read_note(data)[2]))])
    need(named == origin, "the checkpoint is of another log")
    if not trust:
        return size, root
    check_note(data, trusted_keys(trust, people, origin, size))
    need(vouches(trust["quorum"], trust, vouching_for(data, trust)), "too few witnesses vouch for the checkpoint")
    if trust["known"] and read_note(trust["known"])[1] == origin:
        _, known, seen = check_note(trust["known"], trusted_keys(trust, None, origin, read_note(trust["known"])[2]))
        here = root if known == size else merkle_root(leaves[:known]) if 0 < known <= len(leaves) else seen
        need(here == seen, "two histories: the first %d entries are not those that the trust file knows", known)
    return size, root

# ---------------------------------------------------------------- who held which key

CHANGES, BY_LOG, KEEPERS = (
    {
        "identity.rotated": "rotate",
        "identity.unlock-failed": "count",
        "identity.unlocked": "count",
        "identity.locked": "count",
        "identity.enrolled": "manage",
        "identity.revoked": "manage",
        "identity.reinstated": "manage",
        "roots.changed": "manage",
        "entry.erased": "manage",
    },
    {"identity.unlock-failed", "identity.locked", "identity.refused"},
    {"independent-reviewer", "custodian"},
)
"""What each action about identities does, which actions the log itself may sign, and who may hold the key of a test set."""

def plain_name(name):  # a printed name without what two spellings of one name may differ in
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())

class People:
    """Who held which key when: folded from the log. `by_key`: identity, first index and end of each key, by its id."""

    def __init__(self):
        self.by_key, self.log_keys, self.roots, self.threshold, self.demo, self.size = {}, [], (), 1, False, 0
        self.erased, self.failures, self.locked, self.created = set(), {}, set(), ((), 1)

    def log_key(self, size):  # the key that signs the checkpoint of so many entries, and acts as the service `log`
        need(self.log_keys, "the log does not begin with log.created")
        return [key for start, key in self.log_keys if start <= size][-1]

    def key(self, key_id, index):  # the identity whose key counts at an index
        if self.log_keys and key_id == self.log_key(index)["key_id"]:
            return {"id": "log", "kind": "service", "roles": ["service"], "signing_key": self.log_key(index)}
        need(key_id in self.by_key, "key %s is not enrolled in the log", key_id[:12])
        identity, start, end = self.by_key[key_id]
        need(start <= index, "the key of %s was enrolled after entry %d", identity["id"], index)
        need(end is None or index < end, "the key of %s was revoked at entry %s", identity["id"], end)
        return identity

    def person(self, who, index):  # the identity of an id whose key counts at an index
        held = [one for one in self.by_key.values() if one[0]["id"] == who and one[1] <= index < (one[2] or math.inf)]
        need(held, who + " is not enrolled in the log, or is revoked")
        return held[0][0]

    def valid(self):  # every identity whose key counts now
        return [identity for identity, _, end in self.by_key.values() if end is None]

    def same(self, first, second):  # whether two ids are one person: the same id, name or encryption key, ever
        known = []
        for who in (first, second):
            held = [item for item, _, _ in self.by_key.values() if item["id"] == who]
            keys = {item["encryption_key"]["key_id"] for item in held if item.get("encryption_key")}
            known.append({plain_name(item["name"]) for item in held} | keys)
        return first == second or bool(known[0] & known[1])

    def add(self, identity, start):  # enrol; no key, no id and no person twice
        key_id, who, service = identity["signing_key"]["key_id"], identity["id"], identity["kind"] == "service"
        need(service == (identity["roles"] == ["service"]), "roles that do not fit " + who)
        valid, log_keys = self.valid(), {key["key_id"] for _, key in self.log_keys}
        need(key_id not in self.by_key and who not in [item["id"] for item in valid], who + " is enrolled twice")
        need(start == 0 or self.demo or not identity.get("demo"), "demo keys in a real log")
        need(who != "log" and key_id not in log_keys, "enrols the log itself, or its key")
        names = {plain_name(item["name"]) for item in valid if item["kind"] == "person"}
        need(service or plain_name(identity["name"]) not in names, who + " has a name that is taken")
        self.by_key[key_id] = (identity, start, None)

    def end(self, identity, index):  # the valid key of an id counts no longer from an index on
        held = [key for key, item in self.by_key.items() if item[0]["id"] == identity and item[2] is None]
        need(held, identity + " is not there")
        self.by_key[held[0]] = (*self.by_key[held[0]][:2], index)

    def follow(self, body):  # take in one entry whose signature is already known to hold (entry 0 excepted)
        action, payload, index = body["action"], body["payload"], body["index"]
        self.size = index + 1
        if body["outcome"] != "completed":
            return
        if action == "log.created":
            need(index == 0, "the log is created a second time")
            self.roots, self.threshold = payload["roots"], payload["threshold"]
            self.log_keys, self.created = [(0, payload["log_key"])], (self.roots, self.threshold)
            self.demo = all(one.get("demo", False) for one in self.roots)
            self.check_roots(self.roots, self.threshold)
            for identity in self.roots:
                self.add(identity, 0)
        elif action in CHANGES:
            getattr(self, CHANGES[action])(body, payload, self.key(body["key"], index))

    def manage(self, body, payload, actor):  # what roots and release managers do to identities and entries
        action, index, who = body["action"], body["index"], payload.get("identity")
        need(actor in self.roots or "release-manager" in actor["roles"], "%s may not do %s", actor["id"], action)
        need(actor["id"] != who, "%s cannot revoke or reinstate themselves", who)
        if action == "identity.enrolled":
            self.add(who, index + 1)
        elif action == "identity.revoked":
            self.end(who, index)
            told = "revokes %s, and without this root too few agree on anything"
            need(who not in [one["id"] for one in self.roots] or len(self.valid_roots()) >= self.threshold, told, who)
        elif action == "identity.reinstated":
            need(who in self.locked, "reinstates who is not locked")
            self.locked.discard(who)
            self.failures.pop(who, None)
        elif action == "entry.erased":
            need(payload["entry"] < index and payload["entry"] not in self.erased, "erases what it cannot")
            self.erased.add(payload["entry"])
        else:
            self.change_roots(body, payload)

    def count(self, body, payload, actor):  # wrong passphrases in a row: the fifth locks, the right one ends it
        who, count = payload["identity"], self.failures.get(payload["identity"], 0)
        if body["action"] == "identity.unlock-failed":
            need(payload["attempt"] == count + 1, "miscounts the wrong passphrases of " + who)
            self.failures[who] = count + 1
        elif body["action"] == "identity.locked":
            need(count >= 5, "locks %s before five wrong passphrases", who)
            self.locked.add(who)
        else:
            need(actor["id"] == who and who not in self.locked, "unlocks who cannot be unlocked")
            self.failures.pop(who, None)

    def rotate(self, body, payload, actor):  # a new key of who rotates; nothing else changes, and no root rotates
        new, index = payload["identity"], body["index"]
        need(actor not in self.roots and dict(new, signing_key=actor["signing_key"]) == actor, "changes more than keys")
        check_possession(body, actor["id"], actor["signing_key"], new["signing_key"])
        self.end(actor["id"], index + 1)
        self.add(new, index + 1)

    def valid_roots(self):  # the roots whose key counts now
        return [item for item in self.roots if self.by_key[item["signing_key"]["key_id"]][2] is None]

    def check_roots(self, roots, threshold):  # enough can agree; those of a demonstration have demo keys, and no others have
        need(1 <= threshold <= len({root["id"] for root in roots}) == len(roots), "a threshold of roots that cannot be met")
        need(all(one.get("demo", False) == self.demo for one in roots), "mixes demo and real identities")

    def change_roots(self, body, payload):  # other roots or log key, agreed by enough of the old and the new roots
        new, threshold, index, log_key = payload["roots"], payload["threshold"], body["index"], payload.get("log_key")
        self.check_roots(new, threshold)
        old = {"roots": self.roots, "threshold": self.threshold}
        change = {"replaces": digest_of(old), "roots": digest_of({"roots": new, "threshold": threshold})}
        change.update({"log_key": log_key} if log_key else {})
        subject = {"name": "roots.json", "digest": digest_of(change)}
        for group, least in ((self.valid_roots(), self.threshold), (new, threshold)):
            known = People()
            known.by_key = {item["signing_key"]["key_id"]: (item, 0, None) for item in group}
            envelopes = [one for one in payload["envelopes"] if one["signatures"][0]["keyid"] in known.by_key]
            need(len(agreed(envelopes, known, 0, subject)) >= least, "too few roots agreed")
        for item in new:
            for held in [one for one in self.valid() if one["id"] == item["id"] and one != item]:
                self.end(held["id"], index + 1)
            if item not in self.valid():
                self.add(item, index + 1)
        self.roots, self.threshold = new, threshold
        if log_key:
            used = {key["key_id"] for _, key in self.log_keys} | set(self.by_key)
            need(log_key["key_id"] not in used, "gives the log a key that another identity has or had")
            check_possession(body, "log", self.log_key(index), log_key)
            self.log_keys.append((index + 1, log_key))

def check_possession(body, who, old, new):  # the holder of a new key signed with it that it replaces the old one
    statement = {"purpose": "minivess key rotation", "log": body["log"], "identity": who, "old_key": old["key_id"]}
    shown = signed_by(new, canonical({**statement, "new_key": new["key_id"]}), body["payload"]["possession"])
    need(shown, "there is no proof of possession of the new key of " + who)

def open_envelope(envelope, people, index):  # what a person signed: DSSE v1, in-toto Statement, manifestation
    need(len(fit(envelope, "envelope", "an envelope")["signatures"]) == 1, "an envelope without exactly one signature")
    kind, payload, seal = envelope["payloadType"], unbase64(envelope["payload"]), envelope["signatures"][0]
    identity = people.key(seal["keyid"], index)
    who = identity["id"]
    encoded = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode("ascii"), len(payload), payload)
    need(signed_by(identity["signing_key"], encoded, seal["sig"]), "the signature of %s is wrong", who)
    statement = fit(parse(payload, "the statement of " + who), "statement", "the statement of " + who)
    said = statement["predicate"]
    subjects = [{"name": item["name"], "digest": "sha256:" + item["digest"]["sha256"]} for item in statement["subject"]]
    need(subjects == said["subjects"], "a statement that contradicts itself")
    same = (said["signer"], said["printed_name"], said["demo"]) == (who, identity["name"], identity.get("demo", False))
    need(same, "an approval in the name of %s was signed with the key of %s", said["signer"], who)
    need(identity["kind"] == "person" and said["role"] in identity["roles"], who + " does not hold the role")
    return said

def agreed(envelopes, people, index, subject):  # the roots who signed a change
    said = [open_envelope(envelope, people, index) for envelope in envelopes]
    need(all(one["subjects"] == [subject] and one["policy"] == "roots" for one in said), "agrees to another change")
    return {one["signer"] for one in said}

# ---------------------------------------------------------------- who may append what

# In which log | who may append it | what is checked | each action and the fields of
# its payload: "?" where one may be missing, and after "*" all of them are in the details of the entry. Without the fields
# this is the published action table 2 (actions-2.json). Entries of a log that adopted no table are judged as 0.1.0 did.
ACTIONS = """
device | person | - | data.card: * cases missing findings openings; data.leakage: * across within; data.profile: * cases groups;
    identity.witness: key=text; trace.approve: subject digest; trace.attest: item=attestation clause digest;
    trace.baseline: name items digest; trace.review: links*=reviewed
device | developer | makes references | calibration: * temperature threshold~ target_recall cases; ensemble: * members rule;
    model.export: * opset max_abs_difference tolerance; training: * architecture steps final_loss?~
    parts?*=run-part repeatable?~=bool validation?~=shares
device | developer release-manager | - | data.add: folder=file dvc files size; data.pull: * remote files size
    folders+; data.push: * remote files size folders+; model.bento: tag model=digest code=digest requirements=digest files=1;
    model.map: tag model=digest code=digest requirements=digest files=1
device | developer release-manager | references | data.ingest: * dataset cases accept_identifiers?~ identifiers?*
    lowered?*=graded; data.split: * train calibration test folds? near_duplicates? not_copies? same?; run.disposition: run
    verdict reason
device | person | references | data.validate: * rules notes warnings blocking changed?; risk.drill: noticed unnoticed tree;
    scenarios: passed failed skipped tree; tool.qualified: tool=tool code=digest passed=0 failed=0
device | service | - | serving.anchored: origin note proof*=text; serving.enrolled: origin site log_key=log-key service
    note
device | developer release-manager | criteria registration references | criteria.register: criteria*=criterion plan?~=one-unit
device | root release-manager | - | caller.created: caller digest scopes*!=scope expires=time requests_a_minute?=1
    body_bytes?~=1;
    caller.revoked: caller reason; caller.rotated: caller digest expires=time overlap=time
device | developer | seal registration references | data.seal: files approvers*=slug root?~=digest terms?~=terms
device | person | evaluation references | evaluation: request cases aggregates+ baseline_dice look?
    criteria?*=outcome-of classes?+!=figures
device | release-manager | promotion | model.promote: model stage=stage reason
device | release-manager | registration references | policy.register: policy=registered
device | release-manager | build | release.build: version tag_manifest gates files
device | release-manager | references preparation | release.prepare: layout=2 device=device tool=tool chain=chain source=source
    environment=digest sbom=digest manifest=digest files=1
device | independent-reviewer release-manager | - | release.revoked: version tag_manifest model reason instructions=paragraph
    decided_by=short
device | person | signature | release.sign: version tag_manifest envelope=envelope
device | independent-reviewer custodian | approval references | test-set.approve: grant=grant
device | developer release-manager | request registration references | test-set.request: request=request
device | log person | - | time.attested: kind=witnessing size=1 note=text token?~=text
device | independent-reviewer release-manager | waiver | release.gate-waived: gate=slug version found=short
    reason=paragraph owner=slug risk=risk-id until=time
any | root release-manager | - | entry.erased: entry reason; identity.reinstated: identity reason; identity.revoked: identity
    reason; roots.changed: roots*=identity threshold=1 envelopes*=envelope log_key?~=log-key possession?~=text
any | log | - | identity.locked: identity attempts; identity.refused: identity key=hex attempted; identity.unlock-failed: identity
    attempt
any | person service | - | identity.rotated: identity=identity possession=text; identity.unlocked: identity
any | root release-manager | enrolment | identity.enrolled: identity=identity actions?~ checked?~=checked
any | root | - | log.created: device log_key=log-key roots*=identity threshold=1 serves?~=short
    rules?~=adopted checked?~+=checked
any | root release-manager | restored | log.restored: size=1 root=text abandoned*!=paragraph reason=short
any | root release-manager | adoption | rules.adopted: number digest envelopes*=envelope
serving | service | - | inference: * decision foreground_fraction?~ conformal?
    classes?*=class-share caller?~ times?~=stage-times; inference.refusals: * since=time until=time counts; inference.shadow: *
    since=time until=time candidate=digest compared=0 changed=0 dropped=0 failed=0 classes*=shadow-class
"""
USUAL = {
    "int": (
        "cases missing findings openings across within groups files size train calibration test folds "
        "near_duplicates rules not_copies same notes warnings blocking changed members steps opset passed "
        "failed skipped gates"
    ),
    "0": "run entry noticed unnoticed",
    "1": "attempts attempt look items number",
    "number": (
        "temperature target_recall threshold final_loss foreground_fraction max_abs_difference tolerance "
        "baseline_dice"
    ),
    "digest": "tree tag_manifest digest model",
    "slug": "dataset architecture version request name identity site service device caller",
    "bool": "conformal",
    "short": "remote rule verdict reason decision subject clause accept_identifiers identifiers attempted origin",
    "dvc": "dvc folders",
    "object": "counts",
    "interval": "aggregates",
    "text": "note",
}
USUAL = {name: kind for kind, names in USUAL.items() for name in names.split()}
"""The type of a field of a payload, where its row does not name one."""
FIELDS, TABLES = {"test-set.open": "request"}, {2: {"format": "minivess-actions/1", "number": 2, "actions": {}}}
for row in ACTIONS.replace("\n    ", " ").strip().split("\n"):
    where, allowed, checked, listed = row.split(" | ")
    for action, fields in (item.split(": ") for item in listed.split("; ")):
        FIELDS[action] = fields
        FORMS.update(read_forms(action + ": " + re.sub(r"^\* ", "", fields), USUAL))
        TABLES[2]["actions"][action] = {"by": allowed.split(), "checks": checked.strip("-").split(), "log": where}
TABLE_1, MAKING = (
    "sha256:8031933fd9c02258dc583bf53647cb24f054987c2349385c8ff4cbfd88482072",
    {"training", "ensemble", "calibration", "model.export"},
)
"""The digest of actions-1.json, which says what 0.1.0 did; and the actions that make a model."""
ROLES = {
    "ingest": "data.ingest",
    "validation": "data.validate",
    "split": "data.split",
    "seal": "data.seal",
    "run": "training",
    "disposition": "run.disposition",
    "ensemble": "ensemble",
    "calibration": "calibration",
    "export": "model.export",
    "criteria": "criteria.register",
    "policy": "policy.register",
    "request": "test-set.request",
    "approval": "test-set.approve",
    "evaluation": "evaluation",
    "scenarios": "scenarios",
    "drill": "risk.drill",
    "qualification": "tool.qualified",
}
"""What a release can rest on: the action of the entry in each role."""

NAMED = {
    "criteria.register": {"criteria": "criteria", "plan": "plan"},
    "policy.register": {"policy": "policy"},
    "data.seal": {"root": "root"},
    "test-set.request": {"request": "request id"},
    "test-set.approve": {"grant": "grant request", "look": "grant request mode"},
    "test-set.open": {"look": "request"},
    "evaluation": {"result": "request"},
}
"""By what others name a completed entry of an action: a record by its digest, a text as it is; of a record also a field, which
counts where the last one is there. The first entry of a name counts."""

def name_of(body, kind):  # by what others name an entry; None: by nothing
    field, *inner = NAMED[body["action"]][kind].split()
    held = body["payload"].get(field)
    if inner:
        held = held[inner[0]] if held.get(inner[-1]) else None
    return held if held is None or isinstance(held, str) else digest_of(held)

def adopted_table(adopted):  # the actions of the table that an entry names by number and digest
    table = TABLES.get(adopted["number"])
    need(table, "action table %s is not known to this file", adopted["number"])
    need(digest_of(table) == adopted["digest"], "names an action table by the digest of other rules")
    return table

def completed(bodies, action):  # the completed entries of an action, in order
    return [body for body in bodies if (body["action"], body["outcome"]) == (action, "completed")]

def chain_of(chain):  # role and reference of every entry that a release names
    pairs = [(role, chain.get(role)) for role in ROLES]
    pairs += [(role, item.get(role)) for item in chain["runs"] + chain["looks"] for role in item]
    return [(role, reference) for role, reference in pairs if reference is not None]

def named(artifacts, name):  # the digest of the artifact of a name, or None
    return next((item["digest"] for item in artifacts if item["name"] == name), None)

SAME = {
    "plan": ("mask", "mask_threshold", "seed", "intervals", "baseline", "reuse"),
    "conventions": ("border", "bootstrap_unit", "both_empty", "foreground_connectivity", "one_empty", "skeleton"),
    "left out": (
        "of_measure", "scores", "statistics", "failure_dice", "tolerance", "unit", "tolerance_um", "of_class", "margins",
        "reason",
    ),
}
"""Fields of a plan and of its conventions that may not change after a look, and those that not every plan has."""

def spelled_out(value, form):  # whether a value has every field of its form, and so have the values inside
    fields = FORMS.get("gate %s" % value["kind"] if form == "policy-gate" else form, {})
    there = {name: value[name] if "*" in marks else [value[name]] for name, (marks, _) in fields.items() if name in value}
    inner = [(one, fields[name][1]) for name, held in there.items() for one in held]
    return set(fields) - set(SAME["left out"]) <= set(there) and all(spelled_out(*pair) for pair in inner)

LIMITED = {
    "metric": "%(measure)s, %(statistic)s",
    "baseline": "dice_over_baseline, mean",
    "clauses": "clauses, %(standard)s",
    "conformal": "conformal, %(statistic)s",
    "subgroups": "subgroups, %(measure)s by %(attribute)s",
}
"""By kind of gate: what it limits, where that is more than its kind."""

def limits_in(limited):  # the limits of criteria or gates: of what, on which side, how much
    for one in limited:
        what = LIMITED.get(one.get("kind", "metric"), "%(kind)s") % {"statistic": "mean", **one}
        what = (what + (CLASS + one["of_class"] if "of_class" in one else "")).replace("hd95_um", "hd95")
        yield from ((what, side, one.get(side)) for side in ("at_least", "at_most"))

def limits_of_plan(plan):  # what may not become laxer in an analysis plan: of what, on which side, its limit
    told = plan["conventions"]
    yield from (("bootstrap", "at_least", told["bootstrap"]), ("confidence", "at_least", plan["confidence"]))
    distance, unit = told.get("tolerance", told.get("tolerance_um")), [told.get("unit", "um")]
    yield from (("tolerance", "at_most", distance), ("unit", "equal", unit), ("scores", "equal", plan.get("scores")))
    yield from (("looks, " + name, "at_most", plan["looks"][name]) for name in ("per_release", "total"))
    yield from (("measures, " + name.replace("hd95_um", "hd95"), "equal", True) for name in plan["measures"])
    yield from ((name, "equal", [held[name]]) for held, kind in ((plan, "plan"), (told, "conventions")) for name in SAME[kind])
    yield from (("of " + name, "equal", [one]) for name, one in told.get("of_measure", {}).items())
    yield from (("failure_dice", "at_least", told.get("failure_dice")), ("statistics", "equal", [told.get("statistics")]))
    yield from (("margin of " + one["measure"], "at_most", one["loss"]) for one in plan.get("margins", []))
    yield from limits_in(plan["criteria"])

def limits_of_policy(policy):  # the same of a release policy
    asked = [(rule["role"], rule["meaning"]) for rule in policy["signatures"]["rules"]]
    yield from (("signatures, %s by %s" % rule[::-1], "at_least", asked.count(rule)) for rule in asked)
    yield from limits_in(policy["gates"])

def laxer(old, new):  # the first thing of which a limit became laxer, or None; the strictest of several limits counts
    was, now = (grouped(((one[0], one[1]), one[2]) for one in rows if one[2] is not None) for rows in (old, new))
    for (what, side), limits in was.items():
        pick = min if side == "at_most" else max
        found = now.get((what, side), []) + now.get((what.split(CLASS)[0], side), [])  # of every class: of this one too
        before, after = pick(limits), pick(found, default=None)
        if not found or not {"at_most": after <= before, "at_least": after >= before, "equal": after == before}[side]:
            return what
    return None

CLASS, LIMITS = ", class ", {"plan": limits_of_plan, "policy": limits_of_policy}
FOLLOWED = {
    "data.seal": "seal",
    "identity.witness": "witness",
    "identity.revoked": "witness",
    "test-set.request": "test_set",
    "test-set.approve": "test_set",
    "test-set.open": "test_set",
    "serving.enrolled": "serving",
    "serving.anchored": "serving",
}

def check_state(state):  # the state of a source tree agrees with itself
    others = [one for one in state["submodules"] if one["found"] != one["commit"] or not one["clean"]]
    none = state["repository"] is not None
    found = (none, not none and state["commit"] is None, state["changes"] > 0, others)
    found += (state["nested"], state["links"], state["hidden"], state["strangers"] > 0)
    reasons = [name for name, holds in zip(REASONS, found) if holds]  # noqa: B905  as many
    need(state["not_releasable"] == reasons, "source.not_releasable does not follow from its other fields")
    fits = (state["commit"] is None) == (state["git_tree"] is None) and not (none and state["commit"])
    fits = fits and len(state["changed"]) == min(state["changes"], 50) and bool(state["uncommitted"]) == (state["changes"] > 0)
    need(fits, "the fields of source contradict each other")

def check_policy(policy):  # two signatures at least, gates of different names, and one limit for each
    gates = policy["gates"]
    need(len(policy["signatures"]["rules"]) >= 2, "asks for fewer than two signatures; a release needs two people")
    need(gates and len({gate["id"] for gate in gates}) == len(gates), "has no gate, or two of one name")
    for gate in gates:
        fits = gate["kind"] != "metric" or (gate.get("at_least") is None) != (gate.get("at_most") is None)
        fits = fits and (gate["id"] not in (*BUILT_IN, "pretraining") or gate["kind"] == gate["id"])
        fits = fits and (gate["kind"] != "pretraining" or not gate.get("at_most") or gate.get("reason"))
        need(fits and not (gate["kind"] in BUILT_IN and gate.get("at_most")), "has a malformed gate %s", gate["id"])

class Standing:
    """What may be appended next, under an action table: the second writing of `admit`."""

    def __init__(self):
        self.table, self.kind, self.started, self.adopted, self.looks, self.first = None, "device", {}, None, [], {}
        self.made, self.steps, self.asked, self.exported, self.evaluated, self.services = {}, {}, {}, set(), set(), {}
        self.sealed, self.packs, self.serving, self.witnesses, self.former, self.judged = {}, {}, {}, {}, set(), None
        self.restores, self.seals, self.seal, self.approved, self.links, self.prepared = [], {}, None, [], {}, None

    def words(self):  # the table in force
        return "action table " + (str(self.table["number"]) if self.table else "1 (the rules of version 0.1.0)")

    def at(self, kind, name, otherwise):  # the index of the first entry of a name, or another one
        return self.first.get((kind, name), {"index": otherwise})["index"]

    def said(self, kind, name):  # what the first entry of a name says: a plan, policy, request or grant; or None
        return self.first[kind, name]["payload"][kind] if (kind, name) in self.first else None

    def admit(self, body, people, actor):  # whether an entry may be at its place; takes in what it says
        action, outcome, payload, done = body["action"], body["outcome"], body["payload"], body["outcome"] == "completed"
        if body["started"] is not None:  # it ends one action, which its own actor started and nothing ended before
            begun, by = self.started.pop(body["started"], (None, None))
            need(begun == action, "ends an action that was not started, or was ended before")
            need(not self.table or by == body["actor"], "ends an action that another actor started")
        if outcome == "started":
            self.started[body["index"]] = (action, body["actor"])
        if body["index"] == 0:
            self.create(payload, actor, people)
            return
        if self.table or (done and action in {"rules.adopted", "log.restored"}):
            table = self.table or TABLES[2]  # which has the two actions that the rules of 0.1.0 do not know
            need(action in table["actions"], "action table %d does not have the action %s", table["number"], action)
            row = table["actions"][action]
            need(row["log"] in {"any", self.kind}, "%s does not belong into the log of a %s", action, self.kind)
            may = any(self.matches(word, actor, action, people) for word in row["by"])
            need((outcome == "refused" and actor["kind"] == "person") or may, "%s may not append %s", actor["id"], action)
            for check in row["checks"] if done else ():
                getattr(self, "check_" + check)(body, payload, people)
        if done:
            self.follow(body, payload, body["context"]["model"])
        if self.table and action in ROLES.values() and outcome in {"completed", "failed"}:
            self.links[body["index"]] = body

    def create(self, payload, actor, people):  # entry 0
        if payload.get("rules"):
            self.table, self.adopted = adopted_table(payload["rules"]), 0
            need(actor in people.roots, "the log is created by an identity that is not a root")
            services = [root["kind"] == "service" for root in payload["roots"]]
            fits = services == [True] if payload.get("serves") else not any(services)
            need(fits, "a service is the root of its own serving log, and of no other log")
        self.kind = "serving" if payload.get("serves") else self.kind

    def matches(self, word, actor, action, people):  # whether an actor is what a word of the table says
        if actor["id"] == "log" or word == "log":
            return actor["id"] == word
        if word == "service" and actor["kind"] == "service":
            allowed = self.services.get(actor["id"])
            return allowed is None or action in allowed or action.startswith("identity.")
        return {"person": actor["kind"] == "person", "root": actor in people.roots}.get(word, word in actor["roles"])

    def follow(self, body, payload, model):  # take in a completed entry
        action, index = body["action"], body["index"]
        for kind in NAMED.get(action, ()):
            self.first.setdefault((kind, name_of(body, kind)), body)
        if action == "rules.adopted":
            self.table, self.adopted = adopted_table(payload), index + 1
        elif action == "log.restored":
            self.restores.append("entry %d: %s restored the log from a backup" % (index, body["actor"]))
        elif action == "identity.enrolled":
            self.services[payload["identity"]["id"]] = payload.get("actions")
        elif action in MAKING:
            outputs = {item["digest"] for item in body["outputs"]} | ({model} if model else set())
            for digest in outputs:
                self.made.setdefault(digest, []).append(index)
            self.steps[index] = (body["actor"], [item["digest"] for item in body["inputs"] + body["outputs"]])
            self.exported |= outputs if action == "model.export" else set()
        elif action == "evaluation":
            self.evaluated |= {model} if model else set()
            self.judged = (self.said("request", payload["request"]) or {}).get("data")
        elif action == "release.build":
            self.packs[payload["tag_manifest"]] = payload["version"], model
        elif action in FOLLOWED:
            getattr(self, "follow_" + FOLLOWED[action])(body, payload)

    def follow_test_set(self, body, payload):  # the approval is the look; in version 0.1.0 it was the opening
        if body["action"] == "test-set.request":
            self.asked.setdefault(payload["request"]["model"], set()).add(body["actor"])
        elif body["action"] == "test-set.open":
            self.looks.append(payload["request"])
        else:
            name = payload["grant"]["request"]
            self.approved.append((body["index"], name))
            self.looks += [name] if self.first["grant", name] is body and payload["grant"].get("mode") else []

    def follow_seal(self, body, payload):  # the first entry about a sealed part counts
        manifest, split = named(body["outputs"], "data/sealed/manifest.json"), named(body["inputs"], "data/split.json")
        if payload.get("root") is not None:
            self.sealed.setdefault(payload["root"], payload["approvers"])
        if manifest:
            self.seal = self.seals.setdefault(manifest, (body["index"], split, payload.get("root"), payload.get("terms")))

    def follow_witness(self, body, payload):  # the key with which one person cosigns, until they are revoked
        who = body["actor"]
        if body["action"] == "identity.revoked":
            self.former |= {key[1] for key in [self.witnesses.pop(payload["identity"], None)] if key}
            return
        name, raw = read_vkey(payload["key"], 4)
        need(name == body["log"] + "/" + who, "names a witness key under another name")
        others = {key[1] for holder, key in self.witnesses.items() if holder != who}
        need(raw not in others | self.former, "names a witness key that another person has or had")
        self.witnesses[who] = (name, raw)

    def follow_serving(self, body, told):  # a serving log begins with a checkpoint; each later one continues it
        origin, actor, enrolled = told["origin"], body["actor"], body["action"] == "serving.enrolled"
        need((origin in self.serving) != enrolled, "enrols a serving log twice, or anchors one that was not enrolled")
        key, service, size, root = self.serving.get(origin) or (told["log_key"], told["service"], 0, None)
        need(service == actor, "enrols or anchors the log of " + service)
        if enrolled:
            need(origin == "%s/serving/%s" % (body["log"], told["site"]), "enrols a serving log under another name")
            need(key not in [one[0] for one in self.serving.values()], "enrols a key that another serving log has")
        known, new, new_root = check_note(told["note"].encode(), [log_raw(key)])
        need(known == origin and new > size, "names a checkpoint of another log, or no more than is known")
        proof = [] if enrolled else [unbase64(item) for item in told["proof"]]
        need(enrolled or continues(size, new, proof, root, new_root), "does not continue the serving log")
        self.serving[origin] = (key, service, new, new_root)

    def check_adoption(self, body, payload, people):  # another table, agreed by a threshold of the roots
        number, old = (self.table["number"], digest_of(self.table)) if self.table else (1, TABLE_1)
        need(payload["number"] > number, "goes back to an older action table")
        adopted_table(payload)
        change = {"log": body["log"], "replaces": old, "number": payload["number"], "digest": payload["digest"]}
        signers = agreed(payload["envelopes"], people, body["index"], {"name": "rules.json", "digest": digest_of(change)})
        roots = {item["id"] for item in people.valid_roots()}
        need(signers <= roots, "%s is not a root", ", ".join(sorted(signers - roots)))
        need(len(signers) >= people.threshold, "too few roots agreed to the action table")

    def check_enrolment(self, body, payload, people):  # a service is enrolled for named actions, a person for none
        fits = (payload["identity"]["kind"] == "service") == bool(payload.get("actions"))
        need(fits, "enrols a service without its actions, or a person with some")

    def check_restored(self, body, payload, people):  # gives up checkpoints that this log signed
        need(len(payload["abandoned"]) <= 64, "the restore gives up more than 64 checkpoints")
        for note in payload["abandoned"]:
            known = check_note(note.encode(), [log_raw(key) for _, key in people.log_keys])[0]
            need(known == body["log"], "the restore gives up a checkpoint of another log")

    def check_makes(self, body, payload, people):
        need(body["outputs"], "names no output")

    def check_criteria(self, body, payload, people):
        need(payload.get("plan"), "acceptance criteria without an analysis plan")

    def check_seal(self, body, payload, people):  # others than who seals hold the key: reviewers or custodians
        need(payload.get("root"), "seals something without naming its root")
        for who in payload["approvers"]:
            need(who != body["actor"], who + " seals the test set and would hold its key")
            need(KEEPERS & {*people.person(who, body["index"])["roles"]}, who + " is neither reviewer nor custodian")

    def check_registration(self, body, payload, people):  # what was fixed before a look remains
        if body["action"] == "data.seal":
            self.check_terms(body, payload)
        elif body["action"] == "criteria.register":
            self.check_plan(payload["plan"])
        elif body["action"] == "policy.register":
            need(spelled_out(payload["policy"], "registered"), "does not spell out every field of the policy")
            check_policy(payload["policy"])
            self.check_laxer("policy", payload["policy"])
        else:
            request = payload["request"]
            need(request.get("inputs"), "does not name the input files of the evaluation")
            policy = self.said("policy", request.get("policy"))
            need(policy, "names no release policy that was registered before")
            self.check_plan(self.said("plan", request["plan"]))
            self.check_laxer("policy", policy)

    def check_terms(self, body, payload):  # a seal fixes its terms once, and the test part of a split is sealed once
        manifest, split = named(body["outputs"], "data/sealed/manifest.json"), named(body["inputs"], "data/split.json")
        root, terms = payload.get("root"), payload.get("terms")
        _, _, before, fixed = self.seals.get(manifest, (None, None, None, terms))
        need(before in (None, root) and fixed == terms, "changes the terms of a seal")
        if manifest not in self.seals:
            need(root and terms and manifest, "seals something without naming its root, its manifest and its terms")
            need(terms["level"] == 1 - (1 - 0.95) / terms["looks"], "fixes a level that does not follow from its looks")
            need(split not in [one[1] for one in self.seals.values() if one[1]], "seals the test part of a split a second time")

    def check_plan(self, plan):  # it has every field, fits the terms of the seal, and is not laxer than that of a look
        told = plan["conventions"]
        older = told.get("statistics") == "mean of cases" or None in told.values() or told.get("of_measure") == {}
        need(spelled_out(plan, "plan") and not older, "does not spell out a plan as it is read")
        by_group = told.get("statistics", "mean of cases"), told["bootstrap_unit"]
        fits = by_group == ("mean of groups", "group") or not {"statistics", "failure_dice"} & set(told)
        need(fits, "counts something else than groups")
        need(plan["looks"]["per_release"] <= plan["looks"]["total"], "allows more looks for a release than in all")
        terms = self.seal[3] if self.seal else None
        if terms:
            need(plan["looks"]["total"] <= terms["looks"], "allows more looks than the seal")
            need(by_group == (terms.get("statistics", "mean of cases"), terms["unit"]), "has other statistics than the seal")
        self.check_laxer("plan", plan)

    def check_laxer(self, kind, new):  # a plan or policy is not laxer than that of a look at the test data in force
        at, _, data, _ = self.seal or (math.inf, None, None, None)
        for index, name in self.approved:
            request = self.said("request", name) or {}
            old = self.said(kind, request.get(kind)) if (request.get("data") == data if data else index > at) else None
            what = laxer(LIMITS[kind](old), LIMITS[kind](new)) if old else None
            need(not what, "has a %s that is laxer than that of a look: %s", kind, what)

    def level_of(self, data, look):  # of the intervals of a look: fixed by the seal, or by its number in version 0.1.0
        totals = [terms["looks"] for _, _, root, terms in self.seals.values() if root == data and terms]
        return 1 - (1 - 0.95) / (totals[0] if totals else look)

    def check_request(self, body, payload, people):  # under a registered plan, for an exported model, with a look left
        request = payload["request"]
        need(("request", request["id"]) not in self.first, "the log has this request already")
        need(request["requester"] == body["actor"], "asks in the name of " + request["requester"])
        need(("criteria", request["criteria"]) in self.first, "asks under criteria that were not registered before")
        plan = self.said("plan", request["plan"])
        need(plan, "asks under an analysis plan that was not registered before")
        need(digest_of(plan["criteria"]) == request["criteria"], "names other criteria than its plan has")
        self.look_left(request, self.looks)
        need(request["model"] in self.exported, "no completed model.export made the model of this request")
        need(not self.sealed or request["data"] in self.sealed, "no data.seal made the test data of this request")

    def look_number(self, name):  # of a look, among those at its test data
        looks = [self.said("request", one)["data"] for one in self.looks[: self.looks.index(name) + 1]]
        return looks.count(looks[-1])

    def look_left(self, request, looks):  # the plan of a request allows one more look at the test set than these
        allowed, same = self.said("plan", request["plan"])["looks"], [self.said("request", name) for name in looks]
        same = [one["release"] for one in same if one["data"] == request["data"]]
        left = same.count(request["release"]) < allowed["per_release"] and len(same) < allowed["total"]
        need(left, "is one look at the test set more than its analysis plan allows")

    def check_approval(self, body, payload, people):  # somebody without a part in the model approves an open request
        grant, who, index = payload["grant"], payload["grant"]["approver"], body["index"]
        need(who == body["actor"], "approves in the name of " + who)
        request = self.said("request", grant["request"])
        need(request, "approves what was not requested before")
        need(("grant", grant["request"]) not in self.first, "approves a request a second time")
        makers = (request["requester"], self.first["request", request["id"]]["actor"])
        need(not any(people.same(one, who) for one in makers), who + " made this request and cannot approve it too")
        people.person(request["requester"], index)
        need(body["time"] < request["expires"], "approves a request that has expired")
        self.look_left(request, self.looks)
        said = open_envelope(grant["envelope"], people, index)
        need(said["signer"] == who, who + " did not sign this approval")
        opens = (said["policy"], said["meaning"]) == ("test-set-opening", "approval") and said["role"] in KEEPERS
        need(opens, "was signed in a role or under a policy that opens nothing")
        need(said["subjects"] == [{"name": "test-set/" + request["id"], "digest": digest_of(request)}], "signed another request")
        need(people.demo or not said["demo"], who + " signed with demo keys")
        form = (grant.get("mode"), grant.get("wrapped_key") is None, grant.get("key_digest") is None)
        need(form in {("released", True, False), ("custodian", True, True)}, "a grant that does not say who gets the key")
        need(who in self.sealed.get(request["data"], [who]), "the test set was not sealed for " + who)
        self.refuse_maker(who, [request["model"], request["calibration"]], people)

    def refuse_maker(self, reviewer, digests, people):  # who made or requested a model (None: any) does not review it
        found = {actor for actor, _ in self.steps.values()}.union(*self.asked.values()) if digests is None else set()
        waiting, seen = list(digests or []), set()
        while waiting:
            digest = waiting.pop()
            for index in self.made.get(digest, ()) if digest not in seen else ():
                found.add(self.steps[index][0])
                waiting += self.steps[index][1]
            found |= self.asked.get(digest, set())
            seen.add(digest)
        need(not any(people.same(maker, reviewer) for maker in found), reviewer + " took part in making this model")

    def check_evaluation(self, body, payload, people):  # by who was let, of the model asked for, with its number
        request = self.said("request", payload["request"])
        need(request, "evaluates under a request that the log does not have")
        grant = self.said("grant", request["id"]) or {}
        need(grant.get("mode"), "evaluates without an approval")
        entitled = request["requester"] if grant["mode"] == "released" else grant["approver"]
        need(entitled == body["actor"], "evaluates what was granted to " + entitled)
        need(body["context"]["model"] == request["model"], "evaluates another model than was approved")
        number = self.look_number(request["id"])
        made = [made for one in (payload, *payload.get("classes", {}).values()) for made in one["aggregates"].values()]
        need({one.get("level", 0.95) for one in made} <= {self.level_of(request["data"], number)}, "has limits of another level")
        need(payload.get("look", 1) == number, "states another look number than its own")

    def check_promotion(self, body, payload, people):  # an exported model; into production one that was evaluated
        need(payload["model"] in self.exported, "promotes a model that no completed model.export made")
        need(payload["stage"] != "production" or payload["model"] in self.evaluated, "puts into production what nobody evaluated")

    def check_build(self, body, payload, people):  # a release is built as it was prepared last
        need(self.prepared, "builds a release that no release.prepare prepared")
        need(self.prepared == (payload["version"], body["context"]["model"]), "builds another release than prepared")

    def link(self, index, digest):  # an earlier entry that others can rest on, as they name it
        need(index in self.links, "names entry %s, which is no earlier entry that something can rest on", index)
        need(digest_of(self.links[index]) == digest, "names entry %s by another digest", index)
        return self.links[index]

    def check_references(self, body, payload, people):  # inputs that name entries of this log name them as they are
        for item in [one for one in body["inputs"] if one["name"].startswith("log/")]:
            match = re.fullmatch(r"log/(0|[1-9][0-9]{0,15})", item["name"], re.ASCII)
            need(match, "has an input %s, which is not the name of an entry", item["name"])
            self.link(int(match[1]), item["digest"])

    def check_preparation(self, body, payload, people):  # completed entries of the right actions made its model
        check_state(payload["source"])
        for role, reference in chain_of(payload["chain"]):
            link = self.link(reference["index"], reference["digest"])
            fits = link["action"] == ROLES[role] and (link["outcome"] == "completed" or role == "run")
            need(fits, "names entry %(index)d, which is %(action)s (%(outcome)s), as its " % link + role)
        made = [item["digest"] for item in self.links[payload["chain"]["export"]["index"]]["outputs"]]
        need(body["context"]["model"] in made, "names a model that its export did not make")
        self.prepared = payload["device"]["version"], body["context"]["model"]

    def check_waiver(self, body, payload, people):  # by nobody who made or requested a model
        self.refuse_maker(body["actor"], None, people)

    def check_signature(self, body, payload, people):  # of a pack of this log; a reviewer did not make its model
        need(payload["tag_manifest"] in self.packs, "signs a pack that no release.build of this log made")
        version, model = self.packs[payload["tag_manifest"]]
        need(payload["version"] == version, "signs another version than the pack was built as")
        said = open_envelope(payload["envelope"], people, body["index"])
        need(said["signer"] == body["actor"], "is a signature by " + said["signer"])
        need(payload["tag_manifest"] in [item["digest"] for item in said["subjects"]], "signs another pack")
        if said["role"] == "independent-reviewer":
            self.refuse_maker(said["signer"], [model] if model else None, people)

# ---------------------------------------------------------------- layout 2: what a release rests on, and its facts

LAYOUT_2 = "sha256:eb1efc872f81ca70b944598ca78dcf6207267898e05cc5ad66c001ca18835acb"
"""The digest of the published table of files, which lies beside this file in a pack (layout-2.json)."""
# What an entry in each role is about: a file that it made, or a name from NAMED (`root`: what a seal says). Entries about the
# same are alike. `reader<maker`: one entry rests on another; those of READS read its file.
SUBJECT = {
    "ingest": "data/manifest.json",
    "validation": "data/validation.json",
    "split": "data/split.json",
    "ensemble": "models/ensemble.json",
    "calibration": "models/calibration.json",
    "export": "models/model.onnx",
    "seal": "root",
    "criteria": "plan",
    "policy": "policy",
    "request": "request",
    "approval": "grant",
}
NEWEST = (
    "validation",
    "scenarios",
    "drill",
    "qualification",
)
READS, RESTS = (
    [pair.split("<") for pair in text.split()]
    for text in (
        "evaluation<export export<calibration export<ensemble calibration<ensemble seal<split calibration<split split<ingest "
        "validation<ingest",
        "request<criteria request<policy request<export request<calibration request<seal approval<request "
        "evaluation<request evaluation<approval",
    )
)
EVENT_TYPES = {
    "started": "START",
    "completed": "COMPLETE",
    "failed": "FAIL",
    "refused": "ABORT",
}

def check_contract(export, model, files):  # the record of an exported model agrees with itself and with the graphs of the pack
    graphs, task, decision, backends = model["graphs"], export.get("task", {}), model["decision"], model["backends"]
    first, thresholds, usual = graphs[0], set(model["conformal"]["thresholds"]), {"channels": 1, "axes": "zyx"}
    same = (first["file"], first["digest"]) == ("model.onnx", export["onnx"])
    need(same and first["preprocessing"] == export.get("preprocessing", usual), "the first graph is another one")
    need(export["input_shape"] == [1, task.get("channels", 1), *first["patch"]], "the input is of another shape")
    for graph in graphs:
        told, outputs = ["minivess-preprocessing/1", graph["preprocessing"]], [one["name"] for one in graph["outputs"]]
        text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        need(graph["preprocessing_digest"] == sha256(text.encode()), "the digest of a preprocessing is another one")
        need(outputs[0] == "logits" and len(outputs) == len(set(outputs)), "an output is there twice, or the first is not logits")
        need(("quantised" in graph) == (model["backend"] == "onnxruntime int8"), "graphs of 8 bits do not fit the backend")
    rows = [row for graph in graphs for row in (graph, graph.get("quantised")) if row]
    held = {"data/models/" + row["file"]: row["digest"] for row in rows}
    need(len(held) == len(rows), "two graphs have one file")
    there = [name for name in files if name.startswith("data/models/") and name.endswith(".onnx")]
    need(held == {name: sha256(files[name]) for name in there}, "the graphs of the pack are others")
    need(len(graphs) == 1 or not model["calibrator"]["inside"], "several graphs are calibrated inside")
    need(model["backend"] in {row["name"] for row in backends if row["certified"]}, "the backend is not certified")
    classes = {row["name"] for row in task.get("classes", [{"name": "foreground"}])}
    need(thresholds == classes, "the conformal thresholds are not those of the classes")
    fits = (decision["rule"] == "threshold") == (decision["threshold"] is not None) == (len(thresholds) == 1)
    need(fits, "the decision rule does not fit the classes")

def run_records(artifacts):  # the digests of the run records among some artifacts
    return {item["digest"] for item in artifacts if item["name"].endswith("/run.json")}

def file_of(role, items, body):  # the file of a role among items; of a model its record, where the context names that
    model = body["context"]["model"] if role == "export" else None
    return model if model and model == named(items, "models/export.json") else named(items, SUBJECT[role])

def about(role, body):  # what an entry in a role is about
    return file_of(role, body["outputs"], body) if "/" in SUBJECT[role] else name_of(body, SUBJECT[role])

def measure(name, counts, voxels=0):  # the value of a measure in one case, of so many voxels; None: undefined
    _, above, below, empty = FORMULAS[name]
    held = {**counts, "tn": voxels - sum(counts.get(one, 0) for one in ("tp", "fp", "fn"))}
    sums = [[(held[one.lstrip("-")], one[0] == "-") for one in text.split()] for text in (above, below)]
    if any(value is None for part in sums for value, _ in part):
        return None
    top, bottom = (sum(-value if minus else value for value, minus in part) for part in sums)
    if not below or not bottom:
        return empty if below else abs(top)
    if name == "cldice":  # the harmonic mean of two shares
        a, b = (measure(one, counts) or 0.0 for one in ("skeleton_precision", "skeleton_recall"))
        return 2.0 * a * b / (a + b) if a + b else 0.0
    return 0.0 if name == "nsd" and not (counts["predicted"] and counts["reference"]) else abs(top) / bottom

def value_of(name, case):  # the same from all counts of a case
    return measure(name, case["counts"][FORMULAS[name][0]], sum(row[0] for row in case["bins"]))

def added(bins):  # voxels, probability and positives of all bins
    return [sum(column) for column in zip(*bins)]  # noqa: B905  each has three

def part_of(some, bins):  # whether voxels are some of others, and their positives too
    return all(one[0] <= row[0] and one[2] <= row[2] for one, row in zip(some, bins))  # noqa: B905  both have as many

def loss(name, likely):  # what is summed over voxels, from the probability of what the reference says of one
    return (1 - likely) * (1 - likely) if name == "brier" else -math.log(max(likely, 1e-6))

def sum_of_loss(name, bins, best):  # if each voxel had the best (1) or the worst (0) probability of its bin
    rows = [(row, loss(name, (at + best) / 100), loss(name, 1 - (at + 1 - best) / 100)) for at, row in enumerate(bins)]
    return 10**6 * math.fsum(row[2] * here + (row[0] - row[2]) * other for row, here, other in rows)

def check_scores(held):  # probabilities are inside their bins, and sums of losses can come from them
    bins, slack = held["bins"], 1 + sum(row[0] for row in held["bins"])
    off = [abs(2 * row[1] - 10**4 * (2 * at + 1) * row[0]) > (10**4 + 2) * row[0] for at, row in enumerate(bins)]
    need(len(bins) == 100 and not any(off) and all(row[2] <= row[0] for row in bins), "no 100 bins, or one that is wrong")
    for name in LOSSES:
        least, most = sum_of_loss(name, bins, 1) - slack, sum_of_loss(name, bins, 0) + slack
        need(least <= held[name] <= most, "a sum that cannot come from its bins")

def check_scored(case):  # scores and shape of a case fit its bins
    fits = ("scores" in case) == ("border_scores" in case) and ("shape" in case) == ("spacing" in case)
    need(fits, "scores without those of the border, or a shape without spacing")
    pairs = (("scores", "bins"), ("border_scores", "border_bins"))
    for held, bins in [(case[name], case[other]) for name, other in pairs if name in case]:
        check_scores(held)
        fine, coarse = added(held["bins"]), added(bins)
        need(fine[::2] == coarse[::2] and 2 * abs(fine[1] - coarse[1]) <= 115, "scores of other voxels than those of its bins")
    whole, border = case.get("scores"), case.get("border_scores")
    fits = not whole or (part_of(border["bins"], whole["bins"]) and all(border[one] <= whole[one] + 1 for one in LOSSES))
    need(fits, "larger scores along the border than in the volume")
    shape, spacing, voxels = case.get("shape"), case.get("spacing"), added(case["bins"])[0]
    fits = shape is None or (2 <= len(shape) == len(spacing) <= 3 and math.prod(shape) == voxels)
    need(fits, "a shape that fits neither its spacing nor its bins")

def calibration_gaps(bins, voxels):  # of probability and positives in 15 ranges, of as many voxels as whole bins allow
    found, left, some, gap = [], 15, 0, 0
    for row in bins:
        some, gap = some + row[0], gap + row[1] - 10**6 * row[2]
        if some and some * left >= voxels:
            found.append(abs(gap) / 10**6)
            voxels, left, some, gap = voxels - some, left - 1, 0, 0
    return found

def score(name, case):  # a score of the probabilities of a case; None: undefined
    kind = name.removeprefix("border_")
    held = case["scores" if kind == name else "border_scores"]
    voxels, _, positives = added(held["bins"])
    if not (positives if kind == "average_precision" else voxels):
        return None
    if kind in LOSSES:
        return held[kind] / (10**6 * voxels)
    if kind == "ace":
        return math.fsum(calibration_gaps(held["bins"], voxels)) / voxels
    rows = [(row[2], added(held["bins"][at:])) for at, row in enumerate(held["bins"]) if row[2]]
    return math.fsum(hits * (above[2] / above[0]) for hits, above in rows) / positives

def check_case(case):  # the counts and scores of one case do not contradict one another
    dice, base, bins, border = case["counts"]["dice"], case["baseline"], case["bins"], case["border_bins"]
    conformal, counts = case["conformal"] or {"tp": dice["tp"], "fn": dice["fn"]}, case["counts"]
    fits = len(bins) == len(border) == 15 and all(row[2] <= row[0] and row[1] <= row[0] * 10**6 for row in bins + border)
    need(fits, "it does not have 15 bins, or one with more positives or probability than voxels")
    masks, (voxels, _, positives) = (dice["tp"] + dice["fp"], dice["tp"] + dice["fn"]), added(bins)
    sizes = {held["tp"] + held["fn"] for held in (dice, base, conformal)} | {positives}
    need(len(sizes) == 1, "the reference has %s voxels in dice, baseline, conformal and bins", sizes)
    need(voxels, "it has no voxels")
    need(sum(dice.values()) <= voxels >= sum(base.values()), "its masks are larger than its bins")
    read = case.get("readers", {"dice": dice})
    rows = [(kind, held[kind], HELD[kind][:end]) for held, end in ((counts, 3), (read, 1)) for kind in HELD if kind in held]
    for kind, held, (parts, *sides) in rows:
        pairs = [held[one] for one in parts.split()]
        need(all(map(operator.le, pairs[::2], pairs[1::2])), "a part of %s is more than the whole", kind)
        for side, size in zip(sides, masks):  # noqa: B905  both are two
            whole, inner, other = [[held[one] for one in text.split()] for text in (side + "||").split("|")[:3]]
            fits = {sum(whole) == 0, *(one is None for one in other)} == {size == 0} and (size > 0 or not any(inner))
            need(fits and sum(whole) <= size, "%s: the skeleton or border of a mask, or what follows from it, does not fit", kind)
    alone, given = masks.count(0) == 1, [one["value"] for one in counts.values() if "value" in one]
    fits = (not alone or set(given) <= {None}) and all((one is None) == alone for one in counts.get("distances", {}).values())
    need(fits, "a distance has a value, and one of the masks is empty, or the other way round")
    need(part_of(border, bins), "it has more voxels along the border than in the volume")
    fits = read["dice"]["tp"] + read["dice"]["fn"] == masks[1] and sum(read["dice"].values()) <= voxels
    need(fits, "the first reader's mask is not the reference, or larger than the volume")
    wholes, errors = {"missed": (masks[1], dice["fn"]), "false": (masks[0], dice["fp"])}, case.get("errors", {})
    for kind, table, rows in [(one, *pair) for one in errors for pair in errors[one].items()]:
        sizes, (_, *found) = [row[0] for row in rows], added([(0, 0, 0), *rows])
        fits = sizes == sorted(set(sizes)) and all(row[2] <= row[1] > 0 for row in rows)
        fits = fits and (table == "components" or (*found,) == wholes[kind] or (table, rows) == ("depth", []))
        need(fits, "voxels %s by %s are not those of dice", kind, table)
    check_scored(case)

def mean_of_groups(pairs):  # the mean over the means of groups; pairs of group and value
    held = grouped(pairs)
    return math.fsum(math.fsum(values) / len(values) for values in held.values()) / len(held)

def gap(cases, measure, attribute):  # the largest difference of the mean of a subgroup and that of all others
    rows = [(one.get("attributes", {}).get(attribute, "not stated"), one["group"], value_of(measure, one)) for one in cases]
    names = {row[0] for row in rows}
    if len(names) < 2 or None in [row[2] for row in rows]:
        return None
    pairs = [[mean_of_groups(row[1:] for row in rows if (row[0] == name) == there) for there in (True, False)] for name in names]
    return max(abs(inside - outside) for inside, outside in pairs)

def classes_of(task):  # value and name of each of several classes, of a task or a case; of one class: none
    found = sorted((one["value"], one["name"]) for one in task.get("classes", []))
    return ["%d %s" % pair for pair in found] if len(found) > 1 else []

def check_rows(cases):  # each case has one row of each class; its rows are of the same voxels, and exclude each other
    pairs, held = {(case["case"], case.get("of_class")) for case in cases}, grouped((case["case"], case) for case in cases)
    alike = {((*sorted(c["counts"]), "scores" in c, "shape" in c), c.get("of_class"), c["conformal"] is None) for c in cases}
    counts, classes = ({one[place] for one in alike} for place in (0, 1))
    need(cases and len(pairs) == len(cases), "it has no case, or one twice")
    need(len(counts) == 1 and len(alike) == len(classes), "it has cases with other counts than the rest")
    need(len(pairs) == len(held) * len(classes) and classes in ({None}, classes - {None}), "a case has no row of a class")
    for name, rows in held.items():
        for case in rows:
            with naming("case " + name):
                check_case(case)
        sizes = {(added(one["bins"])[0], canonical_text([*map(one.get, ("shape", "spacing", "attributes"))])) for one in rows}
        need(len(sizes) == 1, "case %s has rows of different shapes, numbers of voxels or attributes", name)
        most = max(sum(one["counts"]["dice"]["tp"] + one["counts"]["dice"][part] for one in rows) for part in ("fp", "fn"))
        need(most <= min(sizes)[0], "case %s has classes that overlap", name)

DIGITS, EXACT = (
    decimal.Context(prec=50, rounding=decimal.ROUND_HALF_EVEN),
    decimal.Context(prec=decimal.MAX_PREC, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX),
)
"""How intervals are computed, and how probabilities are multiplied."""

def crossing(below, high):  # where a condition changes from true to false between 0 and `high`
    low = decimal.Decimal(0)
    for _ in range(70):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return float(high)

def arctangent(x):  # by its series, after the angle was halved ten times
    for _ in range(10):
        x /= 1 + (1 + x * x).sqrt()
    return 1024 * sum((-1) ** k * x ** (2 * k + 1) / (2 * k + 1) for k in range(12))

def within(t, freedom):  # P(|T| <= t) of Student's T (Abramowitz and Stegun 26.7.3 and 26.7.4)
    cosine = freedom / (freedom + t * t)
    term = total = decimal.Decimal(1)
    for k in range(1 + freedom % 2, freedom - 1, 2):
        term *= cosine * k / (k + 1)
        total += term
    total *= (1 - cosine).sqrt()
    if freedom % 2 == 0:
        return total
    angle = arctangent(t / decimal.Decimal(freedom).sqrt())
    return (angle + (total * cosine.sqrt() if freedom > 1 else 0)) / (2 * arctangent(decimal.Decimal(1)))

@functools.lru_cache(None)
def student(level, freedom):  # the t with P(|T| <= t) = level
    with decimal.localcontext(DIGITS):
        high = decimal.Decimal(1)
        while within(high, freedom) < decimal.Decimal(level):
            high *= 2
        return crossing(lambda t: within(t, freedom) < decimal.Decimal(level), high)

def largest_share(failed, number, level):  # the exact upper bound of a share (Clopper and Pearson 1934), one-sided
    def likely(share):
        term = total = (1 - share) ** number
        for k in range(failed):
            term *= (number - k) * share / ((k + 1) * (1 - share))
            total += term
        return total > 1 - decimal.Decimal(level)

    with decimal.localcontext(DIGITS):
        return 1.0 if failed == number else crossing(likely, decimal.Decimal(1))

def ranks(number, level):  # of the limits among so many sorted means
    return math.floor((1 - level) / 2 * (number - 1)), math.ceil((1 + level) / 2 * (number - 1))

def error_of_mean(means, middle):  # the standard error
    return math.sqrt(math.fsum((one - middle) * (one - middle) for one in means) / (len(means) * (len(means) - 1)))

RANGES = {
    "dice_over_baseline": (-1.0, 1.0),
    **dict.fromkeys(
        (
            "hd95",
            "hd95_um",
            "volume_error",
            "hd",
            "assd",
            "masd",
            "betti0_error",
            "betti1_error",
            "branch_error",
            "length_error",
            "radius_error",
            "nll",
            "border_nll",
        ),
        (0.0, math.inf),
    ),
}
"""Smallest and largest value of what is not in 0..1."""

def over_groups(found, means, resamples, draw, name):
    """An interval over group means: Student's t below 20 groups, else percentile, each with its simulated coverage."""
    count, mean, level, inner = len(means), found["mean"], found["level"], 119
    names = ["student-t", "percentile"][:: 1 if count < 20 else -1]
    found.update(method=names[0], groups=count)
    if count == 1:
        return found
    times, (low, high), hits = student(level, count - 1), ranks(inner, level), dict.fromkeys(names, 0)
    half, (least, most) = times * error_of_mean(means, mean), RANGES.get(name, (0.0, 1.0))
    samples = max(1, min(400, resamples // 5, 40_000 // count)) if count > 3 else 0
    limits = {"student-t": (max(least, mean - half), min(most, mean + half)), "percentile": (found["lower"], found["upper"])}
    for _ in range(samples):
        sample = [means[int(draw() * count)] for _ in means]
        middle = math.fsum(sample) / count
        hits["student-t"] += abs(middle - mean) <= times * error_of_mean(sample, middle)
        below, above = low + 1, inner - high  # so many resampled means must be at most, and at least, the mean
        for _ in range(inner):
            one = math.fsum([sample[int(draw() * count)] for _ in means]) / count
            below, above = below - (one <= mean), above - (one >= mean)
            if below <= 0 and above <= 0:
                hits["percentile"] += 1
                break
    first, second = [dict(zip(("lower", "upper"), limits[name]), method=name) for name in names]  # noqa: B905
    if samples:
        first["coverage"], second["coverage"] = [hits[name] / samples for name in names]
    return dict(found, **first, beside=second)

def interval(pairs, plan, level, name="dice"):  # the mean of values with its interval; pairs of unit and value, or None
    told, by_group = plan["conventions"], plan["conventions"].get("statistics") == "mean of groups"
    resamples, held = told["bootstrap"], grouped(pairs)
    if not held:
        return None
    found = {"mean": math.fsum(value for _, value in pairs) / len(pairs), "n": len(pairs), "level": level}
    sums, sizes = [math.fsum(held[name]) for name in sorted(held)], [len(held[name]) for name in sorted(held)]
    if by_group:
        sums, sizes = [total / size for total, size in zip(sums, sizes)], [1] * len(held)  # noqa: B905
        found["mean"] = math.fsum(sums) / len(held)
    draw, count = random.Random(plan["seed"]).random, len(held)  # noqa: S311  repeatable, nothing is secret
    samples = ([int(draw() * count) for _ in range(count)] for _ in range(resamples if count > 1 else 0))
    means = sorted(math.fsum(sums[k] for k in picks) / sum(sizes[k] for k in picks) for picks in samples)
    found["lower"], found["upper"] = [means[rank] if means else None for rank in ranks(resamples, level)]
    return over_groups(found, sums, resamples, draw, name) if by_group else found

def share_of_failures(cases, limit, level):  # the share of groups with a case whose Dice is below a limit
    held = grouped((one["group"], measure("dice", one["counts"]["dice"]) < limit) for one in cases)
    failed, number = sum(map(any, held.values())), len(held)
    found = {"mean": failed / number, "lower": 0.0, "upper": largest_share(failed, number, level), "n": len(cases)}
    return dict(found, level=level, method="clopper-pearson", groups=number)

def calibration_error(cases, field, by_group):  # over the voxels of all cases, or so that each group weighs the same
    rows = []
    for _, bins in sorted(grouped((one["group"] if by_group else "", one[field]) for one in cases).items()):
        sums = [added(row) for row in zip(*bins)]  # noqa: B905  each case has 15
        gaps, voxels = [row[1] / 10**6 - row[2] for row in sums], sum(row[0] for row in sums)
        rows += [([gap / voxels for gap in gaps] if by_group else gaps, voxels)] if voxels else []
    total = math.fsum(abs(math.fsum(column)) for column in zip(*(gaps for gaps, _ in rows)))  # noqa: B905  as above
    return total / (len(rows) if by_group else rows[0][1]) if rows else 0.0

def figures_of(cases, plan, level):  # what follows from the counts of all cases: over all rows, and over those of each class
    rows = grouped((case.get("of_class"), case) for case in cases)
    held = grouped((case["case"], measure("dice", case["counts"]["dice"])) for case in cases)
    ranked = [(math.fsum(values) / len(values), name) for name, values in held.items()]
    found = {"best": min(ranked, key=lambda one: (-one[0], one[1]))[1], "worst": min(ranked)[1]}
    classes = {name: figures_over(held, plan, level) for name, held in rows.items() if name is not None}
    return {**figures_over(cases, plan, level), **found, "classes": classes}

def figures_over(cases, plan, level):  # what follows from the counts of rows, of one class or of all
    told, unit = plan["conventions"], plan["conventions"]["bootstrap_unit"]
    need(unit in {"subject", "group"}, "the plan resamples a unit that a case does not have")
    columns = {name: [(one[unit], value_of(name, one)) for one in cases] for name in {"dice", *plan["measures"]}}
    base = [(one[unit], measure("dice", one["baseline"])) for one in cases]
    columns["dice_over_baseline"] = [(one[0], one[1] - other[1]) for one, other in zip(columns["dice"], base)]  # noqa: B905
    columns.update((name, [(one[unit], score(name, one)) for one in cases]) for name in SCORES if "scores" in cases[0])
    recalls = [(one[unit], measure("sensitivity", one["conformal"])) for one in cases if one["conformal"]]
    apart = {"baseline": base, "conformal_recall": recalls}
    known = [(name, [one for one in pairs if one[1] is not None]) for name, pairs in [*columns.items(), *apart.items()]]
    held = {name: interval(pairs, plan, level, name) for name, pairs in known}
    figures = {"aggregates": {name: held[name] for name in columns if held[name]}, **{name: held[name] for name in apart}}
    if told.get("failure_dice") is not None:
        figures["aggregates"]["failures"] = share_of_failures(cases, told["failure_dice"], level)
    for name, field in (("ece", "bins"), ("band_ece", "border_bins")):
        figures[name] = calibration_error(cases, field, told.get("statistics") == "mean of groups")
    return figures

def groups_of(cases, near):  # the group of each case: the first case of those that belong together
    group, bonds = {case["id"]: case["id"] for case in cases}, [set(pair["cases"]) for pair in near]
    for field in ("subject", "acquisition", "origin", "image"):
        bonds += [{case["id"] for case in cases if case[field] == value} for value in {case[field] for case in cases} - {None}]
    for bond in bonds:
        old = {group[name] for name in bond}
        group = {name: min(old) if one in old else one for name, one in group.items()}
    return group

def check_same(stated, found, where, by="by the counts of its cases"):  # numbers to six decimals, the rest exactly
    if isinstance(found, (dict, list)):
        names = found if isinstance(found, dict) else range(len(found))
        need(type(stated) is type(found) and len(stated) == len(found), "%s has other fields than it has %s", where, by)
        for name in names:
            need(isinstance(found, list) or name in stated, "%s has no %s", where, name)
            check_same(stated[name], found[name], "%s.%s" % (where, name), by)
    else:
        number, pair = isinstance(found, float) and type(stated) in {int, float}, (stated, found)
        texts = ["%.6f" % one for one in pair] if number else pair
        same = canonical_text(texts[0]) == canonical_text(texts[1])
        need(same, "%s is %s, and %s %s", where, *("undefined" if one is None else one for one in texts), by)

def check_set(stated, found, where, by):  # names are those that they must be
    check_same(", ".join(sorted(stated)), ", ".join(sorted(found)), where, by)

def figure_text(value):  # a number as gates and the signing text write it
    if value is None:
        return None
    text = "%.3e" % value if value != 0 and abs(value) < 1e-3 else ("%.6f" % value).rstrip("0").rstrip(".")
    return "0" if text == "-0" else text

UNIT_WORDS = {
    "um": ", distances in micrometres", "mm": ", distances in millimetres", "px": ", distances in pixels",
    None: "",
}

SIGNING_TEXT = """\
MiniVess signing text, layout 2
Device: %(name)s %(version)s
Manufacturer: %(manufacturer)s
Safety class: %(safety_class)s
Log: %(log)s
reason * NOT RELEASABLE: %s

Gates: %(passing)d of %(judged)d pass
gate * %(ok)s %(id)s (%(kind)s, %(basis)s): %(value)s, %(comparison)s %(limit)s, margin %(margin)s
reasons * Limit of %(id)s: %(reason)s
Evaluation: look %(look)d of %(looks)d, %(mode)s, intervals of level %(level).4g %%%(unit)s
figure * %s
Criteria registered at entry %(registered)d
criterion * %s: %s, %s
before * Criteria before, entry %d: %s
Looks in the log: %(looked)d
look * look %(look)d (entry %(entry)d): %(id)s for release %(release)s, requested by %(requester)s, approved by %(approver)s, \
%(mode)s, %(result)s
Training runs: %(ran)d
run * run entry %d: %s
Residual risk: %(levels)s
Not acceptable: %(open)s
Counts: %(counts)s
Open clauses (attested): %(open_clauses)d
counted * Counted (attested): %(found)d of %(of)d %(kind)s %(about)s
Open gaps (attested): %(gaps)d; justified: %(justified)d
Known anomalies (attested): %(anomalies)d
anomalies * Anomaly %(id)s (attested): %(title)s
conditions * Condition of %(id)s (attested): %(text)s
reviews * Links with a signed review (attested): %(signed)d of %(links)d
Waivers: %(waivers)s
waiver * Waiver of %(gate)s (entry %(index)d): signed by %(actor)s, owner %(owner)s, %(risk)s, until %(until)s: %(reason)s
time * Time of %s: entry %d, %s, %s
Digests
model %(model)s
calibration %(calibration)s
evaluation %(evaluation)s
request %(digest)s
criteria %(criteria)s
plan %(plan)s
policy %(policy)s
seal %(data)s
results %(results)s
sbom %(sbom)s
environment %(environment)s
source %(git_tree)s""".split("\n")  # noqa: SIM905  a text is easier to compare
"""The lines of the signing text: each is there once, or, after a word and `*`, for each of what the word names."""

def criterion_text(one):  # a criterion in the signing text
    sides = ("at_least", "at_most")
    limits = ["%s %s" % (side.replace("_", " "), figure_text(one[side])) for side in sides if one[side] is not None]
    named = " of " + one["of_class"] if "of_class" in one else ""
    return "%s%s, %s: %s" % (one["measure"], named, one["statistic"], " ".join(limits))

def tightest(values, low, high):  # of the figures of classes, the one that is nearest to a limit or furthest beyond it
    limits = [pair for pair in ((low, 1), (high, -1)) if pair[0] is not None and None not in values]
    nearest = min(values, key=lambda one: min((sign * (one - limit) for limit, sign in limits), default=0), default=None)
    return None if None in values else nearest

def covering(one):  # how often an interval covers the mean, in the signing text
    return ["coverage " + figure_text(one["coverage"])] if "coverage" in one else []


def limits_of(plan):  # the upper limits of the steps of a risk plan, as exact decimals; the plan must be whole
    texts = [str(step["upper"]) for step in plan["probability"]["steps"]]
    order = [one["name"] for one in plan["levels"]]
    need(all(PROBABILITY.fullmatch(text) for text in texts), RISKS + ": an upper limit is no probability")
    uppers, matrix = [decimal.Decimal(text) for text in texts], plan["matrix"]
    rises = len(uppers) > 1 and uppers[0] > 0 and uppers[-1] == 1 and all(map(operator.lt, uppers, uppers[1:]))
    need(rises and plan["probability"]["inclusive"] in {"upper", "lower"}, RISKS + ": the steps do not rise to 1")
    size = len(order) == len(set(order)) > 1 and len(matrix) == len(plan["severity"]) > 1
    size = size and all(len(row) == len(uppers) and set(row) <= set(order) for row in matrix)
    need(size, RISKS + ": the matrix does not fit the scales and levels")
    ranks = [[order.index(name) for name in row] for row in matrix]
    bent = any(row != sorted(row) for row in [*ranks, *map(list, zip(*ranks))])  # noqa: B905  as many
    accepted = [level["acceptable"] for level in plan["levels"]]
    need(not bent and accepted == sorted(accepted, reverse=True), RISKS + ": a worse step gives a better level")
    return uppers

def level_of(plan, uppers, estimate):  # the level that the matrix of a risk plan gives
    severity, p1, p2 = estimate["severity"], estimate["p1"], estimate["p2"]
    need(severity <= len(plan["severity"]) and max(p1, p2) <= len(uppers), RISKS + ": an estimate is not on the plan's scales")
    below = operator.lt if plan["probability"]["inclusive"] == "upper" else operator.le
    step = sum(below(upper, EXACT.multiply(uppers[p1 - 1], uppers[p2 - 1])) for upper in uppers) + 1
    return plan["matrix"][severity - 1][min(step, p1, p2) - 1]  # a product is at most as probable as its factors

def soup_rows(data):  # name, version and package URL of each row of a SOUP list
    with naming(SOUP, " is not CSV in UTF-8", csv.Error, ValueError):
        table = list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))
    head = table[0] if table else []
    wanted, even = ("name", "version", "purl"), all(len(row) == len(head) for row in table)
    need(even and all(head.count(name) == 1 for name in wanted), SOUP + " is no SOUP list")
    places = [head.index(name) for name in wanted]
    marked = ("'=", "'+", "'-", "'@", "'\t")  # kept a spreadsheet from reading a formula
    return [tuple(row[at][1:] if row[at].startswith(marked) else row[at] for at in places) for row in table[1:]]

def component_of(value):  # name, version and package URL of a component of a bill of materials
    need(isinstance(value, dict) and isinstance(value.get("name"), str), SBOM + " is no bill of materials")
    return value["name"], str(value.get("version", "")), str(value.get("purl", ""))

class Release:
    """A release of layout 2: what it rests on, and the facts that follow from its log and its files."""

    def __init__(self, pack):
        self.pack, self.files, self.standing, self.last = pack, pack.files, pack.standing, pack.bodies[-1]
        self.earlier, self.prepared, self.model = pack.bodies[:-1], self.last["payload"], self.last["context"]["model"]
        self.by, self.runs, self.ended, self.looks, self.gates, self.waived = {}, {}, [], [], [], ""

    def json(self, name, form="object"):  # a file of JSON
        self.pack.reading = "data/" + name + ": "
        return fit(read_json(self.files["data/" + name], "data/" + name), form, "data/" + name)

    def check_source(self):  # the state of the source tree agrees with the results and with the diff
        state, results = self.prepared["source"], self.json("verification/results.json")
        loaded, diff = results.get("loaded"), self.files.get("data/source/uncommitted.diff")
        strangers = loaded.get("refusals", 0) if loaded else 1
        for field, value in (("tree", results["tree"]), ("environment", results["environment"]), ("strangers", strangers)):
            check_same(state[field], value, "source." + field, "by " + RESULTS)
        digest = None if diff is None else sha256(diff)
        check_same(state["uncommitted"], digest, "source.uncommitted", "by data/source/uncommitted.diff")
        need(results["results"], "data/verification/results.json has no result")
        return "the %d results are those of the source tree %s" % (len(results["results"]), state["tree"])

    def check_soup(self):  # the SOUP list and the bill of materials name the same software, and all of the platform
        whole, device = self.json("bom/sbom.cdx.json"), self.prepared["device"]
        stated = component_of(fit(whole.get("metadata", {}), "object", SBOM).get("component"))
        rows = soup_rows(self.files[SOUP])
        fits = stated[:2] == (device["name"], device["version"])
        need(fits, "%s is of %s %s, and the release is of %s %s", SBOM, *stated[:2], device["name"], device["version"])
        found = [(component_of(one), one) for one in fit(whole.get("components"), "list", SBOM)]
        shipped = {n for n, one in found if n[2] and str(one.get("scope", "required")) in {"required", "optional"}}
        listed = {row for row in rows if row[2]}
        need(listed, SOUP + " names no software")
        need(len(set(rows)) == len(rows), SOUP + " names a part twice")
        for missing, place in ((shipped - listed, SOUP), (listed - shipped, SBOM)):
            need(not missing, "%s does not name %s %s (%s)", place, *(min(missing) if missing else ("", "", "")))
        parts = [fit(part, "part", RESULTS) for part in self.json("verification/results.json").get("parts", [])]
        lacking = [kind for kind in PARTS if parts and kind not in {part["kind"] for part in parts}]
        need(not lacking, "%s states no %s", RESULTS, lacking and lacking[0])
        for part in parts:
            title = "%(name)s (%(part_of)s)" % part if part.get("part_of") else part["name"]
            there = (title, part["version"]) in {row[:2] for row in rows}
            need(there, "%s does not name %s %s, on which the scenarios ran", SOUP, title, part["version"])
        words = (len(listed), len(parts))
        return "%d SOUP items, the same in the list and in the bill of materials; %d parts of the platform" % words

    def done(self, action, before=None):  # the completed entries of an action, in order
        return completed(self.earlier[:before], action)

    def entry(self, role):  # a role and its entry in words
        return "the %s of entry %d" % (role, self.by[role]["index"])

    def newest(self, role, subject, before):  # the newest completed entry in a role before another, about a subject
        alike = [body for body in self.done(ROLES[role], before) if about(role, body) == subject]
        need(alike, "no %s before entry %d is of %s", role, before, subject)
        return alike[-1]

    def check_chain(self):  # every entry that the release rests on is the newest one that its reader rests on
        check_same("%(action)s (%(outcome)s)" % self.last, "release.prepare (completed)", "the last entry", "must be")
        chain, by, version = self.prepared["chain"], self.by, self.prepared["device"]["version"]
        by["evaluation"], first = self.earlier[chain["evaluation"]["index"]], self.standing.first
        name = by["evaluation"]["payload"]["request"]
        by.update(request=first["request", name], approval=first["grant", name])
        asked, at = by["request"]["payload"]["request"], by["request"]["index"]
        for role, model in (("evaluation", by["evaluation"]["context"]["model"]), ("request", asked["model"])):
            need(model == self.model, "%s is of model %s, the release is of model %s", self.entry(role), model, self.model)
        check_same(asked["release"], version, self.entry("request") + ".release", "in the release")
        by["export"] = self.newest("export", self.model, by["evaluation"]["index"])
        for role, field in (("criteria", "plan"), ("policy", "policy"), ("seal", "data")):
            by[role] = self.newest(role, asked[field], at)
        by.update((role, self.done(ROLES[role])[-1]) for role in NEWEST if self.done(ROLES[role]))
        for reader, maker in READS:
            read, where = file_of(maker, by[reader]["inputs"], by[reader]), by[reader]["index"]
            by.setdefault(maker, self.newest(maker, read, where))
            made = about(maker, by[maker])
            need(read == made, "%s read %s %s, %s made %s", self.entry(reader), SUBJECT[maker], read, self.entry(maker), made)
        made = about("calibration", by["calibration"])
        check_same(asked["calibration"], made, self.entry("request") + ".calibration", "in the log")
        for role in set(ROLES) - {"run", "disposition"}:
            stated, found = [one and "entry %(index)d" % one for one in (chain.get(role), by.get(role))]
            check_same(stated, found, "the %s that the release names" % role, "by the log")
        for role in ("export", "calibration", "ensemble", "split", "ingest", "seal"):
            known = {None, about(role, by[role])}
            for body in [one for one in self.done(ROLES[role]) if about(role, one) not in known]:
                told = "%s is superseded: the %s of entry %d is of other contents"
                need(body["index"] < by[role]["index"], told, self.entry(role), role, body["index"])
        for reader, maker in [*READS, *RESTS]:
            names = [item["name"] for item in by[reader]["inputs"] if item["name"].startswith("log/")]
            fits = not names or "log/%d" % by[maker]["index"] in names
            need(fits, "%s names %s, and not %s", self.entry(reader), ", ".join(names), self.entry(maker))
        self.follow_runs(run_records(by["ensemble"]["inputs"]))
        self.follow_looks(asked)
        runs = [{"run": run["body"], "disposition": None if run["member"] else run["disposition"]} for run in self.ended]
        looks = [{"approval": approval, "evaluation": result} for _, approval, result in self.looks]
        for name, keys, own in (("runs", ("run", "disposition"), runs), ("looks", ("approval", "evaluation"), looks)):
            pair = [[["entry %(index)d" % one[key] for key in keys if one.get(key)] for one in row] for row in (chain[name], own)]
            check_same(*map(str, pair), "chain." + name, "in the log")
        for run in self.ended:
            told = "the training run of entry %d is neither in the ensemble nor has a disposition"
            need(run["disposition"] or run["member"] or run["body"]["outcome"] == "failed", told, run["body"]["index"])
        return "release %s rests on %d entries that fit each other" % (version, len(chain_of(chain)))

    def follow_runs(self, used):  # every training run, by the entry that began it; one refused at once never began
        for body in self.earlier:
            if body["action"] == "training" and (body["outcome"] != "refused" or body["started"] is not None):
                made = run_records(body["outputs"]) if body["outcome"] == "completed" else set()
                run = {"body": body, "made": made, "member": bool(made & used), "disposition": None}
                self.runs[body["index"] if body["started"] is None else body["started"]] = run
            elif (body["action"], body["outcome"]) == ("run.disposition", "completed"):
                for begun, run in self.runs.items():
                    run["disposition"] = body if body["payload"]["run"] in {begun, run["body"]["index"]} else run["disposition"]
        self.ended = [run for run in self.runs.values() if run["body"]["outcome"] in {"completed", "failed"}]
        need(used, "%s names no run of its members", self.entry("ensemble"))
        lost = used - set().union(*(run["made"] for run in self.ended))
        need(not lost, "%s read %s, which no completed training made", self.entry("ensemble"), ", ".join(sorted(lost)))

    def follow_looks(self, asked):  # every look with its first result; the newest one of this release and model counts
        first, used = self.standing.first, self.by["evaluation"]["index"]
        for name in [one for one in dict.fromkeys(self.standing.looks) if ("grant", one) in first]:
            approval, result = first["grant", name], first.get(("result", name))
            request = self.standing.said("request", name)
            self.looks.append((request, approval, result))
            same = (request["release"], request["model"]) == (asked["release"], self.model)
            if result and same and approval["index"] >= self.by["approval"]["index"]:
                told = "the release names the evaluation of entry %d, and that of entry %d counts"
                need(result["index"] == used, told, used, result["index"])

    def check_files(self):  # every file is of the layout, as its entry made it, and bound by the last entry
        name, there, lines, members = "data/verify/layout-2.json", set(), [], {}
        check_same(sha256(self.files[name]), LAYOUT_2, name, "as published")
        for body in [run["body"] for run in self.runs.values() if run["member"]]:
            members.update((item["name"], (item["digest"], body["index"])) for item in body["outputs"])
        table = [row for row in self.json(name[5:])["files"] if row.get("made_by", "run") in {"run", *self.by}]
        rows = [(re.compile(re.escape("data/" + row["file"]).replace("\\*", "(.+)")), row) for row in table]
        for name in sorted(name for name in self.files if name.startswith("data/")):
            found = [(form.fullmatch(name), row) for form, row in rows if form.fullmatch(name)]
            need(found, "%s is no file of layout 2", name)
            (match, row), digest = found[0], sha256(self.files[name])
            there.add(row["file"])
            lines += [] if name.startswith(("data/audit/", "data/lineage/")) else ["%s  %s\n" % (digest[7:], name[5:])]
            if "made_by" in row:
                role, output = row["made_by"], row["output"].replace("*", match[1] if match.re.groups else "")
                made = members.pop(output, [None])[0] if role == "run" else named(self.by[role]["outputs"], output)
                check_same(digest, made, name, "by " + ("a member" if role == "run" else self.entry(role)))
        missing = [row["file"] for row in table if row["count"] != "any" and row["file"] not in there]
        need(not missing, "data/%s is missing", ", data/".join(missing))
        for name, (_, index) in members.items():
            need(not name.endswith("/run.json"), "the run of entry %d is a member, and its file %s is missing", index, name)
        for item in [one for one in self.by["evaluation"]["outputs"] if one["name"].startswith("evaluation/figures/")]:
            need("data/" + item["name"] in self.files, "data/%s is missing: %s made it", item["name"], self.entry("evaluation"))
        found = {"files": len(lines), "manifest": sha256("".join(lines).encode())}
        check_same({name: self.prepared[name] for name in found}, found, "the preparation", "by the files of the pack")
        check_same(self.prepared["sbom"], sha256(self.files[SBOM]), "the preparation.sbom", "by " + SBOM)
        export = self.json("models/export.json", "export")  # the record of the model holds, and names the graphs of the pack
        if export.get("model"):
            with naming("data/models/export.json"):
                check_contract(export, export["model"], self.files)
        return "%d files of layout 2, each bound by the last entry" % len(lines)

    def check_figures(self):  # the figures of the evaluation follow from the counts of its cases
        said, plan = self.by["evaluation"]["payload"], self.by["criteria"]["payload"]["plan"]
        request, terms = self.by["request"]["payload"]["request"], self.by["seal"]["payload"]["terms"]
        self.record = record = self.json(RECORD[5:], "record")
        cases, log = record["cases"], {"threshold": plan["mask_threshold"], "conventions": plan["conventions"]}
        with naming(RECORD):
            check_rows(cases)
        log.update(model=self.model, data=request["data"], request=request["id"], look=said.get("look", 1), looks=terms["looks"])
        check_same({key: record.get(key) for key in log}, log, RECORD, "by the log")
        sealed = {item["case"] for item in self.json("datasets/sealed.json", "sealed")["files"]}
        check_set({case["case"] for case in cases}, sealed, RECORD + ".cases", "in data/datasets/sealed.json")
        names = {"dice", *plan["measures"]}
        check_set(set(record.get("measured") or cases[0]["counts"]), names, RECORD + ".measures", "by the plan")
        held = {*cases[0]["counts"], *{"scores"} & set(cases[0])}
        check_set(held, {*(FORMULAS[one][0] for one in names), *{"scores"} & set(plan)}, RECORD + ".counts", "by the plan")
        data = self.json("datasets/manifest.json")["cases"]
        known = classes_of(self.json("models/export.json", "export").get("task", {}))
        named = [one.partition(" ")[2] for one in known]
        check_set({case.get("of_class") or "" for case in cases}, named, RECORD + ": classes", "in data/models/export.json")
        odd = [one["id"] for one in data if classes_of(one) != known]
        need(not odd, "data/datasets/manifest.json: case %s has other classes than the exported model", odd and odd[0])
        groups = groups_of(data, self.json("datasets/split.json").get("near", []))
        check_same(terms["groups"], digest_of(groups), self.entry("seal") + ".groups", "by data/datasets/manifest.json")
        if terms.get("statistics", "mean of cases") != "mean of cases":
            self.check_calibration(groups, named)
        subjects, stated = ({one["id"]: one.get(key, {}) for one in data} for key in ("subject", "attributes"))
        for case in cases:
            name, where = case["case"], "%s: case %s" % (RECORD, case["case"])
            check_same([case["subject"], case["group"]], [subjects[name], groups[name]], where, "in the data set")
            told, known = case.get("attributes", {}), stated[name]
            check_same({one: told.get(one) for one in known}, known, where + ".attributes", "in the data set")
        self.figures = figures_of(cases, plan, self.standing.level_of(request["data"], record["look"]))
        check_same({"classes": {}, **{key: record[key] for key in self.figures if key in record}}, self.figures, RECORD)
        self.by_class = dict(sorted(self.figures["classes"].items())) or {None: self.figures}
        self.counts = {"cases": len({case["case"] for case in cases}), "groups": len({case["group"] for case in cases})}
        self.outcomes = [self.judged(one) for one in self.by["criteria"]["payload"]["criteria"]]
        found = {"request": request["id"], "cases": self.counts["cases"], "aggregates": self.figures["aggregates"]}
        found.update(look=record["look"], baseline_dice=self.figures["baseline"]["mean"], criteria=self.outcomes)
        found.update({"classes": self.figures["classes"]} if self.figures["classes"] else {})
        check_same(said, found, self.entry("evaluation"))
        return "the figures follow from the counts of %d cases" % found["cases"]

    def check_calibration(self, groups, classes):  # the calibration is of the sealed groups, of enough for a guarantee
        name, part = "models/calibration.json", self.json("datasets/split.json")["calibration"]
        made, sealed = self.json(name, "object"), {case: groups[case] for case in part}
        check_set(made["cases"], part, "data/%s.cases" % name, "in data/datasets/split.json")
        check_same(made.get("groups"), sealed, "data/%s.groups" % name, "by data/datasets/manifest.json")
        count, recall, held = len(set(sealed.values())), made["target_recall"], made.get("classes", {})
        check_set(held, classes, "data/%s.classes" % name, "in data/models/export.json")
        none = all(one["threshold"] is None for one in (made, *held.values()))
        told = "data/%s has a conformal threshold for recall %s from %d groups"
        need(none or count > math.floor(1 / (1 - recall) - 1 + 1e-9), told, name, recall, count)

    def statistics(self, asked):  # what a criterion or gate limits, in its class or in each; undefined if it is in one case
        named = [one for key, one in self.by_class.items() if asked.get("of_class") in {None, key}]
        held = [{**one, **one["aggregates"]}.get(asked.get("measure", "conformal_recall")) for one in named]
        return [one[asked["statistic"]] if one and one["n"] == self.counts["cases"] else None for one in held]

    def gaps(self, asked):  # by class, the largest difference of the mean of a subgroup and that of all others
        held = grouped((one.get("of_class"), one) for one in self.record["cases"])
        return [gap(held[key], asked["measure"], asked["attribute"]) for key in self.by_class]

    def judged(self, criterion):  # how a criterion came out: in its class, or in the worst one
        low, high = criterion["at_least"], criterion["at_most"]  # without a limit nothing is met
        got = tightest(self.statistics(criterion), low, high)
        met = None not in {got, low if high is None else high} and (low is None or got >= low) and (high is None or got <= high)
        return {"criterion": criterion, "value": got, "met": met}

    def gate_values(self):  # the exact figures of each kind of gate, one a class; None: not known
        self.attested, risks = self.json("release/attested.json", "attested"), self.json("release/risks.json", "risks")
        results = self.json("verification/results.json")["results"]
        kinds, plan = [one["kind"] for one in self.json("traceability/data/trace.json", "trace")["items"]], risks["plan"]
        self.risks = levels = {risk["id"]: level_of(plan, limits_of(plan), risk["residual"]) for risk in risks["risks"]}
        controls = set(risks["controls"])
        whole = len(levels) == len(risks["risks"]) and len(controls) == len(risks["controls"])
        need(whole and all(controls >= set(one["controls"]) for one in risks["risks"]), RISKS + ": one twice, or a control lacks")
        refused = [level["name"] for level in plan["levels"] if not level["acceptable"]]
        self.open_risks = [one["id"] for one in risks["risks"] if levels[one["id"]] in refused and one["benefit"] is None]
        self.levels = ", ".join("%d %s" % (list(levels.values()).count(one["name"]), one["name"]) for one in plan["levels"])
        self.counts.update(requirements=kinds.count("software-requirement"), risks=len(levels))
        self.counts.update(controls=len(controls), scenarios=len(results))
        export, runs = self.json("models/export.json", "export"), list(self.runs.values())
        traced = [body for body in self.earlier if body["context"]["openlineage_run"]]
        ran = {name: self.json(name[5:]) for name in self.files if name.startswith("data/models/members/")}
        for name, run in sorted(ran.items()):
            need(run.get("smoke", False) is False, "%s is a trial run, which is never released", name)
        self.starts = [self.check_start(run["start"]) for run in ran.values() if run.get("start") is not None]
        times = [check_time(one[-1]["time"]) for one in (self.done("time.attested"), self.earlier) if one]
        owed, seen, told = self.attested.get("approvable", []), self.done("time.attested"), self.done("trace.approve")
        judged = {  # by kind: of how many things, and the figure; of nothing there is none
            "parity": (export["tested_patches"], export["max_abs_difference"]),
            "latency": (export["tested_patches"], export["seconds_onnx"]),
            "approvals": (len(owed), sum(one not in [body["payload"] for body in told] for one in owed)),
            "witness": (len(seen), (times[-1] - times[0]).total_seconds() / 3600),
            "criteria": (len(self.outcomes), sum(not one["met"] for one in self.outcomes)),
            "trace": (self.counts["requirements"], len(self.attested["gaps"])),
            "risk": (self.counts["risks"], len(self.open_risks)), "lineage": (len(traced), len(self.events(traced)[1])),
            "documents": ("missing_chapters" in self.attested, len(self.attested.get("missing_chapters", []))),
            "pretraining": (len(ran), sum(one["trained_on"]["status"] != "declared" for one in self.starts)),
            "runs": (len(runs), sum(not run["member"] and not run["disposition"] for run in runs)),
            "scenarios": (len(results), sum(one["outcome"] != "passed" for one in results)),
        }
        values = {kind: [value if count else None] for kind, (count, value) in judged.items()}
        for c in self.attested.get("counted", []):  # of several counts the worst is judged
            values.setdefault("%(kind)s%(about)s" % c, []).append(len(c["offenders"]) if c["of"] or c["kind"] in LAPSE else None)
        values["baseline"] = [one["aggregates"]["dice"]["mean"] - one["baseline"]["mean"] for one in self.by_class.values()]
        values.update({"calibration": [one["ece"] for one in self.by_class.values()], "test-set": [len(self.standing.looks)]})
        return dict(values, source=[len(self.prepared["source"]["not_releasable"])], counts=[list(self.counts.values()).count(0)])

    def check_start(self, start):  # of a member: it names the sets it has seen, and no case that it must not
        sets, split = fit(start, "start", "start")["trained_on"].get("sets", []), self.json("datasets/split.json")
        need(sets or start["trained_on"]["status"] != "declared", "a start is declared without a data set")
        seen, kept = {digest for one in sets for digest in one.get("digests", [])}, split["test"] + split["calibration"]
        cases = self.json("datasets/manifest.json")["cases"]
        held = [case["id"] for case in cases if case["id"] in kept and seen & {case["image"], case["label"]}]
        need(not held, "a member started from weights that have seen %s of the test or calibration part", ", ".join(held))
        return start

    def check_gates(self):  # the gates of the registered policy and the built-in ones come out as the pack says
        registered = self.by["policy"]["payload"]["policy"]
        same = canonical({"policy": registered["signatures"], "gates": registered["gates"]}) == self.files[POLICY]
        need(same, "%s is not the release policy of entry %d", POLICY, self.by["policy"]["index"])
        least = any((gate["kind"], gate.get("at_most")) == ("criteria", 0) for gate in registered["gates"])
        need(least, "%s does not judge the registered acceptance criteria", self.entry("policy"))
        gates, values = list(registered["gates"]), self.gate_values()
        for kind in (*BUILT_IN, *["pretraining"] * bool(self.starts)):
            gates += [] if any(gate["kind"] == kind for gate in gates) else [{"id": kind, "kind": kind, "at_most": 0}]
        rows = [(one["payload"], one) for one in self.done("release.gate-waived")]  # of a gate the last waiver counts
        rows = [row for row in rows if row[0]["version"] == self.prepared["device"]["version"] and row[0]["risk"] in self.risks]
        held = {said["gate"]: one for said, one in rows if said["until"] >= self.earlier[-1]["time"]}
        for gate in gates:
            side, kind = "at_most" if gate.get("at_least") is None else "at_least", gate["kind"]
            special = {"metric": self.statistics, "conformal": self.statistics, "subgroups": self.gaps}.get(kind)
            found, limit = special(gate) if special else values.get(kind + gate.get("standard", ""), [None]), gate[side]
            value = tightest(found, gate.get("at_least"), gate.get("at_most"))
            margin = None if value is None else value - limit if side == "at_least" else limit - value
            outcome = {"id": gate["id"], "passed": margin is not None and margin >= 0, "comparison": side.replace("_", " ")}
            if gate["id"] in held and not outcome["passed"] and kind not in NEVER_WAIVED:
                outcome["waived"] = held[gate["id"]]["index"]
            outcome.update(value=figure_text(value), limit=figure_text(limit), margin=figure_text(margin))
            self.gates.append(dict(outcome, kind=kind, basis=("derived", "attested")[kind in ATTESTED | COUNTED]))
        stated = [fit(gate, "gate", GATES) for gate in parse(self.files[GATES], GATES)]
        check_same([gate["id"] for gate in stated], [gate["id"] for gate in self.gates], GATES, "by the policy")
        for said, found in zip(stated, self.gates):  # noqa: B905  as many
            check_same(said, found, "%s: the gate %s" % (GATES, found["id"]), "by the release")
        self.waivers = [held[one["id"]] for one in self.gates if "waived" in one]
        self.waived = "".join("; WAIVED %s (entry %d)" % (one["payload"]["gate"], one["index"]) for one in self.waivers)
        failed = [one["id"] for one in self.gates if not one["passed"] and "waived" not in one and one["kind"] != "source"]
        need(not failed, "the gate %s fails", ", ".join(failed))
        return "%d of %d gates pass%s" % (sum(gate["passed"] for gate in self.gates), len(self.gates), self.waived)


    def events(self, bodies):  # events without an entry, and entries without the event of their outcome
        left, missing = {}, []
        for number, line in enumerate(read_lines(self.files, EVENTS), start=1):
            place = "%s:%d" % (EVENTS, number)
            event = fit(read_json(line, place), "event", place)
            left.setdefault((event["run"]["runId"], event.get("eventType")), []).append(number)
        for body in [one for one in bodies if one["context"]["openlineage_run"]]:
            numbers = left.get((body["context"]["openlineage_run"], EVENT_TYPES[body["outcome"]]))
            missing += [] if numbers else [body["index"]]
            del (numbers or [])[:1]
        return sorted((numbers[0], event) for event, numbers in left.items() if numbers), missing

    def check_lineage(self):  # one event for each entry with a run, of its outcome, and no other
        left, missing = self.events(self.pack.bodies)
        need(not left, "%s:%s has no entry in the log: %s", EVENTS, left and left[0][0], left and left[0][1])
        need(not missing, "entry %s has no event of its outcome in %s", missing and missing[0], EVENTS)
        count = self.files[EVENTS].count(b"\n")
        need(count, EVENTS + " has no event")
        return "%d lineage events, each of the run and outcome of its entry" % count

    def check_text(self):  # the signing text follows from the facts
        text, lines = utf8(self.files[TEXT], TEXT), [UNSHOWN.sub("?", line) for line in [*self.text_lines(), ""]]
        found = [line if len(line) <= 200 else line[:197] + "..." for line in lines]
        for number, pair in enumerate(itertools.zip_longest(text.split("\n"), found), start=1):
            need(pair[0] == pair[1], "%s:%d says %r, and by the release it is %r", TEXT, number, *pair)
        shown = '<pre class="text">%s</pre>' % functools.reduce(lambda text, pair: text.replace(*pair), SHOWN_AS, text)
        need(shown.encode() in self.files[PAGE], PAGE + " does not show the signing text")
        return "the %d lines that were shown to the signers follow from the release" % (len(found) - 1)

    def text_lines(self):  # the lines of the signing text, by its template
        facts, rows = self.text_facts(), {**self.attested, **dict(self.text_rows())}
        for line in SIGNING_TEXT:
            name, several, form = line.partition(" * ")
            yield from [form % row for row in rows.get(name, ())] if several else [line % facts]

    def text_facts(self):  # what the signing text says once, by name
        by, prepared, record, request = self.by, self.prepared, self.record, self.by["request"]["payload"]["request"]
        facts = {**record, **prepared, **prepared["device"], **request, **{name: len(one) for name, one in self.attested.items()}}
        facts.update(log=self.pack.origin, passing=sum(gate["passed"] for gate in self.gates), judged=len(self.gates))
        facts.update(mode=by["approval"]["payload"]["grant"]["mode"], unit=UNIT_WORDS[record["conventions"].get("unit")])
        facts.update(registered=by["criteria"]["index"], looked=len(self.looks), ran=len(self.ended), levels=self.levels)
        facts.update(open=", ".join(self.open_risks) or "none", digest=digest_of(request))
        facts.update(counts=", ".join("%d %s" % (count, name) for name, count in self.counts.items()))
        facts.update(evaluation=named(by["evaluation"]["outputs"], RECORD[5:]), level=self.figures["baseline"]["level"] * 100)
        facts.update(waivers=len(self.waivers) or "none", results=named(by["scenarios"]["outputs"], RESULTS[5:]))
        return {**facts, "git_tree": prepared["source"]["git_tree"] or "none"}

    def text_rows(self):  # what it says of each of several, by name
        yield "reason", self.prepared["source"]["not_releasable"]
        yield "reasons", [one for one in self.by["policy"]["payload"]["policy"]["gates"] if one.get("reason")]
        yield "counted", [dict(one, found=len(one["offenders"])) for one in self.attested.get("counted", [])]
        yield "gate", [{**{k: g[k] or "unknown" for k in g}, "ok": MARKS[g["passed"] + 2 * ("waived" in g)]} for g in self.gates]
        held = [(key, *pair) for key, one in self.by_class.items() for pair in sorted(one["aggregates"].items())]
        yield "figure", [self.text_of_figure(*one) for one in held]
        told = [(criterion_text(one["criterion"]), figure_text(one["value"]) or "unknown", one["met"]) for one in self.outcomes]
        yield "criterion", [(*one, "met" if met else "not met") for *one, met in told]
        now, until = self.by["request"]["payload"]["request"]["criteria"], self.by["criteria"]["index"]
        before = [one for one in self.done("criteria.register", until) if name_of(one, "criteria") != now]
        yield "before", [(one["index"], "; ".join(map(criterion_text, one["payload"]["criteria"]))) for one in before]
        yield "look", list(self.text_of_looks())
        said = [one["disposition"] and "%(verdict)s: %(reason)s" % one["disposition"]["payload"] for one in self.ended]
        runs = zip(self.ended, said)  # noqa: B905  as many
        yield "run", [(run["body"]["index"], "member" if run["member"] else told or "failed") for run, told in runs]
        yield "waiver", [{**one, **one["payload"]} for one in self.waivers]
        yield "time", list(self.text_of_times())

    def text_of_figure(self, of_class, name, one):  # an aggregate in words, with its interval and how that was made
        rows = [case for case in self.record["cases"] if case.get("of_class") == of_class]
        groups = {case["group"] for case in rows if name not in FORMULAS or value_of(name, case) is not None}
        other, title = one.get("beside", {}), name + " of " + of_class if of_class else name
        told = [figure_text(part.get(field)) or "unknown" for part in (one, other) for field in ("mean", "lower", "upper")]
        shown = ["%s: mean %s, interval %s to %s, %d cases, %d groups" % (title, *told[:3], one["n"], len(groups))]
        shown += [one["method"]] if "method" in one and one["upper"] is not None else []
        shown += covering(one) + (["%s %s to %s" % (other["method"], *told[4:])] if other else []) + covering(other)
        return ", ".join(shown)

    def text_of_looks(self):  # each look, with its number at the test data and its result
        for asked, approval, result in self.looks:
            shown = {"look": self.standing.look_number(asked["id"]), "entry": approval["index"]}
            shown.update({**asked, **approval["payload"]["grant"]})
            yield {**shown, "result": "evaluated at entry %d" % result["index"] if result else "no result"}

    def text_of_times(self):  # when criteria, approval and result were there, and who says so
        by = self.by
        ends = (("criteria", "criteria", by["request"]["index"]), ("approval", "approval", by["evaluation"]["index"]))
        for name, role, end in (*ends, ("result", "evaluation", None)):
            index, seen = by[role]["index"], self.done("time.attested", end)
            seen = [one["index"] for one in seen if one["index"] > index and one["payload"]["size"] > index]
            yield name, index, by[role]["time"], "attested at entry %d" % seen[0] if seen else "the machine's own time"

# ---------------------------------------------------------------- the pack

class Pack:
    """A pack as it is judged: its files, what is trusted (None: nothing), and what its log says."""

    def __init__(self, files, trust):
        self.files, self.trust, self.bodies, self.leaves, self.origin = files, trust, [], [], ""
        self.people, self.standing, self.layout, self.release, self.reading = People(), Standing(), 1, None, ""

    def check_bag(self):  # BagIt: every file is named once with its SHA-512, and nothing else is there
        files = self.files
        for name in (TAG, *TAGGED):
            need(name in files, name + " is missing")
        payload = {name for name in files if name.startswith("data/")}
        for manifest, present in ((TAG, set(TAGGED)), ("manifest-sha512.txt", payload)):
            listed = read_manifest(files, manifest)
            for name in sorted({*listed, *present}):
                need(name in present, "%s is missing: %s names it", name, manifest)
                need(name in listed, "%s is unexpected: %s does not name it", name, manifest)
                need(hashlib.sha512(files[name]).hexdigest() == listed[name], "%s is changed, says %s", name, manifest)
        for name in sorted(set(files) - payload - {TAG, LIST, *TAGGED}):
            need(SIGNATURE.fullmatch(name), name + " is unexpected: no manifest names it")
        alike = {name.lower(): name for name in sorted(files)}
        for name in sorted(files):
            need(alike[name.lower()] == name, "%s and %s differ in case alone", name, alike[name.lower()])
        need(files["bagit.txt"] == BAGIT, "bagit.txt does not declare BagIt 1.0 in UTF-8")
        info = [LABEL.fullmatch(line.decode("utf-8", "replace")) for line in read_lines(files, "bag-info.txt")]
        labels = {match[1]: match[2] for match in info if match}
        need(len(labels) == len(info), "bag-info.txt has a line that is no label with its value, or a label twice")
        oxum, stated = "%d.%d" % (sum(len(files[name]) for name in payload), len(payload)), labels.get("Payload-Oxum")
        need(stated == oxum, "bag-info.txt states Payload-Oxum %s, and the payload has %s", stated, oxum)
        need(payload, "the pack has no payload file")
        return "%d payload files with the right SHA-512, none missing, none added" % len(payload)

    def check_log(self):  # every entry at its place, signed and permitted, under a checkpoint that is believed
        lines = read_lines(self.files, "data/audit/entries.jsonl")
        need(lines, "the log is empty")
        utf8(self.files[CHECKPOINT], CHECKPOINT)
        self.origin, self.leaves = read_note(self.files[CHECKPOINT])[1], [leaf(line) for line in lines]
        details = read_lines(self.files, "data/audit/details.jsonl")
        for index, pair in enumerate(zip(lines, details)):  # noqa: B905  the number is compared later
            entry, where = parse(pair[0], "entry %d" % index), "entry %d" % index
            with naming(where, " is malformed", KeyError, TypeError, ValueError, AttributeError, IndexError):
                self.check_entry(entry, index, pair[1])
            self.bodies.append(entry["body"])
        need(len(details) == len(lines), "data/audit/details.jsonl has too few or too many lines")
        bare = {i for i, held in enumerate(details) if held == b"null" and self.bodies[i]["details"]} - self.people.erased
        need(not bare, "the details of entry %s are missing, and no later entry erased them", bare and min(bare))
        size, root = believe(self.files[CHECKPOINT], self.trust, self.people, self.origin, self.leaves)
        told = "the checkpoint covers %d entries, %d are here: entry %d is missing or was added"
        need(size == len(lines), told, size, len(lines), min(size, len(lines)))
        need(root == merkle_root(self.leaves), "the Merkle root is not the one in the checkpoint")
        words = "%d entries of %s, in order, each signed and permitted by %s; the Merkle root is the signed one"
        return "; ".join([words % (size, self.origin, self.standing.words()), *self.standing.restores])

    def check_entry(self, entry, index, held):  # one entry at its place, with its details (`null`: erased, or none)
        fit(entry, "entry", "not an audit entry: it")
        body, people, gone = entry["body"], self.people, held == b"null"
        need(body["index"] == index, "missing: entry %s is in its place", body["index"])
        need(body["log"] == self.origin, "belongs to another log")
        need(not index or body["time"] >= self.bodies[-1]["time"], "dated before the entry that precedes it")
        need(gone or sha256(held) == body["details"], "its details are changed")
        check_payload(body, None if gone else fit(parse(held, "its details"), "details", "its details")["payload"])
        if index == 0:
            need(body["action"] == "log.created" and body["outcome"] == "completed", "does not create the log")
            people.follow(body)
        actor = people.key(body["key"], index)
        need(actor["id"] != "log" or body["action"] in BY_LOG or self.standing.table, "the log itself may not sign this")
        need(actor["id"] == body["actor"], "the key is that of %s, not of %s", actor["id"], body["actor"])
        need(signed_by(actor["signing_key"], canonical(body), entry["signature"]), "changed, or not signed by " + body["actor"])
        self.standing.admit(body, people, actor)
        if index:
            people.follow(body)
        if completed([body], "log.restored"):
            said = (body["payload"]["size"], unbase64(body["payload"]["root"]))
            need(said == (index, merkle_root(self.leaves[:index])), "the restore follows other entries than those before it")

    def check_layout(self):  # which layout the pack has, and that its log and the trust file allow it
        prepared = completed(self.bodies, "release.prepare")
        if prepared and self.standing.table:
            self.layout, self.release = prepared[-1]["payload"]["layout"], Release(self)
        need(self.layout in {1, 2}, "the log names layout %s, which this file does not know", self.layout)
        told, asked = "the pack is of layout %d, and %s requires layout %d", self.trust["layout"] if self.trust else 1
        need(self.layout > 1 or not self.standing.table, told, self.layout, self.standing.words(), 2)
        need(self.layout >= asked, told, self.layout, "the trust file", asked)
        return "layout %d" % self.layout

    def check_proofs(self):  # each .tlog-proof leads from its entry to a signed checkpoint
        names = [name for name in sorted(self.files) if name.startswith("data/audit/proofs/")]
        need(names, "there are no inclusion proofs")
        for name in names:
            with naming(name):
                index, path, note, extra = read_proof(self.files[name], name)
                need(extra is None and name == "data/audit/proofs/%d.tlog-proof" % index, "it is malformed")
                judged = note == self.files[CHECKPOINT]  # that one was judged with the log
                told = read_note(note)[2:4] if judged else believe(note, self.trust, self.people, self.origin, self.leaves)
                need(index < min(told[0], len(self.leaves)), "it is for no entry of this log")
                same = judged or (told[0] <= len(self.leaves) and merkle_root(self.leaves[: told[0]]) == told[1])
                need(same, "two histories: its checkpoint is not of the first entries of this log")
                need(root_from(self.leaves[index], index, told[0], path) == told[1] and not path, "it does not hold")
        return "%d inclusion proofs lead to a signed checkpoint" % len(names)

    def check_provenance(self):  # every result is the recorded output of an action; in layout 1 each run has an event
        made = {item["digest"] for body in self.bodies if body["outcome"] == "completed" for item in body["outputs"]}
        results = [name for name in sorted(self.files) if name.startswith(MADE) and name not in {ODOMETER, EVENTS}]
        for name in results:
            need(sha256(self.files[name]) in made, name + " has no entry in the log")
        if self.layout > 1:
            people, name = self.people, "data/audit/identities.json"
            usual = {"encryption_key": None, "demo": False}
            held = [{"identity": {**usual, **one}, "from": at, "until": end} for one, at, end in people.by_key.values()]
            known = {"demo": people.demo, "log": self.bodies[0]["log"], "log_key": people.log_key(len(self.bodies))}
            same = read_json(self.files[name], name) == {**known, "identities": held}
            need(same, name + " does not state the people and keys of the log")
        runs = {read_json(line, EVENTS)["run"]["runId"] for line in self.files.get(EVENTS, b"").splitlines()}
        bare = [one["index"] for one in self.bodies if one["context"]["openlineage_run"] not in runs | {None}]
        need(self.layout > 1 or not bare, "entry %s has no event in %s", bare and bare[0], EVENTS)
        need(results, "the pack has no result of an action")
        return "%d results, each the recorded output of an action" % len(results)

    def check_openings(self):  # looks under the rules of 0.1.0, and their number; later ones were judged by `Standing`
        approved, opened = set(), []
        for body in [one for one in self.bodies[: self.standing.adopted] if one["outcome"] == "completed"]:
            with naming("entry %d" % body["index"]):
                self.check_opening(body, body["payload"], approved, opened)
        looks, told = len(self.standing.looks), "%s does not state the %d look(s) that the log holds"
        need(canonical(read_json(self.files[ODOMETER], ODOMETER)) == b'{"openings":%d}' % looks, told, ODOMETER, looks)
        return "%d look(s) at the test set, each after criteria, request and another person's approval" % looks

    def check_opening(self, body, payload, approved, opened):  # `approved` and `opened` name the requests so far
        action, index, standing = body["action"], body["index"], self.standing
        if action == "test-set.request":
            asked = payload["request"]
            fine = standing.at("request", asked["id"], index) == index and asked["requester"] == body["actor"]
            need(fine, "asks a second time or for another person")
            need(standing.at("plan", asked["plan"], index) < index, "asks under an analysis plan that was not registered before")
        elif action == "test-set.approve":
            grant = payload["grant"]
            need(standing.at("request", grant["request"], index) < index, "approves what was not requested before")
            asked = standing.said("request", grant["request"])
            said = open_envelope(grant["envelope"], self.people, index)
            need(said["signer"] == grant["approver"] != asked["requester"], "not approved by another person")
            need(digest_of(asked) in [item["digest"] for item in said["subjects"]], "approves another request")
            approved.add(grant["request"])
        elif action == "test-set.open":
            name, asked = payload["request"], standing.said("request", payload["request"])
            need(name in approved, "opens the test set without another person's approval")
            need(name not in opened, "opens the test set a second time on one approval")
            need(body["actor"] == asked["requester"], "opens what was granted to another person")
            need(body["time"] <= asked["expires"], "opens the test set after the request had expired")
            need(body["context"]["model"] in {None, asked["model"]}, "opens the test set for another model")
            standing.look_left(asked, opened)
            opened.append(name)
        elif action == "evaluation":
            need(payload["request"] in opened, "evaluates on the test set without having opened it")

    def attestations(self):  # checkpoints that trusted witnesses saw: entry, size, and by whom and when, in words
        # a token of a time authority is beyond the standard library; `minivess release verify` checks it
        for body in completed(self.bodies, "time.attested") if self.trust else ():
            with contextlib.suppress(WrongError, KeyError, TypeError):
                said, note = body["payload"], body["payload"]["note"].encode()
                _, origin, size, root, _ = read_note(note)
                fits = (said["kind"], origin, said["size"]) == ("cosignature", self.origin, size) and 0 < size <= body["index"]
                need(fits and root == merkle_root(self.leaves[:size]), "of another log or history")
                seen = vouching_for(note, self.trust)
                need(seen and vouches(self.trust["quorum"], self.trust, seen), "too few witnesses")
                names = ", ".join(sorted(self.trust["witnesses"][place][0] for place in seen))
                latest = datetime.datetime.fromtimestamp(max(seen.values()), UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
                yield body["index"], size, "attested by %s, %s at the latest" % (names, latest)

    def look_times(self):  # of each look, which phases others saw before the next
        standing, words, attested = self.standing, [], [*self.attestations()]

        def phase(name, place, before):
            seen = [told for index, size, told in attested if size > place and index < before]
            return "%s: %s" % (name, seen[0] if seen else "the machine's own time, " + self.bodies[place]["time"])

        for name in [one for one in standing.looks if ("request", one) in standing.first]:
            request, asked = standing.said("request", name), standing.at("request", name, 0)
            fixed = max(standing.at(kind, request[kind], asked) for kind in ("criteria", "plan"))
            approval = phase("approval", standing.at("look", name, 0), standing.at("result", name, len(self.bodies)))
            words.append("look %d (%s): %s; %s" % (standing.look_number(name), name, phase("criteria", fixed, asked), approval))
        return ". ".join(words) or "there was no look at the test set"

    def check_signatures(self):  # the release policy is met by distinct people who signed this very tag manifest
        files, people, trust = self.files, self.people, self.trust
        names = [name for name in sorted(files) if name.startswith("signatures/") and name.endswith(".json")]
        need(names, "the pack is not signed")
        self.check_pairs([name[11:-10] for name in names])
        policy = fit(read_json(files[POLICY], POLICY), "policy", POLICY)["policy"]
        need(len(policy["rules"]) >= 2, POLICY + " asks for fewer than two signatures; a release needs two people")
        subject, signed = [{"name": TAG, "digest": sha256(files[TAG])}], {}
        for name in names:
            with naming(name):
                envelope = parse(files[name], name)
                said = open_envelope(envelope, people, people.size)
                who = said["signer"]
                need(who not in signed, who + " signed twice; each signature needs another person")
                need(name == "signatures/%s.dsse.json" % who, name + " holds the signature of " + who)
                need(said["policy"] == policy["name"] and said["subjects"] == subject, who + " signed something else")
                need(said["head"] >= people.size, who + " signed on an older log than the one in the pack")
                need(people.demo or not said["demo"], who + " signed with demo keys")
                trusted = not trust or signer_of(people.key(envelope["signatures"][0]["keyid"], people.size)) in trust["signers"]
                need(trusted, who + " signed, but is not among the people you trust with this key and these roles")
                if self.release:
                    need(said["shown"] == sha256(files[TEXT]), "%s was shown another text than %s", who, TEXT)
                    self.check_logged("signatures/%s.tlog-proof" % who, envelope, who)
            signed[who] = said
        needed = self.check_required(policy["rules"], [(said["role"], said["meaning"]) for said in signed.values()])
        self.check_list(signed)
        words = ["%(printed_name)s (%(role)s, %(meaning)s)" % said for said in signed.values()]
        note = ". DEMO KEYS: this proves nothing about a real device" if people.demo else ""
        return "%d of %d required signatures: " % (needed, needed) + " and ".join(words) + self.check_holders() + note

    def check_required(self, rules, signed):  # of each kind as many signatures as the source that requires most of them
        trusted, least = self.trust["rules"] if self.trust else [], LEAST_RULES if self.release else []
        asked = {"the release policy": rules, "the trust file": trusted, "the built-in rules": least}
        counts = {name: [(one["role"], one["meaning"]) for one in rules] for name, rules in asked.items()}
        for rule in [rule for rules in counts.values() for rule in rules]:
            short = [name for name, rules in counts.items() if rules.count(rule) > signed.count(rule)]
            need(not short, "a signature is missing: %s by %s (required by %s)", rule[1], rule[0], ", ".join(short))
        return sum(max(rules.count(rule) for rules in counts.values()) for rule in set().union(*counts.values()))

    def check_pairs(self, signers):  # proofs and list are of layout 2, and each signature has its proof
        proofs = sorted(name for name in self.files if name.startswith("signatures/") and name.endswith(".tlog-proof"))
        odd = [name for name in [*proofs, LIST] if name in self.files and not self.release]
        need(not odd, "%s is unexpected in a pack of layout 1", ", ".join(odd))
        for who in [name[11:-11] for name in proofs]:
            need(who in signers, "signatures/%s.tlog-proof is a proof without signatures/%s.dsse.json", who, who)
        for name, who in [("signatures/%s.tlog-proof" % who, who) for who in signers if self.release]:
            need(name in proofs, "%s is missing: nothing proves that the log has the signature of %s", name, who)

    def check_list(self, signed):  # SIGNATURES.txt follows from the signatures
        told, text = "%(name)s (%(signer)s), %(at)s UTC, %(meaning)s, %(role)s\n", ""
        for said in sorted(signed.values(), key=lambda said: (said["time"], said["signer"])):
            name, at = re.sub("[\x00-\x1f\x7f-\x9f\u2028\u2029]", "?", said["printed_name"]), said["time"]
            text += told % {**said, "name": name, "at": at[:10] + " " + at[11:19]}
        need(not self.release or self.files[LIST] == text.encode(), LIST + " is not the list of the signatures in the pack")

    def check_logged(self, name, envelope, who):  # a signature is an entry of a later log that continues the pack's
        size, keyid = len(self.leaves), envelope["signatures"][0]["keyid"]
        with naming(name):
            index, path, note, extra = read_proof(self.files[name], name)
            later, root = believe(note, self.trust, self.people, self.origin, self.leaves)
            held = fit(parse(extra or b"", "the extra data"), "logged", "the extra data")
            entry, proof = held["entry"], [unbase64(item) for item in held["consistency"]]
            need(size <= index < later, "entry %d is not between those of the pack and of its checkpoint", index)
            told = "its log of %d entries does not continue the %d entries of the pack"
            need(continues(size, later, proof, read_note(self.files[CHECKPOINT])[3], root), told, later, size)
            holds = root_from(leaf(canonical(entry)), index, later, path) == root and not path
            need(holds, "entry %d does not lead to its checkpoint", index)
            body = entry["body"]
            told = [body[field] for field in ("index", "log", "actor", "key", "action", "outcome")]
            fits = told == [index, self.origin, who, keyid, "release.sign", "completed"]
            need(fits, "entry %d is not the signature of %s in this log", index, who)
            check_payload(body, None)
            said = {"version": self.release.prepared["device"]["version"], "tag_manifest": sha256(self.files[TAG])}
            need(body["payload"] == {**said, "envelope": envelope}, "entry %d is of another signature, version or pack", index)
            holds = signed_by(self.people.key(keyid, size)["signing_key"], canonical(body), entry["signature"])
            need(holds, "entry %d is not signed by %s", index, who)

    def check_holders(self):  # every holder of the test set's key, who was not revoked, cosigned the pack's checkpoint
        standing, note, valid = self.standing, self.files[CHECKPOINT], [item["id"] for item in self.people.valid()]
        holders = [who for who in standing.sealed.get(standing.judged, []) if who in valid]
        for name in sorted(name for name in self.files if name.endswith(".cosignature")):
            need(name[11:-12] in holders, "%s is unexpected: it is by nobody who holds the key of the test set", name)
        for holder in holders:
            need(holder in standing.witnesses, "the log does not know with which key %s cosigns", holder)
            key, line = standing.witnesses[holder], self.files.get("signatures/%s.cosignature" % holder)
            need(line or cosigned(note, *key), holder + " has not cosigned the pack's checkpoint")
            fits = not line or (line.count(b"\n") == 1 and cosigned(note + line, *key))
            need(fits, "the cosignature of %s is not one line by the key that the log knows", holder)
        return "; the checkpoint is cosigned by " + ", ".join(holders) if holders else ""

def check_payload(body, told):  # a payload has the fields of its action, in the entry or in its details (`told`)
    action, payload = body["action"], body["payload"]
    need(action in FIELDS, "unknown action %s", action)
    apart = FIELDS[action].startswith("* ")
    need(not (payload if apart else told), "its payload belongs into " + ("its details" if apart else "the entry itself"))
    erased, payload = apart and told is None and body["details"] is not None, told or {} if apart else payload
    if not erased and (payload or body["outcome"] == "completed"):
        fit(payload, action, "the payload of " + action)

# ---------------------------------------------------------------- the verdict

CHECKS = {
    "bag": ("pack", "check_bag"),
    "log": ("pack", "check_log"),
    "layout": ("pack", "check_layout"),
    "chain": ("release", "check_chain"),
    "files": ("release", "check_files"),
    "source": ("release", "check_source"),
    "soup": ("release", "check_soup"),
    "figures": ("release", "check_figures"),
    "gates": ("release", "check_gates"),
    "signing text": ("release", "check_text"),
    "proofs": ("pack", "check_proofs"),
    "provenance": ("pack", "check_provenance"),
    "lineage": ("release", "check_lineage"),
    "test-set odometer": ("pack", "check_openings"),
    "look times": ("pack", "look_times"),
    "release signatures": ("pack", "check_signatures"),
}
"""The checks in order; those of a release only where the pack is of layout 2."""
NEXT, NOT_IN_LAYOUT_1 = (
    {**dict.fromkeys(("log", "layout"), "nothing"), **dict.fromkeys(("chain", "files", "source", "figures", "gates"), "proofs")},
    "chain, files, source, soup, figures, gates, signing text, lineage, logged signatures",
)
"""Where judgement goes on after a check that failed, if not with the next one; and which checks a pack of layout 1 has not."""

def attempt(check, pack=None):  # whether a check holds, and its words
    try:
        return True, check()
    except WrongError as error:
        return False, str(error)
    except Exception as error:
        words = "%s is missing" % error.args[0] if isinstance(error, KeyError) else None
        return False, (pack.reading if pack else "") + (words or "something is malformed (%s)" % type(error).__name__)

def read_pack(target):  # files of a pack, and how they were kept
    if target.is_dir():
        return read_folder(target), "an unpacked folder; only its files are judged, not an archive"
    need(target.stat().st_size <= LIMIT_BYTES + (1 << 26), "the archive is larger than 1 GiB")
    files = read_zip(target.read_bytes())
    return files, "%d files, and the archive has exactly the bytes that they require" % len(files)

class Judgement:
    """The checks of a pack in order (name, whether it holds, words), and the verdict."""

    def __init__(self, trusted):
        self.trusted, self.checks, self.pack = trusted, [], None

    def read(self, target):  # judge a pack as a file or folder
        held, read = attempt(lambda: read_pack(target))
        self.checks.append(("archive", held, read[1] if held else read))
        return self.judge(read[0]) if held else self

    def judge(self, files):  # judge the files of a pack
        self.pack, resume = Pack(files, self.trusted), None
        for name, (of, check) in CHECKS.items():
            judged = self.pack.release if of == "release" else self.pack
            if judged and resume in {None, name}:
                self.pack.reading = ""
                self.checks.append((name, *attempt(getattr(judged, check), self.pack)))
                resume = None if self.checks[-1][1] else NEXT.get(name)
        return self

    def verdict(self, layout=None):  # state, words and exit code. `layout`: the least one that is enough for LIMITED
        failed = [name for name, held, _ in self.checks if not held]
        if failed or not self.pack:
            return "NOT VERIFIED", ", ".join(failed) + " failed", 1
        rules = ["the trust file names no release rules"] if self.trusted and not self.trusted["rules"] else []
        limits = ["not checked in a pack of layout 1: " + NOT_IN_LAYOUT_1] * (self.pack.layout == 1) + rules
        source = self.pack.release.prepared["source"] if self.pack.release else {}
        if source.get("not_releasable"):
            return "NOT RELEASABLE", "every check passed; " + ", ".join(source["not_releasable"]), 1
        enough = not limits or (not rules and layout is not None and self.pack.layout >= layout)
        words = "; ".join(["every check passed", *limits]) + (self.pack.release.waived if self.pack.release else "")
        return "LIMITED" if limits else "VERIFIED", words, 0 if enough else 1

def main(arguments):
    """Parse the command line, judge, and say the verdict."""
    sys.stdout.reconfigure(errors="backslashreplace")
    parser = argparse.ArgumentParser(description="Verify an evidence pack.")
    parser.add_argument("pack", nargs="?", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("--trust", type=Path, help="trust file: keys, witnesses and people you trust")
    parser.add_argument("--allow-layout", type=int, help="exit code 0 for LIMITED too, if only such a layout limits it")
    options = parser.parse_args(arguments)
    if not options.pack.exists():
        parser.error("%s does not exist" % options.pack)
    if options.pack == parser.get_default("pack") and not (options.pack / "bagit.txt").is_file():
        parser.error("name the pack: this file is not in an unpacked one")
    trusted, keys = None, "the pack's own keys: this shows that it is whole, not who made it (use --trust)"
    if options.trust:
        try:
            data = options.trust.read_bytes()
            trusted, keys = read_trust(data), "the trust file %s (%s)" % (options.trust.name, sha256(data)[:19])
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, WrongError):
            parser.error("%s is not a trust file" % options.trust)
    judgement = Judgement(trusted).read(options.pack)
    for name, held, words in judgement.checks:
        print("%-4s  %-18s  %s" % ("ok" if held else "FAIL", name, plain_text(words)))
    state, words, code = judgement.verdict(options.allow_layout)
    print("keys: %s\nVERDICT: %s: %s" % (plain_text(keys), state, plain_text(words)))
    return code

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
