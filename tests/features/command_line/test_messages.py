"""Steps of features/messages.feature: all messages about data and project files, searched for what no person should get."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.foundation.errors import InputError
from minivess.foundation.reading.yaml_records import read_record
from minivess.records.device.project import Project
from tests.support import projects
from tests.support.builders.refused_inputs import CASES, CHANGES, TABLES, Message, corpus

scenarios("messages.feature")

ACCEPTED = {"source: .", "calibration: 1"}
"""Changes after which the project file is as good as before."""
FORBIDDEN: dict[str, re.Pattern[str]] = {
    "an address in memory": re.compile(r"0x[0-9a-fA-F]{6,}|\bobject at\b"),
    "None or nan": re.compile(r"\bNone\b|\bnan\b|\bNoneType\b"),
    "a value of Python": re.compile(r"\bTrue\b|\bFalse\b|\['|\[\"|\{'|\bb'|<class |<\w+\.\w+"),
    "a call": re.compile(r"\b(?:dtype|array|Path|PosixPath|WindowsPath|float32|float64|int64|OrderedDict|UID)\("),
    "an exception": re.compile(r"\b[A-Z]\w*(?:Error|Exception|Warning)\b|Traceback|Errno"),
    "the name of a library": re.compile(
        r"\b(?:nibabel|pydicom|tifffile|numpy|pillow|PIL|pynrrd|highdicom|pydantic|pandera|zlib|imagecodecs|gdcm|openjpeg)\b",
        re.IGNORECASE,
    ),
    "words of a library": re.compile(
        r"cannot (?:reshape|identify image|fit '|load this image)|Input should|should be a valid|should match"
        r"|invalid literal|could not (?:convert|broadcast)|values to unpack|index out of|list index|while decompressing"
        r"|codec can't|bytes-like|Expecting|Extra (?:data|inputs)|No closing quotation|broken data stream"
        r"|not subscriptable|has no attribute|unsupported operand|[Uu]nable to|[Ff]ailed to|not well-formed \("
        r"|mismatched tag|unclosed token|missing \), unterm"
    ),
}
QUOTED = re.compile("“.*?”")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Message]:
    """The corpus, made once."""
    return corpus(tmp_path_factory.mktemp("messages"))


@given("the messages about every small input with a fault", target_fixture="messages")
def _corpus(made: list[Message]) -> list[Message]:
    return made


@then("every fault has a message")
def _complete(messages: list[Message]) -> None:
    wanted = {*CASES, *TABLES, *(new.strip() for _, new in CHANGES)} - ACCEPTED
    assert wanted <= {one.source for one in messages}
    assert len(messages) > 400


@then("each message is one printable line with something to do")
def _lines(messages: list[Message]) -> None:
    for one in messages:
        assert one.text.isprintable(), one
        assert one.hint.isprintable(), one
        assert one.hint, one
        assert one.text.strip() == one.text != "", one
        assert not one.text.endswith((":", ",", "()", "''")), one
        assert len(one.text) <= 500, one


@then("each message about a file begins with the file or the case")
def _placed(messages: list[Message]) -> None:
    for one in messages:
        if one.source in CASES:
            assert re.match(r"case a\b|[\w./-]+: ", one.text), one


@then(parsers.parse("none of them has {what}"))
def _none(messages: list[Message], what: str) -> None:
    texts = {f"{one.source}: {one.text} | {one.hint}": QUOTED.sub("", f"{one.text} {one.hint}") for one in messages}
    found = sorted(shown for shown, text in texts.items() if FORBIDDEN[what].search(text))
    assert not found, "\n".join(found)


@given(parsers.re(r"a project file with (?P<new>.+) for (?P<old>.+)"), target_fixture="path")
def _changed(tmp_path: Path, new: str, old: str) -> Path:
    path = tmp_path / "minivess.yaml"
    lines = projects.PROJECT.format(source=".").splitlines()
    changed = [line.replace(old, new) if re.search(rf"{re.escape(old)}(?:[,}}]|$)", line) else line for line in lines]
    path.write_text("\n".join(changed) + "\n", encoding="utf-8")
    return path


@when("it is read", target_fixture="error")
def _read(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read_record(path, Project, shown="minivess.yaml")
    return caught.value


@then(parsers.re(r'the only reason is "(?P<message>.+)"'))
def _reason(error: InputError, message: str) -> None:
    assert [one.message for one in error.reasons] == [message]
    assert all(one.hint for one in error.reasons)
