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
      | --classes lumen-wall     | the same folder   | another seed, format or parameters      |
      | --photons 8              | a folder of files | holds something that is no synthetic set |
      | --axes yx --projection   | a new folder      | --projection is for volumes             |
      | --colour                 | a new folder      | colour is for pictures                  |

  @REQ-101
  Scenario: A synthetic set is ingested like any other
    Given a synthetic set of 1 case as ome-tiff
    When the set is ingested as files
    Then the case has the spacing and the foreground that the manifest states

  @REQ-326
  Scenario Outline: A set of two classes has their names and values
    Given a synthetic set of 1 case with <arguments>
    Then the manifest names the classes 1 <first> and 2 <second> with a share of the voxels each
    And the ingested case has the classes 1 <first> and 2 <second> and every voxel that the generator made
    And each node of the network has the value of its tree

    Examples:
      | arguments                                     | first  | second |
      | --classes artery-vein                         | artery | vein   |
      | --classes lumen-wall --format nifti           | lumen  | wall   |
      | --classes artery-vein --axes yx --colour      | artery | vein   |

  @REQ-326
  Scenario: A shadow of two classes shows the artery where a vein is behind or before it
    Given a synthetic set of 1 case with --classes artery-vein --projection
    Then the mask is artery wherever the volume has an artery, and vein wherever it has only veins

  @REQ-326
  Scenario: The cases of a project have the classes that the generator makes
    Given a project with 3 synthetic subjects of artery and vein
    When its data are ingested
    Then every case has the classes 1 artery and 2 vein, three axes and a spacing of 2 × 1 × 1 µm
    And the data card names what the masks are

  @REQ-326
  Scenario: Classes that the generator does not make are refused
    Given a project with 3 synthetic subjects of artery and vein
    When it declares the class 1 vessel only
    Then it is refused because "the masks of the generator have the values 1 and 2"

  @REQ-327
  Scenario Outline: A picture has two axes and a spacing
    Given a synthetic set of 1 case with <arguments>
    Then the image and the mask have a spacing of 8 × 8 µm when <reader> reads them
    And the ingested case has axes <axes> and every voxel that the generator made

    Examples:
      | arguments                            | reader   | axes |
      | --axes yx                            | tifffile | yx   |
      | --axes yx --format nifti             | nibabel  | yx   |
      | --axes yx --colour                   | tifffile | yxc  |
      | --axes yx --colour --format nifti    | nibabel  | yxc  |

  @REQ-327
  Scenario: The cases of a project are colour pictures
    Given a project with 3 synthetic subjects as colour pictures
    When its data are ingested
    Then every case has axes yxc, a spacing of 8 × 8 µm and the modality "colour fundus photography"
