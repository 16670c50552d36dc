"""Steps of features/evidence.feature."""

from __future__ import annotations

import hashlib
import html
import json
import posixpath
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.pack.pack import BuiltPack, add_signatures
from minivess.compliance.proofs.archive import read_archive
from minivess.compliance.release.gates import judge, load_policy
from minivess.compliance.results.evidence_files import with_evidence
from minivess.compliance.standards.collectors import releases
from minivess.compliance.standards.collectors.inputs import EvidenceSources
from minivess.compliance.trace.graph import TraceGraph
from minivess.compliance.verification.pack import verify_pack
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import MinivessError
from minivess.foundation.paths import release_policy
from minivess.records.device.release import GateFacts, GateResult
from minivess.records.items.trace import EvidenceFile, RecordedResult
from minivess.records.items.trace_data import ClauseCoverage
from minivess.records.verdict import VerdictState
from minivess.workflows.trace.workspace_evidence import PackBeingBuilt
from tests.support.builders import logged_signatures
from tests.support.builders import pack_builder as logs
from tests.support.builders.release_builder import (
    POLICY,
    SHA,
    VERSION,
    Release,
    gaps_of,
    make_release,
    own_policy,
    write_source,
)

scenarios("evidence.feature")

PICTURE = b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>\n'


@dataclass
class Story:
    folder: Path
    release: Release
    built: list[BuiltPack] = field(default_factory=list)
    error: MinivessError | None = None
    judged: tuple[GateResult, ...] = ()
    changes: dict[str, Any] = field(default_factory=dict)
    """Of the inputs of the pack."""
    present: set[str] = field(default_factory=set)

    @property
    def files(self) -> dict[str, bytes]:
        return read_archive(self.built[0].path.read_bytes())

    @property
    def pages(self) -> dict[str, str]:
        return {name: content.decode() for name, content in self.files.items() if name.endswith(".html")}


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path, make_release(tmp_path / "release"))


@given("a release whose results are all in the log")
def _(story: Story) -> None:
    assert all(gate.passed for gate in story.release.inputs().gates)


@given("the evaluation was changed by hand afterwards")
def _(story: Story) -> None:
    file = story.release.workspace.evaluation / "evaluation.json"
    plain = json.loads(file.read_bytes())
    plain["ece"] /= 2
    file.write_text(json.dumps(plain), encoding="utf-8")


@given("a requirement whose text holds HTML")
def _(story: Story) -> None:
    assert "</script><b>" in (story.release.source / "requirements" / "all.yaml").read_text(encoding="utf-8")


@given("the release was made with demo keys")
def _(story: Story) -> None:
    story.release = make_release(story.folder / "demo", demo=True)


@given("a requirement without a passed test")
def _(story: Story) -> None:
    (story.release.source / "features" / "sum.feature").write_text(
        "Feature: Sums\n  @RC-01\n  Scenario: Two and two\n    Given two numbers\n", encoding="utf-8"
    )
    gaps = gaps_of(story.release.source, story.release.facts.report)
    story.release.facts = story.release.facts.model_copy(update={"gaps": gaps})


@given("nothing was measured")
def _(story: Story) -> None:
    story.release.facts = GateFacts()


@given("the source tree has an open anomaly, and a clause is open")
def _(story: Story) -> None:
    tree = write_source(story.folder / "open" / "source")
    (tree / "requirements" / "anomalies.yaml").write_text(
        "anomalies:\n  - id: ANO-01\n    title: A sum is late\n    statement: It is late.\n    status: open\n"
        "    safety_related: true\n    affects: [REQ-001]\n    evaluation: It stays until CR-01 is verified.\n",
        encoding="utf-8",
    )
    story.release = make_release(story.folder / "open", source=tree)
    clause = ClauseCoverage(
        standard="IEC 62304", clause="5.7.3", id="C1", paraphrase="Tests are repeated", mode="auto", status="open",
        evidence=(), missing=(), reason="", next="", attested=(), justified=(), expired=False,
    )  # fmt: skip
    met = clause.model_copy(update={"clause": "5.2.2", "status": "met"})
    story.changes["coverage"] = (clause, met)


