"""Comparing candidates with reference lesions."""
