"""Rendering, and the matrix behind the start page."""

from __future__ import annotations

import csv
import html
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from minivess.compliance.documents.content.odometer import odometer_sentence
from minivess.compliance.documents.documents import DOCUMENTS, documents
from minivess.compliance.documents.dossier import Dossier, gather
from minivess.compliance.documents.rendering import Renderer
from minivess.compliance.documents.start_page import index_page, key_figures
from minivess.compliance.site.matrix.chains import chains, chains_csv
from minivess.foundation.errors import InputError
from minivess.records.data.dataset import CodedTerm, LabelClass
from minivess.records.device.release import GateResult
from minivess.records.evaluation.cases import CaseCounts
from minivess.records.evaluation.measures import MEASURES, USUAL
from minivess.records.items.trace import RecordedResult
from tests.support.builders.new_measure import NAME, TITLE, VoxelRecall, add_measure
from tests.support.builders.release_builder import TEMPLATES, make_release, write_source
from tests.support.tiny_tree import FILES

pytestmark = pytest.mark.verifies("SU-24")

VOID = {"meta", "link", "br", "img", "input", "hr"}


class _Balance(HTMLParser):
    """Fails on an element that is not closed, or on an id that stands twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                assert value not in self.ids, f"{value} stands twice"
                self.ids.add(value or "")
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element that closes itself."""

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag


@pytest.fixture(scope="module")
def dossier(tmp_path_factory: pytest.TempPathFactory) -> Dossier:
    return gather(make_release(tmp_path_factory.mktemp("release")).inputs())


@pytest.mark.verifies("REQ-041")
def test_every_page_is_well_formed(dossier: Dossier) -> None:
    renderer = Renderer(TEMPLATES)
    pages = documents(renderer, dossier)
    assert set(pages) == {item.name for item in DOCUMENTS}
    for page in (*pages.values(), index_page(renderer, dossier, [], "the signing text")):
        parser = _Balance()
        parser.feed(page)
        parser.close()
        assert parser.stack == []


