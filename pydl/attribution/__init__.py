"""Explanations: which parts of an input a model's output comes from."""

from pydl.attribution.attention import AttentionMaps, attention_maps
from pydl.attribution.cam import GradCAM, GradCAMPlusPlus
from pydl.attribution.gradients import IntegratedGradients, Saliency, SmoothGrad
from pydl.attribution.occlusion import Occlusion

__all__ = [
    "AttentionMaps", "GradCAM", "GradCAMPlusPlus", "IntegratedGradients", "Occlusion", "Saliency", "SmoothGrad",
    "attention_maps",
]  # fmt: skip
