Feature: The command line is quick, clear and cleans up after errors

  @REQ-042
  Scenario Outline: Help and verification load no heavy library
    When "<command>" is run in a fresh interpreter
    Then none of torch, monai, mlflow and SQLAlchemy is loaded

    Examples:
      | command                     |
      | --help                      |
      | release verify no-such.zip  |

  @REQ-043 @RC-10
  Scenario Outline: Bad input gets one line and a hint
    Given a project folder with <fault>
    When "<command>" is run
    Then it ends with exit code <code>, one error line that names "<name>", and a hint
    And nothing was written

    Examples:
      | fault                        | command             | code | name          |
      | a project file that is no YAML | data ingest       | 2    | minivess.yaml |
      | an unknown field             | data ingest         | 2    | minivess.yaml:  |
      | no project file              | data ingest         | 2    | minivess.yaml |

  @REQ-043 @RC-13
  Scenario: A pack that is no zip
    Given a file "pack.zip" that is no zip
    When "release verify pack.zip" is run
    Then it ends with exit code 2, one error line that names "pack.zip", and a hint

  @REQ-043 @RC-07
  Scenario: A wrong passphrase
    Given a project with a log
    When "data ingest --as ada" is run with a wrong passphrase of the log
    Then it ends with exit code 1, one error line that names "passphrase", and a hint

  @REQ-043 @RC-06 @slow
  Scenario: A full disk
    Given a project with a log
    When "data ingest --as ada" is run on a disk that takes no volume
    Then it ends with exit code 1, one error line that names "cannot write", and a hint
    And no case is half-written, and the log says that the action failed

  @REQ-045
  Scenario: Results and progress do not mix
    Given a project with a log
    When "data ingest --as ada" is run with its passphrases
    Then progress went to stderr and the table alone to stdout

  @REQ-044
  Scenario: The demo replaces an earlier demo, whole or interrupted
    Given the folder of an interrupted demo
    When the demo prepares that folder
    Then the folder is a fresh project

  @REQ-044
  Scenario: The demo does not change a folder of another program
    Given a folder with other files
    When the demo prepares that folder
    Then it is refused and the notes are untouched
