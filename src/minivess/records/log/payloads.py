"""What each action may say in its entry: one closed model an action, so that nothing undeclared (and no PHI) slips in."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from minivess.foundation.digests import Digest
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.foundation.json_records import first_error
from minivess.records.artifact import ArtifactName
from minivess.records.base import Observation, Record, ShortText, Slug
from minivess.records.data.version import DvcDigest
from minivess.records.device.registration import PolicyRegistered, SealTerms
from minivess.records.evaluation.evaluation import AnalysisPlan, Criterion, CriterionOutcome, Interval
from minivess.records.log.action_table import AdoptedRules, RulesAdopted
from minivess.records.log.serving_log import RefusalsCounted, ServingAnchored, ServingEnrolled
from minivess.records.log.witnessed import Checked, LogRestored, TimeAttested, WitnessAnnounced
from minivess.records.people.approval import Envelope, UnsealGrant, UnsealRequest
from minivess.records.people.identity import Identity, PublicKey

ActionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*$", max_length=64)]


class LogCreated(Record):
    """The first entry: what device the log is for, which key signs its checkpoints, and who its roots are."""

    device: Slug
    log_key: PublicKey
    roots: Annotated[tuple[Identity, ...], Field(min_length=1)]
    threshold: Annotated[int, Field(ge=1)]
    serves: ShortText | None = None
    """Of a serving log: the origin of the device's log. Its only root is the service that answers."""
    rules: AdoptedRules | None = None
    """The action table the log follows from its beginning; None: table 1, the rules of version 0.1.0."""
    checked: Annotated[dict[Slug, Checked], Field(max_length=64)] | None = None
    """What the actor checked about the roots, by id."""


class IdentityEnrolled(Record):
    """An identity may act from this index on."""

    identity: Identity
    actions: Annotated[tuple[ActionName, ...], Field(min_length=1, max_length=32)] | None = None
    """The actions a service may append. None for people, and for services enrolled by version 0.1.0."""
    checked: Checked | None = None
    """What the actor checked about a person."""


class IdentityRevoked(Record):
    """A key no longer counts from this index on."""

    identity: Slug
    reason: ShortText


class IdentityRotated(Record):
    """Somebody goes on under a new signing key; the old one counts no longer."""

    identity: Identity
    """The same id, name, kind and roles with the new signing key."""
    possession: str
    """Base64 signature by the new key over `possession_statement`: whoever rotates holds it."""


class UnlockFailed(Record):
    """A wrong passphrase was given for an identity."""

    identity: Slug
    attempt: Annotated[int, Field(ge=1)]
    """How many in a row."""


class IdentityUnlocked(Record):
    """The right passphrase was given after wrong ones, as this entry's signature shows."""

    identity: Slug


class IdentityLocked(Record):
    """Too many wrong passphrases in a row: nobody unlocks this identity until it is reinstated."""

    identity: Slug
    attempts: Annotated[int, Field(ge=1)]


class IdentityRefused(Record):
    """Somebody acted whose key does not count (any more), so that no entry of their own could say so."""

    identity: Slug
    """Who they said they are."""
    key: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    attempted: ShortText
    """The action."""


class IdentityReinstated(Record):
    """A locked identity may be unlocked again."""

    identity: Slug
    reason: ShortText


class RootsChanged(Record):
    """Other roots or another log key, as agreed by a threshold of the old roots and a threshold of the new ones."""

    roots: Annotated[tuple[Identity, ...], Field(min_length=1)]
    threshold: Annotated[int, Field(ge=1)]
    envelopes: Annotated[tuple[Envelope, ...], Field(min_length=1, max_length=64)]
    """One signed approval a root, of the digest of the new roots and threshold, and of the new log key."""
    log_key: PublicKey | None = None
    """The key that signs checkpoints from this entry on; None: the one in use."""
    possession: str | None = None
    """Base64 signature by the new log key over `possession_statement`: whoever changes to it holds it."""

    @model_validator(mode="after")
    def _shown(self) -> Self:
        if (self.log_key is None) != (self.possession is None):
            raise ValueError("a new log key requires a proof of possession")
        return self


class EntryErased(Record):
    """The details of an earlier entry were deleted; its commitment stays in the tree."""

    entry: Annotated[int, Field(ge=0)]
    reason: ShortText


class DataIngested(Observation):
    """Cases were read and normalised."""

    dataset: Slug
    cases: int
    accept_identifiers: ShortText | None = None
    """Why files that may say who is in the image were accepted."""
    identifiers: Annotated[tuple[ShortText, ...], Field(max_length=64)] = ()
    """The places that may say so, over all cases."""


