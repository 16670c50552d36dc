Feature: A log only grows, and a release can be revoked in it
  Who has two packs of a device can see that the second continues the first. A release that is not to be used any longer is
  revoked by an entry, which verification and the service follow.

  @REQ-574 @RC-242
  Scenario: The second pack continues the log of the first
    Given two releases of one device in one log, the second signed
    When the second pack is verified with the first as the previous one
    Then it is VERIFIED, and the entries of the first are the first of its log
    And the differences that it states follow from both packs

  @REQ-574 @RC-242
  Scenario Outline: A log that was not continued is found
    Given two releases of one device in one log, the second signed
    And <what>
    When the second pack is verified with the first as the previous one
    Then it is NOT VERIFIED because of "<check>", with "<words>"

    Examples:
      | what                                                              | check              | words                    |
      | the first pack is of another history                              | log growth         | has another entry        |
      | the first pack lost a file                                        | previous pack      | is missing               |
      | the second pack states other differences, and both people signed it | stated differences | states other differences |

  @REQ-575 @RC-242
  Scenario: A revoked release is not verified against a newer log
    Given two releases of one device in one log, of which the first was revoked before the second
    When the first pack is verified with the second as the newer log
    Then it is REVOKED with exit code 1, with the reason and what users must do
    And the first pack alone is VERIFIED
    And the second pack names the revocation of the previous one

  @REQ-575 @slow
  Scenario: A release is revoked by a person who may do so
    Given a project with a signed release
    When the release manager revokes it at the command line
    Then the log has the entry with reason, instructions and who decided
    And the pack is REVOKED against the log of the project
    And a second revocation, and one of an unknown release, are refused
    And a developer cannot revoke a release

  @REQ-576 @RC-243
  Scenario: The service refuses the model of a revoked release until it is promoted again
    Given a service that follows the log, with a model in production
    When the release of the model is revoked
    Then the service refuses answers and names the revocation
    And it answers again after the model was promoted again
