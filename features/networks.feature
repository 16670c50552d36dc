Feature: Networks of any family through one contract
  The rest of the pipeline knows a network by its adapter alone. A family of another package is installed, not patched in.

  @REQ-320
  Scenario: A family of another package is chosen by its name in the project file
    Given an installed package with the family "threshold" of the guide to extensions
    When a project file with "model: {architecture: threshold, patch: [4, 8, 8]}" is read
    Then the specification is the record of that family
    And a network of two classes in volumes of two channels answers with three logits a voxel

  @REQ-320
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