@given("the templates of the source tree have release notes without anomalies")
def _(story: Story) -> None:
    folder = story.release.source / "templates" / "documents"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "release-notes.html.j2").write_text(
        "<section><h2>Notes</h2><p>All is well.</p></section>", encoding="utf-8"
    )


@given("the clauses of standards are judged as a build does")
def _(story: Story) -> None:
    inputs = story.release.inputs()
    sources = EvidenceSources(tree=inputs.tree, safety_class="B", pack=PackBeingBuilt(inputs.tree))
    story.present = {name for name, collector in releases.COLLECTORS.items() if collector(sources)}


@then(
    "the record of the release, the SBOM and the list of open anomalies are there, and signatures and verification are not"
)
def _(story: Story) -> None:
    assert story.present == {"release-record", "sbom", "anomalies-listed"}


@then(
    "the start page and the signing text state the clause, the anomaly with its condition, and 8 links without a signed review"
)
def _(story: Story) -> None:
    page = " ".join(
        html.unescape(
            re.sub(r"<[^>]+>", " ", story.pages["data/index.html"].partition('<pre class="text">')[0])
        ).split()
    )
    text = story.files["data/signing-text.txt"].decode()
    assert "1 clause of standards open" in page
    assert "IEC 62304 1 0 1" in page
    assert "Open clauses (attested): 1\n" in text
    assert "ANO-01 A sum is late safety related It stays until CR-01 is verified." in page
    assert "Anomaly ANO-01 (attested): A sum is late\n" in text
    assert "Condition of ANO-01 (attested): safety related; It stays until CR-01 is verified.\n" in text
    assert "8 links without a signed review" in page
    assert "Links with a signed review (attested): 0 of 8\n" in text


@then("the start page and the signing text state the reason for the limit of each gate of the policy")
def _(story: Story) -> None:
    page, text = html.unescape(story.pages["data/index.html"]), story.files["data/signing-text.txt"].decode()
    gates = story.release.policy.gates
    assert all(gate.reason for gate in load_policy(release_policy()).gates)
    for gate in gates:
        assert f'<span class="reason">{gate.reason}</span>' in page
        assert f"Limit of {gate.id}: {gate.reason}\n" in text


