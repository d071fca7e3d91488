"""Classification and segmentation networks: sizes, counts, keys, weights. Numbers were compared with torchvision by
hand."""

from __future__ import annotations

import doctest
import re
from typing import Any

import numpy as np
import pytest

import pydl
import pydl.vision.models.detection
import pydl.vision.models.segmentation
from pydl import nn
from pydl.vision import models
from pydl.vision.models.keypoint import SimpleBaselinePose, oks, pck

LARGE = 60_000_000  # more parameters are trained with --full alone
DETECTION = set(models.detection.__all__)
SEGMENTATION = set(models.segmentation.__all__)


def make(name: str) -> Any:
    if name == "SimpleBaselinePose":
        return SimpleBaselinePose
    place = models.detection if name in DETECTION else models.segmentation if name in SEGMENTATION else models
    return getattr(place, name)


@pytest.mark.parametrize("name", sorted(models.PARAMETER_COUNTS))
@pytest.mark.usefixtures("untouched")
def test_parameter_counts(name: str) -> None:
    count = models.PARAMETER_COUNTS[name]
    assert sum(p.numel() for p in make(name)().parameters()) == count
    if name not in DETECTION | SEGMENTATION | {"SimpleBaselinePose", "unet"}:
        example = doctest.DocTestParser().get_examples(make(name).__doc__)
        assert [e.source for e in example][0] == f"model = pydl.vision.models.{name}()\n"
        assert example[1].want == f"{count}\n"


# One of each family, and the side of an image that it takes
FAMILIES = {
    "alexnet": 64, "vgg11_bn": 32, "resnet18": 32, "resnext50_32x4d": 32, "squeezenet1_1": 32, "googlenet": 32, "inception_v3": 75,
    "mobilenet_v2": 32, "mobilenet_v3_small": 32, "shufflenet_v2_x0_5": 32, "densenet121": 32, "efficientnet_b0": 32,
    "efficientnet_v2_s": 32, "convnext_tiny": 32, "swin_t": 32, "swin_v2_t": 32, "mnasnet0_5": 32, "regnet_x_400mf": 32,
    "regnet_y_400mf": 32,
}  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_families(name: str, full: bool) -> None:
    """Logits of the right size, finite, the same after the weights went through a state dict; gradients for all
    parameters."""
    if models.PARAMETER_COUNTS[name] > LARGE and not full:
        pytest.skip("large: made with --full")
    pydl.manual_seed(0)
    options = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
    model = make(name)(num_classes=5, **options)
    x = pydl.rand(2, 3, FAMILIES[name], FAMILIES[name])
    out = model.eval()(x)
    assert out.shape == (2, 5)
    assert out.isfinite().all()
    again = make(name)(num_classes=5, weights=model.state_dict(), **options).eval()
    assert pydl.equal(out, again(x))
    model.train()
    model(x).sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []


def test_vision_transformer() -> None:
    vit = models.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=5, representation_size=7)
    assert vit(pydl.rand(2, 3, 32, 32)).shape == (2, 5)
    keys = set(vit.state_dict())
    assert {
        "class_token",
        "encoder.pos_embedding",
        "encoder.layers.encoder_layer_1.mlp.3.bias",
        "heads.pre_logits.weight",
    } <= keys
    old = {k.replace("mlp.0", "mlp.linear_1").replace("mlp.3", "mlp.linear_2"): v for k, v in vit.state_dict().items()}
    vit.load_state_dict(old)
    with pytest.raises(pydl.ShapeError, match="32, 32"):
        vit(pydl.rand(2, 3, 40, 32))
    with pytest.raises(ValueError, match="tile"):
        models.VisionTransformer(30, 8, 2, 2, 16, 32)


