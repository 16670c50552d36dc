Feature: Names of folders and ids are taken as they are

  @REQ-248
  Scenario: A project works in a folder of any printable name
    Given a project folder named "a?b c%41d größe #1 it's "so" &"
    When "max" starts its log and verifies it
    Then the log holds in that folder, and no file is outside it

  @REQ-248
  Scenario: Two projects never share a log
    Given a project folder named "axb"
    And a project folder named "a[x]b"
    When "max" starts the log of each
    Then each project has a log of its own

  @REQ-248 @REQ-251
  Scenario: MLflow keeps runs in a folder of any printable name
    Given a project folder named "a?b c%41d"
    When a training run is tracked there
    Then the MLflow store is in that folder, and no file is outside it
    When the experiment is deleted in MLflow
    Then another run is refused, with the name of the experiment and the command that restores it

  @REQ-249
  Scenario: A line break in the name of a project folder is refused
    When "minivess init" is run for a folder whose name contains a line break
    Then it is refused with the character named, and no folder was made

  @REQ-250
  Scenario: Four processes start a log at the same time
    Given a project folder named "toy"
    When four processes start its log at the same time
    Then one of them started it, and the others say that there is one
    And the key of the log is the one that signs it

  @REQ-252
  Scenario Outline: An id that is the file of another id is refused
    Given a project with the <kind> "<known>"
    When the <kind> "<new>" is made
    Then it is refused with "<known>" and "<new>" named

    Examples:
      | kind    | known     | new       |
      | case    | Case-1    | case-1    |
      | person  | ada       | Ada       |
      | site    | Oslo      | oslo      |
      | release | 1.0.0-rc1 | 1.0.0-RC1 |

  @REQ-253
  Scenario Outline: An id that Windows cannot use is refused
    Given a project with the <kind> "<known>"
    When the <kind> "<new>" is made
    Then it is refused with "<new>" named

    Examples:
      | kind    | known  | new   |
      | case    | case-1 | nul   |
      | person  | ada    | con   |
      | site    | main   | aux.1 |
      | release | 1.0.0  | 1.1.  |
