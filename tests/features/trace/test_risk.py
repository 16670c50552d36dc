"""Steps of features/risk.feature."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.risk.risk_file import RiskFile
from minivess.compliance.trace.graph import TraceGraph
from minivess.foundation.errors import InputError
from minivess.records.items.risk_plan import ProbabilityScale
from tests.support.tiny_tree import FILES, write_tree

scenarios("risk.feature")

_RISK = FILES["risk/risks.yaml"].replace(
    "residual: {severity: 2, p1: 1, p2: 2}", "residual: {severity: %s, p1: %s, p2: %s}"
)


@dataclass
class Reading:
    """A folder with a risk file, and what came of reading it."""

    source: Path
    file: RiskFile | None = None
    error: InputError | None = None
    gaps: tuple[tuple[str, str], ...] = ()


@given("a plan with two severities, two probabilities and one unacceptable corner", target_fixture="reading")
def _plan(tmp_path: Path) -> Reading:
    (tmp_path / "risk").mkdir()
    (tmp_path / "risk/plan.yaml").write_text(FILES["risk/plan.yaml"], encoding="utf-8")
    (tmp_path / "risk/controls.yaml").write_text(FILES["risk/controls.yaml"], encoding="utf-8")
    return Reading(tmp_path)


@given(parsers.parse("a risk of severity {severity:d}, P1 {p1:d} and P2 {p2:d} after control"))
def _risk(reading: Reading, severity: int, p1: int, p2: int) -> None:
    (reading.source / "risk/risks.yaml").write_text(_RISK % (severity, p1, p2), encoding="utf-8")


@given(parsers.parse('the risk has the typed verdict "{verdict}"'))
def _typed(reading: Reading, verdict: str) -> None:
    path = reading.source / "risk/risks.yaml"
    path.write_text(f"{path.read_text(encoding='utf-8')}    verdict: {verdict}\n", encoding="utf-8")


@given(
    parsers.parse("the plan's steps end at 0.01, 0.1 and 1, and the {limit} limit belongs to the step"),
    target_fixture="scale",
)
def _scale(limit: str) -> ProbabilityScale:
    return ProbabilityScale.model_validate(
        {
            "inclusive": limit,
            "combine": "product-of-upper-limits",
            "steps": [{"word": "w", "meaning": "m", "upper": upper} for upper in ("0.01", "0.1", "1")],
        }
    )


_WIDE = """\
scope: Everything.
severity: [{word: minor, meaning: little}, {word: moderate, meaning: some}, {word: critical, meaning: much}]
probability:
  inclusive: upper
  combine: product-of-upper-limits
  steps:
    - {word: rare, upper: 0.01, meaning: rare}
    - {word: sometimes, upper: 0.1, meaning: sometimes}
    - {word: often, upper: 1, meaning: often}
software_p1: The last step.
levels:
  - {name: low, acceptable: true, meaning: fine}
  - {name: medium, acceptable: true, meaning: fine}
