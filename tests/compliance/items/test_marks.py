"""Links from code and tests, read from the syntax tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from minivess.compliance.items.marks import Marks, reading_marks
from minivess.foundation.errors import InputError

pytestmark = pytest.mark.verifies("SU-16")

_IMPORT = "from minivess.foundation.implements import implements\n"


def _code(tmp_path: Path, text: str, name: str = "src/pkg/mod.py") -> Path:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return tmp_path


def _marks(root: Path) -> Marks:
    with reading_marks(root) as marks:
        return marks()


@pytest.mark.verifies("REQ-032")
def test_decorators_of_functions_classes_and_methods_and_module_level_calls_are_links(tmp_path: Path) -> None:
    root = _code(
        tmp_path,
        _IMPORT
        + 'implements("REQ-001")\n@implements("REQ-002", "RC-01")\ndef f(): ...\n@implements("REQ-003")\nclass C:\n'
        + '    @property\n    @implements("REQ-004")\n    async def m(self): ...\n',
    )
    found = [(link.name, link.ids, link.line) for link in _marks(root).code]
    assert found == [
        ("pkg.mod", ("REQ-001",), 2),
        ("pkg.mod.f", ("REQ-002", "RC-01"), 3),
        ("pkg.mod.C", ("REQ-003",), 5),
        ("pkg.mod.C.m", ("REQ-004",), 8),
    ]


@pytest.mark.verifies("REQ-032")
def test_reading_links_never_runs_the_code(tmp_path: Path) -> None:
    witness = tmp_path / "ran"
    root = _code(
        tmp_path,
        "import not_installed_anywhere\n"
        + _IMPORT
        + f'open({str(witness)!r}, "w")\n@implements("REQ-001")\ndef f(): ...\n',
    )
    assert [link.ids for link in _marks(root).code] == [("REQ-001",)]
    assert not witness.exists()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("from minivess.foundation.implements import implements as fulfils\n@fulfils('REQ-001')\ndef f(): ...\n", 1),
        ("from minivess.foundation import implements\n@implements.implements('REQ-001')\ndef f(): ...\n", 1),
        ("from elsewhere import implements\n@implements('REQ-001')\ndef f(): ...\n", 0),
        ('TEXT = """\n@implements("REQ-001")\n"""\n# implements("REQ-002")\n', 0),
    ],
)
def test_only_our_declaration_counts(tmp_path: Path, text: str, count: int) -> None:
    assert len(_marks(_code(tmp_path, text)).code) == count


@pytest.mark.parametrize("argument", ["NAME", 'f"REQ-{1}"', "*IDS"])
def test_an_id_that_cannot_be_read_is_refused(tmp_path: Path, argument: str) -> None:
    root = _code(tmp_path, f"{_IMPORT}@implements({argument})\ndef f(): ...\n")
    with pytest.raises(InputError, match=r"^src/pkg/mod\.py:2: an id here is not a string literal"):
        _marks(root)


def test_code_that_is_not_python_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^src/pkg/mod\.py:2: is not Python"):
        _marks(_code(tmp_path, f"{_IMPORT}def f(:\n"))


def test_marks_of_tests_are_links(tmp_path: Path) -> None:
    root = _code(
        tmp_path,
        "import pytest\nfrom pytest import mark\npytestmark = pytest.mark.verifies('REQ-001')\n"
        "@mark.verifies('REQ-002')\nclass TestA:\n    @pytest.mark.verifies('REQ-003')\n    def test_b(self): ...\n"
        "@pytest.mark.parametrize('x', [pytest.param(1, marks=pytest.mark.verifies('REQ-004'))])\ndef test_c(x): ...\n",
        "tests/test_x.py",
    )
    assert [(link.name, link.ids) for link in _marks(root).tests] == [
        ("test_x", ("REQ-001",)),
        ("test_x.TestA", ("REQ-002",)),
        ("test_x.TestA.test_b", ("REQ-003",)),
        ("test_x.test_c", ("REQ-004",)),
    ]
