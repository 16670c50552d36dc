Feature: Reading
  Pictures, volumes, series and segmentations in many formats become one kind of case. Files are not trusted: a damaged
  or hostile file gives one clear error, and a file with identifying data is refused.

  @REQ-076
  Scenario Outline: Every format becomes the same kind of case
    Given an image in <image> and its mask in <mask>
    When the case is read
    Then its axes are "<axes>" and its spacing is "<spacing>"
    And its voxels are float32 and its mask is the one that was drawn

    Examples:
      | image            | mask        | axes | spacing            |
      | NRRD             | NRRD        | zyx  | 2000 × 500 × 250 um |
      | a DICOM series   | DICOM-SEG   | zyx  | 2000 × 500 × 250 um |
      | a DICOM series   | .npy        | zyx  | 2000 × 500 × 250 um |
      | a grey PNG       | PNG         | yx   | 1 × 1 px           |
      | a colour JPEG    | JPEG        | yxc  | 1 × 1 px           |

  @REQ-076 @RC-15
  Scenario: A series with a missing slice is refused
    Given a DICOM series of which the third slice is missing
    When the case is read
    Then it is refused with "1 slices are missing" and the slice beside the gap is named

  @REQ-077
  Scenario: Declared classes keep their values
    Given a mask with the values 0, 7 and 14
    When arteries are declared as 7 and veins as 14
    Then the mask keeps its values and the case names both classes
    When only arteries are declared as 7 and nerves as 9
    Then the case is refused and the value 14 is named

  @REQ-078 @RC-10
  Scenario: Hundreds of damaged files end in a volume or in one clear error
    Given a valid file of every kind that is read
    When each is damaged in 20 ways and read
    Then every one is read within the limits or refused by an error that names it
    And nothing else is raised

  @REQ-078 @RC-10
  Scenario: A file that declares more than it contains is refused before memory is taken
    Given a picture of 144 million pixels in a few hundred bytes and a series of frames beyond the limit
    When each is read within small limits
    Then each is refused because of a limit

  @REQ-079
  Scenario: A file with identifying data is refused unless the project gives a reason
    Given a DICOM series with the name of a patient
    When the case is read
    Then it is refused, the attribute is named, and the name of the patient is not
    When the project states why identifiers are accepted
    Then the case is read and keeps the place, not the name

  @REQ-080
  Scenario: Cases come from pairs of files, and a file without a partner is named
    Given three images of two animals and their masks, named by animal and day
    When the files are paired by name
    Then there are three cases of two subjects
    When one mask is taken away
    Then pairing is refused and names the image without a mask

  @REQ-080
  Scenario: Cases come from a table with a second reader
    Given a table of one case with the masks of two readers who agree on half
    When the table is ingested
    Then the case states how far the readers agree
    When the table gains an unknown column
    Then the table is refused with its name and line

  @REQ-281 @RC-128
  Scenario: One series of two patients is refused
    Given a DICOM series of which the third slice states another patient
    When the case is read
    Then it is refused under the rule "series-identity" and both files are named

  @REQ-281 @RC-128
  Scenario: A volume with a wrong checksum is refused
    Given a NIfTI volume whose checksum was changed
    When the case is read
    Then it is refused under the rule "checksum" and the file is named

  @REQ-282
  Scenario: Values that float32 rounds are a finding of validation
    Given an image with whole numbers beyond 16777216
    When it is ingested and validated
    Then the rule "precision-lost" blocks
    When the project lowers the rule with a reason
    Then the report shows the rule, its severity and the reason

  @REQ-276 @RC-15
  Scenario Outline: What image, mask and project state must agree, also where a header names no unit
    Given an image with planes 2 mm apart and a mask whose header has <mask>
    And a project that states <project>
    When the case is read
    Then it is refused with "<one>" and "<other>"

    Examples:
      | mask                  | project              | one                     | other                        |
      | no unit, other planes | no voxel size        | i.nii says 2 × 0.5       | l.nii says 3 × 0.5 × 0.5     |
      | no unit, mirrored     | no voxel size        | i.nii has axes SAR      | l.nii has axes SAL           |
      | no unit, elsewhere    | no voxel size        | origin (0, 0, 0) µm     | origin (500000, 0, 0) µm     |
      | the same              | voxels of 1.5 µm     | i.nii says 2 × 0.5       | minivess.yaml says 1.5 × 1.5 |

  @REQ-276
  Scenario: A header without a unit is read in the unit of the other file, and the case notes it
    Given an image with planes 2 mm apart and a mask whose header has no unit
    And a project that states no voxel size
    When the case is read
    Then its axes are "zyx" and its spacing is "2000 × 500 × 500 um"
    And the case notes "the mask names no unit: mm was used"

  @REQ-311 @RC-15
  Scenario Outline: What a file states in part, or in a space without a name, must agree
    Given a stack in <image> and a mask in <mask>
    And a project that states <project>
    When the case is read
    Then it is refused with "<one>" and "<other>"

    Examples:
      | image                  | mask                     | project            | one                           | other                         |
      | NRRD of no named space | NRRD that is mirrored    | no voxel size      | i.nrrd has axes (0, 0, 2000)  | l.nrrd has axes (0, 0, 2000)  |
      | ImageJ without z       | npy                      | voxels of 1.5 µm   | i.tif says 0.5 × 0.5 µm       | minivess.yaml says 1.5 × 1.5  |
      | TIFF to be turned      | npy                      | voxels of 1.5 µm   | page 1 asks viewers to turn   | mirror it                     |

  @REQ-277
  Scenario: The project answers once which unit the headers mean
    Given an image and a mask whose headers name no unit
    When the case is read
    Then it is refused with "the voxel size is unknown" and a hint at data.unit
    When the project states the unit mm, um and px in turn
    Then the spacing is "2000 × 500 × 500 um", "2 × 0.5 × 0.5 um" and "1 × 1 × 1 px"

  @REQ-278
  Scenario: The subject comes from names by one pattern
    Given three images of two animals and their masks, named by animal and day
    When data.subject_from is "^(rat[0-9])_" and the files are paired
    Then there are three cases of two subjects
    When data.subject_from is "^(mouse[0-9])_" and the files are paired
    Then pairing is refused because a name does not fit data.subject_from

  @REQ-283
  Scenario: A deflated DICOM file is read
    Given a deflated DICOM file
    When the file is read
    Then its values are those that were deflated

  @REQ-284
  Scenario Outline: Compressed files have the values that were written
    Given a file in <form>
    When it is opened
    Then its values are those that were written

    Examples:
      | form                      |
      | DICOM with lossless JPEG  |
      | DICOM with JPEG-LS        |
      | TIFF with Zstandard       |
      | TIFF with real numbers    |

  @REQ-285 @RC-129
  Scenario: When the decoder process ends, the file is refused and the next one is read
    Given a file in DICOM with JPEG-LS
    And the process that decodes it ends
    When it is opened
    Then it is refused with the file's name and "ended the decoder process"
    When the process can run again and it is opened
    Then its values are those that were written

  @REQ-286 @RC-128
  Scenario: A segmentation of another frame of reference is refused
    Given an image in a DICOM series and its mask in DICOM-SEG
    And the mask states another frame of reference
    When the case is read
    Then it is refused under the rule "frame-of-reference" and both files are named

  @REQ-287
  Scenario: A NIfTI pair is read by either name
    Given a volume as a pair of NIfTI files
    When the file "v.hdr" and the file "v.img" are read
    Then both give the voxels that were written
    When the file "v.img" is removed
    Then reading "v.hdr" is refused and names "v.img"

  @REQ-288 @REQ-290
  Scenario: Channels are named, and a fourth axis that may be time is refused
    Given a NIfTI volume of 2 channels whose fourth axis is stated to be a vector
    When the volume is read
    Then it has 2 channels along its last axis
    When its fourth axis has the unit seconds
    Then reading it is refused with "2 steps in seconds" and a way to save one
    When its fourth axis has neither a unit nor an intent
    Then reading it is refused with "whether they are times or channels" and a way to save one

  @REQ-290
  Scenario Outline: Cases of several channels are checked and ingested
    Given cases of 2 channels as <format>
    When they are checked and ingested
    Then each has axes zyxc with the channels in their order, and their names

    Examples:
      | format             |
      | NIfTI              |
      | a pair of NIfTI    |
      | NRRD               |
      | OME-TIFF           |

  @REQ-290
  Scenario: Channels in another order are refused
    Given two cases of OME-TIFF whose channels have another order
    When they are checked and ingested
    Then a network for them is refused with "case a has the channels vessel, nucleus, and case b has nucleus, vessel"
