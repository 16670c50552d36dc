Feature: Model card
  The card of a released model is made from its records. What no record contains is called not stated or not recorded.

  @REQ-397
  Scenario: The card cites the entries of seal, approval and evaluation
    Given a small release
    When its model card is made
    Then it cites the entry of the seal as the one that encrypted the test part before training
    And it cites the entries of the approval and of the evaluation for the figures

  @REQ-397
  Scenario: A test part that was sealed after training is not called sealed before
    Given a small release whose seal is a later entry than the training
    When its model card is made
    Then it does not state that the test part was encrypted before training

  @REQ-397
  Scenario: What is missing is named
    Given a small release whose records are those of before
    When its model card is made
    Then intended users, parameters and PyTorch of the training are named as missing
    And no row of the card is "None"

  @REQ-397
  Scenario: Figures by subgroup are on the card
    Given a small release whose cases are of two sites
    When its model card is made
    Then both cards have Dice of each site with groups, mean and the reason why there is no interval

  @REQ-397
  Scenario: Without attributes there are no subgroups
    Given a small release
    When its model card is made
    Then the page states that there are no subgroups

  @REQ-397
  Scenario: Statements of the project are on the card
    Given a small release whose project states users, limits and modality
    When its model card is made
    Then both cards contain the statements

  @REQ-397
  Scenario: How the members were trained is on the card
    Given a small release whose members have full records of their training
    When its model card is made
    Then both cards have loss, augmentation, parameters, time, device, threads and PyTorch of the members

  @REQ-397
  Scenario: A calibration that made an error larger is named
    Given a small release whose calibration made the error of the border larger
    When its model card is made
    Then both cards report the error of the border before and after, and that it became larger

  @REQ-397
  Scenario: A weak interval and an undefined distance are limits
    Given a small release with an interval that covers too little and a distance that is undefined
    When its model card is made
    Then the limits name both

  @REQ-397
  Scenario Outline: Programs read the figures of the card for Hugging Face
    Given a small release of <classes>
    When its model card is made
    Then the metadata of the card for Hugging Face have each figure of the record, and the licence of the weights

    Examples:
      | classes     |
      | one class   |
      | two classes |

  @REQ-397
  Scenario: The pack has both cards
    Given a small release of one class
    When its pack is built
    Then both verifiers accept the pack, and it has both cards
    When the figures of the card for Hugging Face are changed in the pack
    Then both verifiers refuse the pack

  @REQ-397
  Scenario: Text of the project cannot change the card for Hugging Face
    Given a small release whose project states lines of three dashes, pipes and tags
    When its model card is made
    Then the card for Hugging Face has the same metadata and the same headings as without them
