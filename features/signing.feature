Feature: A person signs a release after the pack was verified and its signing text was shown
  A signature is an act of a person. The pack is verified against the signer's own log first. The signing text is shown
  at a terminal. The signature is an entry of the log, and the pack has the proof of this entry.

  Background:
    Given a release that is built and not signed

  @REQ-234 @REQ-235 @REQ-236
  Scenario: Rosa signs at a terminal
    When Rosa signs at a terminal and types "review" and her passphrase
    Then the terminal showed the signing text of the pack, and no passphrase
    And the pack has her signature, the proof of its entry and the list of signatures
    And the signature binds the digest of the signing text

  @REQ-236
  Scenario: A person with two open meanings chooses one
    Given Mia, a reviewer and release manager
    When Mia signs at a terminal, types "authorship", is asked again and types "approval"
    Then her signature means "approval"

  @REQ-236 @RC-101
  Scenario: Without a terminal the release is not signed
    When Rosa signs without a terminal
    Then the command refuses because "a release is signed at a terminal"
    And the log has no signature of hers

  @REQ-236
  Scenario: The digest of another text is refused
    When Rosa signs with the digest of another text
    Then the command refuses because "the signing text of this pack is not sha256:"
    And the log has no signature of hers

  @REQ-236
  Scenario: A meaning that the policy does not leave open is refused
    When Rosa signs with the digest of the signing text and the meaning "approval"
    Then the command refuses because "your signature cannot mean 'approval'"
    And the log has no signature of hers

  @REQ-236
  Scenario: Outside a demonstration the environment does not sign
    When Rosa signs with the digest of the signing text and her passphrase in the environment
    Then the command refuses because "the passphrase of rosa is needed"
    And the log has no signature of hers

  @slow @REQ-236
  Scenario: In the log of a demonstration the environment signs
    Given a release of a demonstration that is built and not signed
    When Rosa signs with the digest of the signing text, and the environment has her passphrase
    Then the pack has her signature, the proof of its entry and the list of signatures
    And without the digest the command refuses because "a release is signed at a terminal"

  @REQ-236
  Scenario: A wrong passphrase does not sign
    When Rosa signs at a terminal and types "review" and another passphrase
    Then the terminal shows "4 attempts are left"
    And the log has no signature of hers

  @REQ-234
  Scenario: A revoked person is refused before anything is asked
    Given Rosa was revoked
    When Rosa signs at a terminal
    Then the terminal shows "rosa cannot sign: rosa is revoked in the log" and asks for nothing

  @REQ-234
  Scenario Outline: A person whose signature would not count is refused without any key
    Given <what>
    When <who> wants to sign it
    Then it is refused because "<why>"

    Examples:
      | what                                    | who  | why                                                      |
      | Rosa was revoked                        | Rosa | rosa cannot sign: rosa is revoked in the log             |
      | Rosa is locked                          | Rosa | rosa cannot sign: rosa is locked in the log              |
      | Zoe has keys and is not enrolled        | Zoe  | zoe cannot sign: zoe is not enrolled in the log          |
      | Zoe was enrolled after the pack         | Zoe  | the log in the pack does not know the key of zoe         |
      | Eva, a reviewer, exported the model too | Eva  | eva trained, combined, calibrated, exported or requested |
      | Rosa has signed the pack                | Rosa | rosa has signed this pack already                        |
      | nothing                                 | Ada  | requires no further signature of ada                     |

  @REQ-234
  Scenario Outline: A pack that does not hold is not signed
    Given <what>
    When Rosa wants to sign it
    Then it is refused because "<why>"

    Examples:
      | what                                           | why                                                       |
      | a figure in the pack was changed               | the pack does not hold, so there is nothing to sign: bag  |
      | the signing text in the pack was changed       | the pack does not hold, so there is nothing to sign       |
      | the pack is of a fork of the log               | the checkpoint of the pack does not match the log         |
      | Rosa saw another history of the log            | rosa saw                                                  |
      | no release.build of the log made the pack      | no release.build of this log made this pack               |
      | Max's signature in the pack has no proof       | signatures/max.tlog-proof is missing                      |
      | the list of signatures in the pack was changed | signatures/SIGNATURES.txt is not the list                 |

  @REQ-268
  Scenario: A person gives a signature that the trust file alone requires
    Given the trust file requires the approval of a developer too
    When Ada opens the pack to sign it
    Then her signature can mean "approval", which the trust file requires

  @REQ-268 @RC-122
  Scenario Outline: A missing signature is named with the sources that require it
    Given a release policy that requires <policy>
    And a trust file that requires <trust>
    When the signatures of the release are <signatures>
    Then both verifiers miss "<missing>"

    Examples:
      | policy                      | trust            | signatures          | missing                                                                                          |
      | review, approval            | review, approval | review              | approval by release-manager (required by the release policy, the trust file, the built-in rules) |
      | review, approval            | review, review   | review, approval    | review by independent-reviewer (required by the trust file)                                      |
      | approval, developer         | nothing          | approval, developer | review by independent-reviewer (required by the built-in rules)                                  |
      | review, approval, developer | review           | review, approval    | approval by developer (required by the release policy)                                           |

  @REQ-235
  Scenario: Signing was interrupted after the entry
    Given Rosa's signature is in the log, and the pack does not have it
    When Rosa signs again
    Then the pack has the recorded signature, and the log has one signature of hers

  @REQ-235
  Scenario: The pack is changed while Rosa reads the signing text
    When Rosa signs, and the pack was changed after it was verified for her
    Then it is refused because "the pack was changed while it was signed"
    And the log has no entry of a signature of hers

  @slow @REQ-235
  Scenario: The witnesses do not answer after the entry
    Given a release that is built, and a witness that must vouch for the log
    When Rosa signs, and the witness does not answer
    Then it is refused because "has the signature, and the pack does not"
    And when the witness answers, signing again gives the proof with its cosignature and no second entry

  @REQ-235 @RC-100
  Scenario Outline: A signature that the log does not know does not count
    Given Rosa and Max have signed the pack
    When <what>
    Then both verifiers name "<name>"

    Examples:
      | what                                              | name                        |
      | the proof of Rosa's signature is removed          | signatures/rosa.tlog-proof  |
      | Rosa's signature is removed and its proof is left | signatures/rosa.tlog-proof  |
      | the proof is one of Rosa's entry in a fork        | signatures/rosa.tlog-proof  |
      | the proofs of Rosa and Max are exchanged          | signatures/max.tlog-proof   |
      | the list of signatures is removed                 | signatures/SIGNATURES.txt   |
      | the list of signatures names another meaning      | signatures/SIGNATURES.txt   |
