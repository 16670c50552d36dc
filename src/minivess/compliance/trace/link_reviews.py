"""Reviews of links: what a link pointed to when a person looked at it, and whether that is still so.

`requirements/reviews.txt` holds a line a reviewed link: the item, its field, what it names, and the digest of that at the
time of the review. It is written by `minivess trace review`, which records the same lines in a signed entry. A link whose
target has changed since is suspect until it is reviewed again.

A link may also lead beyond text: an item that `rests_on` the data set, the weights or the policy is suspect when the digest
of that differs from the reviewed one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from minivess.compliance.items.items import Items
from minivess.foundation.digests import digest_json
from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited, write_text_atomic
from minivess.foundation.implements import implements
from minivess.records.items.items import Item
from minivess.records.items.kinds import links_of

REVIEWS = "requirements/reviews.txt"
RESTS_ON = "rests_on"
State = Literal["reviewed", "suspect", "unreviewed"]

_LIMIT = 64 << 20
_LINE = re.compile(r"([A-Z]+-[0-9]+) ([a-z_]+) ([A-Za-z0-9._-]+) (sha256:[0-9a-f]{64})\Z", re.ASCII)
_HEAD = (
    "# What links pointed to when they were reviewed. Written by `minivess trace review`, which signs the same lines.\n"
)


class LinkKey(NamedTuple):
    """A link: the item, its field, and the id (or with `rests_on` the artifact) it names."""

    item: str
    field: str
    target: str

    def __str__(self) -> str:
        return " ".join(self)


def read_reviews(source: Path) -> dict[LinkKey, str]:
    """The reviewed digest of each link; empty when nothing was reviewed yet.

    Raises:
        InputError: a line is malformed or stands twice; with its number.
    """
    path = source / REVIEWS
    if not path.exists():
        return {}
    found: dict[LinkKey, str] = {}
    for number, line in enumerate(read_limited(path, limit=_LIMIT).decode("utf-8", "replace").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        match = _LINE.match(line)
        key = LinkKey(match[1], match[2], match[3]) if match else None
        if match is None or key is None or key in found:
            what = "is no review of a link" if match is None else f"reviews {key} a second time"
            raise InputError(what, path=REVIEWS, line=number, hint="let `minivess trace review` write this file")
        found[key] = match[4]
    return found


def write_reviews(source: Path, reviews: Mapping[LinkKey, str]) -> None:
    """Write all reviews, in order.

    Raises:
        CannotWriteError: the file cannot be written.
    """
    lines = [f"{key} {digest}\n" for key, digest in sorted(reviews.items())]
    write_text_atomic(source / REVIEWS, _HEAD + "".join(lines))


def item_digest(item: Item) -> str:
    """The digest of what an item says: all of it but where it stands."""
    return digest_json(item.model_dump(mode="json", exclude={"source"}))


@implements("REQ-067")
def link_digests(items: Items, artifacts: Mapping[str, str]) -> dict[LinkKey, str]:
    """Every link that leads somewhere, with the digest of where it leads now.

    Args:
        items: the items.
        artifacts: digests of what items may rest on, by name; what is not known here is left out.
    """
    digests = {identifier: item_digest(item) for identifier, item in items.by_id.items()}
    found: dict[LinkKey, str] = {}
    for item in items.all():
        for field, target in links_of(item):
            if target in digests:
                found[LinkKey(item.id, field, target)] = digests[target]
        for name in item.rests_on:
            if name in artifacts:
                found[LinkKey(item.id, RESTS_ON, name)] = artifacts[name]
    return found


def states(current: Mapping[LinkKey, str], reviews: Mapping[LinkKey, str]) -> dict[LinkKey, State]:
    """How each link stands: reviewed as it is, changed since its review, or never reviewed."""
    return {
        key: "unreviewed" if key not in reviews else "reviewed" if reviews[key] == digest else "suspect"
        for key, digest in current.items()
    }
