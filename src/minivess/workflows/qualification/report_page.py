"""The report of a qualification as a page for people."""

from __future__ import annotations

from collections.abc import Iterator

from minivess.compliance.documents.model.blocks import Block, Code, Mark
from minivess.compliance.documents.model.making import Words, facts, heading, paragraph, table
from minivess.compliance.documents.pages.page_alone import PageAlone, page_alone
from minivess.compliance.documents.rendering import Renderer, moment
from minivess.foundation.implements import implements
from minivess.foundation.paths import templates_folder
from minivess.records.device.qualification import CheckOutcome, QualificationReport, ToolFunction

NOT_SHOWN = (
    "These checks show that this software, as installed on this machine, gives the results that its maker verified "
    "(installation and operation). They do not show that it does what your process needs with your data, your people and "
    "your other tools. That is performance qualification, and it is yours. So is the decision that the tool may be used."
)
"""What the report does not show."""
UNSIGNED = "No signature: it was made outside of a project. In a project, this command records it with a signature."


@implements("REQ-591")
def report_page(report: QualificationReport) -> str:
    """The page. The same report gives the same text."""
    page = PageAlone(
        title="Tool qualification report",
        about="What this software is used for, what follows when it fails, and what was checked on this machine.",
        subject=f"{report.tool.name} {report.tool.version}",
        rows=(
            ("Result", _result(report)),
            ("For", report.project or "no project"),
            ("Made", moment(report.time)),
            (
                "Signature",
                "an entry of the project's log, by its action tool.qualified" if report.project else UNSIGNED,
            ),
            ("Code", Code(report.code)),
        ),
        body=tuple(_body(report)),
        footer="The same facts are in report.json beside this page.",
    )
    return page_alone(Renderer(templates_folder()), page)


def _result(report: QualificationReport) -> Mark:
    number = len(report.checks)
    if report.passed:
        return Mark("passed", f"all {number} checks passed")
    return Mark("failed", f"{len(report.failed)} of {number} checks failed: do not rely on this installation")


def _body(report: QualificationReport) -> Iterator[Block]:
    yield heading("Intended use and risk of the tool")
    yield paragraph(
        "The tool makes and keeps records of a quality system for medical device software. It is not part of the device; its "
        "inference service is, and is verified with the device. "
        "ISO 13485:2016, 4.1.6, asks for its validation in proportion to the risk. The process risk of each function is "
        "judged as in the FDA's guidance on computer software assurance. These judgements are those of the maker; you judge "
        "again for your use."
    )
    by_name = {one.name: one for one in report.checks}
    head = ("Function", "Intended use", "When it fails", "Process risk", "Checked here", "Requirements")
    yield table(head, (_function(one, by_name) for one in report.functions))
    yield heading("Checks")
    yield table(("Check", "Kind", "Outcome", "Found"), (_check(one) for one in report.checks))
    yield heading("What this does not show")
    yield paragraph(NOT_SHOWN)
    yield heading("Environment")
    environment = report.environment
    lock: Words = Code(environment.lock) if environment.lock else "no lock file"
    yield facts(
        (
            ("Python", environment.python),
            ("System", environment.system),
            ("Machine", environment.machine),
            ("Lock file", lock),
        )
    )
    yield table(("Library", "Version"), environment.libraries.items(), style="")


def _function(one: ToolFunction, checks: dict[str, CheckOutcome]) -> tuple[Words, ...]:
    shown = ", ".join(one.checks) or "not here: by the maker's own verification, and by your performance qualification"
    failed = any(name not in checks or not checks[name].passed for name in one.checks)
    checked: Words = Mark("failed", f"failed: {shown}") if failed else shown
    return one.name, one.intended_use, one.failure, one.process_risk, checked, ", ".join(one.requirements)


def _check(one: CheckOutcome) -> tuple[Words, ...]:
    return (
        f"{one.title} ({one.name})",
        one.kind,
        Mark("passed", "passed") if one.passed else Mark("failed", "failed"),
        one.detail,
    )
