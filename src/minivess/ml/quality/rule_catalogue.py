"""The rules, by what they look at: what each is called, how grave it is, what it means and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from minivess.records.data.validation import Severity


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        severity: what a finding does unless the project says otherwise.
        title: what is wrong, in a few words.
        meaning: what it means and why it matters.
        hint: what to do.
    """

    severity: Severity
    title: str
    meaning: str
    hint: str


_BLOCK, _WARN, _NOTE = Severity.BLOCK, Severity.WARNING, Severity.NOTE

FILE_RULES = {
    "arrays-match": Rule(
        _BLOCK,
        "Files are not what the manifest says",
        "An image or a mask is missing, was changed after ingest, or does not fit its record, so nothing else can"
        " be said of the case.",
        "Run `minivess data ingest` again; if it happens again, look for who writes into data/prepared.",
    ),
    "case-unlisted": Rule(
        _WARN,
        "A prepared case that no manifest lists",
        "The folder of prepared cases holds a case that is not part of this data set: it is neither checked nor "
        "split nor sealed.",
        "Remove the folder, or list the case in minivess.yaml and ingest again.",
    ),
}

RECORD_RULES = {
    "identifiers": Rule(
        _WARN,
        "The source may say who is in the image",
        "Header fields or burnt-in text may identify a person; the project accepted that with a reason.",
        "De-identify the source, and keep these data where personal data may be kept.",
    ),
    "read-with-notes": Rule(
        _NOTE,
        "Reading settled something",
        "The source left something open or was changed while it was read.",
        "Check that it was settled as you would have done.",
    ),
}

TABLE_RULES = {
    "case-table": Rule(
        _BLOCK,
        "A field of the case table is wrong",
        "A field has a wrong type or a value outside its range.",
        "Correct the field where it is stated (minivess.yaml or the file's metadata) and ingest again.",
    ),
    "id-unique": Rule(
        _BLOCK,
        "Two cases with one id",
        "An id names one case; with two of them, results cannot be assigned.",
        "Give each case an id of its own in minivess.yaml.",
    ),
    "id-case": Rule(
        _WARN,
        "Ids that differ only in upper and lower case",
        "On file systems that ignore case these two overwrite each other, and people mix them up.",
        "Rename one of them.",
    ),
    "subject-spelling": Rule(
        _WARN,
        "Subjects spelt almost alike",
        "If these are one subject, its cases can stand on both sides of a split, and the test would be too easy.",
        "Look at the source: give one subject one spelling.",
    ),
    "spacing-possible": Rule(
        _BLOCK,
        "Impossible spacing",
        "No imaging method has this distance between voxels; every length and volume would be wrong.",
        "State the spacing in micrometres (`spacing_um`) and check the unit in the file.",
    ),
    "spacing-usual": Rule(
        _WARN,
        "Unusual spacing",
        "Microscopes rarely image at this spacing; often a unit was mistaken (nm, µm, mm).",
        "Compare with the protocol of the acquisition.",
    ),
    "spacing-long": Rule(
        _WARN,
        "Voxels much longer than wide",
        "With more than ten to one, shapes along the long axis are hardly resolved and 3D measures say little.",
        "Check the spacing along z; consider to work plane by plane.",
    ),
    "size-small": Rule(
        _WARN,
        "Very small image",
        "Fewer than 16 pixels along an axis of the plane: too small for the patches of most networks.",
        "Check that the image was not cut or that axes were not mixed up.",
    ),
    "affine-agrees": Rule(
        _BLOCK,
        "Affine and spacing or orientation disagree",
        "The matrix that places the image in space says something else than its spacing or its orientation, so "
        "one of them is wrong.",
        "Correct the header of the source file.",
    ),
    "readers-disagree": Rule(
        _WARN,
        "Two readers disagree",
        "A Dice below 0.7 between two readers: the mask is uncertain, and no model can be judged better than that.",
        "Have the case adjudicated by a third reader.",
    ),
    "mixed-axes": Rule(
        _WARN,
        "Flat images and volumes, or grey and colour, in one set",
        "One network takes one kind of image.",
        "Make two data sets of them.",
    ),
    "mixed-units": Rule(
        _WARN,
        "Some cases without a physical size",
        "Spacings in pixels and in micrometres cannot be compared; measures in micrometres exist for some cases only.",
        "State the spacing of every case, or of none.",
    ),
    "mixed-spacing": Rule(
        _NOTE,
        "Spacing differs between cases",
        "The same structure has different sizes in voxels.",
        "Resample to one spacing for training, or report results by spacing.",
    ),
    "mixed-sizes": Rule(
        _NOTE,
        "Sizes differ between cases",
        "Images of different sizes weigh differently in averages over voxels.",
        "Report averages over cases.",
    ),
    "mixed-orientation": Rule(
        _WARN,
        "Orientation differs between cases",
        "Arrays do not point the same way: left may be right.",
        "Reorient the sources to one convention and ingest again.",
    ),
    "mixed-affine": Rule(
        _NOTE,
        "Some cases without a place in space",
        "Some cases state how they lie in the patient or on the stage, others do not.",
        "Use the original files for all cases if there are any.",
    ),
    "mixed-types": Rule(
        _NOTE,
        "Number types differ between cases",
        "Intensities of an 8-bit and a 16-bit image are not on one scale.",
        "Normalise each image on its own, and look for cases that were exported differently.",
    ),
    "mixed-classes": Rule(
        _WARN,
        "Classes differ between cases",
        "A value of the mask does not mean the same in every case.",
        "Use one list of classes for the whole set.",
    ),
    "mixed-sites": Rule(
        _NOTE,
        "Several sites",
        "Results may differ by site.",
        "Stratify the split by site and report results for each.",
    ),
    "mixed-scanners": Rule(
        _NOTE,
        "Several scanners",
        "Results may differ by scanner.",
        "Stratify the split by scanner and report results for each.",
    ),
    "modality-alone": Rule(
        _WARN,
        "A modality with a single case",
        "One image of its kind can be learnt from or tested on, not both, and says nothing of its kind.",
        "Check the spelling of the modality; else collect more or leave the case out.",
    ),
}

