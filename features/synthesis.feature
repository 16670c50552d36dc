Feature: Synthetic data
  A tool makes volumes, masks and networks with known truth from a seed and documented parameters. The result is the
  same on every machine.

  @REQ-100
  Scenario: The same seed and parameters give the same data
    Given a synthetic set of 2 cases with tortuous, narrowed and leaking vessels and a moving animal
    When it is made again in another folder
    Then both manifests and all files are equal
    And the digests of the arrays are those that this version of the generator gives everywhere

  @REQ-101
  Scenario Outline: A synthetic case is images and a network that others read
    Given a synthetic set of 1 case as <format>
    Then the image and the mask have the spacing of the parameters when <reader> reads them
    And the network in SWC has its loops in comments and its radii in micrometres
    And the network in JSON has the same points and joins the loops

    Examples:
      | format   | reader   |
      | ome-tiff | tifffile |
      | nifti    | nibabel  |

  @REQ-101
  Scenario: The truth contains stenoses and leaks
    Given a synthetic set of 2 cases with tortuous, narrowed and leaking vessels and a moving animal
    Then each case states where its stenoses and leaks are and how bad
    And each case has a mask of the leaked dye that does not touch the mask of the vessels

  @REQ-101
  Scenario: A projection is a flat image with a flat mask
    Given a synthetic set of 1 case as projection
    Then image and mask have two axes and the mask is the shadow of the volume's mask

  @REQ-101
  Scenario: An interrupted run continues where it stopped
    Given a synthetic set of 2 cases with tortuous, narrowed and leaking vessels and a moving animal
    And the mask of the second case is lost
    When it is made again in the same folder
    Then only the second case was made again
    And its files are what they were

  @REQ-101
  Scenario Outline: Impossible parameters are refused with a hint
    Given a synthetic set of 1 case as ome-tiff
    When the command is given <arguments> for <folder>
    Then it is refused with code 2 because "<words>"

    Examples:
      | arguments                | folder            | words                                   |
      | --stenosis-degree 1.5    | a new folder      | stenosis_degree                         |
      | --shape 4096 4096 4096   | a new folder      | at most 64 Mi voxels                    |
      | --photons 8              | the same folder   | another seed, format or parameters      |
      | --photons 8              | a folder of files | holds something that is no synthetic set |

  @REQ-101
  Scenario: A synthetic set is ingested like any other
    Given a synthetic set of 1 case as ome-tiff
    When the set is ingested as files
    Then the case has the spacing and the foreground that the manifest states
