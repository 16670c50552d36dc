Feature: Performance measurements are sound
  Each case is measured by stated conventions. Means have intervals that respect subjects. The best intensity threshold
  is reported as a baseline beside the network.

  @REQ-024
  Scenario: Every case is measured by the same stated conventions
    Given a predictor and four labelled cases of two animals
    When the predictor is evaluated
    Then every case has Dice, clDice, NSD and HD95
    And the record states tolerance, connectivity, skeleton and the rules for empty masks

  @REQ-024
  Scenario: A predictor that finds nothing gets low scores
    Given a predictor that finds nothing in one of four labelled cases
    When the predictor is evaluated
    Then that case scores 0 in Dice, clDice and NSD, and its HD95 is listed as undefined
    And a criterion on HD95 is not met, however loose

  @REQ-024
  Scenario: A prediction outside the vessel scores zero, not "not a number"
    Given a prediction that is entirely beside the vessel
    When both are compared
    Then Dice and clDice are 0

  @REQ-024
  Scenario: More cases of the same animals do not narrow the interval
    Given the scores of three animals
    When each score is repeated ten times for the same animal
    Then the interval is as wide as before

  @REQ-024
  Scenario: Prediction has no access to labels
    Given a predictor and four labelled cases of two animals
    When the predictor is evaluated
    Then each label was fetched only after the prediction of its case

  @REQ-200
  Scenario: A new measure is in records, criteria and reports
    Given a new measure with a row in the table and a function
    And a predictor and four labelled cases of two animals
    When the predictor is evaluated
    Then every case and the aggregates have the new measure
    And a criterion on the new measure is judged
    And the table of cases has a column for the new measure

  @REQ-025
  Scenario: The best intensity threshold is reported beside the network
    Given a predictor and four labelled cases of two animals
    When the predictor is evaluated
    Then every case also has the Dice of the tuned threshold
    And the gain over the threshold is reported with an interval

  @REQ-024 @REQ-025
  Scenario: Criteria are judged with their margin
    Given a predictor and four labelled cases of two animals
    When the predictor is evaluated
    And it is judged by a mean Dice of at least 0.5 and of at least 0.999
    Then the first criterion is met and the second is missed by what the margin says
