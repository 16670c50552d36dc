"""Where each file that tests load belongs: the tree, the standard library, or a locked distribution."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from minivess.compliance.results.loaded_files import judge_loaded
from minivess.compliance.results.loading import LoadedPaths
from minivess.compliance.results.result_files import read_report
from minivess.foundation.errors import InputError
from minivess.foundation.reading.lock_file import read_sources
from minivess.records.items.loaded_files import LoadedFiles
from tests.support.installed_packages import install, lock_of_environment
from tests.support.pump_device import committed_device, copy_device, device_with_submodule
from tests.support.source_states import commit_all, git

pytestmark = pytest.mark.verifies("REQ-219", "SU-17")

COMMIT = "0123456789012345678901234567890123456789"
GIT_URL = "https://github.com/x/algo"
WHEEL = "https://example.org/wheelonly-2.0-py3-none-any.whl"
FILES = {"algo/__init__.py": "x = 1\n"}

LOCK = f"""\
version = 1
revision = 3
requires-python = ">=3.12"

[[package]]
name = "pumpseg"
source = {{ editable = "." }}

[[package]]
name = "plain"
version = "1.0"
source = {{ registry = "https://pypi.org/simple" }}

[[package]]
name = "algo"
version = "1.0"
source = {{ git = "{GIT_URL}?rev=abc#{COMMIT}" }}

[[package]]
name = "wheelonly"
version = "2.0"
source = {{ url = "{WHEEL}" }}
wheels = [{{ url = "{WHEEL}", hash = "sha256:{"0" * 64}" }}]

