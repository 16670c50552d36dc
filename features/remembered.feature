Feature: Each signer's tool remembers the newest checkpoint of a log
  The log's operator can copy it, roll it back and continue it in two ways. Each signer's tool keeps the newest
  checkpoint in the signer's own profile. It signs nothing on a log that does not continue this checkpoint. A restored
  backup is recorded as an entry first.

  Background:
    Given a project with a log, which Ada, Rosa and Max may sign

  @REQ-164 @RC-55
  Scenario: A person's tool keeps the newest checkpoint that it saw
    When Ada records something
    Then her profile has the checkpoint over her entry, readable by her account alone
    And what Rosa records next is continued by Ada without complaint

  @REQ-164 @RC-55
  Scenario: A log that was rolled back is not signed
    Given Ada recorded something
    When the log is rolled back to before that
    Then it cannot be opened for writing here, because "this machine saw 2 entries of this log, and 1 are here"
    And on a machine that never saw it Ada signs nothing, because "ada saw 2 entries of this log, and 1 are here"

  @REQ-164 @RC-55
  Scenario: A log that was continued in two ways is not signed
    Given Ada recorded something
    When the log is rolled back to before that, and Rosa records something else on a machine that never saw it
    Then on a machine that never saw it Ada signs nothing, because "the 2 that are here are of another history"
    And Rosa, who saw this history alone, goes on

  @REQ-164
  Scenario: The remembered checkpoint is damaged
    Given Ada recorded something
    When what she saw is overwritten with something else
    Then on a machine that never saw it Ada signs nothing, because "what was seen of the log is damaged"

  @REQ-164
  Scenario: The remembered checkpoint is not replaced by an older one
    Given Ada recorded something
    Then the checkpoint of before that does not replace what she saw

  @REQ-165
  Scenario: A person cosigns the newest checkpoint with a key that the log knows
    When Ada cosigns, and then Rosa
    Then the newest checkpoint has a cosignature of each, by the keys that they announced
    And cosigning again announces no key a second time

  @REQ-165 @REQ-164 @RC-55
  Scenario: A log that was rolled back is not cosigned
    Given Ada recorded something
    When the log is rolled back to before that
    Then on a machine that never saw it Ada cosigns nothing

  @REQ-165
  Scenario Outline: A witness key belongs to one person
    When the log has an announcement of <what>
    Then the announcement is refused because <why>

    Examples:
      | what                         | why                                    |
      | a key under another name     | not ada's in this log                  |
      | a key of another type        | not ada's in this log                  |
      | the key that Rosa announced  | another person has or had               |
      | the key of revoked Rosa      | another person has or had               |
      | no key                       | malformed payload                      |

  @REQ-166 @RC-55
  Scenario: A restored backup is recorded before the log continues
    Given Ada recorded something
    And the log is rolled back to before that
    When Max restores the log because "the disk broke"
    Then the log can be written again, and Ada goes on with one warning
    And every verdict on the log names the restore, what was given up and the reason

  @REQ-166
  Scenario: A signer whose checkpoint was not named cannot continue
    Given Ada recorded something
    And Rosa saw more of the log on another machine
    And the log is rolled back to before that
    When Max restores the log because "the disk broke"
    Then on her machine Rosa signs nothing, because "rosa saw 3 entries of this log"

  @REQ-166
  Scenario: A checkpoint from another machine is named as well
    Given Ada recorded something
    And Rosa saw more of the log on another machine
    And the log is rolled back to before that
    When Max restores the log because "the disk broke", and passes what Rosa saw
    Then on her machine Rosa goes on

  @REQ-166 @RC-55
  Scenario: A developer cannot record a restore
    Given Eve, a developer and no root, may sign as well
    And Ada recorded something
    And the log is rolled back to before that
    When Eve says that the log was restored
    Then on a machine that never saw it Ada signs nothing, because "ada saw 3 entries of this log"

  @REQ-166
  Scenario: A log that continues everything is not restored
    Given Ada recorded something
    When Max restores the log because "no reason"
    Then the restore is refused because "there is nothing to restore"
