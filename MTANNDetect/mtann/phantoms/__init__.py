"""Synthetic images with known lesions, for the demonstration, tests and benchmarks."""
