Feature: Software of unknown provenance
  The SOUP list and the bill of materials name each package of the lock file and the platform that the scenarios ran on.

  @REQ-262
  Scenario Outline: A package of a uv lock file is listed with what fixes its content
    Given a uv lock file with a package from <source>
    When the SOUP list is made
    Then it names "<name>" in version "<version>", fixed by "<fixed>"
    And the bill of materials names the same and has no credentials

    Examples:
      | source      | name | version                                  | fixed                                          |
      | git         | algo | 1.0                                      | commit 0123456789012345678901234567890123456789 |
      | an address  | algo | 1.0                                      | SHA-256                                        |
      | an archive  | algo | 1.0                                      | SHA-256                                        |
      | a folder    | algo | not fixed                                | the source tree                                |
      | a workspace | algo | not fixed                                | the source tree                                |

  @REQ-263
  Scenario Outline: A device without uv is released
    Given a release of a source tree with <file> in place of uv.lock
    When its pack is built
    Then both verifiers find click 8.3.0 in its SOUP list

    Examples:
      | file             |
      | requirements.txt |
      | bom.json         |

  @REQ-263
  Scenario Outline: A package without an exact version is refused by name
    Given a lock file <file> with "<line>"
    When the SOUP list is made
    Then it is refused because "<reason>"

    Examples:
      | file             | line                                                                                       | reason                     |
      | requirements.txt | click>=8                                                                                   | click has no exact version |
      | requirements.txt | click                                                                                      | click has no exact version |
      | bom.json         | {"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"library","name":"x"}]} | x has no version           |
      | sbom.spdx.json   | {"spdxVersion":"SPDX-2.3","packages":[{"SPDXID":"SPDXRef-x","name":"x"}]}                  | x has no version           |

  @REQ-264 @RC-119
  Scenario Outline: A pack that leaves out a part of the platform is refused
    Given a pack whose SOUP list leaves out "<part>"
    Then both verifiers refuse it and name "<part>"

    Examples:
      | part          |
      | SQLite        |
      | CUDA (driver) |

  @REQ-264
  Scenario: A pack is not built from results that do not state their platform
    Given results that do not state the operating system
    When its pack is built
    Then it is refused because "do not state the platform that they were recorded on: operating-system"
