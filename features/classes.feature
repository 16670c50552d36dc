Feature: Classes of masks
  A class has a value, a name, and if stated a colour and a coded term. A mask that is not one class is recognised and
  named; nothing is merged.

  @REQ-306
  Scenario: Name, colour and coded term go from the project file to the cards
    Given a project file that states name, colour and coded term of the class 1
    When its case is ingested and the data card is made
    Then the record of the case and the card have the three
    And the Croissant file has them as a record of the class

  @REQ-306
  Scenario: A DICOM segmentation brings name, colour and coded term of each segment
    Given a DICOM segmentation with a coloured segment
    When its case is read
    Then the class has the name, the colour and the coded term of the segment

  @REQ-306
  Scenario: Two coded terms for one class are refused
    Given a DICOM segmentation with a coloured segment
    When its case is read with another coded term in the project file
    Then it is refused with both terms under the rule mask-term

  @REQ-306
  Scenario: A mask in colours is read by the colours of the classes
    Given a mask that is drawn in red and green
    When its case is read with the colours of both classes
    Then the mask has the values of both classes

  Scenario Outline: A mask that is not one class is named for what it is
    Given a mask with <contents>
    When its case is read
    Then it is refused with "<words>" under the rule <rule>

    @REQ-307
    Examples:
      | contents                                 | words                                          | rule            |
      | a value for each of 12 objects           | a value for each of 12 objects (instances)     | mask-instances  |
      | a value for each of 300 objects          | a value for each of 300 objects (instances)    | mask-instances  |
      | few large and many small values, sparse  | a value for each of 25 objects (instances)     | mask-instances  |
      | three classes in scattered pieces        | the mask holds 0, 1, 2, 3: several classes     | mask-undeclared |
      | a small class 128 beside a class 255     | the mask holds 0, 128, 255: several classes    | mask-undeclared |
      | a small class 3 beside a class 255       | the mask holds 0, 3, 255: several classes      | mask-undeclared |
      | red and green areas                      | drawn in 2 colours: 2 that no class            | mask-colours    |
      | two segments that overlap                | segments overlap                               | mask-overlap    |

  @REQ-307
  Scenario: A mask whose edges became grey is still one class
    Given a mask with smooth edges
    When its case is read
    Then the mask has one class
