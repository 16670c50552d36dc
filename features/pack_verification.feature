Feature: The receiver verifies a release offline
  The receiver of an evidence pack can verify it without the manufacturer's systems. The pack must be complete,
  unchanged, signed by two people and consistent with the log. Each change is named.

  @REQ-038 @REQ-039 @RC-13
  Scenario: Both verifiers accept an untouched pack
    Given a signed evidence pack
    Then the verifier and the pack's own script both say that it holds

  @REQ-038 @REQ-039 @RC-13
  Scenario Outline: Each change is found and named
    Given a signed evidence pack
    When an attacker <change>
    Then the verifier and the pack's own script both refuse it and name "<words>"

    Examples:
      | change                                          | words                                        |
      | changes a byte of the model                     | data/models/model.onnx                       |
      | drops the evaluation                            | data/evaluation/evaluation.json              |
      | adds a file                                     | data/extra.txt                               |
      | changes a byte in the middle of the archive     | is changed                                   |
      | removes all signatures                          | not signed                                   |
      | replaces one signature by a copy of the other   | signed twice                                 |
      | removes entry 6 and gets all signatures again   | entry 6                                      |
      | invents a result and gets all signatures again  | data/evaluation/evaluation.json has no entry |
      | hides an opening of the test set                | odometer.json does not state                 |

  @REQ-038
  Scenario: The receiver decides which keys to trust
    Given a signed evidence pack
    When the stranger trusts only other people than those who signed
    Then the pack is refused because of who signed

  @REQ-039
  Scenario: The script needs only Python
    Given a signed evidence pack
    When it is unpacked into a folder
    Then the script in it verifies the folder under a bare Python

  @REQ-038 @RC-13
  Scenario: A folder is verified like its archive
    Given a signed evidence pack
    When it is unpacked into a folder by other programs
    Then the verifier finds nothing wrong in the folder
    And the verifier refuses the folder with one byte more in "data/models/model.onnx" and names it
    And the verifier refuses the folder with one file more in "data/audit/extra.txt" and names it

  @REQ-221
  Scenario: The verdict on a pack of version 0.1.0 is LIMITED
    Given the evidence pack that version 0.1.0 wrote
    When the command "release verify" judges it
    Then its last line is LIMITED and names chain, files, source, soup, figures, gates, signing text, lineage and logged signatures
    And its exit code is 1, and 0 when layout 1 is allowed
    And its exit code is 1 when layout 1 is allowed and the trust file names no release rules

  @REQ-221
  Scenario: The verdict names the keys that were used
    Given a signed evidence pack
    When the command "release verify" judges it
    Then it says that it used the pack's own keys
    When the command "release verify" judges it with a trust file
    Then it names the trust file and the first twelve digits of its digest

  @REQ-221 @RC-94
  Scenario: A pack of an older layout than the receiver requires is refused
    Given a signed evidence pack
    When the receiver requires layout 2
    Then the pack is refused because it is of layout 1, also when layout 1 is allowed

  @REQ-222 @RC-94
  Scenario Outline: A pack that can be read in two ways is refused
    Given a signed evidence pack
    When a builder of packs <change> and gets all signatures again
    Then the verifier refuses it and names "<words>", and the pack's own script refuses it too

    Examples:
      | change                                        | words                                                 |
      | states the looks twice in one file            | data/evaluation/odometer.json: not valid JSON         |
      | adds an unknown field to the signature policy | data/release/policy.json                              |
      | nests the signature policy too deep           | data/release/policy.json: the JSON nests deeper       |
      | writes a lineage event in another encoding    | data/lineage/events.jsonl:1                           |
      | writes a run id twice in one event            | data/lineage/events.jsonl:2                           |
      | adds the start page in capital letters        | data/index.html and data/INDEX.HTML                   |
      | leaves the Payload-Oxum out                   | bag-info.txt does not state Payload-Oxum              |
      | states another Payload-Oxum                   | bag-info.txt states Payload-Oxum 1.1                  |
      | states the Payload-Oxum twice                 | bag-info.txt:3                                        |
      | writes bag-info.txt in another encoding       | bag-info.txt is not UTF-8 text                        |

  @REQ-223 @RC-94
  Scenario Outline: Lineage events are compared with the log
    Given the log and the lineage events of a pack
    When the lineage is changed so that <change>
    Then the lineage check names "<words>"

    Examples:
      | change                                    | words                                                    |
      | nothing is changed                        | 3 lineage events, each of the run and the outcome        |
      | the event of the failed run is left out   | entry 5 (training, failed) has no FAIL event             |
      | a failed run is shown as completed        | data/lineage/events.jsonl:2 has no entry in the log      |
      | an event is repeated                      | data/lineage/events.jsonl:4 repeats the event            |
      | an event of another run is added          | data/lineage/events.jsonl:4 has no entry in the log      |
      | a line is half an event                   | data/lineage/events.jsonl:3 is not an OpenLineage event  |
      | the last line is cut off                  | data/lineage/events.jsonl is cut off                     |
