Feature: Operators see what the service does
  The service counts, logs and traces its answers. What it shows leads to the entries of the log and has nothing of a client.

  @REQ-462
  Scenario: Metrics count answers and refusals
    Given a service that is observed
    When 2 volumes are answered, 1 is outside the intended use and 1 request is malformed
    Then its metrics count 2 answers, 1 recorded refusal and 1 malformed request
    And they have the time of each stage, the share and the confidence of each class, and the version of the model
    And no label has what a client wrote

  @REQ-462 @RC-193
  Scenario: An observer that fails touches no answer
    Given a service that is observed
    And one more observer that always fails
    When a volume is sent
    Then it is answered, and the other observers are notified

  @REQ-463 @RC-192
  Scenario: Log lines name the entry and nothing of a client
    Given a service that is observed
    When a volume is sent with the name of a patient in its file name, headers and a malformed body
    Then each log line is one JSON object with declared fields
    And the line of the answer names the request as its entry does
    And no line has the name of the patient or the key of the caller

  @REQ-464
  Scenario Outline: A span leads to the entry
    Given a service that is observed
    When a volume is sent with <header>
    Then its span names the request as its entry does
    And the span is <part>

    Examples:
      | header                  | part                         |
      | a well-formed trace     | part of the trace of the caller |
      | a malformed trace       | the first of its own trace   |
      | a name for the request  | the first of its own trace   |