@pytest.mark.usefixtures("untouched")
def test_keys() -> None:
    """Names that files of torchvision have, some of each family."""
    wanted = {
        "resnet18": "conv1.weight bn1.num_batches_tracked layer1.0.conv2.weight layer4.1.bn2.running_var layer2.0.downsample.1.bias fc.bias",
        "densenet121": "features.conv0.weight features.denseblock1.denselayer1.norm1.weight features.transition3.conv.weight "
        "features.norm5.bias classifier.weight",
        "mobilenet_v2": "features.0.0.weight features.1.conv.0.1.bias features.18.1.weight classifier.1.bias",
        "mobilenet_v3_small": "features.1.block.1.fc1.weight features.12.0.weight classifier.3.weight",
        "squeezenet1_0": "features.3.squeeze.weight features.12.expand3x3.bias classifier.1.weight",
        "shufflenet_v2_x0_5": "conv1.0.weight stage2.0.branch1.2.weight stage4.3.branch2.5.weight conv5.1.bias fc.weight",
        "efficientnet_b0": "features.1.0.block.1.fc2.bias features.8.1.weight classifier.1.weight",
        "googlenet": "inception3a.branch4.1.conv.weight inception5b.branch2.0.bn.bias aux1.fc2.weight aux2.conv.bn.weight fc.bias",
        "inception_v3": "Conv2d_1a_3x3.conv.weight Mixed_7c.branch3x3dbl_3b.bn.bias AuxLogits.conv1.bn.bias Mixed_6a.branch3x3.conv.weight",
        "swin_t": "features.0.0.weight features.1.0.attn.relative_position_bias_table features.2.reduction.weight "
        "features.7.1.mlp.3.bias head.weight features.3.1.attn.relative_position_index",
        "swin_v2_t": "features.1.0.attn.logit_scale features.1.1.attn.cpb_mlp.0.bias features.1.0.attn.cpb_mlp.2.weight "
        "features.5.3.attn.relative_coords_table features.2.norm.bias features.7.0.attn.relative_position_index",
        "mnasnet0_5": "layers.0.weight layers.7.bias layers.8.0.layers.0.weight layers.13.0.layers.7.running_mean layers.15.weight "
        "classifier.1.bias",
        "regnet_y_400mf": "stem.0.weight trunk_output.block1.block1-0.proj.0.weight trunk_output.block4.block4-5.f.se.fc1.bias "
        "trunk_output.block3.block3-1.f.b.1.running_var fc.weight",
        "convnext_tiny": "features.0.1.weight features.1.0.layer_scale features.7.2.block.5.bias classifier.2.weight",
    }  # fmt: skip
    for name, keys in wanted.items():
        options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        assert set(keys.split()) <= set(make(name)(**options).state_dict()), name


def test_maxvit() -> None:
    pydl.manual_seed(0)
    net = models.MaxVit((32, 40), 8, 1, [8, 16], [1, 2], 4, 0.2, num_classes=3)
    x = pydl.rand(2, 3, 32, 40)
    net(x).square().sum().backward()
    # Of one place there is no relative position; what the softmax of one score is does not change
    assert [n for n, p in net.named_parameters() if p.grad is None] == []
    keys = set(net.state_dict())
    assert {
        "stem.1.0.bias", "blocks.1.layers.0.layers.MBconv.proj.1.weight", "classifier.5.weight",
        "blocks.0.layers.0.layers.MBconv.layers.squeeze_excitation.fc1.bias",
        "blocks.1.layers.1.layers.grid_attention.attn_layer.1.relative_position_bias_table",
        "blocks.1.layers.1.layers.window_attention.mlp_layer.3.weight",
    } <= keys  # fmt: skip
    with pytest.raises(ValueError, match="divide"):
        models.MaxVit((32, 32), 8, 3, [8], [1], 4, 0.2)
    attention = models.maxvit.PartitionAttentionLayer
    for grid in (False, True):
        layer = attention(4, 2, 2, grid, 2, nn.GELU, nn.LayerNorm, (0.0, 0.0), 0.0).eval()
        before = pydl.rand(1, 4, 4, 6)
        changed = before.clone()
        changed[0, :, 0, 0] += 1.0
        touched = (layer(changed) != layer(before)).any(1)[0].nonzero().tolist()
        assert touched == ([[0, 0], [0, 3], [2, 0], [2, 3]] if grid else [[0, 0], [0, 1], [1, 0], [1, 1]])


def test_shifted_windows_do_not_see_round_the_border() -> None:
    """Windows of 4 shifted by 2 on 8 places: two at either end, and four in the middle."""
    swin = models.swin_transformer
    for kind in (swin.ShiftedWindowAttention, swin.ShiftedWindowAttentionV2):
        pydl.manual_seed(0)
        layer = kind(4, [4, 4], [2, 2], 2).eval()
        x = pydl.rand(1, 8, 12, 4)
        for (row, column), rows, columns in (
            ((0, 0), (0, 1), (0, 1)),
            ((3, 11), (2, 3, 4, 5), (10, 11)),
            ((7, 5), (6, 7), (2, 3, 4, 5)),
        ):
            changed = x.clone()
            changed[0, row, column] += 1.0
            touched = (layer(changed) != layer(x)).any(-1)[0].nonzero().tolist()
            assert touched == [[r, c] for r in rows for c in columns]
    before = layer(x)
    with pydl.no_grad():
        layer.qkv.bias[4:8] += 5.0  # of the keys, which have none
    assert pydl.equal(layer(x), before)
    with pydl.no_grad():
        layer.qkv.bias[:4] += 5.0
    assert not pydl.equal(layer(x), before)


