"""Operators' doors: health and metrics."""
