"""What is against a release in the licences and known vulnerabilities of what ships: the facts of two gates."""

from __future__ import annotations

from datetime import datetime

from minivess.compliance.vulnerabilities.vex import judged_findings, unfounded
from minivess.foundation.digests import Digest
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.foundation.reading.json_records import read_json_record
from minivess.records.components.policy import ComponentPolicy
from minivess.records.components.review import REVIEW_FORMAT, CheckedComponents, ComponentReview
from minivess.records.components.scan import SEVERITIES, Scan
from minivess.records.components.vex import VexFile
from minivess.records.device.preparation import Tool


def component_review(
    licences: CheckedComponents,
    scan: Scan | None,
    vex: VexFile,
    policy: ComponentPolicy,
    *,
    tool: Tool,
    environment: Digest,
    time: datetime,
) -> ComponentReview:
    """The facts of the gates on licences and vulnerabilities.

    Args:
        licences: of what ships.
        scan: the last one; None: there was none. One of another lock file does not count.
        vex: the statements of the source tree.
        policy: what is accepted.
        tool: what makes the review.
        environment: the digest of the lock file that is released.
        time: of the release.
    """
    held = scan if scan is not None and scan.environment == environment else None
    return ComponentReview(
        format=REVIEW_FORMAT,
        tool=tool,
        licences=licences,
        vulnerabilities=None if held is None else checked_vulnerabilities(held, vex, policy, time=time),
        snapshot=None if held is None else held.snapshot,
        snapshot_days=None if held is None else age_of(held, time),
    )


def last_scan(workspace: Workspace) -> Scan | None:
    """The last scan of a workspace; None where there was none.

    Raises:
        InputError: the record is malformed.
    """
    path = workspace.scan
    hint = "run `minivess release scan` again"
    return read_json_record(path, Scan, shown="evidence/components/scan.json", hint=hint) if path.is_file() else None


def age_of(scan: Scan, time: datetime) -> int:
    """The age of a scan's database at some time, in days of the calendar."""
    return max((time.date() - scan.snapshot.newest.date()).days, 0)


@implements("REQ-534", "RC-221")
def checked_vulnerabilities(scan: Scan, vex: VexFile, policy: ComponentPolicy, *, time: datetime) -> CheckedComponents:
    """The vulnerabilities that stop a release: open ones of what ships, of a severity that the policy names, and malware.

    Args:
        scan: of the lock file that is released.
        vex: the statements of the source tree.
        policy: the lowest severity that stops, and how old the database may be.
        time: of the release.
    """
    least, age = SEVERITIES.index(policy.severity), age_of(scan, time)
    judged = judged_findings(scan, vex)
    offenders = [
        one.words
        for one in judged
        if one.open
        and (one.finding.malicious or (one.finding.ships and SEVERITIES.index(one.finding.severity) >= least))
    ]
    if age > policy.snapshot_days:
        offenders.append(f"the database of advisories is {age} days old; at most {policy.snapshot_days} are accepted")
    tools = [one for one in judged if not one.finding.ships]
    below = [one for one in judged if one.open and one.finding.ships and SEVERITIES.index(one.finding.severity) < least]
    notes = [
        *(f"below the severity {policy.severity}: {one.words}" for one in below),
        *(f"in a tool that does not ship: {one.words}" for one in tools),
        *(f"not covered by the database: {one}" for one in scan.not_covered),
        *unfounded(scan, vex),
    ]
    return CheckedComponents(
        looked_at=scan.shipped, offenders=tuple(offenders), notes=tuple(one[:2_000] for one in notes)
    )
