Feature: A released model is made again from its pack and its data
  Same lock file, configuration, cases and seeds on a CPU give the same weights. Whoever has the data can check that.

  @REQ-577 @REQ-578 @slow
  Scenario: The members have the same weights
    Given a project with a member that was trained for 2 steps, and what a pack has of it
    When its cases are read and its member is trained again elsewhere
    Then cases, training cases and weights are equal

  @REQ-577 @slow
  Scenario: Another number of steps gives other weights
    Given a project with a member that was trained for 2 steps, and what a pack has of it
    And the pack states 3 steps
    When its cases are read and its member is trained again elsewhere
    Then the weights are others, and the cases are equal

  @REQ-578 @RC-246
  Scenario: Other cases are named, and nothing is trained on them
    Given a project with cases, and what a pack has of it
    And the data were made with another seed
    When its cases are read and its member is trained again elsewhere
    Then the cases that differ are named, and no member was trained

  @REQ-577
  Scenario: What cannot be made again is stated
    Given a project with cases, and what a pack has of it
    And the member of the pack started from other weights
    When its cases are read and its member is trained again elsewhere
    Then the member is not made again, with the reason

  @REQ-577
  Scenario: The circumstances of the pack are beside those of now
    Given a project with cases, and what a pack has of it
    Then PyTorch, threads and device of the pack are compared with those of now

  @REQ-577
  Scenario: A pack that does not hold is not reproduced
    Given a pack with a changed file
    When it is reproduced at the command line
    Then it is refused because of the file
