"""A folder of `minivess model deploy`, opened by its admission, its trust file and the keys in it: the way of every door."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from minivess.compliance.verification.trust import Trust
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.workflows.people.accounts import INFERENCE_IDENTITY
from minivess.workflows.people.keys import unlock_without_log
from minivess.workflows.serving.access.admission import FileView
from minivess.workflows.serving.answers import OpenedModel
from minivess.workflows.serving.distant import open_distant
from minivess.workflows.serving.serving_log import Pace, ServingLog

DAYS = 7
"""Greatest age of the checkpoint in an admission, where nothing else is said."""


@dataclass(frozen=True)
class Elsewhere:
    """What takes the place of the device's log.

    Attributes:
        admission: file of `minivess model admission`.
        trust: whose signatures count, and which witnesses.
        days: greatest age of the checkpoint in the file, by the time of its witnesses.
    """

    admission: Path
    trust: Trust
    days: int = DAYS

    @classmethod
    def of(cls, admission: Path, trust: Trust | None, days: int = DAYS) -> Elsewhere:
        """With what a caller gave.

        Raises:
            UsageError: there is no trust file.
        """
        if trust is None:
            raise UsageError(
                "an admission is believed by keys from elsewhere",
                hint="add --trust FILE, or MINIVESS_TRUST (`minivess audit trust` writes one)",
            )
        return cls(admission, trust, days)


@contextmanager
@implements("REQ-448", "REQ-454", "REQ-612")
def opened_elsewhere(
    project: Path,
    elsewhere: Elsewhere,
    *,
    site: str,
    passphrase: str,
    own: str | None = None,
    pace: Pace | None = None,
) -> Iterator[tuple[ServingLog, OpenedModel]]:
    """The serving log and the model of a folder, while it is open.

    Args:
        project: the folder, or one in it.
        elsewhere: what takes the place of the device's log.
        site: names the serving log.
        passphrase: of the service.
        own: of the key of the serving log, where that is another one.
        pace: how often the work in the background is done.

    Raises:
        UsageError: the admission is for another site.
        VerificationError: the admission does not hold, or model or serving log is another one than it names.
        InputError: a file is missing or malformed.
        RefusedError: a passphrase is wrong, or the site is being served.
    """
    workspace = Workspace.find(project)
    signer = unlock_without_log(workspace, INFERENCE_IDENTITY, passphrase)
    view = FileView(elsewhere.admission, elsewhere.trust, signer.identity, oldest=timedelta(days=elsewhere.days))
    if view.admitted.file.site != site:
        raise UsageError(f"the admission is for the site {view.admitted.file.site}", hint="name it with --site")
    serving, opened = open_distant(
        workspace.root, signer, trust=elsewhere.trust, view=view, passphrase=own or passphrase, pace=pace
    )
    with serving:
        yield serving, opened
