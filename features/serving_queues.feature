Feature: Requests wait within limits, and long ones become jobs
  A body is read only once there is a place for it. A long volume is taken as a job: the caller looks at its progress and
  fetches the answer, which is on the record before.

  @REQ-437 @RC-176
  Scenario: A request is refused before its body is read when all places are taken
    Given a service with one place where no request may wait
    And a request that is still being sent
    When another volume is sent
    Then it is refused as busy, with the time to wait, and nothing of its body was read
    And it is counted as "busy"

  @REQ-437
  Scenario: A request waits for a place and is answered
    Given a service with one place where one request may wait
    And a request that is still being sent
    When another volume is sent, and the first one ends
    Then it is answered

  @REQ-437
  Scenario: A client that sends nothing for too long gives up its place
    Given a service with one place where one request may wait
    And a request that stops halfway
    When another volume is sent
    Then it is answered
    And the first one is counted as "too-slow"

  @REQ-610 @RC-260
  Scenario Outline: An answer with probabilities has its place until it is sent
    Given a service with one place, and a client that asks for probabilities and <reads>
    When another volume is sent while that answer is sent
    Then it is refused as busy, with the time to wait, and nothing of its body was read
    And the first answer <ends>, and then the other volume is answered

    Examples:
      | reads         | ends          |
      | reads later   | is whole      |
      | stops reading | has no end    |

  @REQ-438 @REQ-610
  Scenario: A job with probabilities has the answer that is given at once
    Given a service that takes jobs
    When a known volume is sent with probabilities, at once and as a job
    Then both answers have the same probabilities, and state their size where it is known

  @REQ-438
  Scenario Outline: A long volume is answered as a job
    Given a service that takes jobs
    When a known volume is sent as a job by <how>
    Then the job has an address, and its progress ends with all tiles
    And its answer is the one that the volume gets at once, with an entry that was there before
    And its answer is given once

    Examples:
      | how               |
      | its own address   |
      | a preferred answer |

  @REQ-438
  Scenario: A job is cancelled before its next tile
    Given a service that takes jobs
    When a job is cancelled while it runs
    Then its state is cancelled and it has no answer
    And the entry in the log says that it was taken back

  @REQ-438
  Scenario: A job that waits is cancelled without an entry
    Given a service that takes jobs
    When a job is cancelled while it waits
    Then its state is cancelled and it has no answer
    And no entry was made for it
    And it is counted as "cancelled"

  @REQ-438 @RC-177
  Scenario: A job belongs to its caller
    Given a service that takes jobs
    When a job of one caller is done
    Then another caller finds no such job, and cannot cancel it

  @REQ-438
  Scenario: A refusal is the answer of a job too
    Given a service that takes jobs
    When a volume without contrast is sent as a job
    Then its answer is the refusal with its receipt

  @REQ-438
  Scenario: Jobs are bounded, and a job that was lost is said to be lost
    Given a service that holds one job
    When a second job is sent while the first is held
    Then it is refused as busy
    And after a restart the first job is said to be lost

  @REQ-438
  Scenario: The address of a job states its methods
    Given a service that takes jobs
    Then another method is refused with those that the address takes
