Feature: Explanations
  A developer sees what in an image a network answers to. Each map states whether it depends on what the network learned.

  @REQ-410 @REQ-411
  Scenario Outline: A trained network is explained by what it learned
    Given a network that was trained to find blobs beside bright lines in <images>
    When its mask of a new image is explained
    Then the blobs raise the score more than the lines
    And the attributions add up to the change of the score within 5 %
    And integrated gradients pass the sanity check

    Examples:
      | images   |
      | pictures |

    @slow
    Examples:
      | images  |
      | volumes |

  @REQ-411
  Scenario: A map of the edges of the image fails the sanity check
    Given a method that draws the edges of the image
    When it is compared with networks with random weights
    Then the rank correlation is 1, and the check fails

  @REQ-413
  Scenario: A section shows the picture with its sanity checks
    Given an explanation of which one method passed its sanity check and one failed
    When its section is made
    Then it has the picture, both rank correlations, and says which map is not to be used

  @REQ-412 @RC-162 @slow
  Scenario: A project explains a case
    Given a project with an ensemble of one small network
    When "minivess model explain" is run on a calibration case
    Then the record names ensemble, member, case and image, and has two methods with their rank correlations
    And the rank correlations are printed, and there is a picture
    And the log is as it was

  @REQ-412 @RC-162
  Scenario Outline: Other cases are not explained
    Given a project with an ensemble of one small network
    When "minivess model explain" is run on a <part> case
    Then it is refused because "<reason>"

    Examples:
      | part     | reason                     |
      | test     | is in the sealed test part |
      | training | the model learned from     |
