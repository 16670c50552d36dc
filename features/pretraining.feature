Feature: Weights that training starts from
  A member starts from values that its seed draws, from a run of the log, or from a file of weights. What the weights were
  trained on is declared. A model whose weights have seen test or calibration
  cases gets no look at the test part.

  @REQ-329
  Scenario: A member that starts from a file names the file, its tensors and its training data
    Given a network with a head of two classes and the weights of one with a head of five
    When training starts from them and "head" may differ
    Then the network has the weights of the file everywhere but in its head
    And the record names the tensors that the seed drew and those that are not used

  @REQ-329
  Scenario Outline: Weights that do not fit are refused by the name of the tensor
    Given a network with a head of two classes and the weights of one with a head of five
    When training starts from them <how>
    Then it is refused with "<words>", and the network has the weights of its seed

    Examples:
      | how                          | words                                |
      | and nothing may differ       | has head.bias of shape               |
      | and "hea" may differ         | neither the network nor the file     |
      | and "body" may differ        | has head.bias of shape               |
      | with a value that is NaN     | that are not finite                  |
      | with whole numbers in "body" | has body.weight of type int8         |
      | with other tensors alone     | has no tensor that fits              |

  @REQ-329 @RC-138
  Scenario Outline: The file that training starts from is the one that the project file names
    Given a sealed project whose training starts from a file <how>
    When the start is read
    Then it is refused with "<words>"

    Examples:
      | how                                        | words                               |
      | of another digest                          | training.start.digest is            |
      | that is a pickle with code                 | neither a safetensors file          |
      | that is not there                          | foreign.safetensors                 |
      | with the record of another run             | is the record of other weights      |
      | with a folder of images that is not there  | is not there                        |

  @REQ-329
  Scenario: Training continues from a run of the log
    Given a sealed project whose training starts from the run in its log
    When the start is read
    Then it has the tensors of that run, and the images of the training part count as seen
    And a copy of them is kept when the member is trained again
    And the entry of the training names the weights among its inputs

  @REQ-330
  Scenario: What a file was trained on follows from the record of its run
    Given a sealed project whose training starts from the file of a run of another project
    When the start is read
    Then the cases of that run and what its own start was trained on count as seen

  @REQ-331 @RC-139
  Scenario Outline: Weights that have seen the test part are refused before training
    Given a sealed project whose training starts from weights that were trained on <what>
    When the start is read
    Then it is refused with "<words>" and the rule "<rule>"

    Examples:
      | what                                         | words                               | rule      |
      | a set of the same name in other letters      | were trained on To-Y v2             | name      |
      | the set that the source names                | the data come from                  | name      |
      | a set with the accession of the source       | states this accession               | accession |
      | the image of a test case                     | is among the images of              | digest    |
      | the image of a calibration case              | is among the images of              | digest    |
      | the mask of a test case                      | is among the images of              | digest    |
      | a folder with a renamed copy of a test image | is the image of case                | digest    |

  @REQ-331 @RC-139
  Scenario: A training with weights that have seen the test part is refused on the record
    Given a sealed project whose training starts from weights that were trained on the image of a test case
    When a training is started
    Then it is refused with "have seen the test part"
    And the log has a refused training

  @REQ-331
  Scenario: Weights that have seen training cases alone are not refused
    Given a sealed project whose training starts from weights that were trained on the images of the training part
    When the start is read
    Then it is not refused

  @REQ-331 @RC-139
  Scenario Outline: A look with a model whose weights have seen the test part is refused and does not count
    Given a sealed project whose member started from weights that have seen <when>
    When a look is <step>
    Then it is refused with "have seen the test part"
    And no look at the test set is counted

    Examples:
      | when                                  | step      |
      | a test case                           | requested |
      | a test case, which is known too late  | approved  |

  @REQ-331 @RC-139
  Scenario: An evaluation with a model whose weights have seen the test part is refused under an earlier approval
    Given a sealed project whose member started from weights that have seen a test case, which is known after the approval
    When the evaluation is run
    Then it is refused with "have seen the test part"

  @REQ-331
  Scenario: The record of a start cannot be taken away
    Given a sealed project whose member started from weights that have seen a test case
    And the record of the member is written without its start
    When a look is requested
    Then it is refused with "is not the file that entry"
    And no look at the test set is counted

  @REQ-330 @RC-140
  Scenario Outline: A release needs the declaration of what starting weights were trained on
    Given an ensemble of two members, of which one started from weights whose training data are <status>
    When the gates of a policy <policy> are judged
    Then the gate "pretraining" <verdict>

    Examples:
      | status   | policy                                      | verdict       |
      | declared | without a line for it                       | passes        |
      | refused  | without a line for it                       | fails         |
      | unknown  | without a line for it                       | fails         |
      | unknown  | that allows none                            | fails         |
      | unknown  | that allows one because it is a pilot study | passes        |
      | absent   | without a line for it                       | is not judged |

  @REQ-332 @RC-139
  Scenario Outline: A test part with near duplicates of images that the weights have seen is not sealed
    Given a split project whose training starts from weights that were trained on a folder with <images>
    When the test part is sealed
    Then the sealing <ends>

    Examples:
      | images                               | ends                                         |
      | a mirrored, brighter copy of a test image | is refused and names the case and the file |
      | other images alone                   | is done                                      |
      | a file that is no image              | is refused and names the file                |
      | nothing                              | is refused because it has no image           |
