"""Facts out: metrics, audit lines, logs."""
