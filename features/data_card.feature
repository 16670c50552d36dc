Feature: Data card
  The data card is one page and one file for programs. It states what the records contain, what the project's makers
  stated, and what is not stated. It does not show the test part.

  @REQ-102
  Scenario: Missing statements are shown as not stated
    Given a project with validated and split cases without any statements
    When the data card is written
    Then the page gives the cases, subjects, spacing, parts, classes and findings
    And the page calls the demographics, the ethics and the annotators not stated
    And an entry names the page and the Croissant file

  @REQ-102
  Scenario: The card contains the statements of the project
    Given a project with validated and split cases with all statements
    When the data card is written
    Then the page and the Croissant file say what they stated
    And nothing is called missing

  @REQ-102
  Scenario: The same records give the same card
    Given a project with validated and split cases with all statements
    When the data card is written
    And the data card is written again
    Then both cards are equal, byte for byte

  @REQ-102
  Scenario: There is no card before there is a split
    Given a project whose cases were only ingested and validated
    When the data card is written
    Then it is refused and the hint names "minivess data split"

  @REQ-103
  Scenario: Nothing measured on the test part is shown
    Given a project with validated and split cases without any statements
    When the data card is written
    Then pictures are shown of other cases and of no test case
    And neither file holds the digests or the foreground of a test case
    And no finding about a test case or the whole set is shown, only how many there are

  @REQ-103
  Scenario: The encrypted files of a sealed test part are listed
    Given a project whose test part is sealed
    When the data card is written
    Then the Croissant file names the encrypted files of the test cases with their digests
    And the page says that the test part is sealed and was never opened

  @REQ-104
  Scenario: Other tools accept the Croissant file
    Given a project with validated and split cases with all statements
    When the data card is written
    Then mlcroissant reads it as version 1.1 without errors or warnings
    And it gives the splits and the cases as records
    And the digests it names are those of the files on the disk

  @REQ-104
  Scenario: A card with missing statements is valid Croissant
    Given a project with validated and split cases without any statements
    When the data card is written
    Then mlcroissant reads it as version 1.1 without errors
    And its terms of responsible AI say not stated

  @REQ-104 @slow
  Scenario: The pack holds the card as Croissant
    Given a release whose results are in the log
    When its pack is built
    Then it holds the data card as a page and as Croissant, without pictures
