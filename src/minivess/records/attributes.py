"""Attributes of cases, from which subgroups are made: disease, sex, age band and others. None says who is in an image.

Site, scanner and modality are fields of a case of their own. An age is recorded as a band of ten years; from 90 years on there
is one band (HIPAA Privacy Rule, 45 CFR 164.514(b)(2)(i)(C)).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from minivess.foundation.implements import implements
from minivess.records.base import Slug

NOT_STATED = "not stated"
"""The subgroup of the cases that do not state an attribute."""
MOST = 16
"""Attributes of a case."""
FIELDS = ("age", "sex", "disease", "site", "scanner", "modality", "depth", "reference_size", "class")
"""Attributes that have fields of their own, or are derived."""
_OLDEST, _BAND = 90, 10
_IDENTIFYING = frozenset(
    {"accession", "address", "birth", "birthdate", "birthday", "birthyear", "date", "dob", "email", "id", "identifier"}
    | {
        "initials",
        "insurance",
        "mail",
        "mrn",
        "name",
        "names",
        "passport",
        "patient",
        "person",
        "phone",
        "postcode",
        "ssn",
    }
    | {"telephone", "uid", "zip"}
)
"""Words of names whose values say who is in an image."""
_DATE = re.compile(r"\b(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|\d{6,})\b|@")
"""Dates, long numbers and e-mail addresses."""
_WORDS = re.compile(r"[._-]|(?<=[a-z0-9])(?=[A-Z])")
_PAIR = re.compile(r"\s*([^=;]+?)\s*=\s*([^;]*?)\s*")


def _says_no_one(value: str) -> str:
    if _DATE.search(value):
        raise ValueError(
            "an attribute has no date, no number of six or more digits and no address: state a band or a group"
        )
    if value.lower() == NOT_STATED:
        raise ValueError(f"leave an attribute out that is {NOT_STATED}")
    return value


AttributeValue = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,60}$", strip_whitespace=True)]
"""What a case has for an attribute, in one line."""

StatedValue = Annotated[AttributeValue, AfterValidator(_says_no_one)]
"""The same as a project states it: a group of cases, for example `stage 2`."""


def _checked(stated: dict[str, str]) -> dict[str, str]:
    for name in stated:
        if {word.lower() for word in _WORDS.split(name)} & _IDENTIFYING:
            raise ValueError(f"the attribute {name} can say who is in an image: leave it out")
        if name.lower() in FIELDS:
            raise ValueError(f"{name} is no further attribute: it has a field of its own, or is derived")
    return dict(sorted(stated.items()))


def _from_text(stated: Any) -> Any:
    """The attributes of a cell of a table: `stain=DAPI; strain=C57BL`."""
    if not isinstance(stated, str):
        return stated
    pairs = [_PAIR.fullmatch(part) for part in stated.split(";") if part.strip()]
    names = [pair[1] for pair in pairs if pair is not None]
    if None in pairs or len(set(names)) < len(names):
        raise ValueError("attributes are written as `name=value; other=value`, each name once")
    return {pair[1]: pair[2] for pair in pairs if pair is not None}


StatedAttributes = Annotated[
    dict[Slug, StatedValue], Field(max_length=MOST), BeforeValidator(_from_text), AfterValidator(_checked)
]
"""Further attributes, as a project states them."""

Attributes = Annotated[
    dict[Slug, AttributeValue],
    Field(max_length=MOST + len(FIELDS), exclude_if=lambda held: not held),
    AfterValidator(lambda held: dict(sorted(held.items()))),
]
"""The attributes of a case in order of name; left out of the JSON where there is none."""


@implements("REQ-414")
def age_band(years: float) -> str:
    """The band of an age: `60 to 69 years`; from 90 on `90 years and over`.

    Args:
        years: from 0 on.
    """
    if years >= _OLDEST:
        return f"{_OLDEST} years and over"
    first = int(years) // _BAND * _BAND
    return f"{first} to {first + _BAND - 1} years"


def together(further: Mapping[str, str], **fields: str | None) -> dict[str, str]:
    """Further attributes and those of fields, without what is not stated, in order of name."""
    stated = {name: value for name, value in fields.items() if value is not None}
    return dict(sorted({**further, **stated}.items()))
