Feature: Figures by subgroup, and where the errors are
  A mean over all cases can hide a site, a scanner or a group of people for whom the device does badly. The evaluation has the
  attributes of each case and counts errors by place.

  @REQ-414
  Scenario: A case states attributes, and its record has them without the age
    Given a table of cases with the columns disease, sex, age and attributes
    When the cases are ingested
    Then the record of a case has its disease, its sex, the band of its age and its other attributes
    And the age of no case is in the records
    And a case without attributes is written as before

  @REQ-414 @RC-166
  Scenario Outline: An attribute that can say who is in an image is refused
    When a case states the attributes "<stated>"
    Then it is refused with "<words>"

    Examples:
      | stated                  | words                           |
      | patient_id=7            | can say who is in an image      |
      | scanned=2024-03-05      | has no date                     |
      | study=1234567           | no number of six or more digits |
      | age=44                  | has a field of its own          |

  @REQ-421
  Scenario: Attributes are stated in a table of participants
    Given images that are paired by name, and a participants.tsv of BIDS with age and sex of each subject
    When the cases are ingested
    Then the record of each case has the sex and the band of the age of its subject
    And a table that names none of the subjects is refused

  @REQ-414
  Scenario: The rows of an evaluation have the attributes of their cases
    Given two volumes from the sites A and B
    When a predictor is evaluated on them
    Then each row has site, modality and the band of its depth
    And both verifiers read the row

  @REQ-415 @RC-164
  Scenario: A site where the device does badly is shown first
    Given 8 animals of site A with good masks and 8 animals of site B with bad masks
    When the subgroups are computed by Dice
    Then site B is first, with its mean, its interval and its gap to the rest
    And the gap has a simulated coverage and a P value that is adjusted for all divisions

  @REQ-415
  Scenario: Animals that were imaged on two scanners are compared with themselves
    Given 8 animals that were each imaged on the scanners X and Y
    When the subgroups are computed by Dice
    Then the interval of the gap between the scanners is that of paired differences

  @REQ-416 @RC-165
  Scenario: A subgroup of few animals has no interval and no P value
    Given 8 animals of site A with good masks and 4 animals of site B with bad masks
    When the subgroups are computed by Dice
    Then site B is first, without an interval and with "too few groups"
    And its gap to the rest has no interval

  @REQ-416
  Scenario: Cases that do not state an attribute are a subgroup
    Given 8 animals of site A and 6 animals of no site
    When the subgroups are computed by Dice
    Then one subgroup of the site is "not stated", with 6 groups

  @REQ-416
  Scenario: The worst cases are listed with their attributes
    Given 8 animals of site A with good masks and 4 animals of site B with bad masks
    When the 3 worst cases are listed
    Then they are of site B, the worst first

  @REQ-417
  Scenario Outline: Missed voxels are counted where they are
    Given a <image> with a thick vessel and a thin vessel
    When a predictor that misses the thin vessel is evaluated
    Then the missed voxels are those with the radius of the thin vessel
    And one of two components is missed as a whole
    And the sums of each table are those of Dice

    Examples:
      | image  |
      | volume |
      | plane  |

  @REQ-417
  Scenario: A missed voxel that was moved to another bin is refused
    Given a volume with a thick vessel and a thin vessel
    When a missed voxel is added to a table of places
    Then reading the row is refused, and the message names the table

  @REQ-418
  Scenario: The agreement of two readers is in the record of a case
    Given a table of 2 cases, one of them with the mask of a second reader who misses the thin vessel
    When the cases are ingested
    Then the record of that case has the digest of the second mask and the counts of Dice and clDice of both readers
    And no second mask is in the folder of the prepared cases
    When a model that answers the first reader's mask is evaluated on the cases
    Then the row of that case has the counts of the readers, and that of the other case has none

  @REQ-314
  Scenario: Distances between the masks of two readers are shown beside those of the model
    Given a table of 2 cases, one of them with the mask of a second reader who misses the thin vessel
    When the cases are ingested
    And a model that answers the first reader's mask is evaluated on the cases
    Then NSD, HD95, HD, ASSD and MASD of the readers are those of both masks, at the tolerance of the plan
    And the report has a table of the readers beside the model, with the unit of the distances

  @REQ-418
  Scenario: The agreement of two readers is shown beside that of the model
    Given 8 animals whose readers agree better than the model does with the first reader
    When the readers are compared with the model
    Then the gap is below 0 with an interval of paired differences, over the cases of two readers alone
    And it is printed after the subgroups

  @REQ-419
  Scenario: A statistical criterion is judged in the strata of an evaluation
    Given 8 animals of site A with good masks and 8 animals of site B with bad masks
    When a criterion on Dice by site is judged by the file of the evaluation
    Then it is met at site A and not at site B

  @REQ-420
  Scenario: The subgroups are printed after an evaluation
    Given 8 animals of site A with good masks and 8 animals of site B with bad masks
    When the evaluation is printed
    Then the table names site B before site A, with groups, intervals and gaps
    And it says that intervals are not adjusted

  @REQ-417 @REQ-418 @REQ-414
  Scenario Outline: Both verifiers refuse a pack with <fault>
    Given a pack of a model with the classes 1 artery and 2 vein, with attributes, places of errors and readers
    When the pack has <fault>
    Then both verifiers refuse it and name "<words>"

    Examples:
      | fault                                     | words                        |
      | a missed voxel that is counted twice      | missed by radius             |
      | false voxels in bins of the wrong order   | components                   |
      | more missed components than there are     | components                   |
      | a larger mask of the first reader         | the first reader's mask      |
      | a skeleton of a reader inside nothing     | is more than                 |
      | a border of a reader that is too near     | is more than                 |
      | other attributes of one class             | attributes                   |
      | another sex than in the data set          | case-00.attributes           |
