Feature: Risk management
  Levels and verdicts are computed from the matrix of the plan. A typed verdict is compared with the computed one.

  Background:
    Given a plan with two severities, two probabilities and one unacceptable corner

  @REQ-034
  Scenario Outline: The level follows from the matrix
    Given a risk of severity <severity>, P1 <p1> and P2 <p2> after control
    When the risk file is read
    Then its residual level is <level> and it is <verdict>

    Examples:
      | severity | p1 | p2 | level | verdict      |
      | 1        | 2  | 2  | low   | acceptable   |
      | 2        | 1  | 2  | low   | acceptable   |
      | 2        | 2  | 2  | high  | unacceptable |

  @REQ-034
  Scenario: A probability on the border of two steps falls where the plan says
    Given the plan's steps end at 0.01, 0.1 and 1, and the upper limit belongs to the step
    Then 0.1 times 0.1 is in step 1
    But if the lower limit belongs to the step, it is in step 2

  @REQ-261 @RC-11
  Scenario Outline: Certain times a step is that step under each convention
    Given the plan's steps end at 0.01, 0.1 and 1, and the <limit> limit belongs to the step
    Then certain times each step is that step
    And no product is above one of its factors

    Examples:
      | limit |
      | upper |
      | lower |

  @REQ-034 @RC-11
  Scenario: A typed verdict that differs from the matrix is refused
    Given a risk of severity 2, P1 2 and P2 2 after control
    And the risk has the typed verdict "acceptable"
    When the risk file is read
    Then it is refused at "risk/risks.yaml:2" because the matrix gives unacceptable

  @REQ-034 @RC-11
  Scenario: A risk that stays unacceptable is reported
    Given a risk of severity 2, P1 2 and P2 2 after control
    When the risk file is read
    Then the gap "unacceptable-risk" is reported at "risk/risks.yaml:2"

  @REQ-111 @RC-34
  Scenario Outline: Users are informed of each residual risk from the level of the plan
    Given a source tree whose plan requires information for users from <level>
    And the instructions for use say "<said>"
    When the trace check runs
    Then the gap "untold-risk" of "RISK-01" is <outcome>

    Examples:
      | level | said                         | outcome  |
      | low   | It adds.                     | reported |
      | low   | It may add wrongly (RISK-01) | absent   |
      | high  | It adds.                     | absent   |

  @REQ-111
  Scenario: A control without a statement on new risks is reported
    Given a source tree whose risk control does not say which risks it brings
    When the trace check runs
    Then the gap "unexamined-control" of "RC-01" is reported

  @REQ-111
  Scenario: The overall residual risk is computed from the single risks
    Given a risk of severity 2, P1 1 and P2 2 after control
    When the risk file is read
    Then before control 1 risk is high, and after it 1 is low and none is high

  @REQ-265 @RC-11
  Scenario Outline: A lower estimate without a basis is reported
    Given a risk whose <factor> falls from <before> to <after> with "<basis>"
    When the risk file is read
    Then the gap "unfounded-estimate" of the risk is <outcome>

    Examples:
      | factor   | before | after | basis                                       | outcome  |
      | severity | 3      | 2     | nothing                                     | reported |
      | p2       | 3      | 2     | nothing                                     | reported |
      | p1       | 3      | 1     | nothing                                     | reported |
      | p1       | 3      | 2     | nothing                                     | absent   |
      | p1       | 3      | 1     | data                                        | absent   |
      | p2       | 3      | 2     | literature                                  | absent   |
      | severity | 3      | 2     | expert, name: Ada Byron, date: "2026-11-29" | absent   |

  @REQ-266 @RC-11
  Scenario Outline: A residual risk above the lowest level states that it is reduced as far as possible
    Given a residual risk at the level <level> with "<statement>"
    When the risk file is read
    Then the gap "unfounded-estimate" of the risk is <outcome>

    Examples:
      | level  | statement            | outcome  |
      | low    | nothing              | absent   |
      | medium | nothing              | reported |
      | medium | Nothing else helps.  | absent   |

  @REQ-034
  Scenario: A lower severity requires a reason
    Given a risk of severity 1, P1 1 and P2 2 after control
    When the risk file is read
    Then the gap "missing-link" is reported at "risk/risks.yaml:2"
