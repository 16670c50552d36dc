"""JUnit XML from any runner: every test case with its outcome and the ids of ours that it names.

Only a case without failure, error, skip or a status that says so has passed (IEC 62304 5.7.4).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from minivess.compliance.exchange.foreign_items import (
    MAX_FILE,
    Place,
    Remark,
    free_name,
    lost,
    short,
    tidy,
    tidy_line,
)
from minivess.compliance.exchange.mapping import PREFIXES
from minivess.compliance.exchange.untrusted.xml_tree import Element, parse_xml
from minivess.compliance.exchange.vocabulary import names_of
from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited

_IDS = re.compile(rf"(?<![A-Za-z0-9-])({'|'.join(sorted(PREFIXES, key=len, reverse=True))})[-_]([0-9]{{2,5}})(?![0-9])")
_OUTCOMES = {"failure": "failed", "error": "failed", "skipped": "skipped", "skip": "skipped"}
_RETRIED = frozenset({"rerunFailure", "rerunError", "flakyFailure", "flakyError"})
_OUTPUT = frozenset({"system-out", "system-err"})
_TAKEN = frozenset({"name", "classname", "class", "time", "duration", "status", "result"})
_COUNTED = frozenset({"name", "tests", "failures", "errors", "skipped", "disabled", "time", "assertions"})
_LONGEST = 4000


@dataclass(frozen=True, slots=True)
class ForeignResult:
    """What a run says of one test case."""

    name: str
    classname: str
    outcome: Literal["passed", "failed", "skipped"]
    seconds: float
    message: str
    ids: tuple[str, ...]
    """Ids of ours in its name, class or properties, in the order met."""
    properties: Mapping[str, str]
    """Its properties and other attributes, as written."""
    place: Place


@dataclass(slots=True)
class ForeignResults:
    """What a JUnit XML file holds."""

    results: list[ForeignResult] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)


def read_junit(path: Path) -> ForeignResults:
    """Read a JUnit XML file.

    Args:
        path: the file.

    Raises:
        InputError: it is too large, no XML, declares a document type, or holds no test suite.
    """
    return parse_junit(read_limited(path, limit=MAX_FILE), path.name)


def parse_junit(data: bytes, file: str) -> ForeignResults:
    """`read_junit` for bytes in memory.

    Raises:
        InputError: as `read_junit`.
    """
    root = parse_xml(data, file)
    if root.tag not in {"testsuites", "testsuite", "testcase"}:
        raise InputError(f"is no JUnit XML: its root is <{root.tag}>", path=file, line=root.line)
    found = ForeignResults()
    pending: list[tuple[Element, tuple[str, ...], str]] = [(root, (), "")]
    while pending:
        element, inherited, suite = pending.pop()
        if element.tag == "testcase":
            found.results.append(_case(element, inherited, suite, file, found.remarks))
            continue
        named = element.attributes.get("name", suite)
        ids = tuple(dict.fromkeys((*inherited, *_ids(text for pair in _properties(element) for text in pair))))
        inside = [child for child in element.children if child.tag in {"testsuite", "testcase"}]
        pending += ((child, ids, named) for child in reversed(inside))
        _suite(element, file, found.remarks)
    return found


def _case(element: Element, inherited: tuple[str, ...], suite: str, file: str, remarks: list[Remark]) -> ForeignResult:
    attributes = element.attributes
    name = tidy_line(attributes.get("name", ""))
    classname = tidy_line(attributes.get("classname") or attributes.get("class") or suite)
    place = Place(file, element.line, name)
    outcome, message = _outcome(element, place, remarks)
    others = {key: value for key, value in attributes.items() if key not in _TAKEN}
    for key, value in _properties(element):
        others[free_name(key, others)] = value
    ids = dict.fromkeys((*_ids([name, classname, *attributes.values(), *others, *others.values()]), *inherited))
    time = attributes.get("time") or attributes.get("duration") or ""
    seconds = _seconds(time)
    if seconds is None:
        remarks.append(lost(place, "time", time, "is no time; 0 is taken"))
    return ForeignResult(name, classname, outcome, seconds or 0.0, message, tuple(ids), others, place)


def _outcome(
    element: Element, place: Place, remarks: list[Remark]
) -> tuple[Literal["passed", "failed", "skipped"], str]:
    outcomes: list[str] = []
    messages: list[str] = []
    for child in element.children:
        if child.tag in _OUTCOMES:
            outcomes.append(_OUTCOMES[child.tag])
            messages.append(_said(child))
        elif child.tag in _RETRIED:
            said = _said(child)
            remarks.append(Remark("note", place, f"the test failed before it was run again: {short(said)}", value=said))
        elif child.tag in _OUTPUT:
            if child.text.strip():
                message = f"the output of the test is not taken: {short(child.text.strip())}"
                remarks.append(Remark("lost", place, message, field=child.tag, value=child.text))
        elif child.tag != "properties":
            text = "".join(piece.text for piece in child.all()).strip()
            remarks.append(lost(place, child.tag, f"{child.attributes or ''}{text}", "of a test case is not taken"))
    for key in ("status", "result"):
        status = element.attributes.get(key, "").strip().lower()
        known = names_of("outcomes")
        if status in known["not run"]:
            outcomes.append("skipped")
        elif status in known["failed"]:
            outcomes.append("failed")
        elif status and status not in known["passed"]:
            outcomes.append("skipped")
            remarks.append(
                Remark("changed", place, f"the {key} `{status}` is not known: not taken as passed", value=status)
            )
    message = "\n".join(filter(None, messages))
    if len(message) > _LONGEST:
        remarks.append(Remark("changed", place, f"the message is cut to {_LONGEST} characters", value=message))
    message = message[:_LONGEST]
    if "failed" in outcomes:
        return "failed", message
    return ("skipped", message) if outcomes else ("passed", message)


def _said(element: Element) -> str:
    """Type, message and text of a failure."""
    parts = (element.attributes.get("type", ""), element.attributes.get("message", ""), element.text)
    return tidy("\n".join(part for part in parts if part.strip()))


def _suite(element: Element, file: str, remarks: list[Remark]) -> None:
    """Remarks on what a suite holds beside its cases."""
    name = element.attributes.get("name", element.tag)
    place = Place(file, element.line, name)
    cases = sum(child.tag == "testcase" for child in element.all())
    others = [
        *((key, value) for key, value in element.attributes.items() if key not in _COUNTED),
        *_properties(element),
    ]
    stated = [(key, value) for key, value in others if not _ids([key, value])]
    if stated:
        said = "; ".join(f"{key}: {value}" for key, value in stated)
        remarks.append(Remark("note", place, f"what the suite says of itself is not taken: {short(said)}", value=said))
    counted = element.attributes.get("tests", "")
    if counted.isdecimal() and int(counted) != cases:
        remarks.append(Remark("note", place, f"the suite counts {counted} tests and holds {cases}", value=counted))
    for child in element.children:
        if child.tag in {"testsuite", "testcase"}:
            continue
        if child.tag == "properties":
            continue
        text = f"{child.attributes.get('message', '')}{child.text}".strip()
        if text or child.tag not in _OUTPUT:
            remarks.append(lost(place, child.tag, text, "of a suite belongs to no test and is not taken"))


def _properties(element: Element) -> list[tuple[str, str]]:
    return [
        (one.attributes.get("name", one.tag), one.attributes.get("value") or tidy(one.text))
        for child in element.children
        if child.tag == "properties"
        for one in child.children
    ]


def _ids(texts: Iterable[str]) -> list[str]:
    return [f"{prefix}-{number}" for text in texts for prefix, number in _IDS.findall(text)]


def _seconds(text: str) -> float | None:
    """A time in seconds; the last comma or point is the decimal one."""
    plain = text.strip().removesuffix("s").strip()
    if plain.rfind(",") > plain.rfind("."):
        plain = plain.replace(".", "").replace(",", ".")
    plain = plain.replace(",", "")
    if not plain:
        return 0.0
    return float(plain) if re.fullmatch(r"[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+\.", plain) else None
