"""The documents of a pack: each a model, made from a template and from nothing but the dossier, and shown as a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from minivess.compliance.documents.content.acts import act_of
from minivess.compliance.documents.content.facts import OPEN, value_of
from minivess.compliance.documents.content.odometer import odometer_sentence
from minivess.compliance.documents.content.shown_items import items_of_kind
from minivess.compliance.documents.content.structure import structure_of
from minivess.compliance.documents.content.test_records import records_of
from minivess.compliance.documents.content.texts import text_blocks
from minivess.compliance.documents.content.title_blocks import document_id, revision_history, title_block
from minivess.compliance.documents.content.views import soup_changes, views_of
from minivess.compliance.documents.data_card import data_card
from minivess.compliance.documents.dossier import Dossier, PackInputs
from minivess.compliance.documents.formats.made import in_formats
from minivess.compliance.documents.formats.pdf import Imprint
from minivess.compliance.documents.hugging_face import hugging_face_card
from minivess.compliance.documents.log_story import RESULTS
from minivess.compliance.documents.model.blocks import Blocks, DocumentModel, Drawing, numbered
from minivess.compliance.documents.model.html import body_html, contents_html, inline_html
from minivess.compliance.documents.model_card import CardSources, ModelCard, model_card
from minivess.compliance.documents.rendering import Renderer, plural
from minivess.compliance.documents.seed_spread import seed_spread
from minivess.compliance.site.matrix.chains import chains
from minivess.compliance.site.signatures import model_of
from minivess.compliance.site.templating import MENU
from minivess.compliance.standards.filing import FilingDocument, filing, has_text
from minivess.foundation.implements import implements
from minivess.records.changes.difference import ReleaseDifference
from minivess.records.data.card import DataCard
from minivess.records.data.groups import groups_of
from minivess.records.data.split import Part
from minivess.records.items.risk_items import FACTOR_WORDS, story

DOCUMENTS = filing()
"""Every document of a pack, in the order in which a reader needs them."""
DIFFERENCE = "release-difference.html.j2"
"""The template of the differences of two releases."""


@implements("REQ-041")
def documents(renderer: Renderer, dossier: Dossier) -> dict[str, str]:
    """Render every document as a page, by file name.

    Raises:
        InputError: a template is missing or malformed, or says something that it must not say by itself.
    """
    return html_pages(renderer, dossier, document_models(renderer, dossier))


@implements("REQ-500")
def document_models(
    renderer: Renderer, dossier: Dossier, difference: ReleaseDifference | None = None
) -> tuple[DocumentModel, ...]:
    """Every document as a model, from which every format is made.

    Args:
        renderer: the templates.
        dossier: the release.
        difference: from the release before, for the release notes; None: there is none.

    Raises:
        InputError: a template is missing or malformed, or says something that it must not say by itself.
    """
    structure = structure_of(dossier.inputs.source, dossier.inputs.tree.items)
    facts = {
        **common_facts(dossier),
        **_facts(dossier),
        **views_of(dossier),
        "structure": structure,
        "odometer": odometer_sentence(dossier),
        "own_templates": renderer.used(),
        "difference": difference,
        "soup_changes": soup_changes(difference),
    }
    drawings = {} if structure.drawing is None else {"drawing:items": structure.drawing}
    return tuple(_model(renderer, dossier, one, facts, drawings) for one in DOCUMENTS)


@implements("REQ-041", "REQ-500")
def html_pages(
    renderer: Renderer, dossier: Dossier, models: Iterable[DocumentModel], formats: Sequence[str] = ()
) -> dict[str, str]:
    """The page of each document, by file name.

    Args:
        renderer: the templates.
        dossier: the release.
        models: the documents.
        formats: suffixes of the other formats that the pack has of each.
    """
    facts = common_facts(dossier)
    return {
        f"{model.name}.html": renderer.render(
            "document.html.j2",
            {
                **facts,
                "document": next(one for one in DOCUMENTS if one.stem == model.name),
                "model": model,
                "title_rows": [(label, inline_html(value)) for label, value in model.title_block.rows],
                "contents": contents_html(model),
                "body": body_html(model.body),
                "history": body_html((model.history,)),
                "formats": formats,
                "logo": renderer.logo,
            },
        )
        for model in models
    }


@implements("REQ-507")
def other_formats(
    renderer: Renderer,
    dossier: Dossier,
    models: Iterable[DocumentModel],
    files: Mapping[str, bytes],
    given: Mapping[str, bytes],
) -> dict[str, bytes]:
    """Each document in the formats of the pack beside its page, by name relative to `data/`.

    Args:
        renderer: the templates.
        dossier: the release.
        models: the documents.
        files: of the pack, by name relative to `data/`: pictures.
        given: documents in formats that cannot be made here; they are taken as they are.

    Raises:
        UsageError: a format of the pack cannot be made here.
        CouldNotCheckError: a document cannot be written in a format.
    """
    inputs, device = dossier.inputs, dossier.project.device
    made_here = [one for one in inputs.formats if not any(name.endswith(f".{one}") for name in given)]
    imprint = Imprint(f"{device.name} {device.version}", f"{inputs.tool.name} {inputs.tool.version}", inputs.time)
    made = in_formats(made_here, models, imprint, files, renderer.file("reference.docx"))
    return {**given, **{f"documents/{name}": content for name, content in made.items()}}


def _model(
    renderer: Renderer,
    dossier: Dossier,
    document: FilingDocument,
    facts: Mapping[str, Any],
    drawings: Mapping[str, Drawing],
) -> DocumentModel:
    alone = not renderer.has(f"{document.name}.j2")
    template = "text.html.j2" if alone else f"{document.name}.j2"
    named = named_facts(dossier, document)
    of_document = {"document": document, "has_text": has_text(dossier.inputs.source, document)}
    body = (
        *renderer.blocks(template, {**facts, **named, **of_document}, drawings),
        *_difference_blocks(renderer, document, facts["difference"]),
        *text_blocks(dossier, document, alone=alone),
    )
    return DocumentModel(
        name=document.stem,
        identifier=document_id(dossier, document),
        title=document.title,
        about=document.about,
        title_block=title_block(dossier, document),
        body=numbered(body),
        history=revision_history(dossier, document),
    )


@implements("REQ-572")
def _difference_blocks(renderer: Renderer, document: FilingDocument, difference: ReleaseDifference | None) -> Blocks:
    """What differs from the release before, for the release notes."""
    if document.stem != "release-notes" or difference is None:
        return ()
    return renderer.blocks(DIFFERENCE, {"difference": difference})


@implements("REQ-102")
def card_page(renderer: Renderer, facts: Mapping[str, Any]) -> str:
    """The data card as a page of its own, outside of a pack.

    Args:
        renderer: the templates.
        facts: `card`, `pictures`, `device`, `demo`, `document` and `standalone`.
    """
    named = {"fact": lambda name: {"background.value": 0}[name]}
    body = numbered(renderer.blocks("data-card.html.j2", {**facts, **named}))
    return renderer.render("data-card-page.html.j2", {**facts, "body": body_html(body)})


@implements("REQ-501")
def named_facts(dossier: Dossier, document: FilingDocument) -> dict[str, Any]:
    """The functions by which the template of a document states facts and acts: `fact`, `known` and `act`."""

    def fact(name: str, one: str = "", several: str = "") -> Markup:
        value = value_of(dossier, name)
        text = plural(value, one, several) if one and isinstance(value, int) else str(value)
        return Markup('<data value="{}">{}</data>').format(name, text)

    return {
        "fact": fact,
        "known": lambda name: value_of(dossier, name),
        "act": lambda name: act_of(dossier, name, text=document.path),
    }


@implements("REQ-504")
def renderer_of(inputs: PackInputs) -> Renderer:
    """The templates of this version, and those of the source tree in `templates/documents` in their place."""
    return Renderer(inputs.templates, inputs.source / "templates" / "documents")


def common_facts(dossier: Dossier) -> dict[str, Any]:
    """What every page may name."""
    return {
        "device": dossier.project.device,
        "project": dossier.project,
        "demo": dossier.demo,
        "time": dossier.inputs.time,
        "commit": dossier.inputs.commit,
        "dirty": dossier.inputs.dirty,
        "all_documents": DOCUMENTS,
        "head": dossier.log.checkpoint,
        "menu": MENU,
    }


def _facts(dossier: Dossier) -> dict[str, Any]:
    parts = {part.value: _part(dossier, part) for part in (Part.TRAIN, Part.CALIBRATION, Part.TEST)}
    outcomes = Counter(result.outcome for result in dossier.report.results)
    return {
        "dossier": dossier,
        "trace": dossier.trace.trace,
        "needs": items_of_kind(dossier, "user-need"),
        "requirements": [
            *items_of_kind(dossier, "system-requirement"),
            *items_of_kind(dossier, "software-requirement"),
        ],
        "controls": items_of_kind(dossier, "risk-control"),
        "anomalies": [one.item for one in items_of_kind(dossier, "anomaly") if OPEN in one.item.facts],
        "risks": _risks(dossier),
        "factor_words": FACTOR_WORDS,
        "chains": chains(dossier.trace),
        "records": records_of(dossier),
        "model": model_of(dossier.trace.trace),
        "evaluation": dossier.evaluation,
        "calibration": dossier.calibration,
        "export": dossier.export,
        "runs": dossier.runs,
        "spread": seed_spread(dossier.runs),
        "manifest": dossier.manifest,
        "validation": dossier.validation,
        "sealed": dossier.sealed,
        "split": dossier.split,
        "parts": parts,
        "card": card_of(dossier),
        "model_card": model_card_of(dossier),
        "pictures": (),
        "standalone": False,
        "report": dossier.report,
        "outcomes": {name: outcomes[name] for name in ("passed", "failed", "skipped")},
        "risk_file": dossier.risks,
        "risk_matrix": dossier.risks.matrix(),
        "soup": dossier.soup,
        "soup_lock": dossier.lock,
        "soup_uses": Counter(item.use.value for item in dossier.soup),
        "gates": dossier.inputs.gates,
        "policy": dossier.inputs.policy,
        "history": dossier.log.history,
        "entries": dossier.log.entries,
        "people": dossier.log.people,
        "results_entry": dossier.log.last(*RESULTS),
    }


def _risks(dossier: Dossier) -> list[dict[str, Any]]:
    """Each risk with its story and what the plan makes of its estimates."""
    return [
        {"risk": risk, "judged": dossier.risks.verdict(risk), **story(risk, dossier.risks.items)}
        for risk in dossier.risks.risks
    ]


def card_of(dossier: Dossier) -> DataCard:
    """The data card of the release, without pictures."""
    return data_card(
        dossier.project.data,
        dossier.manifest,
        dossier.validation,
        dossier.split,
        sealed=dossier.sealed,
        history=dossier.log.history,
    )


def model_card_of(dossier: Dossier) -> ModelCard:
    """The model card of the release."""
    return model_card(
        CardSources(
            project=dossier.project,
            export=dossier.export,
            runs=dossier.runs,
            calibration=dossier.calibration,
            evaluation=dossier.evaluation,
            data=card_of(dossier),
            chain=dossier.inputs.chain,
            soup=dossier.soup,
        )
    )


def hugging_face_of(dossier: Dossier) -> str:
    """The model card of the release for Hugging Face."""
    card, device = model_card_of(dossier), dossier.project.device
    return hugging_face_card(card, device, dossier.export, dossier.evaluation, card_of(dossier), demo=dossier.demo)


def _part(dossier: Dossier, part: Part) -> dict[str, int]:
    names = set(dossier.split.part(part))
    cases = [case for case in dossier.manifest.cases if case.id in names]
    groups = groups_of(dossier.manifest, dossier.split)
    return {
        "cases": len(cases),
        "subjects": len({case.subject for case in cases}),
        "groups": len({groups[case.id] for case in cases}),
    }
