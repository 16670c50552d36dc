Feature: The log accepts only actions that their actors may perform
  A signature shows who acted. The action table that the log adopted decides who may perform which action. It is applied
  in the same way when an entry is appended and when it is verified.

  @REQ-130 @RC-40
  Scenario Outline: A service cannot perform actions of people
    Given a log with a developer, a reviewer, a release manager and a service
    When the service appends a completed "<action>"
    Then it is refused because "may not append"
    And the log has no new entry

    Examples:
      | action            |
      | training          |
      | model.export      |
      | evaluation        |
      | model.promote     |
      | criteria.register |
      | release.build     |

  @REQ-130 @RC-40
  Scenario: Verification finds an entry that the log would refuse
    Given a log in which a service entered a model export
    When it is verified
    Then both verifiers name the entry of the export

  @REQ-131 @RC-41
  Scenario: A person who trained a model cannot approve a look with it
    Given a log in which Eva, who is developer and reviewer, trained the model
    When Eva's approval of a look is entered
    Then both verifiers name the entry of the approval

  @REQ-132 @RC-42
  Scenario: A changed column does not restore a revoked key
    Given a log with a developer, a reviewer, a release manager and a service
    And the reviewer's key was revoked
    And the action column of the revocation was changed
    When the reviewer appends a validation
    Then it is refused because "was revoked"

  @REQ-132 @RC-42
  Scenario: Nothing is appended to a log in which an earlier entry was changed
    Given a log with a developer, a reviewer, a release manager and a service
    And the bytes of an earlier entry were changed
    When the developer appends a validation
    Then it is refused because "entry 2 of the log was changed"
    And opening the log for writing is refused because "entry 2"

  @REQ-130 @RC-40
  Scenario: A log of version 0.1.0 adopts the table by a threshold of its roots
    Given the log of version 0.1.0
    When one root signs for the newest table and it is adopted
    Then it is refused because "it takes 2"
    When a second root signs and it is adopted
    Then the log follows table 2 from the next entry on
    And the log verifies with all its earlier entries

  @REQ-225
  Scenario Outline: A release does not rest on an entry that is not what it says
    Given a log in which a release is prepared that rests on <what>
    Then both verifiers name the entry of the preparation

    Examples:
      | what                              |
      | an entry by another digest        |
      | an entry of another action        |
      | a run of another action           |
