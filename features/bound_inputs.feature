Feature: Commands use the files that the log names
  A figure or an answer depends on more files than a signature names. Each file that a later command reads again is
  compared with the digest in the log, never with a digest that the file contains itself.

  @REQ-180 @RC-65 @slow
  Scenario Outline: A file that is changed after the approval is refused
    Given an approved request to open the test set
    And <change>
    When Ada evaluates
    Then it is refused and the message names "<file>"
    And the last entry says that "ada" was refused
    And the test set was never opened

    Examples:
      | change                                                             | file                                  |
      | the voxels of the test cases are made smaller in the manifest      | data/manifest.json                    |
      | the masks of the calibration cases are emptied                     | label.npy                             |
      | an image of a calibration case is replaced by one of equal size    | image.npy                             |
      | the spacing in the record of a calibration case is changed         | case.json                             |
      | the classes in the record of a calibration case are changed        | case.json                             |
      | the axes in the record of a calibration case are changed           | case.json                             |
      | a calibration case is swapped with a training case                 | case.json                             |
      | a training case becomes a calibration case in the split            | data/split.json                       |
      | the manifest of the sealed part is written anew                    | data/sealed/manifest.json             |
      | the version of the data names another split                        | data/version.json                     |
      | the conformal threshold of the export is lowered                   | models/export/export.json             |
      | the model is exchanged for another valid one                       | models/export/model.onnx              |

  @REQ-180 @RC-65 @slow
  Scenario: A sealed case whose record was changed is not ingested again
    Given an approved request to open the test set
    And the record of a test case is changed
    When Ada ingests the cases again
    Then the ingest is refused under the rule "sealed-changed", and names the case
    And the last entry says that "ada" was refused
    And the manifest of the cases is the one that was approved

  @REQ-180 @RC-65 @slow
  Scenario Outline: A file that is changed between two steps is refused by the next
    Given an approved request to open the test set
    And <change>
    When Ada <step>
    Then it is refused and the message names "<file>"
    And the last entry says that "ada" was refused

    Examples:
      | change                                                          | step        | file                           |
      | the masks of the training cases are emptied                     | trains      | label.npy                      |
      | a training run says that it was made with another configuration | combines    | models/members/seed-0/run.json |
      | the ensemble names other weights                                | calibrates  | models/ensemble.json           |
      | the threshold of the calibration is lowered                     | exports     | models/calibration.json        |
      | the split is written anew                                       | checks the split for leaks | data/split.json |

  @REQ-180 @RC-65
  Scenario Outline: A file that is changed before the sealing is refused
    Given a project with validated cases
    And <change>
    When Ada <step>
    Then it is refused and the message names "<file>"
    And the last entry says that "ada" was refused

    Examples:
      | change                                               | step          | file                 |
      | the manifest names another subject                   | validates     | data/manifest.json   |
      | a test case is changed with its record after the split | splits and seals | image.npy         |

  @REQ-180 @RC-65
  Scenario: A validation that is edited is made again before the split
    Given a project with validated cases
    And the findings are taken out of the validation
    When Ada has split the cases
    Then the findings are there again, in a later entry than before

  @REQ-180 @RC-65 @slow
  Scenario Outline: A release is not built from changed results
    Given an evaluated model
    And <change>
    When Max builds the release
    Then it is refused and the message names "<file>"
    And the last entry says that "max" was refused

    Examples:
      | change                                   | file                                |
      | a measure in the evaluation is improved  | evidence/evaluation/evaluation.json |
      | the difference in the export is lowered  | models/export/export.json           |

  @REQ-180
  Scenario: The table names every file that an evaluation reads
    Given an approved request to open the test set
    When Ada's evaluation is watched
    Then every file of the workspace that was read is in the table, the project file, a key or a part of the log

  @REQ-181 @RC-12 @RC-65 @slow
  Scenario Outline: The bounds of the intended use are those of the export
    Given a project whose model is served
    And <change>
    When the service is started
    Then it is refused and the message names "<file>"

    Examples:
      | change                                                              | file                      |
      | the bounds of the intended use are widened                          | models/export/export.json |
      | version 0.1.0 exported the model and two prepared cases are widened | case.json                 |

  @REQ-181 @RC-12
  Scenario: Prepared cases are not read again by the service
    Given a project whose model is served
    And two prepared cases are widened
    When the service is started
    Then its bounds are those of the export
