Feature: A candidate runs beside the model in production and gives no answer
  Before an update answers, it can judge the images of the model in production. The log has how far the two agree. Answers are those of
  the model in production, whatever the candidate does.

  @REQ-465 @RC-194
  Scenario: A candidate is compared after the answer
    Given a service with a candidate that marks more
    When 3 volumes are answered and 1 is refused
    And the service is stopped
    Then each answer is that of the model in production alone
    And the serving log has one comparison of 4 images with the digests of both models and the Dice coefficient of the class
    And the metrics count the same
    And both logs verify with the comparison

  @REQ-465
  Scenario Outline: What a candidate does touches no answer
    Given a service with a candidate that <does>
    When 8 volumes are answered and 0 is refused
    And the service is stopped
    Then each answer is that of the model in production alone
    And the serving log counts images as <counted>

    Examples:
      | does                  | counted             |
      | fails                 | failed              |
      | does not end in time  | compared or dropped |

  @REQ-465
  Scenario: A decision that differs is counted
    Given a service with a candidate for other bounds
    When 1 volumes are answered and 0 is refused
    And the service is stopped
    Then the serving log counts 1 decision that differs

  @REQ-465 @RC-195
  Scenario Outline: Only a logged export for the same images runs beside
    Given a project whose model was exported and recorded
    When a candidate is <what>
    Then it is refused, naming "<words>"

    Examples:
      | what                              | words                             |
      | an export of another workspace    | has no export of the model        |
      | a digest that no export has       | neither a folder nor the digest   |
      | an export whose graph was changed | ONNX graph                        |
      | an export for other classes       | the model in production for       |

  @REQ-465
  Scenario: A candidate is named by its digest
    Given a project whose model was exported and recorded
    When a candidate is the digest of an export in the workspace
    Then it is opened on one thread
