Feature: Messages
  A person gets the file, what was found, what was expected and what to do, in the words of this software.

  @REQ-308
  Scenario: Each refused input gives a message that says where and what to do
    Given the messages about every small input with a fault
    Then every fault has a message
    And each message is one printable line with something to do
    And each message about a file begins with the file or the case

  Scenario Outline: No message has what only a program needs
    Given the messages about every small input with a fault
    Then none of them has <what>

    @REQ-308
    Examples:
      | what                  |
      | an address in memory  |
      | None or nan           |
      | a value of Python     |
      | a call                |
      | an exception          |
      | the name of a library |
      | words of a library    |

  Scenario Outline: A wrong field is named with what was found and what was expected
    Given a project file with <change>
    When it is read
    Then the only reason is "<message>"

    @REQ-308
    Examples:
      | change                                     | message                                                                        |
      | filters: 1 for filters: 8                  | minivess.yaml:14: `model.filters`: must be at least 2, not “1”                 |
      | calibration: one for calibration: 1        | minivess.yaml:13: `split.calibration`: must be a list or a whole number, not “one” |
      | measure: dise for measure: dice            | minivess.yaml:21: `evaluation.criteria.0.measure`: must be 'dice', 'cldice', 'nsd', 'hd95', 'iou', 'sensitivity', 'specificity', 'ppv', 'volume_error', 'hd', 'assd', 'masd', 'boundary_iou', 'skeleton_precision', 'skeleton_recall', 'betti0_error', 'betti1_error', 'object_f1', 'branch_error', 'length_error', 'radius_error', 'dice_over_baseline', 'failures', 'brier', 'nll', 'ace', 'average_precision', 'border_brier', 'border_nll', 'border_ace' or 'border_average_precision', not “dise” |
      | name: [toy] for name: toy                  | minivess.yaml:9: `data.name`: must be text, in quotation marks where it looks like a number or a date |
