Feature: Checking the sources of data
  All cases of a project are read and judged in one run. Every fault is listed by rule. While one blocks, no case is
  taken.

  @REQ-300
  Scenario: One run lists the faults of all cases before there is a key or a log
    Given a project folder with 8 cases, of which 1 file is missing, 2 are cut short and 1 mask has another shape
    And a line of its table is malformed
    When "data check" is run
    Then it ends with exit code 1
    And it lists 1 finding of "file-missing", 2 of "file-truncated", 1 of "shape-differs" and 1 of "case-list"
    And each finding names its case or line, and its file
    And there is no log and no prepared case

  @REQ-300 @RC-131
  Scenario Outline: After a repair only what was changed is read again
    Given a project folder with 3 cases, of which one file is cut short
    When "data check" is run
    And the file is repaired, and <change> of another case that was read well
    And "data check" is run again
    Then it ends with exit code 0
    And the other case is as its files say

    Examples:
      | change                       |
      | nothing is changed           |
      | the staged image is changed  |
      | the staged record is changed |
      | the source is changed        |

  @REQ-300 @RC-132
  Scenario: No case is taken while a finding blocks
    Given a project whose log has an ingest of 2 cases
    When the source of one case is changed and that of the other is cut short
    And the developer ingests the cases
    Then it is refused with "file-truncated" and the entry of the log says so
    And the prepared cases and the manifest are as they were
    When the source that was cut short is repaired, and the developer ingests the cases
    Then the log has the ingest of both cases as their files are now

  @REQ-301
  Scenario: A finding has one form at the terminal and in JSON
    Given a project folder with 3 cases, of which one file is cut short
    When "data check" is run as text and as JSON
    Then both have the file, the rule, what was found, what was expected and what to do

  @REQ-302
  Scenario: A lowered rule is in the entry of the ingest and is shown with its result
    Given a project whose image has bytes that its header does not account for
    When the developer ingests the cases
    Then it is refused with "bytes-left-over" and the entry of the log says so
    When the project lowers "bytes-left-over" to a warning because "a footer of the camera"
    And the developer ingests the cases
    Then the entry of the log has the rule, its usual severity and "a footer of the camera"
    And "data check" shows the rule with "a footer of the camera"

  @REQ-302
  Scenario Outline: A rule about whole files is never lowered
    Given a project folder with 3 cases, of which one file is cut short
    When the project lowers "<rule>" to a warning because "we know"
    And "data check" is run
    Then it is refused because the rule cannot be lowered

    Examples:
      | rule           |
      | checksum       |
      | file-truncated |
      | arrays-match   |

  @REQ-303
  Scenario: Without data.root the cases are below the project folder, also where a table names absolute paths
    Given a project folder without data.root, and a table with a relative and an absolute path
    When "data check" is run
    Then it ends with exit code 0
    When the table names a file beyond the project folder
    And "data check" is run
    Then it lists 1 finding of "path-outside"

  @REQ-304
  Scenario: Commands on data say something before they load what they need
    When each command on data starts
    Then its first line is on stderr within 1 s of processor time, before NumPy is loaded
