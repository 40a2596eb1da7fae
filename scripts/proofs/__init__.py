"""What is proved at full size, outside the suite."""
