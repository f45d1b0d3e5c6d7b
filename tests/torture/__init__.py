"""kill -9 under load, hundreds of times, with every service on: `just torture`."""
