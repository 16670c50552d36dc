Feature: Traceability
  An auditor follows each hazard to its control, requirement, test and result. The check reports each broken link with
  the file and the line to fix.

  Background:
    Given a source tree whose chain from risk to result is whole

  @REQ-031
  Scenario: A complete chain has no gap
    When the trace check runs with results in which everything passed
    Then there is no gap

  @REQ-030
  Scenario Outline: A malformed item is refused with its file and line
    Given in "<file>" the text "<old>" becomes "<new>"
    When the trace check runs
    Then it refuses at "<place>" and hints "<hint>"

    Examples:
      | file                  | old        | new       | place                    | hint       |
      | requirements/all.yaml | rationale: | rational: | requirements/all.yaml:9  | rationale  |
      | requirements/all.yaml | functional | functionl | requirements/all.yaml:10 | functional |
      | risk/controls.yaml    | kind:      | knd:      | risk/controls.yaml:5     | kind       |

  @REQ-031 @RC-11
  Scenario Outline: Each broken link is reported with file and line
    Given in "<file>" the text "<old>" becomes "<new>"
    When the trace check runs
    Then it reports "<gap>" of "<item>" at "<place>"

    Examples:
      | file                  | old            | new       | gap                       | item    | place                   |
      | requirements/all.yaml | [UN-01]        | []        | missing-link              | UN-01   | requirements/all.yaml:2 |
      | risk/controls.yaml    | [REQ-001]      | [REQ-010] | unknown-id                | REQ-010 | risk/controls.yaml:2    |
      | features/sum.feature  | @REQ-001       | @REQ-010  | unknown-id                | REQ-010 | features/sum.feature:2  |
      | features/sum.feature  | @REQ-001       | @slow     | untested-requirement      | REQ-001 | requirements/all.yaml:6 |
      | features/sum.feature  | @RC-01         | @slow     | unverified-control        | RC-01   | risk/controls.yaml:2    |
      | src/thing/sums.py     | REQ-001        | RC-01     | unimplemented-requirement | REQ-001 | requirements/all.yaml:6 |
      | risk/risks.yaml       | harm: HARM-01  | harm: HS-01 | wrong-target            | RISK-01 | risk/risks.yaml:2       |
      | requirements/all.yaml | [UN-01]        | [UN-01, REQ-001] | circular-link      | REQ-001 | requirements/all.yaml:6 |

  @REQ-032
  Scenario: Links are read from code that cannot be run
    Given the code begins by importing a library that is not installed and by writing a file
    When the trace check runs
    Then the requirement "REQ-001" is linked to "thing.sums.add"
    And the code was not run

  @REQ-033 @RC-11
  Scenario Outline: Only a passed result verifies
    When the trace check runs with a result that <outcome>
    Then the requirement "REQ-001" counts as <verdict>
    And it reports "<gap>" of "REQ-001" at "requirements/all.yaml:6"
    And it reports "unverified-control" of "RC-01" at "risk/controls.yaml:2"

    Examples:
      | outcome | verdict  | gap                  |
      | failed  | failed   | failed-requirement   |
      | skipped | untested | untested-requirement |

  @REQ-033 @RC-11
  Scenario: A failure is shown at each item that depends on it
    When the trace check runs with a result that failed
    Then "UN-01", "RC-01" and "RISK-01" count as failed too

  @REQ-033 @RC-11
  Scenario: Results of another tree do not count
    Given results in which everything passed were recorded
    And in "src/thing/sums.py" the text "a + b" becomes "a - b"
    When the trace check runs with those results
    Then the requirement "REQ-001" counts as stale
    And it reports "untested-requirement" of "REQ-001" at "requirements/all.yaml:6"

  @REQ-033
  Scenario: A test session records what it ran, on what, and by whom
    When "Ada" runs a session with one passing, one failing and one skipped test
    Then the results name "Ada", the digest of the tree and that of the lock file
    And the results hold one passed, one failed and one skipped test of "REQ-001"

  @REQ-031
  Scenario: A scenario that no test ran is reported
    When the trace check runs with results in which the scenario is missing
    Then it reports "unbound-scenario" of "Two and two" at "features/sum.feature:3"

  @REQ-193
  Scenario: Every verdict is about the files as they were read
    Given the source tree was read with results in which everything passed
    When in "requirements/all.yaml" the text "[UN-01]" becomes "[]" and in "risk/risks.yaml" "p1: 1" becomes "p1: 2"
    Then its gaps, its risk file and its pages are about the files as they were read
    But a tree that is read now has gaps

  @REQ-192 @RC-11
  Scenario Outline: A slow scenario may be left out while other results verify what it is for
    Given the feature has a second scenario "Many numbers" with the tags "<tags>"
    When the trace check runs with results in which everything passed
    Then the scenario "Many numbers" is <reported>

    Examples:
      | tags                  | reported     |
      | REQ-001, RC-01, slow  | not reported |
      | REQ-001, RC-01        | reported     |
      | REQ-001, RC-01, other | reported     |
      | REQ-002, slow         | reported     |

  @REQ-192 @RC-11
  Scenario: A requirement counts as not run when its only scenario is slow and was left out
    Given in "features/sum.feature" the text "@REQ-001 @RC-01" becomes "@REQ-001 @RC-01 @slow"
    When the trace check runs with results of a run that left out the slow scenarios
    Then the requirement "REQ-001" counts as untested
    And it reports "untested-requirement" of "REQ-001" at "requirements/all.yaml:6"
    And it reports "unverified-control" of "RC-01" at "risk/controls.yaml:2"
    And it reports "unbound-scenario" of "Two and two" at "features/sum.feature:3"

  @REQ-074 @RC-11 @RC-33
  Scenario Outline: Counts from use reopen a risk whose level rises
    Given in <uses> uses the situation of "RISK-01" came about <situations> times and did no harm
    When the trace check runs
    Then the risk "RISK-01" is <state>

    Examples:
      | uses | situations | state    |
      | 1000 | 3          | kept     |
      | 1000 | 40         | reopened |

  @REQ-074
  Scenario: A hazard that leads to no risk is reported
    Given a hazard "HAZ-02" that leads to no risk
    When the trace check runs
    Then it reports "missing-link" of "HAZ-02" at "risk/more.yaml:2"

  @REQ-220
  Scenario Outline: A tree without any item of a kind does not pass the check
    Given the tree has no <kind>
    When the trace check runs
    Then it reports "nothing-to-check" of "<kind>" at "<folder>:1"
    And "minivess trace check" ends with exit code 1 and says "there is no <one> in <folder>/"

    Examples:
      | kind         | one          | folder       |
      | requirements | requirement  | requirements |
      | risks        | risk         | risk         |
      | controls     | risk control | risk         |
      | scenarios    | scenario     | features     |

  @REQ-220
  Scenario: An empty tree cannot be justified
    Given the tree has no requirements
    And a justification of "nothing-to-check requirements"
    When the trace check runs
    Then it refuses at "requirements/justifications.yaml:2" because it "cannot be justified: write what is missing"
