Feature: People, keys and signatures
  A signature in the log identifies one person who knew what they signed. Keys are encrypted with a passphrase. The log
  defines roles and keys. One person cannot do what requires two.

  @REQ-006 @RC-07
  Scenario: Keys open with their passphrase and with no other
    Given a keystore with the keys of a person
    Then the right passphrase unlocks them
    And a wrong passphrase is refused in one line with a hint
    And the key file can be read by its owner alone and is wrapped with Argon2id over 64 MiB

  @REQ-006 @RC-07
  Scenario: A weakened key file is refused
    Given a keystore with the keys of a person
    When an attacker rewrites the key file to use 8 KiB of memory
    Then unlocking is refused as damage

  @REQ-007
  Scenario: A signature states what was meant
    Given a log with a developer, a reviewer and a release manager
    When the reviewer signs a release
    Then the signature states name, time, meaning, role, policy, what was shown and the head of the log

  @REQ-007
  Scenario: A signature in a role that the signer does not have is refused
    Given a log with a developer, a reviewer and a release manager
    When the developer tries to sign as reviewer
    Then it is refused with "does not hold the role independent-reviewer"

  @REQ-008 @RC-08
  Scenario: Two different people satisfy the release policy
    Given a log with a developer, a reviewer and a release manager
    When the reviewer and the release manager sign
    Then the release policy is satisfied

  @REQ-008 @RC-08
  Scenario: One person with both roles does not count as two
    Given a log with a developer, a reviewer and a release manager
    When one person with both roles signs twice
    Then it is refused with "signed twice"

  @REQ-008 @RC-08
  Scenario: One signature does not count twice
    Given a log with a developer, a reviewer and a release manager
    When only the reviewer signs
    Then it is refused with "a signature is missing: approval by release-manager"

  @REQ-008 @RC-08
  Scenario: A policy without requirements is refused
    Given a log with a developer, a reviewer and a release manager
    When the signatures are judged by a policy without rules
    Then it is refused with "is empty"

  @REQ-009
  Scenario: A revoked key stops counting at its index
    Given a log with a developer, a reviewer and a release manager
    When the release manager revokes the reviewer
    Then the reviewer's key counts before that entry and not from it on

  @REQ-009
  Scenario: A developer cannot give out roles
    Given a log with a developer, a reviewer and a release manager
    When the developer enrols a friend as release manager
    Then the log is refused with "may not enrol"
