Feature: Statistical acceptance criteria
  Acceptance criteria are data. The software computes from the results of single cases whether they are met. A typed
  verdict does not count.

  Background:
    Given the criterion "lower 95 % bound of the median clDice at least 0.80 over 20 cases or more, for each scanner"

  @REQ-069
  Scenario: Good results in every stratum meet it
    Given 24 cases a scanner with a clDice about 0.90 on "A" and 0.88 on "B"
    When the criterion is judged
    Then it is met in both strata

  @REQ-069 @RC-11 @RC-31
  Scenario: A failing stratum is not hidden by the others
    Given 24 cases a scanner with a clDice about 0.95 on "A" and 0.78 on "B"
    When the trace check judges the criterion
    Then it reports that the criterion is not met for scanner "B"

  @REQ-069
  Scenario: A good mean with too few cases is not enough
    Given 12 cases a scanner with a clDice about 0.95 on "A" and 0.95 on "B"
    When the criterion is judged
    Then it is not met, because 12 cases are too few

  @REQ-069
  Scenario: A case without a result counts against it
    Given 24 cases a scanner with a clDice about 0.95 on "A" and 0.95 on "B"
    And one case has no clDice
    When the criterion is judged
    Then it is not met, because the measure is undefined for that case

  @REQ-244 @REQ-246
  Scenario: A criterion that is met states how
    Given 24 cases a scanner with a clDice about 0.90 on "A" and 0.88 on "B"
    When "trace check" judges the table of cases
    Then it reports "SAC-01: scanner A: met" with "order statistic 8 of 24 groups, 24 cases, confidence 95 %, exact"

  @REQ-069
  Scenario: Too few subjects give no bound of a median
    Given the cases of each scanner are those of 3 subjects, one of which went badly
    When the criterion is judged
    Then it is not met, although the median of the cases is above the limit
