"""Remotes: bytes go to a folder or a bucket and come back checked; troubles are one line without secrets."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from minivess.foundation.errors import (
    CouldNotCheckError,
    InputError,
    MinivessError,
    RefusedError,
    UsageError,
    VerificationError,
)
from minivess.ml.sealed.plain_copies import dvc_stores
from minivess.ml.sealed.sealing import seal
from minivess.ml.splits.splits import split
from minivess.ml.versions.data_version import TrackedFolder, add, combined, version
from minivess.ml.versions.transfer import Transferred, pull, push
from minivess.records.data.split import Split
from minivess.records.data.version import DataRemote
from tests.support.processes import at_once
from tests.support.servers import s3

pytestmark = pytest.mark.verifies("SU-61")

Progress = list[tuple[str, int, int]]


@pytest.fixture(scope="module")
def bucket() -> Iterator[s3.Server]:
    with s3.serving() as server:
        yield server


@pytest.fixture(params=["folder", "bucket"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> DataRemote:
    if request.param == "folder":
        (tmp_path / "store").mkdir()
        return DataRemote(url=str(tmp_path / "store"))
    server: s3.Server = request.getfixturevalue("bucket")
    return DataRemote(url=f"s3://store/{tmp_path.name}", endpoint=server.endpoint)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project folder with three raw files under DVC."""
    root = tmp_path / "project"
    for name, text in {"a.tif": b"a" * 3000, "b.tif": b"b" * 5000, "deeper/c.tif": b"c" * 7000}.items():
        path = root / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    add(root, Path("raw"))
    return root


def quiet(*_: object) -> None:
    """Nobody watches."""


def fetch(root: Path, remote: DataRemote) -> Transferred:
    return pull(root, remote, accept=quiet, progress=quiet)


def clone(project: Path) -> Path:
    """Another folder that has only what git would bring."""
    made = project.parent / "clone"
    made.mkdir()
    shutil.copy(project / "raw.dvc", made)
    return made


def stored(remote: DataRemote, server: s3.Server | None, data: bytes, change: bytes | None) -> None:
    """Change the object with these bytes in the remote, or remove it."""
    if server is not None and remote.on_s3:
        for key in server.objects(remote.url.removeprefix("s3://store/")):
            if server.client.get_object(Bucket="store", Key=key)["Body"].read() == data:
                if change is None:
                    server.client.delete_object(Bucket="store", Key=key)
                else:
                    server.client.put_object(Bucket="store", Key=key, Body=change)
        return
    for path in [path for path in Path(remote.url).rglob("*") if path.is_file() and path.read_bytes() == data]:
        path.chmod(0o644)
        path.unlink() if change is None else path.write_bytes(change)


@pytest.mark.verifies("REQ-096")
def test_what_was_sent_comes_back_byte_for_byte(project: Path, remote: DataRemote, capfd) -> None:
    seen: Progress = []
    sent = push(project, remote, progress=lambda *said: seen.append(said))
    assert (sent.files, [folder.name for folder in sent.folders]) == (4, ["raw"])
    assert seen[-1] == ("sending", 4, 4)
    assert push(project, remote, progress=quiet).files == 0
    made = clone(project)
    assert fetch(made, remote).files == 4
    files = {path.relative_to(project): path for path in (project / "raw").rglob("*") if path.is_file()}
    assert len(files) == 3
    assert all((made / name).read_bytes() == path.read_bytes() for name, path in files.items())
    assert capfd.readouterr() == ("", "")


@pytest.mark.verifies("REQ-248")
@pytest.mark.parametrize("name", ["a?b #c%41d, 'e' \"f\"", "größe"])
def test_projects_and_remotes_are_found_whatever_their_names(project: Path, tmp_path: Path, name: str) -> None:
    place = tmp_path / name / "project at work"
    place.parent.mkdir()
    project.rename(place)
    remote = DataRemote(url=str(tmp_path / name / "store #1"))
    Path(remote.url).mkdir()

    assert push(place, remote, progress=quiet).files == 4
    assert sum(path.is_file() for path in Path(remote.url).rglob("*")) == 4
    assert fetch(clone(place), remote).files == 4
    assert {path.name for path in place.parent.iterdir()} == {place.name, "store #1", "clone"}
    assert dvc_stores(place) == (Path(remote.url),)


@pytest.mark.verifies("REQ-248")
def test_a_remote_inside_the_project_is_found_from_any_working_folder(project: Path, monkeypatch) -> None:
    store = project / "kept" / "store"
    store.mkdir(parents=True)
    monkeypatch.chdir("/")

    assert push(project, DataRemote(url="kept/store"), progress=quiet).files == 4
    assert sum(path.is_file() for path in store.rglob("*")) == 4
    assert "url = ../kept/store" in (project / ".dvc" / "config").read_text(encoding="utf-8")


