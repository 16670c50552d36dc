Feature: Evidence of earlier versions
  Version 0.1.0 wrote logs, proofs, receipts and packs. Each later version reads them and gives a verdict on them.

  @REQ-140
  Scenario: A log of 0.1.0 is verified
    Given a workspace that version 0.1.0 wrote
    When its log is opened for reading
    Then the log verifies with the trust file and continues the checkpoint kept earlier
    And it has an entry of each action of version 0.1.0
    And the erased details are the only ones that are missing

  @REQ-140
  Scenario Outline: Changed evidence of 0.1.0 is refused
    Given a workspace that version 0.1.0 wrote
    When a user changes <what> in its log
    Then verification refuses the log

    Examples:
      | what                       |
      | a byte of an entry         |
      | a byte of its details      |
      | the signature of the head  |

  @REQ-140
  Scenario Outline: Proofs of 0.1.0 are verified
    Given <what> that version 0.1.0 wrote
    Then it verifies with the trust file, and the verdict is limited
    And it does not verify when a byte of its entry is changed

    Examples:
      | what             |
      | entry.tlog-proof |
      | receipt.json     |

  @REQ-140 @slow
  Scenario: A pack of 0.1.0 is verified
    Given the pack that version 0.1.0 wrote
    Then release verify and verify.py find nothing wrong, and the verdict is limited with the trust file
    And both refuse it when the model in it is changed

  @REQ-140
  Scenario: Work continues in a workspace of 0.1.0
    Given a workspace that version 0.1.0 wrote
    When Ada unlocks her key and records a validation
    Then the log verifies and has one entry more
