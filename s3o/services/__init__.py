"""Background services and their one runner."""