IMAGE_RULES = {
    "image-finite": Rule(
        _BLOCK,
        "NaN or infinite values in the image",
        "One such voxel turns a whole training into NaN.",
        "Find the step that made them (a division, a log, a failed resampling) and export again.",
    ),
    "image-varies": Rule(
        _BLOCK,
        "Constant image",
        "There is nothing in it to see.",
        "Take the right file or channel.",
    ),
    "image-range": Rule(
        _BLOCK,
        "Values that the source's type cannot hold",
        "The prepared values and the stated number type exclude each other.",
        "Ingest again; if the source is scaled by its header, state the type of the scaled values.",
    ),
    "image-saturated": Rule(
        _WARN,
        "Saturated",
        "More than 1 % of the voxels are at the upper end of the number type: what was there is lost.",
        "Lower gain, exposure or export scaling; a saturated case cannot be mended.",
    ),
    "image-clipped": Rule(
        _WARN,
        "Clipped at the top",
        "More than 1 % of the voxels share the largest value, below the end of the number type: a detector limit "
        "or a cut in processing.",
        "Look for the step that cuts; use the data before it.",
    ),
    "image-floor": Rule(
        _NOTE,
        "Most voxels are at one lowest value",
        "More than half of the image is at its smallest value: background was subtracted or padded.",
        "Check that faint structures were not cut away; leave padding out of normalisation.",
    ),
    "levels-few": Rule(
        _WARN,
        "Few grey levels",
        "Fewer than 32 different values: the image was quantised, posterised, or is no image.",
        "Look for an earlier export with the full depth.",
    ),
    "contrast-low": Rule(
        _WARN,
        "Mask and rest look alike",
        "The means in and outside the mask differ by less than a quarter of the spread outside it. The mask may "
        "belong to another image, be shifted or flipped.",
        "Look at the picture: does the outline follow the structure?",
    ),
    "contrast-inverted": Rule(
        _WARN,
        "Contrast against the others",
        "The mask is darker than the rest where it is brighter in most other cases, or the other way round.",
        "Check whether the image was inverted, or the mask.",
    ),
    "intensity-outlier": Rule(
        _NOTE,
        "Unlike the other images",
        "The median intensity lies far from that of the other cases of this modality and number type (more than "
        "six robust deviations).",
        "Check gain, exposure and export of this case.",
    ),
    "plane-constant": Rule(
        _WARN,
        "Empty planes within the stack",
        "Planes of one value between planes with content: frames were lost.",
        "Export the stack again; else cut it into two cases of one acquisition.",
    ),
    "stack-truncated": Rule(
        _WARN,
        "Empty planes at an end of the stack",
        "The stack begins or ends with planes of one value: it was cut short or padded.",
        "Export again, or cut the empty planes from image and mask.",
    ),
    "plane-repeated": Rule(
        _WARN,
        "Repeated planes",
        "Neighbouring planes are equal voxel by voxel: frames were duplicated, or z was interpolated.",
        "Check the number of planes and the spacing along z.",
    ),
    "intensity-step": Rule(
        _WARN,
        "Sharp change between neighbouring planes",
        "The mean brightness jumps from one plane to the next: lamp or laser changed, the stage moved, or stacks "
        "were joined.",
        "Look at the planes; correct the brightness by plane, or cut the stack there.",
    ),
}