class DataValidated(Observation):
    """Rules were run over the cases."""

    rules: int
    notes: int
    warnings: int
    blocking: int
    changed: int = 0
    """Rules whose severity the project changed."""


class DataProfiled(Observation):
    """What the images are like was put into figures."""

    cases: int
    groups: int


class DataSplit(Observation):
    """Cases were assigned to parts and folds. The entry locks the split: its outputs name the digest."""

    train: int
    calibration: int
    test: int
    folds: int = 0
    near_duplicates: int = 0
    """Pairs of images that show the same thing and stay together."""


class LeakageChecked(Observation):
    """The leakage guard looked at the split."""

    across: int
    """Pairs that belong together and are apart."""
    within: int


class DataCardWritten(Observation):
    """The data card was written, as a page and as a Croissant file."""

    cases: int
    missing: int
    """Questions that nobody answered."""
    findings: int
    openings: int


class DataAdded(Record):
    """Raw data were put under DVC."""

    folder: ArtifactName
    dvc: DvcDigest
    files: int
    size: int
    """Bytes."""


class DataTransferred(Observation):
    """What is under DVC was sent to a remote, or brought back from it and checked."""

    remote: ShortText
    """The bucket, or `folder`."""
    files: int
    """Files that went over the line; the others were there already."""
    size: int
    """Their bytes."""
    folders: dict[ArtifactName, DvcDigest]
    """Everything under DVC."""


class DataSealed(Record):
    """The test part was encrypted and its plain files removed."""

    files: int
    approvers: tuple[Slug, ...]
    """Who holds the data key."""
    root: Digest | None = None
    """Of the manifest of the sealed part; None in entries of version 0.1.0."""
    terms: SealTerms | None = None
    """What holds for every look at it; None in entries of version 0.1.0."""


class Training(Observation):
    """One member was trained."""

    architecture: Slug
    steps: int
    final_loss: float | None = None


class Ensembling(Observation):
    """Members were combined."""

    members: int
    rule: ShortText


class Disposition(Record):
    """What became of a finished run that no ensemble uses."""

    run: Annotated[int, Field(ge=0)]
    """Index of the entry of the run."""
    verdict: ShortText
    reason: ShortText


class Calibrated(Observation):
    """Temperature and threshold were fitted on the calibration part."""

    temperature: float
    threshold: float | None
    target_recall: float
    cases: int


class CriteriaRegistered(Record):
    """Acceptance criteria and the plan of the analysis, fixed before the test set is opened."""

    criteria: tuple[Criterion, ...]
    plan: AnalysisPlan | None = None
    """None: criteria alone, under which nothing opens."""


class LookRequested(Record):
    """Somebody asks to open the test set once."""

    request: UnsealRequest


class LookApproved(Record):
    """Somebody else lets them."""

    grant: UnsealGrant


class LookOpened(Record):
    """The grant was used. This entry stands before the first plain byte."""

    request: Slug


class Evaluated(Record):
    """The result of one opening."""

    request: Slug
    cases: int
    aggregates: dict[str, Interval]
    baseline_dice: float
    look: Annotated[int, Field(ge=1)] = 1
    """Which look at this test set it was."""
    criteria: tuple[CriterionOutcome, ...] = ()


class ModelExported(Observation):
    """An ONNX graph was made and compared with its source."""

    opset: int
    max_abs_difference: float
    tolerance: float


class ModelPromoted(Record):
    """A model moves to another stage. One model at most is in production; the one before it is then retired."""

    model: Digest
    stage: Literal["candidate", "production", "retired"]
    reason: ShortText


class Inference(Observation):
    """One answer of the service."""

    decision: ShortText
    """`answered` or `refused`, with the reason in a few words."""
    foreground_fraction: float | None = None
    conformal: bool = False


class ScenariosRun(Record):
    """Verification was run and its results recorded."""

    passed: int
    failed: int
    skipped: int
    tree: Digest
    """Digest of the source tree the results are for."""


class ControlsDrilled(Record):
    """Risk controls were taken away one by one, and their scenarios run without them (ISO 14971:2019 7.2)."""

    noticed: Annotated[int, Field(ge=0)]
    unnoticed: Annotated[int, Field(ge=0)]
    tree: Digest


class ReviewedLink(Record):
    """A link of the trace graph as a person saw it."""

    link: Annotated[str, StringConstraints(pattern=r"^[A-Z]+-[0-9]+ [a-z_]+ [A-Za-z0-9._-]+$", max_length=120)]
    """The item, its field, and what it names."""
    digest: Digest
    """Of what it names."""


