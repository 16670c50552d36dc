Feature: Splits without leaks
  Cases that belong together stay in one part: cases of one subject, acquisition, origin or frame of
  reference, and images that show the same structure. A split is previewed, then locked.

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

  @REQ-291 @RC-02
  Scenario: A pair that is stated to be no copies no longer blocks a published split
    Given a project in which an image of one subject is a cropped copy of another subject's
    When a published split puts the copies and two cases of one subject apart
    Then the split is refused and both pairs are named
    When the project states that the copies are none, and a published split puts only them apart
    Then the split is locked and contains the statement with its reason
    And the guard, its page, the entry and the validation show the statement
    And the data card shows the statement

  @REQ-291 @RC-02
  Scenario: A pair that the search does not find is stated
    Given a project in which an image of one subject is a cropped copy of another subject's
    When the project states that v4 and v5 show the same object, and names them for different parts
    Then it is refused because "are stated to show the same object: one eye, two devices"

  @REQ-292
  Scenario: One search serves validation, preview, split and guard
    Given a project in which an image of one subject is a cropped copy of another subject's
    When the cases are validated again, the split is previewed and drawn, and the guard is run
    Then no image was searched again, and the split names the pair

  @REQ-292
  Scenario: A kept search that was changed is not used
    Given a project in which an image of one subject is a cropped copy of another subject's
    When the pair is removed from the kept search and the split is drawn
    Then the images were searched again, and the split names the pair

  @REQ-293
  Scenario: Pictures with one round field are compared by what they show
    Given 10 pictures with the same round field, notch and border
    When each of two of them gets a copy, turned by 6° and by 13° and scaled by 8 %
    Then exactly these two pairs are reported, with the angles

  @REQ-293
  Scenario: A turned volume is found
    Given 6 different volumes
    When one of them gets a copy that is turned by 9° about the first axis
    Then exactly this pair is reported, with the angle

  @REQ-313 @RC-02
  Scenario: What belongs together cannot be changed after the seal by removing the sealed manifest
    Given a project whose split is locked and whose test part is sealed
    When the sealed manifest is removed, the source files are put back, a subject is renamed, and the cases are ingested
    Then the split is refused because "the test part is sealed: the split is final (sealed at entry"

  @REQ-310
  Scenario: What is in one place in every picture is not compared, unless the pictures are copies
    Given 40 pictures with one disc and 40 copies of one picture
    When what each set has in common is left out
    Then the place of the disc is empty, the rest is as before, and the copies are as before

  @REQ-310
  Scenario: Pictures that fit in one place only are not reported
    Given two pictures with few details that are the same in three fifths
    When they are laid on each other
    Then the fit has no evidence, and that of a copy of the whole has

  @REQ-312
  Scenario: A search in several processes finds what a search in one finds
    Given 4 pictures with the same round field, notch and border
    When each of two of them gets a copy, and the search uses processes
    Then the pairs are those of a search in one process

  @REQ-294
  Scenario: A short list contains the copies
    Given 20 different images, and a turned and a cropped copy of each
    When each image is compared with a short list of 6 of the 60
    Then at least 95 % of the copies are candidates, and at most a third of all pairs

  @REQ-279 @REQ-278
  Scenario: A set in which every case is its own subject is reported until the subjects are stated
    Given a project of six pictures of the eyes of three children, paired by name
    When the pictures are ingested and the split is previewed
    Then both commands warn that every case is its own subject
    When the project states that the number in the name is the subject
    And the pictures are ingested and the split is previewed
    Then neither command warns, and both eyes of each child are in one part
