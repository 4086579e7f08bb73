"""How the pocket model is made: data, autoencoder, inpainter, evaluation. Nothing in core/ imports this."""