MASK_RULES = {
    "mask-empty": Rule(
        _BLOCK,
        "Empty mask",
        "Nothing is marked. Either the mask is missing or this case has nothing to find; then overlap measures "
        "are undefined.",
        "Add the right mask. If the case is truly without findings, lower this rule with the reason.",
    ),
    "mask-full": Rule(
        _BLOCK,
        "The mask covers everything",
        "Every voxel is marked: an inverted, thresholded or placeholder mask.",
        "Add the right mask.",
    ),
    "mask-share": Rule(
        _WARN,
        "Unusual share of foreground",
        "Less than 0.1 % or more than 60 % of the image is marked.",
        "Look at the picture: is the mask complete, and not inverted?",
    ),
    "mask-undeclared": Rule(
        _BLOCK,
        "Values outside the declared classes",
        "The mask holds a value to which no class was given.",
        "Declare the class, or correct the mask.",
    ),
    "mask-grey": Rule(
        _WARN,
        "Grey mask",
        "The source mask holds values between its classes, as lossy compression (JPEG) or smooth resampling "
        "leaves them; it was cut at a threshold, which moves borders.",
        "Use masks saved without loss (PNG, TIFF, NIfTI).",
    ),
    "mask-scaled": Rule(
        _NOTE,
        "Mask values other than the classes",
        "The source mask marks its class with another value (for example 255 or 254), and it was mapped.",
        "Nothing, if the mapping is meant.",
    ),
    "mask-specks": Rule(
        _NOTE,
        "Specks in the mask",
        "Components of fewer than 8 voxels that hang together with nothing: slips of the brush, or noise of a "
        "threshold.",
        "Look at some; remove them at the source if they are slips.",
    ),
    "mask-gap": Rule(
        _NOTE,
        "Planes without mask between planes with mask",
        "The mask is interrupted along z.",
        "Check whether these planes were forgotten.",
    ),
    "mask-cut-off": Rule(
        _WARN,
        "The mask ends abruptly while the image goes on",
        "Beyond the last marked plane the structure is still there, but nothing is marked: annotation stopped early.",
        "Finish the annotation, or cut the unmarked planes from image and mask.",
    ),
    "class-missing": Rule(
        _WARN,
        "A declared class that no mask has",
        "Nothing can be learnt or tested about it.",
        "Remove the class from the declaration, or add cases that have it.",
    ),
    "class-balance": Rule(
        _NOTE,
        "Rare class",
        "A class makes up less than 1 % of all that is marked.",
        "Use a loss and measures by class; report the class on its own.",
    ),
}

DUPLICATE_RULES = {
    "duplicate-image": Rule(
        _BLOCK,
        "One image under two subjects",
        "The same image, voxel by voxel, is said to be of two subjects: a wrong file, or a leak between parts to come.",
        "Find out whose image it is; remove the other case.",
    ),
    "repeated-image": Rule(
        _WARN,
        "One image twice",
        "The same image, voxel by voxel, stands in two cases of one subject and counts twice.",
        "Remove one of the cases, unless two readers' masks are meant.",
    ),
    "duplicate-mask": Rule(
        _BLOCK,
        "One mask under two subjects",
        "Two different images of two subjects have the same mask, voxel by voxel: one of them has the wrong one.",
        "Find the right mask of each.",
    ),
    "repeated-mask": Rule(
        _WARN,
        "One mask for two images",
        "Two different images of one subject have the same mask, voxel by voxel. That is right only for images "
        "that are registered.",
        "Check that both images show the same place.",
    ),
    "near-duplicate": Rule(
        _WARN,
        "Almost the same image",
        "Two images look like copies of one another (shifted, cropped, re-encoded or brightened). In two parts of"
        " a split they would be a leak.",
        "Give both the same subject and acquisition, or remove one.",
    ),
    "similar-image": Rule(
        _NOTE,
        "Similar images",
        "Two images fit in large parts: neighbouring planes, the same place again, or merely the same kind of "
        "structure.",
        "Compare the pictures. If they show one place, give both the same subject and acquisition.",
    ),
}

RULES: Mapping[str, Rule] = {
    **FILE_RULES,
    **RECORD_RULES,
    **TABLE_RULES,
    **IMAGE_RULES,
    **MASK_RULES,
    **DUPLICATE_RULES,
}
"""Every rule by name."""
