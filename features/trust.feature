Feature: A verifier decides what to trust
  A trust file names the key of the log, its witnesses, its roots, the people who may sign and the signatures that a
  release needs. Every command checks a checkpoint from outside against the trust file.

  @REQ-150 @REQ-151 @RC-50
  Scenario Outline: Every command requires the quorum of witnesses
    Given a trust file that asks for two of three witnesses
    When <one> of them vouched for the checkpoint
    Then the log, a proof of it and a comparison are <verdict>

    Examples:
      | one   | verdict  |
      | one   | refused  |
      | two   | accepted |
      | three | accepted |

  @REQ-151 @RC-50
  Scenario: A trust file of this version is written and used
    Given a workspace with a log
    When its trust file is written
    Then the log verifies with it
    And a copy of the log that was rolled back does not

  @REQ-151 @RC-50
  Scenario: A note that is not UTF-8 is refused
    Given a workspace with a log
    When a byte of its checkpoint is not UTF-8
    Then a comparison with it is refused

  @REQ-152
  Scenario: A trust file of version 0.1.0 limits the verdict
    Given a workspace with a log
    When a trust file of version 0.1.0 is used
    Then a proof is accepted with a warning
    And the service does not start with the trust file of another log

  @REQ-153
  Scenario Outline: A checkpoint is read as the C2SP texts say
    Given a workspace with a log
    When its checkpoint <has>
    Then it is <read>

    Examples:
      | has                                           | read     |
      | has a signature line of an unknown key        | accepted |
      | has the log's signature line a second time    | refused  |
      | has a key name with a plus sign               | refused  |
      | has lines that end with a carriage return     | refused  |
