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

  @REQ-382
  Scenario: An evaluation counts the probabilities of each case
    Given a predictor and three volumes, one of them without a vessel
    When they are evaluated
    Then each case has the Brier score, log likelihood and average precision of its voxels
    And the case without a vessel has no average precision and no score along the border

  @REQ-382 @REQ-383
  Scenario Outline: Both verifiers refuse a pack with <fault>
    Given a pack whose cases have scores
    When its evaluation has <fault>
    Then both verifiers refuse the pack and name "<words>"

    Examples:
      | fault                                  | words                                |
      | a better Brier score                   | aggregates.brier.mean is 0.000100    |
      | a lower limit of the border's log likelihood | aggregates.border_nll.lower    |
      | no figure of the calibration error     | aggregates                           |
      | a case without scores                  | case                                 |
      | no scores in any case                  | scores                               |

  @REQ-382
  Scenario: Both verifiers accept a pack whose cases have scores
    Given a pack whose cases have scores
    When both verifiers compute its figures
    Then they find the same, and the same signing text

  @REQ-382
  Scenario: A plan of before has no scores, and neither has its evaluation
    Given a predictor and three volumes, one of them without a vessel
    When they are evaluated under a plan that names no scores
    Then no case has scores, and no figure is of a score

  @REQ-382
  Scenario: A plan may gain scores after a look and may not lose them
    Given a plan with scores and the same plan without them
    Then both writings of the rules call the loss laxer, and the gain not

  @REQ-384
  Scenario: An evaluation states the grid of each case
    Given a predictor and three volumes, one of them without a vessel
    When they are evaluated
    Then each case has its shape and its spacing in the unit of the tolerance

  @REQ-384
  Scenario: A shape of another size than the bins is refused
    Given an evaluation whose cases have scores
    When the file has a shape of another size
    Then reading it is refused with "its shape has"
