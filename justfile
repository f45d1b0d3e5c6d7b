# The one list of what this project can do. `./just RECIPE` sets everything up first.

python := ".venv/bin/python"

# List the recipes.
default:
    @.venv/bin/just --list

# Make .venv with .venv/bin/s3-orchestrator (the ./just wrapper has done it by now).
setup:
    @echo "ready: .venv/bin/s3-orchestrator"
