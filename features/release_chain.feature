Feature: A release rests on a chain of entries, and its pack has the files of its layout

  @REQ-226
  Scenario: The entries of a release are found in its log
    Given a log with everything that a release needs
    When the entries of the release are searched
    Then they are the newest of each step, with every training run and every look
    And each names by reference those it rests on

  @REQ-226
  Scenario: A release without a step names the command
    Given a log without scenarios
    When the entries of the release are searched
    Then it is refused because "no completed scenarios", with the hint "minivess trace run"

  @REQ-227 @RC-96
  Scenario Outline: A release whose entries do not fit each other is refused before it is built
    Given a log in which <what>
    When the release is built
    Then it is refused because "<words>"
    And no pack was written

    Examples:
      | what                                                 | words                                                                                      |
      | another model was exported after the evaluation      | the evaluation of entry .* is of model sha256:.*, the release is of model sha256:          |
      | the ensemble was calibrated again after the export   | the calibration of entry .* is superseded: the calibration of entry .* is of other contents |
      | other cases were ingested after the split            | the ingest of entry .* is superseded: the ingest of entry .* is of other contents          |
      | the device has another version than the request      | the request of entry .* is for release 1.0.0, the release is 1.1.0                         |
      | a training run was neither used nor given a disposition | the training run of entry .* is neither in the ensemble nor has a disposition            |
      | the ensemble does not name the runs of its members   | the ensemble of entry .* names no run of its members                                       |

  @REQ-226
  Scenario: Making the same file again supersedes nothing
    Given a log in which the same cases were ingested and validated again
    When the release is built
    Then a pack was written

  @REQ-227 @RC-96
  Scenario Outline: A prepared release that does not fit its log is refused offline
    Given a pack whose preparation <lie>
    When two people sign it and both verifiers judge it
    Then both name the check "chain" because "<words>"

    Examples:
      | lie                                        | words                                                  |
      | names the model of a later export          | is of model sha256:.*, the release is of model sha256: |
      | is of another version of the device        | the request of entry .*1\.0\.0,.* 2\.0                 |
      | rests on a superseded calibration          | the calibration of entry .* is superseded              |
      | leaves out a training run                  | every training run once or chain.runs                  |
      | gives a run the disposition of another run | the disposition of entry 13 or chain.runs              |
      | leaves out a look                          | every look at the test set or chain.looks              |
      | leaves out the newest drill                | drill.* 26.* 28 or 26.* drill.* 28                     |

  @REQ-228 @RC-97
  Scenario Outline: A pack with other files than its layout is refused
    Given a pack in which <what>
    When two people sign it and both verifiers judge it
    Then both name the check "files" because "<words>"

    Examples:
      | what                                         | words                                      |
      | the model is missing                         | data/models/model.onnx.* is missing        |
      | the results are missing                      | data/verification/results.json.* is missing |
      | a document is missing                        | data/documents/soup.html.* is missing      |
      | the run of a member is missing               | models/members/seed-1.*is missing          |
      | a file was added                             | data/documents/other.html is no file of layout 2 |
      | the calibration is another one               | data/models/calibration.json is sha256:    |
      | a document was changed after the preparation | manifest.* sha256:.* sha256: |

  @REQ-229
  Scenario: The log in a pack ends with the preparation of the release
    Given a log with everything that a release needs
    When the release is built
    Then the last entry of the pack's log prepares the release and binds every file outside the log
    And the pages of the pack are those of the log before this entry
