Feature: A release is built when every gate passes, and signed by two people

  Background:
    Given a project that has everything a release needs

  @REQ-035
  Scenario: A gate that fails stops the build
    Given a release policy that asks for a Dice of at least 0.999
    When the release is built
    Then it is refused, naming the gate "dice", by how much it fails and how to fix it
    And there is no pack
    And the refusal is an entry of the log

  @REQ-021 @RC-03
  Scenario: A policy that is laxer than the registered criteria fails
    Given the evaluation misses a registered criterion that the policy does not ask for
    When the release is built
    Then it is refused, naming the gate "criteria", by how much it fails and how to fix it

  @REQ-021 @RC-03
  Scenario: A policy cannot leave the registered criteria out
    Given a release policy without the gate "criteria"
    When the release is built
    Then it is refused as a policy that does not judge the registered criteria

  @REQ-229 @REQ-035
  Scenario: Everything that a release lacks is listed before it is built
    Given a release policy that asks for a Dice of at least 0.999
    And a member was trained that no ensemble uses
    When the release is checked at the command line
    Then each failing gate and each further reason has its own line with its own hint, and the exit code is 1
    And the JSON of the check says the same
    And nothing was recorded

  @REQ-229 @REQ-226
  Scenario: A check of a complete project reports no reason
    When the release is checked at the command line
    Then it names the entries that the release rests on, and the exit code is 0
    And nothing was recorded

  @REQ-227 @RC-96
  Scenario: A model that was not evaluated is not released with the figures of another model
    Given another model was trained, exported and never evaluated
    When the release is built
    Then it is refused because "the evaluation of entry"
    And it is refused because "the release is of model sha256:"
    And there is no pack

  @REQ-229
  Scenario: A build that was interrupted after its preparation is started again
    Given the release was prepared and its pack could not be written
    When the release is built
    Then there is a pack, and the log names its digest
    And the pack's log ends with the second preparation

  @REQ-035 @REQ-036
  Scenario: All gates pass
    When the release is built
    Then there is a pack, and the log names its digest
    And the gate "criteria" reports how many registered criteria are met

  @REQ-037 @RC-08
  Scenario: One signature is not enough
    Given the release is built
    And Rosa has signed it
    When the pack is verified
    Then it does not hold because of its signatures

  @REQ-037 @RC-08 @RC-13
  Scenario: Two people sign
    Given the release is built
    And Rosa has signed it
    And Max has signed it
    When the pack is verified
    Then it holds

  @REQ-037 @RC-08
  Scenario: The same person does not sign twice
    Given the release is built
    And Rosa has signed it
    When Rosa signs it again
    Then it is refused because "already"

  @REQ-036 @RC-06
  Scenario: A training run without a disposition stops the build
    Given a member was trained that no ensemble uses
    When the release is built
    Then it is refused, naming the gate "runs", by how much it fails and how to fix it

  @REQ-134 @RC-43
  Scenario: A release needs the cosignature of each holder of the test set's key
    Given the release is built
    And Rosa has signed it
    And Max has signed it
    When Rosa's cosignature is taken out of the pack
    Then both verifiers say that "rosa" has not cosigned

  @REQ-134 @RC-43
  Scenario: The cosignature of another history does not count
    Given the release is built
    And Rosa has signed it
    And Max has signed it
    When Rosa's cosignature is replaced by one of an earlier checkpoint
    Then both verifiers say that "rosa" has not cosigned