def _words(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


@then(parsers.parse('the verification report states the text of "{item}" and links to it'))
def _(story: Story, item: str) -> None:
    report = story.pages["data/documents/verification-report.html"]
    assert f'href="../traceability/items/REQ-0.html#{item}"' in report
    assert "The software shall add </script><b>numbers</b> & nothing else." in _words(report)


@then(
    parsers.parse('it states "{step}" as a step of "{scenario}", its actual result, and that it expects "{expected}"')
)
def _(story: Story, step: str, scenario: str, expected: str) -> None:
    words = _words(story.pages["data/documents/verification-report.html"])
    assert f"{scenario} features/sum.feature:3 {step} {expected} passed" in words


@then(
    parsers.parse(
        'it names the tester, the reviewer "{who}", the parts of the environment and the test tools with their versions'
    )
)
def _(story: Story, who: str) -> None:
    words, report = _words(story.pages["data/documents/verification-report.html"]), story.release.facts.report
    assert report is not None
    assert f"Tester {report.tester}, on " in words
    assert f"Reviewer {who} (ben);" in words
    assert all(
        f"{part.name}{f' ({part.part_of})' if part.part_of else ''} {part.version}" in words for part in report.parts
    )
    assert "minivess (tool) 0.2.0" in words
    assert "pytest (tool) " in words


@then("each page of the pack leads to the start page, the matrix, the log and the documents")
def _(story: Story) -> None:
    for name, page in story.pages.items():
        if name.startswith(("data/documents/", "data/traceability/", "data/index")):
            links = {
                posixpath.normpath(posixpath.join(posixpath.dirname(name), link))
                for link in re.findall(r'<a href="([^"]+)"', page.partition("<main")[0])
            }
            pages = ("index.html", "traceability/index.html", "traceability/entries.html", "index.html#documents")
            assert {f"data/{one}" for one in pages} <= links, name


@then(parsers.parse('each page prints "{head}" at its head'))
def _(story: Story, head: str) -> None:
    printed = head.replace("-", "\\00002d").replace(" ", "\\000020").replace(".", "\\00002e")
    assert printed in story.files["data/traceability/assets/print.css"].decode()
    for name, page in story.pages.items():
        where = "assets/print.css" if name.startswith("data/traceability/") else printed
        if name.startswith(("data/documents/", "data/traceability/", "data/index")):
            assert where in page, name


@then("the start page states risks by level, the evidence of times, and that there is no waiver")
def _(story: Story) -> None:
    page = " ".join(re.sub(r"<[^>]+>", " ", story.pages["data/index.html"]).split())
    assert "Low yes 0 1 High no, unless a benefit outweighs it 1 0" in page
    assert "Result 2026-11-20T08:00:25.000000Z entry 25 the machine's own clock alone" in html.unescape(page)
    assert "Waivers None." in page


@when("the pack is built")
@when("the pack is built again in another folder")
def _(story: Story) -> None:
    out = story.folder / f"out-{len(story.built)}" / "pack.zip"
    try:
        story.built.append(story.release.build(out, **story.changes))
    except MinivessError as error:
        story.error = error


@when("the gates are judged")
def _(story: Story) -> None:
    story.judged = judge(own_policy(), story.release.facts)


@when("two people sign it")
def _(story: Story) -> None:
    pack, log = story.built[0].path, story.release.prepared
    assert log is not None
    line = logs.ben().cosign(log.checkpoint, 1_800_000_000)
    after = log.copy()
    model = log.entries[-1].body.context.model
    logged_signatures.record_build(after, story.files, logs.cleo(), version=VERSION, model=str(model))
    policy = load_policy(POLICY).signatures
    logged_signatures.sign_zip(pack, after, (logs.ben(), logs.cleo()), version=VERSION, policy=policy)
    add_signatures(pack, {"signatures/ben.cosignature": line.encode("utf-8")})


@then("it holds the start page, the documents, the matrix, the log, the lineage, the model, the figures and verify.py")
def _(story: Story) -> None:
    expected = {
        "index.html", "ro-crate-metadata.json", "documents/requirements.html", "documents/risk-management.html",
        "documents/traceability.html", "documents/verification-report.html", "documents/soup.html",
        "documents/model-card.html", "documents/data-card.html", "documents/release-notes.html",
        "traceability/index.html", "traceability/items.html", "traceability/items/REQ-0.html",
        "traceability/signatures.html", "traceability/data/trace.json", "traceability/data/items.csv",
        "traceability/chains.csv", "traceability/junit.xml", "verification/results.json",
        "audit/entries.jsonl", "audit/checkpoint.txt", "audit/identities.json", "audit/proofs/0.tlog-proof",
        "lineage/events.jsonl", "bom/sbom.cdx.json", "bom/soup.csv", "models/model.onnx", "models/export.json",
        "models/calibration.json", "models/ensemble.json", "models/members/seed-0.json", "datasets/manifest.json",
        "datasets/split.json", "datasets/validation.json", "datasets/sealed.json", "evaluation/evaluation.json",
        "evaluation/odometer.json", "evaluation/figures/measures.svg", "release/policy.json", "release/gates.json",
        "verify/verify.py", "verify/VERIFY.md",
    }  # fmt: skip
    assert expected <= {name.removeprefix("data/") for name in story.files}


@then("its manifests name every file with its digest")
def _(story: Story) -> None:
    files = story.files
    lines = files["manifest-sha512.txt"].decode() + files["tagmanifest-sha512.txt"].decode()
    named = {name: digest for digest, name in (line.split("  ", 1) for line in lines.splitlines())}
    assert set(named) == set(files) - {"tagmanifest-sha512.txt"}
    assert all(hashlib.sha512(files[name]).hexdigest() == digest for name, digest in named.items())


@then("each package of the lock file is a component with the digests of its files")
def _(story: Story) -> None:
    bills = [json.loads(story.files[f"data/bom/{name}.cdx.json"]) for name in ("sbom", "tools")]
    components = {item["name"]: item for bill in bills for item in bill["components"]}
    assert {"click", "colorama", "torch", "pytest"} <= set(components)
    links = components["click"]["externalReferences"]
    digests = {item["content"] for link in links for item in link.get("hashes", ())}
    assert digests == {SHA, SHA[::-1]}
    assert components["colorama"]["hashes"] == [{"alg": "SHA-256", "content": SHA}]


@then("the model is a component with the digest of the shipped graph")
def _(story: Story) -> None:
    components = json.loads(story.files["data/bom/sbom.cdx.json"])["components"]
    [model] = [item for item in components if item["type"] == "machine-learning-model"]
    digest = hashlib.sha256(story.files["data/models/model.onnx"]).hexdigest()
    assert model["hashes"] == [{"alg": "SHA-256", "content": digest}]


@then(parsers.parse('it is refused because "{words}"'))
def _(story: Story, words: str) -> None:
    assert story.error is not None
    assert story.error.exit_code == 1
    assert words in story.error.message


@then("no pack was written")
def _(story: Story) -> None:
    assert not list(story.folder.rglob("*.zip"))


@then("both packs are equal, byte for byte")
def _(story: Story) -> None:
    first, second = (built.path.read_bytes() for built in story.built)
    assert first == second


@then("its pages load nothing from elsewhere")
def _(story: Story) -> None:
    loading = re.compile(
        r"""(?:src|srcset|data|poster|<link\b[^>]*\bhref)\s*=\s*["']?([^"'\s>]+)|url\(([^)]*)\)|@import""", re.I
    )
    for name, page in story.pages.items():
        assert "default-src 'none'" in page
        for match in loading.finditer(page):
            assert match[1] is not None, f"{name} loads {match[0]}"
            assert not re.match(r"[a-z]+:|//", match[1], re.I), f"{name} loads {match[1]}"


@then("the start page says that all gates passed, how often the test set was looked at, and who must sign")
def _(story: Story) -> None:
    page = story.pages["data/index.html"]
    for words in ("All 12 release gates passed", "looked at exactly once", "Benoît Müller", "Cleo Papadopoulou"):
        assert words in page


@then("every link of the start page leads to a file of the pack")
def _(story: Story) -> None:
    page, files = story.pages["data/index.html"], story.files
    ids = set(re.findall(r'\bid="([^"]+)"', page))
    links = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert len(links) > 40
    for link in links:
        path, _, anchor = link.partition("#")
        assert f"data/{path}" in files if path else anchor in ids, link


@then("every link of every page leads to a file of the pack")
def _(story: Story) -> None:
    ids = {name: set(re.findall(r'\bid="([^"]+)"', page)) for name, page in story.pages.items()}
    for name, page in story.pages.items():
        for link in re.findall(r'(?:href|src)="([^"]+)"', page):
            if link.startswith("https://"):  # home pages in the list of third-party software
                continue
            path, _, anchor = html.unescape(link).partition("#")
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(path))) if path else name
            assert target in story.files, f"{name}: {link}"
            assert not anchor or target.endswith(("items.html", "traceability/index.html")) or anchor in ids[target], (
                f"{name}: {link}"
            )


