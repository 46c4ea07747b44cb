"""Pictures of figures: curves, bars, heat, histograms."""
