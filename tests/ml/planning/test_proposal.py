"""Lines of a plan: choices, advice, and what the project file states."""

from __future__ import annotations

from typing import Any

import pytest

from minivess.foundation.errors import UsageError
from minivess.foundation.paths import templates_folder
from minivess.foundation.reading.strict_yaml import parse_yaml
from minivess.foundation.reading.yaml_edits import set_values
from minivess.ml.planning.fingerprint import DataFingerprint
from minivess.ml.planning.proposal import STATED, Settings, propose
from minivess.ml.planning.structures import ClassShape
from minivess.records.data.dataset import LabelClass
from minivess.records.device.project import Project
from minivess.records.evaluation.measures import MEASURES
from minivess.records.models.networks.dynunet import DynUNetSpec
from minivess.records.models.networks.network import NetworkSpec
from minivess.records.models.networks.segresnet import SegResNetSpec
from minivess.records.models.networks.swinunetr import SwinUNETRSpec
from minivess.records.models.plan import Device, MemoryAtHand, Plan, PlannedLine
from minivess.records.models.preprocessing import PreprocessingChoice
from minivess.records.models.task import SegmentationTask
from minivess.records.models.training import TrainingSpec
from tests.support.properties import assume, given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-145", "REQ-345")

VESSEL = ClassShape("vessel", width=4, voxels_across=4, lengths=200, share=0.005, parts=3, absent=0, cases=8)
ORGAN = ClassShape("organ", width=40, voxels_across=40, lengths=2, share=0.2, parts=1, absent=2, cases=8)


def data(*classes: ClassShape, **facts: Any) -> DataFingerprint:
    named = tuple(LabelClass(value=number, name=one.name) for number, one in enumerate(classes, 1))
    usual: dict[str, Any] = {
        "task": SegmentationTask(classes=named), "modality": "MR", "unit": "um", "cases": 24, "subjects": 24,
        "grids": ((40, 120, 120),) * 24, "spacings": ((2.0, 1.0, 1.0),) * 24, "classes": classes,
    }  # fmt: skip
    return DataFingerprint(**{**usual, **facts})


def planned(
    found: DataFingerprint,
    *,
    model: NetworkSpec | None = None,
    training: TrainingSpec | None = None,
    preprocessing: PreprocessingChoice | None = None,
    size: float = 8e9,
    stated: tuple[str, ...] = (),
    replaced: tuple[str, ...] = (),
) -> Plan:
    settings = Settings(
        model=model or SegResNetSpec(),
        training=training or TrainingSpec(),
        preprocessing=preprocessing or PreprocessingChoice(),
        stated=stated,
        replaced=replaced,
    )
    at_hand = MemoryAtHand(size=int(size), device="cpu", source="this test")
    return propose(found, settings, at_hand, part="the training part")


def line(plan: Plan, place: str) -> PlannedLine:
    return next(one for one in plan.lines if one.place == place)


def test_measures_follow_from_the_shape_of_each_class() -> None:
    plan = planned(data(VESSEL, ORGAN))
    advice = {one.place: one.value for one in plan.lines if " of " in one.place}
    assert advice["cldice of vessel"] == "use"
    assert advice["cldice of organ"] == "leave out"
    for measure in ("skeleton_recall", "betti0_error", "length_error", "radius_error"):
        assert (advice[f"{measure} of vessel"], advice[f"{measure} of organ"]) == ("use", "leave out")
    assert {place.partition(" of ")[0] for place in advice} == set(MEASURES)
    assert "absent (2 of 8" in line(plan, "volume_error of organ").reason
    assert "absent (2 of 8" in next(
        one.reason for one in plan.lines if one.place.startswith("hd95") and "organ" in one.place
    )
    assert "one voxel at the edge" in line(plan, "dice of vessel").reason


@pytest.mark.parametrize(
    ("facts", "value", "reason"),
    [
        ({"modality": "CT"}, "foreground", "absolute scale"),
        ({"modality": " computed Tomography "}, "foreground", "absolute scale"),
        ({}, "per-case", "each image gets its own"),
        ({"contrast": 3.0}, "per-case", "differ by 3.0 deviations"),
    ],
)
def test_normalisation_follows_from_the_modality(facts: dict[str, Any], value: str, reason: str) -> None:
    found = line(planned(data(VESSEL, **facts)), "preprocessing.normalisation")
    assert found.value == value
    assert reason in found.reason


@pytest.mark.verifies("REQ-354")
@pytest.mark.parametrize(
    ("subjects", "contrast", "strength"),
    [
        (4, 0.0, "strong"), (19, 3.0, "strong"), (20, 0.0, "medium"), (99, 0.0, "medium"), (100, 0.0, "light"),
        (100, 3.0, "medium"),
    ],
)  # fmt: skip
def test_few_subjects_and_varied_contrast_need_more_augmentation(subjects: int, contrast: float, strength: str) -> None:
    found = line(planned(data(VESSEL, subjects=subjects, contrast=contrast)), "training.augmentation")
    assert (found.value, found.state) == (strength, "proposed")
    assert found.reason.startswith(f"{subjects} subjects")


