"""What the generator can be told: one record, from which the command's help, the manifest and the docs are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from minivess.foundation.errors import UsageError
from minivess.foundation.reading.json_records import first_error
from minivess.records.base import Record
from minivess.records.data.dataset import Axes, SpatialAxes
from minivess.records.data.source import Synthetic, VesselClasses

GENERATOR = "minivess-synthetic/2"
"""Raised with every change that changes bytes."""
LARGEST = 64 * 1024 * 1024
"""Voxels."""


PICTURE: Mapping[str, Any] = {
    "shape": (12, 128, 128),
    "spacing_um": (8.0, 8.0, 8.0),
    "scale": 6.0,
    "leaf_radius_um": 1.2,
    "vein_width": 1.5,
    "pulsation": 0.95,
    "photons": 12.0,
    "psf_sigma_xy_um": 1.0,
}
"""Defaults of a grey picture that are not those of a volume; the scale is that of OCT angiography of the retina."""
COLOUR: Mapping[str, Any] = {
    **PICTURE,
    "attractor_volume_um3": 40000.0,
    "loops": 0.0,
    "leaf_radius_um": 1.5,
    "photons": 400.0,
}
"""Defaults of a colour picture: no capillaries, and the light of a flash."""


MODALITIES: Mapping[Axes, str] = {
    "zyx": "two-photon microscopy",
    "yx": "OCT angiography",
    "yxc": "colour fundus photography",
}
"""What images of these axes are like."""


def _left_out(default: object) -> Any:
    return Field(exclude_if=lambda value: value == default)


def _is(default: Any, unit: str, low: float, high: float, effect: str, *, ranged: bool = True) -> Any:
    facts: Any = {"unit": unit, "low": low, "high": high}
    bounds: dict[str, Any] = {"ge": low, "le": high} if ranged else {}
    return Field(default, description=effect, json_schema_extra=facts, **bounds)


Size = Annotated[int, Field(ge=1, le=8192)]
Spacing = Annotated[float, Field(ge=0.05, le=100)]


class SynthesisParameters(Record):
    """The settings of one volume. The defaults are the hard setting that the demonstration trains on."""

    classes: Annotated[VesselClasses, _left_out("vessel")] = "vessel"
    axes: Annotated[SpatialAxes, _left_out("zyx")] = "zyx"
    colour: Annotated[bool, _left_out(False)] = False
    shape: tuple[Size, Size, Size] = _is((48, 96, 96), "voxels", 1, 8192, "Size of the volume (z, y, x).", ranged=False)
    spacing_um: tuple[Spacing, Spacing, Spacing] = _is(
        (2.0, 1.0, 1.0), "µm", 0.05, 100, "Distance between voxels (z, y, x).", ranged=False
    )
    attractor_volume_um3: float = _is(
        9000.0,
        "µm³",
        1500,
        1_000_000,
        "Tissue volume for each attractor of growth: a smaller one makes a denser network.",
    )
    roots: int = _is(0, "", 0, 12, "Vessels that enter the volume; 0: the seed chooses two or three.")
    loops: float = _is(0.8, "", 0, 1, "Share of the leaves joined to another branch; 0 makes plain trees.")
    gamma: float = _is(3.0, "", 1.5, 4, "Murray's exponent: the sum of radius^gamma is conserved at every branching.")
    leaf_radius_um: float = _is(
        2.9, "µm", 0.5, 20, "Smallest radius of a capillary; the seed adds up to 0.8 µm to each."
    )
    largest_radius_um: float = _is(9.0, "µm", 1, 100, "Radius at which Murray's law is cut off.")
    tortuosity_um: float = _is(
        0.0, "µm", 0, 12, "How far vessels wander from their smooth course (root mean square), over about 20 µm."
    )
    stenoses: int = _is(0, "", 0, 100, "How many vessels are narrowed.")
    stenosis_degree: float = _is(0.6, "", 0.05, 0.95, "Share of the diameter lost at the narrowest place.")
    stenosis_length_um: float = _is(16.0, "µm", 8, 100, "Length of a narrowing, wall to wall.")
    leaks: int = _is(0, "", 0, 100, "How many places leak dye into the tissue; the mask shows only the lumen.")
    leak_radius_um: float = _is(9.0, "µm", 1, 100, "Radius of a cloud of leaked dye.")
    leak_brightness: float = _is(0.5, "", 0.01, 2, "Brightness of leaked dye; the brightest vessel has 1.")
    scale: float = _is(
        1.0, "", 0.1, 100, "Factor on every length here but the distance between voxels: larger vessels, farther apart."
    )
    vein_width: float = _is(1.35, "", 0.5, 3, "Artery and vein: radius of a vein over that of an artery of its place.")
    pulsation: float = _is(
        0.7, "", 0, 1, "Artery and vein: how much the dye of an artery brightens and dims with the heart."
    )
    lines_per_beat: float = _is(6.0, "lines", 2, 10_000, "Artery and vein: lines along y that are scanned in a beat.")
    wall_um: float = _is(2.0, "µm", 0.5, 20, "Lumen and wall: thickness of the wall.")
    wall_brightness: float = _is(0.4, "", 0.01, 2, "Lumen and wall: brightness of the wall; the brightest lumen has 1.")
    photons: float = _is(
        4.0, "photons", 0.01, 10_000, "Expected photons in a voxel of the brightest vessel at the surface."
    )
    read_noise: float = _is(0.25, "photons", 0, 100, "Standard deviation of the detector's Gaussian noise.")
    psf_sigma_xy_um: float = _is(0.5, "µm", 0.01, 50, "Lateral standard deviation of the point spread function.")
    psf_sigma_z_um: float = _is(5.0, "µm", 0.01, 50, "Axial standard deviation of the point spread function.")
    attenuation_um: float = _is(
        240.0, "µm", 5, 1_000_000, "Depth at which the signal has fallen to 1/e; the seed varies it by up to 20 %."
    )
    line_jitter_um: float = _is(
        0.0, "µm", 0, 50, "Standard deviation of the sideways shift of each scanned line; the mask does not move."
    )
    frame_shift_um: float = _is(
        0.0, "µm", 0, 50, "Standard deviation of the shift of each plane along y and x; the mask does not move."
    )

    @model_validator(mode="before")
    @classmethod
    def _of_pictures(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and given.get("axes") == "yx":
            return {**(COLOUR if given.get("colour") else PICTURE), **given}
        return given

    @model_validator(mode="after")
    def _fits(self) -> SynthesisParameters:
        if self.shape[0] * self.shape[1] * self.shape[2] > LARGEST:
            raise ValueError("at most 64 Mi voxels")
        if self.largest_radius_um < self.leaf_radius_um:
            raise ValueError("largest_radius_um is smaller than leaf_radius_um")
        if self.colour and self.axes != "yx":
            raise ValueError("colour is for pictures: with axes yx")
        if self.colour and self.classes == "lumen-wall":
            raise ValueError("a colour picture does not show the walls of vessels: leave out colour or lumen-wall")
        if self.colour and (self.leaks or self.line_jitter_um or self.frame_shift_um):
            raise ValueError("a colour picture has no leaked dye and no scanned lines: leave out leaks and motion")
        return self

    @property
    def image_axes(self) -> Axes:
        """The axes of an image array, in order."""
        return "yxc" if self.colour else self.axes

    @property
    def spacing(self) -> tuple[float, ...]:
        """Distance between voxels along each axis of the mask, in micrometres."""
        return self.spacing_um[-len(self.axes) :]


def settings_of(plan: Synthetic) -> SynthesisParameters:
    """The settings that a project's synthetic cases have.

    Raises:
        UsageError: one is out of its range.
    """
    given = plan.model_dump(include={"shape", "photons", "classes", "axes", "colour"})
    given["psf_sigma_z_um"] = plan.psf_sigma_z.micrometres
    if plan.axes == "yx":
        given["shape"] = (PICTURE["shape"][0], *plan.shape)
    return parameters_of(**given)


@dataclass(frozen=True)
class Described:
    """One parameter, for a person."""

    name: str
    unit: str
    default: Any
    low: float
    high: float
    effect: str

    @property
    def words(self) -> str:
        """Effect, unit, range and default in one line."""
        default = " ".join(map(str, self.default)) if isinstance(self.default, tuple) else str(self.default)
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.effect} {self.low:.9g} to {self.high:.9g}{unit}; default {default}."


def described() -> tuple[Described, ...]:
    """Every parameter, in order."""
    fields = SynthesisParameters.model_fields
    rows = []
    for name, field in fields.items():
        facts: Any = field.json_schema_extra
        if facts is None:
            continue
        effect = field.description or ""
        rows.append(Described(name, facts["unit"], field.default, facts["low"], facts["high"], effect))
    return tuple(rows)


def parameters_of(**values: Any) -> SynthesisParameters:
    """Parameters from loose values.

    Raises:
        UsageError: one is out of its range, or they do not fit together; names it.
    """
    try:
        return SynthesisParameters(**values)
    except ValidationError as error:
        found = first_error(error, whole="the parameters")
        name = found.partition(":")[0]
        hint = next((row.words for row in described() if row.name == name), "change one of the settings that it names")
        raise UsageError(found, hint=hint) from None
