Feature: The service takes the formats that people have
  An image is sent as the file that it is. It is read as `data ingest` reads it, and refused for the same reasons. The mask
  comes in the format that the request asks for, and is on the voxels of the image.

  @REQ-426
  Scenario Outline: An image is answered in each format
    Given a service whose model takes grey volumes
    When a known volume is sent as <format>, which <states> its spacing
    Then the mask is that of the same volume as a NumPy file

    Examples:
      | format                  | states          |
      | NIfTI                   | states          |
      | OME-TIFF                | states          |
      | NRRD                    | states          |
      | a zip of DICOM slices   | states          |
      | TIFF                    | does not state  |

  @REQ-426 @RC-171
  Scenario Outline: What ingest refuses is refused in the same words
    Given a service whose model takes grey volumes
    When <what> is sent
    Then the request is refused as malformed with the words of the reader

    Examples:
      | what                                     |
      | a NIfTI file that was cut short          |
      | a volume whose request contradicts it    |
      | a TIFF file without any spacing          |
      | a NIfTI file with NaN                    |
      | a DICOM series with a missing slice      |

  @REQ-427 @RC-171
  Scenario Outline: A hostile archive is refused
    Given a service whose model takes grey volumes
    When <what> is sent
    Then the request is refused as malformed
    And no file is left behind

    Examples:
      | what                                |
      | a zip bomb                          |
      | an archive that leaves its folder   |
      | a damaged archive                   |
      | an archive without DICOM            |

  @REQ-428
  Scenario Outline: The mask comes in the format that was asked for
    Given a service whose model takes <images>
    When one of them is sent, asking for <format>
    Then the mask of the file is the one whose digest is in the log

    Examples:
      | images         | format |
      | grey volumes   | npy    |
      | grey volumes   | nifti  |
      | grey volumes   | tiff   |
      | grey volumes   | rle    |
      | colour pictures | png   |

  @REQ-428
  Scenario Outline: A format that cannot hold the mask is refused before anything is segmented
    Given a service whose model takes grey volumes
    When one of them is sent, asking for <format>
    Then the request is refused as malformed
    And no answer is in the log

    Examples:
      | format    |
      | png       |
      | dicom-seg |
      | bmp       |

  @REQ-428 @RC-172
  Scenario: A DICOM segmentation belongs to the images that were sent
    Given a service whose model takes grey volumes
    When a series is sent, asking for a DICOM segmentation
    Then patient, study and frame of reference are those of the series
    And each plane of the segmentation is where its slice is

  @REQ-429
  Scenario Outline: A picture is answered in the short form
    Given a service whose model takes colour pictures
    When one of them is sent to the short form as <file>, asking for <format>
    Then the short answer has the mask of the long one, its model and its latency
    And its receipt is that of an entry in the log

    Examples:
      | file | format |
      | PNG  | rle    |
      | PNG  | png    |

  @REQ-429
  Scenario: A picture outside the intended use is refused in the short form too
    Given a service whose model takes colour pictures
    When a picture without contrast is sent to the short form
    Then the request is refused as outside the intended use, with a receipt

  @REQ-429
  Scenario: Volumes have no short form
    Given a service whose model takes grey volumes
    When a known volume is sent to the short form
    Then there is no such page

  @REQ-429
  Scenario: An earlier decision can be read again
    Given a service whose model takes grey volumes
    When a known volume is sent as NIfTI, which states its spacing
    Then its decision and its receipt are found by the index of its entry
    And an index without an answer is not found

  @REQ-429
  Scenario: The service is alive without a log, and not ready
    Given a service whose model takes grey volumes
    When its log is taken away
    Then it is alive
    And it is not ready
