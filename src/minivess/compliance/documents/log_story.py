"""What the log says about a trace: who reviewed, attested, baselined and released what, and which entries made things.

A signature holds while the digest of what was shown is that of what stands there today; otherwise it says why not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from minivess.compliance.identity.approvals import open_approval
from minivess.compliance.identity.register import REGISTER_ACTIONS, Register
from minivess.compliance.items.items import Items
from minivess.compliance.rules.log_facts import LogFacts
from minivess.compliance.standards.approved_subjects import APPROVED, BY_REVIEWER, approvable
from minivess.compliance.trace.link_reviews import LinkKey, item_digest, link_digests
from minivess.compliance.trace.links import Links
from minivess.compliance.trace.tree import Tree
from minivess.foundation.digests import digest_json
from minivess.foundation.errors import VerificationError
from minivess.foundation.implements import implements
from minivess.records.items.items import Attestation
from minivess.records.items.trace import LoggedAct, LoggedFile, LogStory, Made, Signature
from minivess.records.log.entry import Entry, EntryBody, Outcome
from minivess.records.log.payloads.evidence import (
    BaselineTaken,
    ClauseAttested,
    LinksReviewed,
    ReleaseBuilt,
    ReleaseSigned,
    SubjectApproved,
)
from minivess.records.people.roles import Role

MAKING = ("data.split", "data.seal", "ensemble", "calibration", "model.export", "evaluation", "scenarios", "risk.drill")
"""Actions whose last outputs a trace names, in the order in which they are done."""
RESULTS = ("scenarios", "risk.drill")
"""Actions that write the results of the tree."""
ACTIONS = frozenset(
    {
        *(*MAKING, *REGISTER_ACTIONS, "release.build", "release.sign"),
        *("trace.review", "trace.attest", "trace.approve", "trace.baseline"),
    }
)
"""Actions that have to be among the entries; others may be left out."""
_PICTURES = (".png", ".svg")


@implements("REQ-106")
def log_story(
    entries: Iterable[Entry], graph: Links, *, size: int, approvable: Mapping[str, str], results: str | None = None
) -> LogStory:
    """Fold the log of a project.

    Args:
        entries: at least those of `ACTIONS`, in order.
        graph: the items as they are today.
        size: number of all entries of the log.
        approvable: what can be approved of the tree, with its digest today.
        results: digest of the file of results that is shown; None when none is.

    Raises:
        VerificationError: an entry about people breaks a rule.
    """
    completed: defaultdict[str, list[EntryBody]] = defaultdict(list)
    register, origin = Register(), ""
    acts: list[LoggedAct] = []
    for entry in entries:
        body = entry.body
        acts.append(_act(body))
        register, origin = register.extend(entry), body.log
        if body.outcome is Outcome.COMPLETED:
            completed[body.action].append(body)
    today = _Today(graph, completed, approvable, register)
    signatures = [
        *(one for body in completed["trace.review"] for one in today.reviews(body)),
        *(one for body in completed["trace.attest"] for one in today.attestations(body)),
        *(today.approval(body) for body in completed["trace.approve"]),
        *(today.baseline(body) for body in completed["trace.baseline"]),
        *(today.release(body) for body in completed["release.sign"]),
    ]
    recorded = (
        body.index
        for action in RESULTS
        for body in completed[action]
        if any(one.digest == results for one in body.outputs)
    )
    return LogStory(
        origin=origin,
        size=size,
        demo=register.demo,
        signatures=tuple(sorted(signatures, key=lambda one: one.entry)),
        made=tuple(_made(completed)),
        results=max(recorded, default=None),
        entries=tuple(acts),
    )


def story_of(tree: Tree, log: LogFacts) -> LogStory:
    """What a log says about a source tree, and which of its entries recorded the results of the tree.

    Raises:
        VerificationError: an entry about people breaks a rule.
    """
    subjects = approvable(tree.source, tree.items)
    return log_story(log.entries, tree.graph, size=log.size, approvable=subjects, results=tree.results)


def items_digest(items: Items) -> str:
    """One digest over all items: of the JSON object of their digests by id."""
    return digest_json({identifier: item_digest(item) for identifier, item in items.by_id.items()})


def _act(body: EntryBody) -> LoggedAct:
    inputs, outputs = (
        tuple(LoggedFile(name=one.name, digest=one.digest) for one in files) for files in (body.inputs, body.outputs)
    )
    return LoggedAct(
        entry=body.index,
        action=body.action,
        outcome=body.outcome.value,
        actor=body.actor,
        time=body.time,
        inputs=inputs,
        outputs=outputs,
    )


def _made(completed: Mapping[str, list[EntryBody]]) -> Iterator[Made]:
    for action in MAKING:
        for body in completed[action][-1:]:
            for one in body.outputs:
                if not one.name.endswith(_PICTURES):
                    yield Made(
                        name=one.name,
                        digest=one.digest,
                        action=action,
                        entry=body.index,
                        actor=body.actor,
                        time=body.time,
                    )


class _Today:
    """What stands there today, computed when somebody signed for it."""

    def __init__(
        self,
        graph: Links,
        completed: Mapping[str, list[EntryBody]],
        approvable: Mapping[str, str],
        register: Register,
    ) -> None:
        self._items, self._approvable, self._register = graph.items, approvable, register
        self._links = link_digests(graph.items, graph.artifacts) if completed["trace.review"] else {}
        self._reviewers = {one.id for one in register.identities if Role.REVIEWER in one.roles}
        self._packs: dict[str, str] = {}
        """The digest of the latest pack, by version."""
        for body in completed["release.build"]:
            built = ReleaseBuilt.model_validate(body.payload)
            self._packs[built.version] = built.tag_manifest

    def reviews(self, body: EntryBody) -> Iterator[Signature]:
        """One a link; links of items that are gone are left out."""
        for one in LinksReviewed.model_validate(body.payload).links:
            key = LinkKey(*one.link.split(" "))
            if key.item in self._items.by_id:
                now = self._links.get(key)
                changed = (
                    "the link is gone" if now is None else f"{key.target} has changed" if now != one.digest else ""
                )
                about = f"{key.field.replace('_', '-')} {key.target}"
                yield _signature(body, key.item, ("reviewed", about, one.digest), changed)

    def attestations(self, body: EntryBody) -> Iterator[Signature]:
        """One, while the item is there."""
        said = ClauseAttested.model_validate(body.payload)
        item = self._items.by_id.get(said.item)
        if isinstance(item, Attestation):
            changed = "" if item_digest(item) == said.digest else "its words have changed"
            yield _signature(body, said.item, ("attested", said.clause, said.digest), changed)

    def approval(self, body: EntryBody) -> Signature:
        """Of a document, a change request, the requirements or the risk file."""
        said = SubjectApproved.model_validate(body.payload)
        subject, now = said.subject, self._approvable.get(said.subject)
        changed = "" if now == said.digest else "it is gone" if now is None else "it has changed"
        if subject in BY_REVIEWER and body.actor not in self._reviewers:
            changed = "an independent reviewer has to approve it"
        item = subject if subject in self._items.by_id else ""
        return _signature(
            body, item, (APPROVED, "change, as it was asked for" if item else subject, said.digest), changed
        )

    def baseline(self, body: EntryBody) -> Signature:
        """Of all items."""
        taken = BaselineTaken.model_validate(body.payload)
        changed = "" if items_digest(self._items) == taken.digest else "items have changed"
        about = f"{taken.name}, {taken.items} items" + (
            f", commit {body.context.git_commit[:12]}" if body.context.git_commit else ""
        )
        return _signature(body, "", ("baseline", about, taken.digest), changed)

    def release(self, body: EntryBody) -> Signature:
        """Of a pack. An envelope that cannot be verified is shown as one that does not hold."""
        signed = ReleaseSigned.model_validate(body.payload)
        about, latest = f"release {signed.version}", self._packs.get(signed.version)
        try:
            said = open_approval(signed.envelope, self._register, index=body.index)
        except VerificationError as error:
            return _signature(body, "", ("signed", about, signed.tag_manifest), f"does not verify: {error.message}")
        changed = "" if latest == signed.tag_manifest else "the pack was built again since"
        return _signature(body, "", (said.meaning.value, f"{about} as {said.role.value}", signed.tag_manifest), changed)


def _signature(body: EntryBody, item: str, said: tuple[str, str, str], changed: str = "") -> Signature:
    """A signature by what was said: its meaning, what was shown, and the digest of that."""
    meaning, about, digest = said
    return Signature(
        item=item,
        entry=body.index,
        actor=body.actor,
        time=body.time,
        meaning=meaning,
        about=about,
        digest=digest,
        out_of_date=changed,
    )
