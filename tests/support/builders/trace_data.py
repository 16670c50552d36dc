"""A made-up device's trace in the format `minivess-trace/2`, small enough to read or as large as a bench wants it.

The same arguments always give the same trace: everything follows from the number of an item, nothing from chance.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

KINDS = (
    ("user-need", "UN", "User need", "User needs"),
    ("system-requirement", "SYS", "System requirement", "System requirements"),
    ("software-requirement", "REQ", "Software requirement", "Software requirements"),
    ("software-item", "SI", "Software item", "Software items"),
    ("software-unit", "SU", "Software unit", "Software units"),
    ("soup", "SOUP", "SOUP item", "SOUP items"),
    ("anomaly", "ANO", "Anomaly", "Anomalies"),
    ("criterion", "SAC", "Acceptance criterion", "Acceptance criteria"),
    ("attestation", "ATT", "Attestation", "Attestations"),
    ("hazard", "HAZ", "Hazard", "Hazards"),
    ("sequence-of-events", "SEQ", "Sequence of events", "Sequences of events"),
    ("hazardous-situation", "HS", "Hazardous situation", "Hazardous situations"),
    ("harm", "HARM", "Harm", "Harms"),
    ("risk", "RISK", "Risk", "Risks"),
    ("risk-control", "RC", "Risk control", "Risk controls"),
    ("threat", "THR", "Threat", "Threats"),
)
RELATIONS = (
    ("derives-from", "derives from", "is refined by"),
    ("part-of", "is part of", "consists of"),
    ("allocated-to", "is allocated to", "carries"),
    ("uses", "uses", "is used by"),
    ("verifies", "verifies", "is verified by"),
    ("affects", "affects", "is affected by"),
    ("from-hazard", "comes from", "leads to"),
    ("follows", "follows from", "leads to"),
    ("situation", "in situation", "poses"),
    ("harm", "can end in", "can follow from"),
    ("controls", "is controlled by", "controls"),
    ("implemented-by", "is implemented by", "implements"),
    ("controlled-by", "is controlled by", "controls"),
)
SEVERITY = ("negligible", "minor", "serious", "critical", "catastrophic")
PROBABILITY = ("improbable", "remote", "occasional", "probable", "frequent")
_SUBJECTS = (
    ("the outline of a vessel", "vessel outlines"),
    ("the voxel size of a volume", "voxel sizes"),
    ("the confidence of every voxel", "confidence maps"),
    ("a volume outside the intended use", "unsuitable volumes"),
    ("the identity of a subject", "subject identity"),
    ("the version of the model", "model versions"),
    ("a mask that touches the border", "border contact"),
    ("the receipt of an inference", "receipts"),
)
_VERBS = ("show", "check", "record", "refuse to alter", "store", "report")
_REASONS = (
    "A surgeon who cannot see where the outline came from will not notice that it is wrong.",
    "Voxel sizes that are silently assumed scale every length and volume that is derived from the mask.",
    "What was not recorded at the time cannot be shown afterwards.",
)


def make_trace(requirements: int = 24, *, parents: int | None = None, holds: bool = False) -> dict[str, Any]:
    """A trace with so many software requirements and, unless told otherwise, a tenth as many parents.

    Args:
        requirements: how many software requirements, each with one result.
        parents: user needs and system requirements together; at least four.
        holds: leave out everything failed, untested, stale, suspect or missing.
    """
    count = max(4, requirements // 10 if parents is None else parents)
    needs = max(2, count // 5)
    items = [
        *(_need(number) for number in range(1, needs + 1)),
        *(_system(number, needs) for number in range(1, count - needs + 1)),
        *(_requirement(number, count - needs, holds) for number in range(1, requirements + 1)),
        *_architecture(),
        *_quality(),
        *_risks(holds),
    ]
    gaps = [{**gap, "item": item["id"]} for item in items for gap in item["gaps"]]
    open_gaps = sum(gap["justified"] is None for gap in gaps)
    suspects = sum(item["suspect"] for item in items)
    outcomes = Counter(result["outcome"] for item in items for result in item["results"])
    return {
        "format": "minivess-trace/2",
        "project": {
            "name": "Vesselight",
            "version": "1.4.0",
            "commit": "4f1c9a27d0e85b6634aa0c11fb8e92d7715c03ae",
            "tree": f"sha256:{_digits(7, 64)}",
            "time": "2026-11-20T16:42:07Z",
        },
        "verdict": {
            "holds": not open_gaps and not suspects,
            "gaps": open_gaps,
            "justified": len(gaps) - open_gaps,
            "suspects": suspects,
        },
        "kinds": [dict(zip(("kind", "prefix", "title", "plural"), kind, strict=True)) for kind in KINDS],
        "relations": [dict(zip(("name", "forward", "backward"), row, strict=True)) for row in RELATIONS],
        "items": items,
        "risk": _matrix(items),
        "coverage": _coverage(holds),
        "report": {
            "commit": "4f1c9a27d0e85b6634aa0c11fb8e92d7715c03ae",
            "tree": f"sha256:{_digits(7, 64)}",
            "environment": f"sha256:{_digits(9, 64)}",
            "platform": "Linux-6.8.0-x86_64-with-glibc2.39, Python 3.12.8",
            "time": "2026-11-20T16:40:51Z",
            "tester": "n.okafor",
            "drilled": [],
            "stale": False,
            "passed": outcomes["passed"],
            "failed": outcomes["failed"],
            "skipped": outcomes["skipped"],
            "entry": 131,
        },
        "log": {"origin": "log.example/vesselight", "size": 140, "demo": False},
        "made": _made(),
        "signatures": _for_all(holds),
        "gaps": gaps,
    }


def empty_trace() -> dict[str, Any]:
    """A project that has only just been started."""
    return {
        "format": "minivess-trace/2",
        "project": {"name": "New device", "version": None, "commit": None, "tree": f"sha256:{'0' * 64}", "time": None},
        "verdict": {"holds": True, "gaps": 0, "justified": 0, "suspects": 0},
        "kinds": [],
        "relations": [],
        "items": [],
        "risk": None,
        "coverage": [],
        "report": None,
        "log": None,
        "made": [],
        "signatures": [],
        "gaps": [],
    }


def signature(entry: int, actor: str, meaning: str, about: str, out_of_date: str = "") -> dict[str, Any]:
    """What somebody signed."""
    return {
        "entry": entry,
        "actor": actor,
        "time": "2026-10-02T09:11:00Z",
        "meaning": meaning,
        "about": about,
        "digest": f"sha256:{_digits(entry, 64)}",
        "out_of_date": out_of_date,
    }


def _for_all(holds: bool) -> list[dict[str, Any]]:
    return [
        signature(60, "m.lindqvist", "baseline", "v1.3, 61 items", "" if holds else "items have changed"),
        signature(90, "m.lindqvist", "baseline", "v1.4, 64 items"),
        signature(138, "q.adeyemi", "approval", "release 1.4.0 as release-manager"),
    ]


def _made() -> list[dict[str, Any]]:
    rows = (
        ("data/split.json", "data.split", 12),
        ("models/model.onnx", "model.export", 99),
        ("r.json", "scenarios", 131),
    )
    return [
        {
            "name": name,
            "digest": f"sha256:{_digits(entry, 64)}",
            "action": action,
            "entry": entry,
            "actor": "pipeline",
            "time": "2026-11-19T10:00:00Z",
        }
        for name, action, entry in rows
    ]


def make_item(identifier: str, kind: str, title: str, **fields: Any) -> dict[str, Any]:
    """An item with every field, empty where `fields` says nothing."""
    empty: dict[str, Any] = {
        "id": identifier,
        "kind": kind,
        "title": title,
        "status": "none",
        "suspect": False,
        "text": [],
        "facts": [],
        "standards": [],
        "source": {"path": f"requirements/{kind}.yaml", "line": 10 + 12 * int(identifier.partition("-")[2])},
        "links": [],
        "scenarios": [],
        "tests": [],
        "code": [],
        "results": [],
        "gaps": [],
        "history": [],
        "signatures": [],
        "levels": [],
    }
    return empty | fields


def make_clause(**fields: Any) -> dict[str, Any]:
    """A row of coverage with every field, empty where `fields` says nothing."""
    empty: dict[str, Any] = {
        **dict.fromkeys(("standard", "clause", "id", "paraphrase", "mode", "status", "reason", "next"), ""),
        **{name: [] for name in ("evidence", "missing", "attested", "justified")},
        "expired": False,
    }
    return empty | fields


def link(relation: str, target: str, **fields: Any) -> dict[str, Any]:
    """A link that somebody has reviewed, unless `fields` says otherwise."""
    reviewed = {"by": "m.lindqvist", "entry": 41, "time": "2026-10-02T09:11:00Z"}
    return {"relation": relation, "target": target, "suspect": False, "reviewed": reviewed} | fields


def text(**parts: str) -> list[dict[str, str]]:
    """Long texts by their label."""
    return [{"label": label.replace("_", " ").capitalize(), "value": value} for label, value in parts.items()]


def _need(number: int) -> dict[str, Any]:
    what, _ = _SUBJECTS[number % len(_SUBJECTS)]
    return make_item(
        f"UN-{number:02}",
        "user-need",
        f"See {what} before deciding",
        text=text(statement=f"A neurosurgeon who plans an approach needs to see {what}, and to know how sure it is."),
        standards=["ISO 13485 7.3.3"],
    )


def _system(number: int, needs: int) -> dict[str, Any]:
    what, short = _SUBJECTS[number % len(_SUBJECTS)]
    return make_item(
        f"SYS-{number:02}",
        "system-requirement",
        f"The system handles {short}",
        text=text(
            statement=f"The system shall handle {what} for every volume of up to 1024 × 1024 × 512 voxels.",
            rationale=_REASONS[number % 3],
        ),
        standards=["IEC 62304 5.2.1"],
        links=[link("derives-from", f"UN-{1 + number % needs:02}")],
        history=_history(number, 1),
    )


def _requirement(number: int, systems: int, holds: bool) -> dict[str, Any]:
    identifier = f"REQ-{number:03}"
    what, short = _SUBJECTS[number % len(_SUBJECTS)]
    status, outcome = _status(number, holds)
    suspect = number % 31 == 4 and not holds
    parents = [link("derives-from", f"SYS-{1 + number % max(1, systems):02}", suspect=suspect)]
    if suspect:
        parents[0]["reviewed"] = None
    if number <= 6:
        parents.append(link("derives-from", f"RC-{number:02}"))
    if number % 5 == 2:
        parents.append(link("derives-from", f"UN-{1 + number % 2:02}"))
    name = f"{short.replace(' ', '_')}_{number}"
    path = f"tests/segmentation/test_{short.replace(' ', '_')}.py"
    node = f"{path}::test_{name}"
    message = (
        f"AssertionError: expected {number} of {number} volumes, found {number - 1}" if outcome == "failed" else ""
    )
    gaps = []
    if status == "untested":
        gaps.append(_gap(identifier, "unverified", f"{identifier} is verified by no test", number % 3 == 1))
    return make_item(
        identifier,
        "software-requirement",
        f"{_VERBS[number % len(_VERBS)].capitalize()} {what}",
        status=status,
        suspect=suspect,
        text=text(
            statement=f"The software shall {_VERBS[number % len(_VERBS)]} {what} within {1 + number % 9} s of loading, "
            "and shall say so in the log with the digest of the volume it was computed from.",
            rationale=_REASONS[number % 3],
        ),
        facts=[
            {"label": "Category", "value": ("functional", "security", "usability")[number % 3]},
            {"label": "Safety class", "value": "ABC"[number % 3]},
            {"label": "Verification", "value": "test"},
        ],
        standards=["IEC 62304 5.2.2", f"IEC 62304 5.7.{1 + number % 5}"],
        source={"path": f"requirements/{short.replace(' ', '-')}.yaml", "line": 4 + 11 * number},
        links=[*parents, link("allocated-to", f"SU-{1 + number % 8:02}")],
        scenarios=[
            {
                "name": f"Volume {number} comes with {short}",
                "feature": f"{short.capitalize()} are handled",
                "path": f"features/{short.replace(' ', '_')}.feature",
                "line": 6 + 8 * (number % 40),
                "outcome": outcome,
                "seconds": 0.02 + number % 7 / 10,
            }
        ]
        if number % 2
        else [],
        tests=[] if outcome == "not run" else [{"name": f"test_{name}", "path": path, "line": 12 + number}],
        code=[{"name": f"vesselight.{short.replace(' ', '_')}.step_{number}", "path": "src/steps.py", "line": number}],
        results=[]
        if outcome == "not run"
        else [
            {
                "name": f"test_{name}",
                "node": node,
                "outcome": outcome,
                "seconds": 0.02 + number % 7 / 10,
                "message": message,
                "evidence": [{"path": f"evidence/{name}.png", "digest": f"sha256:{_digits(number, 64)}"}]
                if number % 5 == 1
                else [],
            }
        ],
        gaps=gaps,
        history=_history(number, 2),
        signatures=[
            signature(
                40 + number % 9,
                "m.lindqvist",
                "reviewed",
                f"derives-from SYS-{number:02}",
                "" if holds or number % 3 else f"SYS-{number:02} has changed",
            )
        ]
        if number % 4
        else [],
    )


def _status(number: int, holds: bool) -> tuple[str, str]:
    if holds:
        return "passed", "passed"
    if number % 17 == 5:
        return "failed", "failed"
    if number % 13 == 7:
        return "untested", "not run"
    if number % 19 == 11:
        return "stale", "passed"
    return "passed", "passed"


def _architecture() -> list[dict[str, Any]]:
    items = [
        make_item(
            f"SI-{number:02}",
            "software-item",
            title,
            text=text(statement=f"{title}, kept apart from everything that is not medical."),
            facts=[{"label": "Safety class", "value": "C"}],
            standards=["IEC 62304 5.3.1"],
        )
        for number, title in enumerate(("Reading of volumes", "Segmentation", "Report and log"), start=1)
    ]
    names = ("NIfTI reader", "TIFF reader", "Normalisation", "Network", "Threshold", "Surface", "Receipt", "Audit log")
    items += [
        make_item(
            f"SU-{number:02}",
            "software-unit",
            name,
            text=text(statement=f"{name} in one module without state."),
            facts=[{"label": "Modules", "value": f"vesselight.{name.lower().replace(' ', '_')}"}],
            standards=["IEC 62304 5.4.1"],
            links=[link("part-of", f"SI-{1 + (number - 1) // 3:02}"), link("uses", f"SOUP-{1 + number % 3:02}")],
            code=[{"name": f"vesselight.{name.lower().replace(' ', '_')}", "path": "src/units.py", "line": number}],
        )
        for number, name in enumerate(names, start=1)
    ]
    items += [
        make_item(
            f"SOUP-{number:02}",
            "soup",
            f"{package} 2.{number}",
            text=text(purpose=f"{package} does what we do not write ourselves."),
            facts=[{"label": "Package", "value": package}, {"label": "Anomalies reviewed", "value": "2026-11-02"}],
            standards=["IEC 62304 8.1.2"],
            gaps=[_gap(f"SOUP-{number:02}", "soup-anomalies", "the list of anomalies was not reviewed", True)]
            if number == 3
            else [],
        )
        for number, package in enumerate(("onnxruntime", "numpy", "nibabel"), start=1)
    ]
    return items


def _quality() -> list[dict[str, Any]]:
    return [
        make_item(
            "SAC-01",
            "criterion",
            "Dice is at least 0.80 in every stratum",
            status="passed",
            facts=[{"label": "Measure", "value": "dice"}, {"label": "At least", "value": "0.80"}],
            links=[link("verifies", "REQ-001")],
        ),
        make_item(
            "ANO-01",
            "anomaly",
            "The progress bar stops at 99 %",
            text=text(statement="With exactly 512 slices the bar stops one step early.", evaluation="Not a hazard."),
            facts=[{"label": "Status", "value": "open"}, {"label": "Safety related", "value": "no"}],
            standards=["IEC 62304 5.8.2"],
            links=[link("affects", "REQ-002"), link("affects", "SU-08")],
        ),
        make_item(
            "ATT-01",
            "attestation",
            "The development plan is kept up to date",
            text=text(statement="The plan was read against the clause before this release."),
            facts=[{"label": "Clause", "value": "IEC 62304 5.1.2"}, {"label": "Owner", "value": "Quality"}],
            standards=["IEC 62304 5.1.2"],
            signatures=[signature(77, "q.adeyemi", "attested", "IEC 62304 5.1.2")],
        ),
    ]


def _risks(holds: bool) -> list[dict[str, Any]]:
    hazards = ("Wrong outline", "Volume of another subject", "Output that comes too late")
    items = []
    for number, title in enumerate(hazards, start=1):
        items += [
            make_item(
                f"HAZ-{number:02}", "hazard", title, text=text(statement=f"{title} reaches the person who plans.")
            ),
            make_item(
                f"SEQ-{number:02}",
                "sequence-of-events",
                f"{title} is not noticed",
                text=text(statement="The input is unusual; the model answers all the same; nobody compares."),
                links=[link("from-hazard", f"HAZ-{number:02}")],
            ),
            make_item(
                f"HS-{number:02}",
                "hazardous-situation",
                f"An approach is planned on: {title.lower()}",
                links=[link("follows", f"SEQ-{number:02}")],
            ),
            make_item(f"HARM-{number:02}", "harm", ("Haemorrhage", "Unneeded surgery", "Delay of care")[number - 1]),
        ]
    estimates = ((5, 3, 1), (4, 4, 2), (4, 3, 1), (3, 4, 2), (2, 5, 3), (3, 2, 1))
    for number, (severity, before, after) in enumerate(estimates, start=1):
        bad = number == 4 and not holds
        items.append(
            make_item(
                f"RISK-{number:02}",
                "risk",
                f"{hazards[number % 3]} during {('planning', 'surgery')[number % 2]}",
                status="unacceptable" if bad else "acceptable",
                text=text(benefit_and_risk="Planning without the outline takes longer and misses small vessels."),
                standards=["ISO 14971 5.5", "ISO 14971 7.1"],
                links=[
                    link("situation", f"HS-{1 + number % 3:02}"),
                    link("harm", f"HARM-{1 + number % 3:02}"),
                    link("controls", f"RC-{number:02}"),
                ],
                gaps=[_gap(f"RISK-{number:02}", "risk", "the residual risk is not acceptable", False)] if bad else [],
                levels=[
                    _level("initial", severity, before),
                    _level(f"after RC-{number:02}", severity, after + bad),
                    _level("residual", severity, before if bad else after),
                ],
            )
        )
    titles = ("Refuse what was not trained on", "Compare names", "Show doubt", "Time limit", "Second reader", "Receipt")
    items += [
        make_item(
            f"RC-{number:02}",
            "risk-control",
            title,
            status="passed",
            text=text(statement=f"{title}: built in, before anything is shown."),
            facts=[{"label": "Kind", "value": "inherent safety by design"}, {"label": "New risks", "value": "none"}],
            standards=["ISO 14971 7.2"],
            links=[link("implemented-by", f"REQ-{number:03}")],
        )
        for number, title in enumerate(titles, start=1)
    ]
    items.append(
        make_item(
            "THR-01",
            "threat",
            "Weights are exchanged on the disk",
            facts=[{"label": "STRIDE", "value": "tampering"}],
            links=[link("affects", "SU-04"), link("controlled-by", "RC-06")],
        )
    )
    return items


def _level(stage: str, severity: int, probability: int) -> dict[str, Any]:
    level, acceptable = _judge(severity, probability)
    return {
        "stage": stage,
        "severity": severity,
        "p1": min(5, probability + 1),
        "p2": probability,
        "probability": probability,
        "level": level,
        "acceptable": acceptable,
    }


def _judge(severity: int, probability: int) -> tuple[str, bool]:
    weight = severity * probability
    return ("high", False) if weight >= 12 else ("medium", True) if weight >= 6 else ("low", True)


def _matrix(items: list[dict[str, Any]]) -> dict[str, Any]:
    placed: dict[tuple[str, int, int], list[str]] = {}
    for item in items:
        for level in item["levels"]:
            placed.setdefault((level["stage"], level["severity"], level["probability"]), []).append(item["id"])
    cells = []
    for severity in range(1, 6):
        for probability in range(1, 6):
            level, acceptable = _judge(severity, probability)
            cells.append(
                {
                    "severity": severity,
                    "probability": probability,
                    "level": level,
                    "acceptable": acceptable,
                    "initial": placed.get(("initial", severity, probability), []),
                    "residual": placed.get(("residual", severity, probability), []),
                }
            )
    return {"severity": list(SEVERITY), "probability": list(PROBABILITY), "cells": cells}


def _coverage(holds: bool) -> list[dict[str, Any]]:
    rows: tuple[tuple[str, str, str, str, list[str], str], ...] = (
        ("IEC 62304", "5.1.2", "The development plan is kept current", "met", ["ATT-01"], ""),
        ("IEC 62304", "5.2.2", "Software requirements have the content that is asked for", "met", ["REQ-001"], ""),
        ("IEC 62304", "5.3.1", "Requirements are turned into an architecture", "met", ["SI-01", "SI-02"], ""),
        ("IEC 62304", "5.7.3", "Tests are repeated after a change", "open", [], "some results are of another commit"),
        ("IEC 62304", "8.1.2", "Every SOUP item is identified", "justified", ["SOUP-03"], "reviewed with the next one"),
        ("ISO 14971", "5.4", "Hazards and hazardous situations are identified", "met", ["HAZ-01", "HS-01"], ""),
        ("ISO 14971", "7.3", "The residual risk is judged", "open", ["RISK-04"], "one risk is not acceptable"),
    )
    names = ("standard", "clause", "paraphrase", "status", "evidence", "reason")
    found = [make_clause(**dict(zip(names, row, strict=True))) for row in rows]
    return [{**row, "status": "met", "reason": ""} if holds and row["status"] == "open" else row for row in found]


def _gap(identifier: str, kind: str, message: str, justified: bool) -> dict[str, Any]:
    reason = {
        "reason": "Shown by analysis until the phantom arrives; see the plan of verification.",
        "owner": "n.okafor",
        "expires": "2027-03-31",
    }
    return {
        "kind": kind,
        "message": message,
        "path": "requirements/segmentation.yaml",
        "line": 4 + int(identifier.partition("-")[2]),
        "justified": reason if justified else None,
    }


def _history(number: int, count: int) -> list[dict[str, Any]]:
    subjects = ("Say within which time", "Add the digest to the sentence", "First wording")
    return [
        {
            "commit": _digits(number * 7 + step, 40),
            "time": f"2026-0{9 - step}-{1 + number % 27:02}T10:{number % 60:02}:00Z",
            "author": ("Mira Lindqvist", "Ngozi Okafor")[(number + step) % 2],
            "subject": subjects[step],
        }
        for step in range(count)
    ]


def _digits(seed: int, length: int) -> str:
    return f"{pow(3, seed + 300, (1 << 255) - 19):064x}"[:length].rjust(length, "0")
