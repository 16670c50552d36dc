"""`verify.py` can be read as a whole: its size (ADR 45), one file, and modules of the standard library alone."""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from pathlib import Path

FILE = Path(__file__).resolve().parents[2] / "templates" / "verify" / "verify.py"
LIMIT = 2000
"""Lines of code outside tables."""
TABLE = 4
"""An assignment at the top level of the file with this number of lines or more is a table, if it holds no function."""
_NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def lines_of_code(text: str) -> int:
    """Lines that hold code: no blank line, comment, docstring, or row of a table."""
    tree, found = ast.parse(text), set[int]()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _NO_CODE:
            found.update(range(token.start[0], token.end[0] + 1))
    left_out = [one for one in ast.walk(tree) if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)]
    tables = [one for one in tree.body if isinstance(one, ast.Assign) and _length(one) >= TABLE and not _has_code(one)]
    for one in (*left_out, *tables):
        found.difference_update(range(one.lineno, one.lineno + _length(one)))
    return len(found)


def _has_code(table: ast.Assign) -> bool:
    return any(isinstance(one, ast.Lambda) for one in ast.walk(table))


def _length(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_the_code_of_the_standalone_verifier_is_within_its_limit() -> None:
    assert lines_of_code(FILE.read_text(encoding="utf-8")) <= LIMIT


def test_code_is_counted_without_tables_and_words() -> None:
    text = '"""Words."""\n\n# more words\nTABLE = (\n    1,\n    2,\n)\n\ndef double(x):\n    """Words."""\n    return 2 * x\n'
    assert lines_of_code(text) == 2


def test_a_table_that_holds_a_function_is_code() -> None:
    rows = "TABLE = {\n    1: %s,\n    2: 3,\n    4: 5,\n}\n"
    assert lines_of_code(rows % "2") == 0
    assert lines_of_code(rows % "[lambda x: 2 * x]") == 5


def test_the_standalone_verifier_imports_the_standard_library_alone() -> None:
    tree = ast.parse(FILE.read_text(encoding="utf-8"), feature_version=(3, 9))
    names = {one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names <= sys.stdlib_module_names
