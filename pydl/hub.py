"""Pre-trained weights for a model: files of any of the usual formats, a report of what fitted, frozen parts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import pydl
from pydl import Tensor
from pydl.nn.modules.batchnorm import _BatchNorm
from pydl.nn.modules.module import Module
from pydl.nn.parameter import is_lazy

__all__ = ["LoadReport", "freeze", "load_weights", "unfreeze"]


@dataclass
class LoadReport:
    """What :func:`load_weights` found. ``str()`` of it is a readable table.

    Attributes:
        missing: keys of the model that the file has not.
        unexpected: keys of the file that the model has not.
        misshaped: (key, size in the file, size in the model).
        loaded: keys that were copied.

    >>> report = pydl.hub.load_weights(pydl.nn.Linear(2, 3), {"weight": pydl.zeros(3, 2), "scale": pydl.ones(1)})
    >>> print(report)
    1 loaded, 1 missing, 1 unexpected, 0 misshaped
      missing     bias
      unexpected  scale
    """

    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    misshaped: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counts = ", ".join(f"{len(v)} {k}" for k, v in self._groups())
        lines = [f"  missing     {key}" for key in self.missing]
        lines += [f"  unexpected  {key}" for key in self.unexpected]
        lines += [
            f"  misshaped   {key}: {there} in the file, {here} in the model" for key, there, here in self.misshaped
        ]
        return "\n".join([counts, *lines])

    def _groups(self) -> list[tuple[str, list[Any]]]:
        names = ("loaded", "missing", "unexpected", "misshaped")
        return [(name, getattr(self, name)) for name in names]


def read_state(source: Any) -> dict[str, Tensor]:
    """The tensors of a file or mapping by name."""
    if isinstance(source, Mapping):
        state: Any = source
    elif _is_onnx(source):
        from pydl.serialization._read import read_onnx

        state = read_onnx(source)
    else:
        state = pydl.load(source)
    for name in ("state_dict", "model"):
        if isinstance(state, Mapping) and isinstance(state.get(name), Mapping):
            state = state[name]
    if not isinstance(state, Mapping):
        raise pydl.SerializationError(f"load_weights(): the file holds no state dict but {type(state).__name__}")
    return {str(k): v for k, v in state.items() if isinstance(v, Tensor)}


def _is_onnx(source: Any) -> bool:
    """By the name, or, of a file object, by its first byte: that of the field ir_version."""
    if hasattr(source, "read"):
        if not hasattr(source, "seek"):
            return False
        at = source.tell()
        first = source.read(9)
        source.seek(at)
        return first[:1] == b"\x08" and first[8:9] != b"{"
    return os.fspath(source).lower().endswith(".onnx")


def _renamer(rename: Mapping[str, str] | Callable[[str], str] | None) -> Callable[[str], str]:
    if rename is None:
        return lambda key: key
    if not isinstance(rename, Mapping):
        return rename

    def name(key: str) -> str:
        parts = key.split(".")
        for end in range(len(parts), 0, -1):  # the whole key, then the modules it lies in
            head = ".".join(parts[:end])
            for old in (head, head + "."):
                if old in rename:
                    tail = ".".join(parts[end:])
                    new = rename[old].rstrip(".")
                    return ".".join(p for p in (new, tail) if p)
        return key

    return name


def load_weights(
    model: Module,
    source: Any,
    strict: bool = False,
    prefix: str = "",
    rename: Mapping[str, str] | Callable[[str], str] | None = None,
    replace_head: str | None = None,
) -> LoadReport:
    """Copies the entries of a file that fit into a model, in the model's dtypes.

    Args:
        model: whose parameters and buffers are filled.
        source: a path or file object: ``.safetensors``, ``.pt`` or ``.pth`` of torch (zip or the older format; a
            state dict, or a dictionary with one under ``'state_dict'`` or ``'model'``), ``.npz``, ``.onnx`` (its
            initialisers); or a mapping.
        strict: any missing, unexpected or misshaped key raises RuntimeError with all of them, and nothing is copied.
            Default: False.
        prefix: is taken off the file's keys that begin with it, as ``'module.'``.
        rename: from the file's keys to the model's: a function, or a mapping of keys or of the modules they lie in.
            After the prefix.
        replace_head: a module of the model whose entries stay as they are and are not reported, as ``'fc'``.

    Returns a :class:`LoadReport`. No code of the file runs: raises ``SerializationError`` for a damaged file, or one
    that asks for anything but tensors, and changes nothing. ``ValueError`` where two keys of the file get the same
    name.

    >>> model = pydl.nn.Sequential(pydl.nn.Linear(2, 3), pydl.nn.Linear(3, 5))
    >>> old = pydl.nn.Sequential(pydl.nn.Linear(2, 3), pydl.nn.Linear(3, 1000)).state_dict()
    >>> pydl.hub.load_weights(model, old, replace_head="1").loaded
    ['0.weight', '0.bias']
    """
    renamed = _renamer(rename)
    entries: dict[str, Tensor] = {}
    for key, value in read_state(source).items():
        new = renamed(key.removeprefix(prefix))
        if new in entries:
            raise ValueError(f"load_weights(): two entries of the file are called {new!r}")
        entries[new] = value
    own = model.state_dict(keep_vars=True)
    if replace_head is not None:
        model.get_submodule(replace_head)  # raises for an unknown name
        entries = {k: v for k, v in entries.items() if not _under(k, replace_head)}
        own = {k: v for k, v in own.items() if not _under(k, replace_head)}  # type: ignore[assignment]
    own = {k: v for k, v in own.items() if isinstance(v, Tensor)}  # type: ignore[assignment]
    report = LoadReport([k for k in own if k not in entries], [k for k in entries if k not in own])
    for key, value in entries.items():
        if key in own and not is_lazy(own[key]) and own[key].shape != value.shape:
            report.misshaped.append((key, tuple(value.shape), tuple(own[key].shape)))
    if strict and (report.missing or report.unexpected or report.misshaped):
        raise RuntimeError(f"load_weights(): the file does not fit {type(model).__name__}: {report}")
    wrong = {key for key, _, _ in report.misshaped}
    with pydl.no_grad():
        # Entries that are the model's own, under other names, must not be overwritten before they are read.
        places = {v.data_ptr() for v in own.values() if not is_lazy(v)}
        entries = {k: v.clone() if v.data_ptr() in places else v for k, v in entries.items()}
        for key, value in own.items():
            if key in entries and key not in wrong:
                if is_lazy(value):
                    value.materialize(entries[key].shape)  # type: ignore[attr-defined]
                value.copy_(entries[key])
                report.loaded.append(key)
    return report


def _under(name: str, module: str) -> bool:
    return name == module or name.startswith(module + ".") or module == ""


def _patterns(value: None | str | Iterable[str]) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def _chosen(name: str, patterns: Sequence[str]) -> bool:
    """Whether a shell pattern fits the dotted name, or a module that it lies in."""
    parts = name.split(".")
    heads = [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
    return any(fnmatchcase(head, pattern) for pattern in patterns for head in heads)


def _selection(module: Module, patterns: Any, except_: Any) -> Callable[[str], bool]:
    wanted, spared = _patterns(patterns), _patterns(except_)
    names = [name for name, _ in (*module.named_parameters(), *module.named_modules())]
    for pattern in wanted:
        if not any(_chosen(name, [pattern]) for name in names):
            raise ValueError(f"the pattern {pattern!r} fits no parameter and no module")
    return lambda name: (patterns is None or _chosen(name, wanted)) and not _chosen(name, spared)


def freeze(
    module: Module,
    patterns: None | str | Sequence[str] = None,
    except_: None | str | Sequence[str] = None,
    freeze_norm: bool = False,
) -> list[str]:
    """Takes parameters out of training: ``requires_grad`` becomes False.

    Args:
        module: the model.
        patterns: shell patterns (``'layer?.*'``) of dotted names of parameters, or of modules with all below them.
            None: all.
        except_: patterns of what is left as it is.
        freeze_norm: batch norms among them also stay in evaluation mode, whatever ``train()`` says. Default: False.

    Returns the names of the parameters. Raises ``ValueError`` for a pattern that fits nothing.

    >>> model = pydl.nn.Sequential(pydl.nn.Linear(2, 3), pydl.nn.BatchNorm1d(3), pydl.nn.Linear(3, 5))
    >>> pydl.hub.freeze(model, except_="2", freeze_norm=True)
    ['0.weight', '0.bias', '1.weight', '1.bias']
    >>> model.train()[1].training
    False
    """
    chosen = _selection(module, patterns, except_)
    if freeze_norm:
        for name, norm in module.named_modules():
            if isinstance(norm, _BatchNorm) and chosen(name):
                norm._frozen = True
                norm.eval()
    return _set(module, chosen, False)


def unfreeze(
    module: Module, patterns: None | str | Sequence[str] = None, except_: None | str | Sequence[str] = None
) -> list[str]:
    """Gives parameters and batch norms back to training, see :func:`freeze`.

    >>> model = pydl.nn.Sequential(pydl.nn.Linear(2, 3), pydl.nn.Linear(3, 5))
    >>> _ = pydl.hub.freeze(model)
    >>> pydl.hub.unfreeze(model, "1")
    ['1.weight', '1.bias']
    """
    chosen = _selection(module, patterns, except_)
    for name, norm in module.named_modules():
        if isinstance(norm, _BatchNorm) and chosen(name):
            norm._frozen = False
            norm.train(module.training)
    return _set(module, chosen, True)


def _set(module: Module, chosen: Callable[[str], bool], value: bool) -> list[str]:
    names = []
    for name, parameter in module.named_parameters():
        if chosen(name):
            parameter.requires_grad_(value)
            names.append(name)
    return names
