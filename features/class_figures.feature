Feature: Figures of each class
  A case has a row for each class, in which the class is counted against everything else.

  @REQ-338
  Scenario Outline: Each class of a case is counted against everything else
    Given two cases of <kind> and a predictor of the classes 3 cup and 8 disc
    When the predictor is evaluated
    Then the record has a row for each case and class, in the unit of its cases
    And the figures of a class are those of its rows alone
    And a reference with the value 5 is refused with the case, the value and the known classes

    Examples:
      | kind                         |
      | grey volumes in micrometres  |
      | colour pictures in pixels    |

  @REQ-338 @RC-141
  Scenario Outline: Both verifiers refuse a pack with <fault>
    Given a pack of a model with the classes 1 artery and 2 vein
    When the pack has <fault>
    Then both verifiers refuse it and name "<words>"

    Examples:
      | fault                                    | words                                               |
      | a better Dice of a class                 | classes.vein.aggregates.dice.mean is 0.990000       |
      | figures of a class that has no rows      | classes                                             |
      | a case without a row of a class          | case                                                |
      | a row twice                              | twice                                               |
      | rows with the names of other classes     | classes is artery, capillary, and artery, vein      |
      | rows of one class without its name       | class                                               |
      | classes of a case that overlap           | case case-01 has classes that overlap               |
      | rows of one case with other voxels       | numbers of voxels                                   |
      | a data set with the classes in another order | case case-00 has other classes than the exported model |
      | a calibration without a class            | classes is artery, and artery, vein                 |
      | a threshold of a class from too few groups | a conformal threshold for recall 0.9 from 2 groups |

  @REQ-339 @RC-142
  Scenario: Criteria and gates are judged by the worst class
    Given an evaluation with a good class and a bad class
    When criteria of every class and of the good class are judged
    Then the criterion of every class has the value of the bad class, and the other one that of the good class
    And the gates on Dice, baseline and calibration have the values of the bad class

  @REQ-339
  Scenario Outline: A criterion that became <change> is <verdict>
    Given a look at the test set under a criterion of <before>
    When a criterion of <after> is registered
    Then both writings of the rules call it <verdict>

    Examples:
      | before      | after       | change                    | verdict |
      | every class | one class   | one of a class            | laxer   |
      | one class   | every class | one of every class        | strict  |
      | one class   | another one | one of another class      | laxer   |

  @REQ-339
  Scenario: A criterion of a class that the data do not have is refused
    Given a project file with the classes 1 artery and 2 vein
    When a criterion names the class capillary
    Then it is refused with the class and those of the data

  @REQ-319 @slow
  Scenario Outline: A gate of one class is judged by both verifiers
    Given a release of a model with the classes 1 artery and 2 vein, whose policy has a gate of <limit> on Dice of <class>
    When both verifiers judge its gates
    Then both <answer>

    Examples:
      | limit | class     | answer                                    |
      | 0.9   | vein      | pass it with the Dice of vein             |
      | 0.85  | artery    | pass it with the Dice of artery           |
      | 0.9   | artery    | refuse the release, for the gate of class |
      | 0.1   | capillary | refuse the release, for the gate of class |

  @REQ-319
  Scenario Outline: A gate that became <change> is <verdict>
    Given a look at the test set under a gate of <before>
    When a gate of <after> is registered
    Then both writings of the rules call the policy <verdict>

    Examples:
      | before      | after       | change             | verdict |
      | every class | one class   | one of a class     | laxer   |
      | one class   | every class | one of every class | strict  |
      | one class   | another one | one of another     | laxer   |

  @REQ-319
  Scenario: A gate of a class that the data do not have is refused
    Given a project whose policy has a gate on Dice of the class capillary
    When the policy is read
    Then reading is refused, for the gate names the class 'capillary'

  @REQ-340
  Scenario: The baseline finds the channel and the side of each class
    Given colour pictures with a class that is dark in green and one that is bright in blue
    When the thresholds are tuned
    Then the first class has a dark threshold in green, and the second a bright one in blue
