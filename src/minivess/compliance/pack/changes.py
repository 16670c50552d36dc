"""The plan of changes, and what differs from the release before, as files of the pack."""

from __future__ import annotations

import json
from collections.abc import Mapping

from minivess.compliance.changes.change_plan_file import load_change_plan
from minivess.compliance.changes.differences import difference_of
from minivess.compliance.changes.packed_release import PackedRelease, Stated
from minivess.compliance.changes.plan_bounds import PLAN
from minivess.compliance.documents.dossier import PackInputs
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.release.derivation import gates_file
from minivess.compliance.release.gates import outcomes_of
from minivess.compliance.release.layout import DATA
from minivess.compliance.verification.pack_checks.identities import identities_of
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import parse_json_record
from minivess.records.changes.difference import ReleaseDifference

CHANGES = "release/changes.json"
"""The name of the file, relative to `data/`."""


@implements("REQ-580")
def plan_files(inputs: PackInputs) -> dict[str, bytes]:
    """The plan of changes by its name relative to `data/`; empty where the source tree has none.

    Raises:
        InputError: it is malformed.
    """
    plan = load_change_plan(inputs.source)
    return {} if plan is None else {PLAN.removeprefix(DATA): canonical(plan)}


@implements("REQ-572")
def difference_for(
    inputs: PackInputs, files: Mapping[str, bytes], given: Mapping[str, bytes]
) -> ReleaseDifference | None:
    """What differs from the release before; None where there is none.

    Args:
        inputs: of the pack; they have the pack of the release before.
        files: of the pack that is being built, by name relative to `data/`: all that are compared.
        given: files that cannot be made here; a file of the differences among them is taken as it is.

    Raises:
        VerificationError: the pack of the release before has no readable log.
    """
    if CHANGES in given:
        return parse_json_record(given[CHANGES], ReleaseDifference, path=CHANGES)
    if inputs.previous is None:
        return None
    log, device = inputs.log, inputs.project.device
    stated = Stated(device, inputs.tool, inputs.source_state, inputs.lock_digest, inputs.chain.model)
    people = json.dumps(identities_of(log.register, log.checkpoint.origin)).encode("utf-8")
    whole = {f"{DATA}{name}": content for name, content in files.items()}
    whole[f"{DATA}release/gates.json"] = gates_file(outcomes_of(inputs.gates))
    return difference_of(PackedRelease.of_files(inputs.previous), PackedRelease(whole, log.entries, people, stated))
