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
  Scenario Outline: The error for bad input has one line and a hint
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
  Scenario: A pack that is not a zip file
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

  @REQ-044 @slow
  Scenario: The demo replaces an earlier demo, whole or interrupted
    Given the folder of an interrupted demo
    When the demo prepares that folder
    Then the folder is a fresh project

  @REQ-044
  Scenario: The demo does not change a folder of another program
    Given a folder with other files
    When the demo prepares that folder
    Then it is refused and the notes are untouched

  @REQ-205
  Scenario: Each summary in the help fits into 80 columns
    When the help of every group of commands is written at 80 columns
    Then each command is in it once, with its whole summary on one line
    And the commands stand in the order of their headings

  @REQ-205
  Scenario: A group without a command shows its help
    When "audit" is run
    Then it ends with exit code 2 and its help on stderr

  @REQ-205
  Scenario Outline: The error for a mistyped command names similar ones
    Given a project with a log
    When "<command>" is run
    Then it ends with exit code 2, one error line that names "<word>", and a hint
    And the hint names "<near>"

    Examples:
      | command               | word    | near      |
      | adit log              | adit    | `audit`   |
      | audit lgo             | lgo     | `log`     |
      | identity roots shwo   | shwo    | `show`    |
      | audit log --jsno      | --jsno  | `--json`  |
      | --projct . audit log  | --projct | `--project` |

  @REQ-205
  Scenario Outline: Shells complete commands
    When "completion <shell>" is run
    Then it prints a script that asks minivess for what can follow in <shell>
    And what can follow "aud" is "audit"

    Examples:
      | shell |
      | bash  |
      | zsh   |
      | fish  |

  @REQ-206
  Scenario: Every result is available as JSON
    Then each command takes --json, or is one of those that print no result of their own

  @REQ-206
  Scenario Outline: JSON is written when it is asked for, and not otherwise
    Given a project with a log
    When "<command>" is run
    Then its output is not JSON
    When "<command> --json" is run
    Then its output is JSON

    Examples:
      | command         |
      | audit log       |
      | audit show 0    |
      | audit verify    |
      | audit seen      |
      | identity list   |
      | trace schemas OUT |

  @REQ-206
  Scenario: New keys are shown as text, and as JSON when that is asked for
    Given a project with a log
    When "identity create eva --name Eva --role developer" is run with its passphrases
    Then its output is not JSON
    When "identity create eve --name Eve --role developer --json" is run with its passphrases
    Then its output is JSON

  @REQ-207
  Scenario: A quiet command writes only its result, a verbose command writes more
    Given a project with a log
    When "-q data ingest --as ada" is run with its passphrases
    Then nothing went to stderr and the result is there
    When "audit verify -v" is run
    Then more went to stderr than without -v

  @REQ-207 @slow
  Scenario: A closed pipe is not an error
    Given a project with a log
    When "audit verify" is run and its output is closed at once
    Then it ends with exit code 0 and no message
    When "audit verify" is run on a changed log and its output is closed at once
    Then it ends with exit code 1 and no message

  @REQ-208
  Scenario: An error with several reasons
    Given a project folder with two unknown fields
    When "data ingest" is run
    Then it ends with exit code 2, an error line for each of the two fields, and a hint for each

  @REQ-208
  Scenario: The exit codes are documented
    When "--help" is run
    Then the exit codes 0, 1, 2 and 3 are explained there and in docs/reference/commands.md

  @REQ-209
  Scenario Outline: Commands that only read the log load no database library
    Given a project with a log
    When "<command>" is run in a fresh interpreter
    Then none of SQLAlchemy, SQLModel, Alembic, Dynaconf and the records of the project file is loaded

    Examples:
      | command         |
      | audit log       |
      | audit show 0    |
      | identity list   |

  @REQ-316
  Scenario Outline: The log is read although the project file is malformed
    Given a project with a log
    And its project file is no YAML
    When "<command>" is run
    Then it ends with exit code 0

    Examples:
      | command              |
      | audit log            |
      | audit show 0         |
      | audit verify --quick |
      | identity list        |

  @REQ-209 @RC-42
  Scenario: Commands without a database library verify what they read
    Given a project with a log
    And an entry of its log is changed
    When "identity list" is run
    Then it ends with exit code 1 and an error line that names "entry 0"
