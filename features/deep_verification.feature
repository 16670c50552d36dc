Feature: The derived files of a pack are made again
  Where the source tree is at hand, pages, tables and attested checks of a pack are made again and compared. The outcome
  is one line beside the verdict.

  Background:
    Given a release that was built from a commit

  @REQ-224
  Scenario: Every derived file is the same
    When the command "release verify --deep" judges its pack
    Then the line of the comparison says that all derived files are the same, and that no gap is open

  @REQ-224 @REQ-507 @slow
  Scenario: Documents in other formats are made again where the extra is installed
    Given the release was built with documents in PDF
    When the command "release verify --deep" judges its pack
    Then the line of the comparison says that all derived files are the same, and that no gap is open
    When the extra "documents" is not installed
    And the command "release verify --deep" judges its pack
    Then the line of the comparison says how many documents were not made again

  @REQ-224
  Scenario: A page that does not follow from the source tree is named
    Given the release was built by a program that writes another page of third-party software
    When the command "release verify --deep" judges its pack
    Then the line of the comparison names "data/documents/soup.html"
    And the verdict is the same as without the comparison

  @REQ-224
  Scenario Outline: What cannot be compared is stated
    Given <fault>
    When the command "release verify --deep" judges its pack
    Then the line of the comparison is "<words>"
    And the verdict is the same as without the comparison

    Examples:
      | fault                                             | words                                                       |
      | the source folder is another repository           | the repository of the source folder does not have commit    |
      | the source folder is in no repository             | the source folder is in no git repository                   |
      | the project file was changed after the release    | the project file is not the one that the release was        |
      | a page was changed in the pack                    | the check bag failed                                        |
