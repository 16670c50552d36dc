"""Steps of features/change.feature."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.main import app
from minivess.compliance.documents.log_story import items_digest
from minivess.compliance.identity.signer import Signer
from minivess.compliance.items.items import load_items
from minivess.compliance.items.revisions import difference, items_at
from minivess.compliance.trace.graph import TraceGraph
from minivess.compliance.trace.impact import Impact, impact_of
from minivess.compliance.trace.link_reviews import REVIEWS, item_digest, read_reviews, write_reviews
from minivess.foundation.errors import RefusedError, UsageError
from minivess.records.artifact import Artifact
from minivess.records.log.entry import Context, Draft, Outcome
from minivess.workflows.trace import link_reviews
from tests.support import projects
from tests.support.builders.audit_logs import service
from tests.support.command_line import Finished, run_here
from tests.support.git_situations import ITEMS, OLD, Situation, situation
from tests.support.projects import ProjectFolder
from tests.support.source_states import commit_all

scenarios("change.feature")

PAYLOADS_OF = {
    "model.export": {"opset": 20, "max_abs_difference": 0.0, "tolerance": 0.001},
    "calibration": {"temperature": 1.0, "threshold": 0.5, "target_recall": 0.9, "cases": 1},
}


@dataclass
class Desk:
    """A project with a tiny source tree of its own."""

    project: ProjectFolder
    tree: Path
    impact: Impact | None = None

    def states(self) -> dict[str, str]:
        """How links stand that are not reviewed as they are."""
        with self.project.services() as services:
            return {
                str(key): state
                for key, state in link_reviews.read_link_reviews(services).states.items()
                if state != "reviewed"
            }

    def review(self, who: Signer, *only: str) -> None:
        """Review links."""
        with self.project.services() as services:
            link_reviews.review(services, who, only=only)

    def edit(self, name: str, old: str, new: str) -> None:
        """Change a file of the tree."""
        path = self.tree / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    tree = projects.write_tiny_tree(tmp_path / "source")
    return Desk(projects.start(tmp_path / "project", source=tree), tree)


@given(parsers.parse('a project whose links were all reviewed by "{who}"'))
def _(desk: Desk, who: str) -> None:
    desk.review(desk.project.signers[who])


@then("no link waits for a review")
def _(desk: Desk) -> None:
    assert desk.states() == {}
    assert TraceGraph.load(desk.tree).gaps() == ()


@then(parsers.parse('the log says that "{who}" reviewed "{link}"'))
def _(desk: Desk, who: str, link: str) -> None:
    with desk.project.services() as services:
        [actor] = [
            entry.body.actor
            for entry in services.log.facts().completed({"trace.review"})
            for one in entry.body.payload["links"]
            if one["link"] == link
        ]
        assert link_reviews.read_link_reviews(services).unsigned == ()
    assert actor == who


@when(parsers.parse('the statement of "{item}" changes'))
def _(desk: Desk, item: str) -> None:
    assert item == "UN-01"
    statement = load_items(desk.tree).user_needs[item].statement
    desk.edit("requirements/all.yaml", statement, f"{statement} Always.")


@then(parsers.parse('the check reports the suspect link "{link}"'))
def _(desk: Desk, link: str) -> None:
    item, _, target = link.split()
    gaps = [gap for gap in TraceGraph.load(desk.tree).gaps() if gap.kind == "suspect-link"]
    assert [gap.item for gap in gaps] == [item]
    assert target in gaps[0].message
    assert desk.states() == {link: "suspect"}


@when(parsers.parse('"{who}" reviews the links of "{item}"'))
def _(desk: Desk, who: str, item: str) -> None:
    desk.review(desk.project.signers[who], item)


def change(desk: Desk, thing: str, mark: str) -> None:
    """Put another version of something beside text in force."""
    digest = "sha256:" + mark * 64
    file = desk.project.workspace.project_file
    if thing == "policy":
        policy = desk.project.workspace.root / "release" / "policy.yaml"
        policy.parent.mkdir(exist_ok=True)
        policy.write_text(f"gates: [{mark}]\n", encoding="utf-8")
    elif thing == "label-protocol":
        text = file.read_text(encoding="utf-8")
        file.write_text(
            text.replace("  name: toy\n", f"  name: toy\n  classes: {{1: vessel {mark}}}\n"), encoding="utf-8"
        )
    elif thing == "configuration":
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("bootstrap: 100", f"bootstrap: 10{mark}"), encoding="utf-8")
    else:
        action = {"data-set": "data.split", "weights": "model.export", "threshold": "calibration"}[thing]
        known = {"data-set": {"data": digest}, "weights": {"model": digest}}.get(thing, {})
        payload = {"train": 1, "calibration": 1, "test": 1} if thing == "data-set" else {}
        outputs = (Artifact(name="models/calibration.json", digest=digest),)
        with desk.project.services() as services:
            draft = Draft(
                action=action,
                outcome=Outcome.COMPLETED,
                context=Context.model_validate(known),
                outputs=outputs,
                payload=PAYLOADS_OF.get(action, payload),
            )
            services.log.append(draft, desk.project.signers["ada"])


@given(parsers.parse('"{item}" rests on the {thing} and was reviewed so'))
def _(desk: Desk, item: str, thing: str) -> None:
    if thing in {"data-set", "weights", "threshold"}:
        change(desk, thing, "1")
    desk.edit("risk/controls.yaml", f"id: {item}\n", f"id: {item}\n    rests_on: [{thing}]\n")
    desk.review(desk.project.signers["ada"])
    assert desk.states() == {}


@when(parsers.re("the (?P<thing>policy|data-set|label-protocol|weights|threshold|configuration) changes"))
def _(desk: Desk, thing: str) -> None:
    change(desk, thing, "2")


@then(parsers.parse('the link "{link}" is suspect'))
def _(desk: Desk, link: str) -> None:
    assert desk.states() == {link: "suspect"}


@when("a user writes the new digest into the file of reviews by hand")
def _(desk: Desk) -> None:
    digest = item_digest(load_items(desk.tree).by_id["UN-01"])
    known = read_reviews(desk.tree)
    write_reviews(desk.tree, {key: digest if key.target == "UN-01" else old for key, old in known.items()})
    assert TraceGraph.load(desk.tree).gaps() == ()


@then(parsers.parse('the review of "{link}" counts as unsigned'))
def _(desk: Desk, link: str) -> None:
    with desk.project.services() as services:
        assert [str(key) for key in link_reviews.read_link_reviews(services).unsigned] == [link]


@then("the service is refused to review links")
def _(desk: Desk) -> None:
    before = (desk.tree / REVIEWS).read_bytes()
    with pytest.raises(RefusedError, match="service"):
        desk.review(service("trainer"))
    assert (desk.tree / REVIEWS).read_bytes() == before


@when(parsers.parse('"{who}" asks what a change of "{item}" reaches'))
def _(desk: Desk, who: str, item: str) -> None:
    assert who
    desk.impact = impact_of(TraceGraph.load(desk.tree), [item])


@then(parsers.parse('"{first}", "{second}" and "{third}" are affected'))
def _(desk: Desk, first: str, second: str, third: str) -> None:
    assert desk.impact is not None
    assert sorted(desk.impact.affected) == sorted((*desk.impact.changed, first, second, third))


@then(parsers.parse('the scenario "{name}" is to be run again'))
def _(desk: Desk, name: str) -> None:
    assert desk.impact is not None
    assert desk.impact.tests == (name,)


@then("pytest, given the selection, runs that scenario alone")
def _(desk: Desk) -> None:
    assert desk.impact is not None
    (desk.tree / "tests" / "test_other.py").write_text("def test_other(): ...\n", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MINIVESS_", "PYTEST_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", desk.impact.selection, "tests"],
        cwd=desk.tree,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed, 1 deselected" in done.stdout


@given("the tree is committed")
def _(desk: Desk) -> None:
    for command in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "first"],
    ):
        subprocess.run(["git", *command], cwd=desk.tree, check=True)


@given(parsers.parse('"{who}" takes the baseline "{name}"'))
def _(desk: Desk, who: str, name: str) -> None:
    with desk.project.services() as services:
        link_reviews.take_baseline(services, desk.project.signers[who], name)


@then(parsers.parse('the difference from the baseline "{name}" is the statement of "{item}"'))
def _(desk: Desk, name: str, item: str) -> None:
    with desk.project.services() as services:
        found = link_reviews.baselines(services)[name]
    assert found.commit is not None
    before = items_at(desk.tree, found.commit)
    assert items_digest(before) == found.digest
    [change] = difference(before, load_items(desk.tree))
    assert (change.item, change.how, list(change.fields)) == (item, "changed", ["statement"])


@then(parsers.parse('the baseline "{name}" cannot be taken again'))
def _(desk: Desk, name: str) -> None:
    subprocess.run(["git", "stash", "-q"], cwd=desk.tree, check=True)
    with desk.project.services() as services, pytest.raises(UsageError, match="already"):
        link_reviews.take_baseline(services, desk.project.signers["max"], name)
    subprocess.run(["git", "stash", "pop", "-q"], cwd=desk.tree, check=True)


@then("no baseline is taken of a tree that differs from its commit")
def _(desk: Desk) -> None:
    with desk.project.services() as services, pytest.raises(RefusedError, match="commit"):
        link_reviews.take_baseline(services, desk.project.signers["max"], "v2")


@given("the tree is below the root of a repository and committed")
def _(desk: Desk) -> None:
    commit_all(desk.tree.parent)


@then(parsers.parse('"minivess trace diff HEAD" lists the change of "{item}", with and without a log'))
def _(desk: Desk, item: str, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    text = desk.project.workspace.project_file.read_text(encoding="utf-8")
    (alone / "minivess.yaml").write_text(text, encoding="utf-8")
    for folder in (desk.project.workspace.root, alone):
        done = CliRunner().invoke(app, ["-C", str(folder), "trace", "diff", "HEAD"])
        assert done.exit_code == 0, done.output
        assert f"changed: {item}" in done.output


@given(parsers.parse("a source tree in a {place}"), target_fixture="placed")
def _(tmp_path: Path, place: str) -> Situation:
    return situation(place, tmp_path)


@when("an item is taken away")
def _(placed: Situation) -> None:
    (placed.folder / ITEMS).write_text(OLD, encoding="utf-8")


@then('"minivess trace diff HEAD" lists it without a passphrase')
def _(placed: Situation) -> None:
    done = run_here("trace", "diff", "HEAD", folder=placed.folder)
    assert (done.code, done.out.strip()) == (0, "removed: UN-02 Speed"), done.err


@when('"minivess trace diff" is run with a commit that was not fetched', target_fixture="finished")
def _(placed: Situation) -> Finished:
    return run_here("trace", "diff", placed.first, folder=placed.folder)


@then(parsers.parse('it names "{command}"'))
def _(finished: Finished, command: str) -> None:
    assert finished.code == 2
    assert command in finished.err
