"""Whole runs of the service under faults and crashes, repeatable from a seed."""
