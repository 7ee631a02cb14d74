"""From a plan and its cases to a trained, measured model: folds, cross-validation, post-processing, the bundle."""
