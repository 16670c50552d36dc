"""Test and calibration cases that the weights which training started from have seen.

Compared are the names and accessions of data sets, and the digests of images and masks. Figures on test cases that were seen
are too good, and a guarantee from calibration cases that were seen does not hold for new ones (they are not exchangeable).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from minivess.foundation.implements import implements
from minivess.records.data.dataset import CaseRecord, DatasetManifest
from minivess.records.data.source import Data
from minivess.records.data.split import SplitManifest
from minivess.records.models.start import PretrainingData, PretrainingSet

_ADDRESS = re.compile(r"^(?:https?://)?(?:www\.)?(?:(?:dx\.)?doi\.org/)?(?:doi:\s*)?")


class Contamination(NamedTuple):
    """Why a case of the test part or of the calibration part counts as seen."""

    rule: str
    """`name`, `accession` or `digest`."""
    case: str
    """The case; empty: all of them."""
    words: str
    """The reason in one sentence."""


@implements("REQ-331", "RC-139")
def contaminations(
    trained_on: PretrainingData, data: Data, manifest: DatasetManifest, split: SplitManifest
) -> list[Contamination]:
    """Each reason why weights have seen the test part or the calibration part, in order of the sets and of the cases."""
    kept = frozenset((*split.test, *split.calibration))
    unseen = [case for case in manifest.cases if case.id in kept]
    found: list[Contamination] = []
    for one in trained_on.sets:
        found += _by_name(one, data, manifest)
        found += _by_accession(one, data, manifest, unseen)
        found += _by_digest(one, unseen)
    return found


def _by_name(one: PretrainingSet, data: Data, manifest: DatasetManifest) -> Iterator[Contamination]:
    """The set is this data set, or the source of this data set names it."""
    wanted = _words(one.name)
    for name in dict.fromkeys((data.name, manifest.name)):
        if wanted and _plain(wanted) == _plain(_words(name)):
            yield Contamination("name", "", f"they were trained on {one.name}, and the data set is {name}")
            return
    for source in dict.fromkeys((data.source, manifest.source)):
        if wanted and f" {' '.join(wanted)} " in f" {' '.join(_words(source))} ":
            yield Contamination("name", "", f"they were trained on {one.name}, and the data come from {source}")
            return


def _by_accession(
    one: PretrainingSet, data: Data, manifest: DatasetManifest, unseen: Iterable[CaseRecord]
) -> Iterator[Contamination]:
    """The source, the address or the citation of the data set has the accession, or a case comes from it."""
    stated = (data.source, manifest.source, data.card and data.card.url, data.card and data.card.citation)
    texts = [str(text) for text in stated if text]
    for accession in one.accessions:
        wanted = _ADDRESS.sub("", accession.strip().casefold()).rstrip("/")
        if not wanted:
            continue
        form = re.compile(rf"(?<![a-z0-9])(?<![0-9]\.){re.escape(wanted)}(?![a-z0-9]|\.[0-9])")
        if any(form.search(text.casefold()) for text in texts):
            words = f"they were trained on {one.name} ({accession}), and the data set states this accession"
            yield Contamination("accession", "", words)
        for case in unseen:
            if case.origin is not None and form.search(case.origin.casefold()):
                words = f"they were trained on {one.name} ({accession}), and case {case.id} comes from it"
                yield Contamination("accession", case.id, words)


def _by_digest(one: PretrainingSet, unseen: Iterable[CaseRecord]) -> Iterator[Contamination]:
    """The image or the mask of a case is among those that were seen."""
    seen = frozenset(one.digests)
    for case in unseen:
        if seen & {case.image, case.label}:
            yield Contamination("digest", case.id, f"case {case.id} is among the images of {one.name}")


def _words(text: str) -> list[str]:
    """Letters and digits of a text, word by word, whatever case and form they are written in."""
    return re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", text).casefold())


def _plain(words: list[str]) -> str:
    """A name as one word, without its version (`v2`, `version 2`)."""
    joined = "".join(words)
    return re.sub(r"(?:version|v)[0-9]+$", "", joined) or joined
