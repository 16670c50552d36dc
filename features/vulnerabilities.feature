Feature: Known vulnerabilities and licences of components
  Locked packages are looked up in a database of advisories, people state what follows for the device, and licences are checked.

  @REQ-533
  Scenario Outline: A locked version is compared with the versions of an advisory
    Given click 8.3.0 is locked for the service
    And an advisory that affects click <versions>
    When the locked packages are scanned
    Then the scan finds <found> vulnerabilities

    Examples:
      | versions            | found |
      | from 0 to 8.3.1     | 1     |
      | from 0 to 8.3.0     | 0     |
      | from 8.3.0 to 9     | 1     |
      | from 8.3.1 to 9     | 0     |
      | up to 8.3.0         | 1     |
      | up to 8.2.9         | 0     |
      | in version 8.3.0    | 1     |
      | in version 8.3      | 1     |
      | in version 8.3.0rc1 | 0     |

  @REQ-533 @RC-220
  Scenario: An advisory that states commits alone counts for each version
    Given click 8.3.0 is locked for the service
    And an advisory that affects click in some commits
    When the locked packages are scanned
    Then the scan finds 1 vulnerabilities

  @REQ-533
  Scenario: Advisories about one vulnerability are one finding with the highest severity
    Given click 8.3.0 is locked for the service
    And the advisories GHSA-a of severity LOW, PYSEC-b with CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H, and both name CVE-c
    When the locked packages are scanned
    Then the finding is GHSA-a with the aliases CVE-c and PYSEC-b, critical with 9.8

  @REQ-533
  Scenario: A scan states what it rests on and what it does not cover
    Given a project
    And a zip of 3 advisories, the newest 10 days old
    When its packages are scanned
    Then the output names 3 advisories, 10 days, and the digest of the file
    And it names the package that ships and the one that does not

  @REQ-533
  Scenario: Without a network the age of the last database is stated
    Given a project
    And a zip of 3 advisories, the newest 10 days old
    When its packages are scanned
    And they are scanned again without a network and without a file
    Then the command fails with code 3 and states 10 days

  @REQ-533
  Scenario: An advisory cannot make its database younger, or steer the terminal
    Given click 8.3.0 is locked for the service
    And an advisory of 29 November 2026 with control characters, and one of the year 2099
    When the locked packages are scanned
    Then the database is of 29 November 2026
    And the finding has no control characters

  @REQ-533
  Scenario Outline: A hostile database is refused
    Given click 8.3.0 is locked for the service
    And a database that <fault>
    When the locked packages are scanned
    Then it is refused because "<reason>"

    Examples:
      | fault                      | reason                 |
      | holds no advisory          | holds no advisory      |
      | is from the future         | holds no advisory of a |
      | names a file twice         | names a file twice     |
      | is packed 10,000 times     | is packed more than    |
      | is nested 10,000 deep      | is no advisory         |
      | has an advisory without id | is no advisory: id     |
      | is a cut zip               | is a damaged           |

  @REQ-534 @RC-221
  Scenario Outline: A vulnerability is open until a statement for this version closes it
    Given click 8.3.0 is locked for the service
    And an advisory that affects click from 0 to 8.3.1
    And the statement "<state>" about <id> of click <version>
    When the release is reviewed
    Then <offenders> vulnerabilities are against it

    Examples:
      | state                  | id     | version | offenders |
      | nothing                | GHSA-a | 8.3.0   | 1         |
      | not_affected           | GHSA-a | 8.3.0   | 0         |
      | not_affected           | CVE-a  | 8.3.0   | 0         |
      | false_positive         | GHSA-a | 8.3.0   | 0         |
      | resolved_with_pedigree | GHSA-a | 8.3.0   | 0         |
      | not_affected           | GHSA-a | 8.2.0   | 1         |
      | not_affected           | GHSA-b | 8.3.0   | 1         |
      | resolved               | GHSA-a | 8.3.0   | 1         |
      | in_triage              | GHSA-a | 8.3.0   | 1         |
      | exploitable            | GHSA-a | 8.3.0   | 1         |

  @REQ-534
  Scenario Outline: What a release is reviewed for
    Given click 8.3.0 is locked for the service
    And <case>
    When the release is reviewed
    Then it is said that "<words>"

    Examples:
      | case                                     | words                                                  |
      | no scan                                  | no scan                                                |
      | a scan of another lock file              | no scan                                                |
      | a database of 31 days                    | against: the database of advisories is 31 days old     |
      | an advisory of severity LOW              | note: below the severity medium: GHSA-a                |
      | an advisory without severity             | against: GHSA-a of click 8.3.0 (unknown                |
      | an advisory about torch                  | note: in a tool that does not ship: GHSA-a of torch    |
      | malware in torch                         | against: MAL-a of torch                                |
      | a statement about what no scan found     | note: risk/vex.yaml states GHSA-z of click 8.3.0       |

  @REQ-534
  Scenario: A pack has the scan and the statements as VEX
    Given a release with a scan that found a vulnerability of click, and a statement about it
    When its pack is built
    Then the VEX of the pack refers to click in the SBOM and has the statement
    And the scan and the review are in the pack, and both verifiers accept it

  @REQ-532 @REQ-534
  Scenario: Two gates count licences that are not accepted and vulnerabilities that are open
    Given a release with a scan that found a vulnerability of click, and a statement about it
    When the tool counts for the gates
    Then 1 of 1 packages has no accepted licence
    And 0 of 1 packages have an open vulnerability, by the database of 2026-11-29
    And without a scan of this lock file no package counts as looked up

  @REQ-532
  Scenario Outline: A licence is accepted by the rules of its expression
    Given the licences MIT, Apache-2.0 and "GPL-2.0-only WITH Classpath-exception-2.0" are accepted
    Then "<licence>" is <verdict>

    Examples:
      | licence                                       | verdict      |
      | MIT                                           | accepted     |
      | MIT OR GPL-3.0-only                           | accepted     |
      | MIT AND GPL-3.0-only                          | not accepted |
      | MIT AND (Apache-2.0 OR GPL-3.0-only)          | accepted     |
      | GPL-3.0-only AND MIT OR Apache-2.0            | accepted     |
      | GPL-2.0-only WITH Classpath-exception-2.0     | accepted     |
      | GPL-2.0-only                                  | not accepted |
      | MIT WITH Classpath-exception-2.0              | not accepted |
      | BSD License                                   | not accepted |
      | MIT OR                                        | not accepted |
      | (MIT                                          | not accepted |
      | MIT) OR (MIT                                  | not accepted |

  @REQ-532
  Scenario: A licence that was read elsewhere is marked as concluded
    Given click 8.3.0 is locked for the service
    And its metadata state "BSD License", which was read as BSD-3-Clause
    When the release is reviewed
    Then no licence is against it, and the SBOM marks BSD-3-Clause as concluded
    And other metadata would be against it
