# The one list of what this project can do. `./just RECIPE` sets everything up first.

python := justfile_directory() / ".venv/bin/python"
bin := justfile_directory() / ".venv/bin"

# List the recipes.
default:
    @{{bin}}/just --list

# Make .venv with .venv/bin/s3-orchestrator (the ./just wrapper has done it by now).
setup:
    @echo "ready: .venv/bin/s3-orchestrator"

# Run the product on port 9000: embedded SQLite, three directory backends.
demo *arguments:
    {{bin}}/s3-orchestrator demo {{arguments}}

# All tests that need no more than pip brought; under 15 minutes on two cores.
test *arguments:
    sh tests/run.sh {{python}} all {{arguments}}

# The tests to run while typing; under a minute.
test-fast *arguments:
    sh tests/run.sh {{python}} fast {{arguments}}

# Tests against real servers and with clients that apt, npm and Go bring; installs them.
test-real *arguments:
    sh tests/real/install.sh
    sh tests/clients/install.sh
    {{python}} -m pytest -m real {{arguments}}

# Formatting and lint.
lint:
    {{bin}}/ruff format --check .
    {{bin}}/ruff check .

# mypy --strict over the product.
types:
    {{bin}}/mypy

# Play seeds of the simulation: `just sim --seeds A-B --record FILE`, `--seed N`.
sim *arguments:
    {{python}} -m tests.simulation {{arguments}}

# CPU per request, as ratios to the floor in the same run.
bench *arguments:
    {{python}} -m tests.bench {{arguments}}

# Fuzz every parser for SECONDS each (atheris; needs Python < 3.13).
fuzz seconds="60" *targets:
    sh fuzz/run.sh {{seconds}} {{targets}}

# kill -9 under load with every service on; see tests/torture.
torture *arguments:
    {{python}} -m tests.torture {{arguments}}

# Build the documentation into docs/_build/html.
docs:
    sh docs/build.sh

# Write the lock files anew (needs uv on the PATH).
lock:
    uv pip compile pyproject.toml --universal --generate-hashes --no-header --python-version 3.11 -q -o requirements.lock
    for group in test tools docs fuzz; do uv pip compile --group $group --universal --generate-hashes --no-header --python-version 3.11 -q -c requirements.lock -o requirements-$group.lock; done

# Build dist/s3-orchestrator_VERSION_ARCH.deb for this Debian release.
deb folder="dist":
    PYTHON={{python}} sh contrib/debian/build.sh {{folder}}
