Feature: The report of an evaluation
  A clinician reads the summary in a minute, and an auditor finds every figure, case and method. The page needs no network.

  @REQ-399
  Scenario: Every figure of the report follows from the record
    Given an evaluation of 8 cases in 4 groups
    When its report is written
    Then each measure of the page has the mean and the interval of the record
    And the table has each case once with its values, the worst first

  @REQ-399
  Scenario: What the record does not have is named in a sentence
    Given an evaluation of 8 cases in 4 groups
    When its report is written
    Then the page says that there are no pictures, no subgroups and no criteria

  @REQ-400 @RC-160
  Scenario: Cases in pictures are chosen by the record and the seed
    Given an evaluation of 8 cases in 4 groups
    And pictures of all cases, drawn in any order
    When its report is written
    Then it shows the worst, the median and the best case and two that the seed draws, in three planes and projections
    And the same cases are shown when they were drawn in another order

  @REQ-401 @RC-159
  Scenario Outline: A report on the <part> part is marked on each page
    Given an evaluation of 8 cases in 4 groups
    And an acceptance criterion that it meets
    When its report on the <part> part is written
    Then the mark is at its top and in the margin of each printed page
    And no criterion is judged

    Examples:
      | part        |
      | validation  |
      | calibration |

  @REQ-402
  Scenario: The report begins with the verdict and the answers to five questions
    Given an evaluation of 8 cases in 4 groups
    And an acceptance criterion that it meets
    When its report is written
    Then the verdict is that the criterion is met
    And the summary has the mean Dice, the worst case, the difference to the threshold, the calibration error and the groups

  @REQ-403
  Scenario: The report refers to nothing outside and shows hostile names as text
    Given an evaluation of 8 cases in 4 groups
    And a device, a data set and a subgroup whose names are HTML
    And pictures of all cases, drawn in any order
    When its report is written
    Then the page has one script, which its policy names by digest
    And each link is to a place in the page or holds its own data
    And the names are text

  @REQ-318
  Scenario: A printed report leads from its contents to each section
    Given an evaluation of 8 cases in 4 groups
    And a further section about a case whose name closes a style and a string
    When its report is written
    Then the contents has the number of each section in the order of the page, the further one among them
    And each section is printed on pages whose foot has its number, and its title unless it is the further one
    And the foot of every page has its number and the number of all pages
