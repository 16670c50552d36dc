Feature: Series of a folder are answered
  `minivess dicom segment` takes a folder of DICOM files, as a scanner or an archive exports it. Each series is answered as
  the service answers an image: by the same readers, within the same bounds, on the record. The segmentation, the receipt
  and the report are files.

  @REQ-475 @REQ-476 @RC-197
  Scenario: Each series of a folder is answered or refused by itself
    Given a service whose model takes grey volumes
    And a folder with two series that the model takes, mixed in its folders
    And in it a series with a missing slice, one outside the intended use, a report without pixels and a text file
    When the folder is segmented
    Then the two series have a segmentation with their own patient, on their own slices
    And the report names each other series as refused with the reason
    And the report has a damaged file, and counts the text file

  @REQ-476
  Scenario: A segmentation comes with what proves it
    Given a service whose model takes grey volumes
    And a folder with two series that the model takes, mixed in its folders
    When the folder is segmented
    Then each segmentation has a receipt of an entry that names its mask and its source
    And the entries have no name, number or UID of patient or series
    And segmentations and reports are readable for their user alone

  @REQ-476
  Scenario: A series outside the intended use has a receipt and no segmentation
    Given a service whose model takes grey volumes
    And a folder with a series without contrast
    When the folder is segmented
    Then the series is refused with a receipt, and has no segmentation

  @REQ-475
  Scenario Outline: A folder that cannot be answered is refused before anything is answered
    Given a service whose model takes <images>
    And <what>
    When the folder is segmented
    Then it is refused because <why>
    And no answer is in the log

    Examples:
      | images          | what                             | why                       |
      | grey volumes    | an output folder with a file     | the output folder has files |
      | grey volumes    | a folder with too many files     | more than 3 files         |
      | colour pictures | a folder with a series without contrast | the model is for pictures |

  @REQ-475
  Scenario: Links out of the folder are not followed
    Given a service whose model takes grey volumes
    And a folder with links to a series elsewhere
    When the folder is segmented
    Then the report has no series

  @REQ-475 @REQ-476
  Scenario: An answer requires a record for a series too
    Given a service whose model takes grey volumes
    And a folder with two series that the model takes, mixed in its folders
    And the serving log can no longer be written
    When the folder is segmented
    Then the work stops, and the output has no segmentation
    And the report says that it is not complete

  @REQ-475 @REQ-476
  Scenario: The command answers a folder
    Given a project whose model was exported and recorded
    And a folder with two series that the model takes, mixed in its folders
    When `minivess dicom segment` is run on it
    Then it ends with exit code 0 and prints the report
    And it ends with exit code 1 when one of the series is refused
