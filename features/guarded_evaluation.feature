Feature: A look at the sealed test set takes another person's approval and is counted
  Test cases must have no part in making the model. The test part is encrypted. A look requires registered criteria, a
  registered plan, a request, and the approval of another person. The approval counts as a look.

  Background:
    Given a project whose test part is sealed for the reviewer Rosa

  @REQ-021
  Scenario: Criteria are registered first
    Given no acceptance criteria are registered
    When Ada asks to open the test set
    Then it is refused because "not in the log"
    And the last entry says that "ada" was refused "test-set.request"

  @REQ-092
  Scenario: The analysis plan is registered first
    Given criteria and plan are registered
    And the project file changes the plan but not the criteria
    When Ada asks to open the test set
    Then it is refused because "analysis plan is not in the log"
    And the last entry says that "ada" was refused "test-set.request"

  @REQ-021 @REQ-022 @REQ-092 @RC-03
  Scenario: One complete evaluation
    Given criteria and plan are registered
    And Ada has asked to open the test set
    And Rosa has approved it
    When Ada evaluates
    Then the evaluation has measures for every sealed case
    And the log shows criteria, request, approval and evaluation in this order

  @REQ-022 @REQ-133 @RC-03 @slow
  Scenario: The same approval gives the same figures and no new look
    Given Ada has evaluated once under Rosa's approval
    When Ada evaluates
    And the count is asked for
    Then both evaluations have the same figures
    And it says 1 look with 2 evaluations and no discrepancy

  @REQ-133 @RC-03 @slow
  Scenario: Two evaluations at the same moment are one look
    Given criteria and plan are registered
    And Ada has asked to open the test set
    And Rosa has approved it
    When Ada evaluates in two processes at once
    And the count is asked for
    Then it says 1 look with 2 evaluations and no discrepancy
    And the log verifies

  @REQ-133 @RC-03
  Scenario: Other figures under the same approval are shown
    Given Ada has evaluated once under Rosa's approval
    And an evaluation under the same approval came to other figures
    When the count is asked for
    Then it says 1 look with 2 evaluations and names the entry that differs
    And the figures of the first evaluation count

  @REQ-398
  Scenario: A look leaves a report that its entry names
    Given Ada has evaluated once under Rosa's approval
    Then the entry of the evaluation names the digest of the report
    And the report has the figures of the record and names Ada, Rosa and the look
    When Ada evaluates
    Then the report is the same bytes as before

  @REQ-133 @REQ-400 @RC-03
  Scenario: The custodian runs the evaluation and hands over only the measures
    Given criteria and plan are registered
    And Ada has asked to open the test set
    When Rosa approves it as custodian and runs the evaluation
    Then the evaluation has measures for every sealed case
    And no key was handed out and no picture of a test case was written
    And Ada cannot evaluate under this approval

  @REQ-133 @RC-03
  Scenario: An approval that was interrupted is finished by approving again
    Given criteria and plan are registered
    And Ada has asked to open the test set
    And Rosa's approval was interrupted after its entry
    When Ada evaluates
    Then it is refused because "is not here"
    When Rosa approves again
    And Ada evaluates again
    Then the evaluation has measures for every sealed case
    And the count says 1 look

  @REQ-022 @RC-03
  Scenario: Without an approval there is no evaluation
    Given criteria and plan are registered
    And Ada has asked to open the test set
    When Ada evaluates
    Then it is refused because "not approved"
    And the last entry says that "ada" was refused "evaluation"

  @REQ-022 @RC-03 @RC-08
  Scenario: A person cannot approve their own request
    Given criteria and plan are registered
    And Eva, who is developer and reviewer, has asked to open the test set
    When Eva approves it
    Then it is refused because "cannot approve it"
    And the last entry says that "eva" was refused "test-set.approve"

  @REQ-022 @REQ-092 @RC-03
  Scenario Outline: An approval covers exactly what was requested
    Given criteria and plan are registered
    And Ada has asked to open the test set
    And Rosa has approved it
    And <something> is <changed>
    When Ada evaluates
    Then it is refused because "<reason>"
    And the last entry says that "ada" was refused "evaluation"
    And no figures were made

    Examples:
      | something         | changed             | reason                 |
      | the model         | replaced by another | another model          |
      | the calibration   | replaced by another | another calibration    |
      | the configuration | changed             | another configuration  |
      | a sealed file     | changed in one byte | was changed            |

  @REQ-092 @RC-03
  Scenario: An approval for one request does not open another
    Given criteria and plan are registered
    And Ada has asked to open the test set
    And Rosa has approved it
    And Ada has asked once more
    When Ada evaluates
    Then it is refused because "not approved"
    And the last entry says that "ada" was refused "evaluation"

  @REQ-092 @RC-03
  Scenario: A signature that was made for one request does not count for another
    Given criteria and plan are registered
    And Ada has asked to open the test set
    And Rosa has approved it
    And Ada has asked once more
    When Rosa's signature is entered as her approval of that one
    Then it is refused because "signed something else"
    And the last entry says that "rosa" was refused "test-set.approve"

  @REQ-092 @RC-03
  Scenario: A stolen key file does not open the test set
    Given criteria and plan are registered
    And Ada has asked to open the test set
    And Rosa has approved it
    When Max evaluates with Ada's key file in his hands
    Then it is refused because "granted to ada, not to max"
    And the last entry says that "max" was refused "evaluation"
    And the key file is wrapped, and Max cannot open it

  @REQ-092 @RC-03
  Scenario: A request expires
    Given criteria and plan are registered
    And Ada has asked to open the test set
    When eight days pass and Rosa approves
    Then it is refused because "has expired"
    And the last entry says that "rosa" was refused "test-set.approve"

  @REQ-092 @REQ-133 @RC-03 @RC-07
  Scenario: A revocation after the approval does not undo the look
    Given criteria and plan are registered
    And Ada has asked to open the test set
    And Rosa has approved it
    And Rosa's key is taken away
    When Ada evaluates
    Then the evaluation has measures for every sealed case
    And the count says 1 look

  @REQ-092 @RC-03 @RC-07
  Scenario: A revoked approver is refused, and the log records it
    Given criteria and plan are registered
    And Ada has asked to open the test set
    And Rosa's key is taken away
    When Rosa approves it
    Then it is refused because "revoked"
    And the last entry, by the log, names Rosa and "test-set.approve"

  @REQ-092 @RC-08
  Scenario: A second identity of the requester cannot approve
    Given criteria and plan are registered
    When Max enrols a second identity in Ada's name as reviewer
    Then it is refused because "one person, one key"
    And the last entry says that "max" was refused "identity.enrolled"

  @REQ-093 @RC-03
  Scenario: No plain file is written while the test set is open
    Given criteria and plan are registered
    And Ada has asked to open the test set
    And Rosa has approved it
    When Ada evaluates under watch
    Then no file that was written holds plain bytes of the test part
    And every file that was opened for writing is in the workspace's evidence, or is what the signer saw of the log

  @REQ-023 @REQ-094
  Scenario: The looks are counted from the log
    Given Ada has evaluated once under Rosa's approval
    And Ada has evaluated once more under a new approval
    When the count is asked for
    Then it says 2 looks, by whom, why, who approved, for which release and with what result

  @REQ-094 @REQ-183
  Scenario: All looks at one test set have intervals of one level, with the reason
    Given Ada has evaluated once under Rosa's approval
    And Ada has evaluated once more under a new approval
    Then both results have intervals of 98.33 % around the same means
    And the second result says that it was look 2 of at most 3 and by which rule the level follows

  @REQ-094 @RC-03
  Scenario: An evaluation that breaks off counts as a look
    Given criteria and plan are registered
    And Ada has asked to open the test set
    And Rosa has approved it
    When Ada's evaluation breaks off after the first case
    And the count is asked for
    Then it says 1 look that failed
    And the next look would be the second

  @REQ-095 @RC-03
  Scenario: A request beyond the allowed number of looks is refused
    Given the plan allows 1 look
    And Ada has evaluated once under Rosa's approval
    When Ada asks to open the test set
    Then it is refused because "1 of 1 times"
    And the last entry says that "ada" was refused "test-set.request"

  @REQ-095 @RC-03
  Scenario: Of two requests for the last look one is refused
    Given the plan allows 1 look
    And Ada has asked to open the test set twice
    And Rosa has approved one
    When Rosa approves the second
    Then it is refused because "1 of 1 times"
    And the last entry says that "rosa" was refused "test-set.approve"
