"""Clauses of standards, as documents cite them."""

from __future__ import annotations

import re

from minivess.foundation.errors import InputError

_STANDARDS = (
    r"IEC 62304(?::2006\+A1:2015)?",
    r"IEC 62366-1(?::2015\+A1:2020)?",
    r"IEC 81001-5-1(?::2021)?",
    r"IEC 82304-1(?::2016)?",
    r"ISO 14971(?::2019)?",
    r"ISO 13485(?::2016)?",
    r"ISO/TR 24971(?::2020)?",
    r"BS/AAMI 34971",
    r"21 CFR",
    r"MDR \(EU\) 2017/745",
    r"AI Act \(EU\) 2024/1689",
    r"FDA guidance \(\d{4}\)",
    r"FD&C Act section",
    r"CycloneDX",
    r"Croissant",
    r"RFC",
)
_WHERE = r"(?:clauses? |[Aa]nnex(?:es)? |Article )"
_CLAUSES = rf"(?:,? ?{_WHERE}?[0-9A-Z]+(?:\.[0-9]+)*[A-Z]?(?: [a-z]\b)?(?:\([a-z0-9]+\))*)*"
_CITATION = re.compile(rf"(?:{'|'.join(_STANDARDS)}){_CLAUSES}")


def cite(text: str) -> str:
    """A citation, unchanged.

    Args:
        text: `IEC 62304 5.2.3, 5.2.6`.

    Raises:
        InputError: it is no clause of a standard that documents cite.
    """
    if not _CITATION.fullmatch(text):
        raise InputError(f"{text!r} is no clause of a standard that documents cite", hint="for example IEC 62304 5.2.3")
    return text
