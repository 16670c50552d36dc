Feature: Two models are compared by independent group
  Models that were evaluated on the same sealed cases are compared group by group. What is not shown is reported as open, with
  the number of groups that would show it.

  @REQ-390
  Scenario: Twelve stacks of one animal do not make two models differ
    Given two models of which the second is better in all 12 stacks of one animal, and equal in 2 other animals
    When they are compared
    Then p of Dice is 1 over 3 groups and 14 cases

  @REQ-390 @REQ-391 @REQ-396
  Scenario: A better model is reported with difference, interval and both values of p
    Given two models of which the second is better in each of 12 animals
    When they are compared
    Then p of Dice is 2 in 4,096, and is multiplied by the number of measures
    And the table has both means, the difference with its interval, both values of p, groups and cases
    And a sentence reports that B is better in Dice
    And the method of each interval is stated with its simulated coverage

  @REQ-396
  Scenario: A smaller distance is the better one
    Given two models of which the second has a smaller HD95 in each of 12 animals
    When they are compared
    Then a sentence reports that B is better in HD95, in 12 of 12 groups

  @REQ-396
  Scenario: Groups that fail in one model alone are counted
    Given two models of which the first fails in 3 animals, and the second in 2 of them and in 2 others
    When they are compared
    Then the output reports 2 groups that failed in A and B, 1 in A alone and 2 in B alone

  @REQ-391
  Scenario: With few groups no difference can be shown
    Given two models of which the second is better in each of 5 animals
    When they are compared
    Then the output reports that no difference can be shown with so few groups

  @REQ-392
  Scenario Outline: A model that is slightly worse
    Given two models of which the second finds 1 voxel in 100 less in each of 6 animals
    When they are compared with a margin of <margin> in Dice
    Then the verdict on Dice is "<verdict>"

    Examples:
      | margin | verdict      |
      | 0.02   | non-inferior |
      | 0.006  | not shown    |
      | 0.001  | inferior     |

  @REQ-392 @RC-157
  Scenario: A case without a value shows no non-inferiority
    Given two models that are equal but for one case, in which the second finds no vessel
    When they are compared with a margin of 5 in HD95
    Then the verdict on HD95 is "not shown"
    And the output names the case that was left out

  @REQ-317 @RC-173
  Scenario Outline: A margin is registered before the test set is opened, or its answer is marked
    Given a log with a look of each of two models, whose later plan has a margin of 0.02 in Dice
    When the files of their evaluations are compared <margin>
    Then the margin of Dice is <used>, and its answer is <mark>

    Examples:
      | margin                                | used | mark                        |
      | without a margin                      | 0.02 | registered by the entry     |
      | with the same margin                  | 0.02 | registered by the entry     |
      | with a margin of 0.05                 | 0.05 | not registered, exploratory |
      | in the other order without a margin   | 0.02 | registered by the entry     |

  @REQ-317 @RC-173
  Scenario Outline: A margin that is registered too late does not count
    Given a log with a look of each of two models, and <plan>
    When the files of their evaluations are compared with a margin of 0.02
    Then the margin of Dice is 0.02, and its answer is not registered, exploratory

    Examples:
      | plan                                              |
      | a plan with a margin that no request names        |
      | a margin in the plan of the earlier look alone    |

  @REQ-317
  Scenario Outline: After a look a margin does not become laxer
    Given a plan that was used for a look, with a margin of 0.02 in Dice
    When the plan has <change>
    Then both verifiers <answer>

    Examples:
      | change                      | answer                              |
      | a margin of 0.03 in Dice    | call it laxer, for "margin of dice" |
      | no margin                   | call it laxer, for "margin of dice" |
      | a margin of 0.01 in Dice    | accept it                           |
      | a further margin in clDice  | accept it                           |

  @REQ-317
  Scenario Outline: A margin in the project file is of a measure that is computed
    Given a project that states <margin>
    Then reading the project is refused with "<reason>"

    Examples:
      | margin                              | reason                                       |
      | a margin of iou, without computing  | a margin is of iou, which is not computed    |
      | a margin of hd95 without a unit     | a criterion or margin limits hd95            |
      | a margin of dice twice              | `margins` names a measure twice              |

  @REQ-393 @slow
  Scenario: An open question has a number of groups
    Given two models that differ by chance in 6 animals
    When they are compared with a margin of 0.01 in Dice
    Then the verdict on Dice is "not shown"
    And the output states how many groups would show it, and with which power

  @REQ-393
  Scenario: A limit of a measure has a number of groups
    Given two models of which the second is better in each of 5 animals
    When they are compared with the goal of 0.75 in clDice
    Then the output states for A and for B how many groups show "clDice of at least 0.75"

  @REQ-394 @RC-158
  Scenario Outline: What was measured differently is not compared
    Given two models of which the second was evaluated <differently>
    When they are compared
    Then the comparison is refused, because of "<reason>"

    Examples:
      | differently              | reason                         |
      | on other data            | of different data              |
      | without one of the cases | differ in case                 |
      | with a wider tolerance   | measure differently: tolerance |

  @REQ-395
  Scenario: Both looks are named
    Given a log with a look of each of two models
    When the files of their evaluations are compared
    Then the comparison names the entries of both looks and the digests of both files

  @REQ-395
  Scenario Outline: Figures without a look are not compared
    Given a log with a look of each of two models
    When one is <changed>, and the files are compared
    Then the comparison is refused, because of "no evaluation of the log"

    Examples:
      | changed                                |
      | given other counts with the same means |
      | given a better Dice                    |
      | given another model                    |
      | of no look                             |

  @REQ-395 @REQ-396
  Scenario: Evaluations of another part need no look
    Given a log with a look of each of two models
    When the same models are compared by the validation part
    Then the comparison names no entry, and the output states that this is not the test set

  @REQ-395
  Scenario: Figures of the sealed test part cannot be called those of another part
    Given a log with a look of each of two models
    When both files state the validation part, and are compared
    Then the comparison is refused, because of "its data are those of the sealed test part"

  @REQ-395 @REQ-396 @slow
  Scenario: The evaluation of a project is compared with a copy of it
    Given a project whose model was evaluated on the sealed test set
    When "minivess model compare" is run with the project and a copy of its record
    Then it ends with exit code 0, and each difference is 0
    And the log is as before

  @REQ-395
  Scenario: The command reads without a passphrase and adds no entry
    Given a sealed project and the record of an evaluation that its log does not have
    When "minivess model compare" is run with this record twice
    Then it is refused with exit code 1, and the log is as before
