Feature: Pictures and volumes of any channels and classes
  What a network gets, and what its answer means, follow from the cases. One grey class in volumes is the simplest of them.

  @REQ-335 @REQ-336 @RC-145
  Scenario Outline: Training, calibration and service see the same preprocessed image
    Given <count> cases of <kind> on disk
    When patches are drawn from them, and a predictor is asked about one of them
    Then the patches and the predictor saw the same numbers
    And the answer has <outputs> values for each voxel of the image's own grid

    Examples:
      | count | kind                                            | outputs |
      | 2     | grey volumes with one class                     | 1       |
      | 2     | colour pictures with the classes 3 cup, 8 disc  | 3       |
      | 2     | volumes of other spacing with 1 artery, 2 vein  | 3       |

  @REQ-336
  Scenario: The most probable class is the mask, with the values of the source
    Given probabilities of background, of class 3 and of class 8 in three voxels
      | background | class 3 | class 8 |
      | 0.6        | 0.3     | 0.1     |
      | 0.2        | 0.3     | 0.5     |
      | 0.4        | 0.4     | 0.2     |
    When the mask is made
    Then its voxels are 0, 8 and 0

  @REQ-337
  Scenario: Each class has its own conformal threshold
    Given a predictor of two classes whose logits are three times too large
    When it is calibrated for a recall of 0.6
    Then the temperature is about 3
    And each class reaches a recall of 0.6 in its own conformal mask

  @REQ-335 @RC-145
  Scenario Outline: A structure stays in its place when a model resamples
    Given a volume with a ball, and a model whose spacing is <times> times that of the volume
    When a predictor that takes brightness for certainty is asked about it
    Then the centre of the mask is within a fifth of a voxel of the centre of the ball

    Examples:
      | times |
      | 2.0   |
      | 0.5   |
      | 1.6   |
