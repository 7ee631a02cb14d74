"""Reviewing a result: what is known of each finding, changing it, undoing that, and keeping it all in the nodes."""
