Feature: Calibrated probabilities and a threshold that controls recall
  Probabilities are calibrated, and the recall threshold is derived, on the calibration part of the split alone. Without
  a guarantee there is no threshold.

  @REQ-019 @RC-09
  Scenario: Temperature scaling corrects the probabilities of an underconfident ensemble
    Given an ensemble whose logits are half as large as they should be
    When it is calibrated on 12 calibration cases
    Then the temperature is within 0.05 of 0.5
    And the negative log-likelihood on 6 further cases is lower with that temperature than without
    And the calibration error is lower after than before

  @REQ-019 @RC-09
  Scenario: Only the calibration part may be used for fitting
    Given an ensemble whose logits are half as large as they should be
    When it is calibrated on 12 calibration cases and one test case
    Then calibration is refused and the message names the test case

  @REQ-020 @RC-01
  Scenario: The conformal threshold reaches the target recall on cases it has never seen
    Given 8 draws of 20 calibration cases whose vessels are faint by chance
    When a threshold for recall 0.9 is derived from each draw
    Then the mean recall on 100 further cases is at least 0.9 over the draws
    And a threshold of 0.5 would have missed it

  @REQ-020 @RC-01
  Scenario Outline: Without enough evidence there is no threshold, and the reason is given
    Given <cases> calibration cases <kind>
    When a threshold for recall 0.9 is derived
    Then there is no threshold
    And the note says "<reason>"

    Examples:
      | cases | kind                                   | reason            |
      | 2     | whose vessels are faint by chance      | n too small       |
      | 9     | whose vessels are faint by chance      | n too small       |
      | 20    | without foreground                     | n too small       |
      | 20    | whose vessels get probability 0        | no threshold      |

  @REQ-239 @RC-09
  Scenario Outline: A small foreground is calibrated as if every voxel were used
    Given 2 calibration cases of 400,000 voxels, each with <foreground> foreground voxels
    When a temperature is fitted on a weighted sample of 4,000 voxels a case
    Then it is within 1 % of the temperature that is fitted on all voxels

    Examples:
      | foreground |
      | 1          |
      | 20         |
      | 200000     |

  @REQ-240 @RC-09
  Scenario Outline: A refused calibration names the reason
    Given calibration logits that <fault>
    When a temperature is fitted
    Then it is refused and the message says "<reason>"

    Examples:
      | fault                          | reason                                                    |
      | have no foreground             | no voxel is foreground                                    |
      | separate the classes           | they separate the classes perfectly                       |
      | fall with the labels           | they are not higher in the foreground than in the background |
      | are a thousand times too small | they are more than 20 times too small                     |

  @REQ-243 @RC-106
  Scenario Outline: A guarantee counts calibration animals
    Given <cases> calibration cases of each of <animals> animals
    When a recall of 0.9 is asked for
    Then a guarantee is "<given>"
    And the note names <animals> calibration groups

    Examples:
      | animals | cases | given |
      | 1       | 12    | no    |
      | 3       | 4     | no    |
      | 12      | 1     | yes   |
      | 12      | 3     | yes   |
