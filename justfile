# Recipes for people who work on this source tree; `just` lists them.

project := "demo"

default:
    @just --list

# Lint, types, import contracts, the trace and the reference pages.
check:
    uv run ruff check .
    uv run ruff format --check .
    uv run mypy
    uv run lint-imports
    uv run deptry src
    uv run minivess trace check
    uv run python -m minivess.cli.reference --check

# The tests that are not slow, on every core.
test *arguments:
    uv run pytest {{arguments}}

# The tests that load no heavy library and start no server (under a minute).
test-fast *arguments:
    uv run pytest @tests/fast.txt {{arguments}}

# The lines of the product that the fast tests run.
coverage *arguments:
    uv run pytest @tests/fast.txt --cov=minivess --cov-report=term:skip-covered {{arguments}}

# The slow tests: the demo, real trainings, some scenarios.
test-slow *arguments:
    uv run pytest -m slow {{arguments}}

# Write docs/reference/ and docs/schemas/ again, after a change of a command or of a field.
reference:
    uv run minivess trace schemas docs/schemas
    uv run python -m minivess.cli.reference

# A whole release on synthetic volumes, in `demo/`.
demo:
    uv run minivess demo

# Train the members of a project: `just project=../vessels train`.
train *arguments: (_in-project "train" arguments)

# Combine the trained members, calibrate the ensemble and export it.
ensemble: (_in-project "ensemble") (_in-project "calibrate") (_in-project "model export")

# Answer inference requests with the model in production.
serve *arguments: (_in-project "serve" arguments)

# Check the gates and build the evidence pack of a release.
bundle *arguments: (_in-project "release build" arguments)

# Run every stage of a project that is not up to date.
reproduce: (_in-project "data pipeline")
    #!/usr/bin/env bash
    set -euo pipefail
    tree=$PWD
    cd "{{project}}"
    if [ -f demo-passphrases.env ]; then . ./demo-passphrases.env; fi
    PATH="$tree/.venv/bin:$PATH" uv run --project "$tree" dvc repro

# The whole yardstick: every place of the log and of a small evidence pack changed, every check taken out (about an hour).
mutants *arguments:
    uv run python -m tests.yardstick --write {{arguments}}

[private]
_in-project command *arguments:
    #!/usr/bin/env bash
    set -euo pipefail
    if [ -f "{{project}}/demo-passphrases.env" ]; then . "{{project}}/demo-passphrases.env"; fi
    uv run minivess -C "{{project}}" {{command}} {{arguments}}
