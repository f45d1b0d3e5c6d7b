"""Names, values, errors, facts, limits and seams: what every other floor speaks in."""
