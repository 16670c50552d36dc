Feature: Changes to the log's history are detected
  An auditor must be able to rely on the audit log. Recorded entries stay recorded, in their order. Anyone can check
  that offline from the entries and one signed checkpoint.

  @REQ-002 @RC-06
  Scenario: An untouched log is accepted
    Given a log of a whole development story with its signed checkpoint
    When a user verifies the log
    Then every check holds

  @REQ-002 @RC-06
  Scenario Outline: Tampering with the log is found and the first bad entry is named
    Given a log of a whole development story with its signed checkpoint
    When an attacker <tampering>
    And a user verifies the log
    Then the verification fails and says "<words>"

    Examples:
      | tampering                                     | words                         |
      | removes entry 5                               | entry 5 is missing            |
      | removes the last entry                        | entry 13 is missing           |
      | swaps entries 5 and 6                         | entry 5 is missing            |
      | repeats entry 5                               | entry 5 occurs twice  |
      | rewrites the payload of entry 13              | entry 13 (scenarios) was changed |
      | lets the actor of the last entry sign another | Merkle root                   |
      | signs the checkpoint with another key         | no signature by the log key   |

  @REQ-002
  Scenario: A grown log is proven to continue the earlier log
    Given a log of a whole development story with its signed checkpoint
    Then the log of 4 entries is proven to be its beginning
    And a log of 4 entries with other content is not

  @REQ-028
  Scenario: A receipt is verified without the log
    Given a log of a whole development story with its signed checkpoint
    When the receipt of entry 5 is verified with the keys alone
    Then every check holds

  @REQ-028 @RC-06
  Scenario: A receipt for another answer is refused
    Given a log of a whole development story with its signed checkpoint
    When the receipt of entry 5 is verified with the text of entry 6 in it
    Then the verification fails and says "another entry"
