Feature: Changes
  A link remembers the text that it pointed to when a person reviewed it. When that text changes, the link is suspect
  until a person reviews it again. Before a change, its effects can be listed.

  Background:
    Given a project whose links were all reviewed by "ada"

  @REQ-067
  Scenario: A review is a signed entry
    Then no link waits for a review
    And the log says that "ada" reviewed "REQ-001 derives_from UN-01"

  @REQ-067 @RC-11
  Scenario: A changed target makes the links to it suspect
    When the statement of "UN-01" changes
    Then the check reports the suspect link "REQ-001 derives_from UN-01"
    When "rosa" reviews the links of "UN-01"
    Then no link waits for a review

  @REQ-067 @RC-11
  Scenario Outline: A link is suspect when data, model or policy change
    Given "RC-01" rests on the <thing> and was reviewed so
    When the <thing> changes
    Then the link "RC-01 rests_on <thing>" is suspect

    Examples:
      | thing          |
      | policy         |
      | data-set       |
      | label-protocol |
      | weights        |
      | threshold      |
      | configuration  |

  @REQ-067 @RC-11
  Scenario: An unsigned review is distinguished from a signed one
    When the statement of "UN-01" changes
    And a user writes the new digest into the file of reviews by hand
    Then the review of "REQ-001 derives_from UN-01" counts as unsigned

  @REQ-067
  Scenario: A service cannot review
    When the statement of "UN-01" changes
    Then the service is refused to review links

  @REQ-068 @slow
  Scenario: The effects of a change are listed
    When "ada" asks what a change of "REQ-001" reaches
    Then "RC-01", "RISK-01" and "UN-01" are affected
    And the scenario "Two and two" is to be run again
    And pytest, given the selection, runs that scenario alone

  @REQ-068
  Scenario: A baseline can be compared later
    Given the tree is committed
    And "max" takes the baseline "v1"
    When the statement of "UN-01" changes
    Then the difference from the baseline "v1" is the statement of "UN-01"
    And the baseline "v1" cannot be taken again
    And no baseline is taken of a tree that differs from its commit

  @REQ-068
  Scenario: A tree below the root of its repository can be compared
    Given the tree is below the root of a repository and committed
    When the statement of "UN-01" changes
    Then "minivess trace diff HEAD" lists the change of "UN-01", with and without a log

  @REQ-254
  Scenario Outline: The items of a commit are compared in each kind of repository
    Given a source tree in a <place>
    When an item is taken away
    Then "minivess trace diff HEAD" lists it without a passphrase

    Examples:
      | place         |
      | root          |
      | subfolder     |
      | worktree      |
      | shallow clone |
      | submodule     |

  @REQ-254
  Scenario: A commit that a shallow clone lacks is named
    Given a source tree in a shallow clone
    When "minivess trace diff" is run with a commit that was not fetched
    Then it names "git fetch --unshallow"
