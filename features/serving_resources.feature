Feature: An answer uses the processors and the memory that it may use
  Several requests, several graphs and long volumes share one machine. What one answer needs is bounded.

  @REQ-434
  Scenario Outline: Tiles are run in batches where the graph takes them
    Given a graph that takes any number of patches and is fastest with <size> at a time
    When the best number is measured
    Then so many patches are run at a time
    And the probabilities are those of single patches

    Examples:
      | size |
      | 1    |
      | 4    |

  @REQ-435
  Scenario: Several graphs share one pool of threads
    Given a process with one graph of three threads
    Then a process with three graphs that share threads has no more
    And a process with three graphs of their own threads has more

  @REQ-436
  Scenario Outline: The memory of an answer is bounded by its image
    Given a service whose model has <classes> classes
    When a volume of many tiles is answered and sent with <outputs>
    Then no more than 3 copies and one for each class were in memory beside the image

    Examples:
      | classes | outputs                  |
      | 1       | masks alone              |
      | 2       | masks alone              |
      | 4       | masks alone              |
      | 1       | probabilities as float16 |
      | 4       | probabilities as float16 |
      | 4       | probabilities as float32 |

  @REQ-439
  Scenario: Pictures of several requests go through the graph together
    Given a service for pictures whose graph takes 4 at a time
    When 8 pictures are sent at the same time
    Then each gets the mask that it gets alone
    And the observer is notified of batches with the reason of each

  @REQ-439
  Scenario: A picture that is alone does not wait
    Given a service for pictures whose graph takes 4 at a time
    When one picture is sent
    Then the observer is notified of batches of one that are full or drained