@pytest.mark.verifies("REQ-248")
@pytest.mark.parametrize("name", ["%(x)s", "größe", "a{b}"])
def test_a_remote_that_dvc_cannot_name_is_refused(project: Path, tmp_path: Path, name: str) -> None:
    far = tmp_path / name / "store"
    far.mkdir(parents=True)

    with pytest.raises(UsageError, match="cannot name the remote folder"):
        push(project, DataRemote(url=str(far)), progress=quiet)


@pytest.mark.verifies("REQ-250")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.slow
def test_processes_that_version_data_at_once_do_not_fail(tmp_path: Path) -> None:
    import dvc.repo  # noqa: F401  which each process would load

    root, count = tmp_path / "project", 8
    for number in range(count):
        (root / f"raw-{number}").mkdir(parents=True)
        (root / f"raw-{number}" / "a.tif").write_bytes(bytes([number]) * 1000)

    ended = at_once(count, lambda number: add(root, Path(f"raw-{number}")).name)

    assert [one.fault for one in ended if one.fault] == []
    assert [one.value for one in ended] == [f"raw-{number}" for number in range(count)]
    assert len(list(root.glob("raw-*.dvc"))) == count


@pytest.mark.verifies("REQ-248")
def test_a_project_folder_with_braces_is_refused(tmp_path: Path) -> None:
    (tmp_path / "{x}" / "raw").mkdir(parents=True)

    with pytest.raises(UsageError, match="braces"):
        add(tmp_path / "{x}", tmp_path / "{x}" / "raw")


