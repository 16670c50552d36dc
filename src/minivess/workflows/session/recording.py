"""`recorded(...)`: the one way to do something in this system.

The action does not start unless the log can be written. Whatever happens then (done, refused, failed, interrupted) is
an entry signed by the actor, committed together with its OpenLineage event. Events are delivered later, in batches: when the
services close, or in the background of a service. Delivery can neither lose an event nor fail or delay the action.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn
from uuid import UUID

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from minivess.compliance.identity.signer import Signer
from minivess.compliance.rules.restores import RESTORED
from minivess.foundation.digests import digest_file
from minivess.foundation.errors import CouldNotCheckError, InputError, MinivessError, RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import first_error
from minivess.observability.lineage.entry_events import event_of_draft
from minivess.observability.lineage.events import new_run_id
from minivess.records.artifact import Artifact
from minivess.records.log.entry import Context, Draft, Outcome
from minivess.records.log.payloads.by_action import PAYLOADS
from minivess.records.log.payloads.identities import IdentityRefused
from minivess.records.log.receipt import Receipt
from minivess.records.references import CHAIN_ACTIONS
from minivess.workflows.session import remembered_checkpoints
from minivess.workflows.session.error_text import describe
from minivess.workflows.session.services import Services

Redact = Callable[[dict[str, Any]], dict[str, Any]]


class Recording:
    """What an action says about itself while it runs. Yielded by `recorded`; makes no entry by itself."""

    def __init__(
        self,
        services: Services,
        action: str,
        signer: Signer,
        inputs: tuple[Artifact, ...],
        context: Context,
        *,
        redact: Redact | None = None,
    ) -> None:
        self._services = services
        self._action = action
        self._signer = signer
        self._inputs = inputs
        self._context = context
        self._redact = redact
        self._outputs: dict[str, Artifact] = {}
        self._payload: dict[str, Any] = {}
        self._refusal: str | None = None
        self._started: int | None = None
        self._receipt: Receipt | None = None

    @property
    def run_id(self) -> UUID:
        """The OpenLineage run of this action."""
        if self._context.openlineage_run is None:
            raise UsageError("a recording has an OpenLineage run from its start")
        return self._context.openlineage_run

    @property
    def started(self) -> int | None:
        """Index of the entry that announced the action; None for instant ones."""
        return self._started

    @property
    def receipt(self) -> Receipt:
        """The receipt of the final entry.

        Raises:
            UsageError: the action is not over.
        """
        if self._receipt is None:
            raise UsageError(f"{self._action} has no receipt before it is over")
        return self._receipt

    def input(self, name: str, source: str | Path) -> Artifact:
        """Note something that was read; `source` is its digest, or the file to digest."""
        artifact = _artifact(name, source)
        self._inputs = (*(item for item in self._inputs if item.name != name), artifact)
        return artifact

    def rest_on(self, index: int) -> None:
        """Note an earlier entry that this one rests on, besides those that made its inputs.

        Raises:
            VerificationError: the log has no such entry that something can rest on.
        """
        reference = self._services.log.standing.references.artifact(index)
        self.input(reference.name, reference.digest)

    def _references(self) -> tuple[Artifact, ...]:
        """The inputs, with the entries that made them: each input names its file, and this names where it comes from."""
        if self._action not in CHAIN_ACTIONS:
            return self._inputs
        known = self._services.log.standing.references
        named = {one.name for one in self._inputs}
        made = (known.artifact(index) for index in known.makers_of(self._inputs))
        return (*self._inputs, *(one for one in made if one.name not in named))

    def output(self, name: str, source: str | Path) -> Artifact:
        """Note something that was made.

        Args:
            name: its name in the workspace, with slashes; nothing about the machine.
            source: its digest (`sha256:…`), or the file to digest.

        Raises:
            UsageError: the name is not relative, or the digest is none.
            CouldNotCheckError: the file cannot be read.
        """
        artifact = _artifact(name, source)
        self._outputs[name] = artifact
        return artifact

    def payload(self, **fields: Any) -> None:
        """Add fields of the action's payload; values may be records. Checked when the action ends."""
        self._payload.update(fields)

    def context(self, **fields: Any) -> None:
        """Add to the context what is known only now, for example `model` or `mlflow_run`.

        Raises:
            UsageError: a field does not exist or has a wrong value.
        """
        known = self._context.model_dump()
        try:
            self._context = Context.model_validate({**known, **fields, "openlineage_run": self.run_id})
        except ValidationError as error:
            raise UsageError(f"the context is refused: {first_error(error)}") from None

    def refuse(self, reason: str) -> None:
        """The answer is no, and that is a proper end: the final entry says `refused`, with this reason."""
        self._refusal = describe(RefusedError(reason), self._services.workspace)

    def announce(self) -> None:
        """Append the `started` entry.

        Raises:
            RefusedError: the log takes nothing from this signer; an entry of the log's own says so.
        """
        try:
            self._started = self._append(Outcome.STARTED, {}, None).index
        except RefusedError as error:
            self._record_refused_identity(error)
            raise

    def conclude(self) -> None:
        """Append the entry of an action that came to its end: completed, or refused by `refuse`.

        Raises:
            UsageError, InputError: the payload is not the action's; then a `failed` entry was appended.
            RefusedError: the log does not take this from this signer; then a `refused` entry was appended if it may.
        """
        outcome = Outcome.COMPLETED if self._refusal is None else Outcome.REFUSED
        try:
            payload = self._payload_as_json()
            self._receipt = self._append(outcome, payload, self._refusal)
        except (UsageError, InputError, RefusedError) as error:
            self.abandon(error)

    def abandon(self, error: BaseException) -> NoReturn:
        """Append the entry of an action that an error ended, and raise that error again."""
        outcome = Outcome.REFUSED if isinstance(error, RefusedError) else Outcome.FAILED
        text = describe(error, self._services.workspace)
        try:
            try:
                self._receipt = self._append(outcome, self._payload_as_json(), text)
            except (UsageError, InputError):  # a payload that cannot stand in the log is left out
                self._receipt = self._append(outcome, {}, text)
        except RefusedError:  # the log takes nothing from this signer
            self._record_refused_identity(error)
        except Exception as second:
            error.add_note(f"and this could not be recorded: {second}")
        raise error

    @implements("REQ-092")
    def _record_refused_identity(self, error: BaseException) -> None:
        """Append, in the name of the log, that somebody acted whose key does not count."""
        who = self._signer.identity.id
        payload = IdentityRefused(identity=who, key=self._signer.key_id, attempted=self._action)
        draft = Draft(
            action="identity.refused",
            outcome=Outcome.COMPLETED,
            context=self._context.model_copy(update={"openlineage_run": None}),
            payload=payload.model_dump(mode="json"),
        )
        try:
            self._services.log.append(draft, self._services.log.signer)
        except Exception as second:
            error.add_note(f"and this could not be recorded: {second}")

    def _payload_as_json(self) -> dict[str, Any]:
        """The payload as plain JSON values, with the model's own spelling where it fits the model."""
        model = PAYLOADS.get(self._action)
        try:
            if model is not None and self._payload:
                return model.model_validate(self._payload).model_dump(mode="json")
            return dict(to_jsonable_python(self._payload))
        except (ValidationError, PydanticSerializationError):
            try:
                return dict(to_jsonable_python(self._payload, inf_nan_mode="constants"))
            except PydanticSerializationError:
                raise UsageError(f"the payload of {self._action!r} holds something that is no JSON") from None

    def _append(self, outcome: Outcome, payload: dict[str, Any], error: str | None) -> Receipt:
        services = self._services
        draft = Draft(
            action=self._action,
            outcome=outcome,
            context=self._context,
            inputs=self._references() if outcome is Outcome.COMPLETED else self._inputs,
            outputs=tuple(self._outputs.values()),
            started=self._started,
            payload=payload,
            error=error,
        )
        event = event_of_draft(draft, log=services.log.origin, actor=self._signer.identity.id, time=services.clock())
        if self._redact is not None and outcome is Outcome.COMPLETED:
            receipt = services.log.erase(draft, self._signer, event=event, redact=self._redact)
        else:
            receipt = services.log.append(draft, self._signer, event=event)
        services.relay.expect()
        try:
            remembered_checkpoints.remember(services.log, self._signer.identity, receipt.checkpoint)
        except MinivessError as failure:
            raise CouldNotCheckError(
                f"entry {receipt.index} is in the log, but its checkpoint could not be remembered: {failure.message}",
                hint=failure.hint,
            ) from None
        return receipt


