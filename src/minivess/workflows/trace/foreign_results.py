"""Results of other test runners as results of a source tree, on the word of whoever ran them."""

from __future__ import annotations

import platform
from pathlib import Path

from minivess.compliance.exchange.formats.junit import ForeignResults
from minivess.compliance.results.platform_parts import platform_parts
from minivess.foundation.clock import utc_now
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.foundation.provenance import environment_digest, source_state, tree_digest
from minivess.records.items.loaded_files import LoadedFiles
from minivess.records.items.trace import RecordedResult, ResultReport

_LENGTH = 200


@implements("REQ-075")
def report_of(found: ForeignResults, source: Path, *, tester: str) -> ResultReport:
    """A report for the tree as it is now; the file of another runner does not say on which tree it ran, so the tester does.

    The parts of the platform are those of the machine that imports the results, on the word of the tester too.

    Args:
        found: what the runner's file holds.
        source: the tree.
        tester: who ran the tests (IEC 62304 5.7.5).

    Raises:
        UsageError: there is no tester, or not one line of it.
        CouldNotCheckError: the tree cannot be read.
    """
    if not tester.strip() or len(tester) > _LENGTH or "\n" in tester:
        raise UsageError("say who ran the tests, in one line")
    commit, dirty = source_state(source)
    return ResultReport(
        commit=commit,
        dirty=dirty,
        tree=tree_digest(source),
        environment=environment_digest(source),
        platform=f"{platform.system()} {platform.machine()}, results of another runner",
        parts=platform_parts(),
        time=utc_now(),
        tester=tester.strip(),
        loaded=LoadedFiles(runner="other"),
        results=tuple(
            RecordedResult(
                name=one.name,
                node=f"{one.place.file}::{one.classname}::{one.name}",
                ids=one.ids,
                outcome=one.outcome,
                seconds=one.seconds,
                message=one.message,
            )
            for one in found.results
        ),
    )
