Feature: A pack carries what was approved and used

  @REQ-625
  Scenario: A pack has the texts, items and scenarios that the release was made from
    Given a release whose development plan and instructions for use were approved
    When the pack is built
    Then it has the approved texts, the items, the scenarios and the lock file, each as in the source tree
    And the list of all files has the digest of the source tree that the preparation names

  @REQ-625
  Scenario: A pack names the digest of the archive of its commit
    Given a release whose source tree is a commit of a repository
    When the pack is built
    Then it names the SHA-256 of the archive that git makes of this commit

  @REQ-625 @RC-265
  Scenario Outline: A pack with another source text than the released one is refused
    Given a pack in which <what>
    When two people sign it and it is verified
    Then the check "source files" fails because "<words>"

    Examples:
      | what                                     | words                                                                      |
      | a requirement was changed                | data/source/tree/requirements/all.yaml is no file of the source tree       |
      | an approved plan is missing              | data/source/tree/sdp.md is missing                                         |
      | the lock file is missing                 | data/source/tree/uv.lock is missing                                        |
      | a text was added                         | data/source/tree/docs/praise.md is no file of the source tree              |
      | the list of files is of another tree     | data/source/files.txt is sha256:.*, and the release was made from sha256:  |

  @REQ-626
  Scenario: A pack has what follows from its log as files for other tools
    Given a release with a baseline and an attested time
    When the pack is built
    Then each public key is a PEM file that openssl reads
    And the action table is the one that the log adopted
    And the baseline and the attested checkpoint are those of the log

  @REQ-626 @RC-266
  Scenario Outline: A pack with a file that does not follow from its log is refused
    Given a pack in which <what>
    When two people sign it and it is verified
    Then the check "log tables" fails because "<words>"

    Examples:
      | what                                     | words                                                  |
      | the key of a signer was exchanged        | data/keys/ben-[0-9a-f]{16}.pem does not follow         |
      | a key was added                          | data/keys/eve-0123456789abcdef.pem does not follow     |
      | a role was added to the action table     | data/rules/actions-2.json does not follow              |
      | a baseline was invented                  | data/traceability/baselines.json does not follow       |

  @REQ-627
  Scenario: A pack has its items for other tools, with equal bytes for equal inputs
    Given a log with everything that a release needs
    When the pack is built twice
    Then the workbook and the ReqIF file are the same both times, and state the time of the release
    And each is read back as the items of the source tree

  @REQ-628
  Scenario: The start page lists what a pack carries, how it is checked, and what is missing
    Given a log with everything that a release needs
    When the pack is built
    Then the start page lists each kind of file with links to files of the pack
    And it states for each how it is checked
    And it states that coverage was not measured, and that there is no earlier release

  @REQ-629
  Scenario: A pack continues the release before
    Given the workspace has the pack of an earlier release of the same log
    When the pack is built
    Then it has the checkpoint of the earlier pack
    And its proof shows that the log of this pack continues that checkpoint
    And the pack is verified

  @REQ-629
  Scenario: A pack of another log is no earlier release
    Given the workspace has the pack of a release of another log
    When the earlier release is searched
    Then there is none

  @REQ-629 @RC-267
  Scenario Outline: A log that does not continue an earlier release is refused
    Given the workspace has <what>
    When the earlier release is searched
    Then it is refused because "<words>"

    Examples:
      | what                                                      | words                                             |
      | the pack of an earlier release, and the log was rolled back | release/0.9.0/.*covers [0-9]+ entries, and the pack has |
      | the pack of an earlier release, and the log has other entries | release/0.9.0/.*two histories                   |
      | a damaged pack                                            | release/0.9.0/.*it is no evidence pack            |

  @REQ-629 @RC-267
  Scenario: A pack with a false proof of the release before is refused
    Given a pack that continues an earlier release, with another proof
    When two people sign it and it is verified
    Then the check "previous release" fails because "data/audit/previous/consistency.txt is not the proof"

  @REQ-630
  Scenario: Results of other tests are in the pack beside those of scenarios
    Given a release whose results have one scenario and one other test
    When the pack is built
    Then its JUnit file has one suite of scenarios and one of other tests
    And the start page states "1 scenario and 1 other test ran; all passed."

  @REQ-631 @slow
  Scenario: Coverage is recorded with the results of the same run
    Given a project whose source tree has a scenario that runs one of two functions
    When the scenarios are run with coverage
    Then the entry of the results names the coverage of this source tree
    And the coverage names the line that was not run

  @REQ-631 @REQ-228
  Scenario Outline: A pack has the coverage that the entry of its results names
    Given a release whose results were recorded with coverage
    When the pack is made <change>
    Then <outcome>

    Examples:
      | change                | outcome                                                           |
      | as it is              | the start page states "1 of 2 statements were run by scenarios."  |
      | without the coverage  | it is not built because "coverage.json"                           |
      | with another coverage | it is not built because "coverage.json is sha256:"                |

  @REQ-632
  Scenario: A pack has the reports on data and evaluation without images of cases
    Given a releasable project
    When the pages for the pack are read
    Then the entries of validation and evaluation name them
    And neither has an image, and each says so
