Feature: Sealed test set
  The test part is encrypted when the data are split. It can be used for training or tuning by no one before two people
  have agreed to open it.

  Background:
    Given a data set of 4 subjects that was split into train, calibration and test

  @REQ-014 @RC-03
  Scenario: Sealing leaves no plain test file behind
    When the test part is sealed
    Then no file in the workspace holds a plain image or mask of the test part
    And a test case cannot be loaded as training data
    And ingesting again does not bring its plain files back

  @REQ-014
  Scenario: The data key opens exactly what was sealed
    When the test part is sealed
    Then the data key gives back every image and every mask
    And another key gives back nothing

  @REQ-014 @RC-03
  Scenario: Interrupted sealing is finished later without loss
    When sealing is interrupted before the plain files are removed
    And the test part is sealed
    Then no file in the workspace holds a plain image or mask of the test part
    And the data key gives back every image and every mask

  @REQ-090 @RC-03
  Scenario: Interrupted sealing continues where it stopped, without a stored key
    When sealing breaks off after the first case
    And the test part is sealed with another key
    Then the first case was not sealed again
    And both keys together give back every image and every mask

  @REQ-015 @RC-03
  Scenario Outline: A sealed file that was tampered with is refused and named
    When the test part is sealed
    And a sealed file is <change>
    Then opening the test part is refused and the file is named

    Examples:
      | change                    |
      | changed in one byte       |
      | cut short                 |
      | replaced by another case's |
      | removed                   |

  @REQ-015
  Scenario: A consistent forgery of file and manifest is still refused
    When the test part is sealed
    And a sealed file and its digest in the manifest are both changed
    Then opening the test part is refused

  @REQ-091 @RC-03
  Scenario Outline: A plain copy is found under any name and in any archive
    When a user has kept a test image as <form>
    And the test part is sealed
    Then the search names that file, the case and its image

    Examples:
      | form                          |
      | a file of DVC's cache         |
      | a gzipped file                |
      | a member of a zip archive     |
      | a member of a gzipped archive |

  @REQ-016 @RC-03
  Scenario: A forgotten plain copy keeps the data from being versioned
    When a user has copied a test image within the workspace
    And the test part is sealed
    Then the copy is found, and versioning the data is refused and names it

  @REQ-160
  Scenario: A data key is wrapped with HPKE for one person and one purpose
    When a data key is wrapped for a holder to seal a test set
    Then the holder unwraps it for this purpose and for no other
    And another person does not unwrap it

  @REQ-160
  Scenario: A test set that version 0.1.0 sealed still opens
    When the holder of the key of a test set of version 0.1.0 unwraps it
    Then the sealed files open with it
