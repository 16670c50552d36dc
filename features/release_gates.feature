Feature: Gates, figures and the signing text follow from the log and the files of a release

  Background:
    Given a pack in which everything is true

  @REQ-230
  Scenario: The gates of a pack are judged again from its files and its log
    When the facts of the release are derived
    Then the gates are those of the pack, each marked as derived or attested

  @REQ-230 @RC-98
  Scenario Outline: A release with nothing to count fails
    Given the pack has no <counted>
    When the gates are judged from its files
    Then the gate "counts" fails and names "no <counted>"

    Examples:
      | counted      |
      | requirements |
      | risks        |
      | controls     |
      | scenarios    |

  @REQ-269 @RC-123
  Scenario Outline: A gate that judged nothing fails
    Given the project has no <thing> and nothing is wrong
    When the gate <kind> is judged
    Then it fails because "<why>"

    Examples:
      | kind      | thing                 | why                                      |
      | metric    | evaluated case        | there is no case                         |
      | baseline  | evaluated case        | there is no case                         |
      | parity    | compared patch        | there is no patch                        |
      | trace     | requirement           | there is no requirement                  |
      | risk      | risk                  | there is no residual risk                |
      | runs      | training run          | there is no training run                 |
      | lineage   | lineage run           | there is no entry with a lineage run     |

  @REQ-269
  Scenario: The gate about looks may count zero and says why
    Given the project has no look and nothing is wrong
    When the gate test-set is judged
    Then it passes and says "the gates of figures fail without a look"

  @REQ-269
  Scenario: Each gate of a release says how much it judged
    When the facts of the release are derived
    Then each gate names the number of items it judged

  @REQ-231
  Scenario: A figure that does not follow from the counts of the cases is refused
    Given the mean Dice of the evaluation is stated as 0.999
    When the figures are computed again
    Then it is refused because "aggregates.dice.mean is 0.999000 in the evaluation"

  @REQ-247 @RC-106
  Scenario: A calibration that divides the groups of the seal is refused
    Given the calibration of the pack states other groups than the seal
    When the figures are computed again
    Then it is refused because "group of train-5 is other, and train-5 by data/datasets/split.json"

  @REQ-247 @RC-106
  Scenario: A guarantee from too few groups is refused
    Given the calibration of the pack promises a recall of 0.9 from 2 groups
    When the figures are computed again
    Then it is refused because "a conformal threshold for recall 0.9 from 2 groups, and that needs 10"

  @REQ-231 @RC-98
  Scenario: A residual risk is looked up in the matrix of the plan
    Given a residual risk is estimated at a level that the plan does not accept
    And the release manager prepares the release again
    When the facts of the release are derived
    Then it is refused because "the gate risks says"

  @REQ-232 @RC-98
  Scenario: A falsified gate is refused by name
    Given the gate "dice" of the pack shows another value
    And the release manager prepares the release again
    When the facts of the release are derived
    Then it is refused because "the gate dice says value 0.999"

  @REQ-232
  Scenario: A policy with a lower limit than the registered one is refused
    Given the policy of the pack has a lower limit for "dice"
    And the release manager prepares the release again
    When the facts of the release are derived
    Then it is refused because "the gate dice is not one that entry 21 registered"

  @REQ-232
  Scenario: What the tool attests is in one file with the name and version of the tool
    Then the file of attested findings names the tool, its version and the source tree

  @REQ-233
  Scenario: The start page shows the signing text
    Then the start page shows each line of the signing text

  @REQ-233 @RC-99
  Scenario: A signing text that leaves out a line is refused
    Given the signing text of the pack says nothing of the training runs
    And the release manager prepares the release again
    When the facts of the release are derived
    Then it is refused because "signing-text.txt:"

  @REQ-550
  Scenario Outline: What a tool counted stops a release beyond the allowed count
    Given the tool found <found> offenders of <kind> among 10
    And the policy allows <allowed> of <kind>
    When the gates are judged on these facts
    Then the gate of <kind> <verdict>

    Examples:
      | kind            | found | allowed | verdict |
      | suspects        | 1     | 0       | fails   |
      | units           | 2     | 2       | passes  |
      | clauses         | 3     | 2       | fails   |
      | vulnerabilities | 1     | 0       | fails   |
      | licences        | 0     | 0       | passes  |
      | expiries        | 1     | 0       | fails   |
      | drafts          | 4     | 3       | fails   |

  @REQ-550
  Scenario: A kind that was not examined fails
    Given the policy allows 5 of vulnerabilities
    When the gates are judged on these facts
    Then the gate of vulnerabilities fails
    And it says "the packages were not looked up"

  @REQ-550 @RC-230
  Scenario: A text that changed after its approval stops a release
    Given the plan has to be approved, and another version of it was
    And the policy allows 0 of approvals
    When the gates are judged on these facts
    Then the gate of approvals fails
    And it says "sdp.md is not approved as it is now"

  @REQ-551
  Scenario Outline: Figures of coverage, subgroups, speed and witnesses are limited
    Given the policy limits <kind> to <limit>
    And the figure of <kind> is <figure>
    When the gates are judged on these facts
    Then the gate of <kind> <verdict>

    Examples:
      | kind      | limit | figure | verdict |
      | conformal | 0.9   | 0.91   | passes  |
      | conformal | 0.9   | 0.89   | fails   |
      | subgroups | 0.1   | 0.05   | passes  |
      | subgroups | 0.1   | 0.2    | fails   |
      | latency   | 0.5   | 0.4    | passes  |
      | latency   | 0.5   | 0.6    | fails   |
      | witness   | 24    | 2      | passes  |
      | witness   | 24    | 25     | fails   |

  @REQ-552 @RC-231
  Scenario: A person with a part in a model waives no gate
    Given a log in which Eva trained a model
    When Eva waives a gate as independent reviewer
    Then both verifiers refuse the log and name Eva

  @REQ-552
  Scenario Outline: A waiver lets one gate of one release fail for a time
    Given the tool found 1 offenders of <kind> among 10
    And the policy allows 0 of <kind>
    And a waiver of the gate <kind> for <release> until <until> about <risk>
    When the gates are judged on these facts
    Then the gate of <kind> fails
    And the release is <built>

    Examples:
      | kind  | release      | until | risk         | built     |
      | units | this release | later | a known risk | built     |
      | units | another one  | later | a known risk | not built |
      | units | this release | past  | a known risk | not built |
      | units | this release | later | no risk      | not built |
