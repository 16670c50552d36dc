"""What installed packages say about themselves: licence (normalised to SPDX where it can be), supplier, home page."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from functools import lru_cache

_SYNONYMS = {
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache software license 2.0": "Apache-2.0",
    "mit license": "MIT",
    "the mit license": "MIT",
    "3-clause bsd license": "BSD-3-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "new bsd": "BSD-3-Clause",
    "modified bsd": "BSD-3-Clause",
    "bsd 2-clause license": "BSD-2-Clause",
    "psfl": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "isc license (iscl)": "ISC",
    "isc license": "ISC",
    "the unlicense (unlicense)": "Unlicense",
    "zope public license": "ZPL-2.1",
    "gnu general public license v2 (gplv2)": "GPL-2.0-only",
}
_LONGEST_NAME = 60
_HOME_LABELS = ("homepage", "home", "home page", "source", "source code", "repository", "documentation")


@dataclass(frozen=True)
class About:
    """What is known about an installed package; empty where it says nothing (or another version is installed)."""

    licence: str = ""
    """An SPDX id or expression, or else the package's own short words."""
    supplier: str = ""
    home_page: str = ""
    summary: str = ""


@lru_cache(maxsize=4096)
def about(name: str, version: str) -> About:
    """Read the installed metadata of `name`, if exactly `version` is installed; once in a process."""
    try:
        metadata = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return About()
    if metadata["Version"] != version:
        return About()
    fields = {key: _field(metadata, key) for key in ("License-Expression", "License", "Summary")}
    classifiers = [
        text.split("::")[-1].strip() for text in metadata.get_all("Classifier") or [] if text.startswith("License ::")
    ]
    links = dict(_link(text) for text in metadata.get_all("Project-URL") or [])
    home = _field(metadata, "Home-page")
    return About(
        licence=licence(fields["License-Expression"], fields["License"], classifiers),
        supplier=_supplier(metadata),
        home_page=_web(home) or next((_web(links[label]) for label in _HOME_LABELS if _web(links.get(label, ""))), ""),
        summary=" ".join(fields["Summary"].split())[:200],
    )


def licence(expression: str, text: str, classifiers: list[str]) -> str:
    """Choose and normalise: the SPDX expression (PEP 639), else a short licence field, else the classifiers.

    A licence field that holds the licence's whole text is passed over. Vague words ("BSD") stay as they are: naming a
    variant that the package did not name would be an invention.
    """
    from cyclonedx import spdx

    if expression and spdx.is_expression(expression):
        return expression
    first = " ".join(text.split())
    candidates = [first] if first and len(first) <= _LONGEST_NAME and first.upper() != "UNKNOWN" else []
    candidates += [name for name in classifiers if name != "OSI Approved"]
    for candidate in candidates:
        known = _SYNONYMS.get(candidate.lower()) or spdx.fixup_id(candidate)
        if known:
            return known
        if any(word in candidate for word in (" AND ", " OR ", " WITH ")) and spdx.is_expression(candidate):
            return candidate
    return candidates[0] if candidates else ""


def _field(metadata: importlib.metadata.PackageMetadata, name: str) -> str:
    return next(iter(metadata.get_all(name) or []), "")


def _link(text: str) -> tuple[str, str]:
    label, _, url = text.partition(",")
    return label.strip().lower(), url.strip()


def _web(url: str) -> str:
    return url if url.startswith(("https://", "http://")) and not any(c.isspace() for c in url) else ""


def _supplier(metadata: importlib.metadata.PackageMetadata) -> str:
    for field in ("Author", "Maintainer"):
        if name := " ".join(_field(metadata, field).split()):
            return name[:100]
    for field in ("Author-email", "Maintainer-email"):
        first = _field(metadata, field).split(",")[0]
        if name := " ".join(first.split("<")[0].replace('"', "").split()):
            return name[:100]
    return ""
