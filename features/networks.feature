Feature: Networks of any family through one contract
  The rest of the pipeline knows a network by its adapter alone. A family of another package is installed, not patched in.

  @REQ-320
  Scenario: A family of another package is chosen by its name in the project file
    Given an installed package with the family "threshold" of the guide to extensions
    When a project file with "model: {architecture: threshold, patch: [4, 8, 8]}" is read
    Then the specification is the record of that family
    And a network of two classes in volumes of two channels answers with three logits a voxel

  @REQ-320 @slow
  Scenario Outline: A network that is asked in another way keeps the contract inside its adapter
    Given a family whose network is asked <way>
    When it is asked about patches of two classes in volumes of two channels
    Then it answers with three logits a voxel, as many patches as were given
    And the graph that is exported of it gives the same logits

    Examples:
      | way            |
      | class by class |
      | slice by slice |

  @REQ-321
  Scenario Outline: Weights of another network are refused by the name of the tensor
    Given the weights of a network, <changed>
    When they are given to a network of that family
    Then they are refused, and the message has "<words>"
    And the network has the weights that it had

    Examples:
      | changed                     | words                             |
      | without the tensor "bias"   | has no tensor bias                |
      | with another tensor "more"  | has a tensor more                 |
      | with "weight" of another shape | has weight of shape            |

  @REQ-328
  Scenario Outline: Weights keep their types in a file and come back as they were
    Given named tensors of the type <type>
    When they are saved and read again
    Then the file is a safetensors file
    And names, shapes, types and the digest of the tensors are the same

    Examples:
      | type     |
      | float32  |
      | bfloat16 |
      | float16  |
      | int64    |

  @REQ-328
  Scenario: A member of version 0.1.0 keeps its weights
    Given a member folder with a PyTorch file of weights
    When its weights are read
    Then they are the tensors that were saved

  @REQ-328 @RC-138
  Scenario Outline: A file of weights that is damaged or holds more than tensors is refused by its name
    Given a file of weights <how>
    When it is read as weights
    Then it is refused, and the message has its name and "<words>"
    And no code of the file was run

    Examples:
      | how                                    | words                           |
      | that is a pickle with code             | neither a safetensors file      |
      | that is a PyTorch file with code       | objects or code besides tensors |
      | with a header of 100 MB                | has a header of                 |
      | that is cut off                        | damaged safetensors file        |
      | with 30,000 tensors                    | has 30000 tensors               |
      | with a tensor that is there twice      | twice                           |
      | with a tensor larger than its values   | damaged safetensors file        |
      | whose tensor repeats one value forever | tensors of 4                    |
      | with a compressed part                 | compressed                      |
      | of complex numbers                     | of a kind that is not read      |
