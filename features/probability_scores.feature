Feature: Scores of probabilities
  Each case has sums and bins of its probabilities. Brier score, log likelihood, calibration error, precision and recall follow from them.

  @REQ-382
  Scenario: A figure is a mean over groups and not over voxels
    Given a small case with bad probabilities and a large case with good ones
    When their evaluation is recorded
    Then the Brier score of the record is the mean of both cases with an interval
    And it is twice as far from zero as the mean over all voxels

  @REQ-382
  Scenario: The precision-recall curve of a case follows from its bins
    Given a case of 100 vessel voxels, of which 80 have a probability of 0.9
    When its precision and recall are read at the threshold 0.5
    Then the recall is 0.8, and its average precision is that of the curve

  @REQ-383 @RC-155
  Scenario Outline: A case with <fault> is refused
    Given an evaluation whose cases have scores
    When the file has <fault>
    Then reading it is refused with "<words>"

    Examples:
      | fault                                           | words                                          |
      | fine bins of another reference                  | positives, the bins                            |
      | a sum of probabilities that its bins do not have | have a probability of                         |
      | a larger Brier score along the border           | is larger along the border than in the volume  |

  @REQ-384
  Scenario: A shape of another size than the bins is refused
    Given an evaluation whose cases have scores
    When the file has a shape of another size
    Then reading it is refused with "its shape has"
