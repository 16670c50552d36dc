Feature: The exported model repeats the model that was trained
  A release contains one ONNX graph. It is written only when it gives the same probabilities as its source on real
  patches.

  Background:
    Given a calibrated ensemble and real patches

  @REQ-026 @RC-05
  Scenario: A graph with the same outputs is certified
    Given a graph exported from it
    When the graph is certified with a tolerance of 0.0001
    Then the graph is written, and its certificate names its digest, operator set, largest difference and speed

  @REQ-026 @RC-05
  Scenario Outline: A graph with other outputs is refused and leaves no file
    Given a graph with <flaw>
    And a graph of an earlier export in its place
    When the graph is certified with a tolerance of 0.0001
    Then it is refused, the message says "<says>", and no graph is left in its place

    Examples:
      | flaw                | says      |
      | other weights       | differs   |
      | NaN for an answer   | differs   |
      | damaged bytes       | malformed |
      | another patch shape | no graph  |
