Feature: RO-Crate metadata
  The metadata of a pack names versions and a profile of RO-Crate. It names only what was checked with the rules of roc-validator.

  @REQ-594
  Scenario: The metadata name the versions and the profile that are checked
    Given a small pack
    Then its metadata name RO-Crate "1.3" and "1.1", the profile of runs "0.5" and no other
    And each file of the pack that is made before the log is in the metadata
    And each completed entry with an output in the pack is an action in the metadata

  @REQ-594 @slow
  Scenario Outline: roc-validator accepts the metadata without a network
    Given a small pack
    When roc-validator checks the metadata with the rules of "<profile>" and the contexts of the disk
    Then each required rule of "<profile>" holds

    Examples:
      | profile               |
      | ro-crate-1.3          |
      | process-run-crate-0.5 |

  @REQ-594 @slow
  Scenario: roc-validator refuses metadata without an instrument
    Given a small pack
    And its actions have no instrument
    When roc-validator checks the metadata with the rules of "process-run-crate-0.5" and the contexts of the disk
    Then the rules are not met because of the instrument