@given("a result that names a picture as its evidence")
def _(story: Story) -> None:
    picture = story.release.source / "evidence" / "sum.svg"
    picture.parent.mkdir()
    picture.write_bytes(PICTURE)
    report = story.release.facts.report
    assert report is not None
    named = EvidenceFile(path="evidence/sum.svg", digest=digest_bytes(PICTURE))
    story.release.record(report.model_copy(update={"results": (_named(report.results[0], named),)}))


def _named(result: RecordedResult, file: EvidenceFile) -> RecordedResult:
    return result.model_copy(update={"evidence": (file,)})


@given("that picture was changed afterwards")
def _(story: Story) -> None:
    (story.release.source / "evidence" / "sum.svg").write_bytes(PICTURE + b" ")


@then("the picture is in the pack, and the pages link to it and name its digest")
def _(story: Story) -> None:
    assert story.files["data/traceability/evidence/evidence/sum.svg"] == PICTURE
    for name in ("data/traceability/items/REQ-0.html", "data/traceability/results.html"):
        assert 'evidence/evidence/sum.svg">evidence/sum.svg</a>' in story.pages[name]
        assert digest_bytes(PICTURE) in story.pages[name]
    assert "evidence/sum.svg" in story.pages["data/documents/verification-report.html"]


@then("the pages of the trace name the model and the entries that recorded results and model")
def _(story: Story) -> None:
    log = {entry.body.action: entry.body for entry in story.release.log.entries}
    page = " ".join(re.sub(r"<[^>]+>", " ", story.pages["data/traceability/items/REQ-0.html"]).split())
    results, export = log["scenarios"].index, log["model.export"].index
    digest = "sha256:" + hashlib.sha256(story.files["data/models/model.onnx"]).hexdigest()
    assert f"Recorded at log entry {results} ; the model models/model.onnx {digest} at log entry {export}" in page
    for index in (results, export):
        overview, entries = (story.pages[f"data/traceability/{name}.html"] for name in ("overview", "entries/0"))
        assert f'entries/0.html#entry-{index}">log entry {index}</a>' in overview
        assert f'audit/proofs/{index}.tlog-proof">' in entries
    trace = json.loads(story.files["data/traceability/data/trace.json"])
    assert (trace["format"], trace["report"]["entry"]) == ("minivess-trace/2", results)
    assert {"HAZ-01", "RISK-01", "RC-01", "REQ-001"} <= {item["id"] for item in trace["items"]}


