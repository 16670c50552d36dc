"""Steps of features/data_splits.feature."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from PIL import Image
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.main import app
from minivess.foundation.errors import RefusedError
from minivess.ml.quality.duplicates import near_duplicates
from minivess.ml.quality.duplicates.candidates import candidates
from minivess.ml.quality.duplicates.common_structure import without_common
from minivess.ml.quality.duplicates.image_registration import align, flatten, place
from minivess.ml.quality.duplicates.near_duplicates import find
from minivess.ml.quality.duplicates.spectra import fingerprints
from minivess.ml.quality.duplicates.views import views
from minivess.records.data.split import Part, SplitManifest
from minivess.records.device.workspace_files import NEAR_DUPLICATES, SPLIT
from minivess.records.log.entry import Outcome
from minivess.workflows.data import card, ingestion, sealing, splits, splitting, validation
from minivess.workflows.session import workspace_files
from tests.support.lazy_modules import lazily
from tests.support.projects import PASSPHRASE, ProjectFolder, start, write_tiny_tree

with lazily("scipy"):
    from scipy import ndimage

scenarios("data_splits.feature")

SIDE = 160


def scene(seed: int, shape: tuple[int, ...] = (SIDE, SIDE)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    total = sum(ndimage.gaussian_filter(rng.normal(size=shape), sigma) * sigma for sigma in (1.5, 3.0, 6.0))
    return np.rint(200 * (total - total.min()) / np.ptp(total)).astype(np.uint8)


def jpeg(image: np.ndarray) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=50)
    return np.array(Image.open(stream))


CHANGES = {
    "shifted by a tenth of the width": lambda image: np.pad(image, ((0, 0), (SIDE // 10, 0)))[:, :SIDE],
    "cropped to 80 % at a corner": lambda image: image[: SIDE * 4 // 5, SIDE // 5 :],
    "cropped to 80 % and enlarged": lambda image: ndimage.zoom(image[16:144, 16:144].astype(float), 1.25, order=1),
    "compressed as JPEG of quality 50": jpeg,
    "brightened": lambda image: np.minimum(1.2 * image + 15.0, 255),
    "changed in gamma": lambda image: 255 * (image / 255.0) ** 1.8,
    "lightly noised": lambda image: image + np.random.default_rng(3).normal(0, 6, image.shape),
    "turned by 90°": np.rot90,
    "mirrored": lambda image: image[:, ::-1],
}


@pytest.fixture
def facts() -> dict[str, Any]:
    """What the steps of one scenario tell each other."""
    return {}


@given("8 different images of one kind")
def _images(facts: dict) -> None:
    facts["images"] = [(f"image-{number}", scene(number)) for number in range(8)]


@when(parsers.parse("a copy of one of them is {changed}"))
def _copy(facts: dict, changed: str) -> None:
    copy = CHANGES[changed](facts["images"][3][1])
    facts["found"] = find((name, np.asarray(image, np.float32)) for name, image in [*facts["images"], ("copy", copy)])


@then(parsers.parse("exactly this pair is reported, as {kind}"))
def _pair(facts: dict, kind: str) -> None:
    assert [(pair.cases, pair.kind.value) for pair in facts["found"]] == [(("image-3", "copy"), kind)]
    assert facts["found"][0].score > 0.8


def put(root: Path, name: str, subject: str, image: np.ndarray) -> dict[str, Any]:
    """An image with a mask as files, and its line of the project file."""
    np.save(root / f"{name}.npy", image)
    np.save(root / f"{name}-mask.npy", (image > 130).astype(np.uint8))
    files = {"image": f"{name}.npy", "label": f"{name}-mask.npy"}
    return {"id": name, "subject": subject, "spacing": "2.0 x 1.0 x 1.0 um"} | files


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> ProjectFolder:
    """Six volumes, of which `copy` was cut from `original` and `twice` is of the same subject as `once`; validated."""
    folder = tmp_path_factory.mktemp("splits")
    made = start(folder / "project", source=write_tiny_tree(folder / "tree"))
    files = made.workspace.root / "files"
    files.mkdir()
    shape = (12, 80, 80)
    volumes = {name: scene(number, shape) for number, name in enumerate(("original", "once", "twice", "v4", "v5"))}
    volumes["copy"] = volumes["original"][:, 8:76, 4:72]
    cases = [put(files, name, "s-once" if name == "twice" else f"s-{name}", image) for name, image in volumes.items()]
    plain = yaml.safe_load(made.workspace.project_file.read_text(encoding="utf-8"))
    plain["data"] = {"name": "six", "licence": "CC0", "source": "the generator", "root": "files", "cases": cases}
    made.workspace.project_file.write_text(yaml.safe_dump(plain), encoding="utf-8")
    with made.services() as services:
        ingestion.ingest(services, made.signers["ada"])
        validation.validate(services, made.signers["ada"])
    return made


@pytest.fixture(scope="module")
def locked(ready: ProjectFolder, tmp_path_factory: pytest.TempPathFactory) -> tuple[ProjectFolder, SplitManifest]:
    """The same project after its split was locked, and the split."""
    made = ready.copy_to(tmp_path_factory.mktemp("locked") / "project")
    plan(made, {"calibration": 1, "test": 1, "seed": 1})
    with made.services() as services:
        return made, splitting.split(services, made.signers["ada"])


def plan(made: ProjectFolder, split: dict[str, Any]) -> None:
    plain = yaml.safe_load(made.workspace.project_file.read_text(encoding="utf-8"))
    made.workspace.project_file.write_text(yaml.safe_dump(plain | {"split": split}), encoding="utf-8")


def try_to_split(facts: dict[str, Any]) -> None:
    made: ProjectFolder = facts["project"]
    with made.services() as services:
        try:
            facts["split"] = splitting.split(services, made.signers["ada"])
        except RefusedError as error:
            facts["error"] = error


@given("a project in which an image of one subject is a cropped copy of another subject's")
def _leaking(facts: dict, ready: ProjectFolder, tmp_path: Path) -> None:
    facts["project"] = ready.copy_to(tmp_path / "project")
    plan(facts["project"], {"calibration": 1, "test": 1})


@when("the split is drawn")
def _drawn(facts: dict) -> None:
    try_to_split(facts)


@then("both cases are in one part")
def _together(facts: dict) -> None:
    place = {case: part for part in Part for case in facts["split"].part(part)}
    assert place["original"] is place["copy"]


@then("the split names the pair")
def _named(facts: dict) -> None:
    assert [set(pair.cases) for pair in facts["split"].near] == [{"original", "copy"}]


@when("the plan names the two subjects for different parts")
def _apart(facts: dict) -> None:
    plan(facts["project"], {"calibration": ["s-original"], "test": ["s-copy"]})
    try_to_split(facts)


@then("the split is refused and both cases are named")
def _refused(facts: dict) -> None:
    assert "copy (test) and original (calibration) show the same structure (cropped" in facts["error"].message


@then("the page of leaks shows both pictures")
def _page(facts: dict) -> None:
    page = (facts["project"].workspace.data / "leakage.html").read_text(encoding="utf-8")
    assert page.count('<img class="picture" src="data:image/png;base64,') == 2
    assert "http" not in page.split("</style>")[1]


@when("a published split puts the copies and two cases of one subject apart")
def _published(facts: dict) -> None:
    rows = {"original": "train", "copy": "test", "once": "train", "twice": "val", "v4": "train", "v5": "test"}
    text = "case,part\n" + "".join(f"{case},{part}\n" for case, part in rows.items())
    (facts["project"].workspace.root / "published.csv").write_text(text, encoding="utf-8")
    plan(facts["project"], {"published": "published.csv"})
    try_to_split(facts)


@then("the split is refused and both pairs are named")
def _both(facts: dict) -> None:
    message = facts["error"].message
    assert "copy (test) and original (train) show the same structure" in message
    assert "once (train) and twice (calibration) share subject s-once" in message


@given("a project whose split is locked")
def _locked(facts: dict, locked: tuple[ProjectFolder, SplitManifest], tmp_path: Path) -> None:
    facts["project"] = locked[0].copy_to(tmp_path / "project")
    facts["first"] = locked[1]


@when("the split is made again by the same plan")
def _again(facts: dict) -> None:
    try_to_split(facts)


@then("it is the same split")
def _same(facts: dict) -> None:
    assert facts["split"] == facts["first"]


@when("the plan gets another seed and the split is made again")
def _seed(facts: dict) -> None:
    plan(facts["project"], {"calibration": 1, "test": 1, "seed": 2})
    try_to_split(facts)


@when("a case is moved to another part by hand and the data are sealed")
def _by_hand(facts: dict) -> None:
    made: ProjectFolder = facts["project"]
    first = facts["first"]
    moved = first.model_copy(update={"train": first.train[1:], "test": (*first.test, first.train[0])})
    workspace_files.write_json(made.workspace, SPLIT, moved)
    with made.services() as services, pytest.raises(RefusedError) as caught:
        sealing.seal(services, made.signers["ada"])
    facts["error"] = caught.value


@then(parsers.parse('it is refused because "{reason}"'))
def _because(facts: dict, reason: str) -> None:
    assert reason in facts["error"].message


@then("the refusal is an entry of the log")
def _entry(facts: dict) -> None:
    with facts["project"].services() as services:
        last = list(services.log.entries())[-1].body
    assert (last.action, last.outcome) == ("data.split", Outcome.REFUSED)


@when("`data split --preview` is run")
def _preview(facts: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    plan(facts["project"], {"calibration": 1, "test": 1, "folds": 2, "stratify_by": ["foreground"]})
    monkeypatch.setenv("MINIVESS_PASSPHRASE_LOG", PASSPHRASE)
    root = str(facts["project"].workspace.root)
    facts["done"] = CliRunner().invoke(app, ["--project", root, "data", "split", "--preview"])


@then("a table says how many subjects and cases every part and fold holds")
def _table(facts: dict) -> None:
    done = facts["done"]
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[0][:5] == ["part", "groups", "subjects", "cases", "foreground"]
    assert [row[0] for row in rows[2:]] == ["train", "calibration", "test", "fold", "fold"]
    assert sum(int(row[3]) for row in rows[2:5]) == 6
    assert "stay together: cropped" in done.stderr


@then("the log has no entry of a split")
def _nothing(facts: dict) -> None:
    with facts["project"].services() as services:
        assert "data.split" not in {entry.body.action for entry in services.log.entries()}
    assert not (facts["project"].workspace.root / SPLIT).exists()


@given("a project whose split is locked and whose test part is sealed")
def _sealed(facts: dict, ready: ProjectFolder, tmp_path: Path) -> None:
    made = facts["project"] = ready.copy_to(tmp_path / "project")
    plan(made, {"calibration": ["s-v4"], "test": ["s-original", "s-copy"]})
    with made.services() as services:
        splitting.split(services, made.signers["ada"])
        assert (made.workspace.data / "leakage.html").is_file()
        for name in ("original", "copy"):  # sealing refuses while plain sources lie in the workspace
            for path in (made.workspace.root / "files").glob(f"{name}*"):
                path.unlink()
        sealing.seal(services, made.signers["ada"])
    assert not (made.workspace.data / "leakage.html").exists()


@when("the guard is run")
def _guard(facts: dict) -> None:
    made: ProjectFolder = facts["project"]
    with made.services() as services:
        facts["report"] = splits.leakage(services, made.signers["ada"])


@then("it finds no leak, and the copies that stay together")
def _no_leak(facts: dict) -> None:
    report = facts["report"]
    assert not report.blocked
    assert [leak.cases for leak in report.within] == [("copy", "original")]


@then("its page shows no picture of a sealed case")
def _no_picture(facts: dict) -> None:
    page = (facts["project"].workspace.data / "leakage.html").read_text(encoding="utf-8")
    assert "original" in page
    assert "data:image" not in page


STATED = "a phantom was imaged twice"


@when("the project states that the copies are none, and a published split puts only them apart")
def _stated(facts: dict) -> None:
    rows = {"original": "train", "copy": "test", "once": "train", "twice": "train", "v4": "train", "v5": "val"}
    text = "case,part\n" + "".join(f"{case},{part}\n" for case, part in rows.items())
    (facts["project"].workspace.root / "published.csv").write_text(text, encoding="utf-8")
    plan(facts["project"], {"published": "published.csv", "not_copies": [["copy", "original", STATED]]})
    try_to_split(facts)


@then("the split is locked and contains the statement with its reason")
def _contains(facts: dict) -> None:
    made: SplitManifest = facts["split"]
    assert made.near == ()
    (pair,) = made.not_copies
    assert (set(pair.cases), pair.reason) == ({"original", "copy"}, STATED)
    assert pair.found is not None
    assert pair.found.kind.value == "cropped"


@then("the guard, its page, the entry and the validation show the statement")
def _shown(facts: dict) -> None:
    made: ProjectFolder = facts["project"]
    with made.services() as services:
        entry = [one for one in services.log.entries() if one.body.action == "data.split"][-1]
        details = services.log.details(entry.body.index)
        report = splits.leakage(services, made.signers["ada"])
        found = validation.validate(services, made.signers["ada"])
    assert details is not None
    assert details.payload["not_copies"] == 1
    assert not report.blocked
    assert report.not_copies == facts["split"].not_copies
    assert STATED in (made.workspace.data / "leakage.html").read_text(encoding="utf-8")
    (finding,) = [one for one in found.findings if one.rule == "near-duplicate"]
    assert f"stated to be no copy ({STATED})" in finding.message


@then("the data card shows the statement")
def _on_the_card(facts: dict) -> None:
    made: ProjectFolder = facts["project"]
    with made.services() as services:
        written = card.write_card(services, made.signers["ada"])
    assert [(one.stated, one.reason) for one in written.exceptions] == [("no copies", STATED)]
    assert STATED in (made.workspace.data / "card.html").read_text(encoding="utf-8")


@when("the project states that v4 and v5 show the same object, and names them for different parts")
def _stated_same(facts: dict) -> None:
    same = [["v4", "v5", "one eye, two devices"]]
    plan(facts["project"], {"calibration": ["s-v4"], "test": ["s-v5"], "same": same})
    try_to_split(facts)


def watched(facts: dict[str, Any], *steps: str) -> None:
    """Do steps, and note in `facts` how many images are compared."""
    made: ProjectFolder = facts["project"]
    facts["compared"] = 0

    def hear(what: str, _done: int, _total: int) -> None:
        facts["compared"] += what == "fingerprints"

    with made.services() as opened:
        services = replace(opened, progress=hear)
        for step in steps:
            if step == "preview":
                splitting.propose(services)
            else:
                act = {"validate": validation.validate, "split": splitting.split, "guard": splits.leakage}[step]
                facts[step] = act(services, made.signers["ada"])


@when("the cases are validated again, the split is previewed and drawn, and the guard is run")
def _once(facts: dict) -> None:
    watched(facts, "validate", "preview", "split", "guard")


@then("no image was searched again, and the split names the pair")
def _not_again(facts: dict) -> None:
    assert facts["compared"] == 0
    _named(facts)
    assert [set(leak.cases) for leak in facts["guard"].within] == [{"original", "copy"}]


@when("the pair is removed from the kept search and the split is drawn")
def _changed(facts: dict) -> None:
    path = facts["project"].workspace.root / NEAR_DUPLICATES
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert len(kept["pairs"]) == 1
    path.write_text(json.dumps(kept | {"pairs": []}), encoding="utf-8")
    watched(facts, "split")


@then("the images were searched again, and the split names the pair")
def _again_named(facts: dict) -> None:
    assert facts["compared"] == 6
    _named(facts)


def round_field(seed: int) -> np.ndarray:
    """A picture of a round field with a notch, a bright disc and a black border, all of them the same in each."""
    rows, columns = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    field = (np.hypot(rows, columns) < SIDE * 0.47) & ~((np.abs(rows) < SIDE * 0.06) & (columns < -SIDE * 0.4))
    disc = 60 * np.exp(-((rows + 5) ** 2 + (columns - 30) ** 2) / 150)
    return np.where(field, 40 + 0.5 * scene(seed) + disc, 0).astype(np.float32)


def tilted(image: np.ndarray, angle: float, scale: float) -> np.ndarray:
    """Turned by degrees against the clock and scaled about the centre, on as many pixels; 0 outside."""
    turn = np.deg2rad(angle)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) / scale
    centre = (np.array(image.shape) - 1) / 2
    return ndimage.affine_transform(image, matrix, centre - matrix @ centre, order=1)


@given(parsers.parse("{count:d} pictures with the same round field, notch and border"))
def _round(facts: dict, count: int) -> None:
    facts["images"] = [(f"image-{number}", round_field(number)) for number in range(count)]


@when("each of two of them gets a copy, turned by 6° and by 13° and scaled by 8 %")
def _tilted_copies(facts: dict) -> None:
    one, other = (facts["images"][number][1] for number in (2, 7))
    copies = [("first-copy", tilted(one, 6, 1 / 1.08)), ("second-copy", tilted(other, -13, 1.08))]
    facts["found"] = find([*facts["images"], *copies])


@then("exactly these two pairs are reported, with the angles")
def _two_pairs(facts: dict) -> None:
    found = facts["found"]
    assert [pair.cases for pair in found] == [("image-2", "first-copy"), ("image-7", "second-copy")]
    assert all(pair.score > 0.8 and pair.kind.value == "turned" for pair in found)
    angles = [abs(float(pair.detail.partition("turned by ")[2].partition("°")[0])) for pair in found]
    assert angles == pytest.approx([6, 13], abs=0.5)


@given("6 different volumes")
def _volumes(facts: dict) -> None:
    facts["images"] = [(f"volume-{number}", scene(number, (12, 80, 80)).astype(np.float32)) for number in range(6)]


@when("one of them gets a copy that is turned by 9° about the first axis")
def _tilted_volume(facts: dict) -> None:
    copy = np.stack([tilted(plane, 9, 1.0) for plane in facts["images"][4][1]])
    facts["found"] = find([*facts["images"], ("copy", copy)])


@then("exactly this pair is reported, with the angle")
def _volume_pair(facts: dict) -> None:
    (pair,) = facts["found"]
    assert pair.cases == ("volume-4", "copy")
    assert abs(float(pair.detail.partition("turned by ")[2].partition("°")[0])) == pytest.approx(9, abs=0.7)


@given("20 different images, and a turned and a cropped copy of each")
def _many(facts: dict) -> None:
    images = [scene(number, (96, 96)).astype(np.float32) for number in range(20)]
    turned = [tilted(image, 2 * number - 15, 0.9 + number / 100) for number, image in enumerate(images)]
    facts["images"] = [*images, *turned, *(image[:80, 16:] for image in images)]


@when("each image is compared with a short list of 6 of the 60")
def _listed(facts: dict) -> None:
    prints = [np.stack([fingerprints(view.grey) for view in views(image)]) for image in facts["images"]]
    facts["pairs"] = set(candidates(prints, few=10, listed=6))


@then("at least 95 % of the copies are candidates, and at most a third of all pairs")
def _among(facts: dict) -> None:
    copies = {(number, number + more) for number in range(20) for more in (20, 40)}
    assert len(copies & facts["pairs"]) >= 38
    assert len(facts["pairs"]) <= 60 * 59 / 2 / 3


@given("a project of six pictures of the eyes of three children, paired by name")
def _eyes(facts: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = facts["project"] = start(tmp_path / "project", source=write_tiny_tree(tmp_path / "tree"))
    for number in range(6):
        image = scene(number, (48, 48))
        for kind, array in (("i", image), ("l", (image > 130).astype(np.uint8))):
            path = made.workspace.root / "files" / kind / f"Image_0{number // 2 + 1}{'LR'[number % 2]}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, array)
    plain = yaml.safe_load(made.workspace.project_file.read_text(encoding="utf-8"))
    plain["data"] = {"name": "eyes", "licence": "CC0", "source": "a test", "root": "files"}
    plain["data"]["pairs"] = {"images": "i/*", "labels": "l/*"}
    plain["data"]["rules"] = {"capability-patch": {"severity": "warning", "reason": "only split here"}}
    plain["split"] = {"calibration": 1, "test": 1}
    del plain["evaluation"]["tolerance"]
    made.workspace.project_file.write_text(yaml.safe_dump(plain), encoding="utf-8")
    for who in ("LOG", "ADA"):
        monkeypatch.setenv(f"MINIVESS_PASSPHRASE_{who}", PASSPHRASE)


@when("the project states that the number in the name is the subject")
def _states(facts: dict) -> None:
    made: ProjectFolder = facts["project"]
    plain = yaml.safe_load(made.workspace.project_file.read_text(encoding="utf-8"))
    plain["data"]["subject_from"] = "^Image_([0-9]+)[LR]$"
    made.workspace.project_file.write_text(yaml.safe_dump(plain), encoding="utf-8")


@when("the pictures are ingested and the split is previewed")
def _ingest_and_preview(facts: dict) -> None:
    root = str(facts["project"].workspace.root)
    ran = (["data", "ingest", "--as", "ada"], ["data", "split", "--preview", "--json"])
    facts["ran"] = [CliRunner().invoke(app, ["--project", root, *arguments]) for arguments in ran]
    for done in facts["ran"]:
        assert done.exit_code == 0, done.output


@then("both commands warn that every case is its own subject")
def _warned(facts: dict) -> None:
    for done in facts["ran"]:
        assert "warning: every case is its own subject (6 cases)" in done.stderr


@then("neither command warns, and both eyes of each child are in one part")
def _kept_together(facts: dict) -> None:
    for done in facts["ran"]:
        assert "its own subject" not in done.stderr
    parts = json.loads(facts["ran"][1].stdout)
    for part in ("train", "calibration", "test"):
        assert sorted(parts[part]) == [
            f"Image_{child}{eye}" for child in sorted({n[6:8] for n in parts[part]}) for eye in "LR"
        ]


@given("40 pictures with one disc and 40 copies of one picture")
def _with_disc(facts: dict) -> None:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    disc = 300 * ((np.hypot(rows - 60, columns - 90) < 12) - 0.5)
    facts["sets"] = [[views(scene(number) + disc) for number in range(40)], [views(scene(0))] * 40]


@when("what each set has in common is left out")
def _left_out(facts: dict) -> None:
    facts["left"] = [without_common(one) for one in facts["sets"]]


@then("the place of the disc is empty, the rest is as before, and the copies are as before")
def _empty(facts: dict) -> None:
    with_disc, copies = facts["sets"]
    for before, after in zip(with_disc, facts["left"][0], strict=True):
        flat, kept = before[0].flat, after[0].flat
        empty = (kept == 0) & (flat != 0)
        assert np.array_equal(kept[~empty], flat[~empty])
        rows, columns = np.nonzero(empty)
        distance = np.hypot(rows - 60 * 128 / SIDE, columns - 90 * 128 / SIDE)
        assert distance.max() < 24
        assert np.count_nonzero(empty) > 200
    assert facts["left"][1] == copies


def coarse(seed: int) -> np.ndarray:
    """A flattened frame with few details: of broad blobs."""
    blobs = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(128, 128)), 6)
    return flatten((100 * blobs / blobs.std()).astype(np.float32), 1.0, 6.0)


@given("two pictures with few details that are the same in three fifths")
def _logo(facts: dict) -> None:
    first, second = coarse(1), coarse(2)
    second[:77] = first[:77]
    facts["frames"] = first, second


@when("they are laid on each other")
def _laid(facts: dict) -> None:
    first, second = facts["frames"]
    facts["fits"] = [align(first, one, place(first, one, 0.0, 0, 1.0)) for one in (second, 0.9 * first)]


@then("the fit has no evidence, and that of a copy of the whole has")
def _whole(facts: dict) -> None:
    partly, whole = facts["fits"]
    assert partly is not None
    assert whole is not None
    assert partly.score > 0.8
    assert partly.evidence == 0
    assert whole.evidence > 12


@when("each of two of them gets a copy, and the search uses processes")
def _with_processes(facts: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = [(f"copy-{number}", tilted(facts["images"][number][1], 8, 1.05)) for number in (1, 3)]
    facts["one process"] = find([*facts["images"], *copies])
    monkeypatch.setattr(near_duplicates, "_WORTH_A_POOL", 4)
    facts["found"] = find([*facts["images"], *copies])


@then("the pairs are those of a search in one process")
def _same_pairs(facts: dict) -> None:
    assert facts["found"] == facts["one process"]
    assert [pair.cases for pair in facts["found"]] == [("image-1", "copy-1"), ("image-3", "copy-3")]


@when("the sealed manifest is removed, the source files are put back, a subject is renamed, and the cases are ingested")
def _other_subject(facts: dict, ready: ProjectFolder) -> None:
    made: ProjectFolder = facts["project"]
    shutil.copytree(ready.workspace.root / "files", made.workspace.root / "files", dirs_exist_ok=True)
    shutil.rmtree(made.workspace.sealed)
    plain = yaml.safe_load(made.workspace.project_file.read_text(encoding="utf-8"))
    next(one for one in plain["data"]["cases"] if one["id"] == "twice")["subject"] = "s-twice"
    made.workspace.project_file.write_text(yaml.safe_dump(plain), encoding="utf-8")
    with made.services() as services:
        ingestion.ingest(services, made.signers["ada"])
        with pytest.raises(RefusedError) as caught:
            splitting.split(services, made.signers["ada"])
    facts["error"] = caught.value


@then(parsers.parse('the split is refused because "{reason}"'))
def _split_refused(facts: dict, reason: str) -> None:
    assert reason in facts["error"].message
