"""The generated project of `benchmarks/traceability.py` as StrictDoc, sphinx-needs and jamb read it, and how long they take.

They are no dependencies of this project: install them into an environment of their own and name its `bin` folder.

    python -m venv /tmp/tools && /tmp/tools/bin/pip install strictdoc sphinx-needs jamb
    uv run python benchmarks/traceability.py --sizes 5000 --no-plugin --tools /tmp/tools/bin
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

LIMIT = 900.0
"""Seconds after which a tool is not waited for."""

Words = Callable[[int], str]


@dataclass(frozen=True)
class Task:
    """Something a tool does with the project."""

    what: str
    program: str
    arguments: tuple[str, ...]
    folder: Path


def tasks(tools: str | None, base: Path, count: int, words: Words) -> Iterator[Task]:
    """What the tools that are installed can be asked to do; writes the project for each of them first."""
    for program, write, asked in (
        ("strictdoc", _strictdoc, (("check and static site", ("export", ".", "--output-dir", "out")),)),
        (
            "sphinx-build",
            _sphinx,
            (
                ("check (needs.json)", ("-q", "-b", "needs", ".", "out-needs")),
                ("check and static site", ("-q", "-b", "html", ".", "out-html")),
            ),
        ),
        ("jamb", _jamb, (("check", ("validate",)),)),
    ):
        found = shutil.which(program, path=tools)
        if found is None:
            yield Task("not installed", program, (), base)
            continue
        folder = base / program
        write(folder, count, words)
        for what, arguments in asked:
            yield Task(what, found, arguments, folder)


def seconds(task: Task) -> float | None:
    """Wall seconds; None when it took too long."""
    begun = time.perf_counter()
    try:
        done = subprocess.run(
            [task.program, *task.arguments],
            cwd=task.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        raise SystemExit(f"{task.program}: {done.stdout[-500:]}{done.stderr[-500:]}")
    return time.perf_counter() - begun


def _parent(number: int) -> str:
    return f"{(number - 1) // 10 + 1:05}"


def _strictdoc(folder: Path, count: int, words: Words) -> None:
    folder.mkdir()
    item = "[REQUIREMENT]\nUID: {}\nTITLE: {}\nSTATEMENT: {}\n"
    needs = (item.format(f"UN-{n:05}", f"Need {n}", f"Somebody needs {words(n)}.") for n in range(1, count // 10 + 1))
    (folder / "needs.sdoc").write_text("[DOCUMENT]\nTITLE: Needs\n\n" + "\n".join(needs), encoding="utf-8")
    text = (
        item.format(f"REQ-{n:05}", f"Requirement {n}", f"The software shall {words(n)}.")
        + f"RATIONALE: Without it {words(n + 1)}.\nRELATIONS:\n- TYPE: Parent\n  VALUE: UN-{_parent(n)}\n"
        for n in range(1, count + 1)
    )
    (folder / "requirements.sdoc").write_text("[DOCUMENT]\nTITLE: Requirements\n\n" + "\n".join(text), encoding="utf-8")


def _sphinx(folder: Path, count: int, words: Words) -> None:
    folder.mkdir()
    (folder / "conf.py").write_text('extensions = ["sphinx_needs"]\nneeds_id_regex = ".*"\n', encoding="utf-8")
    (folder / "index.rst").write_text("All\n===\n\n.. toctree::\n\n   needs\n   requirements\n", encoding="utf-8")
    needs = "".join(
        f".. req:: Need {n}\n   :id: UN-{n:05}\n\n   Somebody needs {words(n)}.\n\n" for n in range(1, count // 10 + 1)
    )
    (folder / "needs.rst").write_text(f"Needs\n=====\n\n{needs}", encoding="utf-8")
    text = "".join(
        f".. req:: Requirement {n}\n   :id: REQ-{n:05}\n   :links: UN-{_parent(n)}\n\n   The software shall {words(n)}.\n\n"
        for n in range(1, count + 1)
    )
    (folder / "requirements.rst").write_text(f"Requirements\n============\n\n{text}", encoding="utf-8")


def _jamb(folder: Path, count: int, words: Words) -> None:
    for name, prefix, items in (("needs", "UN", count // 10), ("requirements", "REQ", count)):
        (folder / name).mkdir(parents=True)
        parents = "  parents:\n  - UN\n" if prefix == "REQ" else ""
        settings = f"settings:\n  digits: 5\n  prefix: {prefix}\n  sep: ''\n{parents}"
        (folder / name / ".jamb.yml").write_text(settings, encoding="utf-8")
        for n in range(1, items + 1):
            links = f"links:\n- UN{_parent(n)}\n" if parents else "links: []\n"
            text = f"active: true\ntype: requirement\nheader: {prefix} {n}\ntext: {words(n)}\n{links}"
            (folder / name / f"{prefix}{n:05}.yml").write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "-q", "."], cwd=folder, check=True)  # noqa: S607  jamb looks for its root
