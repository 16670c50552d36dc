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

  @REQ-356 @RC-148
  Scenario Outline: A preprocessed copy that is not as it was made is made again
    Given preprocessed copies of three training volumes
    When the <file> of a copy is <harm>, and the next member is prepared
    Then the member learns from the copies as they were first made

    Examples:
      | file   | harm    |
      | image  | changed |
      | mask   | changed |
      | places | cut     |
      | record | missing |

  @REQ-356
  Scenario: A killed preparation continues
    Given preprocessed copies of three training volumes
    When a preparation of the same volumes is killed in the third, and started again
    Then it makes the third copy alone, and all copies are equal to those of an uninterrupted preparation

  @REQ-356
  Scenario: Copies of volumes that the run does not learn from are removed
    Given preprocessed copies of three training volumes
    When a member is prepared from the first two of them
    Then there is no copy of the third

  @REQ-357
  Scenario: The number of worker processes changes no patch
    Given preprocessed copies of three training volumes
    When 6 steps are drawn without a worker process, and by 2 of them
    Then both draws hold the same patches in the same order

  @REQ-358
  Scenario Outline: Worker processes follow from the device and the processors
    Given a machine with <processors> processors for <processes> training processes
    Then a training process on <device> gets <workers> worker processes

    Examples:
      | device | processors | processes | workers |
      | cpu    | 2          | 1         | 0       |
      | cpu    | 8          | 1         | 2       |
      | cpu    | 8          | 4         | 0       |
      | cpu    | 64         | 1         | 4       |
      | cuda   | 1          | 1         | 0       |
      | cuda   | 16         | 1         | 8       |
      | cuda   | 16         | 4         | 3       |
      | mps    | 8          | 1         | 7       |

  @REQ-357
  Scenario: A worker process that is killed is reported with its cases
    Given preprocessed copies of three training volumes
    When the worker process that draws step 4 is killed
    Then the error names step 4, the cases of the step, and what to do

  @REQ-018
  Scenario: The ensemble answers with the mean of its members' probabilities
    Given three members that answer 0.1, 0.2 and 0.9 for every voxel
    When the ensemble of them looks at a volume
    Then every voxel has probability 0.4

  @REQ-368
  Scenario Outline: The learning rate of a step follows from its number
    Given a training of 100 steps with the schedule <schedule> and the highest rate 1
    Then the rates of the steps 1, 51 and 100 are <rates>

    Examples:
      | schedule   | rates               |
      | one-cycle  | 0.04, 0.79, 0.000004 |
      | polynomial | 1, 0.536, 0.0158    |
      | cosine     | 1, 0.5, 0.000247    |
      | constant   | 1, 1, 1             |

  @REQ-369
  Scenario Outline: Another layout in memory is chosen when it is clearly faster
    Given a step takes <usual> s with channels last, which is usual, and <other> s with contiguous channels
    Then the layout is <chosen>

    Examples:
      | usual | other | chosen        |
      | 1.00  | 0.95  | channels-last |
      | 1.00  | 0.70  | contiguous    |
      | 0.45  | 1.00  | channels-last |

  @REQ-370 @RC-151
  Scenario Outline: The newest whole checkpoint of a run is used
    Given checkpoints of a run after the steps 40 and 50
    When <what happens>
    Then training continues <from>

    Examples:
      | what happens                             | from              |
      | nothing happens to them                  | after step 50     |
      | the newest is cut short                  | after step 40     |
      | a byte of the newest is changed          | after step 40     |
      | the settings of the training are changed | at its first step |

  @REQ-371 @RC-152
  Scenario Outline: Whole groups of the training part are set aside for validation
    Given a training part of <cases> cases of <animals> animals
    When a share of 0.2 of its groups is set aside
    Then <aside> are set aside, and no animal is on both sides

    Examples:
      | cases | animals | aside     |
      | 20    | 10      | 2 animals |
      | 12    | 5       | 1 animal  |
      | 8     | 4       | 0 animals |

  @REQ-371
  Scenario Outline: Validations take about a twentieth of a run
    Given a training of <steps> steps of <batch> patches, and validation cases of <patches> patches
    Then a validation is made every <every> steps

    Examples:
      | steps | batch | patches | every |
      | 1200  | 4     | 20      | 120   |
      | 1200  | 4     | 160     | 267   |
      | 1200  | 8     | 160     | 134   |
      | 150   | 2     | 100     | 50    |
      | 2     | 2     | 100     | 1     |

  @REQ-371
  Scenario: It is said aloud why there is no validation
    Given a training part of 8 cases of 4 animals
    When a share of 0.2 of its groups is set aside
    Then it is said that "the training part has 4 independent groups, and a validation on a share of 0.2 needs 5"

  @REQ-372
  Scenario: Operations without a deterministic kernel are named
    When training uses an operation without a deterministic kernel
    Then the record names it

  @REQ-373
  Scenario Outline: A run does not continue elsewhere by itself
    Given a run that began on a cpu with 2 threads and the layout contiguous
    When it would continue with <what>
    Then <answer>

    Examples:
      | what                  | answer                                    |
      | the same              | it continues                                |
      | 1 threads             | it is refused, and the reason names both  |
      | the layout other      | it is refused, and the reason names both  |
      | another PyTorch       | it is refused, and the reason names both  |

  @REQ-425 @RC-170
  Scenario Outline: A finished member without a completed entry is taken only when the log announced its training
    Given a log that announced a training with seed 0
    And the record of a finished member with seed <seed> whose part names <entry>
    When the member is looked for
    Then it is <answer>

    Examples:
      | seed | entry            | answer  |
      | 0    | that entry       | taken   |
      | 0    | an earlier entry | refused |
      | 1    | that entry       | refused |
      | 0    | no entry         | refused |
