Feature: Hostile clients do not stop the service
  Whoever can reach the service can send what they like. What is damaged, promises too much or never comes is refused or cut off within
  bounds, and others are answered.

  @REQ-460
  Scenario Outline: A file that promises more than it has is refused
    Given a service whose model takes grey volumes
    When <what> of a few bytes is sent
    Then the request is refused as malformed
    And the next volume is answered

    Examples:
      | what                                       |
      | a NIfTI file that declares 12 GB           |
      | a picture that declares 1.6 billion pixels |
      | an archive that declares 4 GB              |
      | an archive of 100 packed megabytes         |
      | a NumPy file that declares 51 GB           |

  @REQ-460 @slow
  Scenario: The interface keeps to its own description
    Given a service whose model takes grey volumes
    When requests made from its OpenAPI document are sent, valid and invalid ones
    Then each answer is one that the document describes

  @REQ-461 @RC-191
  Scenario Outline: A client that holds a connection loses it
    Given a server that waits half a second
    When a client <holds it>
    Then the server closes the connection

    Examples:
      | holds it                                    |
      | sends nothing                               |
      | sends half the head of a request            |
      | sends half a second head after an answer    |
      | continues to send after its answer          |
