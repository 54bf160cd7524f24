"""From features to a probability: classifiers, combined model, calibration, abstention. Research only."""
