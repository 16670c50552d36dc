"""Pytest plugin: records what was run, for which requirements and risk controls, on which tree (IEC 62304 5.7.3-5.7.5).

`pytest --evidence-results PATH --evidence-tester NAME` writes one `ResultReport` at the end of the session. Only a test
whose setup, call and teardown all passed is passed; skipped, expected-to-fail and unexpectedly-passing tests are not.
The file is removed at the start and written only by a session that ran to its end on a tree that did not change.

A test or step names a file that shows what it found with pytest's own `record_property("evidence", path)`. The file lies in
the source tree, beside the parts that are tested (in `evidence/`, say); its digest is taken when the test has ended. A
test that named a file which is not there, or which another test has changed, counts as skipped.

The results also state which files Python loaded, in all processes of the session, and whether each belongs to the tree or to
a locked distribution (`loaded_files.py`). Files that tests run in other processes are not noted.

Loaded by every pytest run in this environment, so it imports the standard library and pytest alone until it has to
write. Under pytest-xdist workers attach what they know to their reports and the controller writes.
"""

from __future__ import annotations

import hashlib
import platform
import re
import sys
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import pytest

from minivess.compliance.results.loading import LoadedPaths

_ID = re.compile(r"[A-Z]{2,4}-[0-9]{2,5}\Z")
_TAG = re.compile(r"@(\S+)")
_ABSOLUTE = re.compile(r"(?<![\w.])/(?:[^\s/'\":,]+/)+")
_ATTRIBUTE = "minivess_evidence"
_PROPERTY = "evidence"
_LOADED = "minivess_loaded"
_MESSAGE_LENGTH = 200
_LONGEST_PATH = 240
_COMPLETE = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("minivess evidence")
    group.addoption("--evidence-results", metavar="PATH", help="write test results with ids, tree and environment")
    group.addoption("--verifies", metavar="IDS", help="run only what verifies these ids (comma-separated)")
    group.addoption("--without", metavar="CALL=GIVES", help="take a risk control away (see `minivess risk drill`)")
    group.addoption("--evidence-tester", metavar="NAME", help="who runs the tests (IEC 62304 5.7.5)")


