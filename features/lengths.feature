Feature: Lengths and their units
  A length is stated with its unit, and every distance of an evaluation is in one unit.

  @REQ-322
  Scenario Outline: A length is read with its unit
    Given a project file with <line>
    When the project file is read
    Then <field> is <length>

    Examples:
      | line                                     | field                      | length                 |
      | tolerance: 2 µm                          | evaluation.tolerance       | 2 µm                   |
      | tolerance: 2 μm                          | evaluation.tolerance       | 2 µm                   |
      | tolerance: 0.002mm                       | evaluation.tolerance       | 0.002 mm               |
      | tolerance: 2 px                          | evaluation.tolerance       | 2 px                   |
      | spacing: 5 x 0.994 × 0.994 um            | data.pairs.spacing         | 5 x 0.994 x 0.994 µm   |
      | spacing: 5 µm x 994e-6 mm x 0.994 µm     | data.pairs.spacing         | 5 µm x 0.000994 mm x 0.994 µm |
      | spacing: [0.5 mm, 0.5 mm]                | data.pairs.spacing         | 0.5 x 0.5 mm           |
      | psf_sigma_z: 0.005 mm                    | data.synthetic.psf_sigma_z | 0.005 mm               |

  @REQ-322 @RC-136
  Scenario Outline: A length without a known unit is refused with an example
    Given a project file with <line>
    When the project file is read
    Then it is refused with "<words>"

    Examples:
      | line                        | words                                                        |
      | tolerance: 2                | for example 2 µm                                             |
      | tolerance: "2"              | for example 2 µm                                             |
      | tolerance: 2 inches         | for example 2 µm                                             |
      | tolerance: 0 µm             | must be a number above 0 with its unit                       |
      | tolerance: -2 µm            | must be a number above 0 with its unit                       |
      | tolerance: 1e400 mm         | must be a number above 0 with its unit                       |
      | spacing: [5, 1, 1]          | for example 5 x 0.994 x 0.994 µm                             |
      | spacing: 5 x 1 x 1          | for example 5 x 0.994 x 0.994 µm                             |
      | spacing: 5 µm               | must be two or three lengths                                 |
      | spacing: 1 x 1 px           | state `data.unit: px` where no physical size is known        |
      | psf_sigma_z: 5 px           | must be in µm or mm                                          |

  @REQ-323
  Scenario Outline: Lengths are shown with their unit
    When <lengths> in <unit> are shown
    Then the text is "<text>"

    Examples:
      | lengths           | unit | text                  |
      | 2                 | um   | 2 µm                  |
      | 5, 0.994, 0.994   | um   | 5 × 0.994 × 0.994 µm  |
      | 99, 500, 500      | um   | 99 × 500 × 500 µm     |
      | 100, 500, 500     | um   | 0.1 × 0.5 × 0.5 mm    |
      | 0.5, 0.5, 2       | mm   | 0.5 × 0.5 × 2 mm      |
      | 2                 | px   | 2 px                  |

  @REQ-324 @RC-136
  Scenario Outline: Without a stated tolerance it follows from the cases
    Given cases with spacings of <spacings>
    When the plan of an evaluation without a tolerance is made
    Then its tolerance is <tolerance>

    Examples:
      | spacings                                            | tolerance |
      | 5 x 1 x 1 µm                                        | 2 µm      |
      | 5 x 1 x 1 µm, 2 x 0.9 x 0.9 µm, 0.3 x 4 x 4 µm      | 1.8 µm    |
      | 1 x 1 x 1 mm, 3 x 0.7 x 0.7 mm                      | 1.7 mm    |
      | 0.1 x 0.1 x 0.1 mm                                  | 0.2 mm    |
      | 99.9 x 100 x 100 µm                                 | 199.8 µm  |
      | pixels                                              | 2 px      |

  @REQ-324 @RC-136
  Scenario Outline: A tolerance that cannot follow is asked for
    Given cases with spacings of <spacings>
    When the plan of an evaluation without a tolerance is made
    Then it is refused with "<words>"

    Examples:
      | spacings               | words                                        |
      | nothing                | there are no cases yet                       |
      | 5 x 1 x 1 µm, pixels   | cases with and without a physical size       |

  @REQ-324 @RC-136
  Scenario: A criterion on a distance needs a stated tolerance
    Given a project file with measure: hd95, at_most: 5
    When the project file is read
    Then it is refused with "a criterion or margin limits hd95: state its unit by `tolerance`"

  @REQ-324 @RC-136
  Scenario: A gate on a distance needs a stated tolerance
    Given a project without a tolerance, and a release policy with a gate on hd95
    When the release policy is registered
    Then it is refused with "the gate far limits hd95, and `evaluation.tolerance` does not state a unit"

  @REQ-324 @RC-136
  Scenario Outline: A plan states the unit of its distances once
    Given a plan with <fields>
    When the plan is read
    Then it is refused with "<words>"

    Examples:
      | fields                                   | words                                     |
      | tolerance 2                              | a tolerance needs its unit                |
      | unit um                                  | a tolerance needs its unit                |
      | tolerance 2, unit um, tolerance_um 2     | a tolerance needs its unit                |
      | tolerance 2, unit mm, measure hd95_um    | hd95_um does not fit a tolerance in mm    |
      | tolerance_um 2, measure hd95             | hd95 does not fit a tolerance in µm       |

  @REQ-324
  Scenario Outline: Distances are in the unit of the tolerance
    Given a mask that is one voxel of <spacing> away from its reference
    When it is measured within <tolerance>
    Then its HD95 is <distance> and its NSD is <nsd>

    Examples:
      | spacing            | tolerance | distance | nsd |
      | 500 x 500 x 500 µm | 0.4 mm    | 0.5      | 0   |
      | 500 x 500 x 500 µm | 0.5 mm    | 0.5      | 1   |
      | 500 x 500 x 500 µm | 400 µm    | 500      | 0   |
      | 2 x 2 µm           | 2 µm      | 2        | 1   |
      | pixels             | 1 px      | 1        | 1   |

  @REQ-325
  Scenario Outline: A name of version 0.1.0 is read as the present name
    Given a project file with <line>
    When the project file is read
    Then <field> is <length>
    And the hint, shown once, is to write `<written>`

    Examples:
      | line                          | field                      | length               | written                       |
      | tolerance_um: 2.0             | evaluation.tolerance       | 2 µm                 | tolerance: 2 µm               |
      | spacing_um: [5.0, 0.994, 1]   | data.pairs.spacing         | 5 x 0.994 x 1 µm     | spacing: 5 x 0.994 x 1 µm     |
      | psf_sigma_z_um: 4             | data.synthetic.psf_sigma_z | 4 µm                 | psf_sigma_z: 4 µm             |
      | measure: hd95_um, at_most: 5  | evaluation.tolerance       | 2 µm                 | measure: hd95                 |

  @REQ-325 @RC-136
  Scenario Outline: A file that states a unit twice is refused
    Given a project file with <line>
    When the project file is read
    Then it is refused with "<words>"

    Examples:
      | line                                             | words                                          |
      | tolerance_um: 2.0, tolerance: 2 µm               | `tolerance_um` and `tolerance` are both stated |
      | spacing_um: [1, 1], spacing: 1 x 1 µm            | `spacing_um` and `spacing` are both stated     |
      | tolerance: 1 mm, measure: hd95_um, at_most: 5    | `hd95_um` is in µm, and the tolerance is 1 mm  |
      | tolerance_um: two                                | not “two”                                      |
