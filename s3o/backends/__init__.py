"""S3 providers and local disks behind one seam."""
