Feature: Source state
  A release is made from one commit. Each difference from that commit is named, is kept, and stops the release.

  @REQ-217 @REQ-218 @RC-92 @slow
  Scenario Outline: Each fault of a source tree is named and fails the gate
    Given a device in a git repository, with its algorithm in a submodule
    When <change>
    Then nothing may be released from it because of "<reason>"
    And the gate "source" fails and names "<name>"

    Examples:
      | change                                        | reason                               | name                 |
      | a new file is not committed                   | uncommitted changes                  | src/new.py           |
      | the algorithm in the submodule is changed     | uncommitted changes                  | src/pumpseg/core.py  |
      | the submodule is set to another commit        | submodule not at its recorded commit | src/pumpseg          |
      | a repository is made inside the tree          | nested repository                    | src/inner            |
      | a link is made that leads out of the tree     | link out of the tree                 | src/outside.py       |
      | changes of a file are hidden from git         | changes hidden from git              | minivess.yaml        |
      | the repository is removed                     | no repository                        | no git repository    |

  @REQ-217 @REQ-033
  Scenario: A broken algorithm in a submodule makes recorded results old
    Given a device in a git repository, with its algorithm in a submodule
    And results of it in which everything passed
    When the algorithm in the submodule is changed
    Then "REQ-001" and "REQ-002" count as stale

  @REQ-217
  Scenario: Uncommitted changes are kept as a diff
    Given a device in a git repository below its root
    When a new file is not committed
    Then the recorded state names the digest of a diff that restores the tree from its commit

  @REQ-218 @RC-92
  Scenario: A release from an uncommitted tree is refused
    Given a release of a source tree with uncommitted changes
    Then its pack is refused because "the gate 'source' fails: Reasons against a release from this source: 1"

  @REQ-218 @RC-92
  Scenario: A demonstration is built from an uncommitted tree and states that it is not releasable
    Given a demonstration of a source tree with uncommitted changes
    Then its pack states on the start page "NOT RELEASABLE (uncommitted changes)"

  @REQ-219 @REQ-218 @RC-93
  Scenario: A loaded file without an origin fails the gate
    Given a device in a git repository, with its algorithm in a submodule
    And a file that git ignores and that the tests load
    Then the gate "source" fails and names "ignored/secret.py"
