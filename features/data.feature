Feature: Data
  Volumes come from files or from the generator, are brought to one form with a known voxel size, checked, split by
  subject, and versioned, before anything is learnt from them.

  @REQ-010
  Scenario: The generator is deterministic by seed
    Given a synthetic data set of 3 subjects made with seed 11
    When it is made again with seed 11 in another folder
    Then every image and every mask has the same digest
    When it is made again with seed 12 in another folder
    Then no image has the same digest

  @REQ-011
  Scenario: A NIfTI image, a TIFF mask and OME-XML metadata become one case
    Given an image in NIfTI without a unit of length
    And its mask in a TIFF stack with the values 0 and 254
    And OME-XML that states voxels of 5 by 0.994 by 0.994 micrometres
    When the case is ingested
    Then its axes are z, y and x and its spacing is 5 by 0.994 by 0.994 micrometres
    And its mask is binary and the values met are 0 and 254

  @REQ-012
  Scenario Outline: A malformed or disagreeing file is refused with what, where and a hint
    Given a case whose <file> is <flaw>
    When the case is ingested
    Then it is refused with a message that names "<named>" and says "<says>"
    And nothing of the case was written

    Examples:
      | file  | flaw               | named      | says      |
      | image | cut short          | image.nii  | truncated |
      | image | a text file        | image.nii  | NIfTI     |
      | mask  | missing            | mask.tif   | no such   |
      | mask  | of another shape   | mask.tif   | shape     |
      | mask  | a picture          | mask.tif   | mask      |

  @REQ-012 @RC-10
  Scenario: A file larger than allowed is refused before its voxels are read
    Given a compressed NIfTI file that unpacks to more voxels than the limit
    And a TIFF stack with more voxels than the limit
    When each is read within the limit
    Then each is refused because of the limit
    And a file at the limit is read

  @REQ-012 @RC-15
  Scenario: An unknown voxel size is refused
    Given an image, a mask and no statement of the voxel size
    When the case is ingested
    Then it is refused with a message that names "image.nii" and says "unknown"
    And the hint asks for a spacing with its unit

  @REQ-012 @RC-15
  Scenario: Voxel sizes that disagree are refused
    Given an image, a mask and OME-XML that states voxels of 5 by 0.994 by 0.994 micrometres
    And a project file that states voxels of 5 by 1.2 by 1.2 micrometres
    When the case is ingested
    Then it is refused with a message that names "image.nii" and says "0.994"

  @REQ-013 @RC-02
  Scenario: Subjects that share an acquisition stay in one part
    Given 6 subjects, of which the first two share an acquisition
    When the data are split with 40 different seeds
    Then the first two subjects are never in different parts
    And no subject is ever in two parts

  @REQ-013 @RC-02
  Scenario: A split that leaks is refused and names both cases
    Given 6 subjects, of which two have the identical image
    When a split puts one of them in train and the other in test
    Then the split is refused and both cases are named

  @REQ-016
  Scenario: Every version of the data has a DVC digest
    Given a synthetic data set of 3 subjects made with seed 11
    When it is versioned with DVC
    Then the digest is the one in DVC's own file and fits into a log entry
    When one voxel of a mask is changed and it is versioned again
    Then the digest is another
