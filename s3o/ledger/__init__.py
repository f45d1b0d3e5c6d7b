"""The metadata database: SQL behind one engine seam."""
