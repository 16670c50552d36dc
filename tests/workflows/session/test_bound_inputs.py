"""The files of a workspace of version 0.1.0, and of one whose log does not know a file."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from minivess.compliance.proofs.canonical import digest_of
from minivess.compliance.rules.registrations import Registrations
from minivess.foundation.errors import UsageError, VerificationError
from minivess.foundation.paths import Workspace
from minivess.records.artifact import Artifact
from minivess.records.device.workspace_files import FILES, INTENDED_USE
from minivess.records.log.entry import Outcome
from minivess.records.people.approval import UnsealRequest
from minivess.workflows.sealed.evaluation_inputs import evaluation_inputs, inputs_digest
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.services import Services, open_services
from tests.support import earlier

pytestmark = pytest.mark.verifies("SU-95")


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Services]:
    with open_services(earlier.unpack(tmp_path / "old"), log_passphrase=earlier.PASSPHRASE) as services:
        yield services


@pytest.mark.verifies("REQ-180")
def test_a_workspace_of_version_0_1_0_is_read_and_compared(old: Services) -> None:
    held = BoundInputs.of(old)
    assert held.seal.split == held.split.root
    assert held.split.dataset == held.manifest.root
    assert (held.sealing is None, held.terms) == (False, None)
    names = {one.name for one in evaluation_inputs(old)}
    assert names == {row.name for row in FILES if "evaluate" in row.readers and row.compared_with == "output"}
    manifest = old.workspace / "data" / "manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('"spacing"', '"spacing" '), encoding="utf-8")
    with pytest.raises(VerificationError, match=r"data/manifest.json is not the file that entry \d+ \(data.ingest\)"):
        evaluation_inputs(old)


@pytest.mark.verifies("REQ-181")
def test_bounds_of_an_old_export_come_from_cases_that_are_compared(old: Services) -> None:
    held = BoundInputs.of(old)
    assert not held.knows(INTENDED_USE)
    low, high = held.intended_use.spacing
    spacings = [held.case_record(name).spacing for name in (*held.split.train, *held.split.calibration)]
    assert all(low[axis] < spacing[axis] < high[axis] for spacing in spacings for axis in range(3))


def test_requests_of_version_0_1_0_have_the_digest_that_was_signed(old: Services) -> None:
    signed, made = {}, {}
    for entry in old.log.entries():
        body = entry.body
        if body.outcome is Outcome.COMPLETED and body.action == "test-set.request":
            request = UnsealRequest.model_validate(body.payload["request"])
            assert (request.inputs, request.policy) == (None, None)
            made[request.id] = digest_of(request)
        if body.outcome is Outcome.COMPLETED and body.action == "test-set.approve":
            grant = body.payload["grant"]
            said = json.loads(base64.b64decode(grant["envelope"]["payload"]))
            signed[grant["request"]] = said["subject"][0]["digest"]["sha256"]
    assert signed
    assert {name: made[name].removeprefix("sha256:") for name in signed} == signed
    registered = Registrations.fold(old.log.entries())
    assert registered.plans
    assert [registered.level(one.data, 2) for one in registered.judged_by()] == [0.975] * len(registered.judged_by())


def test_what_the_log_does_not_know_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    held = BoundInputs(Workspace(tmp_path), ())
    with pytest.raises(UsageError, match=r"no completed calibration that made models/calibration.json") as caught:
        _ = held.calibration
    assert caught.value.hint == "minivess audit start"
    with pytest.raises(UsageError, match="no input in the table"):
        held.recorded("models/strange.json")


@pytest.mark.verifies("REQ-180")
def test_the_digest_of_inputs_depends_on_every_file_and_not_on_their_order() -> None:
    digest = "sha256:" + 64 * "0"
    some = [Artifact(name="a", digest=digest), Artifact(name="b", digest=digest)]
    assert inputs_digest(some) == inputs_digest(reversed(some))
    assert inputs_digest(some) != inputs_digest(some[:1])
    assert inputs_digest(some) != inputs_digest([some[0], Artifact(name="b", digest=digest[:-1] + "1")])
