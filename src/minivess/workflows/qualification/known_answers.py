"""Known answers: values that were computed elsewhere, or that a standard publishes, beside what is computed here.

`known-answers.json` holds them, each group with its source.
"""

from __future__ import annotations

import base64
import json
import math
import struct
import zlib
from functools import cache
from typing import Any

from minivess.foundation.implements import implements
from minivess.foundation.reading.packaged_tables import packaged_text
from minivess.workflows.qualification.outcomes import CheckRow, Comparisons

FILE = "known-answers.json"
_MEASURED, _PRINTED = 1e-9, 5e-6
"""How far a measure may be from that of the other implementation; and a quantile from a table with five decimals or more."""


@cache
def stored() -> Any:
    """The stored values.

    Raises:
        CouldNotCheckError: this installation lacks them.
    """
    return json.loads(packaged_text(__package__ or "", FILE))


@implements("REQ-590")
def _merkle(found: Comparisons) -> None:
    """Roots of the reference tree of Certificate Transparency (RFC 6962, 2.1)."""
    from minivess.compliance.proofs.merkle import (
        consistency_proof,
        inclusion_proof,
        leaf_hash,
        root,
        tree_of,
        verify_consistency,
        verify_inclusion,
    )

    leaves = [leaf_hash(bytes.fromhex(leaf)) for leaf in stored()["merkle"]["leaves"]]
    hashes, roots = tree_of(leaves), [bytes.fromhex(one) for one in stored()["merkle"]["roots"]]
    for size, expected in enumerate(roots, start=1):
        found.same(f"root of {size} leaves", root(leaves[:size]).hex(), expected.hex())
        proof = inclusion_proof(hashes, 0, size)
        verify_inclusion(leaves[0], 0, size, proof, expected)
        later = consistency_proof(hashes, size, len(leaves))
        verify_consistency(size, len(leaves), later, expected, roots[-1])
        with found.refused(f"leaf 0 under another root of {size}"):
            verify_inclusion(leaves[0], 0, size, proof, bytes(32))


@implements("REQ-590")
def _canonical(found: Comparisons) -> None:
    """Canonical JSON: the example and the numbers of RFC 8785."""
    from minivess.compliance.proofs.canonical import canonical

    vectors = stored()["canonical"]
    found.same("the example", canonical(json.loads(vectors["source"])), vectors["canonical"].encode("utf-8"))
    for bits, expected in vectors["numbers"].items():
        value = struct.unpack(">d", bytes.fromhex(bits))[0]
        found.same(f"the number {bits}", canonical(value), expected.encode("ascii"))
    for value in (math.nan, math.inf):
        with found.refused(f"the number {value}"):
            canonical(value)


@implements("REQ-590")
def _signatures(found: Comparisons) -> None:
    """Ed25519 (RFC 8032, 7.1) and ECDSA P-256 (RFC 6979, A.2.5)."""
    from minivess.compliance.identity.keys import PrivateKey, p256_signature, verify
    from minivess.records.people.identity import KeyAlgorithm

    for row in stored()["ed25519"]["vectors"]:
        key = PrivateKey.from_secret(KeyAlgorithm.ED25519, bytes.fromhex(row["secret"]))
        message, signature = bytes.fromhex(row["message"]), bytes.fromhex(row["signature"])
        found.same(f"signature of {row['message'] or 'nothing'}", key.sign(message).hex(), row["signature"])
        verify(key.public, message, signature)
        with found.refused("a signature of another message"):
            verify(key.public, message + b"\0", signature)
    row = stored()["p256"]
    key = PrivateKey.from_secret(KeyAlgorithm.P256, bytes.fromhex(row["secret"]))
    r, s, order = (int(row[name], 16) for name in ("r", "s", "order"))
    verify(key.public, row["message"].encode("ascii"), p256_signature(r, min(s, order - s)))
    found.holds("the signature of RFC 6979 was refused", condition=True)
    with found.refused("a P-256 signature of another message"):
        verify(key.public, b"another", p256_signature(r, min(s, order - s)))


@implements("REQ-590")
def _envelopes(found: Comparisons) -> None:
    """The encoding that DSSE signs, by the example of its protocol."""
    from minivess.compliance.proofs.envelope import pae

    row = stored()["dsse"]
    found.same("encoding", pae(row["type"], row["payload"].encode("ascii")), row["encoded"].encode("ascii"))


@implements("REQ-590")
def _statistics(found: Comparisons) -> None:
    """Quantiles of Student's t, exact bounds of shares, and ranks, by published tables and closed forms."""
    from minivess.records.evaluation.statistics.distributions import binomial_upper, lower_rank, student_t

    rows = stored()["statistics"]
    for level, freedom, expected in rows["student_t"]:
        found.close(f"t of {level} with {freedom}", student_t(level, freedom), expected, within=_PRINTED)
    for number in (1, 6, 59, 299):  # nothing failed: (1 - p)^n = 1 - level has a closed form
        expected = 1 - (1 - rows["level"]) ** (1 / number)
        found.close(f"bound of 0 in {number}", binomial_upper(0, number, rows["level"]), expected, within=1e-12)
    for failed, number, level, expected in rows["binomial_upper"]:
        what = f"bound of {failed} in {number}"
        found.close(what, binomial_upper(failed, number, level), expected, within=_PRINTED)
    for number, quantile, confidence, rank in rows["lower_rank"]:
        found.same(f"rank in {number}", lower_rank(number, quantile, confidence), rank)


@implements("REQ-590")
def _measures(found: Comparisons) -> None:
    """Measures of pairs of masks, beside those of MetricsReloaded."""
    import numpy as np

    from minivess.ml.measures.case_pairs import CasePair
    from minivess.ml.measures.registry import measure_values
    from minivess.records.evaluation.evaluation import Conventions

    rows = stored()["measures"]
    for pair in rows["pairs"]:
        shape = tuple(pair["shape"])

        def mask(name: str, shape: tuple[int, ...] = shape, pair: dict[str, Any] = pair) -> Any:
            packed = np.frombuffer(zlib.decompress(base64.b64decode(pair[name])), np.uint8)
            return np.unpackbits(packed, count=math.prod(shape)).reshape(shape).astype(bool)

        masks = CasePair.of(mask("prediction"), mask("reference"), tuple(pair["spacing"]))
        values = measure_values(masks, Conventions(tolerance=rows["tolerance"], unit="um"), pair["values"])
        for name, expected in pair["values"].items():
            found.close(f"{name} of {pair['name']}", values[name], expected, within=_MEASURED)


KNOWN_ANSWERS = (
    CheckRow("merkle-trees", "Roots and proofs of the tree of RFC 6962", _merkle),
    CheckRow("canonical-json", "Canonical JSON of RFC 8785", _canonical),
    CheckRow("signatures", "Signatures of RFC 8032 and RFC 6979", _signatures),
    CheckRow("envelopes", "Encoding of DSSE envelopes", _envelopes),
    CheckRow("statistics", "Quantiles, exact bounds and ranks", _statistics),
    CheckRow("measures", "Measures beside those of another implementation", _measures),
)
"""Checks against values from elsewhere."""
