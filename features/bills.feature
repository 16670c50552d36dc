Feature: Bills of materials
  A pack lists what ships, the tools that made it, and the model with its data, in CycloneDX.

  @REQ-530
  Scenario: The SBOM of a pack lists exactly what ships
    Given a release whose lock file has click for the service, torch for training and pytest for tests
    When its bills of materials are read
    Then "click" ships, and "torch, pytest, colorama" do not
    And the other packages are in the bill of the tools
    And each component states hash, licence, producer and support, or that they are not known

  @REQ-531
  Scenario: The bill of materials of the model leads from the model to its data
    Given a pack with a model of 2 members
    When its bills of materials are read
    Then the model has the digest of the exported graph and rests on 2 members
    And each member has its seed, its training parameters and the data that it was trained on
    And the model card has the Dice of the sealed test set with its interval

  @REQ-530 @REQ-531
  Scenario Outline: A bill of materials that does not meet the schema is refused
    Given the <bill> of a pack with <fault>
    Then it is refused because "<reason>"

    Examples:
      | bill  | fault                  | reason                      |
      | sbom  | an unknown licence     | does not meet CycloneDX 1.6 |
      | tools | a link that is no URL  | which is no URL             |
      | ml    | a measure without type | does not meet CycloneDX 1.6 |

  @REQ-535
  Scenario Outline: A review of published anomalies counts for its version
    Given a SOUP item for click 8.3.0 whose anomalies were reviewed for <version>
    When the SOUP list is made
    Then click has purpose, requirements, platform and anomalies of the item
    And its review is "<review>"

    Examples:
      | version | review                                                                     |
      | 8.3.0   | reviewed by rosa on 2026-11-01: Nothing that touches the device.           |
      | 8.2.0   | not reviewed for this version; rosa reviewed 8.2.0 on 2026-11-01           |
      | none    | not reviewed                                                               |

  @REQ-535
  Scenario: The document of the SOUP shows what changed since the release before
    Given two releases, of which the second has another version of click
    Then the SOUP document of the second says that click was "8.3.0"
    And that of the first says that there was no release before
