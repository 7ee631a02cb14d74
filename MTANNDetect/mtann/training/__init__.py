"""Gradient training."""
