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
