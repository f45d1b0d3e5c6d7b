"""Sphinx configuration."""

project = "s3-orchestrator"
author = "the s3-orchestrator authors"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "s3-orchestrator"
exclude_patterns = ["_build"]
myst_heading_anchors = 3
