Feature: An evaluation counts cases in several processes
  Cases are independent. Processes share them, and the record does not depend on their number.

  @REQ-385 @slow
  Scenario Outline: The record is the same with <number> processes
    Given five cases of <kind>
    When they are evaluated by one process, and by <number>
    Then both records have the same bytes, and both pictures the same cases

    Examples:
      | kind                          | number |
      | volumes of one class          | 2      |
      | colour pictures of two classes | 3      |

  @REQ-385
  Scenario: A process that is killed ends the evaluation
    Given a case that ends the process that counts it
    When five cases are evaluated by 2 processes
    Then the evaluation fails and names that case and the signal

  @REQ-386 @RC-156
  Scenario: A process with readable memory gets no case
    Given processes whose memory others can read
    When five cases are evaluated by 2 processes
    Then the evaluation fails because the memory is not private
