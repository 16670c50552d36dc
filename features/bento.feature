Feature: A Bento of the model in production
  `minivess model bento` packs the service, the model, this software and the pinned packages into a Bento. The Bento answers
  as `minivess serve` does, because it runs the same application on the same log. The model runs in a process of its own, so
  that BentoML can join requests to batches.

  @REQ-470 @REQ-472 @REQ-474 @RC-199
  Scenario: A Bento is built and recorded
    Given a project whose model was exported and recorded
    When `minivess model bento` is run
    Then the Bento has the model in production, the code and the facts about both
    And each package in it is pinned with the digests of its files
    And its Dockerfile is that of BentoML's template, installs these packages and has no secret
    And the log names model, lock file, Bento, code and packages by their digests

  @REQ-470
  Scenario Outline: A Bento that cannot be served is not built
    Given a project whose model was exported and recorded
    And <what>
    When `minivess model bento` is run
    Then it is refused because <why>
    And there is no Bento

    Examples:
      | what                                    | why                      |
      | a folder of that name                   | the folder of the Bento exists |
      | a lock file without BentoML             | no lock file with what a Bento needs |
      | another model that was exported since   | was not evaluated        |

  @REQ-471 @slow
  Scenario: A Bento answers byte for byte as the service
    Given a project whose model was exported and recorded
    And a Bento of it that is opened in this process, beside the service
    When the same requests are sent to both
    Then the answers are equal byte for byte, apart from receipt, request and times
    And each answer of the Bento is an entry of its log, with a receipt that verifies
    And without its log the Bento is alive and not ready, and answers without a mask

  @REQ-471
  Scenario: A Bento for pictures answers in short byte for byte as the service
    Given a project whose model was exported and recorded
    And a service for pictures, and a Bento with the same model in this process
    When pictures are sent to `/predict` of both
    Then the answers are equal byte for byte, apart from receipt, request and times
    And those with a mask are entries of the log of the service

  @REQ-471 @RC-198
  Scenario: A Bento of another model is not served
    Given a project whose model was exported and recorded
    When a Bento of another model is opened
    Then it refuses to open, because another model is in production

  @REQ-473
  Scenario: Requests that are answered together are answered as alone
    Given a project whose model was exported and recorded
    When images of several sizes are answered in one batch
    Then each has the probabilities that it has alone, bit for bit
    And time in the process of the model counts to its stages

  @REQ-470 @REQ-471 @REQ-473 @slow
  Scenario: A Bento is served by BentoML as a process
    Given a project whose model was exported and recorded
    When `minivess model bento` is run
    And the Bento is served by BentoML on loopback
    And the same requests are sent to both
    Then the answers are equal byte for byte, apart from receipt, request and times
    And requests at the same time are answered in batches
    And what it answered is anchored when it ends
