"""Vision Transformer (Dosovitskiy et al., "An image is worth 16x16 words", 2021)."""

from __future__ import annotations

import math
from collections import OrderedDict
from functools import partial
from typing import Any

import pydl
from pydl import ShapeError, Tensor, nn
from pydl.vision.models._build import builder
from pydl.vision.ops import MLP

__all__ = ["VisionTransformer", "vit_b_16", "vit_b_32", "vit_h_14", "vit_l_16", "vit_l_32"]

_norm = partial(nn.LayerNorm, eps=1e-6)


class MLPBlock(MLP):
    def __init__(self, in_dim: int, mlp_dim: int, dropout: float) -> None:
        super().__init__(in_dim, [mlp_dim, in_dim], activation_layer=nn.GELU, dropout=dropout)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.xavier_uniform_(m.weight)
                if m.bias is not None:
                    nn.init.normal_(m.bias, std=1e-6)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for i in range(2):  # older files name the two layers
            for kind in ("weight", "bias"):
                old = f"{prefix}linear_{i + 1}.{kind}"
                if old in state_dict:
                    state_dict[f"{prefix}{3 * i}.{kind}"] = state_dict.pop(old)
        super()._load_from_state_dict(state_dict, prefix, *args)


class EncoderBlock(nn.Module):
    def __init__(self, heads: int, dim: int, mlp_dim: int, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        self.ln_1 = _norm(dim)
        self.self_attention = nn.MultiheadAttention(dim, heads, dropout=attention_dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = _norm(dim)
        self.mlp = MLPBlock(dim, mlp_dim, dropout)

    def forward(self, input: Tensor) -> Tensor:
        x = self.ln_1(input)
        x = self.dropout(self.self_attention(x, x, x, need_weights=False)[0]) + input
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    def __init__(
        self, length: int, layers: int, heads: int, dim: int, mlp_dim: int, dropout: float, attention_dropout: float
    ) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(pydl.empty(1, length, dim).normal_(std=0.02))
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.Sequential(
            OrderedDict(
                (f"encoder_layer_{i}", EncoderBlock(heads, dim, mlp_dim, dropout, attention_dropout))
                for i in range(layers)
            )
        )
        self.ln = _norm(dim)

    def forward(self, input: Tensor) -> Tensor:
        return self.ln(self.layers(self.dropout(input + self.pos_embedding)))


class VisionTransformer(nn.Module):
    """Patches as words of a Transformer, read off at a class token: (N, 3, image_size, image_size) to (N, num_classes).

    Raises ValueError if the patches do not tile the image, ShapeError for images of another size.

    Example:
        >>> vit = pydl.vision.models.VisionTransformer(16, 8, 1, 2, 8, 16, num_classes=3)
        >>> vit(pydl.zeros(1, 3, 16, 16)).shape
        torch.Size([1, 3])
    """

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        num_classes: int = 1000,
        representation_size: int | None = None,
    ) -> None:
        super().__init__()
        if patch_size < 1 or image_size < 1 or image_size % patch_size:
            raise ValueError(f"VisionTransformer(): patches of {patch_size} do not tile images of {image_size}")
        self.image_size, self.patch_size, self.hidden_dim = image_size, patch_size, hidden_dim
        self.conv_proj = nn.Conv2d(3, hidden_dim, patch_size, patch_size)
        self.class_token = nn.Parameter(pydl.zeros(1, 1, hidden_dim))
        self.seq_length = (image_size // patch_size) ** 2 + 1
        self.encoder = Encoder(self.seq_length, num_layers, num_heads, hidden_dim, mlp_dim, dropout, attention_dropout)
        heads: OrderedDict[str, nn.Module] = OrderedDict()
        width = hidden_dim
        if representation_size is not None:
            heads["pre_logits"], heads["act"] = nn.Linear(hidden_dim, representation_size), nn.Tanh()
            nn.init.trunc_normal_(heads["pre_logits"].weight, std=math.sqrt(1 / hidden_dim))
            nn.init.zeros_(heads["pre_logits"].bias)
            width = representation_size
        heads["head"] = nn.Linear(width, num_classes)
        self.heads = nn.Sequential(heads)
        nn.init.trunc_normal_(self.conv_proj.weight, std=math.sqrt(1 / (3 * patch_size**2)))
        zeros: list[Any] = [self.conv_proj.bias, heads["head"].weight, heads["head"].bias]
        for t in zeros:
            nn.init.zeros_(t)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or tuple(x.shape[2:]) != (self.image_size, self.image_size):
            raise ShapeError(
                f"VisionTransformer(): images must have sizes (N, 3, {self.image_size}, {self.image_size}), "
                f"got {tuple(x.shape)}"
            )
        words = pydl.flatten(self.conv_proj(x), 2).transpose(1, 2)
        words = pydl.cat([self.class_token.expand(len(x), -1, -1), words], 1)
        return self.heads(self.encoder(words)[:, 0])


def _builder(name: str, parameters: int, patch: int, layers: int, heads: int, dim: int) -> Any:
    def make(**options: Any) -> VisionTransformer:
        shape = {"image_size": 224, "patch_size": patch, "num_layers": layers, "num_heads": heads}
        return VisionTransformer(**{**shape, "hidden_dim": dim, "mlp_dim": 4 * dim, **options})

    summary = f"Vision Transformer with {layers} layers of {dim} on patches of {patch} (Dosovitskiy et al. 2021)"
    return builder(name, parameters, make, summary)


vit_b_16 = _builder("vit_b_16", 86567656, 16, 12, 12, 768)
vit_b_32 = _builder("vit_b_32", 88224232, 32, 12, 12, 768)
vit_l_16 = _builder("vit_l_16", 304326632, 16, 24, 16, 1024)
vit_l_32 = _builder("vit_l_32", 306535400, 32, 24, 16, 1024)
vit_h_14 = _builder("vit_h_14", 632045800, 14, 32, 16, 1280)
