"""Model bundles: folders with a described, checked model."""