@pytest.mark.verifies("REQ-200")
def test_a_new_measure_is_on_the_start_page_and_the_model_card(
    dossier: Dossier, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_measure(monkeypatch)
    known = dossier.evaluation
    recall = VoxelRecall(found=1234, reference=10_000)
    counted = [row for row in known.cases if isinstance(row, CaseCounts)]
    cases = tuple(row.model_copy(update={"counts": {**row.counts, NAME: recall}}) for row in counted)
    aggregates = {**known.aggregates, NAME: known.aggregates["dice"]}
    changed = replace(dossier, evaluation=known.model_copy(update={"cases": cases, "aggregates": aggregates}))
    assert [figure.name for figure in key_figures(changed)] == [MEASURES[name].heading("um") for name in (*USUAL, NAME)]
    assert TITLE in index_page(Renderer(TEMPLATES), changed, [], "")
    card = documents(Renderer(TEMPLATES), changed)["model-card.html"]
    assert f'<th scope="row">{TITLE}</th>' in card
    assert '<th scope="col" class="figure">Recall</th>' in card
    assert card.count('<td class="figure">0.123</td>') == len(cases) == len(known.cases)


@pytest.mark.verifies("REQ-380", "RC-153")
def test_the_model_card_says_what_each_measure_gives_for_empty_masks(dossier: Dossier) -> None:
    known = dossier.evaluation
    conventions = known.conventions.model_copy(update={"of_measure": {"hd": "0 when both <masks> are empty"}})
    changed = replace(dossier, evaluation=known.model_copy(update={"conventions": conventions}))
    before, card = (documents(Renderer(TEMPLATES), one)["model-card.html"] for one in (dossier, changed))
    assert "<dt>Hausdorff distance (µm)</dt><dd>0 when both &lt;masks&gt; are empty</dd>" in card
    assert card.replace("\n<dt>Hausdorff distance (µm)</dt><dd>0 when both &lt;masks&gt; are empty</dd>", "") == before


@pytest.mark.verifies("REQ-306")
def test_name_colour_and_coded_term_of_a_class_are_on_model_card_and_data_card(dossier: Dossier) -> None:
    term = CodedTerm(value="51114001", scheme="SCT", meaning="Arterial structure")
    artery = LabelClass(value=1, name="artery <a>", colour="#d02020", code=term)
    cases = tuple(case.model_copy(update={"classes": (artery,)}) for case in dossier.manifest.cases)
    changed = replace(dossier, manifest=dossier.manifest.model_copy(update={"cases": cases}))
    pages = documents(Renderer(TEMPLATES), changed)
    for name in ("model-card.html", "data-card.html"):
        assert "1 artery &lt;a&gt; [Arterial structure (SCT 51114001)]; " in pages[name]
        assert ">0</data> is background" in pages[name]
        assert 'fill="#d02020"' in pages[name]


@pytest.mark.verifies("REQ-040")
def test_a_gate_that_counts_nothing_wrong_is_a_sentence_on_the_start_page(dossier: Dossier) -> None:
    gate = GateResult(
        id="criteria",
        kind="criteria",
        title="Unmet acceptance criteria",
        basis="derived",
        passed=True,
        value=0.0,
        comparison="at most",
        limit=0.0,
        margin=0.0,
        message="All 3 acceptance criteria met",
        mend="",
    )
    missed = gate.model_copy(update={"passed": False, "value": 1.0, "margin": -1.0, "message": "dice is too low"})
    inputs = dossier.inputs
    page = index_page(Renderer(TEMPLATES), replace(dossier, inputs=replace(inputs, gates=(gate,))), [], "")
    assert '<th scope="row">All 3 acceptance criteria met<' in page
    assert gate.title not in page
    page = index_page(Renderer(TEMPLATES), replace(dossier, inputs=replace(inputs, gates=(missed,))), [], "")
    assert gate.title in page
    assert "dice is too low" in page


@pytest.mark.verifies("REQ-107")
def test_chains_lead_from_hazard_to_code_model_and_entry(dossier: Dossier) -> None:
    [chain] = chains(dossier.trace)
    assert (chain.hazards, chain.risk, chain.control, chain.requirement) == (("HAZ-01",), "RISK-01", "RC-01", "REQ-001")
    assert (chain.title, chain.status) == ("Sum", "passed")
    assert chain.scenarios == ("Two and two",)
    assert chain.results == ("1 passed",)
    assert chain.code == ("thing.sums.add",)
    [row] = csv.DictReader(io.StringIO(chains_csv(dossier.trace)))
    scenarios, export = dossier.log.last("scenarios"), dossier.log.last("model.export")
    assert scenarios is not None
    assert export is not None
    assert row["results_entry"] == str(scenarios.body.index)
    assert row["model_entry"] == str(export.body.index)
    assert row["model"] == dossier.export.onnx


@pytest.mark.verifies("REQ-267")
def test_documents_name_each_relation_and_the_outcome_of_each_test(tmp_path: Path) -> None:
    tree = write_source(tmp_path / "source")
    controls, risks = tree / "risk/controls.yaml", tree / "risk/risks.yaml"
    text = controls.read_text(encoding="utf-8")
    controls.write_text(re.sub("no_new_risks: .*", "new_risks: [RISK-02]", text), encoding="utf-8")
    text = risks.read_text(encoding="utf-8")
    more = text.partition("risks:\n")[2].replace("RISK-01", "RISK-02")
    basis = "{of: [p1], kind: expert, name: Ada Byron, date: '2026-11-29', text: It was counted.}"
    risks.write_text(
        f"{text}    bases: [{basis}]\n    as_far_as_possible: Nothing else helps.\n{more}", encoding="utf-8"
    )
    (tree / "tests").mkdir()
    (tree / "tests/test_sums.py").write_text(
        "import pytest\n"
        '@pytest.mark.verifies("REQ-001")\nclass TestSums:\n    def test_two(self): ...\n    def test_three(self): ...\n'
        '@pytest.mark.verifies("REQ-001")\ndef test_none(): ...\n',
        encoding="utf-8",
    )
    release = make_release(tmp_path, source=tree)
    report = release.facts.report
    assert report is not None
    node = "tests/test_sums.py::TestSums"
    ran = [
        RecordedResult(name=name, node=f"{node}::{name}", ids=("REQ-001",), outcome="passed", seconds=0.1)
        for name in ("test_two", "test_three[a-b::c]")
    ]
    release.record(report.model_copy(update={"results": (*report.results, *ran)}))
    pages = documents(Renderer(TEMPLATES), gather(release.inputs()))
    plain = {name: " ".join(re.sub("<[^>]+>", " ", html.unescape(page)).split()) for name, page in pages.items()}
    risk, requirements = plain["risk-management.html"], plain["requirements.html"]
    assert "Controls RISK-01, RISK-02 Implemented by REQ-001 Brings RISK-02 Effectiveness" in risk.replace(" ,", ",")
    assert "Basis of P1 expert judgement, Ada Byron, 2026-11-29: It was counted." in risk
    assert "Reduced as far as possible Nothing else helps." in risk
    assert "Derives from UN-01 Implements RC-01 Verified by" in requirements
    assert "“Two and two” (passed); TestSums (passed), test_none (not run for this release)" in requirements.replace(
        " ,", ","
    )
    [chain] = [one for one in chains(gather(release.inputs()).trace) if one.risk == "RISK-01"]
    assert chain.not_run == ("test_sums.test_none",)
    assert "1 not run for this release" in plain["traceability.html"]


@pytest.mark.verifies("REQ-107")
def test_a_risk_without_control_and_a_requirement_without_risk_have_a_chain(tmp_path: Path) -> None:
    release = make_release(tmp_path)
    lonely = FILES["requirements/all.yaml"].replace("user_needs:", "user_needs: []\nx:").partition("requirements:")[2]
    (release.source / "requirements/more.yaml").write_text(
        f"requirements:{lonely.replace('REQ-001', 'REQ-002').replace('Sum', 'Other')}", encoding="utf-8"
    )
    risks = release.source / "risk/risks.yaml"
    text = risks.read_text(encoding="utf-8")
    more = text.partition("risks:\n")[2].replace("RISK-01", "RISK-02").replace("[RC-01]", "[]")
    risks.write_text(text + more, encoding="utf-8")
    rows = [(chain.risk, chain.control, chain.requirement) for chain in chains(gather(release.inputs()).trace)]
    assert rows == [("RISK-01", "RC-01", "REQ-001"), ("RISK-02", "", ""), ("", "", "REQ-002")]


@pytest.mark.verifies("REQ-041")
def test_a_result_that_does_not_count_is_stale(tmp_path: Path) -> None:
    release = make_release(tmp_path)
    (release.source / "src" / "thing" / "more.py").write_text("changed = True\n", encoding="utf-8")
    [chain] = chains(gather(release.inputs()).trace)
    assert (chain.status, chain.results) == ("stale", ())


@pytest.mark.verifies("REQ-023")
def test_the_odometer_says_who_for_what_and_after_what(dossier: Dossier) -> None:
    sentence = odometer_sentence(dossier)
    for words in (
        "exactly once",
        "Ada Lovelace",
        "final evaluation",
        "Benoît Müller",
        "criteria were registered before",
    ):
        assert words in sentence


def test_key_figures_keep_to_their_scale(dossier: Dossier) -> None:
    figures = key_figures(dossier)
    assert [item.name[:4] for item in figures] == ["Dice", "clDi", "Norm", "95th"]
    assert figures[0].limit == 0.85
    assert figures[0].baseline is not None
    for item in figures:
        assert 0 <= item.span[0] <= item.place <= item.span[1] <= 100


def _templates(folder: Path, text: str) -> Path:
    (folder / "documents").mkdir()
    (folder / "documents" / "x.j2").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "text", ["{{ nothing }}", "{{ facts.__class__.__mro__ }}", "{% if %}", "{% include 'gone' %}", "{{ 'x'|gone }}"]
)
def test_a_template_that_names_what_is_not_there_or_not_allowed_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="cannot be rendered"):
        Renderer(_templates(tmp_path, text)).render("x.j2", {"facts": ()})


def test_text_is_escaped_whatever_the_template_is_called(tmp_path: Path) -> None:
    assert Renderer(_templates(tmp_path, "{{ word }}")).render("x.j2", {"word": "<i>&"}) == "&lt;i&gt;&amp;"


def test_formulas_in_tables_are_text(tmp_path: Path) -> None:
    release = make_release(tmp_path)
    path = release.source / "requirements/all.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("title: Sum", "title: =1+1"), encoding="utf-8")
    assert "'=1+1" in chains_csv(gather(release.inputs()).trace)
