"""JUnit XML of several runners: only what surely passed has passed."""

from __future__ import annotations

from pathlib import Path

import pytest

from minivess.compliance.exchange.formats.junit import ForeignResult, parse_junit, read_junit
from minivess.compliance.exchange.mapping import ForeignMapping
from minivess.compliance.exchange.reader import read_foreign
from minivess.foundation.errors import InputError, UsageError

pytestmark = pytest.mark.verifies("SU-19")

PYTEST = """\
<?xml version="1.0" encoding="utf-8"?>
<testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="1" skipped="1" tests="4" time="0.2"
 timestamp="2026-01-01T00:00:00" hostname="h">
<testcase classname="tests.test_a" name="test_REQ-012_beeps[1]" time="0.011"><properties>
<property name="requirement" value="REQ-013, RC-02"/></properties></testcase>
<testcase classname="tests.test_a" name="test_fails" time="0.1"><failure message="assert 1 == 2">trace
back</failure></testcase>
<testcase classname="tests.test_a" name="test_error" time="0.0"><error message="failed on setup">x</error></testcase>
<testcase classname="tests.test_a" name="test_xfail" time="0.0"><skipped type="pytest.xfail" message="later"/></testcase>
</testsuite></testsuites>
"""


def _one(case: str) -> ForeignResult:
    return parse_junit(f"<testsuite tests='1'>{case}</testsuite>".encode(), "j.xml").results[0]


def test_results_of_pytest_are_read() -> None:
    found = parse_junit(PYTEST.encode(), "j.xml")
    assert [(one.name, one.outcome, one.seconds) for one in found.results] == [
        ("test_REQ-012_beeps[1]", "passed", 0.011),
        ("test_fails", "failed", 0.1),
        ("test_error", "failed", 0.0),
        ("test_xfail", "skipped", 0.0),
    ]
    assert found.results[0].ids == ("REQ-012", "REQ-013", "RC-02")
    assert found.results[1].message == "assert 1 == 2\ntrace\nback"
    assert [one.place.line for one in found.results] == [4, 6, 8, 9]
    assert found.results[0].properties == {"requirement": "REQ-013, RC-02"}
    assert [remark.value for remark in found.remarks] == ["timestamp: 2026-01-01T00:00:00; hostname: h"]


@pytest.mark.parametrize(
    ("case", "outcome"),
    [
        ("<testcase name='a'/>", "passed"),
        ("<testcase name='a' status='run' result='completed'/>", "passed"),
        ("<testcase name='a' status='notrun' result='suppressed'/>", "skipped"),
        ("<testcase name='a' status='Disabled'/>", "skipped"),
        ("<testcase name='a' status='failed'/>", "failed"),
        ("<testcase name='a' status='whatever'/>", "skipped"),
        ("<testcase name='a'><skipped/></testcase>", "skipped"),
        ("<testcase name='a'><skipped/><failure/></testcase>", "failed"),
        ("<testcase name='a'><error/></testcase>", "failed"),
        ("<testcase name='a'><flakyFailure>first</flakyFailure></testcase>", "passed"),
    ],
)
def test_only_what_surely_passed_has_passed(case: str, outcome: str) -> None:
    assert _one(case).outcome == outcome


@pytest.mark.parametrize(
    ("time", "seconds"),
    [("1.5", 1.5), ("1,5", 1.5), ("1,234.5", 1234.5), ("1.234,5", 1234.5), ("", 0.0), ("2e-3", 0.002), ("soon", 0.0)],
)
def test_times_are_read_with_either_decimal_sign(time: str, seconds: float) -> None:
    assert _one(f"<testcase name='a' time='{time}'/>").seconds == seconds


def test_ids_of_ours_are_found_and_others_not() -> None:
    case = "<testcase name='SRS-12 XREQ-001 REQ_014 UN-01' classname='REQ-1 REQ-123456' file='test_RISK-07.py'/>"
    assert _one(case).ids == ("REQ-014", "UN-01", "RISK-07")


def test_ids_of_a_suite_hold_for_its_cases_and_counts_are_compared() -> None:
    text = (
        '<testsuites><testsuite name="outer" tests="5"><properties><property name="r" value="REQ-001"/></properties>'
        '<testsuite name="inner"><testcase name="a"/></testsuite></testsuite></testsuites>'
    )
    found = parse_junit(text.encode("utf-16"), "j.xml")
    assert [(one.classname, one.ids) for one in found.results] == [("inner", ("REQ-001",))]
    assert [remark.message for remark in found.remarks] == ["the suite counts 5 tests and holds 1"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<html/>", "its root is <html>"),
        ("<testsuite>", "is not XML"),
        ('<!DOCTYPE a [<!ENTITY x "y">]><testsuite/>', "document type"),
        ("", "is not XML"),
    ],
)
def test_what_is_no_junit_xml_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "j.xml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        read_junit(path)


def test_test_results_are_no_items(tmp_path: Path) -> None:
    path = tmp_path / "j.xml"
    path.write_text(PYTEST, encoding="utf-8")
    with pytest.raises(UsageError, match="JUnit"):
        read_foreign(path, ForeignMapping())
