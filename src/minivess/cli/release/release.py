"""`minivess release`: evidence packs are built, signed, verified, compared and revoked, and gates waived."""

from __future__ import annotations

import click

from minivess.cli.groups import Group
from minivess.cli.release.build import build, check, policy
from minivess.cli.release.change_control import pccp_check
from minivess.cli.release.difference import diff
from minivess.cli.release.filings import export
from minivess.cli.release.reproduction import reproduce
from minivess.cli.release.revocation import revoke
from minivess.cli.release.scan import scan
from minivess.cli.release.signatures import cosign, sign
from minivess.cli.release.verification import verify
from minivess.cli.release.waiver import waive


@click.group(
    cls=Group,
    sections={
        "Commands": (
            "policy",
            "scan",
            "check",
            "build",
            "sign",
            "cosign",
            "verify",
            "diff",
            "pccp-check",
            "reproduce",
            "export",
            "revoke",
            "waive",
        )
    },
)
def release() -> None:
    """Build, sign, verify and compare evidence packs."""


for _command in (policy, scan, check, build, sign, cosign, verify, diff, pccp_check, reproduce, export, revoke, waive):
    release.add_command(_command)
