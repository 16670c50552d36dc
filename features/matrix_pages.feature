Feature: Pages of the matrix
  An auditor browses the whole graph as files, without a server and without the network. The same graph is available as
  a table.

  Background:
    Given a source tree whose chain from risk to result is whole

  @REQ-070
  Scenario: The matrix as pages
    When the pages are written
    Then the start page shows the verdict and links to every kind of item
    And the page of "REQ-001" names its need, its code and its scenario
    And no page refers to anything outside the folder

  @REQ-070 @RC-11
  Scenario: The start page shows broken links
    Given in "features/sum.feature" the text "@RC-01" becomes "@slow"
    When the pages are written
    Then the start page says that "RC-01" is not verified

  @REQ-510
  Scenario: The site opens with a row from each hazard to the code
    When the pages are written
    Then the matrix has the row HAZ-01, RISK-01, RC-01, REQ-001, nothing, Two and two, thing.sums.add

  @REQ-510 @RC-210
  Scenario: A chain that ends early has its row, and a gap is shown at its item
    Given a risk without a control, and a control without a scenario
    When the pages are written
    Then the matrix has the row HAZ-01, RISK-01, nothing, nothing, nothing, nothing, nothing
    And the matrix has the row nothing, nothing, RC-01, REQ-001, nothing, Two and two, thing.sums.add
    And the matrix shows at "RC-01" that it has no scenario that shows its effect

  @REQ-267
  Scenario: Each relation keeps its name
    Given a risk control that brings a new risk
    When the pages are written
    Then the page of "RC-01" lists "REQ-001" as "is implemented by" and "RISK-02" as "brings"
    And the list of risk controls and the matrix name both relations
    And the table of items names both relations

  @REQ-267
  Scenario: A test without a result was not run for this release
    Given a test of "REQ-001" without a result
    When the pages are written
    Then the page of "REQ-001" states that its test and its scenario were not run for this release

  @REQ-070
  Scenario: Only generated pages are replaced
    Given a folder with another file
    When the pages are written into it
    Then they are refused and the file is still there

  @REQ-070
  Scenario Outline: The matrix as a table
    When the matrix is written as <form>
    Then the table holds every item once

    Examples:
      | form |
      | csv  |
      | xlsx |
      | json |

  @REQ-195
  Scenario: The matrix as data follows its published schema
    When the matrix is written as json
    Then the data fit docs/schemas/trace.json
    But the data of another format do not fit it

  @REQ-070
  Scenario: The matrix in the terminal
    When the matrix is shown for the kind "REQ"
    Then only "REQ-001" is shown

  @REQ-106
  Scenario: The pages of a project show who reviewed what, and which reviews are out of date
    Given a project of that tree whose links were all reviewed by "rosa"
    When the pages of the project are written
    Then the page of "REQ-001" says that the review "derives-from UN-01" by "rosa" holds, and at which entry
    When in "requirements/all.yaml" the text "The user needs trust." becomes "The auditor needs trust."
    And the pages of the project are written
    Then the page of "REQ-001" says that the review "derives-from UN-01" by "rosa" is out of date because "UN-01 has changed"

  @REQ-106
  Scenario: A line in the file of reviews is no signature
    Given a project of that tree whose links were all reviewed by "rosa"
    And a user writes a review of the present text of "REQ-001" into the file of reviews
    When the pages of the project are written
    Then the page of signatures says that 1 link has no signature

  @REQ-106
  Scenario: Pages of a tree without a log state that no log was read
    When the pages are written
    Then the page of signatures says that no log was read

  @REQ-511 @RC-211
  Scenario: The page of an entry names the items that it is evidence for
    Given a project of that tree whose links were all reviewed by "rosa"
    When the pages of the project are written
    Then the page of the entry of the review names "REQ-001" with "reviewed by rosa"
    And the page of the entry that created the log names no item
    And the page of "REQ-001" links to the page of the entry of the review

  @REQ-511
  Scenario: The command that explains an entry names the items that it is evidence for
    Given a project of that tree whose links were all reviewed by "rosa"
    When the entry of the review is explained
    Then "1 software requirements: REQ-001; reviewed by rosa (derives-from UN-01)" is among its evidence
    But an entry whose source tree cannot be read states that this is not known