matrix: [[low, low, low], [low, low, low], [low, low, medium]]
overall: All of them.
review: Before each release.
"""


def _wide(reading: Reading, initial: dict[str, int], residual: dict[str, int], more: str) -> None:
    """A plan with three steps, and a risk with an estimate before and after control."""
    said = [", ".join(f"{name}: {step}" for name, step in one.items()) for one in (initial, residual)]
    text = FILES["risk/risks.yaml"].replace("initial: {severity: 2, p1: 2, p2: 2}", f"initial: {{{said[0]}}}")
    text = text.replace("residual: {severity: 2, p1: 1, p2: 2}", f"residual: {{{said[1]}}}")
    (reading.source / "risk/plan.yaml").write_text(_WIDE, encoding="utf-8")
    (reading.source / "risk/risks.yaml").write_text(
        f"{text}    severity_reason: It is smaller.\n{more}", encoding="utf-8"
    )


@given(parsers.parse('a risk whose {factor} falls from {before:d} to {after:d} with "{basis}"'))
def _falls(reading: Reading, factor: str, before: int, after: int, basis: str) -> None:
    initial = {"severity": 2, "p1": 2, "p2": 2} | {factor: before}
    more = "" if basis == "nothing" else f"    bases: [{{of: [{factor}], kind: {basis}, text: Because.}}]\n"
    _wide(reading, initial, initial | {factor: after}, more)


@given(parsers.parse('a residual risk at the level {level} with "{statement}"'))
def _remains(reading: Reading, level: str, statement: str) -> None:
    estimate = {"severity": 3, "p1": 3, "p2": 3 if level == "medium" else 2}
    more = "" if statement == "nothing" else f"    as_far_as_possible: {statement}\n"
    _wide(reading, estimate, estimate, more)


@then(parsers.parse('the gap "{kind}" of the risk is {outcome}'))
def _of_the_risk(reading: Reading, kind: str, outcome: str) -> None:
    assert reading.file is not None
    assert reading.file.plan.levels[0].name == "low"
    found = [gap.kind for gap in reading.file.gaps() if gap.kind != "missing-link"]
    assert found == ([kind] if outcome == "reported" else [])


@when("the risk file is read")
def _read(reading: Reading) -> None:
    try:
        reading.file = RiskFile.load(reading.source)
    except InputError as error:
        reading.error = error


@then(parsers.parse("its residual level is {level} and it is {verdict}"))
def _level(reading: Reading, level: str, verdict: str) -> None:
    assert reading.file is not None
    judged = reading.file.verdict(reading.file.risks[0])
    assert (judged.residual_level, judged.verdict) == (level, verdict)


@then(parsers.parse("0.1 times 0.1 is in step {step:d}"))
def _upper(scale: ProbabilityScale, step: int) -> None:
    assert scale.combined(2, 2) == scale.step_of(Decimal("0.01")) == step


@then(parsers.parse("if the lower limit belongs to the step, it is in step {step:d}"))
def _lower(scale: ProbabilityScale, step: int) -> None:
    assert scale.model_copy(update={"inclusive": "lower"}).combined(2, 2) == step


@then("certain times each step is that step")
def _certain(scale: ProbabilityScale) -> None:
    assert [(scale.combined(3, step), scale.combined(step, 3)) for step in (1, 2, 3)] == [(1, 1), (2, 2), (3, 3)]


@then("no product is above one of its factors")
def _factors(scale: ProbabilityScale) -> None:
    assert all(scale.combined(p1, p2) <= min(p1, p2) for p1 in (1, 2, 3) for p2 in (1, 2, 3))


@then(parsers.parse('it is refused at "{place}" because the matrix gives {verdict}'))
def _refused(reading: Reading, place: str, verdict: str) -> None:
    assert reading.error is not None
    assert str(reading.error).startswith(f"{place}: ")
    assert f"matrix gives {verdict}" in str(reading.error)


@then(parsers.parse('the gap "{kind}" is reported at "{place}"'))
def _gap(reading: Reading, kind: str, place: str) -> None:
    assert reading.file is not None
    found = {(gap.kind, f"{gap.source.path}:{gap.source.line}") for gap in reading.file.gaps()}
    assert (kind, place) in found


@given(parsers.parse("a source tree whose plan requires information for users from {level}"), target_fixture="reading")
def _told(tmp_path: Path, level: str) -> Reading:
    disclosure = f"disclosure: {{from_level: {level}, document: docs/use.md}}\n"
    return Reading(write_tree(tmp_path, {"risk/plan.yaml": FILES["risk/plan.yaml"] + disclosure}))


@given(parsers.parse('the instructions for use say "{said}"'))
def _says(reading: Reading, said: str) -> None:
    write_tree(reading.source, {"docs/use.md": said, "risk/plan.yaml": (reading.source / "risk/plan.yaml").read_text()})


@given("a source tree whose risk control does not say which risks it brings", target_fixture="reading")
def _silent(tmp_path: Path) -> Reading:
    controls = "".join(line for line in FILES["risk/controls.yaml"].splitlines(True) if "new_risks" not in line)
    return Reading(write_tree(tmp_path, {"risk/controls.yaml": controls}))


@when("the trace check runs")
def _check(reading: Reading) -> None:
    reading.gaps = tuple((gap.kind, gap.item) for gap in TraceGraph.load(reading.source).gaps())


@then(parsers.parse('the gap "{kind}" of "{item}" is {outcome}'))
def _of(reading: Reading, kind: str, item: str, outcome: str) -> None:
    assert reading.gaps == (((kind, item),) if outcome == "reported" else ())


@then("before control 1 risk is high, and after it 1 is low and none is high")
def _overall(reading: Reading) -> None:
    assert reading.file is not None
    overall = reading.file.overall()
    assert overall.initial == {"low": 0, "high": 1}
    assert overall.residual == {"low": 1, "high": 0}
    assert overall.method == reading.file.plan.overall