@pytest.mark.verifies("REQ-354")
def test_exceptions_of_augmentation_stay_beside_a_planned_strength() -> None:
    few = data(VESSEL, subjects=4)
    text = "training:\n  augmentation:\n    without: [flips]  # left and right\n"
    said = TrainingSpec.model_validate({"augmentation": {"without": ["flips"]}})
    found = line(
        planned(few, training=said, stated=("training.augmentation.without",)), "training.augmentation.strength"
    )
    assert (found.value, found.state) == ("strong", "proposed")
    assert set_values(text, {found.place: found.text}) == f"{text}    strength: strong\n"
    kept = line(
        planned(few, training=said, stated=("training.augmentation.strength",)), "training.augmentation.strength"
    )
    assert (kept.value, kept.state, kept.instead) == ("light", "kept", "strong")
    replaced = line(
        planned(few, training=said, replaced=("training.augmentation.strength",)), "training.augmentation.strength"
    )
    assert (replaced.value, replaced.state, replaced.instead) == ("strong", "proposed", "light")


def test_steps_visit_each_voxel_within_bounds() -> None:
    few = line(planned(data(VESSEL, cases=2, grids=((16, 32, 32),) * 2, spacings=((1, 1, 1),) * 2)), "training.steps")
    assert few.value == 150
    many = line(
        planned(data(VESSEL, cases=900, grids=((60, 400, 400),) * 900, spacings=((1, 1, 1),) * 900), size=4e11),
        "training.steps",
    )
    assert many.value == 2000
    between = line(planned(data(VESSEL)), "training.steps")
    assert isinstance(between.value, int)
    assert 150 < between.value < 2000
    assert "20 visits" in between.reason or "21 visits" in between.reason


def test_a_coarser_target_has_fewer_voxels_and_smaller_patches() -> None:
    mixed = ((2.0, 1.0, 1.0),) * 11 + ((2.0, 4.0, 4.0),) * 13
    plan = planned(data(VESSEL, spacings=mixed))
    assert line(plan, "preprocessing.spacing").value == "2 x 4 x 4 µm"
    assert line(plan, "model.patch").value != line(planned(data(VESSEL)), "model.patch").value


def test_a_stated_line_is_kept_and_others_follow_it() -> None:
    wide = SegResNetSpec(filters=32)
    plan = planned(data(VESSEL), model=wide, stated=("model.filters",))
    filters = line(plan, "model.filters")
    assert (filters.state, filters.value, filters.instead, filters.reason) == ("kept", 32, 8, STATED)
    patch, narrow = line(plan, "model.patch").value, line(planned(data(VESSEL)), "model.patch").value
    assert isinstance(patch, tuple)
    assert isinstance(narrow, tuple)
    assert patch[1] < narrow[1]


def test_a_stated_line_that_the_plan_would_have_keeps_its_reason() -> None:
    found = line(planned(data(VESSEL), stated=("model.filters",)), "model.filters")
    assert (found.state, found.value, found.instead) == ("same", 8, None)
    assert found.reason != STATED


def test_stated_lines_are_replaced_on_request_and_named() -> None:
    training = TrainingSpec(steps=7)
    found = line(planned(data(VESSEL), training=training, replaced=("training.steps",)), "training.steps")
    assert (found.state, found.instead) == ("proposed", 7)


@pytest.mark.parametrize(
    ("model", "stated", "remark"),
    [
        (SwinUNETRSpec(), (), "the memory of swinunetr is not known"),
        (SegResNetSpec(), ("training.batch",), "one patch a step is not known"),
    ],
)
def test_a_memory_that_is_not_known_is_said(model: NetworkSpec, stated: tuple[str, ...], remark: str) -> None:
    plan = planned(data(VESSEL), model=model, training=TrainingSpec(batch=1), stated=stated)
    assert plan.predicted is None
    assert any(remark in one for one in plan.remarks)
    assert any(one.place == "model.patch" for one in plan.lines) == (model.architecture == "segresnet")


def test_stated_sizes_that_need_more_than_there_is_are_said() -> None:
    model = DynUNetSpec(patch=(64, 128, 128), filters=32)
    stated = ("model.patch", "model.filters")
    plan = planned(data(VESSEL), model=model, size=2e9, stated=stated)
    assert any("needs more memory than is at hand" in one for one in plan.remarks)


