Feature: Tool qualification
  The installed software is checked with phantoms, known answers and tampering. The report states intended use, risk and outcome.

  @REQ-590 @slow
  Scenario: Every check passes on this machine
    When the software is qualified outside of a project
    Then the exit code is 0
    And checks of the kinds "phantom", "known answer" and "tampering" passed, each with comparisons

  @REQ-590 @RC-250
  Scenario: A library that computes wrongly is named
    Given an installation whose overlaps are too high
    When the software is qualified outside of a project
    Then the exit code is 1
    And the check "planted-errors" failed with the first wrong value

  @REQ-590 @RC-250
  Scenario: A verifier that accepts everything is named
    Given an installation whose "verify.py" accepts every pack
    When the software is qualified outside of a project
    Then the exit code is 1
    And the check "changed-pack" failed with the verifier "verify.py"

  @REQ-590
  Scenario Outline: A check that cannot be made is not passed
    Given an installation with a check that <fault>
    When the software is qualified outside of a project
    Then the exit code is 1
    And the check "stand-in" failed with "<words>"

    Examples:
      | fault            | words                                |
      | compares nothing | nothing was compared                 |
      | ends in an error | it ended with ZeroDivisionError      |
      | lacks a library  | not run, because made_up is not installed |

  @REQ-591
  Scenario: The report outside of a project is not signed
    Given an installation with a check that passes
    When the software is qualified outside of a project
    Then the exit code is 0
    And page and JSON state intended use, risk, requirements, versions and what is not shown
    And the page states that it is not signed

  @REQ-591
  Scenario: A project records the report with a signature
    Given an installation with a check that passes
    And a project with a log
    When "max" qualifies the software in the project
    Then an entry of "max" names the digest of the report, the code and the outcome
