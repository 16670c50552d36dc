"""What a change reaches, how two states of the items differ, and the file of reviews."""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from minivess.compliance.items.items import load_items
from minivess.compliance.items.revisions import difference, items_at
from minivess.compliance.trace.graph import TraceGraph
from minivess.compliance.trace.impact import changed_between, impact_of
from minivess.compliance.trace.link_reviews import (
    REVIEWS,
    LinkKey,
    link_digests,
    read_reviews,
    states,
    write_reviews,
)
from minivess.foundation.errors import InputError, UsageError
from tests.support.properties import given
from tests.support.properties import strategies as st
from tests.support.tiny_tree import write_tree

pytestmark = pytest.mark.verifies("SU-18")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "tree")


def git(tree: Path, *arguments: str) -> None:
    name = ["-c", "user.name=ada", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", "-C", str(tree), *name, *arguments], check=True, capture_output=True)


def reword(tree: Path) -> None:
    path = tree / "requirements/all.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("shall add.", "shall add twice."), encoding="utf-8")


def test_a_change_reaches_what_depends_on_it_and_what_it_is_needed_for(tree: Path) -> None:
    found = impact_of(TraceGraph.load(tree), ["REQ-001"])
    assert set(found.affected) == {"REQ-001", "RC-01", "RISK-01", "UN-01"}
    assert found.verify == ("REQ-001", "RC-01")
    assert found.tests == ("Two and two",)
    assert found.review == (("RC-01", "implemented_by", "REQ-001"),)
    assert found.selection == "--verifies=REQ-001,RC-01"


def test_a_change_of_what_nobody_knows_is_refused_with_the_nearest_name(tree: Path) -> None:
    with pytest.raises(UsageError) as error:
        impact_of(TraceGraph.load(tree), ["REQ-002"])
    assert "REQ-001" in error.value.hint


def test_items_of_a_revision_differ_in_the_fields_that_changed(tree: Path) -> None:
    git(tree, "init", "-q")
    git(tree, "add", ".")
    git(tree, "commit", "-qm", "first")
    reword(tree)
    before, after = items_at(tree, "HEAD"), load_items(tree)
    assert changed_between(before, after) == ("REQ-001",)
    [change] = difference(before, after)
    assert (change.item, change.how, list(change.fields)) == ("REQ-001", "changed", ["statement"])
    for unknown in ("--output=x", "no-such-branch"):
        with pytest.raises(UsageError):
            items_at(tree, unknown)


def test_a_link_is_suspect_from_the_change_of_its_target_on(tree: Path) -> None:
    known = link_digests(load_items(tree), {})
    assert set(states(known, known).values()) == {"reviewed"}
    reword(tree)
    now = states(link_digests(load_items(tree), {}), known)
    assert [key.target for key, state in now.items() if state == "suspect"] == ["REQ-001"]


_KEYS = st.builds(
    LinkKey,
    st.from_regex(r"[A-Z]{2,4}-[0-9]{2,5}", fullmatch=True),
    st.sampled_from(["derives_from", "controls", "rests_on"]),
    st.from_regex(r"[A-Za-z0-9._-]{1,20}", fullmatch=True),
)


@given(st.dictionaries(_KEYS, st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True), max_size=20))
def test_reviews_come_back_as_they_were_written(reviews: dict[LinkKey, str]) -> None:
    with TemporaryDirectory() as name:
        (Path(name) / REVIEWS).parent.mkdir()
        write_reviews(Path(name), reviews)
        assert read_reviews(Path(name)) == reviews


@pytest.mark.parametrize("line", ["REQ-001 derives_from UN-01 sha256:0", "nothing", "REQ-001  x UN-01"])
def test_a_review_that_cannot_be_read_is_refused_with_its_line(tree: Path, line: str) -> None:
    write_reviews(tree, {})
    path = tree / REVIEWS
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"requirements/reviews.txt:2: is no review"):
        read_reviews(tree)
