Feature: A service where the device's log is elsewhere
  One folder has the exported model, the serving log and the service's keys. One file has what the device's log says of
  them, with the proof that nothing was left out, and the time at which witnesses saw it.

  @REQ-448 @REQ-454
  Scenario: A folder is served without the device's log
    Given a folder to serve from and its admission
    When the service is started from the folder alone
    Then an image is answered, and its receipt is verified with the trust file alone
    And the folder has neither the device's log nor a case

  @REQ-454
  Scenario: A site is served in one place
    Given a folder to serve from and its admission
    When the site is to be served beside the device's log as well
    Then this is refused, because the serving log is missing

  @REQ-171 @REQ-454 @RC-60
  Scenario: Answers from elsewhere are anchored
    Given a folder to serve from and its admission
    And the service is started from the folder alone
    When a copy of its log is anchored, and the admission is written again
    Then the receipt of its answer is verified with the trust file and its witness
    And an older copy of its log is not anchored

  @REQ-612 @RC-190
  Scenario Outline: Each way to answer takes an admission in place of the log
    Given a folder to serve from and its admission
    When the folder alone is used by <way>
    Then the image is answered in the log of the folder
    And with an admission whose last entry is left out it is not, because "not those that its checkpoint covers"
    And without a trust file it is not, because "by keys from elsewhere"

    Examples:
      | way                       |
      | `minivess dicom segment`  |
      | a Bento                   |

  @REQ-448 @RC-190 @slow
  Scenario Outline: An admission that does not hold is refused
    Given a folder to serve from and its admission
    When its admission changes: <what>
    Then the service refuses to start, because "<why>"

    Examples:
      | what                                            | why                                            |
      | its last entry is left out                      | not those that its checkpoint covers           |
      | its first entry is left out                     | not those that its checkpoint covers           |
      | an entry is changed                             | not those that its checkpoint covers           |
      | no witness vouches for its checkpoint           | not the quorum you ask for                     |
      | the witness saw it eight days ago               | 8.0 days ago, and 7.0 days are allowed         |
      | the trust file names no witness                 | names no witnesses                             |
      | the trust file does not name the release manager | is not among those you trust                  |
      | the trust file says the release manager is none | as no release manager                          |
      | the service is revoked and it is written again  | does not count any more                        |
      | another model is put into production and it is written again | not sha256:                |
      | it is no JSON                                   | is no admission                                |

  @REQ-447 @REQ-448 @RC-185 @RC-190
  Scenario Outline: A running service follows its admission
    Given a folder to serve from and its admission
    And the service is started from the folder alone
    When <what> while it runs
    Then an image is refused with status <status>, because "<why>"

    Examples:
      | what                                     | status | why                                    |
      | eight days pass                          | 503    | 8.0 days ago, and 7.0 days are allowed |
      | the served model is retired and the admission is written again | 503 | is not in production |
      | a caller is made and the admission is written again | 401 | no key that counts            |
      | an older admission is put back           | 503    | is older than the one before           |

  @REQ-448
  Scenario: An admission that is written again in time keeps the service
    Given a folder to serve from and its admission
    And the service is started from the folder alone
    When six days pass, the witness sees the log again and the admission is written again
    And six more days pass
    Then an image is answered

  @REQ-448
  Scenario Outline: What an admission needs is asked for
    Given a project that is ready to be served
    When its admission is written while <what>
    Then this is refused with a hint, because "<why>"

    Examples:
      | what                          | why                                        |
      | it names no witnesses         | the project names no witnesses             |
      | the site is not enrolled      | the log of site main is not enrolled       |
      | no witness has seen the log   | the witnesses vouch for no checkpoint      |
      | the model is retired          | no model was in production                 |
