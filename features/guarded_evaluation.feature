Feature: The sealed test set opens once, under a second person's signature
  A measured performance is worth something only when the test cases had no part in making the model. The test part
  lies encrypted; opening it takes criteria and a plan fixed beforehand, a request, and somebody else's signature.

  Background:
    Given a project whose test part is sealed for the reviewer Rosa

  @REQ-021
  Scenario: Criteria come first
    Given no acceptance criteria are registered
    When Ada asks to open the test set
    Then it is refused because "not in the log"
    And the last entry says that "ada" was refused "test-set.request"

  @REQ-092
  Scenario: The plan of the analysis comes first
    Given criteria and plan are registered
    And the project file changes the plan but not the criteria
    When Ada asks to open the test set
    Then it is refused because "analysis plan is not in the log"
    And the last entry says that "ada" was refused "test-set.request"

  @REQ-021 @REQ-022 @REQ-092 @RC-03
  Scenario: The whole way, once
    Given criteria and plan are registered
    And Ada has asked to open the test set
    And Rosa has approved it
    When Ada evaluates
    Then the evaluation has measures for every sealed case
    And the log shows criteria, request, approval and opening in this order

  @REQ-022 @RC-03
  Scenario: A second opening needs a second signature
    Given Ada has evaluated once under Rosa's approval
    When Ada evaluates
    Then it is refused because "used already"
    And the last entry says that "ada" was refused "test-set.open"

  @REQ-022 @RC-03
  Scenario: Nobody opens without an approval
    Given criteria and plan are registered
    And Ada has asked to open the test set
    When Ada evaluates
    Then it is refused because "not approved"
    And the last entry says that "ada" was refused "test-set.open"

  @REQ-022 @RC-03 @RC-08
  Scenario: Nobody approves their own request
    Given criteria and plan are registered
    And Rosa has asked to open the test set
    When Rosa approves it
    Then it is refused because "cannot approve it"
    And the last entry says that "rosa" was refused "test-set.approve"

  @REQ-022 @REQ-092 @RC-03
  Scenario Outline: An approval is for exactly what was asked for
    Given criteria and plan are registered
    And Ada has asked to open the test set
    And Rosa has approved it
    And <something> is <changed>
    When Ada evaluates
    Then it is refused because "<reason>"
    And the last entry says that "ada" was refused "test-set.open"
    And the test set was never opened

    Examples:
      | something         | changed             | reason                 |
      | the model         | replaced by another | another model          |
      | the calibration   | replaced by another | another calibration    |
      | the configuration | changed             | another configuration  |
      | the sealed part   | sealed anew         | another test data      |
      | a sealed file     | changed in one byte | was changed            |

  @REQ-092 @RC-03
  Scenario: An approval for one request does not open another
    Given criteria and plan are registered
    And Ada has asked to open the test set
    And Rosa has approved it
    And Ada has asked once more
    When Ada evaluates
    Then it is refused because "not approved"
    And the last entry says that "ada" was refused "test-set.open"

  @REQ-092 @RC-03
  Scenario: A signature that was made for one request does not count for another
    Given criteria and plan are registered
    And Ada has asked to open the test set
    And Rosa has approved it
    And Ada has asked once more
    And Rosa's signature is entered as her approval of that one
    When Ada evaluates
    Then it is refused because "signed something else"
    And the last entry says that "ada" was refused "test-set.open"

  @REQ-092 @RC-03
  Scenario: Who steals the key of a run cannot use it
    Given criteria and plan are registered
    And Ada has asked to open the test set
    And Rosa has approved it
    When Max evaluates with Ada's key file in his hands
    Then it is refused because "granted to ada, not to max"
    And the last entry says that "max" was refused "test-set.open"
    And the key file lies wrapped, and Max cannot open it

  @REQ-092 @RC-03
  Scenario Outline: Time runs out
    Given criteria and plan are registered
    And Ada has asked to open the test set
    And <so far>
    When eight days pass and <who>
    Then it is refused because "has expired"
    And the last entry says that "<person>" was refused "<action>"

    Examples:
      | so far                | who           | person | action           |
      | Rosa has approved it  | Ada evaluates | ada    | test-set.open    |
      | nothing else happened | Rosa approves | rosa   | test-set.approve |

  @REQ-092 @RC-03 @RC-07
  Scenario Outline: An approver who lost the right between approval and opening
    Given criteria and plan are registered
    And Ada has asked to open the test set
    And Rosa has approved it
    And Rosa's <right> is taken away
    When Ada evaluates
    Then it is refused because "the key of rosa was revoked"
    And the last entry says that "ada" was refused "test-set.open"

    Examples:
      | right |
      | key   |
      | role  |

  @REQ-092 @RC-03 @RC-07
  Scenario: A revoked approver is turned away, and the log itself says so
    Given criteria and plan are registered
    And Ada has asked to open the test set
    And Rosa's key is taken away
    When Rosa approves it
    Then it is refused because "revoked"
    And the last entry, by the log, names Rosa and "test-set.approve"

  @REQ-092 @RC-08
  Scenario: Nobody takes a second identity to approve their own request
    Given criteria and plan are registered
    When Max enrols a second identity in Ada's name as reviewer
    Then it is refused because "one person, one key"
    And the last entry says that "max" was refused "identity.enrolled"

  @REQ-093 @RC-03
  Scenario: Nothing plain is written while the test set is open
    Given criteria and plan are registered
    And Ada has asked to open the test set
    And Rosa has approved it
    When Ada evaluates under watch
    Then no file that was written holds plain bytes of the test part
    And every file that was opened for writing lies in the workspace's evidence

  @REQ-023 @REQ-094
  Scenario: The openings are counted from the log
    Given Ada has evaluated once under Rosa's approval
    And Ada has evaluated once more under a new approval
    When the count is asked for
    Then it says 2 openings, by whom, why, who approved, for which release and with what result

  @REQ-094
  Scenario: The second look at the same test set has wider intervals and says why
    Given Ada has evaluated once under Rosa's approval
    And Ada has evaluated once more under a new approval
    Then the second result has intervals of 97.5 % around the same means
    And the second result says that it was look 2 and by which rule it was widened

  @REQ-094 @RC-03
  Scenario: An evaluation that breaks off counts as a look
    Given criteria and plan are registered
    And Ada has asked to open the test set
    And Rosa has approved it
    When Ada's evaluation breaks off after the first case
    And the count is asked for
    Then it says 1 opening that failed
    And the next look would be the second

  @REQ-095 @RC-03
  Scenario: The policy allows no further look at the request
    Given the plan allows 1 look
    And Ada has evaluated once under Rosa's approval
    When Ada asks to open the test set
    Then it is refused because "1 of 1 times"
    And the last entry says that "ada" was refused "test-set.request"

  @REQ-095 @RC-03
  Scenario Outline: Of two requests for the last look one is refused
    Given the plan allows 1 look
    And Ada has asked to open the test set twice
    And <so far>
    And Ada has used the first
    When <who> the second
    Then it is refused because "1 of 1 times"
    And the last entry says that "<person>" was refused "<action>"

    Examples:
      | so far                 | who           | person | action           |
      | Rosa has approved one  | Rosa approves | rosa   | test-set.approve |
      | Rosa has approved both | Ada uses      | ada    | test-set.open    |
