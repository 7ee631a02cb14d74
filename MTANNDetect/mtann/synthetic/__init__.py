"""Lesions that were never there: inserted into real images, to teach with."""
