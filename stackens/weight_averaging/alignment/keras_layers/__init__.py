"""One rule for each layer of Keras: what its weights do when the units around it change."""
