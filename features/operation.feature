Feature: Upgrades of the store, and use of the network
  The log outlives the versions of the software. Data of a study must not leave the network by default.

  @REQ-113
  Scenario: A store of a newer version is refused and not changed
    Given a log
    When its store is said to be of a newer version
    Then opening it is refused, and its bytes are what they were

  @REQ-113
  Scenario: An interrupted upgrade leaves the store unchanged
    Given an empty store
    When its upgrade is interrupted
    Then the store is as it was, and can be upgraded later

  @REQ-114
  Scenario: Ordinary work opens no connection
    Given that no connection can be opened
    When a user starts a project and reads its log
    Then it works

  @REQ-114
  Scenario Outline: Servers listen on loopback by default
    When a user asks for the help of "<command>"
    Then the help states that it listens on loopback by default

    Examples:
      | command       |
      | serve         |
      | witness serve |
