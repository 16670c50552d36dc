Feature: Valid lineage events and trusted time

  @REQ-051
  Scenario: An invalid OpenLineage event stops the delivery
    Given a log with a valid event, a malformed one and another valid one waiting
    When the events are delivered
    Then only the first has left, and the refusal names the rule that was broken
    And the others wait in their order

  @REQ-174
  Scenario: Events are delivered when the command ends
    Given a command that records three actions
    When it has recorded them
    Then no event has left
    When it ends
    Then the events of all three have left in the order of their entries

  @REQ-056
  Scenario: A checkpoint is stamped by an authority without a network
    Given a log and a timestamp authority that is reached by files alone
    When the request is carried there and the response is carried back
    Then the log keeps a time for that checkpoint which anyone can verify

  @REQ-053
  Scenario Outline: A token address can contain no secret and load no code
    When a user makes an identity with the token "<address>"
    Then it is refused with "<words>" and nothing is made

    Examples:
      | address                                            | words                    |
      | pkcs11:token=a;object=b?pin-value=1234             | pin-value                |
      | pkcs11:token=a;object=b?module-path=/tmp/evil.so   | module-path              |
      | token=a;object=b                                   | pkcs11                   |
