Feature: Running over years, and the network
  The log outlives the versions of the software, and data of a study must not leave the house by a default.

  @REQ-113
  Scenario: A store of a newer version is left alone
    Given a log
    When its store is said to be of a newer version
    Then opening it is refused, and its bytes are what they were

  @REQ-113
  Scenario: An upgrade that is interrupted leaves nothing
    Given an empty store
    When its upgrade is interrupted
    Then the store is as it was, and can be upgraded later

  @REQ-114
  Scenario: Ordinary work opens no connection
    Given that no connection can be opened
    When somebody starts a project and reads its log
    Then it works

  @REQ-114
  Scenario Outline: What listens, listens on this machine unless told otherwise
    When somebody asks what "<command>" does
    Then they are told that it listens on loopback by default

    Examples:
      | command       |
      | serve         |
      | witness serve |
