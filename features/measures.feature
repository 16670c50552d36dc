Feature: Measures of two masks are right
  A mask compared with itself is perfect, each part of a vessel counts, and values agree with the reference implementation.

  @REQ-237 @RC-31
  Scenario Outline: A mask compared with itself is perfect
    Given a mask with <content>
    When the mask is compared with itself
    Then every measure has its best value
    And each component of the mask has a part of the skeleton

    Examples:
      | content                                |
      | a vessel 2 x 2 voxels wide             |
      | two vessels, one of them of even width |
      | a solid box of 4 x 6 x 8 voxels        |
      | one voxel                              |
      | nothing                                |

  @REQ-237 @RC-31
  Scenario: Half of a vessel of even width is half of its centreline
    Given a vessel 2 x 2 voxels wide, of which the prediction has half
    When the centrelines are compared
    Then the precision is 1 and the sensitivity is one half

  @REQ-238 @RC-31
  Scenario: Measures have the values of the reference implementation
    Given the stored table of the reference implementation
    When its pairs of masks are measured
    Then each value is equal to 1e-9, or is a stated difference

  @REQ-241 @RC-31
  Scenario Outline: Measures keep their values when masks are changed alike
    Given a prediction of vessels with faults
    When both masks are <changed>
    Then every measure keeps its value within the stated bound

    Examples:
      | changed                   |
      | exchanged                 |
      | flipped along each axis   |
      | turned with their spacing |
      | put into a larger field   |
      | put on a finer grid       |

  @REQ-374 @REQ-381
  Scenario: Measures that follow from the same counts share them
    Given a prediction of vessels with faults
    When all measures are counted for a case
    Then the counts of Dice and of clDice are there once
    And each measure of the plan follows from the counts that a reader of the record has

  @REQ-375
  Scenario Outline: Distances of borders have the unit of the spacing
    Given a <kind> and the same one moved by 2 voxels along an axis of 3 µm
    When all measures are counted for a case
    Then the Hausdorff distance is 6 µm, and the mean distances are between 0 and 6 µm

    Examples:
      | kind   |
      | volume |
      | plane  |

  @REQ-376
  Scenario: Each value of the reference table is equal, or a listed difference
    Given the stored table of the reference implementation
    When its pairs of masks are measured
    Then all 15 measures of the table are compared
    And each listed difference is one

  @REQ-377
  Scenario Outline: A topological fault counts one
    Given a ring of vessels in which <fault>
    When all measures are counted for a case
    Then the Betti-0 error is <components> and the Betti-1 error is <tunnels>

    Examples:
      | fault                        | components | tunnels |
      | nothing is wrong             | 0          | 0       |
      | a gap opens the ring         | 0          | 1       |
      | two gaps cut the ring in two | 1          | 1       |
      | a bar is drawn through it    | 0          | 1       |

  @REQ-378
  Scenario: Objects, branches, length and radius of vessels
    Given two straight vessels, of which the prediction has one and half of the other, and a speck that is none
    When all measures are counted for a case
    Then one object matches, as half of the other is not enough
    And the skeleton has 3 branches for 2 and a length of 25 µm for 36 µm, and the vessels have a radius of 2 µm

  @REQ-379
  Scenario: Skeletons and distances are made once for a case
    Given a prediction of vessels with faults
    When all measures are counted for a case
    Then each mask was thinned once, and the borders were compared once

  @REQ-380 @RC-153
  Scenario: The registered plan states what each measure gives for empty masks
    Given a project that chooses iou, sensitivity and object_f1
    When its plan is made
    Then the plan has these measures, with a sentence for each

  @REQ-380 @RC-154
  Scenario Outline: A limit on a measure that is not computed is refused
    Given a project that chooses iou, sensitivity and object_f1
    When <what> on the Hausdorff distance is added
    Then it is refused, and the message says where to add the measure

    Examples:
      | what        |
      | a criterion |
      | a gate      |

  @REQ-315
  Scenario Outline: A border voxel at the tolerance is within it wherever it is in the volume
    Given two masks whose borders are 2 voxels of <spacing> mm apart, at 60 places in a volume
    When NSD is computed at the tolerance that follows from the spacing
    Then it is 1 at each place

    Examples:
      | spacing    |
      | 0.1        |
      | 0.33203125 |
      | 0.994      |
