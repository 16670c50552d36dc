Feature: A person's keys are in their own profile
  A workspace is copied, shared and rolled back. A person's keys must not be copied with it. They are in the profile of
  that person's account. The project has a public record of each person.

  @REQ-161 @RC-07
  Scenario: Keys go to the profile and the public record to the project
    Given a project that was just started
    When Ada creates her identity
    Then her keys are in her profile, where her account alone can read them
    And the project has her public record and no key of hers

  @REQ-161
  Scenario: A log starts with the people of the project as its roots
    Given a project that was just started
    When Ada creates her identity
    And she starts the log
    Then she is its root, and she signs entries with the keys of her profile

  @REQ-161
  Scenario: One person works in two projects
    Given a project that was just started
    And Ada has an identity in another project, as release manager
    When Ada creates her identity
    Then both projects know the same keys, each with the roles that she has there

  @REQ-161
  Scenario: A copy of the workspace has no key of a person
    Given a project that was just started
    When Ada creates her identity
    Then a user with a copy of the workspace and another account cannot sign as Ada

  @REQ-161 @REQ-162
  Scenario: Keys in a workspace of version 0.1.0 are read where they are, with a warning
    Given a workspace of version 0.1.0 with the keys of Ada, of Bo of a demonstration and of a service
    Then Ada's keys open, and a warning names the command that moves them
    And `minivess doctor` warns that Ada's keys are in the workspace

  @REQ-162 @RC-07 @slow
  Scenario Outline: The keys of people are moved to the profile
    Given a workspace of version 0.1.0 with the keys of Ada, of Bo of a demonstration and of a service
    When Ada imports <what>
    Then Ada's keys are in her profile alone and open with the same passphrase
    And the keys of Bo and of the service are still in the workspace

    Examples:
      | what                 |
      | the workspace        |
      | its keystore folder  |

  @REQ-162
  Scenario Outline: An interrupted import continues
    Given a workspace of version 0.1.0 with the keys of Ada, of Bo of a demonstration and of a service
    And an import was interrupted <moment>
    When Ada imports the workspace
    Then Ada's keys are in her profile alone and open with the same passphrase

    Examples:
      | moment                            |
      | after the key file was copied     |
      | after the public record was written |

  @REQ-162
  Scenario: An import does not overwrite other keys
    Given a workspace of version 0.1.0 with the keys of Ada, of Bo of a demonstration and of a service
    And Ada has an identity in another project, as release manager
    When Ada imports the workspace
    Then each of the two projects opens the keys that it knows

  @REQ-162
  Scenario: An import that would mix up two people moves nothing
    Given a workspace of version 0.1.0 with the keys of Ada, of Bo of a demonstration and of a service
    And the workspace has a public record of another Ada
    When Ada imports the workspace
    Then the import is refused and her keys are still in the workspace

  @REQ-163
  Scenario: Two logs of one device have two names
    Then two logs that are started for one device have different names
