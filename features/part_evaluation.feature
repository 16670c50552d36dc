Feature: Evaluation of parts that are not the test set
  A model can be evaluated at any time on cases that its members did not learn from. Such figures are marked, and no
  acceptance criterion and no release gate takes them.

  Background:
    Given a project with a trained and exported model, three training groups and two calibration groups

  @REQ-422 @RC-168 @slow
  Scenario: The validation part has the cases that no member learned from
    When the validation part is evaluated
    Then its cases are those that the members held out
    And nothing of the sealed test set was read
    And the log has no new entry

  @REQ-401 @REQ-422 @slow
  Scenario: The marks are in the record and on the terminal
    When the validation part is evaluated on the command line
    Then the record states the validation part
    And the terminal says that the figures are not those of the test set
    And each page of its report is marked, and has pictures of its cases

  @REQ-423 @RC-167
  Scenario: The calibration part is judged with what was fitted on other groups
    When the calibration part is evaluated
    Then each case has thresholds that were fitted without its group

  @REQ-424
  Scenario: MLflow has the figures and the files
    When the validation part is evaluated
    Then an MLflow run has the mean Dice and the record as an artifact

  @REQ-422 @RC-169
  Scenario: A record of another part is no evaluation of the test set
    When the validation part is evaluated
    Then its record is refused as an evaluation of the test set by both verifiers

  @REQ-422 @RC-168
  Scenario: A member of another split is refused
    Given a member whose training names another split
    When the validation part is evaluated
    Then it is refused because a member was trained on another split

  @REQ-422
  Scenario: A model that held nothing out is refused with a hint
    Given the members held no case out
    When the validation part is evaluated
    Then it is refused with a hint to the calibration part

  @REQ-422
  Scenario: The request or the part is stated, and not both
    When both a request and a part are given
    Then the command says that one of them is needed
