"""Composite layers that PyTorch itself does not name: residual, dense, attention, multi-branch and spatial blocks."""

from pydl.nn.blocks.attention import CBAM, ChannelAttention, FeatureAttention, SelfAttention, SpatialAttention
from pydl.nn.blocks.branches import ASPP, Inception, MultiBranch, MultiTask
from pydl.nn.blocks.conv import DepthwiseSeparableConv2d, GatedConv2d, PointwiseConv2d, SubpixelConv2d
from pydl.nn.blocks.pooling import GlobalAvgPool, GlobalMaxPool
from pydl.nn.blocks.residual import Bottleneck, DenseBlock, Residual, ResidualBlock
from pydl.nn.blocks.spatial import SpatialTransformer

__all__ = [
    "ASPP", "CBAM", "Bottleneck", "ChannelAttention", "DenseBlock", "DepthwiseSeparableConv2d", "FeatureAttention",
    "GatedConv2d", "GlobalAvgPool", "GlobalMaxPool", "Inception", "MultiBranch", "MultiTask", "PointwiseConv2d",
    "Residual", "ResidualBlock", "SelfAttention", "SpatialAttention", "SpatialTransformer", "SubpixelConv2d",
]  # fmt: skip
