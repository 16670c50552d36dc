Feature: Versions of the data
  Raw data and prepared cases are under DVC, locally and in a remote. The log cites the digest of the data that were
  used. Fetched data are compared with it. The stages of dvc.yaml are minivess commands.

  @REQ-096 @REQ-016
  Scenario Outline: Data under DVC go to a remote and come back
    Given a sealed project with raw data under DVC and <place> as remote
    When the data are pushed, and pulled into a folder that has only what git and the log keep
    Then every file is there again, byte for byte
    And the log shows who added, pushed and pulled which digests
    And every entry after the sealing cites the DVC digest

    Examples:
      | place    |
      | a folder |

    @slow
    Examples:
      | place        |
      | an S3 bucket |

  @REQ-098
  Scenario: A version that the log does not cite is refused before any file is fetched
    Given a sealed project with raw data under DVC and a folder as remote
    When a user changes the raw data and versions and pushes them without an entry
    And the data are pulled into a folder that has only what git and the log keep
    Then it is refused, the file and both digests are named, and the refusal is in the log
    And no file was fetched

  @REQ-097 @RC-03
  Scenario: A plain file of the sealed test part enters neither cache nor remote
    Given a sealed project with raw data under DVC and a folder as remote
    When a copy of a sealed image is among the raw data under another name
    Then adding the raw data is refused, the copy is named, and neither cache nor remote holds it

  @REQ-099 @slow
  Scenario: The commands and the pipeline agree
    Given a project whose stages were run by our commands
    Then DVC finds none of its stages stale, and would run none

  @REQ-099
  Scenario Outline: A changed parameter makes only the stages stale that depend on it
    Given a project whose stages were run by our commands
    When <parameter> is changed in the project file
    Then the first stale stage is <first> and all later ones that need it

    Examples:
      | parameter        | first     |
      | the seed         | split     |
      | the steps        | train     |
      | the recall       | calibrate |
      | the tolerance    | evaluate  |
      | the version      | release   |
      | the remote       | none      |

  @REQ-099 @slow
  Scenario: Stages that need a person are not run automatically
    Given a project whose stages were run by our commands
    When DVC is asked to bring the release up to date
    Then it ends with the stage evaluate, which says who has to do what, and nothing was opened
