Feature: Suspicious labels
  Cases are ranked by how much their mask contradicts a predictor that has not seen the case, so that a person looks at the
  doubtful masks first.

  @REQ-408 @slow
  Scenario Outline: Injected errors are in the first tenth of the list
    Given 20 <images> of vessels, of which one has a mask that is <wrong>
    When the cases are ranked
    Then the wrong mask is in the first tenth of the list
    And the region to look at is in the wrong part of the mask

    Examples:
      | images   | wrong          |
      | volumes  | shifted        |
      | volumes  | dilated        |
      | volumes  | part missing   |
      | volumes  | another case's |
      | pictures | shifted        |
      | pictures | part missing   |
      | pictures | swapped        |

  @REQ-408 @RC-163
  Scenario: A mask is compared with what other groups show
    Given 12 cases of 6 animals
    When each is predicted by a classifier that remembers what it learned
    Then no classifier has learned from the animal of the case

  @REQ-408 @REQ-409
  Scenario: A project ranks its cases before the split
    Given a project whose cases are read
    When "minivess data suspects" is run
    Then the list has all cases, and the page has no pictures
    And the log is as it was

  @REQ-409
  Scenario: A project ranks the cases that are not sealed
    Given a project with a sealed test part and an exported model
    When "minivess data suspects" is run
    Then the list has the cases of the training and calibration parts, and the page has pictures
    When "minivess data suspects --predictor model" is run
    Then the list has the cases of the calibration part, and names the exported model
    And the log is as it was