@implements("REQ-001", "REQ-003", "REQ-004", "REQ-005")
@contextmanager
def recorded(
    services: Services,
    action: str,
    signer: Signer,
    *,
    inputs: Iterable[Artifact] = (),
    context: Context | None = None,
    instant: bool = False,
    trial: bool = True,
    redact: Redact | None = None,
) -> Iterator[Recording]:
    """Do something on the record.

    Before the block a `started` entry is appended (or, for an instant action, the log is tried); if that is impossible
    the block never runs. An inference alone goes without the trial: its block has no effect, and its answer leaves only
    once the entry is on the disk. After the block one entry says how it ended:

    - `completed`, with payload and outputs;
    - `refused`, when it raised `RefusedError` or called `Recording.refuse`;
    - `failed`, on any other exception, Ctrl-C included. Exceptions go on to the caller.

    Args:
        services: the workspace.
        action: a key of `records.log.payloads.PAYLOADS`.
        signer: whoever acts; signs the entries.
        inputs: what is known beforehand to be read.
        context: circumstances; by default what `Services.context` finds.
        instant: for single acts (an approval, one inference): no `started` entry.
        trial: for instant actions, whether the log is tried before the block. Without it the block must have no effect
            outside the recording, so that nothing was done when the entry cannot be written.
        redact: for `entry.erased` alone: takes from the events of the erased entry what its details said.

    Raises:
        CouldNotCheckError: the log cannot be written.
        VerificationError: the log does not continue what the signer saw of it.
        UsageError: an unknown action, or a payload that is not the action's.
    """
    if action not in PAYLOADS:
        raise UsageError(f"unknown action {action!r}", hint=f"known actions: {', '.join(sorted(PAYLOADS))}")
    circumstances = (services.context() if context is None else context).model_copy(
        update={"openlineage_run": new_run_id()}
    )
    if action != RESTORED:  # which says that the log went back
        remembered_checkpoints.require(services.log, signer.identity)
    recording = Recording(services, action, signer, tuple(inputs), circumstances, redact=redact)
    if not instant:
        recording.announce()
    elif trial:
        services.log.check_writable()
    try:
        yield recording
    except BaseException as error:
        recording.abandon(error)
    recording.conclude()


def _artifact(name: str, source: str | Path) -> Artifact:
    try:
        digest = digest_file(source) if isinstance(source, Path) else source
        return Artifact(name=name, digest=digest)
    except ValidationError as error:
        raise UsageError(
            f"this artifact cannot be recorded: {first_error(error)}",
            hint="name it relative to the workspace, with slashes, without spaces",
        ) from None
    except OSError as error:
        raise CouldNotCheckError(f"cannot read {name}: {error.strerror or type(error).__name__}") from error
