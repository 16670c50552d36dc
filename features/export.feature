Feature: The exported model repeats the model that was trained
  A release contains one folder with the exported model: graphs and a record of how they are used. It is written only when
  it gives the same probabilities as PyTorch on whole images. The digest of the record is the digest of the model.

  @REQ-026 @REQ-342 @RC-05 @RC-143
  Scenario: The certificate is about whole images on their own grid
    Given a graph exported from a network that resamples images
    When two whole calibration cases are answered by both
    Then the certificate names both cases, all their voxels on their own grid, the largest difference and no flipped voxel

  @REQ-026 @REQ-342 @RC-05
  Scenario Outline: A graph with other answers is not certified
    Given a graph with <flaw>
    When two whole calibration cases are answered by both
    Then it is not certified: "<says>"

    Examples:
      | flaw                | says       |
      | other weights       | differs    |
      | NaN for an answer   | not finite |
      | damaged bytes       | malformed  |
      | another patch shape | no graph   |

  @REQ-289 @RC-137
  Scenario Outline: A normalisation is exact where ONNX Runtime's own is not
    Given a graph that normalises channels that are <kind>
    When it is written for export
    Then its answer is within 0.00001 of double precision, and was not before

    Examples:
      | kind                                   |
      | nearly constant                        |
      | nearly constant, in volumes            |
      | nearly constant, in groups of channels |
      | dark with few bright voxels            |

  @REQ-341 @RC-143
  Scenario Outline: What is changed in the folder is not opened
    Given the folder of an exported model
    When in the folder <change>
    Then it does not open as the recorded model, and the message names <what>

    Examples:
      | change                | what        |
      | a threshold is edited | as recorded |
      | the spacing is edited | export.json |
      | the graph is exchanged | model.onnx |
      | the graph is removed  | model.onnx  |
      | the record is removed | export.json |

  @REQ-343
  Scenario: A calibrator that is not affine is applied to the blended image
    Given the folder of a model whose calibrator is not affine
    Then its answer is that of calibrating the whole blended image, and not that of calibrating patches

  @REQ-343
  Scenario: Evaluation and service calibrate in the same way
    Given the folder of a model that is calibrated after blending
    Then the process of the evaluation gives the same answer as the service

  @REQ-344 @RC-143
  Scenario Outline: The fastest certified backend runs the model
    Given single precision takes 4 ms a patch and differs by <fp32>
    And 8 bits take 1 ms a patch, and <flips> of 100000 voxels flip
    Then <outcome>

    Examples:
      | fp32     | flips | outcome                                         |
      | 0.000001 | 0     | "onnxruntime int8" runs the model               |
      | 0.000001 | 100   | "onnxruntime int8" runs the model               |
      | 0.000001 | 101   | "onnxruntime fp32" runs the model               |
      | 0.001    | 0     | the export is refused                           |

  @REQ-344
  Scenario: A record does not name a backend that is not certified
    Given the record of an export
    When its backend is not certified
    Then the record is refused
