Feature: Watching, trying out and tracking training
  A person sees how a training goes, here and from another terminal. A trial run shows in a minute whether training works.
  Trackers hear of each run.

  @REQ-359
  Scenario: The progress of a training is one line
    Given a training of 400 steps that validates the classes "artery" and "vein" at step 200
    When its progress is shown where lines are not drawn again
    Then a line has step, loss, validation Dice of each class, rate, time left, device and memory
    And a line was written for the validation, for the last step and at most every ten seconds

  @REQ-359
  Scenario: The line is drawn again on a terminal
    Given a training of 400 steps that validates the classes "artery" and "vein" at step 200
    When its progress is shown on a terminal of 60 columns
    Then each step is drawn over the one before, and no line is longer than the terminal

  @REQ-359
  Scenario: The file of events is bounded and has whole lines
    Given a training of 100,000 steps at 50 steps a second
    When its events are written to a file
    Then the file has at most one step a second, and each validation
    When the process is killed while it writes a line, and the run continues
    Then every line of the file is a whole event

  @REQ-360 @slow
  Scenario Outline: A training is followed from another terminal
    Given a project in which another process trains and has made 7 steps
    And a person follows it without a key
    When the training <happens>
    Then the follower sees the steps and that it <ended> with exit code <code>

    Examples:
      | happens     | ended            | code |
      | ends        | has ended        | 0    |
      | fails       | failed           | 1    |
      | is killed   | was killed       | 1    |

  @REQ-360
  Scenario: There is nothing to follow
    Given a project without a training
    When "minivess train --watch" is run
    Then it reports that no training has begun, with exit code 2

  @REQ-360
  Scenario: A second training of the same project is refused
    Given a project in which another process trains and has made 7 steps
    When a training of the project begins
    Then it is refused, and it names the way to follow the other one

  @REQ-361 @RC-149
  Scenario: A trial run is no member of an ensemble
    Given a sealed project with the record of a trial run
    When its files are copied to the place of a member
    Then the members cannot be combined
    When an entry of a training names these files
    Then the members cannot be combined, because one is a trial run

  @REQ-361 @RC-149
  Scenario: Both verifiers refuse a release with a trial run
    Given a release in which the record of a member is marked as a trial run
    Then both verifiers refuse it and name the record

  @REQ-361
  Scenario: A trial run needs no log
    Given a sealed project without its log and its keys
    When a trial run looks for its cases
    Then they are the cases of the split
    When its manifest is changed
    Then the trial run refuses it

  @REQ-361
  Scenario: A new project has a workflow that tries the training out
    When "minivess init device" is run
    Then its workflow of continuous integration runs "minivess train --smoke"

  @REQ-361 @slow
  Scenario: A trial run needs no key and appends no entry
    Given a sealed project
    When "minivess train --smoke" is run without a passphrase
    Then weights, events and a marked record are in "models/smoke"
    And the log has no entry more, and no member was made

  @REQ-362
  Scenario: A training continues without a tracker that stops
    Given a tracker that fails after the second step, and one that does not
    When both hear a training of 5 steps
    Then the other one heard everything, and a warning names the reason once
    And the tracker that failed hears of the end

  @REQ-362
  Scenario: A training does not begin without its tracker
    Given a tracker that is out of reach, and one that is not
    When a training begins with both
    Then it is refused, and the other one hears that the training failed

  @REQ-362
  Scenario: The phases of a training are spans of OpenTelemetry
    Given a collector of spans
    When a training prepares, trains, validates, trains, saves and ends well
    Then the collector has a span of each phase, in order, below the span of the training
    And no span has the name of a case or a path

  @REQ-362
  Scenario: Without an endpoint no span is made
    Given an environment without an endpoint of OpenTelemetry
    When the exporter of spans is asked for
    Then there is none

  @REQ-363
  Scenario: The entry of a training with two parts states both parts
    Given a run of two parts, the second on a GPU with an operation that is not repeatable
    When it is recorded
    Then its entry states both parts, that it is not repeatable, and the validation Dice of each class
    And its lineage event states 2 parts, both devices and the same Dice
    And verify.py accepts the entry, and refuses it with a Dice above 1

  @REQ-363
  Scenario: The model card shows the spread over the seeds
    Given a release whose members have a validation Dice of 0.80 and 0.86
    When its documents are made
    Then the model card has the Dice of each member, and "0.830 on average over 2 members, from 0.800 to 0.860"
    And the spread is beside the Dice of the test set
