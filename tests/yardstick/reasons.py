"""Why a change that nothing refuses, or a check that no case misses, is no hole.

A change of a field is listed here only when the entry was signed again by its actor and the checkpoint by the log: then both
wrote another history together. Whoever kept a checkpoint notices that; `fields.judge` asks for it each time.
"""

from __future__ import annotations

import re

_STATED = "a statement of its actor that nothing is derived from; whoever kept a checkpoint notices another one"
_TWICE = "asked twice: another check refuses the same with other words, so either may be missing"

REASONS: tuple[tuple[str, str], ...] = (
    # fields of entries, signed again by their actor and by the log
    (r"[^:]+: entry\.body\.context(\..+)?", "circumstances as the actor states them"),
    (
        r"[^:]+: entry\.body\.(inputs|outputs)(\..+)?",
        "what was read and made, as the actor states it; packs compare files with it by digest",
    ),
    (r"[^:]+: entry\.body\.time", "the machine's own clock: only the order of entries is checked"),
    (r"[^:]+: entry\.body\.outcome", "how an action ended is what its actor states"),
    (r"[^:]+: entry\.body\.started", "an action that names no start is an action of its own"),
    (
        r"(data\.(push|pull)/completed|[^:]+/(started|failed|refused)): entry\.body\.action",
        "another action of the same actor with the same payload is theirs to state",
    ),
    (r"[^:]+: details(\..+)?", "an observation or an error: nothing is derived from details, and they can be erased"),
    (
        r"(data\.add|model\.bento|risk\.drill|run\.disposition|scenarios|trace\.[a-z]+)/completed: entry\.body\.payload(\..+)?",
        _STATED,
    ),
    (r"evaluation/completed: entry\.body\.payload\.(aggregates|baseline_dice|cases|classes|criteria)(\..+)?", _STATED),
    (r"(data\.seal|release\.build)/completed: entry\.body\.payload\.(files|gates)", _STATED),
    (
        r"data\.seal/completed: entry\.body\.payload\.terms\.(groups|lowered|split)",
        "what the sealer fixes from then on; the files of the project are compared with it when they are read",
    ),
    (
        r"release\.prepare/completed: entry\.body\.payload\.(chain|device|environment|files|manifest|sbom|source|tool)(\..+)?",
        "what a release binds; the pack is compared with it, and the part `packs` changes both",
    ),
    (
        r"release\.build/completed: entry\.body\.payload\.version",
        "the pack is known by the digest of its tag manifest; the version is what its actor calls it",
    ),
    (r"[^:]+: entry\.body\.payload\.reason", "free text of its author"),
    (
        r"identity\.refused/completed: entry\.body\.payload\.(identity|key|attempted)",
        "who was turned away is what the log states; nothing is derived from it",
    ),
    (
        r"identity\.locked/completed: entry\.body\.payload\.attempts",
        "the lock follows from the counted `identity.unlock-failed` entries; the number is a repetition",
    ),
    (
        r"identity\.revoked/completed: entry\.body\.payload(\.identity)?",
        "whom a root or release manager revokes is their decision",
    ),
    (
        r"caller\.(created|rotated|revoked)/completed: entry\.body\.payload(\..+)?",
        "who may call the service, and with which key, is the decision of a root or release manager",
    ),
    (
        r"release\.gate-waived/completed: entry\.body\.payload(\..+)?",
        "which gate may fail, until when and why, is the decision of a release manager or reviewer",
    ),
    (
        r"release\.revoked/completed: entry\.body\.payload(\..+)?",
        "which release is not to be used any longer, and why, is the decision of a release manager or reviewer",
    ),
    (
        r"identity\.enrolled/completed: entry\.body\.payload\.actions",
        "what a service is enrolled for is the decision of a root or release manager",
    ),
    (
        r"(identity\.enrolled|identity\.rotated|log\.created|roots\.changed)/completed: entry\.body\.payload"
        r"\.(identity|roots\.\[\])\.(demo|encryption_key|name)",
        "particulars of a person as a root enrols them; a demo log says so in each verdict",
    ),
    (r"log\.created/completed: entry\.body\.payload\.(device|serves)", "the name of the device as a root states it"),
    (
        r"log\.created/completed: entry\.body\.payload\.rules",
        "a log without rules is judged by table 1, as version 0.1.0 was; its verdict names the table",
    ),
    (
        r"[^:]+/completed: entry\.body\.payload\.(envelopes|approvers|links|signatures|abandoned)",
        "the same item once more says nothing new",
    ),
    (
        r"log\.restored/completed: entry\.body\.payload\.abandoned\.\[\]",
        "a checkpoint that is not given up is still held against the log by whoever remembers it",
    ),
    (
        r"criteria\.register/completed: entry\.body\.payload\.(criteria|plan)\..+",
        "a field that has its default may be left out; the digest of the plan is of all fields",
    ),
    (
        r"test-set\.(approve|open)/completed: entry\.body\.payload(\..+)?",
        "table 1 admits this; `release verify` judges looks of version 0.1.0 by `verification.conduct`",
    ),
    (r"training/failed: entry\.body\.details", "the details were erased, so that nothing is there to compare"),
    # rows of the database
    (
        r"checkpoint",
        "which sizes were signed follows from no entry; an older checkpoint serves proofs of its size alone",
    ),
    (r"outbox\.delivered_at", "when an event was delivered follows from no entry"),
    # checks that are taken out
    (
        r"verification\.log_entries\.read_entry: parse_body\(line, index\)",
        "the next line reads the same bytes, and more strictly",
    ),
    (r"verification\.log_entries\.read_details: (_parsed_details\(.*|raise VerificationError\(.*malformed.*)", _TWICE),
    (
        r"(verification\.log\._Run\._check_place|rules\.admission\._created): raise .*entry 0 does not create the log.*",
        _TWICE,
    ),
    (r"verification\.log_entries\._check_payload: check_payload\(body\.action, payload, complete=False\)", _TWICE),
    (r"verification\.log_entries\.strict_entry: (_fields\(line, index\)|raise _malformed\(.*)", _TWICE),
    (r"rules\.admission\.admit: raise VerificationError\(.*malformed payload.*", _TWICE),
    (r"rules\.admission\._check_approval: raise VerificationError\(.*demo keys.*", _TWICE),
    (r"rules\.looks\.LookHistory\._plan: raise RefusedError\(.*not registered before it.*", _TWICE),
    (r"rules\.looks\.LookHistory\.extend: raise VerificationError\(.*does not say what.*", _TWICE),
    (r"rules\.references\.Preparation\.check_prepared: raise .*a release names its model.*", _TWICE),
    (r"rules\.log_facts\.read_log: raise .*", "it reads a log that was verified before"),
    (
        r"verification\.log_entries\.parse_body: raise .*of a format that this version does not know.*",
        "entries of another format are malformed to the record, which the next line asks",
    ),
    (r"rules\.(registrations|restores)\._payload: raise VerificationError\(.*", _TWICE),
    (
        r"identity\.roots\._Group\.key: raise VerificationError\(.*is not that of a root.*",
        "`check_change` asks only for keys of the group",
    ),
)


_UNREAD = re.compile(r"[^:]+: (details|entry\.body)\.payload\..+")


def unread_by_script(place: str, product: str, script: str) -> bool:
    """Whether `verify.py` may accept there what `release verify` refuses.

    It checks the names of the fields of each payload, and the types of what it decides by.
    """
    return bool(product) and not script and _UNREAD.fullmatch(place) is not None


def reason_of(survivor: str) -> str | None:
    """The reason that fits a survivor; None: there is none."""
    return next((reason for pattern, reason in REASONS if re.fullmatch(pattern, survivor)), None)
