Feature: A stranger verifies a release offline
  Whoever receives an evidence pack can find out, without the manufacturer's systems, whether it is complete, unchanged,
  signed by two people and true to the log. Whatever was changed is named.

  @REQ-038 @REQ-039 @RC-13
  Scenario: An untouched pack holds, by both verifiers
    Given a signed evidence pack
    Then the verifier and the pack's own script both say that it holds

  @REQ-038 @REQ-039 @RC-13
  Scenario Outline: Whatever was changed is found and named
    Given a signed evidence pack
    When somebody <change>
    Then the verifier and the pack's own script both refuse it and name "<words>"

    Examples:
      | change                                          | words                                        |
      | changes a byte of the model                     | data/models/model.onnx                       |
      | drops the evaluation                            | data/evaluation/evaluation.json              |
      | adds a file                                     | data/extra.txt                               |
      | changes a byte in the middle of the archive     | is changed                                   |
      | removes all signatures                          | not signed                                   |
      | replaces one signature by a copy of the other   | signed twice                                 |
      | removes entry 6 and lets everybody sign again   | entry 6                                      |
      | invents a result and lets everybody sign again  | data/evaluation/evaluation.json has no entry |
      | hides an opening of the test set                | odometer.json does not state                 |

  @REQ-038
  Scenario: Trust comes from the verifier, not from the pack
    Given a signed evidence pack
    When the stranger trusts only other people than those who signed
    Then the pack is refused because of who signed

  @REQ-039
  Scenario: The script needs nothing but Python
    Given a signed evidence pack
    When it is unpacked into a folder
    Then the script that lies in it verifies the folder under a bare Python
