Feature: Signature of the exported model
  A receiver who deploys the model outside of a pack checks it with the tool of the field.

  @REQ-536
  Scenario Outline: A signed model is accepted by the library of OpenSSF
    Given an exported model and a key on the curve <curve>, <encrypted>
    When the exported model is signed
    Then the library accepts the signature over the folder, and beside other files of a pack
    And it refuses the signature after a byte of the model was changed

    Examples:
      | curve | encrypted     |
      | P-256 | encrypted     |
      | P-384 | not encrypted |

  @REQ-536
  Scenario Outline: A model is not signed
    Given an exported model and <case>
    When the exported model is signed
    Then it is refused because "<reason>"

    Examples:
      | case                  | reason                              |
      | a key of Ed25519      | is no key on the curve              |
      | a file that is no key | is no private key that opens        |
      | a wrong passphrase    | is no private key that opens        |
      | a link in its folder  | is a link                           |

  @REQ-536
  Scenario: A pack has the signature of its model
    Given a release whose exported model is signed
    When its pack is built
    Then the pack has the signature and the public key, and both verifiers accept its files

  @REQ-536
  Scenario Outline: A pack is not built with a signature of something else
    Given a release whose exported model is signed
    And then <change>
    When its pack is built
    Then it is refused because "<reason>"

    Examples:
      | change                                  | reason                                |
      | the public key is another one           | is not by the key beside it           |
      | the public key is missing               | belong together                       |
      | the signature is over another model     | is over another model.onnx            |
      | a signed graph is removed               | is over another graphs/second.onnx    |
      | the signature is cut                    | is malformed                          |
