Feature: The sealed test set opens once, under a second person's signature
  A measured performance is worth something only when the test cases had no part in making the model. The test part
  lies encrypted; opening it takes criteria fixed beforehand, a request, and somebody else's signature.

  Background:
    Given a project whose test part is sealed for the reviewer Rosa

  @REQ-021
  Scenario: Criteria come first
    Given no acceptance criteria are registered
    When Ada asks to open the test set
    Then it is refused because "not in the log"

  @REQ-021 @REQ-022 @RC-03
  Scenario: The whole way, once
    Given the acceptance criteria are registered
    And Ada has asked to open the test set
    And Rosa has approved it
    When Ada evaluates
    Then the evaluation has measures for every sealed case
    And the log shows criteria, request, approval and opening in this order

  @REQ-022 @RC-03
  Scenario: A second opening needs a second signature
    Given Ada has evaluated once under Rosa's approval
    When Ada evaluates
    Then it is refused because "used already"
    And the refusal is an entry of the log

  @REQ-022 @RC-03
  Scenario: Nobody opens without an approval
    Given the acceptance criteria are registered
    And Ada has asked to open the test set
    When Ada evaluates
    Then it is refused because "not approved"
    And the refusal is an entry of the log

  @REQ-022 @RC-03 @RC-08
  Scenario: Nobody approves their own request
    Given the acceptance criteria are registered
    And Rosa has asked to open the test set
    When Rosa approves it
    Then it is refused because "cannot approve it"
    And the refusal is an entry of the log

  @REQ-022 @RC-03
  Scenario: An approval is for one model
    Given the acceptance criteria are registered
    And Ada has asked to open the test set
    And Rosa has approved it
    And the exported model is replaced by another
    When Ada evaluates
    Then it is refused because "another model"

  @REQ-022
  Scenario: An approval is for one configuration
    Given the acceptance criteria are registered
    And Ada has asked to open the test set
    And Rosa has approved it
    And the project file is changed afterwards
    When Ada evaluates
    Then it is refused because "another configuration"

  @REQ-015 @RC-03
  Scenario: A changed sealed file is not opened
    Given the acceptance criteria are registered
    And Ada has asked to open the test set
    And Rosa has approved it
    And one byte of a sealed file is changed
    When Ada evaluates
    Then it is refused because "sealed"
    And the opening has been counted all the same

  @REQ-023
  Scenario: The openings are counted from the log
    Given Ada has evaluated once under Rosa's approval
    And Ada has evaluated once more under a new approval
    When the count is asked for
    Then it says 2 openings, by whom, and who approved
