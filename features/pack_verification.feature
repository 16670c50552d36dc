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
