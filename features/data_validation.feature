Feature: Validation of data
  Cases are checked one by one and as a set before training. The report shows a picture of every offending case. A
  profile describes the images in figures.

  @REQ-047 @RC-30
  Scenario: Validation reports and blocks
    Given a data set with an empty mask, a constant image and one image said to be of two subjects
    When it is validated
    Then the pipeline is blocked by the rules mask-empty, image-varies and duplicate-image
    And every finding that blocks names its case

  @REQ-081
  Scenario Outline: The case table is checked as a whole
    Given a data set in which <flaw>
    When it is validated
    Then the rule <rule> finds it with the severity <severity>

    Examples:
      | flaw                                   | rule              | severity |
      | two ids differ only by case            | id-case           | warning  |
      | two subjects are spelt almost alike    | subject-spelling  | warning  |
      | every case is its own subject          | subjects-own      | warning  |
      | spacings are mixed                     | mixed-spacing     | note     |
      | units are mixed                        | mixed-units       | warning  |
      | axes are mixed                         | mixed-axes        | warning  |
      | scanners are mixed                     | mixed-scanners    | note     |
      | a modality is alone                    | modality-alone    | warning  |
      | orientations are mixed                 | mixed-orientation | warning  |
      | an affine and its spacing disagree     | affine-agrees     | block    |

  @REQ-082
  Scenario: A project lowers a rule that blocks, with a reason that stays visible
    Given a data set with an empty mask
    And a project that lowers the rule mask-empty to a note because "healthy controls"
    When it is validated
    Then the pipeline is not blocked
    And the finding is still reported, as a note
    And the report shows the rule, its usual severity and "healthy controls"

  @REQ-082
  Scenario: A rule that blocks is not lowered without a reason
    Given a data set with an empty mask
    And a project that lowers the rule mask-empty to a note without a reason
    When it is validated
    Then it is refused with "without a reason"

  @REQ-083
  Scenario: The report of pictures of two classes counts pixels and names the colours of outlines
    Given pictures of arteries and veins, one of which has specks
    When it is validated and the report is made
    Then the report counts pixels, has no planes, and names the outlines artery and vein with their colours

  @REQ-083
  Scenario: The report shows every offender
    Given a data set with a saturated volume, a picture with specks and a file that was changed
    When it is validated and the report is made
    Then the report has a picture of the volume's plane and projection, and of the picture
    And each picture, rule and case is named, and says what it means and what to do
    And the page loads nothing and runs nothing
    And where a case is sealed its picture can be taken out while its findings stay

  @REQ-309
  Scenario: The report of a large set stays one small file
    Given a data set of 40 cases with 5000 findings of four rules
    When its report is made
    Then each rule has pictures of its first 24 findings and lists 300 more in words
    And the page counts the findings that only validation.json names
    And the page is smaller than 1 MB and has each picture once

  @REQ-309
  Scenario: The reports name what the search for copies did not look at
    Given a data set with a saturated volume, a picture with specks and a file that was changed
    When it is validated and the report is made
    Then the report counts the compared images and names the copies that are not found
    And the page about leaks names the same and counts the sealed cases

  @REQ-084
  Scenario: The profile describes the set and each scanner, the same every time
    Given a data set from two scanners
    When it is profiled twice
    Then both profiles have the same bytes
    And the set and each scanner have a histogram, noise, signal to noise and sharpness
    And every voxel is in the histogram of the set, and the histograms of the scanners add up to it

  @REQ-301
  Scenario: What many cases have in common is one finding about the set
    Given 28 pictures with specks in their masks, of which 9 are on another scale of intensities
    And 9 further pictures with empty masks
    When they are validated
    Then intensity-outlier and mask-specks are one finding each, with a histogram and their cases
    And mask-empty blocks with a finding for each of 9 cases
    And the terminal shows 5 of these 9 and how many more there are