def pytest_configure(config: pytest.Config) -> None:
    """Register markers (ids used as tags become markers, and `--strict-markers` asks for them); begin recording."""
    config.addinivalue_line("markers", "verifies(*ids): the requirements and risk controls this test verifies")
    for tag in _feature_tags(config):
        config.addinivalue_line("markers", f"{tag}: tag of a scenario")
    without = config.getoption("--without")
    if without is not None:
        from minivess.compliance.results.control_switches import switch_off

        switch_off(*without.split("="))
    target = config.getoption("--evidence-results")
    if target is None:
        return
    if without is not None:
        raise pytest.UsageError("results without a risk control are no results")
    loaded = LoadedPaths()
    loaded.begin()
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(Observer(config.rootpath), "minivess-evidence-observer")
        config.pluginmanager.register(Worker(config, loaded), "minivess-evidence-worker")
        return
    tester = config.getoption("--evidence-tester")
    if not tester or len(tester) > _MESSAGE_LENGTH:
        raise pytest.UsageError("--evidence-results needs --evidence-tester NAME (one line)")
    config.pluginmanager.register(Observer(config.rootpath), "minivess-evidence-observer")
    recorder = Recorder(config.invocation_params.dir / target, tester, config.rootpath, loaded)
    config.pluginmanager.register(recorder, "minivess-evidence-recorder")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what verifies none of the ids of `--verifies`."""
    wanted = config.getoption("--verifies")
    if wanted is None:
        return
    ids = set(wanted.split(","))
    kept = [item for item in items if ids.intersection(_ids(item, _scenario(item)))]
    chosen = set(kept)
    left_out = [item for item in items if item not in chosen]
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


def _feature_tags(config: pytest.Config) -> list[str]:
    """Tags of all features that look like ids or plain words; the graph judges whether the ids exist."""
    base = ""
    try:
        base = str(config.getini("bdd_features_base_dir") or "")
    except (KeyError, ValueError):  # pytest-bdd is not installed
        return []
    tags: set[str] = set()
    for path in sorted((config.rootpath / (base or "features")).rglob("*.feature")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.lstrip().startswith("@"):
                tags.update(tag for tag in _TAG.findall(line) if _ID.match(tag))
    return sorted(tags)


class Observer:
    """Attaches to each report the ids and the scenario of its test. Runs where tests run."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add what is known about the test to the report of its setup, and its evidence to that of its teardown.

        All is plain data that xdist can carry.
        """
        report = yield
        if report.user_properties:
            self._name_files(report)
        if report.when == "setup":
            setattr(report, _ATTRIBUTE, self._about(item))
        return report

    def _name_files(self, report: pytest.TestReport) -> None:
        """Turn paths of files into text; when the test has ended, take their digests."""
        named = [str(value) for name, value in report.user_properties if name == _PROPERTY]
        others = [(name, value) for name, value in report.user_properties if name != _PROPERTY]
        report.user_properties = [*others, *((_PROPERTY, value) for value in named)]
        if report.when == "teardown" and named:
            setattr(report, _ATTRIBUTE, {"evidence": [_file(value, self.root) for value in dict.fromkeys(named)]})

    def _about(self, item: pytest.Item) -> dict[str, Any]:
        scenario = _scenario(item)
        about: dict[str, Any] = {"ids": _ids(item, scenario), "name": item.name, "scenario": None, "evidence": []}
        if scenario is not None:
            about["name"] = f"{scenario.feature.name}: {scenario.name}"
            about["scenario"] = {
                "path": _relative(scenario.feature.filename, self.root),
                "line": scenario.line_number,
            }
        return about


class Worker:
    """Hands the paths that a worker of pytest-xdist has loaded to the controller."""

    def __init__(self, config: pytest.Config, loaded: LoadedPaths) -> None:
        self.output: dict[str, Any] = getattr(config, "workeroutput")  # noqa: B009  pytest-xdist adds it
        self.loaded = loaded

    def pytest_sessionfinish(self) -> None:
        """Leave them where xdist takes them from."""
        self.output[_LOADED] = sorted(self.loaded.paths())


class Recorder:
    """Gathers reports and writes the results. Runs once a session, on the controller."""

    def __init__(self, path: Path, tester: str, root: Path, loaded: LoadedPaths) -> None:
        self.path = path
        self.loaded = loaded
        self.of_workers: set[str] = set()
        self.silent = 0
        """Workers that did not yet say what they loaded."""
        self.tester = tester
        self.root = root
        self.tests: dict[str, dict[str, Any]] = {}
        self.tree: str | None = None

    def pytest_sessionstart(self) -> None:
        """Forget earlier results and note what tree is about to be tested."""
        self.path.unlink(missing_ok=True)
        self.tree = _tree(self.root)
        if _in_tree(self.path, self.root):
            name = _relative(str(self.path), self.root)
            raise pytest.UsageError(f"{name} would change the tree it is about: write results into evidence/")

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self) -> None:
        """Expect what one more worker of pytest-xdist has loaded."""
        self.silent += 1

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take in what a worker has loaded; one that crashed has nothing to say."""
        told = getattr(node, "workeroutput", {}).get(_LOADED)
        if told is not None:
            self.of_workers.update(told)
            self.silent -= 1

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in one phase of one test."""
        test = self.tests.get(report.nodeid)
        if test is None:
            test = self.tests[report.nodeid] = _unknown(report.nodeid)
        test.update(getattr(report, _ATTRIBUTE, {}))
        outcome = _outcome(report)
        test["outcomes"].append((report.when, outcome))
        test["seconds"] += report.duration
        if outcome != "passed" and not test["message"]:
            test["message"] = _message(report, self.root)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Write the results, whole or not at all."""
        if exitstatus not in _COMPLETE:
            return
        from minivess.compliance.results.evidence_files import with_evidence
        from minivess.compliance.results.loaded_files import judge_loaded
        from minivess.compliance.results.platform_parts import platform_parts
        from minivess.foundation.clock import utc_now
        from minivess.foundation.errors import MinivessError
        from minivess.foundation.files import write_text_atomic
        from minivess.foundation.provenance import environment_digest, source_state
        from minivess.records.items.trace import ResultReport

        tree = _tree(self.root)
        if tree != self.tree:
            pytest.exit("the source tree changed while the tests ran: their results are of no tree", returncode=3)
        try:
            commit, dirty = source_state(self.root)
            loaded = judge_loaded(self.loaded.paths() | self.of_workers, self.root, lost=self.silent > 0)
            record = ResultReport.model_validate(
                {
                    "commit": commit,
                    "dirty": dirty,
                    "tree": tree,
                    "environment": environment_digest(self.root),
                    "parts": platform_parts(),
                    "platform": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
                    "time": utc_now(),
                    "tester": self.tester,
                    "results": [_result(test) for test in self.tests.values()],
                    "loaded": loaded,
                }
            )
            record = with_evidence(record, self.root)
            write_text_atomic(self.path, record.model_dump_json(indent=1) + "\n")
        except MinivessError as error:
            pytest.exit(f"the results could not be recorded: {error.message}", returncode=error.exit_code)


