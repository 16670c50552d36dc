Feature: Training and combining members
  Members of an ensemble are trained from a seed, for a stated number of steps. A member is complete or absent. The
  ensemble's answer is the mean of its members' probabilities.

  @REQ-048 @RC-32
  Scenario: The same seed draws the same training patches
    Given training volumes with vessels
    When 6 batches of patches are drawn with seed 3, and again with seed 3
    Then both draws hold the same patches in the same order
    When 6 batches of patches are drawn with seed 4
    Then that draw holds other patches

  @REQ-048
  Scenario Outline: An incomplete or different training is not used as a finished member
    Given a member folder with <remains>
    When the training of seed 1 is about to start
    Then no finished member is found, so training starts from its first step

    Examples:
      | remains                            |
      | nothing                            |
      | weights without a record           |
      | half of a record                   |
      | a record without weights           |
      | a record of another seed           |
      | a record of fewer steps            |
      | a record of other training volumes |

  @REQ-018
  Scenario: The ensemble answers with the mean of its members' probabilities
    Given three members that answer 0.1, 0.2 and 0.9 for every voxel
    When the ensemble of them looks at a volume
    Then every voxel has probability 0.4
