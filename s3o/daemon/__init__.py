"""Wiring, nursery tree, signals, reload, shutdown."""
