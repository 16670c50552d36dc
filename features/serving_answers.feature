Feature: What an answer says of itself
  An integrator sees what an answer rests on and where its time went. The entry in the log says the same, and nothing of
  the client.

  @REQ-430
  Scenario: An answer and its entry state the time of each stage
    Given a service whose model takes grey volumes
    When one of them is sent
    Then the answer states the seconds of every stage
    And its entry states those of the stages before the log
    And together they are not longer than the request

  @REQ-430
  Scenario Outline: The observer of a service is notified of each request
    Given a service with an observer
    When <what> is sent
    Then the observer is notified of <what it hears>

    Examples:
      | what                             | what it hears                               |
      | a known volume                   | an answer with times and the share of each class |
      | a volume without contrast        | a refusal with its reasons                 |
      | a file that is no image          | a request turned away for volume           |

  @REQ-430
  Scenario: An observer that fails changes no answer
    Given a service with an observer that fails
    When a known volume is sent
    Then it is answered with a receipt

  @REQ-431
  Scenario: The entry names all that the answer rests on
    Given a service whose model takes grey volumes
    When one of them is sent
    Then its entry names the digests of request, model, calibrator, decision rule and bounds
    And a service with another threshold has another decision rule in its entries