def _tree(root: Path) -> str:
    from minivess.foundation.errors import MinivessError
    from minivess.foundation.provenance import tree_digest

    try:
        return tree_digest(root)
    except MinivessError as error:
        pytest.exit(f"the source tree cannot be read: {error.message}", returncode=error.exit_code)


def _in_tree(path: Path, root: Path) -> bool:
    """Whether a file would be part of the source tree if it were there."""
    from minivess.foundation.errors import MinivessError
    from minivess.foundation.git.contents import contents_of

    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    try:
        contents = contents_of(root)
        top, real = contents.top.resolve(), path.resolve()
        return real.is_relative_to(top) and real.relative_to(top).as_posix() in contents.files
    except MinivessError as error:
        pytest.exit(f"the source tree cannot be read: {error.message}", returncode=error.exit_code)
    finally:
        path.unlink()


def _scenario(item: pytest.Item) -> Any | None:
    """The scenario template pytest-bdd bound to a test; None for a plain test."""
    module = sys.modules.get("pytest_bdd.scenario")
    function = getattr(item, "obj", None)
    if module is None or function is None:
        return None
    try:
        return module.scenario_wrapper_template_registry.get(function)
    except TypeError:  # not every callable can be weakly referred to
        return None


def _ids(item: pytest.Item, scenario: Any | None) -> list[str]:
    """Ids from `verifies` marks and from tags; tags of Examples are markers of the one example they belong to."""
    found: list[str] = []
    for marker in item.iter_markers():
        if marker.name == "verifies":
            found += [str(argument) for argument in marker.args]
        elif _ID.match(marker.name):
            found.append(marker.name)
    if scenario is not None:
        rule: Iterable[str] = scenario.rule.tags if getattr(scenario, "rule", None) else ()
        found += [tag for tag in (*scenario.tags, *scenario.feature.tags, *rule) if _ID.match(tag)]
    return sorted(set(found))


def _unknown(node: str) -> dict[str, Any]:
    """A test of which no phase was reported yet."""
    return {
        "node": node,
        "name": node,
        "ids": [],
        "scenario": None,
        "evidence": [],
        "outcomes": [],
        "seconds": 0.0,
        "message": "",
    }


def _outcome(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return "skipped" if report.outcome != "failed" else "failed"
    return report.outcome if report.outcome in {"passed", "skipped"} else "failed"


def _result(test: dict[str, Any]) -> dict[str, Any]:
    outcomes = [outcome for _, outcome in test["outcomes"]]
    phases = {phase for phase, _ in test["outcomes"]}
    if "failed" in outcomes:
        outcome = "failed"
    elif "skipped" in outcomes:
        outcome = "skipped"
    else:
        outcome = "passed" if phases == {"setup", "call", "teardown"} else "failed"
    return {
        "name": test["name"],
        "node": test["node"],
        "ids": test["ids"],
        "outcome": outcome,
        "seconds": round(test["seconds"], 6),
        "message": test["message"],
        "scenario": test["scenario"],
        "evidence": test["evidence"],
    }


def _file(named: str, root: Path) -> dict[str, str | None]:
    """A file that a test named: where it lies in the tree, and its digest; none when it is not there."""
    path, top = (root / named).resolve(), root.resolve()
    if not path.is_relative_to(top):
        return {"path": _plain(path.name), "digest": None}
    relative = _plain(path.relative_to(top).as_posix())
    try:
        with path.open("rb") as stream:
            return {"path": relative, "digest": f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"}
    except OSError:
        return {"path": relative, "digest": None}


def _plain(name: str) -> str:
    """A name as text that a record can hold."""
    return name.encode("utf-8", "replace").decode("utf-8")[:_LONGEST_PATH] or "."


def _message(report: pytest.TestReport, root: Path) -> str:
    """The first line of why a test did not pass, without folders of this machine."""
    reason = getattr(report, "wasxfail", "")
    crash = getattr(report.longrepr, "reprcrash", None)
    if reason:
        text = f"expected to fail: {reason}"
    elif isinstance(report.longrepr, tuple):
        text = str(report.longrepr[2])
    elif crash is not None:
        text = str(crash.message)
    else:
        text = str(report.longrepr or "")
    line = next((line for line in text.splitlines() if line.strip()), "")
    return _ABSOLUTE.sub("", line.replace(f"{root}/", ""))[:_MESSAGE_LENGTH]


def _relative(filename: str, root: Path) -> str:
    path = Path(filename)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