[[package]]
name = "local"
source = {{ directory = "../local" }}
"""


@pytest.fixture
def device(tmp_path: Path) -> Path:
    folder = copy_device(tmp_path / "device")
    (folder / "uv.lock").write_text(LOCK, encoding="utf-8")
    commit_all(folder)
    return folder


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "env" / "site-packages"
    folder.mkdir(parents=True)
    monkeypatch.syspath_prepend(str(folder))
    return folder


def judged(device: Path, *paths: Path) -> LoadedFiles:
    return judge_loaded([str(path) for path in paths], device)


def test_files_of_the_tree_and_of_the_standard_library_are_counted(device: Path) -> None:
    found = judged(device, device / "src/pumpseg/core.py", Path(json.__file__), Path(os.__file__))
    assert (found.tree, found.standard_library, found.locked, found.refused) == (1, 2, 0, ())


def test_files_of_a_submodule_are_in_the_tree(tmp_path: Path) -> None:
    device = device_with_submodule(tmp_path)
    assert judged(device, device / "src/pumpseg/core.py").tree == 1


@pytest.mark.verifies("RC-93")
def test_files_without_an_origin_are_refused_by_name(device: Path, site: Path) -> None:
    for name in ("ignored/secret.py", "../elsewhere/more.py"):
        (device / name).parent.mkdir(exist_ok=True)
        (device / name).write_text("", encoding="utf-8")
    (site / "stray.py").write_text("", encoding="utf-8")
    found = judged(device, device / "ignored/secret.py", device / "../elsewhere/more.py", site / "stray.py")
    why = "is neither in the source tree nor in an installed distribution"
    assert found.refused == (
        f"elsewhere/more.py: {why}",
        f"ignored/secret.py: {why}",
        f"site-packages/stray.py: {why}",
    )
    assert found.refusals == 3


def test_a_locked_distribution_is_counted(device: Path, site: Path) -> None:
    files = install(site, "plain", "1.0", {"plain/a.py": "", "plain/b.py": "b = 1\n"})
    found = judged(device, *files.values())
    assert (found.locked, found.refused) == (2, ())


@pytest.mark.parametrize(
    ("name", "version", "why"),
    [
        ("plain", "1.1", "plain 1.1: is version 1.1; uv.lock has 1.0"),
        ("other", "1.0", "other 1.0: is not in uv.lock"),
        ("algo", "1.0", "algo 1.0: is installed from a registry; uv.lock has git"),
        ("wheelonly", "2.0", "wheelonly 2.0: is installed from a registry; uv.lock has url"),
    ],
)
def test_a_distribution_that_is_not_the_locked_one_is_refused(
    device: Path, site: Path, name: str, version: str, why: str
) -> None:
    files = install(site, name, version, {f"{name}/a.py": ""})
    assert judged(device, *files.values()).refused == (why,)


def test_a_file_that_changed_since_it_was_installed_is_refused(device: Path, site: Path) -> None:
    files = install(site, "plain", "1.0", {"plain/a.py": "a = 1\n", "plain/b.py": ""})
    files["plain/a.py"].write_text("a = 2\n", encoding="utf-8")
    found = judged(device, *files.values())
    assert (found.locked, found.refused) == (1, ("plain 1.0: a.py: has changed since it was installed",))


def test_a_file_that_is_in_no_record_is_refused(device: Path, site: Path) -> None:
    install(site, "plain", "1.0", {"plain/a.py": ""})
    (site / "plain/added.py").write_text("", encoding="utf-8")
    [line] = judged(device, site / "plain/added.py").refused
    assert line.startswith("plain/added.py: ")


@pytest.mark.parametrize(
    ("name", "version", "origin", "why"),
    [
        ("algo", "1.0", {"url": GIT_URL, "vcs_info": {"vcs": "git", "commit_id": COMMIT}}, None),
        ("algo", "1.0", {"url": GIT_URL, "vcs_info": {"vcs": "git", "commit_id": "1" * 40}}, "another commit"),
        ("plain", "1.0", {"url": GIT_URL, "vcs_info": {"vcs": "git", "commit_id": COMMIT}}, "another commit"),
        ("wheelonly", "2.0", {"url": WHEEL, "archive_info": {}}, None),
        ("wheelonly", "2.0", {"url": WHEEL, "archive_info": {"hashes": {"sha256": "0" * 64}}}, None),
        ("wheelonly", "2.0", {"url": WHEEL, "archive_info": {"hash": "sha256=" + "1" * 64}}, "another archive"),
        ("wheelonly", "2.0", {"url": f"{WHEEL}2", "archive_info": {}}, "another archive"),
        ("plain", "1.0", {"url": WHEEL, "archive_info": {}}, "another archive"),
        ("plain", "1.0", {"url": "ftp://x"}, "an unknown place"),
    ],
)
def test_git_and_archives_are_compared_with_the_lock_file(
    device: Path, site: Path, *, name: str, version: str, origin: dict[str, Any], why: str | None
) -> None:
    found = judged(device, *install(site, name, version, FILES, origin).values())
    assert [why in line for line in found.refused] == ([] if why is None else [True])
    assert found.locked == (1 if why is None else 0)


def _local(folder: Path, *, state: str) -> Path:
    (folder / "src/local").mkdir(parents=True)
    (folder / "src/local/__init__.py").write_text("x = 1\n", encoding="utf-8")
    if state != "no repository":
        commit_all(folder)
    if state == "dirty":
        (folder / "src/local/more.py").write_text("", encoding="utf-8")
    return folder


@pytest.mark.parametrize("editable", [True, False], ids=["editable", "copied"])
@pytest.mark.parametrize(
    ("state", "why"),
    [("clean", ""), ("dirty", "has uncommitted changes"), ("no repository", "has no git repository")],
)
def test_an_installation_from_a_folder_brings_the_commit_of_that_folder(
    device: Path, site: Path, tmp_path: Path, *, editable: bool, state: str, why: str
) -> None:
    local = _local(tmp_path / "local", state=state)
    origin = {"url": local.resolve().as_uri(), "dir_info": {"editable": editable}}
    files = {} if editable else {"local/__init__.py": "x = 1\n"}
    copied = install(site, "local", "0.3", files, origin)
    found = judged(device, *(copied.values() if copied else [local / "src/local/__init__.py"]))
    if why:
        assert found.refused == (f"local 0.3: is installed from a folder that {why}",)
        assert found.path_installs == ()
    else:
        assert found.refused == ()
        assert [(one.name, one.commit) for one in found.path_installs] == [
            ("local", git(local, "rev-parse", "HEAD").strip())
        ]


def test_an_installation_that_differs_from_its_folder_is_refused(device: Path, site: Path, tmp_path: Path) -> None:
    local = _local(tmp_path / "local", state="clean")
    origin = {"url": local.resolve().as_uri(), "dir_info": {}}
    files = install(site, "local", "0.3", {"local/__init__.py": "x = 2\n"}, origin)
    assert judged(device, *files.values()).refused == (
        "local 0.3: __init__.py: differs from the folder it is installed from",
    )


def test_an_installation_from_a_folder_needs_a_line_in_the_lock_file(device: Path, site: Path, tmp_path: Path) -> None:
    local = _local(tmp_path / "local", state="clean")
    origin = {"url": local.resolve().as_uri(), "dir_info": {"editable": True}}
    install(site, "plain", "1.0", {}, origin)
    assert judged(device, local / "src/local/__init__.py").refused == (
        "plain 1.0: is installed from a folder; uv.lock has registry",
    )


def test_without_a_lock_file_no_package_is_identified(tmp_path: Path, site: Path) -> None:
    device = committed_device(tmp_path / "device")
    files = install(site, "plain", "1.0", {"plain/a.py": ""})
    assert judged(device, *files.values()).refused == (
        "uv.lock: there is none, so that an installed package cannot be identified",
    )


def test_a_process_that_ended_silently_is_refused(device: Path) -> None:
    assert judge_loaded([], device, lost=True).refused == (
        "a test process: ended without naming the files that it loaded",
    )


def test_a_malformed_lock_file_is_refused(device: Path) -> None:
    (device / "uv.lock").write_text("[[package]]\nname = 'x'\n", encoding="utf-8")
    with pytest.raises(InputError, match=re.escape("not a uv lock file")):
        read_sources(device / "uv.lock")


def test_the_hook_notes_code_and_not_files_that_are_only_read(tmp_path: Path) -> None:
    program = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from minivess.compliance.results.loading import LoadedPaths\n"
        "paths = LoadedPaths(); paths.begin()\n"
        "folder = Path(sys.argv[1]); sys.path.insert(0, str(folder)); sys.dont_write_bytecode = True\n"
        "import imported; del sys.modules['imported']\n"
        "exec(compile((folder / 'run.py').read_text(), str(folder / 'run.py'), 'exec'))\n"
        "(folder / 'read.py').read_text(); exec('x = 1')\n"
        "print(json.dumps(sorted(Path(p).name for p in paths.paths() if p.startswith(str(folder)))))\n"
        "print(any(p.endswith('.so') for p in paths.paths()), all(Path(p).is_absolute() for p in paths.paths()))\n"
    )
    for name in ("imported.py", "run.py", "read.py"):
        (tmp_path / name).write_text("y = 1\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", f"import _ctypes\n{program}", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.splitlines() == ['["imported.py", "run.py"]', "True True"]
    assert LoadedPaths().paths() >= {str(Path(__file__).absolute())}


_PLUGINS = ["pytest_bdd.plugin", "xdist.plugin", "minivess.compliance.results.pytest_plugin"]


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_session_records_what_its_processes_loaded(tmp_path: Path, options: tuple[str, ...]) -> None:
    device = copy_device(tmp_path / "device")
    (device / "uv.lock").write_text(lock_of_environment("pumpseg"), encoding="utf-8")
    core = device / "src/pumpseg/core.py"
    core.write_text(core.read_text(encoding="utf-8") + "\nfrom ignored import secret  # noqa\n", encoding="utf-8")
    (device / "ignored").mkdir()
    (device / "ignored/secret.py").write_text("", encoding="utf-8")
    commit_all(device)
    plugins = [part for name in _PLUGINS for part in ("-p", name)]
    recorded = ["--evidence-results", "evidence/r.json", "--evidence-tester", "Ada", "-o", "pythonpath=src ."]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugins, *recorded, *options],
        cwd=device,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    loaded = read_report(device / "evidence/r.json").loaded
    assert loaded is not None
    assert loaded.runner == "pytest"
    assert loaded.tree == 3, "the test, the package and its module"
    assert min(loaded.standard_library, loaded.locked) > 50
    others = [line for line in loaded.refused if not line.startswith("minivess ")]
    assert others == ["ignored/secret.py: is neither in the source tree nor in an installed distribution"]


@pytest.mark.verifies("REQ-263")
@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("plain==1.0", ()),
        ("plain==2.0", ("plain 1.0: is version 1.0; requirements.txt has 2.0",)),
        ("other==1.0", ("plain 1.0: is not in requirements.txt",)),
        ("plain>=1.0", ("requirements.txt: plain has no exact version",)),
    ],
)
def test_without_uv_the_requirements_decide(device: Path, site: Path, line: str, refused: tuple[str, ...]) -> None:
    (device / "uv.lock").unlink()
    (device / "requirements.txt").write_text(f"{line}\n", encoding="utf-8")
    install(site, "plain", "1.0", {"plain/a.py": ""})
    assert judged(device, site / "plain/a.py").refused == refused
