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