@pytest.mark.verifies("REQ-096")
def test_an_interrupted_transfer_goes_on(project: Path, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    remote = DataRemote(url=str(tmp_path / "store"))
    push(project, remote, progress=quiet)
    stored(remote, None, b"b" * 5000, None)
    assert push(project, remote, progress=quiet).files == 1
    made = clone(project)
    fetch(made, remote)
    assert fetch(made, remote).files == 0
    kept = next(path for path in (made / ".dvc" / "cache").rglob("*") if path.is_file() and path.stat().st_size == 7000)
    kept.unlink()
    shutil.rmtree(made / "raw")
    assert fetch(made, remote).files == 1
    assert (made / "raw" / "deeper" / "c.tif").read_bytes() == b"c" * 7000


@pytest.mark.verifies("REQ-098")
def test_a_changed_object_is_refused_named_and_not_kept(project: Path, remote: DataRemote, bucket: s3.Server) -> None:
    push(project, remote, progress=quiet)
    stored(remote, bucket, b"c" * 7000, b"c" * 6999 + b"!")
    made = clone(project)
    with pytest.raises(VerificationError, match=r"raw/deeper/c\.tif is not what it was") as refusal:
        fetch(made, remote)
    assert refusal.value.hint
    assert not (made / "raw").exists()
    stored(remote, bucket, b"c" * 6999 + b"!", b"c" * 7000)
    assert fetch(made, remote).files == 1


@pytest.mark.verifies("REQ-098")
def test_a_changed_listing_is_refused_and_a_missing_object_named(project: Path, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    remote, bucket = DataRemote(url=str(tmp_path / "store")), None
    push(project, remote, progress=quiet)
    listing = next((project / ".dvc" / "cache").rglob("*.dir")).read_bytes()
    stored(remote, bucket, b"a" * 3000, None)
    made = clone(project)
    with pytest.raises(CouldNotCheckError, match=r"the first raw/a\.tif"):
        fetch(made, remote)
    shutil.rmtree(made / ".dvc")
    stored(remote, bucket, listing, listing.replace(b"a.tif", b"../a.tif"))
    with pytest.raises(VerificationError, match="the listing of raw was changed"):
        fetch(made, remote)
    stored(remote, bucket, listing.replace(b"a.tif", b"../a.tif"), None)
    with pytest.raises(CouldNotCheckError, match="does not hold this version of raw"):
        fetch(made, remote)


@pytest.mark.verifies("REQ-098")
def test_a_changed_cache_is_not_sent(project: Path, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    cached = next(
        path for path in (project / ".dvc" / "cache").rglob("*") if path.is_file() and path.stat().st_size == 5000
    )
    cached.chmod(0o644)
    times = cached.stat()
    cached.write_bytes(b"x" * 5000)
    os.utime(cached, ns=(times.st_atime_ns, times.st_mtime_ns))
    cached.chmod(0o444)
    with pytest.raises(VerificationError, match=r"raw/b\.tif was changed"):
        push(project, DataRemote(url=str(tmp_path / "store")), progress=quiet)
    assert not list((tmp_path / "store").rglob("*.dir"))


@pytest.mark.verifies("REQ-098")
def test_work_that_is_in_no_version_is_never_overwritten(project: Path, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    remote = DataRemote(url=str(tmp_path / "store"))
    push(project, remote, progress=quiet)
    (project / "raw" / "a.tif").write_bytes(b"corrected by hand")
    with pytest.raises(RefusedError, match=r"raw/a\.tif"):
        fetch(project, remote)
    assert (project / "raw" / "a.tif").read_bytes() == b"corrected by hand"


@pytest.mark.verifies("REQ-098")
def test_whoever_pulls_may_refuse_a_version_before_files_are_fetched(project: Path, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    remote = DataRemote(url=str(tmp_path / "store"))
    push(project, remote, progress=quiet)
    made = clone(project)

    def refuse(folders: list[TrackedFolder]) -> None:
        raise VerificationError(f"{folders[0].name} has {len(folders[0].files)} files")

    with pytest.raises(VerificationError, match="raw has 3 files"):
        pull(made, remote, accept=refuse, progress=quiet)
    assert not [path for path in (made / ".dvc" / "cache").rglob("*") if path.is_file()]


@pytest.mark.verifies("REQ-098")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"endpoint": "http://127.0.0.1:9"}, "cannot be reached"),
        ({"url": "s3://nobody-made-this/data"}, "no bucket"),
        ({"environment": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}, "no credentials"),
    ],
)
def test_troubles_with_a_bucket_are_one_line_without_secrets(
    project: Path, bucket: s3.Server, monkeypatch: pytest.MonkeyPatch, change: dict, says: str
) -> None:
    for name in change.pop("environment", ()):
        monkeypatch.delenv(name)
    remote = DataRemote(**{"url": "s3://store/troubles", "endpoint": bucket.endpoint, **change})
    for action in (lambda: push(project, remote, progress=quiet), lambda: fetch(project, remote)):
        with pytest.raises(CouldNotCheckError, match=says) as trouble:
            action()
        said = f"{trouble.value.message} {trouble.value.hint} {trouble.value.__cause__}"
        assert trouble.value.hint
        assert "\n" not in said
        assert not any(secret in said for secret in (s3.KEY, s3.SECRET, str(project)))
    assert (project / "raw" / "a.tif").read_bytes() == b"a" * 3000


@pytest.mark.verifies("REQ-098")
def test_a_client_without_rights_is_told_so(project: Path, bucket: s3.Server) -> None:
    from moto.core import set_initial_no_auth_action_count

    remote = DataRemote(url="s3://store/closed", endpoint=bucket.endpoint)
    with pytest.raises(CouldNotCheckError, match="does not let these credentials in") as trouble:
        set_initial_no_auth_action_count(0)(push)(project, remote, progress=quiet)
    assert s3.KEY not in f"{trouble.value.message} {trouble.value.hint}"


@pytest.mark.verifies("REQ-098")
def test_a_missing_mount_is_not_filled(project: Path, tmp_path: Path) -> None:
    remote = DataRemote(url=str(tmp_path / "not-mounted"))
    with pytest.raises(CouldNotCheckError, match="remote folder is not there") as trouble:
        push(project, remote, progress=quiet)
    assert str(tmp_path) not in f"{trouble.value.message}{trouble.value.hint}"
    assert not (tmp_path / "not-mounted").exists()
    with pytest.raises(UsageError, match="nothing is under DVC"):
        push(tmp_path, remote, progress=quiet)


def test_s3_without_its_extra_says_what_to_install(
    project: Path, bucket: s3.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dvc_s3", None)
    with pytest.raises(CouldNotCheckError, match="extra") as trouble:
        push(project, DataRemote(url="s3://store/x", endpoint=bucket.endpoint), progress=quiet)
    assert "minivess[s3]" in str(trouble.value.hint)


@pytest.mark.verifies("REQ-096")
@pytest.mark.parametrize(
    "said",
    [
        {"url": "s3://key:secret@store/data"},
        {"url": "s3://"},
        {"url": "https://store.example.org/data"},
        {"url": "s3://store/data?key=secret"},
        {"url": "s3://store/data", "endpoint": "https://key:secret@s3.example.org"},
        {"url": "s3://store/data", "endpoint": "http://s3.example.org"},
        {"url": "s3://store/data", "endpoint": "s3.example.org"},
        {"url": "/mnt/store", "endpoint": "https://s3.example.org"},
        {"url": "/mnt/store", "password": "secret"},
    ],
)
def test_a_remote_holds_no_secret_and_makes_sense(said: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        DataRemote.model_validate(said)


def test_a_remote_is_a_folder_or_a_bucket() -> None:
    assert DataRemote(url="/mnt/store").public_name == "folder"
    assert not DataRemote(url="../store").on_s3
    there = DataRemote(url="s3://store/data", endpoint="http://127.0.0.1:9000")
    assert (there.on_s3, there.public_name) == (True, "s3://store/data")
    assert DataRemote(url="s3://store", endpoint="https://s3.example.org").endpoint


@pytest.mark.verifies("REQ-096")
def test_only_raw_data_inside_the_project_are_added(project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for folder in (
        outside,
        project,
        Path("keystore"),
        Path("data"),
        Path("data/prepared"),
        Path("models/x"),
        Path(".dvc"),
    ):
        with pytest.raises(UsageError):
            add(project, folder)
    with pytest.raises(InputError):
        add(project, Path("absent"))
    (project / "one.tif").write_bytes(b"one")
    made = add(project, Path("one.tif"))
    assert (made.name, list(made.files), made.size) == ("one.tif", [""], 3)


@pytest.mark.verifies("REQ-097", "RC-03")
def test_sources_of_sealed_cases_leave_the_cache_and_never_reach_a_remote(workspace, tmp_path: Path) -> None:
    root: Path = workspace.root
    (root / "store").mkdir()
    remote = DataRemote(url="store")
    plan = split(workspace.manifest, Split(calibration=1, test=1))
    secret = plan.test[0]
    raw = root / "data" / "raw"
    raw.mkdir()
    rng = np.random.default_rng(0)
    for case in workspace.manifest.cases:
        for kind in ("image", "label"):
            (raw / f"{case.id}-{kind}.tif").write_bytes(rng.bytes(2000))
    sources = {(secret, kind): [raw / f"{secret}-{kind}.tif"] for kind in ("image", "label")}
    add(root, Path("data/raw"))
    seal(workspace.prepared, plan, bytes(32), workspace.sealed, wrap={"bob": "x"}, sources=sources)

    for action in (lambda: add(root, Path("data/raw")), lambda: push(root, remote, progress=quiet)):
        with pytest.raises(RefusedError, match=rf"2 plain files.*data/raw/{secret}-image\.tif") as refusal:
            action()
        assert "custodian" in str(refusal.value.hint)
    (root / "copies").mkdir()
    shutil.copy(raw / f"{secret}-image.tif", root / "copies" / "innocent.bin")
    with pytest.raises(RefusedError, match=r"copies/innocent\.bin"):
        add(root, Path("copies"))
    assert not list((root / "store").iterdir())

    custody = tmp_path.parent / f"{tmp_path.name}-custody"
    custody.mkdir()
    plain = {path.read_bytes() for paths in sources.values() for path in paths}
    for paths in sources.values():
        for path in paths:
            shutil.move(path, custody)
    (root / "copies" / "innocent.bin").unlink()
    add(root, Path("data/raw"))
    version(root, [workspace.prepared, workspace.sealed])
    push(root, remote, progress=quiet)
    kept = {
        path.read_bytes() for place in (".dvc/cache", "store") for path in (root / place).rglob("*") if path.is_file()
    }
    assert not plain & kept
    assert {path.read_bytes() for path in raw.iterdir()} <= kept


@pytest.mark.verifies("REQ-097", "RC-03")
def test_a_remote_that_holds_plain_files_of_sealed_cases_brings_none_back(workspace, tmp_path: Path) -> None:
    root: Path = workspace.root
    (root / "store").mkdir()
    remote = DataRemote(url=str(root / "store"))
    plan = split(workspace.manifest, Split(calibration=1, test=1))
    raw = root / "raw"
    raw.mkdir()
    (raw / "x.tif").write_bytes((workspace.prepared / plan.test[0] / "image.npy").read_bytes())
    add(root, Path("raw"))
    push(root, remote, progress=quiet)
    shutil.rmtree(root / ".dvc")
    shutil.rmtree(raw)
    seal(workspace.prepared, plan, bytes(32), workspace.sealed, wrap={"bob": "x"})
    with pytest.raises(RefusedError, match=r"raw/x\.tif"):
        fetch(root, remote)
    assert not raw.exists()


def test_the_digest_of_several_folders_does_not_depend_on_their_order(project: Path) -> None:
    (project / "more").mkdir()
    (project / "more" / "d.tif").write_bytes(b"d")
    folders = [add(project, Path(name)) for name in ("raw", "more")]
    assert combined(folders) == combined(folders[::-1])


def test_every_refusal_of_this_room_is_one_of_ours(project: Path, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (project / "raw.dvc").write_text("outs: [", encoding="utf-8")
    with pytest.raises(MinivessError):
        push(project, DataRemote(url=str(tmp_path / "store")), progress=quiet)
