"""From likelihood volumes to candidates."""
