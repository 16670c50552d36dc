Feature: Robustness
  A model is asked about images that are worse than usual. The record states the level from which a criterion fails. The cases
  are not sealed, and the model did not learn from them.

  @REQ-404
  Scenario Outline: Images of all kinds are changed at stated levels
    Given <images> with <channels> channels
    When each perturbation changes them at its stated levels
    Then the image keeps its axes and channels, and what was given is unchanged
    And the same seed gives the same image

    Examples:
      | images   | channels |
      | volumes  | 1        |
      | volumes  | 3        |
      | pictures | 1        |
      | pictures | 3        |

  @REQ-405 @RC-161
  Scenario Outline: The level from which a criterion fails is between two measured levels
    Given a model whose mean Dice falls from 0.9 without a change to <first> at level 1 and <second> at level 2
    When a mean Dice of at least 0.8 is required
    Then the criterion <outcome>

    Examples:
      | first | second | outcome                                      |
      | 0.9   | 0.85   | fails at none of the levels                  |
      | 0.9   | 0.7    | fails from level 1.5, between levels 1 and 2 |
      | 0.6   | 0.9    | fails from level 0.33, between levels 0 and 1 |

  @REQ-405 @RC-161
  Scenario: The class that fails first is named
    Given two classes of which "vein" falls from 0.9 to 0.5 at level 1 and "artery" stays
    When a mean Dice of at least 0.8 is required
    Then the criterion fails from level 0.25 for "vein"

  @REQ-405 @REQ-406 @REQ-407 @RC-162
  Scenario: A project measures the robustness of its exported model
    Given a project with a sealed test part and an exported model
    When "minivess model robustness --perturbation noise --perturbation finer" is run
    Then the record names the exported model, the split and the calibration part
    And the cases are those of the calibration part
    And its figures follow from its counts
    And the page states where each criterion fails, and that the figures are not those of the test set
    And the log is as it was

  @REQ-407 @RC-162
  Scenario Outline: The cases that were left out follow from the trainings and not from the project file of now
    Given a project whose members left out <trained> of the groups for validation
    When the project file states a share of <stated>
    Then the validation part has <cases> cases

    Examples:
      | trained | stated | cases |
      | 0.5     | 0.5    | 1     |
      | 0.5     | 0.2    | 1     |
      | 0.2     | 0.5    | 0     |

  @REQ-407
  Scenario Outline: Robustness is not measured on other cases
    Given a project with a sealed test part and an exported model
    When robustness is asked for on the part "<part>"
    Then it is refused because "<reason>"

    Examples:
      | part       | reason                                                             |
      | test       | there is no part 'test'                                            |
      | train      | there is no part 'train'                                           |
      | validation | no case is validated on                                           |
