"""Make the pictures of docs/guides/synthesis.md: `python docs/pictures/synthesis.py`.

Maximum projections from above (the last from the side), stretched from the 2nd to the 99.7th percentile. Sets of two
classes and pictures are shown beside their masks: class 1 red, class 2 blue. Of volumes this is one plane.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from minivess.ml.synthesis.parameters import parameters_of
from minivess.ml.synthesis.volume import synthesise

CLEAR: dict[str, Any] = {
    "shape": (24, 160, 160),
    "attractor_volume_um3": 14000,
    "photons": 40,
    "psf_sigma_z_um": 2.5,
}
PICTURES: dict[str, dict[str, Any]] = {
    "default": {},
    "clear": CLEAR,
    "tortuous": {**CLEAR, "tortuosity_um": 6},
    "stenosis": {**CLEAR, "stenoses": 8, "stenosis_degree": 0.8, "stenosis_length_um": 20},
    "leak": {**CLEAR, "leaks": 3, "leak_radius_um": 14, "leak_brightness": 1},
    "motion": {**CLEAR, "line_jitter_um": 2, "frame_shift_um": 0.5},
    "deep": {**CLEAR, "shape": (80, 160, 160), "attenuation_um": 40},
}
BESIDE_MASKS: dict[str, dict[str, Any]] = {
    "arteries-veins": {"classes": "artery-vein"},
    "lumens-walls": {"classes": "lumen-wall", "photons": 20, "psf_sigma_z_um": 2.5},
    "picture": {"classes": "artery-vein", "axes": "yx"},
    "colour": {"classes": "artery-vein", "axes": "yx", "colour": True},
}
COLOURS = np.array([(0, 0, 0), (208, 64, 64), (72, 104, 232)], dtype=np.uint8)
SIZE = 320


def stretched(flat: np.ndarray) -> np.ndarray:
    """Grey in 32 steps."""
    low, high = np.percentile(flat, (2, 99.7))
    return (np.clip((flat - low) / (high - low), 0, 1) * 31).astype(np.uint8) * 8


def save(name: str, array: np.ndarray, width: int = SIZE) -> None:
    """Write an enlarged picture beside this file."""
    picture = Image.fromarray(array).resize((width, SIZE), Image.Resampling.NEAREST)
    picture.save(Path(__file__).parent / f"synthesis-{name}.png", optimize=True)


def main() -> None:
    """Write every picture beside this file."""
    for name, settings in PICTURES.items():
        image = synthesise((7, 3), parameters_of(**settings)).image.astype(np.float64)
        flat = np.repeat(image[:, 60:100].max(axis=1), 2, axis=0) if name == "deep" else image.max(axis=0)
        save(name, stretched(flat))
    for name, settings in BESIDE_MASKS.items():
        case = synthesise((7, 1), parameters_of(**settings))
        image, label = case.image, case.label
        if label.ndim == 3:
            image, label = image[12], label[12]
        shown = image // 8 * 8 if settings.get("colour") else np.repeat(stretched(image)[..., None], 3, axis=-1)
        save(name, np.concatenate([shown, COLOURS[label]], axis=1), width=2 * SIZE)


if __name__ == "__main__":
    main()
