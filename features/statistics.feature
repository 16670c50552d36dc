Feature: Statistics count independent groups and state what they cover
  Cases that share an animal, an acquisition or an image are one group. Means, intervals and guarantees count groups.

  @REQ-242 @RC-105
  Scenario: Twelve stacks of one animal count as one group
    Given 12 cases of one animal and one case each of 5 other animals
    When they are evaluated
    Then the interval of each mean is over 6 groups and 17 cases
    And its limits are those of 6 animals with one case each

  @REQ-242
  Scenario: The calibration error weighs each animal the same
    Given 12 cases of one animal and one case each of 5 other animals
    When they are evaluated
    Then the calibration error is that of 6 animals with one case each

  @REQ-242
  Scenario: A seal fixes groups and statistics
    Given a project with cases that are near duplicates
    When its test part is sealed
    Then the terms of the seal name the statistics "mean of groups" by "group"
    And the analysis plan has the same

  @REQ-242
  Scenario: A project that was sealed before keeps its statistics
    Given a seal that does not state its statistics
    When the analysis plan is made
    Then it has the statistics "mean of cases" by "subject"
    And the terms of the seal are not laxer than before

  @REQ-244 @RC-105
  Scenario: An interval over few groups states what it covers
    Given one case each of 6 animals
    When they are evaluated
    Then the interval of Dice is by Student's t over the animals
    And the percentile bootstrap is beside it and has a lower simulated coverage
    And the table of measures names method, groups, cases, nominal and simulated coverage

  @REQ-244
  Scenario: One group has no interval, and the table says so
    Given 12 cases of one animal
    When they are evaluated
    Then there is no interval, because there is one group

  @REQ-245
  Scenario: That none of six failed is compatible with many failures
    Given one case each of 6 animals
    When they are evaluated
    Then the share of failures is "0 of 6 failed: up to 39 % may"
    And a criterion of at most 0.3 on the upper bound of failures is not met

  @REQ-246
  Scenario: Too few groups bound no quantile
    Given one case each of 28 animals
    When an upper bound of the 0.9 quantile is asked for
    Then it is not met, because 29 groups are needed
