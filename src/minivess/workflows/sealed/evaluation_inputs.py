"""Every file that an evaluation reads, and one digest of them all."""

from __future__ import annotations

from collections.abc import Iterable

from minivess.compliance.proofs.canonical import digest_of
from minivess.foundation.implements import implements
from minivess.records.artifact import Artifact
from minivess.records.device.workspace_files import FILES, ONNX
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.services import WorkspaceReader


@implements("REQ-180")
def evaluation_inputs(services: WorkspaceReader, *, inputs: BoundInputs | None = None) -> tuple[Artifact, ...]:
    """Every file an evaluation reads, compared with the log; prepared and sealed cases are compared when they are read.

    Call it inside `recorded`, so that a refusal is an entry.

    Args:
        services: the workspace.
        inputs: the files, when the log was read already.

    Raises:
        UsageError: a step before is missing; the hint names its command.
        VerificationError: a file is not the one the log names; the message names it.
        InputError: a file is malformed.
    """
    held = BoundInputs.of(services) if inputs is None else inputs
    _ = held.manifest, held.split, held.seal, held.version, held.conformal_thresholds
    held.read(ONNX)
    names = [row.name for row in FILES if "evaluate" in row.readers and row.compared_with == "output"]
    return tuple(held.recorded(name) for name in names)


def inputs_digest(inputs: Iterable[Artifact]) -> str:
    """The digest a request names all inputs of an evaluation by: of the canonical JSON of their digests by name."""
    return digest_of({one.name: one.digest for one in inputs})