def test_an_image_leaves_less_for_the_network_and_is_named_where_it_fills_the_memory() -> None:
    large = data(VESSEL, cases=6, grids=((1000, 1000, 1000),) * 6, spacings=((2.0, 1.0, 1.0),) * 6)
    plan = planned(large, size=(19e9 + 3e8) / 0.7)
    assert plan.images == 1000**3 * 19
    assert line(plan, "model.patch").value != line(planned(large, size=4e11), "model.patch").value
    with pytest.raises(UsageError, match=r"an image takes 19\.0 GB while it is preprocessed, of 8\.0 GB"):
        planned(large)


def test_intensities_of_ct_without_the_modality_are_said() -> None:
    assert any("data.modality: CT" in one for one in planned(data(VESSEL, darkest=-1024.0)).remarks)
    assert not planned(data(VESSEL, darkest=-1024.0, modality="CT")).remarks


def test_a_class_that_no_case_has_is_said() -> None:
    both = data(VESSEL, ORGAN).task
    assert planned(data(VESSEL, task=both)).remarks == ("no examined case has the class organ",)


def test_a_stated_patch_for_other_axes_is_refused() -> None:
    with pytest.raises(UsageError, match="does not fit segresnet"):
        planned(data(VESSEL), model=SegResNetSpec(patch=(64, 64)), stated=("model.patch",))


@pytest.mark.parametrize("unit", ["um", "px"])
@pytest.mark.parametrize("shape", [VESSEL, ORGAN])
def test_each_reason_fits_a_line(unit: str, shape: ClassShape) -> None:
    for subjects in (1, 24, 500):
        for contrast in (0.0, 2.0, 1e6):
            found = data(shape, unit=unit, subjects=subjects, contrast=contrast)
            for one in planned(found).lines:
                assert len(one.reason) <= 76, one.reason


def test_a_stated_spacing_is_kept_whatever_its_unit() -> None:
    mixed = data(VESSEL, spacings=((2.0, 1.0, 1.0),) * 12 + ((2.0, 3.0, 3.0),) * 12)
    for text, state in (("0.002 x 0.001 x 0.001 mm", "same"), ("2 x 3 x 3 µm", "kept"), ("native", "kept")):
        plan = planned(mixed, preprocessing=PreprocessingChoice(spacing=text), stated=("preprocessing.spacing",))
        assert line(plan, "preprocessing.spacing").state == state
    coarse = planned(
        mixed, preprocessing=PreprocessingChoice(spacing="2 x 10 x 10 µm"), stated=("preprocessing.spacing",)
    )
    assert line(coarse, "model.patch").value == (40, 24, 24)


def test_a_stated_spacing_settles_cases_of_different_spacing() -> None:
    mixed = data(VESSEL, spacings=((2.0, 1.0, 1.0),) * 23 + ((2000.0, 1000.0, 1000.0),))
    with pytest.raises(UsageError, match="cases have spacings from"):
        planned(mixed)
    fixed = planned(mixed, preprocessing=PreprocessingChoice(spacing="native"), stated=("preprocessing.spacing",))
    spacing = line(fixed, "preprocessing.spacing")
    assert (spacing.state, spacing.value, spacing.instead) == ("kept", "native", None)


_SCALES = st.sampled_from([0.01, 1.0, 100.0])
_STEP = st.floats(0.2, 9)


@settings(max_examples=25)
@given(
    scale=_SCALES,
    steps=st.lists(st.tuples(_STEP, _STEP, _STEP), min_size=1, max_size=4),
    size=st.floats(1e9, 4e10),
    device=st.sampled_from(["cpu", "gpu"]),
)
def test_a_project_file_with_any_plan_is_read_as_the_plan_says(
    scale: float, steps: list[tuple[float, ...]], size: float, device: Device
) -> None:
    spacings = [tuple(scale * step for step in one) for one in steps]
    count = len(spacings)
    found = data(VESSEL, cases=count, grids=((9, 30, 30),) * count, spacings=tuple(spacings))
    settings_ = Settings(model=SegResNetSpec(), training=TrainingSpec(), preprocessing=PreprocessingChoice())
    try:
        plan = propose(found, settings_, MemoryAtHand(size=int(size), device=device, source="this test"), part="all")
    except UsageError as refused:
        # two spacings that differ much make an image that no memory holds: there is no plan to be read
        assume("while it is preprocessed" not in str(refused))
        raise
    values = {one.place: one.text for one in plan.lines if one.writes}
    before = (templates_folder() / "project" / "minivess.yaml").read_text(encoding="utf-8")
    project = Project.model_validate(parse_yaml(set_values(before, values)))
    again = Settings(model=project.model, training=project.training, preprocessing=project.preprocessing)
    assert {one.place: again.value(one.place) for one in plan.lines if one.writes} == {
        one.place: one.value for one in plan.lines if one.writes
    }
