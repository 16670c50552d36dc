Feature: Indexes of filings
  A verified pack is indexed clause by clause for an authority. Each clause is met in the pack, the user's own process, or not met.

  @REQ-592 @slow
  Scenario Outline: A pack is indexed for a filing
    Given a signed pack
    When it is indexed for "<filing>"
    Then page, JSON and CSV have the same clauses, each with a state
    And each link leads to a file or a section of the pack
    And the index states the verdict, the keys and the digest of the pack

    Examples:
      | filing |
      | fda    |
      | eu     |
      | part11 |

  @REQ-592 @RC-251
  Scenario: A clause without its evidence is not met
    Given a signed pack whose instructions for use lack a chapter
    When it is indexed for "eu"
    Then "AIA-08" is not met because of "Instructions for use: the text"
    And "AIA-22" is your own process

  @REQ-592 @RC-251
  Scenario: A pack that fails a check is refused
    Given a signed pack with a changed document
    When it is indexed for "fda"
    Then it is refused and nothing is written

  @REQ-592
  Scenario: Verifiers that differ give no index
    Given a signed pack
    And verify.py accepts no pack
    When it is indexed for "fda"
    Then it is refused because "the verifiers differ"

  @REQ-592
  Scenario: The same pack gives the same index
    Given a signed pack
    When it is indexed for "fda" twice
    Then both indexes have the same bytes

  @REQ-593
  Scenario: Each row states its edition and whether it was compared
    Given a signed pack
    When it is indexed for "fda"
    Then each row states edition, source and date of review
    And rows that were not compared with the text say so
