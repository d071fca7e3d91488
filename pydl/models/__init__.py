"""Models that learn without labels: autoencoders."""

from pydl.models.autoencoder import VAE, Autoencoder, VAEOutput

__all__ = ["VAE", "Autoencoder", "VAEOutput"]
