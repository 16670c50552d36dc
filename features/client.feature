Feature: Programs ask the service through a client
  The client sends an image and returns the mask as an array. It sends a request again when the service is busy or out of
  reach. It returns no answer that its receipt does not prove.

  @REQ-485
  Scenario Outline: An image gets its mask
    Given a client of a service that takes <images>
    When <what> is segmented by the <kind> client
    Then the mask is the one whose digest is in the log
    And each class has its name, its share and its conformal mask

    Examples:
      | images          | what                             | kind  |
      | grey volumes    | a NIfTI file                     | sync  |
      | grey volumes    | a folder of DICOM slices         | sync  |
      | grey volumes    | an array with its spacing        | sync  |
      | grey volumes    | an array with its spacing        | async |
      | grey volumes    | an array, asking for run lengths | sync  |
      | colour pictures | the bytes of a PNG               | async |

  @REQ-485
  Scenario Outline: An answer has what was asked for beside the mask
    Given a client of a service that takes grey volumes
    When an array is segmented, asking for probabilities as <type>
    Then the probabilities are those whose digest is in the log, as <type>
    And each class has its size with its unit
    And the answer has its times and the version of the device

    Examples:
      | type    |
      | float16 |
      | float32 |

  @REQ-485
  Scenario: A format that the client does not read is a file
    Given a client of a service that takes grey volumes
    When a NIfTI file is segmented, asking for NIfTI
    Then the answer has the file and no array
    And the verdict states that the file was not compared

  @REQ-485
  Scenario Outline: An image that gets no mask is an error with the words of the service
    Given a client of a service that takes grey volumes
    When <what> is segmented by the <kind> client
    Then the error is <error>, with the reason and the hint of the service

    Examples:
      | what                          | kind  | error              |
      | an array with a wrong spacing | sync  | a refused image    |
      | an array with a wrong spacing | async | a refused image    |
      | bytes that are no image       | sync  | a malformed request |

  @REQ-485
  Scenario: Earlier decisions are read through the client
    Given a client of a service that takes grey volumes
    When an array with its spacing is segmented by the sync client
    Then the client reads the model, the earlier decision and its receipt

  @REQ-485
  Scenario: A caller with a key is answered
    Given a client of a service whose callers have keys
    When an array is segmented without a key
    Then the error is a caller that is not known, and says how to get a key
    When an array is segmented with the key of the caller
    Then the entry of the answer names the caller

  @REQ-486
  Scenario Outline: An answer that was lost on its way makes one entry
    Given a client of a service that takes grey volumes
    And the first answer is lost on its way
    When an array with its spacing is segmented by the <kind> client
    Then 2 requests with one idempotency key were sent
    And the log has one entry more, that of the answer

    Examples:
      | kind  |
      | sync  |
      | async |

  @REQ-486
  Scenario Outline: A request is sent again with the same idempotency key
    Given a client of a service that takes grey volumes
    And <what happens> to the first 2 requests
    When an array with its spacing is segmented by the <kind> client
    Then 3 requests with one idempotency key were sent
    And the mask is the one whose digest is in the log

    Examples:
      | what happens                 | kind  |
      | a status of 503              | sync  |
      | a status of 409              | sync  |
      | a status of 429              | async |
      | a lost connection            | sync  |
      | a lost connection            | async |

  @REQ-486
  Scenario Outline: A request is not sent for ever
    Given a client of a service that takes grey volumes
    And <what happens> to the first 9 requests
    When an array with its spacing is segmented by the sync client
    Then the error is a service out of reach
    And <count> requests with one idempotency key were sent

    Examples:
      | what happens              | count |
      | a status of 503           | 4     |
      | a lost connection         | 4     |
      | a wish to come back later | 1     |

  @REQ-487
  Scenario Outline: The verdict names the keys that were used
    Given a client of a service that takes grey volumes, with <trust>
    When an array with its spacing is segmented by the sync client
    Then the verdict is <verdict>, by <keys>

    Examples:
      | trust         | verdict  | keys                             |
      | a trust file  | VERIFIED | the trust file                   |
      | a trust file that asks for a witness | LIMITED | the trust file |
      | no trust file | LIMITED  | the keys that the receipt itself names |

  @REQ-487 @RC-203
  Scenario Outline: An answer that its receipt does not prove is refused
    Given a client of a service that takes grey volumes, with <trust>
    When an answer comes with <what>
    Then the answer is refused because "<why>"

    Examples:
      | trust         | what                                   | why                          |
      | a trust file  | the mask of another answer             | names other masks or outputs |
      | no trust file | the mask of another answer             | names other masks or outputs |
      | a trust file  | the receipt of another image           | is about another image       |
      | a trust file  | another model                          | names another model          |
      | a trust file  | no conformal mask                      | names other masks or outputs |
      | a trust file  | other probabilities                    | names other masks or outputs |
      | a trust file  | no probabilities                       | names other masks or outputs |
      | a trust file  | the receipt of a refusal               | refused                      |

  @REQ-487
  Scenario Outline: A receipt that does not hold is refused
    Given a client of a service that takes grey volumes, with <trust>
    When an answer comes with <what>
    Then the answer is refused because "<why>"

    Examples:
      | trust         | what                                   | why                          |
      | no trust file | an entry that was changed              | was changed                  |
      | no trust file | no proof of its place                  | proof                        |
      | no trust file | no entries of the device's log         | names no service             |
      | a trust file  | no entries of the device's log         | you trust no key             |
      | a trust file of another log | the receipt of its entry | signature                    |

  @REQ-490
  Scenario Outline: What the interface promised stays
    Given a client of a service that takes <images>
    When its interface is compared with the list of promises
    Then no promise for <images> is broken, and what is deprecated says so

    Examples:
      | images          |
      | grey volumes    |
      | colour pictures |

  @REQ-491
  Scenario Outline: A long volume is answered as a job
    Given a client of a service that takes grey volumes
    When an array with its spacing is sent as a job by the <kind> client
    Then its progress ends with all tiles done
    And the mask is the one whose digest is in the log

    Examples:
      | kind  |
      | sync  |
      | async |

  @REQ-491
  Scenario: The answer of a job is proved like every other
    Given a client of a service that takes grey volumes, with a trust file
    When the answer of a job comes to a program that sent another image
    Then the answer is refused because "is about another image"

  @REQ-491
  Scenario: A job can be cancelled
    Given a client of a service that takes grey volumes
    When a job is cancelled
    Then it has no answer, and a job that is not known has none either
