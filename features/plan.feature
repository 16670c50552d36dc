Feature: A plan for the network and its training
  Patch, levels, filters, batch, steps, spacing and normalisation follow from the training images and from the memory of the
  machine. The user reads the reason of each line and can state another value.

  @REQ-345
  Scenario: A plan is made from the training part alone
    Given a project whose cases are split
    When a plan is made with 2 GB of memory
    Then each of its lines has a value and a reason, and fits 80 columns
    When the images of the other parts are removed, and a plan is made again
    Then it is the same plan

  @REQ-345
  Scenario: Stated fields are kept unless they are to be replaced
    Given a project whose cases are split
    And its project file states a patch of 16, 32 and 32 voxels
    When a plan is made with 2 GB of memory
    Then the patch is kept, and the patch of a plan alone is named
    And the batch is planned for the kept patch
    When a plan is made that replaces what is stated
    Then the patch is planned, and the stated one is named

  @REQ-333
  Scenario Outline: bf16 is planned where the processor multiplies in it
    Given a machine whose processor states "<flags>"
    When a plan is made for that machine
    Then its precision is <precision>, and its network has <filters> filters

    Examples:
      | flags                                | precision   | filters |
      | flags : fpu sse2 avx512_bf16 avx512f | bf16        | 16      |
      | flags : fpu sse2 amx_bf16            | bf16        | 16      |
      | flags : fpu sse2 avx512f             | fp32        | 8       |
      | Features : fp asimd                  | not planned | 8       |

  @REQ-333
  Scenario: A stated precision is kept, and the network is planned for it
    Given a machine whose processor states "flags : fpu sse2 avx512_bf16"
    When a plan is made for that machine and a project that states fp32
    Then the precision is kept, and its network has 8 filters

  @REQ-334
  Scenario: A plan says where flips make what no case shows
    Given cases in each of which head is before tail along y
    When a plan is made for them
    Then it remarks that head comes before tail along y, and names flips and quarter-turns
    When a plan is made for them without flips and quarter turns
    Then it has no remark
    Given one of the cases is turned round
    When a plan is made for them
    Then it has no remark

  @REQ-346
  Scenario Outline: The memory of training is predicted within a quarter
    Given a <network> of <levels> levels and <filters> filters with a patch of <patch> and a batch of <batch>
    When its memory in training is predicted
    Then it is at most 25 % away from the <measured> MB that were measured

    Examples:
      | network   | levels | filters | patch    | batch | measured |
      | segresnet | 3      | 8       | 32x64x64 | 2     | 176      |
      | segresnet | 5      | 8       | 320x320  | 4     | 395      |
      | dynunet   | 3      | 16      | 32x64x64 | 2     | 479      |
      | dynunet   | 5      | 8       | 320x320  | 4     | 470      |

  @REQ-347
  Scenario: Only planned lines of the project file change
    Given a project whose cases are split
    When "minivess plan --write --memory 2GB" is run
    Then the project file has the proposed values
    And all other characters of the project file are as before
    When "minivess plan --write --memory 2GB" is run
    Then the project file is unchanged

  @REQ-347 @REQ-354
  Scenario: A planned strength of augmentation keeps the stated exceptions
    Given a project whose cases are split
    And its project file leaves out flips
    When "minivess plan --write --memory 2GB" is run
    Then the project file has the proposed values
    And flips are still left out
