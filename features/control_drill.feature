Feature: Drill of risk controls
  A control that works is missed when it is away. What nobody misses was never shown to work.

  Background:
    Given a source tree whose control adds sums twice

  @REQ-073
  Scenario: A control that is missed
    Given the scenario of the control expects a wrong sum to be refused
    When the control is taken away
    Then its absence is noticed

  @REQ-073
  Scenario: A control that nobody misses
    Given the scenario of the control looks at nothing
    When the control is taken away
    Then its absence is reported as unnoticed, with exit 1

  @REQ-073
  Scenario: A scenario that fails anyway shows nothing
    Given the scenario of the control fails
    When the control is taken away
    Then the drill says that it could not check

  @REQ-073
  Scenario: Results without a control are not recorded
    Then pytest refuses to record results while a control is away
