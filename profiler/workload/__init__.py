"""What is measured: a reference to a model, its weights, and the model made ready to be called."""
