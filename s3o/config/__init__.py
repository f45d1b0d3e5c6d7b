"""Settings: loaded with positions, validated as a whole, diffed for reload."""
