"""Generated pictures: a slab of tissue seen along z, grey or in colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minivess.foundation.errors import UsageError
from minivess.ml.cases.recipes import recipes_of
from minivess.ml.synthesis.parameters import parameters_of, settings_of
from minivess.ml.synthesis.volume import SyntheticCase, synthesise
from minivess.records.data.source import Data, Synthetic

pytestmark = pytest.mark.verifies("SU-28", "REQ-327")


def make(seed: int = 1, **settings: object) -> SyntheticCase:
    return synthesise((7, seed), parameters_of(axes="yx", **settings))


@pytest.mark.parametrize("classes", ["vessel", "artery-vein"])
def test_a_picture_shows_the_network_from_above(classes: str) -> None:
    for seed in (1, 2):
        case = make(seed, classes=classes)
        assert case.image.shape == case.label.shape == (128, 128)
        assert case.image.dtype == np.uint16
        middles = case.centreline.segments.mean(axis=1)[:, 1:] / 8.0
        pixels = np.rint(middles).astype(int)
        inside = ((pixels >= 0) & (pixels < 128)).all(axis=1)
        assert case.label[tuple(pixels[inside].T)].astype(bool).mean() > 0.95
        assert 0.05 < (case.label > 0).mean() < 0.35
        assert case.image[case.label > 0].mean() > 1.3 * case.image[case.label == 0].mean()


def test_a_picture_has_two_classes_where_two_are_wanted() -> None:
    for colour in (False, True):
        case = make(classes="artery-vein", colour=colour)
        assert set(np.unique(case.label).tolist()) == {0, 1, 2}


def test_the_blood_of_veins_is_darker_red_and_vessels_are_darker_than_the_ground() -> None:
    case = make(classes="artery-vein", colour=True, attractor_volume_um3=20000)
    assert case.image.shape == (128, 128, 3)
    assert case.image.dtype == np.uint8
    red, green, blue = (case.image[..., channel].astype(float) for channel in range(3))
    ground, artery, vein = (case.label == value for value in (0, 1, 2))
    assert red[ground].mean() > green[ground].mean() > blue[ground].mean()
    assert red[artery].mean() > 1.03 * red[vein].mean()
    for plane in (red, green, blue):
        assert plane[ground].mean() > plane[artery].mean() > plane[vein].mean()
    assert green[vein].mean() / green[ground].mean() < red[vein].mean() / red[ground].mean()


def test_the_scale_magnifies_vessels_and_spacing_together() -> None:
    one = synthesise((7, 1), parameters_of(shape=(12, 40, 40), stenoses=1, leaks=1))
    four = synthesise(
        (7, 1), parameters_of(shape=(12, 40, 40), stenoses=1, leaks=1, scale=4.0, spacing_um=(8.0, 4.0, 4.0))
    )
    assert np.array_equal(one.image, four.image)
    assert np.array_equal(one.label, four.label)
    assert np.array_equal(4 * one.centreline.nodes, four.centreline.nodes)
    assert np.array_equal(4 * one.centreline.radii, four.centreline.radii)
    assert [4 * leak.radius_um for leak in one.leaks] == [leak.radius_um for leak in four.leaks]
    assert [tuple(4 * side for side in leak.place_um) for leak in one.leaks] == [leak.place_um for leak in four.leaks]
    for before, after in zip(one.stenoses, four.stenoses, strict=True):
        lengths = (before.length_um, before.radius_before_um, before.radius_um)
        assert (after.length_um, after.radius_before_um, after.radius_um) == tuple(4 * value for value in lengths)


def test_motion_and_leaks_are_in_grey_pictures_too() -> None:
    plain, moved, leaking = make(photons=400), make(photons=400, line_jitter_um=2), make(photons=400, leaks=2)
    assert np.array_equal(plain.label, moved.label)
    assert not np.array_equal(plain.image, moved.image)
    assert leaking.leaked is not None
    assert leaking.leaked.shape == (128, 128)
    assert not (leaking.leaked.astype(bool) & (leaking.label > 0)).any()
    assert leaking.image[leaking.leaked == 1].mean() > 1.5 * plain.image[leaking.leaked == 1].mean()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"colour": True}, "colour is for pictures"),
        ({"colour": True, "axes": "yx", "classes": "lumen-wall"}, "walls"),
        ({"colour": True, "axes": "yx", "leaks": 1}, "leaked dye"),
        ({"colour": True, "axes": "yx", "line_jitter_um": 1.0}, "scanned lines"),
        ({"axes": "xy"}, "axes"),
        ({"classes": "vein"}, "classes"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(wrong: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        parameters_of(**wrong)
    assert caught.value.hint


@pytest.mark.parametrize(
    "plan",
    [{}, {"classes": "artery-vein"}, {"axes": "yx"}, {"axes": "yx", "colour": True}],
)
def test_a_project_and_the_command_have_the_same_defaults(plan: dict) -> None:
    assert settings_of(Synthetic.model_validate(plan)) == parameters_of(**plan)


def test_a_project_gives_the_shape_of_a_picture_by_two_sides() -> None:
    settings = settings_of(Synthetic.model_validate({"axes": "yx", "shape": [40, 60], "photons": 9.0}))
    assert settings.shape[1:] == (40, 60)
    assert synthesise(1, settings).label.shape == (40, 60)
    assert settings.photons == 9.0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"shape": [64, 64]}, "needs a shape of 3 sides, not 2"),
        ({"axes": "yx", "shape": [4, 64, 64]}, "needs a shape of 2 sides, not 3"),
        ({"colour": True}, "add `axes: yx`"),
        ({"axes": "yx", "colour": True, "classes": "lumen-wall"}, "walls"),
        ({"axes": "yx", "colours": True}, "colours"),
    ],
)
def test_a_project_file_with_settings_that_do_not_fit_is_refused(wrong: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Synthetic.model_validate(wrong)


@pytest.mark.verifies("REQ-326")
@pytest.mark.parametrize(
    ("kind", "declared", "words"),
    [
        ("artery-vein", {1: "vessel"}, "have the values 1 and 2"),
        ("vessel", {1: "artery", 2: "vein"}, "have the values 1:"),
        ("vessel", {2: "vessel"}, "have the values 1:"),
        ("lumen-wall", {1: "a", 2: "b", 3: "c"}, "have the values 1 and 2"),
    ],
)
def test_classes_that_the_generator_does_not_make_are_refused(kind: str, declared: dict, words: str) -> None:
    facts = {"name": "a", "licence": "CC0", "source": "s", "synthetic": {"classes": kind}}
    with pytest.raises(ValueError, match=words):
        Data.model_validate({**facts, "classes": declared})
    own = {1: "lumina", 2: "tunica"} if kind != "vessel" else {1: "vessel"}
    assert [one.name for one in Data.model_validate({**facts, "classes": own}).declared] == list(own.values())


def test_what_is_left_at_its_default_is_not_in_the_records() -> None:
    assert set(Synthetic().model_dump(mode="json")) == {"subjects", "seed", "shape", "photons", "psf_sigma_z"}
    assert not {"classes", "axes", "colour"} & set(parameters_of().model_dump(mode="json"))


def test_cases_that_were_generated_before_are_not_made_again() -> None:
    plan = {"name": "a", "licence": "x", "source": "y", "synthetic": {"subjects": 3}}
    recipe = next(recipes_of(Data.model_validate(plan), Path(), (), []))
    assert recipe.made_from().startswith("sha256:0fda3cccf7812")
