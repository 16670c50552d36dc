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
"""An assignment at the top level of the file with this number of lines or more is a table."""
_NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def lines_of_code(text: str) -> int:
    """Lines that hold code: no blank line, comment, docstring, or row of a table."""
    tree, found = ast.parse(text), set[int]()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _NO_CODE:
            found.update(range(token.start[0], token.end[0] + 1))
    left_out = [one for one in ast.walk(tree) if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)]
    tables = [one for one in tree.body if isinstance(one, ast.Assign) and _length(one) >= TABLE]
    for one in (*left_out, *tables):
        found.difference_update(range(one.lineno, one.lineno + _length(one)))
    return len(found)


def _length(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_the_code_of_the_standalone_verifier_is_within_its_limit() -> None:
    assert lines_of_code(FILE.read_text(encoding="utf-8")) <= LIMIT


def test_code_is_counted_without_tables_and_words() -> None:
    text = '"""Words."""\n\n# more words\nTABLE = (\n    1,\n    2,\n)\n\ndef double(x):\n    """Words."""\n    return 2 * x\n'
    assert lines_of_code(text) == 2


def test_the_standalone_verifier_imports_the_standard_library_alone() -> None:
    tree = ast.parse(FILE.read_text(encoding="utf-8"), feature_version=(3, 9))
    names = {one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names <= sys.stdlib_module_names
