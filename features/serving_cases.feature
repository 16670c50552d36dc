Feature: Answers for pictures and volumes of any channels and classes
  The service takes the images that its model was made for, and says which these are. The answer has the classes of the
  model.

  @REQ-348
  Scenario Outline: An image of any kind is answered with the classes of the model
    Given a service whose model takes <images>
    When one of them is sent with <spacing>
    Then the mask has the grid of the image and the values <values>
    And each class has its share of the mask and a conformal mask that contains it
    And the entry in the log has the digest of each mask and the share of each class

    Examples:
      | images                   | spacing                    | values     |
      | grey pictures            | the spacing 2 x 2 µm       | 0, 1       |
      | colour pictures          | no spacing                 | 0, 3       |
      | volumes with two classes | the spacing 2 x .8 x .8 mm | 0, 1 and 4 |

  Scenario Outline: What the model does not take is refused with what it takes
    Given a service whose model takes <images>
    When <what> is sent
    Then the request is refused as <kind>, naming "<named>"

    @REQ-348 @REQ-349 @RC-144
    Examples:
      | images          | what                            | kind      | named                                                                        |
      | colour pictures | a picture without blue          | malformed | the array has 2 channels; the model takes (y, x, channel) with 3 channels    |
      | colour pictures | a grey picture                  | malformed | the array has 2 axes; the model takes (y, x, channel) with 3 channels        |
      | colour pictures | a grey picture saved as colour  | outside   | channel 2 is like another channel                                            |
      | colour pictures | a picture whose green is empty  | outside   | channel 2: the image has no contrast                                         |
      | colour pictures | a picture with channels first   | malformed | the array has 40 channels                                                    |

    @REQ-348 @RC-12
    Examples:
      | images                   | what                          | kind      | named                                                   |
      | volumes with two classes | a volume with swapped axes    | outside   | size 40 voxels along z is outside 4 to 16               |
      | volumes with two classes | a volume in µm in place of mm | outside   | spacing 0.8 µm along x is outside 0.72 to 0.88 mm       |
      | colour pictures          | a picture with a spacing      | outside   | the model is for images without a physical size         |
      | grey pictures            | a picture without a spacing   | malformed | the form lacks `volume` or one `spacing`                |
      | grey pictures            | a volume                      | malformed | the array has 3 axes; the model takes (y, x)            |
      | grey pictures            | a picture with three spacings | malformed | `spacing` is not two lengths with their unit            |

  @REQ-348 @REQ-613
  Scenario Outline: The service states what its model takes and gives
    Given a service whose model takes <images>
    When its front page, model and interface are read
    Then each names <named>
    And each operation of the interface has an example of request and answer that its schema accepts
    And the example on the front page is answered when its file is one of them

    Examples:
      | images                   | named                                     |
      | grey pictures            | axes yx, 1 channel and vessel             |
      | colour pictures          | axes yx, 3 channels and polyp             |
      | volumes with two classes | axes zyx, 1 channel, artery and vein      |
