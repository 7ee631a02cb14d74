"""MTANNs that turn an image into another: enhancement, suppression of a component, translation."""
