Feature: Every action is recorded
  Every action is an entry in the audit log, signed by the person or service that acted. An action that cannot be
  recorded does not start. Failed actions are recorded too. The log contains no data about patients or about the
  machine.

  Background:
    Given a project with an audit log and the developer Ada

  @REQ-001
  Scenario: An action leaves a signed entry with actor, inputs and circumstances
    When Ada validates the data with seed 7
    Then the log ends with a "started" and a "completed" entry of "data.validate" by Ada
    And the last entry names the commit state, the configuration, the environment, the seed and the file that was made
    And an independent verification of the log holds

  @REQ-001
  Scenario: An entry that was acknowledged survives a process that is killed
    When a process that appends entries is killed in the middle of its work
    Then every entry it was given a receipt for is in the log
    And an independent verification of the log holds

  @REQ-001
  Scenario: Two processes write at the same time
    When two processes append 10 entries each at the same time
    Then the log holds 21 entries without a gap
    And an independent verification of the log holds

  @REQ-003
  Scenario Outline: An action does not start when it could not be recorded
    Given the log <cannot be written>
    When Ada starts <an action>
    Then it is refused before anything was done, because the log cannot be written
    And the log is as it was

    Examples:
      | cannot be written         | an action     |
      | is on a read-only medium  | a training    |
      | is on a read-only medium  | a disposition |
      | is held by something else | a training    |
      | is held by something else | a disposition |

  @REQ-004
  Scenario Outline: An action that does not succeed is recorded as well
    When Ada's training ends with <an end>
    Then the log ends with a "started" and a "<outcome>" entry of "training" by Ada
    And the last entry says "<reason>"
    And the last lineage event is "<event>"

    Examples:
      | an end           | outcome | reason                             | event |
      | an error         | failed  | ValueError: the loss is not finite | FAIL  |
      | an interruption  | failed  | KeyboardInterrupt                  | FAIL  |
      | a rule saying no | refused | RefusedError: the gate is closed   | ABORT |

  @REQ-005
  Scenario: Entry and lineage event are stored together or not at all
    Given the disk fails when the lineage event is stored
    When Ada tries to record a validation
    Then neither the entry nor the event is in the log

  @REQ-005
  Scenario: Lineage events survive an outage and arrive in order
    Given the lineage file cannot be written
    When Ada validates the data 3 times
    And the lineage file can be written again but ends with half an event
    And the waiting events are delivered
    Then 6 lineage events have arrived, in the order of their entries

  @REQ-017
  Scenario: The entry of a training names its run in the experiment tracker
    When Ada trains a network that a tracker listens to
    Then the last entry names the run the tracker made
    And the lineage event names it as well

  @REQ-046 @RC-14
  Scenario: A field that the action does not declare stays out of the log
    When Ada records a validation with the field "patient" set to "Jane Doe"
    Then it is refused, naming the field "patient"
    And "Jane Doe" is in none of the files of the log

  @REQ-004 @RC-14
  Scenario: An error message that names a patient's file is recorded without it
    When Ada's training fails because "/clinic/Jane Doe/scan.tif" cannot be read
    Then the log ends with a "started" and a "failed" entry of "training" by Ada
    And "Jane" is in none of the files of the log
    And "clinic" is in none of the files of the log

  @RC-14
  Scenario: A file outside the project cannot be named in the log
    When Ada records an output called "/clinic/Jane/scan.tif"
    Then it is refused
    And "Jane" is in none of the files of the log
