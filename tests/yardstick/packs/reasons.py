"""Why a change of a pack that both verifiers accept is no hole, and where they may answer differently.

A survivor is named by its kind of place and by who signed again. Nothing survives without the signatures of both people.
"""

from __future__ import annotations

import re

from tests.yardstick.packs.judging import Answers

_BOTH = ", signed again by both people"
_ALL = ", signed again by everybody"

_RENDERED = (
    "a page, a document or a table that the build makes from facts of the log and the source tree: the release manager's "
    "preparation binds it and both people sign it; `release verify --deep` makes it again"
)
_STATED = "a statement of whoever made the entry: whoever keeps a checkpoint of this log notices another one"
_MADE = "another file that its maker, and everybody whose entry rests on it, states and signs again"

REASONS: tuple[tuple[str, str], ...] = (
    (
        r"data/(documents|traceability|index\.html|bom|ro-crate-metadata\.json|verify)(/[^:,]+)?(: .+)?" + _BOTH,
        _RENDERED,
    ),
    (r"data/release/cases\.csv(: .+)?" + _BOTH, _RENDERED),
    (
        r"data/release/(risks|attested)\.json: .+(" + _BOTH + "|" + _ALL + ")",
        "what the tool attests, or the risk plan and the risks as the release manager states them: printed in the signing "
        "text as far as a gate depends on it",
    ),
    (
        r"data/release/(risks|attested)\.json" + _ALL,
        "another valid risk file or attestation, with gates and signing text derived again and signed by both people",
    ),
    (
        r"data/lineage/events\.jsonl(: .+)?" + _BOTH,
        "lineage events are compared with the log by run and outcome; the log holds the rest",
    ),
    (r"data/audit/details\.jsonl: .+" + _ALL, "an observation or an error: nothing is derived from details"),
    (r"data/audit/entries\.jsonl: .+" + _ALL, _STATED),
    (r"data/audit/entries\.jsonl: .+" + _BOTH, "an entry of the release manager or of the reviewer: " + _STATED),
    (
        r"data/(datasets|models|evaluation|verification)/[^:,]+(: .+)?" + _ALL,
        _MADE,
    ),
    (
        r"bag-info\.txt: .+" + _BOTH,
        "a label of the bag that nothing is derived from",
    ),
    (
        r"(tag)?manifest-sha512\.txt: digest of a file" + _BOTH,
        "a manifest with its lines in another order names the same digests",
    ),
    (
        r"data/audit/proofs/\*\.tlog-proof" + _BOTH,
        "the proof of one entry less: the log is in the pack, and its root is the signed one",
    ),
    (
        r"signatures/\*\.(dsse\.json|tlog-proof): (payload|extra)\..+" + _BOTH,
        "what a person states when they sign, signed again by them",
    ),
)
WORDS: tuple[tuple[str, str], ...] = (
    (
        r"signatures/\*\.dsse\.json: .*",
        "both refuse the signature; one names the person, the other the key or the field of the envelope",
    ),
    (
        r"data/audit/entries\.jsonl: .+ \[\]\.body\.(inputs|outputs).*",
        "both refuse; one names the entry that made a file, the other the one that read it",
    ),
    (
        r"data/audit/entries\.jsonl: release\.prepare/completed \[\]\.body\.payload\.source\.environment \(removed\).*",
        "both refuse; `release verify` names the results that do not fit the default of the field, `verify.py` the entry",
    ),
    (
        r"data/audit/entries\.jsonl: release\.prepare/completed \[\]\.body\.payload\.layout \(swapped\).*",
        "both refuse the layout; one as a field of the entry, the other as a layout that it does not know",
    ),
)
"""Where both refuse, and name other things."""
DIFFERENCES: tuple[tuple[str, str], ...] = (
    (
        r"data/release/risks\.json: (plan|risks)\b.*",
        "`verify.py` reads of the risk plan what the look-up of a level needs, and not its other rules of form",
    ),
    (
        r"data/(verification/results|traceability/data/trace|datasets/\w+|models/(members|calibration|ensemble)[\w*/-]*)"
        r"\.json: .*",
        "`verify.py` reads what it counts and compares of this record, and not its other fields",
    ),
    (
        r"data/((source|keys|rules|timestamps|audit/previous)/|traceability/baselines\.json).*",
        "`verify.py` compares the file with the preparation; `release verify` also derives it from the log or compares it with "
        "the list of the source tree",
    ),
)
"""Where `verify.py` may accept what `release verify` refuses."""
STRICTER: tuple[tuple[str, str], ...] = (
    (
        r"data/audit/entries\.jsonl: .* \(removed\).*",
        "`release verify` takes a field that is not there for the default of its record; `verify.py` asks for it",
    ),
)
"""Where `release verify` may accept what `verify.py` refuses."""


def survivor_reason(survivor: str) -> str | None:
    """The reason that fits a survivor; None: there is none."""
    return next((reason for pattern, reason in REASONS if re.fullmatch(pattern, survivor)), None)


def difference_reason(mutant: str, answers: Answers) -> str | None:
    """The reason why both may answer differently; None: there is none."""
    alone = STRICTER if answers.script else DIFFERENCES
    reasons = (*WORDS, *DIFFERENCES) if answers.refused else alone
    return next((reason for pattern, reason in reasons if re.fullmatch(pattern, mutant)), None)
