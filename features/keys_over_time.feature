Feature: Keys expire, are lost and are stolen
  The log defines at each index who may sign. Keys are rotated, revoked and locked by entries. The roots change only
  when enough of the old and of the new roots agree. Everything that relied on a stolen key can be listed.

  Background:
    Given a project whose roots are Ada, Rosa and Max, and Eve, who was enrolled later

  @REQ-052
  Scenario: A person continues with a new key
    When Eve rotates her key
    Then she signs with the new key, and her old key counts before that entry alone
    And the log verifies, with the old and the new key in it

  @REQ-052
  Scenario Outline: An interrupted rotation continues with the same key
    Given Eve's rotation was interrupted after <moment>
    When Eve rotates her key
    Then she signs with the key that was prepared, and the log has one rotation

    Examples:
      | moment                     |
      | the key was made           |
      | the entry was written      |

  @REQ-052
  Scenario: A stolen key counts no longer from the index of its revocation
    When Max revokes Eve because her laptop was stolen
    Then what Eve signed before still counts and what she signs now is refused

  @REQ-167
  Scenario: An enrolment records who checked what
    When Max lets Gus in, whose passport and training record he checked
    Then the list of identities says what Max checked about Gus, and at which entry
    And nothing is said of Eve, about whom nothing was recorded

  @REQ-167
  Scenario: A service has no identity document
    When Max says that he checked the passport of a service
    Then that is refused because a service "has no document of identity"

  @REQ-059
  Scenario: What relied on a stolen key is listed with the reason
    Given Eve let a service in that began a log of its own
    When a user asks for the blast radius of Eve's key
    Then the enrolment and the service's log are listed, each with its reason

  @REQ-057
  Scenario: Roots change when enough old and new roots agree
    When Ada proposes Eve and Max as roots with a threshold of 2
    And Ada, Max and Eve agree
    Then the roots are Eve and Max, who must both agree from now on
    And the log verifies, with the old and the new key in it

  @REQ-057
  Scenario Outline: Roots do not change without enough of either
    When Ada proposes Eve and Max as roots with a threshold of 2
    And <who> agree
    Then the change is refused because <why>

    Examples:
      | who           | why                     |
      | Max, Eve      | 1 of the old roots      |
      | Ada, Max      | 1 of the new roots      |
      | Ada, Rosa     | 0 of the new roots      |

  @REQ-057
  Scenario: An agreement cannot be used for another change
    Given Ada, Max and Eve agreed to Eve and Max as roots with a threshold of 2
    When the threshold of the proposal is changed to 1
    Then the change is refused because agreed to another change

  @REQ-116
  Scenario: The log continues with a new key
    Given a receipt from before
    When Ada proposes a new key for the log
    And Ada and Max agree
    Then the log continues with the new key, also when it is opened later
    And the receipt from before is valid with all of the log's keys, and invalid with the new one alone
    And a trust file from before still holds, because its roots agreed to the new key; the old key alone does not
    And a process that holds the old key alone cannot write any more
    And the old key signs nothing that counts

  @REQ-116
  Scenario: The log's key does not change without enough roots
    When Ada proposes a new key for the log
    And Ada agree
    Then the change is refused because 1 of the old roots

  @REQ-116
  Scenario: A new key of the log requires proof of possession
    When Ada proposes a new key for the log
    And the proof of possession is that of another key
    And Ada and Max agree
    Then the change is refused because there is no proof

  @REQ-116
  Scenario: A change of the log's key that was interrupted is finished
    When Ada proposes a new key for the log
    And Ada and Max agree
    And the change is interrupted after its entry was written
    Then the log continues with the new key, also when it is opened later

  @REQ-058 @RC-17
  Scenario: Five wrong passphrases lock an identity, and each is recorded
    When a user gives a wrong passphrase for Rosa 5 times
    Then the log has 5 failed attempts and one lock, signed by the log
    And the list of identities shows that Rosa is locked
    And Rosa's right passphrase is refused too
    And Rosa cannot reinstate herself, but Max can

  @REQ-058 @RC-17
  Scenario: The right passphrase resets the count
    When a user gives a wrong passphrase for Rosa 4 times
    And Rosa gives the right one
    And a user gives a wrong passphrase for Rosa 4 times
    Then Rosa's right passphrase is accepted

  @REQ-058
  Scenario: Nothing is unlocked when the attempt cannot be recorded
    Given the log is on a medium that cannot be written
    Then Rosa's right passphrase is refused because the log cannot be written
