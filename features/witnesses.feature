Feature: Witnesses detect a log with two histories
  The log's operator could rewrite it and sign it again. A witness cosigns a checkpoint only when it continues the one
  before. It sees the size, the root and a proof of the log, not its contents.

  Background:
    Given a log with three witnesses of whom two must vouch

  @REQ-054 @RC-16
  Scenario: The witnesses cosign a checkpoint
    When the log asks its witnesses
    Then its checkpoint carries three signatures beside the log's own and verifies with a quorum of two
    And the witnesses received only the log's name, size, root and proof

  @REQ-054
  Scenario: A grown log is cosigned again from the last state of each witness
    Given the witnesses vouched for the log
    When five entries are added and the log asks its witnesses
    Then its checkpoint carries three signatures beside the log's own and verifies with a quorum of two

  @REQ-054 @slow
  Scenario Outline: A quorum of witnesses is required
    Given <down> of the witnesses are down
    When the log asks its witnesses
    Then <outcome>

    Examples:
      | down | outcome                                            |
      | 1    | two witnesses vouch for it                         |
      | 2    | it is refused, and it says which ones did not answer |

  @REQ-054 @slow
  Scenario: A restarted witness continues from its stored state
    Given the witnesses vouched for the log
    When the witnesses are restarted
    And five entries are added and the log asks its witnesses
    Then its checkpoint carries three signatures beside the log's own and verifies with a quorum of two

  @REQ-055 @RC-16
  Scenario: A log that is continued in two ways is refused as a split view
    Given a copy of the log was put aside
    And the log grew by an entry and the witnesses vouched for it
    When the copy grows by another entry and asks the same witnesses
    Then it is refused as a split view
    And both checkpoints together prove it to anyone

  @REQ-055 @RC-16
  Scenario: A log that was rolled back is refused
    Given a copy of the log was put aside
    And the log grew by an entry and the witnesses vouched for it
    When the copy asks the same witnesses
    Then it is refused as rolled back

  @REQ-054
  Scenario: A witness with a damaged state does not start
    Given the state file of a witness is damaged
    Then that witness does not start

  @REQ-054
  Scenario: A witness refuses a log that it does not know
    When another log asks these witnesses
    Then it is refused, and it says which ones did not answer

  @REQ-154 @RC-16
  Scenario: An auditor compares the log with what a witness saw
    Given the witnesses vouched for the log
    When an auditor asks a witness for the newest checkpoint of the log
    Then it is the log's checkpoint with the signatures of both

  @REQ-154 @slow
  Scenario: A log changes its key
    Given a witness accepts the next key of the log as well
    When a checkpoint is signed with the next key
    Then the witness cosigns it