@then(parsers.parse('the gates find that "{item}" is not verified'))
def _(story: Story, item: str) -> None:
    report = story.release.facts.report
    assert report is not None
    graph = TraceGraph.load(story.release.source, with_evidence(report, story.release.source))
    assert item in {gap.item for gap in graph.gaps()}


@then("the pages show that text as text")
def _(story: Story) -> None:
    for name, page in story.pages.items():
        assert "<b>numbers" not in page, name
    trace = json.loads(story.files["data/traceability/data/trace.json"])
    texts = [part["value"] for item in trace["items"] for part in item["text"]]
    assert "The software shall add </script><b>numbers</b> & nothing else." in texts


@then("every page says that it is a demonstration")
def _(story: Story) -> None:
    assert len(story.pages) > 30
    assert all('class="demo"' in page and "Demonstration." in page for page in story.pages.values())


@then(parsers.parse('the gate "{gate}" fails and names the requirement and where it is written'))
def _(story: Story, gate: str) -> None:
    [result] = [item for item in story.judged if item.id == gate]
    assert not result.passed
    assert "REQ-001" in result.message
    assert "requirements/all.yaml:" in result.message


@then(parsers.parse('building the pack is refused because "{words}"'))
def _(story: Story, words: str) -> None:
    with pytest.raises(MinivessError, match=words):
        story.release.build(story.folder / "pack.zip")
    assert not list(story.folder.rglob("*.zip"))


@then("every gate fails and states how to fix it")
def _(story: Story) -> None:
    assert story.judged
    assert all(not item.passed and item.mend and item.value is None for item in story.judged)


@then("offline verification says that it holds")
def _(story: Story) -> None:
    verdict = verify_pack(story.built[0].path)
    assert verdict.state is VerdictState.VERIFIED, verdict.first_failure
