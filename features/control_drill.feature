Feature: Drill of risk controls
  A drill removes one risk control and runs its scenarios. At least one scenario must fail without the control.

  Background:
    Given a source tree whose control adds sums twice

  @REQ-073 @slow
  Scenario: A scenario fails without the control
    Given the scenario of the control expects a wrong sum to be refused
    When the control is taken away
    Then its absence is noticed

  @REQ-073 @slow
  Scenario: No scenario fails without the control
    Given the scenario of the control looks at nothing
    When the control is taken away
    Then its absence is reported as unnoticed, with exit 1

  @REQ-073 @slow
  Scenario: A scenario that already fails with the control is no evidence
    Given the scenario of the control fails
    When the control is taken away
    Then the drill says that it could not check

  @REQ-073 @slow
  Scenario: The outcome of the drill is signed and kept with the results of the tree
    Given the scenario of the control looks at nothing
    And a project has recorded the results of that tree
    When "max" drills the controls of the project
    Then the control is a gap "has no scenario that fails without it"
    And an entry of "max" names the results with what the drill found
    When the tree changes
    Then "max" is refused to drill the controls of the project

  @REQ-073
  Scenario: Results without a control are not recorded
    Then pytest refuses to record results while a control is away

  @REQ-213
  Scenario Outline: Without pytest-bdd the command names the extra that is missing
    Given a project has the source tree
    And pytest-bdd is not installed
    When "<command>" is run
    Then it answers "pytest-bdd is not installed" with the hint "pip install 'minivess[pytest]'" and exit 3

    Examples:
      | command          |
      | trace run        |
      | risk drill RC-01 |

  @REQ-213 @slow
  Scenario: An installed package with the extra runs the scenarios of a tree
    Given the scenario of the control expects a wrong sum to be refused
    And a project has the source tree
    And the package is installed from its wheel, with the extra "pytest" and nothing else
    When "trace run" and "risk drill RC-01" are run with the installed package
    Then the scenario passed, and the absence of the control is noticed
