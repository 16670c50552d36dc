Feature: Devices, processes and failures of training
  Training names its device, gives the same network in several processes as in one, and ends with a sentence that helps.

  @REQ-364
  Scenario Outline: The device of a training is chosen and said
    Given a machine with <gpus> GPUs
    When "--device <stated> --devices <processes>" is asked for
    Then training says "<sentence>"

    Examples:
      | gpus | stated | processes | sentence                                                                                       |
      | 0    | auto   | 1         | Training on the CPU with 4 threads.                                                            |
      | 0    | cpu    | 2         | Training on the CPU in 2 processes with 2 threads each.                                        |
      | 1    | auto   | 1         | Training on cuda:0 (NVIDIA H200).                                                              |
      | 1    | cpu    | 1         | Training on the CPU with 4 threads.                                                            |
      | 3    | cuda   | 1         | Training on cuda:0 (NVIDIA H200). 2 other GPUs not used; --devices 3 uses all.                 |
      | 3    | cuda:2 | 1         | Training on cuda:2 (NVIDIA H200).                                                              |
      | 2    | auto   | 2         | Training on cuda:0 (NVIDIA H200), cuda:1 (NVIDIA H200).                                        |

  @REQ-364
  Scenario Outline: A device that is not there is refused with a hint
    Given a machine with <gpus> GPUs
    When "--device <stated> --devices <processes>" is asked for
    Then it is refused with "<message>" and the hint "<hint>"

    Examples:
      | gpus | stated | processes | message                                            | hint                                  |
      | 0    | cuda   | 1         | this PyTorch was built without support of GPUs     | install one with it                   |
      | 0    | mps    | 1         | PyTorch finds no GPU of Apple                      | use --device cpu                      |
      | 2    | cuda:2 | 1         | there is no GPU cuda:2                             | there is cuda:0 (NVIDIA H200), cuda:1 |
      | 2    | cuda   | 3         | --devices 3 asks for 3 GPUs, and there are 2       | there is cuda:0 (NVIDIA H200)         |
      | 2    | cuda:1 | 2         | cuda:1 is one device, and --devices asks for 2     | CUDA_VISIBLE_DEVICES                  |
      | 1    | cude   | 1         | there is no device 'cude'                          | did you mean `cuda`?                  |
      | 1    | gpu    | 1         | there is no device 'gpu'                           | cpu                                   |
      | 1    | cpu    | 0         | --devices 0 is no number of devices                | state 1 or more                       |

  @REQ-364 @slow
  Scenario: "minivess train" refuses a device before it opens the log
    Given a project of which nothing was trained
    When "minivess train --device cuda:99 --devices 1" is run
    Then it ends with 2, names the GPU and a hint, and the log is as it was

  @REQ-364
  Scenario Outline: A precision that the device does not compute in is refused
    Given a machine with <gpus> GPUs, which compute in fp16 and not in bf16
    When <precision> is asked for on <device>
    Then it is refused with "<message>" and the hint "<hint>"

    Examples:
      | gpus | device | precision | message                                | hint |
      | 0    | cpu    | fp16      | training.precision: fp16 needs a GPU   | bf16 |
      | 1    | cuda   | bf16      | NVIDIA H200 does not compute in bf16   | fp16 |

  @REQ-365
  Scenario: The batches of a step are shared by the processes
    Given a step of 6 batches
    When 3 processes share it
    Then process 0 takes the batches 0 and 3, process 1 takes 1 and 4, process 2 takes 2 and 5
    When 4 processes with batches of 2 patches share it
    Then it is refused with "a step has 6 batches, and 4 processes cannot share them equally" and the hint "training.batch: 3 and training.accumulate: 4 make steps of the same 12 patches"

  @REQ-365 @slow
  Scenario: Two processes train the same network as one
    Given a training of 4 steps with 2 batches each, of a network with dropout
    When one process trains, and two processes train
    Then the weights and the losses of both differ by at most 0.00001

  @REQ-366 @slow
  Scenario Outline: What one of several processes does ends the training of all
    Given a training in 2 processes
    When one of them <trouble>
    Then training ends with "<message>", and no process is left

    Examples:
      | trouble    | message                                                                |
      | is killed  | process 2 of 2 that train together was killed (SIGKILL)                |
      | ends       | process 2 of 2 that train together ended with the status 7             |
      | refuses    | case-3.npy: is not a mask                                              |
      | fails      | of the job                                                             |

  @REQ-366 @RC-150
  Scenario Outline: A training that diverges is refused with its cases
    Given a training of seed 3 with the learning rate 0.004, at step 80 with patches of the cases a, b and a
    When the loss of the step <loss>
    Then it is refused with "<message>" and the hint "learning_rate, for example to 0.001"
    And the message names seed 3, step 80, the learning rate 0.004 and the cases a and b once

    Examples:
      | loss                                                  | message                                        |
      | is nan                                                | training diverged: the loss is nan             |
      | is inf                                                | training diverged: the loss is inf             |
      | and of 49 steps before is 4, after losses of 1.2      | training diverged: each of the last 50 losses  |

  @REQ-366 @RC-150
  Scenario Outline: A gradient that is no number ends a training before the weights change
    Given a training of 4 steps with the clip <clip>, in which the gradient of step <step> is no number
    When it is trained
    Then it is refused with "training diverged: the gradient is nan (seed 3, step <step>" and the hint "learning_rate, for example to 0.001"
    And no member is left, and the weights of the last checkpoint are numbers

    Examples:
      | clip | step |
      | 12   | 4    |
      | none | 4    |
      | 12   | 3    |

  @REQ-366
  Scenario Outline: A training that is difficult continues
    Given a training of seed 3 with the learning rate 0.004, at step 80 with patches of the cases a, b and a
    When the loss of the step <loss>
    Then training goes on

    Examples:
      | loss                                                  |
      | is 900.0                                              |
      | and of 48 steps before is 4, after losses of 1.2      |
      | and of 49 steps before is 3, after losses of 1.2      |
      | and of 49 steps before is -1, after losses of -4      |

  @REQ-366
  Scenario Outline: When memory runs out, a step that fits is named
    Given a <network> with a patch of <patch> and <batch> patches a batch
    When the memory for training is <memory>
    Then <fewer> patches of <smaller> are proposed

    Examples:
      | network   | patch       | batch | memory    | fewer | smaller     |
      | segresnet | 32, 64, 64  | 8     | 500 MB    | 5     | 32, 64, 64  |
      | segresnet | 64, 64, 64  | 2     | 200 MB    | 2     | 32, 64, 64  |
      | segresnet | 32, 64, 64  | 8     | not known | 4     | 32, 64, 64  |
      | unet      | 32, 64, 64  | 4     | 1 MB      | 2     | 32, 64, 64  |
      | unet      | 32, 64, 64  | 1     | 1 MB      | 1     | 32, 32, 64  |

  @REQ-366 @RC-150
  Scenario: A checkpoint for which the disk has no space leaves the one before
    Given a folder with the checkpoint of step 30, in which files of 100 kB or more cannot be written
    When the checkpoint of step 40, of 1 MB, is written
    Then it is refused with "the checkpoint of step 40 takes 1 MB" and the hint "free 2 MB"
    And the message names the checkpoint of step 30, which is as before

  @REQ-367
  Scenario Outline: An option of training that the network does not support is refused before anything is fixed
    Given a project with the network <network> and <option>
    When its options are compared with what the network supports
    Then the rule capability-training finds "<message>"

    Examples:
      | network       | option                   | message                                                                |
      | segresnet     | deep_supervision: true   | training.deep_supervision: segresnet has no outputs at coarser levels  |
      | unet          | deep_supervision: true   | training.deep_supervision: unet has no outputs at coarser levels       |
      | dynunet       | deep_supervision: true   | nothing                                                                |
      | swinunetr     | checkpointing: true      | nothing                                                                |

  @REQ-367 @slow
  Scenario Outline: Recomputed activations and outputs at coarser levels change no weights of the network they leave
    Given a small <network>
    When it is prepared for training with <options>
    Then its tensors have the names that they had, and it answers as before
    And <effect>

    Examples:
      | network   | options                            | effect                                                           |
      | unet      | checkpointing                      | its gradients differ by at most 0.000001, with less memory       |
      | dynunet   | checkpointing                      | its gradients differ by at most 0.000001, with less memory       |
      | dynunet   | deep_supervision                   | it has logits of all, a half and a quarter of the resolution     |

  @REQ-364 @RC-175
  Scenario Outline: In bf16 on a CPU, maps that are shorter than a kernel are computed in fp32
    Given a network of two convolutions with kernels of 3 that is prepared for bf16
    When it answers a patch of <sides> voxels
    Then its answer is in <precision>

    Examples:
      | sides   | precision |
      | 2, 4, 4 | fp32      |
      | 4, 4, 2 | fp32      |
      | 3, 3, 3 | bf16      |
