Feature: Answers in use are recorded and within the intended use
  The service answers only input within the intended use, and only after it recorded the answer. It records answers in
  its own log. The device's log contains checkpoints of that log. Neither the device's log nor a release grows with the
  number of answers.

  @REQ-027 @RC-01 @RC-35
  Scenario: An answer carries a mask, a decision and a receipt that verifies
    Given a running service
    When a volume like those the model was made from is sent
    Then the answer holds a mask of the volume's shape and the decision "answered"
    And a wider mask shows where vessels may be that the first one misses
    And its receipt verifies with the public key of the device's log
    And the entry in the log names the model, the request and the mask by their digests

  @REQ-027
  Scenario: An answer requires a record
    Given a running service
    And the serving log can no longer be written
    When a volume like those the model was made from is sent
    Then the service answers that it is unavailable, without a mask

  @REQ-029 @REQ-173 @REQ-175
  Scenario Outline: Malformed requests are refused with a hint, and counted
    Given a running service
    When <what> is sent
    Then the request is refused as <kind> with a hint
    And the log counts it as "<reason>", without an entry of its own

    Examples:
      | what                                  | kind      | reason    |
      | a file that is no .npy                | malformed | volume    |
      | a .npy file that holds objects        | malformed | volume    |
      | a .npy file cut short                 | malformed | volume    |
      | a .npy file that promises too much    | malformed | volume    |
      | a .npy file with a header of code     | malformed | volume    |
      | a volume with a voxel that is no number | malformed | volume  |
      | a spacing that is no spacing          | malformed | spacing   |
      | a file larger than what is taken      | too large | too-large |

  @REQ-173 @REQ-175 @slow
  Scenario: A dropped connection is counted and not printed
    Given a service that listens on a socket
    When a client sends half a volume and hangs up
    Then the log counts it as "hung-up", without an entry of its own
    And the service has printed no stack trace

  @REQ-173 @RC-61
  Scenario: A flood of requests does not fill the log
    Given a service that gives 2 refusals a minute an entry of their own
    When 8 volumes outside the intended use and 30 malformed requests are sent
    And the service is stopped
    Then the serving log holds 2 refusals and one count of the others
    And the device's log has at most one entry more

  @REQ-029 @RC-12
  Scenario Outline: Input outside the intended use is refused
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

  @REQ-170 @RC-60
  Scenario: Answers are recorded in a log of the service's own
    Given a running service
    When 5 volumes are answered
    Then the serving log has 5 entries more
    And the device's log has none more

  @REQ-170 @RC-60
  Scenario: The first start makes the serving log and enrols it once
    Given a project whose model was exported and recorded
    When the service is started and stopped twice
    Then the device's log names the serving log, its key and its service once

  @REQ-171 @RC-60
  Scenario: A service that stops anchors what it answered
    Given a project whose model was exported and recorded
    When the service is started, answers 3 volumes and is stopped
    Then the newest anchor in the device's log covers all 3 answers
    And both logs verify

  @REQ-171 @RC-60
  Scenario Outline: A serving log that does not continue its anchor is not written to
    Given a project whose service answered and was stopped
    When the serving log <is changed>
    Then the service refuses to start, for the serving log "<why>"

    Examples:
      | is changed                       | why           |
      | is taken back to an older copy   | rolled back   |
      | is exchanged for another history | two histories |
      | is removed                       | missing       |

  @REQ-171 @RC-60
  Scenario Outline: A serving log is read and verified like the device's
    Given a project whose service answered and was stopped
    When the serving log <is changed>
    And `minivess audit --site main verify` is run
    Then it ends with exit code <code>

    Examples:
      | is changed                       | code |
      | is left as it is                 | 0    |
      | is taken back to an older copy   | 1    |
      | is exchanged for another history | 1    |

  @REQ-172 @RC-60
  Scenario: A receipt proves an answer through both logs
    Given a project whose service answered and was stopped
    When the receipt of an answer is asked for again
    Then it leads from the device's log over the service, its log and the newest anchor to the answer
    And it is valid with the key of the device's log and the people alone

  @REQ-151 @REQ-172 @RC-50
  Scenario: A receipt that no anchor covers is refused where witnesses are asked for
    Given a project whose service answered and was stopped
    When the receipt of an answer is asked for again
    And a witness vouches for the device's log
    Then it holds with a trust file that asks for that witness and names no service
    And without its anchor it is refused with that trust file

  @REQ-172 @RC-60 @slow
  Scenario Outline: A receipt of another log or answer is refused
    Given a project whose service answered and was stopped
    When the receipt of an answer is asked for again
    And <what> is done to it
    Then it does not hold

    Examples:
      | what                                                   |
      | leaving out the entry that let the service in          |
      | leaving out the entry that enrolled the serving log    |
      | putting the anchor of another checkpoint in            |
      | putting the enrolment of another service's log in      |
      | putting the answer of a log that was made up in        |

  @REQ-176
  Scenario: An answer costs one flush to the disk
    Given a project whose model was exported and recorded
    When 10 volumes are answered while flushes are counted
    Then there were 10 flushes

  @REQ-049 @RC-04
  Scenario: A model file that was exchanged is not served
    Given a project whose model was exported and recorded
    When the model file is exchanged for another valid one
    Then the service refuses to start and names the model file

  @REQ-049 @RC-04
  Scenario: A newer export without an evaluation is not served
    Given a project whose model was exported and recorded
    When another model is exported and recorded
    Then the service refuses to start, for the model "was not evaluated"

  @REQ-049 @RC-04
  Scenario: A model that is not in production is not served
    Given a project whose model was exported and recorded
    When another model is exported, recorded and evaluated
    Then the service refuses to start, for the model "is not in production"

  @REQ-049 @RC-04
  Scenario: A model without an entry is not served
    Given a project whose conformal threshold was changed after it was exported
    When the service is started
    Then the service refuses to start and names the record of the export

  @REQ-029
  Scenario: Patient data from a client do not reach the log
    Given a running service
    When a file named after a patient is sent
    Then no entry of the log holds that name
