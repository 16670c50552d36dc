Feature: Series are taken from the network
  `minivess dicom listen` takes series by C-STORE from application entities that are named, and answers each as a series of a
  folder. What it takes is limited. Nothing about a patient reaches the log or the messages.

  @REQ-478 @REQ-479 @RC-197 @slow
  Scenario: Series of one association are answered when it is released
    Given a listener for the sender PACS, with a service whose model takes grey volumes
    When PACS sends two series of two patients in one association
    Then each has a segmentation with its own patient, a receipt and its line in the report
    And the log and the messages have no name, number or UID of patient or series

  @REQ-479 @slow
  Scenario: A peer gets the segmentations
    Given a listener for the sender PACS, with a service whose model takes grey volumes
    And a peer that takes segmentations
    When PACS sends two series of two patients in one association
    Then the peer has both segmentations, and the report says so

  @REQ-478 @RC-200
  Scenario Outline: What is not allowed is not taken
    Given a listener for the sender PACS, with a service whose model takes grey volumes
    When <what>
    Then it is refused
    And there is no delivery and no answer in the log

    Examples:
      | what                                             |
      | OTHER asks for an association                    |
      | PACS asks for an association with another title  |
      | PACS sends more bytes than are taken             |
      | PACS sends more files than are taken             |
      | PACS sends an image without a series             |
      | PACS aborts the association after some images    |

  @REQ-478
  Scenario: The listener answers a question whether it is there
    Given a listener for the sender PACS, with a service whose model takes grey volumes
    When PACS asks by C-ECHO
    Then it answers

  @REQ-479
  Scenario: A series that cannot be recorded is refused, and the listener continues
    Given a listener for the sender PACS, with a service whose model takes grey volumes
    And the serving log can no longer be written
    When PACS sends two series of two patients in one association
    Then the report has both as refused, because they cannot be recorded

  @REQ-478
  Scenario Outline: A listener that would be open to all does not start
    Given a project whose model was exported and recorded
    When `minivess dicom listen` is run <how>
    Then it is refused with a hint that has "<hint>"

    Examples:
      | how                        | hint          |
      | without a sender           | --allow       |
      | on all addresses           | --own-network |
      | with a title of 17 letters | 1 to 16       |
      | with a peer without a port | --peer        |
