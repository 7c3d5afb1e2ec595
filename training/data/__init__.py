"""Images for training: splits, pixels, batches, in memory or streamed."""
