Feature: Limits are registered before a look and remain fixed
  A limit that is chosen after the result proves nothing. The seal fixes the number of looks and the level of the
  intervals. Criteria, analysis plan and release policy are registered before a look and cannot become laxer after it.

  @REQ-182
  Scenario: The seal fixes the terms of every look
    Given a project whose test part is sealed
    Then the entry of the sealing names the root of the sealed part and of the split
    And it fixes 3 looks, intervals of 98.33 %, the groups of all cases, the unit "group", the statistics and no lowered rule

  @REQ-182 @RC-66
  Scenario Outline: A project that became laxer than its seal is refused
    Given a project whose test part is sealed
    And criteria and policy are registered
    And <change>
    When Ada <step>
    Then it is refused and the message says "<reason>"
    And the last entry says that "ada" was refused

    Examples:
      | change                                        | step               | reason                              |
      | the project file allows 5 looks               | registers criteria | looks in all: 5 instead of 3        |
      | the project file allows 5 looks               | requests a look    | looks in all: 5 instead of 3        |
      | the project file lowers a validation rule     | registers criteria | validation rule                     |
      | the project file lowers a validation rule     | requests a look    | validation rule                     |

  @REQ-182
  Scenario: Sealing again changes nothing
    Given a project whose test part is sealed
    And the project file allows 5 looks
    When Ada seals again
    Then the terms of the seal are those of the first entry

  @REQ-182 @RC-66
  Scenario: The same cases are not sealed a second time under another key
    Given a project whose test part is sealed
    And the sealed manifest is removed
    When Ada seals and is refused
    Then it is refused and the message says "was sealed at entry"

  @REQ-184 @RC-66
  Scenario: The release policy comes before the request
    Given a project whose test part is sealed
    And criteria alone are registered
    When Ada requests a look
    Then it is refused and the message says "this release policy is not in the log"
    And the hint names "minivess release policy"
    And the last entry says that "ada" was refused

  @REQ-184 @RC-66
  Scenario: A request names the registered policy
    Given a project whose test part is sealed
    And criteria and policy are registered
    When Ada has requested a look
    Then the request names the digest of the registered policy and of all input files

  @REQ-185 @RC-66 @slow
  Scenario Outline: Nothing becomes laxer after a look
    Given an evaluated model
    And <change>
    When <who> <step>
    Then it is refused and the message says "<reason>"
    And the last entry says that "<id>" was refused

    Examples:
      | change                                       | who | step               | id  | reason                                |
      | a criterion of the project file is lowered   | Ada | registers criteria | ada | dice, mean: at least 0.05 instead of 0.1 |
      | the tolerance of the project file is raised  | Ada | registers criteria | ada | tolerance: 5 µm instead of 2 µm       |
      | the unit of the tolerance is changed         | Ada | registers criteria | ada | unit of distances: mm instead of µm   |
      | a gate of the release policy is lowered      | Max | registers a policy | max | dice, mean: at least 0.001 instead of 0.01 |
      | a gate of the release policy is removed      | Max | registers a policy | max | parity: at most 0.0001 is no longer required |
      | a signature of the release policy is removed | Max | registers a policy | max | signatures                            |
      | a gate of the release policy is lowered      | Max | builds the release | max | dice, mean: at least 0.001 instead of 0.01 |

  @REQ-185 @slow
  Scenario: Stricter limits can be registered after a look
    Given an evaluated model
    And a criterion of the project file is raised
    And a gate of the release policy is raised
    When criteria and policy are registered again
    Then both are in the log

  @REQ-185 @RC-66
  Scenario: A request under a laxer plan that was registered before the look is refused
    Given a project with a laxer plan and a stricter one, both registered, and a look under the stricter
    When Ada requests a look
    Then it is refused and the message says "dice, mean: at least 0.05 instead of 0.1"

  @REQ-186
  Scenario Outline: Gates that require more than the criteria are named before the look
    Given a project whose test part is sealed
    And criteria and policy are registered
    When <who> <does> at the command line
    Then the command names the gates that require more than the criteria

    Examples:
      | who | does                      |
      | Max | release policy            |
      | Ada | test-set criteria         |
      | Ada | test-set request          |
