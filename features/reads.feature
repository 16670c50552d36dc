Feature: Reading needs no passphrase
  Reviewers and auditors read the log and the reports without a passphrase. Only commands that add an entry ask for one.

  @REQ-190
  Scenario: The list of commands that need a passphrase is complete
    Then docs/reference/commands.md lists every command once

  @REQ-190 @slow
  Scenario: Commands that read work without any passphrase
    Given a project with cases, a log and no passphrase in the environment
    When every command that is listed without a passphrase is run with stdin closed
    Then each of them works
    And the log and its lineage events are as they were

  @REQ-190
  Scenario: Commands that add an entry ask for the passphrase first
    Given a project with cases, a log and no passphrase in the environment
    When every command that is listed with a passphrase is run with stdin closed
    Then each is refused because a passphrase is needed
    And the log and its lineage events are as they were

  @REQ-191 @slow
  Scenario: A validation without a passphrase is recorded when the data are split
    Given a project with cases, a log and no passphrase in the environment
    When the cases are validated without a passphrase
    Then the report is there, and a line says that it is not in the log yet
    When the developer splits the cases
    Then the log has the validation with the digest of the report, and after it the split

  @REQ-191
  Scenario: A validation report that was edited does not let cases pass
    Given a project whose validation blocks
    When the findings are taken out of data/validation.json
    And the developer splits the cases
    Then the split is refused because validation blocks these cases
    And the log has the validation with the digest of the report
