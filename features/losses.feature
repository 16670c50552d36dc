Feature: Losses
  The project file names the loss that training minimises, and the weights of the classes. Every loss leads to the truth,
  and counts a class that few voxels have.

  @REQ-350
  Scenario Outline: Every loss leads to the truth
    Given undecided answers for <axes> with <classes>
    When the loss "<loss>" is followed downhill
    Then at least 95 % of the voxels of each class get their class

    Examples:
      | loss                      | axes     | classes   |
      | dice-cross-entropy        | volumes  | 2 classes |
      | dice-focal                | pictures | 2 classes |
      | tversky                   | volumes  | 1 class   |
      | cldice                    | pictures | 2 classes |
      | dice-cross-entropy-cldice | volumes  | 1 class   |
      | boundary                  | pictures | 1 class   |

  @REQ-350
  Scenario: A loss that does not exist is refused when the project file is read
    Given a project file whose loss is "dice-cross-entrpy"
    When the project file is read
    Then it is refused, and the message names "training.loss" and all losses

  @REQ-350
  Scenario: A project with two classes and one class weight is refused
    Given undecided answers for pictures with 2 classes
    When the class weights are 3
    Then training is refused, because there is 1 number for 2 classes

  @REQ-350
  Scenario: The weight of a class counts
    Given undecided answers for pictures with 2 classes
    When the class weights are 1 and 20
    Then the first step of training changes class 2 more than with equal weights

  @REQ-351 @RC-146
  Scenario Outline: A class that a batch lacks is unlearned
    Given answers that mark everything, for patches without any class
    When the loss "<loss>" is followed downhill
    Then nothing is marked

    Examples:
      | loss                      |
      | dice-cross-entropy        |
      | dice-focal                |
      | tversky                   |
      | cldice                    |
      | dice-cross-entropy-cldice |
      | boundary                  |

  @REQ-351
  Scenario: A class of few voxels counts as much as a class of many
    Given patches in which class 1 has 2 voxels and class 2 has 200
    When one of the two classes is missed
    Then the loss "tversky" rises by the same for either

  @REQ-351 @slow
  Scenario: Training by the defaults finds objects that fill .02 % of the voxels
    Given volumes with three objects of 30 voxels and with bright vessels
    When a network is trained by the defaults
    Then it finds at least 80 % of the objects of other volumes, and most of what it marks are objects