def test_auxiliary_outputs() -> None:
    net = models.googlenet(num_classes=3, init_weights=False, transform_input=True)
    out = net(pydl.rand(2, 3, 64, 64))
    assert [tuple(t.shape) for t in out] == [(2, 3)] * 3
    assert out.aux_logits1 is out[2]
    assert net.eval()(pydl.rand(1, 3, 64, 64)).shape == (1, 3)
    aux = models.inception.InceptionAux(768, 3)
    assert aux(pydl.rand(2, 768, 17, 17)).shape == (2, 3)


def test_weights(tmp_path: Any) -> None:
    model = models.lenet()
    path = str(tmp_path / "lenet.pth")
    pydl.save({"state_dict": model.state_dict()}, path)
    for source in (path, model.state_dict()):
        again = models.lenet(weights=source, progress=False)
        assert pydl.equal(again.classifier[0].weight, model.classifier[0].weight)
    pydl.serialization.save_safetensors(model.state_dict(), str(tmp_path / "lenet.safetensors"))
    assert models.lenet(weights=str(tmp_path / "lenet.safetensors")).features[0].bias is not None
    for name in ("DEFAULT", "IMAGENET1K_V1"):
        with pytest.raises(ValueError, match="download"):
            models.resnet18(weights=name)
    with pytest.raises(ValueError, match="download"):
        models.resnet18(pretrained=True)
    assert models.lenet(pretrained=False) is not None
    with pytest.raises(RuntimeError):
        models.lenet(weights=model.state_dict(), num_classes=3)
    with pytest.raises(TypeError, match="weights"):
        models.lenet(weights=True)
    with pytest.raises(TypeError):
        models.resnet18(colour=1)


@pytest.mark.parametrize("bilinear", [False, True])
@pytest.mark.parametrize("norm", [nn.BatchNorm2d, None])
def test_unet(bilinear: bool, norm: Any) -> None:
    net = models.unet(2, 3, (4, 8, 16), bilinear, norm)
    for size in ((8, 8), (13, 10), (33, 47)):
        assert net(pydl.rand(2, 2, *size)).shape == (2, 3, *size)
    assert (net.down[0][0].bias is None) == (norm is not None)
    again = models.unet(2, 3, (4, 8, 16), bilinear, norm, weights=net.state_dict())
    x = pydl.rand(1, 2, 16, 16)
    assert pydl.equal(net.eval()(x), again.eval()(x))
    for bad in (pydl.rand(1, 2, 7, 8), pydl.rand(2, 16, 16)):
        with pytest.raises(pydl.ShapeError, match="UNet"):
            net(bad)


def test_segmentation() -> None:
    S = models.segmentation
    x = pydl.rand(2, 3, 33, 40)
    for name in ("deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"):
        options = {} if name.startswith("lraspp") else {"aux_loss": True}
        model = make(name)(num_classes=4, **options)
        out = model.eval()(x)
        assert {k: tuple(v.shape) for k, v in out.items()} == dict.fromkeys(
            ["out", *(["aux"] if options else [])], (2, 4, 33, 40)
        )
        again = make(name)(
            num_classes=4, weights=model.state_dict()
        ).eval()  # with the auxiliary part that the weights have
        assert pydl.equal(again(x)["out"], out["out"])
        assert set(again(x)) == set(out)
    assert {"classifier.0.convs.4.1.weight", "classifier.0.project.0.weight", "classifier.4.bias"} <= set(
        S.deeplabv3_mobilenet_v3_large().state_dict()
    )
    with pytest.raises(TypeError, match="unknown"):
        S.deeplabv3_mobilenet_v3_large(colour=1, pretrained=False)
    for name in ("pretrained", "pretrained_backbone"):
        with pytest.raises(ValueError, match="download"):
            S.deeplabv3_mobilenet_v3_large(**{name: True})
    with pytest.raises(ValueError, match="no children"):
        S.IntermediateLayerGetter(nn.Sequential(nn.ReLU()), {"3": "out"})


