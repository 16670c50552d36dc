Feature: Reference pages
  The reference pages are generated from the program: commands and options from the command line, fields from the records.

  @REQ-210
  Scenario: The published reference pages are up to date
    When the reference pages are generated
    Then docs/reference contains the same pages

  @REQ-210
  Scenario: A command without a row in the table is named
    Given a command that commands.csv does not list
    When the page of commands is generated
    Then it is refused and names "audit paint"

  @REQ-210
  Scenario: An option without a help text is named
    Given an option of "audit log" without a help text
    When the page of commands is generated
    Then it is refused and names "audit log --colour"

  @REQ-210
  Scenario: A field without a description is named
    Given a field "device" of the project file without a description
    When the pages of files are generated
    Then it is refused and names "The project file.device"
