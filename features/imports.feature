Feature: Imports keep their meaning
  An item from another tool means the same here, or the import says what changed.

  Background:
    Given a source tree

  @REQ-255 @RC-114
  Scenario Outline: Rich text is written in plain text with the same meaning
    Given a ReqIF file with the text "<rich>"
    When it is imported
    Then its statement is "<plain>"
    And a remark names "<mark>" and has the original mark-up

    Examples:
      | rich                                      | plain                          | mark             |
      | below 10<sup>-6</sup> per volume          | below 10⁻⁶ per volume          | superscripts     |
      | shall <del>not</del> stop                 | shall [struck out: not] stop   | struck-out words |
      | see <a href="http://x.org/a">the spec</a> | see the spec (http://x.org/a)  | links            |

  @REQ-255 @RC-114
  Scenario: A struck-out cell of a workbook says so
    Given a workbook with a requirement that is struck out
    When it is imported
    Then its statement is "[struck out: The pump shall stop.]"

  @REQ-256 @RC-115
  Scenario: Hazards without a stated kind are not taken for requirements
    Given a table of hazards with the ids H-1 and H-2 and no column for their kind
    When it is imported
    Then it is refused with exit status 2
    And the error names "2 whose ids begin with H (H-1, H-2)" and the option "--kind"
    And nothing is written
    When it is imported with "--kind HAZ"
    Then the items are "HAZ-001, HAZ-002"

  @REQ-257 @RC-117
  Scenario: Two hazards lead to situations with the same words
    Given an FMEA of two hazards with the same situation and the same control
    When it is imported
    Then each risk has one hazard and a control of its own

  @REQ-258 @RC-116
  Scenario: A file is imported again after a change
    Given a table of three needs that was imported
    When one is changed, one is removed and one is added, and it is imported again
    Then the change is shown with its old and new value
    And the removed and the added need are shown with their ids of the other tool
    And only the added need is written

  @REQ-259
  Scenario Outline: A file that gives nothing fails
    Given a file "<name>" that contains "<content>"
    When it is imported
    Then it is refused with exit status <status>
    And the error names "<reason>" and the option ""

    Examples:
      | name      | content                  | status | reason           |
      | notes.txt | Minutes, first page      | 2      | format:          |
      | list.csv  | ID,Text                  | 1      | gave no item     |
      | prose.csv | Dear all, see you, Anna  | 1      | gave no item     |

  @REQ-259
  Scenario: A value that is not taken is whole in the JSON
    Given a table with a value of 5,000 characters in a column that has no field
    When it is imported
    Then the JSON has all 5,000 characters

  @REQ-260
  Scenario Outline: Awkward texts come through a table
    Given a table with the text "<text>"
    When it is imported
    Then its statement is "<text>"

    Examples:
      | text        |
      | 0012        |
      | 1.10        |
      | 2025-03-04  |
      | NO          |
      | =1+1        |
      | µm or μm    |
      | 5 °C ≥ 4 °C |
