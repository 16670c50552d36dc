Feature: A project shows where it is and what comes next
  A project runs for months and has several people. The status names the steps that are done and the next command. When a
  command lacks an earlier step, its hint names the first missing one.

  @REQ-198
  Scenario: A folder without a project
    Given an empty folder
    When the status is asked for
    Then it ends with exit code 2, and the hint names "minivess init"

  @REQ-198 @slow
  Scenario Outline: The status of a project names the next step
    Given a project with <state>
    When the status is asked for
    Then the next step is "<next>"
    And no library of machine learning was loaded and no passphrase was asked for

    Examples:
      | state            | next                                             |
      | a project file   | minivess identity create ID --name NAME --role ROLE |
      | people           | minivess audit start                             |
      | a log            | minivess data ingest                             |
      | ingested cases   | minivess data validate                           |

  @REQ-198
  Scenario: The status shows results, times and people
    Given a project with ingested cases
    When the status is asked for
    Then the step "read the cases" is done, with its entry, time, person and "data/manifest.json"

  @REQ-198
  Scenario: A step whose input was made again is outdated
    Given a project with a split
    When other cases are ingested
    And the status is asked for
    Then the step "validate the cases" is outdated because of "data/manifest.json"
    And the next step is "minivess data validate"

  @REQ-198
  Scenario: A file that is gone is missing
    Given a project with ingested cases
    When "data/manifest.json" is removed
    And the status is asked for
    Then the step "read the cases" is missing because of "data/manifest.json"
    And the next step is "minivess data ingest"

  @REQ-198 @slow
  Scenario: Looks, requests and approvals are counted
    Given a project with an exported model
    When a look at the test set is requested
    And the status is asked for
    Then 0 looks are taken, 1 request waits and 0 approvals are open
    And the next step is "minivess test-set approve REQUEST"
    When the request is approved
    And the status is asked for
    Then 1 look is taken, 0 requests wait and 1 approval is open
    And the next step is "minivess evaluate --test-set REQUEST"
    When the model is exported again
    And the status is asked for
    Then the step "request a look at the test set" is outdated because of "the model"

  @REQ-197
  Scenario Outline: The hint of a command names the first missing step
    Given a project with <state>
    When the developer runs "<command>"
    Then the hint names "<first>"

    Examples:
      | state            | command                             | first                  |
      | a project file   | evaluate --test-set x               | minivess identity create |
      | people           | train                               | minivess audit start   |
      | a log            | evaluate --test-set x               | minivess data ingest   |
