Feature: Witnesses keep a log from showing two histories
  Whoever runs a log could rewrite it and sign it again. Witnesses vouch for a checkpoint only when it continues what they
  vouched for before; they see its size, its root and a proof, and nothing of what it says.

  Background:
    Given a log with three witnesses of whom two must vouch

  @REQ-054 @RC-16
  Scenario: A checkpoint is vouched for by the witnesses
    When the log asks its witnesses
    Then its checkpoint carries three signatures beside the log's own and verifies with a quorum of two
    And the witnesses were told the log's name, size, root and proof, and nothing else

  @REQ-054
  Scenario: A log that grew is vouched for again, from where each witness stood
    Given the witnesses vouched for the log
    When five entries are added and the log asks its witnesses
    Then its checkpoint carries three signatures beside the log's own and verifies with a quorum of two

  @REQ-054
  Scenario Outline: A quorum is enough, and less is refused
    Given <down> of the witnesses are down
    When the log asks its witnesses
    Then <outcome>

    Examples:
      | down | outcome                                            |
      | 1    | two witnesses vouch for it                         |
      | 2    | it is refused, and it says which ones did not answer |

  @REQ-054
  Scenario: A witness that was restarted remembers
    Given the witnesses vouched for the log
    When the witnesses are restarted
    And five entries are added and the log asks its witnesses
    Then its checkpoint carries three signatures beside the log's own and verifies with a quorum of two

  @REQ-055 @RC-16
  Scenario: A copy of the log that goes on differently is refused as a split view
    Given a copy of the log was put aside
    And the log grew by an entry and the witnesses vouched for it
    When the copy grows by another entry and asks the same witnesses
    Then it is refused as a split view
    And both checkpoints together prove it to anybody

  @REQ-055 @RC-16
  Scenario: A log that was rolled back is found
    Given a copy of the log was put aside
    And the log grew by an entry and the witnesses vouched for it
    When the copy asks the same witnesses
    Then it is refused as rolled back

  @REQ-054
  Scenario: A witness without its memory signs nothing
    Given the state file of a witness is damaged
    Then that witness does not start

  @REQ-054
  Scenario: A log that nobody told the witness about is not served
    When another log asks these witnesses
    Then it is refused, and it says which ones did not answer

  @REQ-154 @RC-16
  Scenario: An auditor compares the log with what a witness saw
    Given the witnesses vouched for the log
    When an auditor asks a witness for the newest checkpoint of the log
    Then it is the log's checkpoint with the signatures of both

  @REQ-154
  Scenario: A log changes its key
    Given a witness accepts the next key of the log as well
    When a checkpoint is signed with the next key
    Then the witness cosigns it
