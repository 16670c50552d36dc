Feature: What an answer says of itself
  An integrator sees what an answer rests on and where its time went. The entry in the log says the same, and nothing of
  the client.

  @REQ-430
  Scenario: An answer and its entry state the time of each stage
    Given a service whose model takes grey volumes
    When one of them is sent
    Then the answer states the seconds of every stage
    And its entry states those of the stages before the log
    And together they are not longer than the request

  @REQ-430
  Scenario Outline: The observer of a service is notified of each request
    Given a service with an observer
    When <what> is sent
    Then the observer is notified of <what it hears>

    Examples:
      | what                             | what it hears                               |
      | a known volume                   | an answer with times and the share of each class |
      | a volume without contrast        | a refusal with its reasons                 |
      | a file that is no image          | a request turned away for volume           |

  @REQ-430
  Scenario: An observer that fails changes no answer
    Given a service with an observer that fails
    When a known volume is sent
    Then it is answered with a receipt

  @REQ-431
  Scenario: The entry names all that the answer rests on
    Given a service whose model takes grey volumes
    When one of them is sent
    Then its entry names the digests of request, model, calibrator, decision rule and bounds
    And a service with another threshold has another decision rule in its entries

  @REQ-432
  Scenario Outline: Probabilities and disagreement come when they are asked for
    Given a service whose model has several members for <images>
    When one of them is sent, asking for <outputs> as <type> in <format>
    Then the answer has these outputs with their type, axes and classes
    And the mask follows from the probabilities, and is that of a request without them
    And the entry names the digest of each output

    Examples:
      | images                   | outputs                     | type    | format |
      | volumes with two classes | probabilities, disagreement | float16 | npy    |
      | volumes with two classes | probabilities, disagreement | float32 | nifti  |
      | colour pictures          | probabilities               | float32 | npy    |
      | colour pictures          | disagreement                | float32 | nifti  |

  @REQ-432
  Scenario Outline: Outputs that cannot be given are refused before anything is segmented
    Given a service whose model takes grey volumes
    When one of them is sent, asking for <outputs> as <type> in <format>
    Then the request is refused as malformed, naming "<named>"

    Examples:
      | outputs       | type    | format | named                        |
      | disagreement  | float32 | npy    | the model gives no disagreement |
      | saliency      | float32 | npy    | `outputs` is none of         |
      | probabilities | float64 | npy    | `output_type` is none of     |
      | probabilities | float16 | nifti  | NIfTI has no float16         |
      | probabilities | float32 | tiff   | `output_format` is none of   |

  @REQ-433
  Scenario Outline: Each class is measured with its unit
    Given a service whose model has several members for <images>
    When one of them is sent
    Then the size of each class is its voxels times the size of a voxel in <unit>
    And its components and its box are those of the mask

    Examples:
      | images                   | unit |
      | volumes with two classes | mm³  |
      | grey pictures            | µm²  |
      | colour pictures          | px   |

  @REQ-027 @REQ-172 @slow
  Scenario: The receipt of an answer is verified from the command line with a trust file alone
    Given a service whose model takes grey volumes
    When one of them is sent
    Then `minivess audit verify` confirms its receipt with the trust file of the device, outside of any project
    And a receipt whose entry was changed is refused

  @REQ-431
  Scenario: Nothing of a patient and no name of a file reaches the log
    Given a service whose model takes grey volumes
    When a DICOM series of a named patient is sent under a name, asking for everything
    Then it is answered
    And neither the name of the patient nor that of the file is in a file of the log

  @REQ-027 @REQ-438
  Scenario: Without a log no job has an answer
    Given a service whose model takes grey volumes
    And the serving log can no longer be written
    When a volume is sent as a job
    Then its answer is that the service is unavailable, and it is counted
