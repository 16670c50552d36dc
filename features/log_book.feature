Feature: Entries can be found, explained and proven
  Every entry can be found, explained and proven on its own. A text that should not have been recorded can be erased
  without breaking a proof. Tampering with a copy is detected and named.

  Background:
    Given a log in which Ada validated data, a training failed and Max looked for leakage

  @REQ-066
  Scenario Outline: Entries are found by actor, action, resource or time
    When a user looks for entries <wish>
    Then they see <what>

    Examples:
      | wish                        | what                     |
      | by ada                      | 4 entries                |
      | of the action training      | 2 entries                |
      | that failed                 | 1 entries                |
      | about prepared/manifest     | 1 entries                |
      | from tomorrow on            | 0 entries                |
      | on pages of 2, first page   | the last 2 entries       |
      | on pages of 2, second page  | the 2 entries before     |

  @REQ-066
  Scenario: One entry is explained
    When a user asks about the look for leakage
    Then they read who did it, in which role, since when their key counts, what it says and how it is proven

  @REQ-050
  Scenario: The proof of one entry verifies on its own
    When the proof of the failed training is written to a file
    Then the file is a C2SP tlog-proof that verifies with the keys alone
    And it does not verify with the keys of another log
    And it does not verify when any byte of the entry in it is changed

  @REQ-062 @RC-18
  Scenario: The details of an entry are erased
    When the release manager erases the details of the failed training
    Then its reason is nowhere in the database nor in the delivered events
    And the log verifies and says that the details of one entry were erased
    And the proof of that entry from before still verifies
    And the last entry says who erased it and why

  @REQ-062
  Scenario Outline: Erasure is refused where it would change what the log says
    When <who> tries to erase <what>
    Then it is refused because <why>
    And no details are missing

    Examples:
      | who                 | what                  | why                     |
      | the service         | the failed training   | may not                 |
      | the release manager | the enrolment         | has no details to erase |
      | the release manager | an entry that is not  | has no entry 99         |

  @REQ-064 @REQ-141
  Scenario Outline: A cached table that was changed is named by verification and derived again
    Given an attacker changes <what> in the database
    When the caches are compared with the entries
    Then the difference is named: <words>
    And rebuilding reports it as well, and corrects it
    And rebuilding again finds nothing

    Examples:
      | what                                    | words                                                       |
      | the actor of an entry                   | entry 2: the column actor says eve, the entry says ada       |
      | the action of an entry                  | entry 4: the column action says data.validate                |
      | the start that an entry ends            | entry 3: the column started says None, the entry says 2      |
      | a node of the tree                      | node 1 of the tree is another                                |
      | all nodes of the tree                   | node 0 of the tree is missing                                |
      | the number of nodes                     | 1 nodes of the tree belong to no entry                       |
      | the event of an entry                   | entry 3: its event in the outbox is another                  |
      | the time of an event                    | entry 3: its event in the outbox is another                  |
      | all events                              | entry 2: its event is missing from the outbox                |
      | the number of events                    | entry 2: the outbox has a second event                       |
      | the entry an event belongs to           | entry 1: the outbox has an event, and the entry gives none   |
      | when an event was delivered             | entry 2: its event was delivered at a time that is none      |

  @REQ-064 @REQ-141
  Scenario Outline: A checkpoint that was changed is named by verification and left as it is
    Given an attacker changes <what> in the database
    When the caches are compared with the entries
    Then the difference is named: <words>
    And rebuilding reports it as well, and leaves it

    Examples:
      | what                                    | words                                                       |
      | the signature of an older checkpoint    | the checkpoint of 2 entries is wrong                         |
      | an older checkpoint for another         | the checkpoint of 3 entries is wrong                         |
      | the number of checkpoints               | there is a checkpoint of 99 entries, and the log has 7       |

  @REQ-062 @REQ-141
  Scenario: The event of an erased entry is derived without what was erased
    When the release manager erases the details of the failed training
    And the caches are compared with the entries
    Then no difference is named
    And the events that are made again have nothing of what was erased

  @REQ-141
  Scenario: The cached tables of a log of version 0.1.0 match its entries
    Given a log of version 0.1.0
    When its caches are compared with its entries
    Then no difference is named, and none when they are empty and made again

  @REQ-064
  Scenario: Nothing is derived from unsigned entries
    Given an attacker changes the bytes of an entry in the database
    When the tables are rebuilt
    Then it is refused because the entries are not those that the newest checkpoint signs

  @REQ-065 @RC-06
  Scenario: The drill detects and names every tampering
    When the drill is run
    Then hundreds of changes of 20 kinds at least were tried and each was caught

  @REQ-063
  Scenario: A log that was rolled back does not continue what was seen before
    Given an auditor kept a checkpoint
    When the log is restored from an older copy and goes on differently
    Then verification against the kept checkpoint says that there are two histories

  @REQ-061
  Scenario: Sixteen writers share the log
    When sixteen threads record ten looks for leakage each
    Then the log holds 160 more entries in an order that verifies
    And fewer checkpoints were signed than entries written
