Feature: Capabilities
  What the chosen model, calibration, measures or service cannot take is refused before anything is fixed.

  Scenario Outline: What a part of the product cannot take is named with the part
    Given a set in which <flaw>
    When the cases are compared with what the product can take
    Then the rule <rule> finds "<message>" and <effect>

    @REQ-305 @RC-133
    Examples:
      | flaw                                   | rule                | message                                                                | effect       |
      | a case is flat                         | capability-kinds    | case a has 1 channel, axes zyx, class 1 foreground, and case b has 1 channel, axes yx | blocks |
      | a case is in colour                    | capability-kinds    | class 1 foreground, and case b has 3 channels, axes zyx                | blocks       |
      | the model is for grey volumes          | capability-axes     | volumes of several channels (zyxc); segresnet takes grey volumes (zyx)              | blocks       |
      | the model needs a physical size        | capability-unit     | 6 cases: no physical size is known; segresnet needs a voxel size       | blocks       |
      | a case has two classes                 | capability-kinds    | class 1 foreground, and case b has 1 channel, axes zyx, classes 1 artery and 2 vein | blocks |
      | the model takes one class              | capability-classes  | 2 classes (1 artery, 2 vein); segresnet takes one class of value 1     | blocks       |
      | a case has one class of value 3        | capability-kinds    | class 1 foreground, and case b has 1 channel, axes zyx, class 3 vessel | blocks       |
      | a case has one voxel along x           | capability-size     | 1 voxel along x; the service needs 2                                   | blocks       |
      | a case has fewer planes than the patch | patch-padding       | patch (z 32, y 64, x 64): along z 12 voxels                               | blocks not   |
      | the model is for flat images           | capability-axes     | grey volumes (zyx); segresnet takes grey flat images (yx)              | blocks       |
      | all cases are flat                     | capability-patch    | a patch of (32, 64, 64) does not fit segresnet: sides must be 8, 12, 16, … voxels, one for each of y, x | blocks |
      | two classes have one name              | capability-kinds    | two classes have the name lesion                                       | blocks       |
      | pictures in pixels are to be resampled | capability-resampling | no physical size is known; preprocessing.spacing needs one           | blocks       |
      | flat images are resampled along z      | capability-resampling | preprocessing.spacing has 3 lengths; the axes are y, x               | blocks       |
      | the patch cannot be halved             | capability-patch    | a patch of (30, 64, 64) does not fit segresnet                         | blocks       |
      | a criterion needs a mask that is empty | criterion-undefined | the mask is empty, and a criterion limits hd95                         | blocks not   |
      | a criterion needs a class that a mask lacks | criterion-undefined | the mask has no vein, and a criterion limits hd95                | blocks not   |
      | a criterion names a class that a mask lacks | criterion-undefined | the mask has no vein, and a criterion limits hd95 of vein        | blocks not   |
      | three subjects calibrate               | calibration-groups  | 3 subjects in the calibration part; a recall of 0.9 needs 10 groups    | blocks not   |
      | no calibration mask has foreground     | part-foreground     | no mask of the calibration part (1 case) has foreground                | blocks       |
      | no training mask has foreground        | part-foreground     | no mask of the training part (3 cases) has foreground                  | blocks       |

    @REQ-305 @REQ-324 @RC-136
    Examples:
      | flaw                                   | rule                 | message                                                               | effect       |
      | no case has a physical size            | capability-tolerance | no physical size is known; evaluation.tolerance is 2 µm               | blocks       |
      | the tolerance is 2 px                  | capability-tolerance | the case has a physical size; evaluation.tolerance is 2 px            | blocks       |
      | one case has no size and no tolerance is stated | capability-tolerance | 1 of 6 cases have no physical size: they have no tolerance in common | blocks |

  @REQ-305 @REQ-348
  Scenario Outline: Pictures and colour are refused by no part because of the service
    Given a set in which <kind>
    When the cases are compared with what the product can take
    Then no finding names the service

    Examples:
      | kind                        |
      | all cases are flat          |
      | a case is in colour         |
      | no case has a physical size |
      | a case has two classes      |

  @REQ-305
  Scenario: A criterion of one class does not need the others
    Given a set in which a criterion names a class that every mask has
    When the cases are compared with what the product can take
    Then no finding is about a criterion

  @REQ-305 @RC-133
  Scenario: Pictures are refused when they are ingested for a patch of volumes
    Given a project of pictures with a patch of volumes
    When its pictures are ingested
    Then it is refused with the rule capability-patch, and each reason has a hint
    And the log has no manifest

  @REQ-305
  Scenario: The project files that come with the software can be trained
    Given the project files of a new project and of the demonstration
    When they are compared with what the product can take
    Then no finding blocks

  @REQ-305
  Scenario: A project file that no training could take is refused before the log exists
    Given a project file with a patch that cannot be halved
    When its log is started
    Then it is refused with the rule capability-patch, and there is no log

  @REQ-305 @RC-133
  Scenario: A patch that was changed after the split is refused before the sealing
    Given a split project whose patch was changed
    When its test part is sealed
    Then it is refused with the rule capability-patch, and the test part is plain

  @REQ-305
  Scenario: A set that is only prepared lowers the rules with a reason
    Given a project that lowers capability-patch because "a benchmark for others"
    When its pictures are ingested and validated
    Then the findings and the reason are in the report
    And training gets the cases
