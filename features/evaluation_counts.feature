Feature: The figures of an evaluation follow from counts
  The file of an evaluation holds counts of each case. A reader computes every measure, mean and interval from them again.

  Background:
    Given an evaluation of four cases of three animals

  @REQ-214
  Scenario: The file holds counts, and ratios are derived from them
    When its file is read
    Then each case has counts of its measures, of the baseline and of the bins, and no ratio
    And the Dice of each case is 2 tp / (2 tp + fp + fn)

  @REQ-214
  Scenario: Counts that contradict one another are refused
    When one true positive is added to the counts of Dice alone
    Then reading it is refused, and the message names the case and both sizes of the reference

  @REQ-214
  Scenario: The file of version 0.1.0 is read as it was written
    When the evaluation in the pack of version 0.1.0 is read
    Then its cases have the ratios that it states
    And it is written without a format

  @REQ-215
  Scenario: An interval is repeated with the standard library
    When a script of the standard library resamples the Dice of the cases by animal
    Then mean and both limits are equal to the last bit

  @REQ-215
  Scenario: The order of the cases has no influence
    When the same cases are evaluated in another order
    Then every figure is the same

  @REQ-216
  Scenario: Figures that follow from the counts pass the check
    When its file is read
    Then the check finds no difference

  @REQ-216 @RC-90
  Scenario: A figure that does not follow from the counts is named
    When the lower limit of Dice is raised in its file
    Then the check names "aggregates.dice.lower" with both values

  @REQ-216 @RC-90
  Scenario: A count that was changed is found by the figure that depends on it
    When one border voxel more is within the tolerance in its file
    Then the check names "aggregates.nsd.mean" with both values
