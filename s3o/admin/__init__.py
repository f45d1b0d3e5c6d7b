"""Operators' doors: health, metrics, the admin API."""
