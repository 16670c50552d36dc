Feature: Who may call the service, and which model may answer
  Callers have keys with scopes, limits and an end. The device's log says who may call and which model is in production,
  and the service follows it while it runs.

  @REQ-446 @RC-183
  Scenario Outline: A request needs a key with its scope
    Given a service whose log has callers
    When <what> is asked for with <key>
    Then the answer has the status <status>

    Examples:
      | what          | key                    | status |
      | a mask        | the key of pacs        | 200    |
      | a mask        | no key                 | 401    |
      | a mask        | a key that was made up | 401    |
      | a mask        | the name of pacs       | 401    |
      | a mask        | the key of auditor     | 403    |
      | a decision    | the key of pacs        | 403    |
      | a decision    | the key of auditor     | 404    |
      | a decision    | no key                 | 401    |
      | the model     | the key of auditor     | 200    |
      | the model     | no key                 | 401    |
      | a later page  | no key                 | 401    |
      | the readiness | no key                 | 200    |
      | the interface | no key                 | 200    |

  @REQ-446
  Scenario: The entry of an answer names its caller
    Given a service whose log has callers
    When a mask is asked for with the key of pacs
    Then the entry of the answer names pacs
    And no log has the key of pacs

  @REQ-446 @RC-183
  Scenario: Refused callers are counted
    Given a service whose log has callers
    When a mask is asked for with no key
    And a mask is asked for with the key of auditor
    Then the log counts one more "unknown-caller" and one more "not-allowed"
    And it has no more answers

  @REQ-445 @REQ-446 @RC-184
  Scenario Outline: A key ends
    Given a service whose log has callers
    When the key of <caller> <ends>
    And a mask is asked for with the key of <caller>
    Then the answer has the status 401

    Examples:
      | caller | ends                           |
      | late   | has expired                    |
      | robbed | is revoked                     |
      | moved  | is replaced without an overlap |

  @REQ-445
  Scenario: Both keys of a caller count while they overlap
    Given a service whose log has callers
    When the key of clinic is replaced with an overlap of an hour
    Then the former and the new key of clinic are answered

  @REQ-445
  Scenario: A first key closes the service
    Given a service whose log has no callers
    When a mask is asked for with no key
    And a release manager makes a key for pacs
    And a mask is asked for with no key
    Then the answers have the status 200, then 401

  @REQ-445
  Scenario: Keys are made and changed on the command line
    Given a project whose service was not started
    When a release manager makes, lists, replaces and revokes a key on the command line
    Then each change is an entry of the release manager
    And each key was printed once and is in no file of the project

  @REQ-445
  Scenario: The service itself makes no keys
    Given a project whose service was not started
    When the service makes a key with its own key
    Then this is refused, and the log has no caller

  @REQ-447 @RC-185
  Scenario: Another model in production stops the answers of the former one
    Given a service whose log has no callers
    When a mask is asked for with no key
    And another model is put into production
    And a mask is asked for with no key
    Then the answers have the status 200, then 503
    And the reason is that the model is not in production, also of the readiness
    When the served model is put into production again
    And a mask is asked for with no key
    Then the answer has the status 200

  @REQ-447 @RC-185
  Scenario: A service whose key was revoked stops
    Given a service whose log has no callers
    When a mask is asked for with no key
    And the key of the service is revoked
    And a mask is asked for with no key
    Then the answers have the status 200, then 503

  @REQ-447 @RC-185
  Scenario: A log that was changed stops the answers
    Given a service whose log has no callers
    When an entry of the device's log is exchanged and another one added
    And a mask is asked for with no key
    Then the answer has the status 503

  @REQ-449 @RC-186
  Scenario: A caller who asks too often waits
    Given a service whose log has callers
    When the model is asked for twice with the key of slow
    Then the answers have the status 200, then 429
    And the second one states the seconds to wait

  @REQ-449
  Scenario Outline: A caller has a largest request
    Given a service whose log has callers
    When an image is sent <how> with the key of small
    Then the answer has the status 413

    Examples:
      | how                    |
      | with its length        |
      | in parts of no length  |

  @REQ-450
  Scenario Outline: Each answer forbids what browsers must not do
    Given a service whose log has callers
    When <what> is asked for with <key>
    Then its headers forbid to guess, to refer, to store and to frame it

    Examples:
      | what           | key             |
      | a mask         | the key of pacs |
      | a mask         | no key          |
      | the front page | no key          |
      | a later page   | no key          |

  @REQ-450
  Scenario: The front page runs nothing but its own
    Given a service whose log has callers
    When the front page is asked for with no key
    Then its policy names the digest of its style and no other source

  @REQ-451 @RC-187
  Scenario Outline: Other machines reach the service only with keys and encryption
    When the service is to listen on <address> with <what>
    Then it is <said>

    Examples:
      | address   | what                  | said                                      |
      | 127.0.0.1 | nothing               | allowed                                   |
      | ::1       | nothing               | allowed                                   |
      | localhost | nothing               | allowed                                   |
      | 0.0.0.0   | nothing               | refused, for lack of keys and encryption  |
      | 0.0.0.0   | keys                  | refused, for lack of encryption           |
      | 0.0.0.0   | TLS                   | refused, for lack of keys                 |
      | 0.0.0.0   | a proxy               | refused, for lack of keys                 |
      | 10.1.2.3  | keys and TLS          | allowed                                   |
      | ::        | keys and a proxy      | allowed                                   |
      | pacs.test | keys                  | refused, for lack of encryption           |

  @REQ-452 @RC-188
  Scenario Outline: A page of another site cannot use a service without keys
    Given a service whose log has no callers
    When <who> sends an image
    Then the answer has the status <status>

    Examples:
      | who                                 | status |
      | a program                           | 200    |
      | the page of the service             | 200    |
      | a page of another site              | 403    |
      | a page under a name made for it     | 403    |
      | a proxy for another machine         | 403    |

  @REQ-453 @RC-189
  Scenario Outline: A request that is sent again
    Given a service whose log has callers
    When pacs sends an image with an idempotency key
    And <who> sends <what> with the same idempotency key
    Then the second answer is <answer>

    Examples:
      | who    | what                       | answer                       |
      | pacs   | the same image             | the first one, with no entry |
      | clinic | the same image             | another one, with an entry   |
      | pacs   | another image              | refused with status 422      |
      | pacs   | the same in another format | refused with status 422      |

  @REQ-447 @REQ-453
  Scenario: An answer that is held is not given once its model is out of use
    Given a service whose log has no callers
    When an image is sent with an idempotency key
    And another model is put into production
    And the image is sent again with the idempotency key
    Then the answers have the status 200, then 503

  @REQ-453 @RC-189
  Scenario: A request that is still being answered is not answered twice
    Given a service whose log has callers
    When pacs sends an image twice at once with an idempotency key
    Then one of the two is answered, and the other is refused with status 409
