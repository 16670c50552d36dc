"""`minivess release`: evidence packs are built, signed and verified."""

from __future__ import annotations

import click

from minivess.cli.groups import Group
from minivess.cli.release.build import build, check, policy
from minivess.cli.release.signatures import cosign, sign
from minivess.cli.release.verification import verify


@click.group(cls=Group, sections={"Commands": ("policy", "check", "build", "sign", "cosign", "verify")})
def release() -> None:
    """Check, build, sign and verify evidence packs."""


for _command in (policy, check, build, sign, cosign, verify):
    release.add_command(_command)
