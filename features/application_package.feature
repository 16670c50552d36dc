Feature: A MONAI Application Package of the model in production
  `minivess model map` makes the paths and manifests of a MONAI Application Package. Its application segments the DICOM
  series of a folder, on the record, with the code and the model of the package.

  @REQ-477
  Scenario: A package has the layout and the manifests of the specification, and is recorded
    Given a project whose model was exported and recorded
    When `minivess model map` is run
    Then the manifests have the fields of specification 1.0.0 and name what is there
    And its packages are pinned, and its Dockerfile installs them with their digests
    And no file of it has a secret
    And the log names the package, its model, code and packages by their digests

  @REQ-477 @slow
  Scenario: The application of a package segments a folder
    Given a project whose model was exported and recorded
    When `minivess model map` is run
    And its application is run on a folder with two series
    Then it has written both segmentations with receipts, and a report
    And the code that ran is that of the package

  @REQ-477 @RC-201
  Scenario: A package whose model was exchanged answers nothing
    Given a project whose model was exported and recorded
    When a series is segmented with a copy of another model
    Then it is refused, because the model is another one

  @REQ-477
  Scenario: A package is not made twice
    Given a project whose model was exported and recorded
    And a folder of that name
    When `minivess model map` is run
    Then it is refused because the folder of the package exists
