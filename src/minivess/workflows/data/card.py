"""The data card of a project: a page for people and a Croissant file for machines, from the same records."""

from __future__ import annotations

import base64
import json
from typing import Any

from minivess.compliance.documents.croissant import croissant
from minivess.compliance.documents.data_card import data_card
from minivess.compliance.documents.documents import DOCUMENTS, card_page
from minivess.compliance.documents.rendering import Renderer
from minivess.compliance.identity.register import Register
from minivess.compliance.identity.signer import Signer
from minivess.compliance.rules.looks import LookHistory
from minivess.foundation.files import write_text_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace, templates_folder
from minivess.records.data.card import DataCard
from minivess.records.data.profile import DatasetProfile
from minivess.records.data.split import Part
from minivess.records.device.workspace_files import (
    CARD_PAGE,
    CROISSANT,
    MANIFEST,
    PROFILE,
    SEALED,
    SPLIT,
    VALIDATION,
    VERSION,
)
from minivess.workflows.session.bound_inputs import BoundInputs, refused_on_record
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from minivess.workflows.session.workspace_files import files_as_inputs, read_json, seal_of, version_of

_PICTURES = 12
_SIZE = 240


@implements("REQ-102", "REQ-103", "REQ-104")
def write_card(services: Services, signer: Signer) -> DataCard:
    """Write `data/card.html` and `data/croissant.json`. The same records give the same bytes.

    Raises:
        UsageError: the cases were not ingested, validated and split yet.
        RefusedError: validation or split are about other cases.
    """
    workspace = Workspace(services.workspace)
    held = BoundInputs.of(services)
    with refused_on_record(services, "data.card", signer):
        manifest, split, validation = held.manifest, held.split, held.validation
    sealed = profile = None
    names = [MANIFEST, VALIDATION, SPLIT]
    if (workspace.root / SEALED).is_file():
        sealed = seal_of(workspace)
        names.append(SEALED)
    if (workspace.root / PROFILE).is_file():
        profile = read_json(workspace, PROFILE, DatasetProfile)
        names.append(PROFILE)
    version = version_of(workspace) if (workspace.root / VERSION).is_file() else {"data": split.root}
    with recorded(
        services, "data.card", signer, inputs=files_as_inputs(workspace, *names), context=services.context(**version)
    ) as record:
        entries = tuple(services.log.entries())
        card = data_card(
            services.project.data,
            manifest,
            validation,
            split,
            sealed=sealed,
            profile=profile,
            history=LookHistory.fold(entries),
        )
        facts = {
            "standalone": True,
            "card": card,
            "pictures": _pictures(services, workspace, card),
            "device": services.project.device,
            "demo": Register.fold(entries).demo,
            "document": next(one for one in DOCUMENTS if one.name == "data-card.html"),
        }
        page = card_page(Renderer(templates_folder()), facts)
        write_text_atomic(workspace.root / CARD_PAGE, page)
        write_text_atomic(workspace.root / CROISSANT, _text(croissant(card)))
        for name in (CARD_PAGE, CROISSANT):
            record.output(name, workspace.root / name)
        record.payload(
            cases=len(card.cases), missing=len(card.missing), findings=len(card.findings), openings=len(card.openings)
        )
    return card


def _pictures(services: Services, workspace: Workspace, card: DataCard) -> list[tuple[str, str]]:
    """Pictures of at most twelve cases, spread evenly over those that are not in the test part."""
    from minivess.ml.cases.prepared import load_case
    from minivess.ml.quality.pages.case_pictures import thumbnail

    shown = [case.id for case in card.cases if case.part in {Part.TRAIN, Part.CALIBRATION}]
    count = min(_PICTURES, len(shown))
    made = []
    for number in range(count):
        if services.progress is not None:
            services.progress("pictures", number, count)
        case = shown[number * len(shown) // count]
        picture = base64.b64encode(thumbnail(load_case(workspace.prepared, case), _SIZE)).decode("ascii")
        made.append((case, f"data:image/png;base64,{picture}"))
    if services.progress is not None and count:
        services.progress("pictures", count, count)
    return made


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
