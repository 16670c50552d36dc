"""What the search for copies and the leakage guard do not look at, as sentences for their pages.

The module `near_duplicates` says what is found; docs/decisions/0042 has the trials.
"""

from __future__ import annotations

from minivess.ml.quality.duplicates.candidates import FEW, LISTED

LIMITS: tuple[str, ...] = (
    "Other data: earlier data sets, other projects, and what a pretrained model has learned from.",
    "Subjects: one animal or patient with two names, unless the names are spelt almost alike.",
    "Negatives: an image and the same image with bright and dark exchanged.",
    "Copies that are bent, scaled by more than about 10 %, or turned by another angle than quarter turns and 15° about them.",
    "Volumes that are turned about another axis than the first.",
    "Parts of less than about two thirds of a side.",
    f"Pairs that are not likely by their spectra: of more than {FEW} images, each is compared with the {LISTED} most similar.",
    "Masks: equal masks are found, similar masks are not compared.",
)
