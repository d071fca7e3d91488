"""Models that learn without labels: autoencoders, adversarial pairs, style transfer."""

from pydl.models.adversarial import GAN, WGANGP, CycleGAN
from pydl.models.autoencoder import VAE, Autoencoder, VAEOutput
from pydl.models.style import StyleTransfer

__all__ = ["GAN", "VAE", "WGANGP", "Autoencoder", "CycleGAN", "StyleTransfer", "VAEOutput"]
