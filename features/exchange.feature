Feature: Exchange with other tools
  Items can be imported from other tools and exported to them. Each item that cannot be taken is reported.

  Background:
    Given a source tree whose chain is whole

  @REQ-075
  Scenario: A table with foreign ids and columns
    Given a table in German with semicolons, its own ids, a dangling link and an unknown column
    When it is imported
    Then each row is a new requirement that keeps its own id as origin
    And the dangling link, the unknown column and the missing rationale are reported with their lines
    And nothing is written on a dry run

  @REQ-075
  Scenario: The same file is imported twice
    Given a table of requirements that lacks nothing
    When it is imported
    And it is imported again
    Then the second import brings nothing new

  @REQ-075
  Scenario Outline: Exported items can be imported without loss
    When all items are exported as <form> and imported into an empty tree
    Then they are the same items

    Examples:
      | form  |
      | csv   |
      | xlsx  |
      | reqif |
      | json  |

  @REQ-075 @RC-11
  Scenario: Results of another runner
    Given JUnit results in which the test of "REQ-001" and "RC-01" was skipped
    When they are taken as results of this tree by "ada"
    Then "REQ-001" counts as untested
