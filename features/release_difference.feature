Feature: What differs between two releases is stated part by part
  A reviewer of a second release sees what changed since the first one, with figures that are compared on the same cases.

  Background:
    Given two releases of one device in one log

  @REQ-570
  Scenario: Each part of the evidence is compared
    When their packs are compared at the command line
    Then the changed requirement is shown with its text before and now
    And the new model, source tree and results are shown
    And each pack is named with its digest and with what its verification came to
    And the JSON says the same

  @REQ-570 @RC-240
  Scenario: A part that one pack lacks is not reported as unchanged
    Given the first pack has no SOUP list
    When their packs are compared at the command line
    Then the SOUP list is reported as not compared, with the missing file

  @REQ-571
  Scenario: Figures on the same sealed cases have paired intervals
    When their packs are compared at the command line
    Then the output has the paired difference of each measure with its interval and its corrected p

  @REQ-571
  Scenario: Figures on other cases are not paired
    Given the second model was evaluated on other sealed cases
    When their packs are compared at the command line
    Then the output states that the evaluations are of different data
    And the figures of each release are shown with their own intervals

  @REQ-572
  Scenario: The release notes and a page show the differences
    When the differences are written as a page
    Then the page and the release notes of the second pack show the changed requirement and the paired differences
    And the pack has the differences as data, which name the first pack by its digest

  @REQ-573 @RC-241
  Scenario Outline: A release after another one is built with the pack of the other one
    Given the pack of the first release <place>
    When the pack of the release before is searched
    Then <answer>

    Examples:
      | place                                        | answer                                             |
      | is in the project                            | it is found                                        |
      | is elsewhere and named                       | it is found                                        |
      | was removed                                  | the build is refused, because it is not there      |
      | was replaced by the pack of another release  | the build is refused, because it is another pack   |
