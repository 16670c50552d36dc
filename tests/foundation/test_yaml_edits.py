"""Values are set in a YAML text, and every other character stays."""

from __future__ import annotations

import pytest

from minivess.foundation.errors import InputError
from minivess.foundation.paths import templates_folder
from minivess.foundation.reading.strict_yaml import parse_yaml
from minivess.foundation.reading.yaml_edits import set_values
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("REQ-347")

_CASES = {
    "a value": ("a:\n  b: 1   # why\n", {"a.b": "2"}, "a:\n  b: 2   # why\n"),
    "a value between quotes": ("a: {b: 'it''s', c: 2}\n", {"a.b": "x"}, "a: {b: x, c: 2}\n"),
    "an empty value": ("a:\n  b:\n  c: 1\n", {"a.b": "2"}, "a:\n  b: 2\n  c: 1\n"),
    "a list of the same length": ("a: {b: [1, 2]} # z\n", {"a.b": "[3, 4]"}, "a: {b: [3, 4]} # z\n"),
    "a list of a line each": (
        "a:\n  b:\n    - 1 # z\n    - 2\nc: 1\n",
        {"a.b": "[3, 4]"},
        "a:\n  b:\n    - 3 # z\n    - 4\nc: 1\n",
    ),
    "a list of another length": ("a: {b: [1, 2]}\n", {"a.b": "[3, 4, 5]"}, "a: {b: [3, 4, 5]}\n"),
    "a further field": (
        "a:\n  b: 1 # x\n\n# of c\nc: 2\n",
        {"a.d": "3"},
        "a:\n  b: 1 # x\n  d: 3\n\n# of c\nc: 2\n",
    ),
    "a further field after a block of text": (
        "a:\n  b: >-\n    one\n    two\nc: 2\n",
        {"a.d": "3"},
        "a:\n  b: >-\n    one\n    two\n  d: 3\nc: 2\n",
    ),
    "a further field in braces": ("a: {b: 1,}\n", {"a.d": "3"}, "a: {b: 1, d: 3,}\n"),
    "a field in empty braces": ("a: {}\n", {"a.d": "3"}, "a: {d: 3}\n"),
    "a field of an empty section": ("a:\nb: 1\n", {"a.d": "3"}, "a: {d: 3}\nb: 1\n"),
    "a section": ("a: 1", {"n.x": "1", "n.y": "[2, 3]"}, "a: 1\nn: {x: 1, y: [2, 3]}\n"),
    "a section before the end of the document": ("---\na: 1\n...\n", {"n.x": "1"}, "---\na: 1\nn: {x: 1}\n...\n"),
    "a value of a value": ("a:\n  b: {c: 1, d: [x]} # z\n", {"a.b.c": "2"}, "a:\n  b: {c: 2, d: [x]} # z\n"),
    "a further field of a value": ("a:\n  b:\n    d: [x]\n", {"a.b.c": "2"}, "a:\n  b:\n    d: [x]\n    c: 2\n"),
    "a section in a section": ("a:\nb: 1\n", {"a.x.y": "2", "n.x.y": "3"}, "a: {x: {y: 2}}\nb: 1\nn: {x: {y: 3}}\n"),
    "lines of Windows": ("a: 1\r\n# z\r\nb: 2\r\n", {"c": "3"}, "a: 1\r\n# z\r\nb: 2\r\nc: 3\r\n"),
    "a byte order mark": ("\ufeffa: 1\n", {"a": "2"}, "\ufeffa: 2\n"),
}


@pytest.mark.parametrize("case", _CASES)
def test_only_the_value_changes(case: str) -> None:
    text, values, wanted = _CASES[case]
    assert set_values(text, values) == wanted


@pytest.mark.parametrize(
    ("text", "place", "fault"),
    [
        ("a: 1\n", "a.b", "`a` is no mapping"),
        ("a: [1, 2]\n", "a.b", "`a` is no mapping"),
        ("- 1\n", "a", "is no mapping of fields"),
        ("a: &x 1\n", "a", "anchors"),
        ("a: 1\na: 2\n", "a", "written twice"),
    ],
)
def test_a_text_that_cannot_be_changed_is_refused(text: str, place: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        set_values(text, {place: "3"})


def test_lines_of_the_file_of_a_new_project_stay() -> None:
    before = (templates_folder() / "project" / "minivess.yaml").read_text(encoding="utf-8")
    after = set_values(
        before, {"model.patch": "[16, 96, 96]", "training.batch": "4", "preprocessing.spacing": "native"}
    )
    lines = set(before.splitlines()) - set(after.splitlines())
    assert {line.partition(":")[0] for line in lines} == {"model", "training"}
    assert before.count("#") == after.count("#")


_WORDS = st.sampled_from(["a", "b", "c", "d"])
_NUMBERS = st.integers(0, 99)


@st.composite
def _texts(draw: st.DrawFn) -> str:
    """Sections in all styles, with comments between them."""
    lines = []
    for name in draw(st.lists(_WORDS, unique=True, min_size=1)):
        fields = draw(st.dictionaries(_WORDS, _NUMBERS | st.lists(_NUMBERS, min_size=1, max_size=3), max_size=3))
        if draw(st.booleans()) or not fields:
            lines.append(f"{name}: {{{', '.join(f'{key}: {value}' for key, value in fields.items())}}} # of {name}")
        else:
            lines.append(f"{name}: # of {name}")
            for key, value in fields.items():
                if isinstance(value, list) and draw(st.booleans()):
                    lines += [f"  {key}:", *(f"    - {one} # one" for one in value)]
                else:
                    lines.append(f"  {key}: {value} # of {key}")
        lines += [""] * draw(st.integers(0, 1))
    return "\n".join(lines) + draw(st.sampled_from(["", "\n"]))


@settings(max_examples=30)
@given(text=_texts(), section=_WORDS, name=_WORDS, value=_NUMBERS | st.lists(_NUMBERS, min_size=1, max_size=3))
def test_any_value_can_be_set_in_any_text(text: str, section: str, name: str, value: int | list[int]) -> None:
    before = parse_yaml(text)
    after = set_values(text, {f"{section}.{name}": str(value)})
    assert parse_yaml(after) == {**before, section: {**before.get(section, {}), name: value}}
    kept = [line for line in text.splitlines() if "# of" in line and f"# of {name}" not in line]
    assert after.count("# of") == text.count("# of")
    assert all(line.partition("#")[2] in after for line in kept)
    assert set_values(after, {f"{section}.{name}": str(value)}) == after
