# Shorter ways than scripts/test, which is the whole check. `just` lists them.
set shell := ["bash", "-euo", "pipefail", "-c"]
export PATH := justfile_directory() / ".venv/bin:" + env("PATH")

_default:
    @just --list

# Everything that must pass before anything lands.
test:
    scripts/test

# Formatting, lint, types, layers.
lint:
    ruff check . && ruff format --check . && mypy && lint-imports

# Tests without Asterisk and without programs of others.
unit *ARGS:
    pytest -q -n auto -m "not e2e and not interop" {{ARGS}}

# Coverage of everything by the tests without Asterisk; scripts/test measures the pure parts only, which is quicker.
coverage:
    RINGBACK_MEASURE=all pytest -q -n auto -m "not e2e and not interop" --cov --cov-report=term

# The stories of tests/ari_app/recovery/golden; RINGBACK_GOLDEN=write regenerates them, to be read in review.
golden:
    pytest -q tests/ari_app/recovery/test_golden.py

# Real processes that are killed, cut off, filled up. RINGBACK_KILLS=100 kills more often than every day.
crash *ARGS:
    pytest -q -n 3 --dist loadfile tests/e2e/crash {{ARGS}}

# Whole calls on a real Asterisk.
e2e *ARGS:
    pytest -q -n 5 tests/e2e --ignore tests/e2e/crash {{ARGS}}

# SMSCs and gateways of others.
interop *ARGS:
    pytest -q -m interop {{ARGS}}

# Measurements; without a name, the list of them.
bench *ARGS:
    scripts/bench {{ARGS}}

# The core in virtual time with seeded faults.
simulate *ARGS:
    python -m tests.simulation {{ARGS}}

# atheris is kept beside the project, in the cache folder, with the corpus; pip fetches it the first time.
# Search by coverage for octets that break a reader: SECONDS for each of ORACLES, or for all.
fuzz SECONDS="60" *ORACLES:
    #!/usr/bin/env bash
    set -euo pipefail
    cache="${XDG_CACHE_HOME:-$HOME/.cache}/ringback/fuzz"
    test -d "$cache/atheris" || python -m pip install --quiet --target "$cache/atheris" "atheris==3.0.0"
    oracles="{{ORACLES}}"
    for oracle in ${oracles:-$(python -c 'from tests.fuzz.oracles import ORACLES; print(*ORACLES)')}; do
        PYTHONPATH="$cache/atheris" python -m tests.fuzz "$oracle" --corpus "$cache/corpus" --seconds {{SECONDS}}
    done

# Documents and examples against the code.
docs:
    pytest -q -k "docs or examples"
