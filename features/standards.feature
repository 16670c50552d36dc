Feature: Standards and justifications
  Each clause that binds the device is met by named evidence, open, or justified by a named person until a date.

  Background:
    Given a project on a source tree whose chain is whole

  @REQ-072
  Scenario: A clause is met by evidence and open without it
    Given the tree has a development plan
    Then the clause "IEC 62304 5.1.1" is not open for lack of "development-plan"
    When the development plan is taken away
    Then the clause "IEC 62304 5.1.1" is open and says what to do next

  @REQ-112
  Scenario: A plan with a missing part is not evidence
    Given a plan of maintenance with every part but "End of support"
    Then the clause "IEC 62304 6.1" is open
    When the part "End of support" is written
    Then the clause "IEC 62304 6.1" is met

  @REQ-112
  Scenario: A list of anomalies is not a review of the locked version
    Given a library locked at "1.1" whose anomalies were reviewed for "1.0"
    Then the clause "IEC 62304 7.1.3" is open
    When a person reviews them for "1.1"
    Then the clause "IEC 62304 7.1.3" is met

  @REQ-112
  Scenario: The list of clauses and the pages show the same evidence from the log, without a passphrase
    Then the clause "P04" is met
    And the list of clauses and the pages say the same of every clause

  @REQ-110
  Scenario: Code outside its allocated unit is reported
    Given an architecture in which "REQ-001" is allocated to a unit without its code
    When the trace check runs on "2026-11-21"
    Then the gap "misallocated-requirement" of "REQ-001" is open

  @REQ-072
  Scenario: A clause that only a person can confirm requires a signature
    Given the attestation "ATT-01" of the clause "IEC 62304 4.1" by "rosa"
    Then the clause "IEC 62304 4.1" is open
    When "rosa" signs the attestation "ATT-01"
    Then the clause "IEC 62304 4.1" is met
    When the words of the attestation "ATT-01" change
    Then the clause "IEC 62304 4.1" is open

  @REQ-117
  Scenario: An independent reviewer approves the present risk file
    Then the clause "R15" is open
    And "ada" is refused to approve "risk"
    When "rosa" approves "risk"
    Then the clause "R15" is met
    When a statement of the risk file changes
    Then the clause "R15" is open

  @REQ-117
  Scenario: An approval of a change covers its text and not its status
    Given the change request "CR-01" that was implemented
    Then the clause "IEC 62304 6.2.4" is open
    When "max" approves "CR-01"
    Then the clause "IEC 62304 6.2.4" is met
    When the change request "CR-01" is verified
    Then the clause "IEC 62304 6.2.4" is met
    When the change request "CR-01" asks for something else
    Then the clause "IEC 62304 6.2.4" is open

  @REQ-117
  Scenario: Items that wait for approval are listed with the reason
    Given "max" approves "sdp.md"
    When the plan of development changes
    Then the list of approvals says of "sdp.md" that "it has changed"
    And the list of approvals says of "risk" that "waits"

  @REQ-112 @slow
  Scenario: A unit is verified by its own tests, and the architecture by tests of the whole
    Given an architecture with the unit "SU-01" of the whole "SI-01"
    And a test names the unit and a test names the whole
    When every test of the tree was run and recorded
    Then the clause "IEC 62304 5.5.5" is met
    And the clause "C35" does not lack "architecture-checked"
    When the tests of the unit and of the whole are among the results no more
    Then the clause "IEC 62304 5.5.5" is open
    And the clause "C35" lacks "architecture-checked"

  @REQ-072
  Scenario: A person cannot sign an attestation of another person
    Given the attestation "ATT-01" of the clause "IEC 62304 4.1" by "rosa"
    Then "max" is refused to sign the attestation "ATT-01"

  @REQ-071 @RC-11
  Scenario: A justified gap is shown as such, and open again after its last day
    Given the risk control "RC-01" has no scenario
    And that gap is justified by "rosa" until "2026-12-31"
    When the trace check runs on "2026-12-31"
    Then the gap is shown as justified by "rosa" and nothing is open
    When the trace check runs on "2027-01-01"
    Then the gap is open and says that its justification expired

  @REQ-071 @RC-11
  Scenario: A mistake in the files cannot be justified
    Given the requirement "REQ-001" derives from "UN-09", which does not exist
    Then a justification of "unknown-id UN-09" is refused with file and line
