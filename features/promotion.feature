Feature: The log defines which model is in production

  @REQ-060
  Scenario: A release manager moves models between stages
    Given a project with an exported model
    When Max puts it into production
    Then the log says that it is in production
    And putting it there again is refused
    And a model without an export is refused
    And Ada may not promote it

  @REQ-060
  Scenario: One model at most is in production
    Given a log in which two models were exported
    When the first and then the second is put into production
    Then the second is in production and the first is retired
