"""What detectors are made of: conditions, vetoes, score curves and factors as data, and their mirror images."""
