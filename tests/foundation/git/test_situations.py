"""Every question to git has the same answer below a root, in a worktree, in a shallow clone and in a submodule."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from minivess.compliance.items.history import history_of
from minivess.compliance.items.items import load_items
from minivess.compliance.items.revisions import difference, items_at
from minivess.foundation.errors import CouldNotCheckError, InputError, UsageError
from minivess.foundation.git.changes import changed_names, uncommitted_diff
from minivess.foundation.git.checkout import check_out
from minivess.foundation.git.commands import git
from minivess.foundation.git.contents import contents_of
from minivess.foundation.git.files_at import files_at
from minivess.foundation.git.ignore import ignore_line
from minivess.foundation.git.repository import Repository, repository_of
from minivess.foundation.provenance import environment_digest, source_state, tree_digest
from tests.support import source_states
from tests.support.git_situations import ITEMS, NEW, OLD, SITUATIONS, Situation, situation

pytestmark = pytest.mark.verifies("REQ-254")


@pytest.fixture(scope="module", params=SITUATIONS)
def tree(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Situation:
    """A source tree that no test changes."""
    return situation(request.param, tmp_path_factory.mktemp("place"))


def test_the_repository_of_a_tree_is_found(tree: Situation) -> None:
    found = repository_of(tree.folder)

    assert isinstance(found, Repository)
    assert (found.prefix, found.commit) == (tree.prefix, tree.second)
    assert found.top / found.prefix == tree.folder
    assert source_state(tree.folder) == (tree.second, False)
    assert {tree.prefix + ITEMS, "uv.lock"} == set(contents_of(tree.folder).files)
    assert environment_digest(tree.folder) is not None


def test_items_of_a_commit_are_read(tree: Situation) -> None:
    assert set(items_at(tree.folder, "HEAD").by_id) == {"UN-01", "UN-02"}
    assert difference(items_at(tree.folder, tree.second), load_items(tree.folder)) == ()


def test_an_earlier_commit_is_read_or_known_to_be_cut_off(tree: Situation) -> None:
    if git(tree.folder, "rev-parse", "--is-shallow-repository").lines == ["true"]:
        with pytest.raises(UsageError, match="knows no commit") as refused:
            items_at(tree.folder, tree.first)
        assert "git fetch --unshallow" in refused.value.hint
        return
    [change] = difference(items_at(tree.folder, tree.first), load_items(tree.folder))
    assert (change.item, change.how) == ("UN-02", "added")


def test_the_history_of_an_item_is_what_git_knows_of_it(tree: Situation) -> None:
    found = history_of(tree.folder, load_items(tree.folder).all())

    shallow = git(tree.folder, "rev-parse", "--is-shallow-repository").lines == ["true"]
    assert {item: [one.commit for one in commits] for item, commits in found.items()} == {
        "UN-01": [] if shallow else [tree.first],
        "UN-02": [] if shallow else [tree.second],
    }


def test_a_copy_of_a_commit_is_made(tree: Situation, tmp_path: Path) -> None:
    copy = check_out(tree.folder, tree.second, tmp_path / "copy")

    assert (copy / ITEMS).read_text(encoding="utf-8") == NEW
    assert tree_digest(copy) == tree_digest(tree.folder)


@pytest.mark.parametrize("name", SITUATIONS)
def test_changes_are_found_and_can_be_applied_to_a_copy(name: str, tmp_path: Path) -> None:
    tree = situation(name, tmp_path)
    (tree.folder / ITEMS).write_text(OLD, encoding="utf-8")
    (tree.folder / "a*").write_text("new\n", encoding="utf-8")

    contents = contents_of(tree.folder)
    assert source_state(tree.folder) == (tree.second, True)
    assert set(changed_names(contents)) == {tree.prefix + ITEMS, f"{tree.prefix}a*"}
    [change] = difference(items_at(tree.folder, "HEAD"), load_items(tree.folder))
    assert (change.item, change.how) == ("UN-02", "removed")
    copy = check_out(tree.folder, tree.second, tmp_path / "copy", diff=uncommitted_diff(contents))
    assert (copy / ITEMS).read_text(encoding="utf-8") == OLD
    assert (copy / "a*").read_text(encoding="utf-8") == "new\n"


def test_items_in_a_submodule_are_read_at_the_recorded_commit(tmp_path: Path) -> None:
    inner = situation("root", tmp_path)
    outer = tmp_path / "outer"
    outer.mkdir()
    source_states.git(outer, "init", "--quiet")
    source_states.git(outer, "submodule", "--quiet", "add", str(inner.folder / "requirements" / ".."), "requirements")
    source_states.git(outer / "requirements", "checkout", "--quiet", inner.first)
    source_states.commit_all(outer)
    source_states.git(outer / "requirements", "checkout", "--quiet", inner.second)

    found = {file.name: file.content for file in files_at(outer, "HEAD", ["requirements", "risk"], limit=1 << 20)}

    assert found[f"requirements/{ITEMS}"].decode() == OLD
    source_states.git(outer, "submodule", "--quiet", "deinit", "--force", "requirements")
    with pytest.raises(CouldNotCheckError, match="submodule requirements is not checked out"):
        files_at(outer, "HEAD", ["requirements"], limit=1 << 20)


def test_attributes_for_archives_take_no_item_away(tmp_path: Path) -> None:
    tree = situation("root", tmp_path)
    (tree.folder / ".gitattributes").write_text("requirements export-ignore\n*.yaml export-subst\n", encoding="utf-8")
    text = f"{NEW}# $Format:%H$\n"
    (tree.folder / ITEMS).write_text(text, encoding="utf-8")
    source_states.commit_all(tree.folder)

    [file] = files_at(tree.folder, "HEAD", ["requirements"], limit=1 << 20)

    assert file.content.decode() == text


def test_files_that_are_too_large_are_refused_and_links_are_marked(tmp_path: Path) -> None:
    tree = situation("root", tmp_path)
    (tree.folder / "requirements" / "also.yaml").symlink_to("needs.yaml")
    (tree.folder / "risk").symlink_to("../outside")
    source_states.commit_all(tree.folder)

    with pytest.raises(InputError, match="larger"):
        files_at(tree.folder, "HEAD", ["requirements"], limit=10)
    found = files_at(tree.folder, "HEAD", ["requirements", "risk"], limit=1 << 20)
    assert {file.name: file.content for file in found if file.link} == {
        "requirements/also.yaml": b"needs.yaml",
        "risk": b"../outside",
    }
    with pytest.raises(CouldNotCheckError, match="risk at HEAD is a link"):
        items_at(tree.folder, "HEAD")


@pytest.mark.parametrize("revision", ["-h", "--all", "nothing", "", "HEAD:requirements"])
def test_what_names_no_commit_is_refused(tmp_path: Path, revision: str) -> None:
    tree = situation("root", tmp_path)

    with pytest.raises(UsageError, match="knows no commit"):
        items_at(tree.folder, revision)


@pytest.mark.verifies("REQ-248")
@pytest.mark.parametrize(
    "name", ["raw", "a*b", "a?b", "a[x]b", "a\\b", "#a", "!a", "a ", "a  ", "deep/a*", "größe", "**"]
)
def test_a_line_of_gitignore_names_one_folder(tmp_path: Path, name: str) -> None:
    source_states.git(tmp_path, "init", "--quiet")
    (tmp_path / ".gitignore").write_text(f"{ignore_line(name)}\n", encoding="utf-8")

    asked = [name, "axb", "a", "ab", "deep/axb", f"other/{name}"]
    given = b"\0".join(one.encode() for one in asked)
    answer = git(tmp_path, "check-ignore", "--stdin", "-z", given=given, variables={"GIT_LITERAL_PATHSPECS": "0"})

    assert answer.names == [name]


def test_git_asks_no_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = tmp_path / "asked"
    program = tmp_path / "ask"
    program.write_text(f"#!/bin/sh\ntouch '{asked}'\necho secret\n", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    tree = situation("root", tmp_path / "place")
    source_states.git(tree.folder, "config", "core.askPass", str(program))
    for name in ("GIT_ASKPASS", "SSH_ASKPASS"):
        monkeypatch.setenv(name, str(program))
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")

    answer = git(tree.folder, "credential", "fill", given=b"protocol=https\nhost=example.org\n\n")

    assert answer.status != 0
    assert not asked.exists()
    session = git(tree.folder, "-c", "alias.session=!cut -d' ' -f6 /proc/self/stat", "session")
    assert session.status == 0
    assert int(session.output) != os.getsid(0)
