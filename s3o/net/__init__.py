"""Sockets: byte streams, HTTP/1.1 both ways, TLS."""
