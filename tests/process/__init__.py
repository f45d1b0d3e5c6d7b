"""Tests that start the product as its users do: a process, a configuration, sockets."""