class LinksReviewed(Record):
    """A person looked at what links lead to and found that they still hold (IEC 62304 5.2.6, 7.3.3)."""

    links: Annotated[tuple[ReviewedLink, ...], Field(min_length=1)]


class BaselineTaken(Record):
    """All items as they stand, under a name (IEC 62304 8.1.3); the commit is in the context."""

    name: Slug
    items: Annotated[int, Field(ge=1)]
    digest: Digest
    """Of the canonical JSON of every item's digest by id."""


class ClauseAttested(Record):
    """A person states something that no tool can check, in the words of an attestation of the source tree."""

    item: Annotated[str, StringConstraints(pattern=r"^ATT-[0-9]{2,5}$")]
    clause: ShortText
    digest: Digest
    """Of the attestation's words: when they change, they are to be signed again."""


class SubjectApproved(Record):
    """A person read a plan, a change request, the requirements or the risk file, and approves it as it stands."""

    subject: ShortText
    """The path of a document, the id of a change request, `requirements` or `risk`."""
    digest: Digest


class ReleaseBuilt(Record):
    """A pack was made; `tag_manifest` is what people sign."""

    version: Slug
    tag_manifest: Digest
    gates: int
    files: int


class ReleaseSigned(Record):
    """A person signed a pack."""

    version: Slug
    tag_manifest: Digest
    envelope: Envelope


PAYLOADS: dict[str, type[Record]] = {
    "log.created": LogCreated,
    "identity.enrolled": IdentityEnrolled,
    "identity.revoked": IdentityRevoked,
    "identity.rotated": IdentityRotated,
    "identity.unlock-failed": UnlockFailed,
    "identity.unlocked": IdentityUnlocked,
    "identity.locked": IdentityLocked,
    "identity.reinstated": IdentityReinstated,
    "identity.refused": IdentityRefused,
    "identity.witness": WitnessAnnounced,
    "roots.changed": RootsChanged,
    "rules.adopted": RulesAdopted,
    "log.restored": LogRestored,
    "time.attested": TimeAttested,
    "entry.erased": EntryErased,
    "data.ingest": DataIngested,
    "data.validate": DataValidated,
    "data.profile": DataProfiled,
    "data.split": DataSplit,
    "data.leakage": LeakageChecked,
    "data.card": DataCardWritten,
    "data.add": DataAdded,
    "data.push": DataTransferred,
    "data.pull": DataTransferred,
    "data.seal": DataSealed,
    "training": Training,
    "ensemble": Ensembling,
    "run.disposition": Disposition,
    "calibration": Calibrated,
    "criteria.register": CriteriaRegistered,
    "policy.register": PolicyRegistered,
    "test-set.request": LookRequested,
    "test-set.approve": LookApproved,
    "test-set.open": LookOpened,
    "evaluation": Evaluated,
    "model.export": ModelExported,
    "model.promote": ModelPromoted,
    "inference": Inference,
    "inference.refusals": RefusalsCounted,
    "serving.enrolled": ServingEnrolled,
    "serving.anchored": ServingAnchored,
    "scenarios": ScenariosRun,
    "risk.drill": ControlsDrilled,
    "trace.review": LinksReviewed,
    "trace.baseline": BaselineTaken,
    "trace.attest": ClauseAttested,
    "trace.approve": SubjectApproved,
    "release.build": ReleaseBuilt,
    "release.sign": ReleaseSigned,
}
"""The payload model of every action that can be recorded."""


def observed(action: str) -> bool:
    """Whether the payload of an action stands in the erasable details of its entry."""
    model = PAYLOADS.get(action)
    return model is not None and issubclass(model, Observation)


@implements("REQ-140")
def check_payload(action: str, payload: dict[str, Any], *, complete: bool) -> None:
    """Check a payload against its action's model.

    Args:
        action: a key of `PAYLOADS`.
        payload: JSON-ready fields.
        complete: False for started, failed and refused actions, whose payload may be empty.

    Raises:
        UsageError: the action is unknown, or the payload has missing, wrong or undeclared fields.
    """
    model = PAYLOADS.get(action)
    if model is None:
        raise UsageError(f"unknown action {action!r}", hint=f"known actions: {', '.join(sorted(PAYLOADS))}")
    if not payload and not complete:
        return
    try:
        model.model_validate(payload)
    except ValidationError as error:
        found = first_error(error, whole="payload")
        raise UsageError(f"the payload of {action!r} is refused: {found}") from None
