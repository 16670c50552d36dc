Feature: People try the service in a browser
  The service has a page for people. A person chooses an image, and sees the mask on it, the decision with its reasons, and the
  record. The page comes from the service alone.

  @REQ-488
  Scenario Outline: The page comes from the service alone
    Given a service whose model takes <images>
    When the page for people is loaded
    Then each file that it names comes from the service with its type
    And its policy lets no other script and no other style run
    And each field and each slider has a label

    Examples:
      | images          |
      | grey volumes    |
      | colour pictures |

  @REQ-488 @RC-204
  Scenario: The page is not for clinical use
    Given a service whose model takes grey volumes
    When the page for people is loaded
    Then its first words are "Not for clinical use."

  @REQ-489 @RC-205
  Scenario Outline: The picture of an image has the voxels of the mask
    Given a service whose model takes <images>
    When the preview of <what> is asked for
    Then it has the axes, the shape and the spacing of the image
    And each voxel is as bright as that of the image at the same place
    And no entry is in the log

    Examples:
      | images          | what                          |
      | grey volumes    | a volume as NIfTI             |
      | grey volumes    | a volume with its axes turned |
      | colour pictures | a picture as PNG              |

  @REQ-489
  Scenario Outline: What cannot be shown is refused
    Given a service whose model takes grey volumes
    When the preview of <what> is asked for
    Then the request is refused as malformed

    Examples:
      | what                    |
      | bytes that are no image |
      | a volume without spacing |
