Feature: The evidence pack is complete and in standard formats

  Background:
    Given a release whose results are all in the log

  @REQ-036
  Scenario: The pack has the documented layout
    When the pack is built
    Then it holds the start page, the documents, the matrix, the log, the lineage, the model, the figures and verify.py
    And its manifests name every file with its digest

  @REQ-036
  Scenario: The bill of materials contains the hashes of the lock file
    When the pack is built
    Then each package of the lock file is a component with the digests of its files
    And the model is a component with the digest of the shipped graph

  @REQ-036 @RC-06 @RC-13
  Scenario: A result without an entry is not put into a pack
    Given the evaluation was changed by hand afterwards
    When the pack is built
    Then it is refused because "data/evaluation/evaluation.json is sha256:"
    And no pack was written

  @REQ-040
  Scenario: The same inputs give the same bytes
    When the pack is built
    And the pack is built again in another folder
    Then both packs are equal, byte for byte

  @REQ-041
  Scenario: The start page needs no network and shows the verdict
    When the pack is built
    Then its pages load nothing from elsewhere
    And the start page says that all gates passed, how often the test set was looked at, and who must sign
    And every link of the start page leads to a file of the pack

  @REQ-513 @REQ-514 @RC-212
  Scenario: The start page and the signing text agree about what is open
    Given the source tree has an open anomaly, and a clause is open
    When the pack is built
    Then the start page and the signing text state the clause, the anomaly with its condition, and 8 links without a signed review
    And the start page and the signing text state the reason for the limit of each gate of the policy
    And the start page states risks by level, the evidence of times, and that there is no waiver

  @REQ-512
  Scenario: The verification report states procedures, expected and actual results
    When the pack is built
    Then the verification report states the text of "REQ-001" and links to it
    And it states "Given two numbers" as a step of "Two and two", its actual result, and that it expects "no step states a result"
    And it names the tester, the reviewer "Benoît Müller", the parts of the environment and the test tools with their versions

  @REQ-516
  Scenario: One navigation, and heads on printed pages
    When the pack is built
    Then each page of the pack leads to the start page, the matrix, the log and the documents
    And each page prints "vessel-segmenter 1.0.0" at its head

  @REQ-515
  Scenario: Evidence that the pack itself is counts in its pages
    Given the clauses of standards are judged as a build does
    Then the record of the release, the SBOM and the list of open anomalies are there, and signatures and verification are not

  @REQ-515 @RC-213
  Scenario: Release notes that do not name an open anomaly stop the build
    Given the source tree has an open anomaly, and a clause is open
    And the templates of the source tree have release notes without anomalies
    When the pack is built
    Then it is refused because "the release notes do not name the open anomaly ANO-01"

  @REQ-107
  Scenario: The pages of the trace in the pack name the model and the log entries
    When the pack is built
    Then every link of every page leads to a file of the pack
    And the pages of the trace name the model and the entries that recorded results and model

  @REQ-108
  Scenario: A file that a result names is part of the pack
    Given a result that names a picture as its evidence
    When the pack is built
    Then the picture is in the pack, and the pages link to it and name its digest

  @REQ-108 @RC-11
  Scenario: A result whose evidence was changed does not count
    Given a result that names a picture as its evidence
    And that picture was changed afterwards
    Then the gates find that "REQ-001" is not verified

  @REQ-041
  Scenario: Text from the source tree is escaped in pages
    Given a requirement whose text holds HTML
    When the pack is built
    Then the pages show that text as text

  @REQ-041 @RC-08
  Scenario: Demo keys are marked
    Given the release was made with demo keys
    When the pack is built
    Then every page says that it is a demonstration

  @REQ-035 @RC-11
  Scenario: An untested requirement stops the release
    Given a requirement without a passed test
    When the gates are judged
    Then the gate "trace" fails and names the requirement and where it is written
    And building the pack is refused because "trace"

  @REQ-035
  Scenario: A gate without a measurement fails
    Given nothing was measured
    When the gates are judged
    Then every gate fails and states how to fix it

  @REQ-036 @REQ-037 @RC-08 @RC-13
  Scenario: A pack signed by two people is valid
    When the pack is built
    And two people sign it
    Then offline verification says that it holds
