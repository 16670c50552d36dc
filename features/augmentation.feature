Feature: Augmentation of training patches
  Patches are changed at random, so that a network learns what stays the same. Image and mask change together. The project
  file states how strongly, and which changes are left out.

  @REQ-353 @RC-147
  Scenario Outline: An image that is its own mask stays its own mask
    Given <kind> whose image is its mask
    When 8 patches are cut with the changes rotation, scale, elastic, flips and quarter-turns
    Then each patch differs from the place that it was cut from
    And the image of each patch is its mask

    Examples:
      | kind                                |
      | a picture                           |
      | a volume                            |
      | a volume with thick slices          |

  @REQ-353
  Scenario: A change of intensities leaves the mask
    Given a volume whose image is its mask
    When 8 patches are cut with the changes noise, blur, gamma, contrast and bias-field
    Then each patch differs from the place that it was cut from
    And the mask of each patch is that of its place

  @REQ-353
  Scenario: A patch is drawn again from its seed, step and number
    Given a volume whose image is its mask
    When the patch of seed 3, step 120 and number 1 is cut in one process, and again in another
    Then both patches are the same, byte for byte
    And the patch of seed 3, step 121 and number 1 is another

  @REQ-354
  Scenario Outline: A change that is not known is refused when the project file is read
    Given a project file that leaves out <named>
    When the project file is read
    Then it is refused with "<message>" and the hint "<hint>"

    Examples:
      | named        | message                    | hint                       |
      | quarter-turn | training.augmentation      | did you mean `quarter-turns`? |
      | rotate       | training.augmentation      | did you mean `rotation`?   |

  @REQ-354
  Scenario: A change that is left out does not happen
    Given a project file that leaves out flips
    When the project file is read
    Then training makes quarter-turns, rotation, scale, noise, brightness, contrast and gamma

  @REQ-355
  Scenario: The picture shows 16 patches with the outlines of their masks
    Given a volume whose image is its mask
    When a picture of its augmented patches is made
    Then the picture has four rows of four patches
    And each patch of it has an outline
