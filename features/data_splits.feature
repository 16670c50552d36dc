Feature: Splits without leaks
  Cases that belong together stay in one part: cases of one subject, acquisition or origin, and images that show the
  same structure. A split is previewed, then locked.

  @REQ-085
  Scenario Outline: A changed copy is found
    Given 8 different images of one kind
    When a copy of one of them is <changed>
    Then exactly this pair is reported, as <kind>

    Examples:
      | changed                            | kind        |
      | shifted by a tenth of the width    | shifted     |
      | cropped to 80 % at a corner        | cropped     |
      | cropped to 80 % and enlarged       | cropped     |
      | compressed as JPEG of quality 50   | re-encoded  |
      | brightened                         | brightened  |
      | changed in gamma                   | brightened  |
      | lightly noised                     | re-encoded  |
      | turned by 90°                      | turned      |
      | mirrored                           | turned      |

  @REQ-086 @RC-02
  Scenario: Near duplicates stay together in a drawn split
    Given a project in which an image of one subject is a cropped copy of another subject's
    When the split is drawn
    Then both cases are in one part
    And the split names the pair

  @REQ-086 @RC-02
  Scenario: A leak is reported with both pictures
    Given a project in which an image of one subject is a cropped copy of another subject's
    When the plan names the two subjects for different parts
    Then the split is refused and both cases are named
    And the page of leaks shows both pictures

  @REQ-088 @REQ-086
  Scenario: A published split that leaks is refused with every pair
    Given a project in which an image of one subject is a cropped copy of another subject's
    When a published split puts the copies and two cases of one subject apart
    Then the split is refused and both pairs are named

  @REQ-089
  Scenario: A locked split cannot be redone
    Given a project whose split is locked
    When the split is made again by the same plan
    Then it is the same split
    When the plan gets another seed and the split is made again
    Then it is refused because "locked"
    And the refusal is an entry of the log

  @REQ-089
  Scenario: Only the locked split is sealed
    Given a project whose split is locked
    When a case is moved to another part by hand and the data are sealed
    Then it is refused because "data/split.json is not the file that entry"

  @REQ-089 @REQ-087
  Scenario: A preview shows the parts and locks nothing
    Given a project in which an image of one subject is a cropped copy of another subject's
    When `data split --preview` is run
    Then a table says how many subjects and cases every part and fold holds
    And the log has no entry of a split

  @REQ-086
  Scenario: The leakage guard works after the test part was sealed
    Given a project whose split is locked and whose test part is sealed
    When the guard is run
    Then it finds no leak, and the copies that stay together
    And its page shows no picture of a sealed case
