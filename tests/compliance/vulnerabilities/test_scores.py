"""Base scores of CVSS version 3: the published examples, and what holds for every vector."""

from __future__ import annotations

from itertools import product

import pytest

from minivess.compliance.vulnerabilities.cvss import base_score, rating

pytestmark = pytest.mark.verifies("REQ-533", "SU-191")

HARM = ("N", "L", "H")


@pytest.mark.parametrize(
    ("vector", "score", "severity"),
    [  # FIRST, CVSS v3.1 examples
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0, "critical"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8, "critical"),
        ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", 9.9, "critical"),
        ("CVSS:3.1/AV:A/AC:L/PR:N/UI:N/S:C/C:H/I:N/A:H", 9.3, "critical"),
        ("CVSS:3.1/AV:L/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", 7.8, "high"),
        ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4, "medium"),
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1, "medium"),
        ("CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 6.8, "medium"),
        ("CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N/E:P/RL:O", 3.1, "low"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0, "none"),
    ],
)
def test_published_scores(vector: str, score: float, severity: str) -> None:
    assert base_score(vector) == score
    assert rating(score) == severity


def test_every_vector_has_a_score_of_one_decimal_that_grows_with_the_harm() -> None:
    for av, ac, pr, ui, scope in product("NALP", "LH", "NLH", "NR", "UC"):
        scores = {}
        for harm in product(range(3), repeat=3):
            named = "/".join(f"{name}:{HARM[level]}" for name, level in zip("CIA", harm, strict=True))
            score = base_score(f"CVSS:3.1/AV:{av}/AC:{ac}/PR:{pr}/UI:{ui}/S:{scope}/{named}")
            assert score is not None
            assert 0 <= score <= 10
            assert round(score * 10) == score * 10 or abs(score * 10 - round(score * 10)) < 1e-9
            scores[harm] = score
        for harm, score in scores.items():
            more = [tuple(min(level + (place == n), 2) for n, level in enumerate(harm)) for place in range(3)]
            assert all(scores[one] >= score for one in more)


@pytest.mark.parametrize(
    "vector", ["", "AV:N/AC:L", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N", "CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"]
)
def test_other_vectors_have_no_score(vector: str) -> None:
    assert base_score(vector) is None