def test_poses() -> None:
    pose = SimpleBaselinePose(4, "resnet18", deconv_channels=(8, 8, 8), deconv_kernels=(4, 3, 2))
    assert pose(pydl.rand(1, 3, 64, 96)).shape == (1, 4, 16, 24)
    assert {"backbone.conv1.weight", "deconv_layers.0.weight", "final_layer.bias"} <= set(pose.state_dict())
    own = SimpleBaselinePose(4, nn.Conv2d(3, 6, 3, 32, 1), 6, (8,), (4,))
    assert own(pydl.rand(1, 3, 64, 64)).shape == (1, 4, 4, 4)
    maps = pydl.zeros(1, 3, 5, 6)
    maps[0, 0, 2, 3], maps[0, 0, 2, 4], maps[0, 0, 1, 3] = 1.0, 0.5, 0.25
    maps[0, 1, 0, 5] = 2.0
    points, scores = pose.decode(maps)
    assert points[0].tolist() == [[3.25, 1.75], [5, 0], [0, 0]]
    assert scores[0].tolist() == [1, 2, 0]
    for bad in (
        {"backbone": "alexnet"},
        {"backbone": nn.ReLU()},
        {"backbone": "resnet18", "deconv_kernels": (5, 4, 4)},
    ):
        with pytest.raises(ValueError, match="SimpleBaselinePose"):
            SimpleBaselinePose(4, **bad)


def test_similarity_of_points() -> None:
    rng = np.random.default_rng(0)
    pred, true = rng.uniform(0, 9, (3, 17, 2)), rng.uniform(0, 9, (3, 17, 2))
    visible, area = rng.integers(0, 2, (3, 17)), rng.uniform(50, 90, 3)
    d2 = ((pred - true) ** 2).sum(2)
    args = [pydl.tensor(a) for a in (pred, true, visible)]
    for sigmas in (None, rng.uniform(0.05, 0.9, 17)):
        used = np.array(models.keypoint._SIGMAS) if sigmas is None else sigmas
        each = np.exp(-d2 / (2 * area[:, None] * (2 * used) ** 2))
        wanted = (each * visible).sum(1) / visible.sum(1)
        got = oks(*args, pydl.tensor(area), None if sigmas is None else pydl.tensor(sigmas))
        np.testing.assert_allclose(got.numpy(), wanted, rtol=1e-9)
    norm = pydl.tensor([4.0, 8.0, 12.0])
    wanted_share = (np.sqrt(d2) <= 0.5 * norm.numpy()[:, None])[visible > 0].mean()
    assert pck(*args, norm).item() == pytest.approx(wanted_share)
    assert pck(args[0], args[1], pydl.zeros(3, 17), norm).isnan()
    with pytest.raises(pydl.ShapeError, match="pck"):
        pck(args[0], args[1][:2], args[2], norm)
    with pytest.raises(pydl.ShapeError, match="area"):
        oks(*args, norm[:2])


def test_files_with_older_keys_or_more_parts() -> None:
    net = models.DenseNet(8, (2, 2), 16, num_classes=3)
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", key): value
        for key, value in net.state_dict().items()
    }
    assert "features.denseblock1.denselayer2.norm.1.running_mean" in old
    again = models.DenseNet(8, (2, 2), 16, num_classes=3)
    again.load_state_dict(old)
    x = pydl.rand(1, 3, 32, 32)
    assert pydl.equal(again.eval()(x), net.eval()(x))
    for name, part in (("googlenet", "aux1.fc1.bias"), ("inception_v3", "AuxLogits.fc.bias")):
        state = make(name)(num_classes=3, init_weights=False).state_dict()
        assert part in state
        alone = make(name)(num_classes=3, init_weights=False, aux_logits=False, weights=state)
        assert part not in alone.state_dict()
        with pytest.raises(RuntimeError, match="extra"):
            make(name)(num_classes=3, init_weights=False, aux_logits=False, weights={**state, "extra.bias": x})


def test_dense_layers_computed_twice() -> None:
    """With `memory_efficient` nothing changes but what is kept for backward."""
    found = []
    for efficient in (False, True):
        pydl.manual_seed(0)
        net = models.DenseNet(8, (2, 2), 16, num_classes=3, memory_efficient=efficient)
        out = net(pydl.rand(2, 3, 32, 32))
        out.square().sum().backward()
        found.append([out, *(p.grad for p in net.parameters())])
    assert all(pydl.equal(a, b) for a, b in zip(*found))


@pytest.mark.parametrize("name", ["efficientnet_b0", "mobilenet_v2", "mobilenet_v3_small", "resnet18"])
def test_no_norm_layer_is_the_default(name: str) -> None:
    assert set(make(name)(norm_layer=None).state_dict()) == set(make(name)().state_dict())
