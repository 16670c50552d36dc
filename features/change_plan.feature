Feature: A plan of changes has bounds that are judged
  A predetermined change control plan states which modifications are planned, how they are made, and what they must keep. The plan of
  a release is in its pack, and judges the next release.

  @REQ-580 @RC-244
  Scenario: A planned modification that keeps every bound is inside
    Given two releases, the second trained again and better
    When the second is judged by the plan of the first at the command line
    Then it is "inside", with exit code 0
    And each bound is shown with its limit, what was found, entries and digests

  @REQ-582 @RC-244 @RC-245
  Scenario: A model that lost more than the margin is outside
    Given two releases, the second with a Dice that is lower by 0.03
    When the second is judged by the plan of the first at the command line
    Then it is "outside", with exit code 1
    And the bound "Dice, change" is not kept, with the paired difference and its interval

  @REQ-580 @REQ-581 @REQ-582 @RC-244
  Scenario Outline: Each bound decides
    Given two releases of which <what>
    When the second is judged by the plan of the first
    Then the bound "<bound>" is "<verdict>"
    And the release is "<verdict>"

    Examples:
      | what                                             | bound                        | verdict                 |
      | the first has no plan                            | plan                         | outside: new submission |
      | the second has another plan                      | plan                         | outside: new submission |
      | the second has another intended use              | intended-use                 | outside: new submission |
      | the second has other classes                     | classes                      | outside: new submission |
      | the second has another network                   | architecture                 | outside: new submission |
      | the second has another decision threshold        | modification: decision       | outside: new submission |
      | the second has another member                    | modification: members        | outside: new submission |
      | the second has a case of another modality        | modalities                   | outside: new submission |
      | the second has another test case                 | test part                    | outside: new submission |
      | the second has 3 cases more                      | cases added                  | outside                 |
      | the second has a case more in the calibration part | parts                      | outside                 |
      | the second had a third look                      | looks                        | outside                 |
      | the second fails a gate                          | gates                        | outside                 |
      | the first does not verify                        | verification                 | outside                 |
      | the second continues another log                 | log                          | outside                 |
      | the second has a subgroup below its limit        | Dice, worst of 2 subgroups   | outside                 |

  @REQ-580
  Scenario: The document of the plan shows the bounds
    Given two releases, the second trained again and better
    Then the document "change-plan" of the first pack shows the modifications, what must not change, and the bounds
    And the plan of this project is read, and covers the three parts
