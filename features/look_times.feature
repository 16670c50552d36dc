Feature: Witnesses attest the time of a look
  The log's operator sets the clock of the machine. A wrong clock cannot change the order of entries, but it can change
  their times. A witness that cosigns a checkpoint between two steps shows that the first step existed at that time.

  @REQ-168
  Scenario: A witness attests the latest time of criteria and approval
    Given a log with a look, in which a witness cosigned after the criteria and after the approval
    When the times of the look are judged with a trust file that names the witness
    Then criteria and approval are attested by the witness with its times

  @REQ-168
  Scenario: Without a witness the times are the machine's own
    Given a log with a look, in which no witness cosigned
    When the times of the look are judged with a trust file that names the witness
    Then criteria and approval have the machine's own time

  @REQ-168
  Scenario: A cosignature after the next step does not attest the time
    Given a log with a look, in which a witness cosigned after the result alone
    When the times of the look are judged with a trust file that names the witness
    Then criteria and approval have the machine's own time
