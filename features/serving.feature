Feature: Answers in use are safe and on the record
  A mask that nobody can trace, or that was made for an image the model knows nothing about, is a hazard. So the service
  answers only what lies within the intended use, and only what it has recorded.

  @REQ-027 @RC-01 @RC-35
  Scenario: An answer carries a mask, a decision and a receipt that verifies
    Given a running service
    When a volume like those the model was made from is sent
    Then the answer holds a mask of the volume's shape and the decision "answered"
    And a wider mask shows where vessels may be that the first one misses
    And its receipt verifies with the log's public key alone
    And the entry in the log names the model, the request and the mask by their digests

  @REQ-027
  Scenario: Without a record there is no answer
    Given a running service
    And the audit log can no longer be written
    When a volume like those the model was made from is sent
    Then the service answers that it is unavailable, without a mask

  @REQ-029
  Scenario Outline: What is malformed is refused with a reason, and the refusal is recorded
    Given a running service
    When <what> is sent
    Then the request is refused as <kind> with a hint
    And the refusal is an entry in the log

    Examples:
      | what                             | kind      |
      | a file that is no .npy           | malformed |
      | a .npy file that holds objects   | malformed |
      | a .npy file cut short            | malformed |
      | a spacing that is no spacing     | malformed |
      | a file larger than what is taken | too large |

  @REQ-029 @RC-12
  Scenario Outline: What lies outside the intended use is refused, not guessed at
    Given a running service
    When <what> is sent
    Then the request is refused as outside the intended use, naming <named>
    And the refusal is an entry in the log

    Examples:
      | what                                    | named    |
      | a volume with a four times wider spacing | spacing  |
      | a volume of a single small block        | size     |
      | a volume with inverted intensities      | range    |
      | a volume without any contrast           | contrast |

  @REQ-049 @RC-04
  Scenario: A model file that was exchanged is not served
    Given a project whose model was exported and recorded
    When the model file is exchanged for another valid one
    Then the service refuses to start and names the model file

  @REQ-049 @RC-04
  Scenario: A newer export that nobody evaluated is not served
    Given a project whose model was exported and recorded
    When another model is exported and recorded
    Then the service refuses to start, for the model "was not evaluated"

  @REQ-049 @RC-04
  Scenario: A model that nobody put into production is not served
    Given a project whose model was exported and recorded
    When another model is exported, recorded and evaluated
    Then the service refuses to start, for the model "is not in production"

  @REQ-049 @RC-04
  Scenario: A model that nobody recorded is not served
    Given a project whose calibration was changed after it was recorded
    When the service is started
    Then the service refuses to start and names the calibration

  @REQ-029
  Scenario: Nothing the client wrote about a patient reaches the log
    Given a running service
    When a file named after a patient is sent
    Then no entry of the log holds that name
