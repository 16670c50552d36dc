"""Steps of features/augmentation.feature."""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
import pytest
from PIL import Image as Pictures
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.foundation.errors import InputError
from minivess.foundation.paths import templates_folder
from minivess.ml.augmentation.patches import Image, Label, Patches
from minivess.ml.augmentation.picture import GAP, OUTLINES, augmentation_picture
from minivess.ml.augmentation.registry import Augmenter, NamedChange, Sometimes, augmenter_of
from minivess.records.device.project import Project
from minivess.records.models.training import Augmentation, ChangeName
from minivess.workflows.session.project_file import load_project

scenarios("augmentation.feature")

KINDS = {
    "a picture": ((24, 24), None),
    "a volume": ((16, 16, 16), (1.0, 1.0, 1.0)),
    "a volume with thick slices": ((6, 24, 24), (5.0, 1.0, 1.0)),
}


class Marked(NamedTuple):
    """A case as large as its patch: a ball away from the middle."""

    image: Image
    label: Label
    spacing: tuple[float, ...] | None

    def cut(self, augmenter: Augmenter, *, seed: int, step: int, index: int) -> Patches:
        rng = np.random.default_rng([seed, 0x7A7C4, step, index])
        return augmenter(rng, self.image, self.label, [0] * self.label.ndim)


def names(text: str) -> list[str]:
    return re.split(", | and ", text)


def always(marked: Marked, named: list[str]) -> Augmenter:
    """These changes of the strength `strong`, made every time."""
    without = tuple(name for name in get_args(ChangeName) if name not in named)
    whole = augmenter_of(Augmentation(strength="strong", without=without), marked.label.shape, marked.spacing)
    assert sorted(whole.names) == sorted(named)

    def surely(draw):
        return draw._replace(probability=1.0) if draw.probability else draw

    spatial = {name: surely(getattr(whole.spatial, name)) for name in ("rotation", "scale", "elastic")}
    changes = [
        NamedChange(name, replace(change, draw=surely(change.draw)) if isinstance(change, Sometimes) else change)
        for name, change in whole.changes
    ]
    return Augmenter(replace(whole.spatial, **spatial), tuple(changes))


@given(
    parsers.re(r"(?P<kind>a picture|a volume|a volume with thick slices) whose image is its mask"),
    target_fixture="marked",
)
def marked(kind: str) -> Marked:
    shape, spacing = KINDS[kind]
    places = np.meshgrid(*[np.arange(side) / side for side in shape], indexing="ij")
    label = (sum((place - 0.4) ** 2 for place in places) < 0.25**2).astype(np.uint8)
    return Marked(label[np.newaxis].astype(np.float32), label, spacing)


@when(parsers.parse("{count:d} patches are cut with the changes {changes}"), target_fixture="patches")
def cut(marked: Marked, count: int, changes: str) -> list[Patches]:
    augmenter = always(marked, names(changes))
    return [marked.cut(augmenter, seed=0, step=1, index=number) for number in range(count)]


@then("each patch differs from the place that it was cut from")
def differs(marked: Marked, patches: list[Patches]) -> None:
    assert all(not np.array_equal(image, marked.image) for image, _ in patches)


@then("the image of each patch is its mask")
def its_mask(patches: list[Patches]) -> None:
    """Where interpolation does not mix background and structure."""
    for image, mask in patches:
        assert mask.any()
        assert (mask[image[0] > 0.9] == 1).all()
        assert (mask[image[0] < 0.1] == 0).all()


@then("the mask of each patch is that of its place")
def the_mask(marked: Marked, patches: list[Patches]) -> None:
    assert all(np.array_equal(mask, marked.label) for _, mask in patches)


def drawn(marked: Marked, step: int) -> tuple[bytes, bytes]:
    augmenter = augmenter_of(Augmentation(strength="strong"), marked.label.shape, marked.spacing)
    image, mask = marked.cut(augmenter, seed=3, step=step, index=1)
    return image.tobytes(), mask.tobytes()


@when("the patch of seed 3, step 120 and number 1 is cut in one process, and again in another", target_fixture="both")
def twice(marked: Marked) -> list[tuple[bytes, bytes]]:
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return [drawn(marked, 120), pool.apply(drawn, (marked, 120))]


@then("both patches are the same, byte for byte")
def same(both: list[tuple[bytes, bytes]]) -> None:
    assert both[0] == both[1]


@then("the patch of seed 3, step 121 and number 1 is another")
def another(marked: Marked, both: list[tuple[bytes, bytes]]) -> None:
    assert drawn(marked, 121) != both[0]


@given(parsers.parse("a project file that leaves out {named}"), target_fixture="folder")
def project_file(tmp_path: Path, named: str) -> Path:
    text = (templates_folder() / "project" / "minivess.yaml").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("training:"))
    changed = line.replace("}", f", augmentation: {{without: [{named}]}}}}")
    (tmp_path / "minivess.yaml").write_text(text.replace(line, changed), encoding="utf-8")
    return tmp_path


@when("the project file is read", target_fixture="read")
def read(folder: Path) -> Callable[[], Project]:
    return lambda: load_project(folder)


@then(parsers.parse('it is refused with "{message}" and the hint "{hint}"'))
def refused(read: Callable[[], Project], message: str, hint: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read()
    assert caught.value.hint == hint


@then(parsers.parse("training makes {changes}"))
def makes(read: Callable[[], Project], changes: str) -> None:
    assert sorted(augmenter_of(read().training.augmentation, (8, 8, 8)).names) == sorted(names(changes))


@when("a picture of its augmented patches is made", target_fixture="picture")
def draw(marked: Marked, tmp_path: Path) -> np.ndarray:
    augmenter = augmenter_of(Augmentation(strength="medium"), marked.label.shape, marked.spacing)
    patches = (marked.cut(augmenter, seed=0, step=1, index=number) for number in range(99))
    augmentation_picture(patches, tmp_path / "augmentation.png")
    with Pictures.open(tmp_path / "augmentation.png") as picture:
        return np.asarray(picture.convert("RGB"))


@then("the picture has four rows of four patches")
def rows(picture: np.ndarray) -> None:
    assert (picture[:, 192 : 192 + GAP] == 255).all()
    assert picture.shape == (4 * 192 + 3 * GAP, 4 * 192 + 3 * GAP, 3)


@then("each patch of it has an outline")
def outlined(picture: np.ndarray) -> None:
    outline = (picture == OUTLINES[0]).all(axis=-1)
    for row in range(4):
        for column in range(4):
            top, left = row * (192 + GAP), column * (192 + GAP)
            assert outline[top : top + 192, left : left + 192].any(), (row, column)
