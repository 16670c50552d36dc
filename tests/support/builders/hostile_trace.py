"""A trace whose texts mean harm to a page, a spreadsheet or a terminal."""

from __future__ import annotations

from typing import Any

from tests.support.builders.trace_data import empty_trace, link, make_clause, make_item, signature

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "javascript:alert(1)",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "line\u2028separator\u2029end",
    "{{ 7 * 7 }}{% raw %}",
    "]]><svg/onload=alert(1)>",
    "W" * 400,
    "שלום עולם \u202eevil\u202c",
    "half a pair \ud800",
    "&lt;b&gt; & &amp;",
    "../../../etc/passwd",
    "",
)


def hostile_trace() -> dict[str, Any]:
    """A trace in which whatever can hold free text holds something that means harm."""
    items = []
    for number, words in enumerate(HOSTILE, start=1):
        items.append(
            make_item(
                f"REQ-{number:03}",
                "software-requirement",
                words,
                status="failed" if number % 2 else words or "none",
                suspect=True,
                text=[{"label": words, "value": words}],
                facts=[{"label": words, "value": words}],
                standards=[words] if words else [],
                source={"path": words, "line": 1},
                links=[link("derives-from", f"REQ-{1 + number % 3:03}"), link(words, words or "REQ-001", suspect=True)],
                scenarios=[
                    {"name": words, "feature": words, "path": words, "line": 1, "outcome": words, "seconds": None}
                ],
                tests=[{"name": words, "path": words, "line": 1}],
                code=[{"name": words, "path": words, "line": 1}],
                results=[
                    {
                        "name": words,
                        "node": words,
                        "outcome": "failed",
                        "seconds": 0.1,
                        "message": words,
                        "evidence": [{"path": words, "digest": words}],
                    }
                ],
                gaps=[
                    {
                        "kind": words,
                        "message": words,
                        "path": words,
                        "line": None,
                        "justified": {"reason": words, "owner": words, "expires": words} if number % 2 else None,
                    }
                ],
                history=[{"commit": words, "time": words, "author": words, "subject": words}],
                signatures=[signature(1, words, words, words, words), signature(number, words, words, words)],
                levels=[
                    {
                        "stage": words,
                        "severity": 9,
                        "p1": 0,
                        "p2": 99,
                        "probability": 0,
                        "level": words,
                        "acceptable": False,
                    }
                ],
            )
        )
    items.append(make_item("../../evil\"'<b>-1", "<i>kind", "An id that is none"))
    trace = empty_trace() | {
        "items": items,
        "project": dict.fromkeys(("name", "version", "commit", "tree", "time"), HOSTILE[0]),
        "gaps": [{**gap, "item": item["id"]} for item in items for gap in item["gaps"]],
        "verdict": {"holds": False, "gaps": 7, "justified": 7, "suspects": len(items)},
        "log": {"origin": HOSTILE[3], "size": 3, "demo": True},
        "made": [
            {"name": f"{words}.onnx", "digest": words, "action": words, "entry": 1, "actor": words, "time": words}
            for words in HOSTILE
        ],
        "signatures": [signature(1, words, "baseline", words, words) for words in HOSTILE]
        + [signature(2, words, "baseline", words) for words in HOSTILE],
        "coverage": [
            make_clause(standard=words, clause=words, paraphrase=words, status="met", evidence=[words], reason=words)
            for words in HOSTILE
        ],
    }
    trace["risk"] = {
        "severity": [HOSTILE[0]],
        "probability": [HOSTILE[3]],
        "cells": [
            {
                "severity": 1,
                "probability": 1,
                "level": HOSTILE[1],
                "acceptable": False,
                "initial": ["REQ-001", HOSTILE[0]],
                "residual": ["REQ-001"],
            }
        ],
    }
    return trace
