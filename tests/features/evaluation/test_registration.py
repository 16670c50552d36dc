"""Steps of registration.feature: what the seal and the log fix, on real workspaces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.release.release import release as release_command
from minivess.cli.sealed.requests import test_set as access_command
from minivess.compliance.proofs.canonical import digest_of
from minivess.compliance.rules.registrations import Registrations
from minivess.foundation.errors import MinivessError, RefusedError
from minivess.records.data.groups import groups_of
from minivess.records.data.validation import RuleChange, Severity
from minivess.records.evaluation.evaluation import Looks
from minivess.records.lengths import Length
from minivess.records.log.entry import Outcome
from minivess.records.log.payloads.data import DataSealed
from minivess.records.people.approval import UnsealRequest
from minivess.workflows.data import sealing
from minivess.workflows.release import build
from minivess.workflows.sealed import analysis_plan, registration, requests
from minivess.workflows.sealed.evaluation_inputs import evaluation_inputs, inputs_digest
from minivess.workflows.sealed.registration import policy_of
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.services import Services
from tests.support import projects
from tests.support.lazy_modules import lazily

with lazily("minivess.workflows.sealed.final_evaluation"):
    from minivess.workflows.sealed import final_evaluation

scenarios("registration.feature")


@dataclass
class Story:
    project: projects.ProjectFolder
    services: Services
    error: MinivessError | None = None
    request: UnsealRequest | None = None
    result: Result | None = None

    def change(self, **changes: Any) -> None:
        """Change the project file as it is read."""
        self.services = replace(self.services, project=self.services.project.model_copy(update=changes))

    def change_plan(self, **changes: Any) -> None:
        self.change(evaluation=self.services.project.evaluation.model_copy(update=changes))

    def change_policy(self, change: Callable[[dict[str, Any]], object]) -> None:
        path = self.project.workspace.root / "release" / "policy.yaml"
        plain = yaml.safe_load(path.read_text(encoding="utf-8"))
        change(plain)
        path.write_text(yaml.safe_dump(plain), encoding="utf-8")

    def act(self, who: str, step: str) -> Any:
        return STEPS[step](self.services, self.project.signers[who.lower()])

    def look(self) -> None:
        ada = self.project.signers["ada"]
        asked = requests.request(self.services, ada, purpose="a look")
        requests.approve(self.services, self.project.signers["rosa"], asked.id)
        final_evaluation.run(self.services, ada, asked.id)


STEPS: dict[str, Callable[[Services, Any], Any]] = {
    "registers criteria": analysis_plan.register_criteria,
    "registers a policy": registration.register_policy,
    "requests a look": lambda services, ada: requests.request(services, ada, purpose="a look"),
    "builds the release": build.build,
}


@pytest.fixture
def sealed(sealed_project: projects.ProjectFolder, tmp_path: Path) -> Iterator[Story]:
    project = sealed_project.copy_to(tmp_path / "project")
    with project.services() as services:
        yield Story(project, services)


@given("a project whose test part is sealed", target_fixture="story")
def _(sealed: Story) -> Story:
    return sealed


@given("an evaluated model", target_fixture="story")
def _(releasable_project: projects.ProjectFolder, tmp_path: Path) -> Iterator[Story]:
    project = releasable_project.copy_to(tmp_path / "project")
    with project.services() as services:
        yield Story(project, services)


@given(
    "a project with a laxer plan and a stricter one, both registered, and a look under the stricter",
    target_fixture="story",
)
def _(sealed: Story) -> Story:
    strict, criterion = sealed.services, sealed.services.project.evaluation.criteria[0]
    sealed.change_plan(criteria=(criterion.model_copy(update={"at_least": 0.05}),))
    lax = sealed.services
    for one in (lax, strict):
        analysis_plan.register_criteria(one, sealed.project.signers["ada"])
    registration.register_policy(strict, sealed.project.signers["max"])
    sealed.services = strict
    sealed.look()
    sealed.services = lax
    return sealed


@given("criteria and policy are registered")
def _(story: Story) -> None:
    projects.register(story.project, story.services)


@given("criteria alone are registered")
def _(story: Story) -> None:
    story.act("ada", "registers criteria")


@given("the project file allows 5 looks")
def _(story: Story) -> None:
    story.change_plan(looks=Looks(per_release=2, total=5))


@given("the project file lowers a validation rule")
def _(story: Story) -> None:
    lower = {"arrays-match": RuleChange(severity=Severity.NOTE, reason="a scenario")}
    story.change(data=story.services.project.data.model_copy(update={"rules": lower}))


@given("the sealed manifest is removed")
def _(story: Story) -> None:
    (story.project.workspace.sealed / "manifest.json").unlink()


@given(parsers.parse("a criterion of the project file is {how}"))
def _(story: Story, how: str) -> None:
    criterion = story.services.project.evaluation.criteria[0]
    limit = {"lowered": 0.05, "raised": 0.2}[how]
    story.change_plan(criteria=(criterion.model_copy(update={"at_least": limit}),))


@given("the tolerance of the project file is raised")
def _(story: Story) -> None:
    story.change_plan(tolerance=Length(5.0, "um"))


@given("the unit of the tolerance is changed")
def _(story: Story) -> None:
    story.change_plan(tolerance=Length(0.002, "mm"))


@given(parsers.parse("a {what} of the release policy is {how}"))
def _(story: Story, what: str, how: str) -> None:
    def change(plain: dict[str, Any]) -> None:
        gates = plain["gates"]
        if what == "signature":
            plain["signatures"]["rules"] = [
                {"role": "release-manager", "meaning": meaning} for meaning in ("approval", "review")
            ]
        elif how == "removed":
            plain["gates"] = [gate for gate in gates if gate["kind"] != "parity"]
        else:
            next(gate for gate in gates if gate["id"] == "dice")["at_least"] = {"lowered": 0.001, "raised": 0.02}[how]

    story.change_policy(change)


@when(parsers.re(f"(?P<who>Ada|Max) (?P<step>{'|'.join(STEPS)})$"))
def _(story: Story, who: str, step: str) -> None:
    with pytest.raises(MinivessError) as caught:
        story.act(who, step)
    story.error = caught.value


@when("Ada has requested a look")
def _(story: Story) -> None:
    story.request = story.act("ada", "requests a look")


@when("Ada seals again")
def _(story: Story) -> None:
    sealing.seal(story.services, story.project.signers["ada"])


@when("Ada seals and is refused")
def _(story: Story) -> None:
    with pytest.raises(RefusedError) as caught:
        sealing.seal(story.services, story.project.signers["ada"])
    story.error = caught.value


@when("criteria and policy are registered again")
def _(story: Story) -> None:
    projects.register(story.project, story.services)


@when(parsers.parse("{who} {command} at the command line"))
def _(story: Story, who: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (who.upper(), "LOG"):
        monkeypatch.setenv(f"MINIVESS_PASSPHRASE_{name}", projects.PASSPHRASE)
    group, name = command.split()
    arguments = [name, "--as", who.lower(), *(["--purpose", "a look"] if name == "request" else [])]
    commands = {"release": release_command, "test-set": access_command}
    story.result = CliRunner().invoke(commands[group], arguments, obj=story.project.workspace.root)


def _sealings(story: Story) -> list[DataSealed]:
    return [
        DataSealed.model_validate(one.body.payload)
        for one in story.services.log.entries()
        if one.body.action == "data.seal" and one.body.outcome is Outcome.COMPLETED
    ]


@then("the entry of the sealing names the root of the sealed part and of the split")
def _(story: Story) -> None:
    (said,) = _sealings(story)
    held = BoundInputs.of(story.services)
    assert said.root == held.seal.root
    assert said.terms is not None
    assert said.terms.split == held.split.root


@then(
    'it fixes 3 looks, intervals of 98.33 %, the groups of all cases, the unit "group", the statistics and no lowered rule'
)
def _(story: Story) -> None:
    (said,) = _sealings(story)
    held = BoundInputs.of(story.services)
    assert said.terms is not None
    groups = groups_of(held.manifest, held.split)
    assert set(groups) == {case.id for case in held.manifest.cases}
    assert said.terms.groups == digest_of(groups)
    assert (said.terms.looks, said.terms.unit, said.terms.lowered) == (3, "group", ())
    assert said.terms.statistics == "mean of groups"
    assert said.terms.level == pytest.approx(0.98333, abs=1e-5)


@then(parsers.parse('it is refused and the message says "{reason}"'))
def _(story: Story, reason: str) -> None:
    assert isinstance(story.error, RefusedError)
    assert reason in story.error.message


@then(parsers.parse('the hint names "{command}"'))
def _(story: Story, command: str) -> None:
    assert story.error is not None
    assert command in story.error.hint


@then(parsers.parse('the last entry says that "{who}" was refused'))
def _(story: Story, who: str) -> None:
    last = list(story.services.log.entries())[-1].body
    assert (last.outcome, last.actor) == (Outcome.REFUSED, who)


@then("the terms of the seal are those of the first entry")
def _(story: Story) -> None:
    first, second = _sealings(story)
    assert first == second
    assert Registrations.fold(story.services.log.entries()).terms == first.terms


@then("the request names the digest of the registered policy and of all input files")
def _(story: Story) -> None:
    assert story.request is not None
    assert story.request.policy == digest_of(policy_of(story.services))
    assert story.request.inputs == inputs_digest(evaluation_inputs(story.services))


@then("both are in the log")
def _(story: Story) -> None:
    registered = Registrations.fold(story.services.log.entries())
    assert digest_of(policy_of(story.services)) in registered.policies
    assert any(plan.criteria[0].at_least == 0.2 for plan in registered.plans.values())


@then("the command names the gates that require more than the criteria")
def _(story: Story) -> None:
    assert story.result is not None
    assert story.result.exit_code == 0, story.result.output
    assert "gate dice: dice, mean of at least 0.85; the criterion is 0.1" in story.result.output
