Feature: Documents that are made from one model
  A document has a title block, contents, numbered sections and a history. It states nothing that was typed into its template.

  Background:
    Given a release whose results are all in the log

  @REQ-500
  Scenario: Every document is a page that shows its model
    When its documents are made
    Then the page of each document shows every word of its model, in the same order
    And making them again gives the same bytes

  @REQ-500
  Scenario: A template with an element that only a browser can show is refused
    Given a template of its own for "soup" with "<p>All is well.</p><video>film</video>"
    When its documents are made
    Then it is refused because "<video> is no element of documents"

  @REQ-501 @RC-207
  Scenario Outline: A template that states a number or an act by itself is refused
    Given a template of its own for "soup" with "<text>"
    When its documents are made
    Then it is refused because "<reason>"

    Examples:
      | text                                            | reason                                               |
      | <p>The mean Dice is 0.91.</p>                   | states a number in its own words: '0.91.'            |
      | <p>Sensitivity is ninety per cent.</p>          | states a number in its own words: 'ninety'           |
      | <p>{{ "12 cases" }} are in it.</p>              | states a number in its own words: '12'               |
      | <p>{% set n = "12 cases" %}{{ n }}</p>          | states a number in its own words: '12'               |
      | <p>The list was reviewed by an expert.</p>      | states what a person did in its own words: 'was reviewed' |
      | <p>Risks have been fully accepted.</p>          | states what a person did in its own words: 'have been fully accepted' |

  @REQ-501 @RC-207
  Scenario: A number and an act enter by name
    Given a template of its own for "soup" with "<p>{{ fact('results.passed', 'result') }} passed. {{ act('data.seal') }}</p>"
    When its documents are made
    Then the page "soup" shows the number of passed results, and who sealed the test part at which entry

  @REQ-501 @RC-207
  Scenario: A fact that does not exist is refused
    Given a template of its own for "soup" with "<p>{{ fact('results.perfect') }}</p>"
    When its documents are made
    Then it is refused because "there is no fact 'results.perfect'"

  @REQ-502
  Scenario: The title block and the history come from the project file and the log
    Given the project file states the UDI-DI "04012345678901"
    When its documents are made
    Then each document names its id, the version, the UDI-DI and who reviews and approves it
    And a Basic UDI-DI, which the project file does not state, is shown as not stated
    And the history of each document ends with this release

  @REQ-502
  Scenario: An approval is in the title block and the history of what it approves
    Given an independent reviewer approved the requirements
    When its documents are made
    Then the document "requirements" names the reviewer with the entry of the approval
    And the history of the document "requirements" has the approval

  @REQ-504
  Scenario: A source tree brings its own template, style and logo
    Given a template of its own for "soup" with "<h2>Our own list</h2><p>{{ fact('soup.count', 'part') }}.</p>"
    And a style and a logo of its own
    When its documents are made
    Then the page "soup" shows the own template, style and logo
    And the other documents are made from the templates of this version

  @REQ-504
  Scenario: A source tree with the templates of this version replaces none
    When its documents are made
    And the source tree has the templates of this version
    And its documents are made again from that tree
    Then the pages are the same, and no template is replaced

  @REQ-504
  Scenario: The frame of pages is no template that can be replaced
    Given a file of its own named "base.html.j2" with "nothing"
    When its documents are made
    Then no document is made from it

  @REQ-505 @REQ-506 @slow
  Scenario Outline: Documents in another format state what their pages state
    When the pack is built with documents in <format>
    Then each document has a <format> file with every word of its model
    And it states its title, and each page its id and its number
    And building the pack again gives the same bytes

    Examples:
      | format |
      | DOCX   |
      | PDF    |

  @REQ-506
  Scenario: A PDF declares the standards that it meets
    When the pack is built with documents in PDF
    Then each PDF declares PDF/A-2a and PDF/UA-1, has tags, a language and a title, and is dated like the release

  @REQ-506 @slow
  Scenario: A character that no font has is shown by its code point
    Given the manufacturer is called "血管 Devices 🩺"
    When the pack is built with documents in PDF
    Then the PDF of "soup" shows "[U+8840][U+7BA1] Devices [U+1FA7A]"

  @REQ-507
  Scenario: A pack without other formats says so
    When the pack is built with documents in no other format
    Then the start page says that DOCX and PDF were not made
    And the pack has no file in them

  @REQ-507
  Scenario: An installation without the extra makes pages alone
    Given the extra "documents" is not installed
    Then no other format is available
    And documents in PDF are refused with the name of the extra

  @REQ-505 @REQ-504
  Scenario: A source tree brings its own reference for DOCX
    Given a reference of its own whose head says "QMS form 7"
    When its documents are made in DOCX
    Then the head of each DOCX says "QMS form 7"

  @REQ-503
  Scenario: Every document of the table of documents is made
    When its documents are made
    Then there is a document for each of "requirements, risk-management-report, cybersecurity, usability, change-plan, signature-sheet"
    And the table of documents names who owes each, where its text stands, and its approval

  @REQ-503
  Scenario: A text of the manufacturer is shown as it is, with its approval
    Given the manufacturer wrote "docs/plans/usability.md" with a table, a list, code and "<script>" in its words
    And a developer approved that text
    When its documents are made
    Then the document "usability" shows the words of the text and nothing of it as HTML
    And the document "usability" names who approved the text, and is effective from that day
    And the document "change-plan" says that there is no text

  @REQ-503 @RC-208
  Scenario: A missing chapter is named in its document and counted by the gate
    Given the manufacturer wrote "docs/plans/usability.md" without the chapter "Summative evaluation"
    When its documents are made
    Then the document "usability" says that the chapter "Summative evaluation" is missing, who owes it and where
    And the gate "documents" of a policy with it fails, and names the chapter

  @REQ-503 @RC-208
  Scenario: With every chapter the gate passes
    Given the manufacturer wrote every chapter of every document
    When its documents are made
    Then no document has a missing chapter
    And the gate "documents" of a policy with it passes

  @REQ-503
  Scenario: The architecture is drawn from the items and the imports of the code
    Given two software items, and code of one that imports the other
    When its documents are made
    Then the document "architecture" draws both items, and counts the imports
