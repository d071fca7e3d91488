"""The short-time Fourier transform and its inverse."""

from __future__ import annotations

import warnings
from typing import Any

import pydl
from pydl import Tensor
from pydl.fft._transforms import fft, ifft, irfft, rfft
from pydl.linalg._checks import check_float, check_tensor

__all__ = ["istft", "stft"]


def _window(op: str, window: Any, n_fft: int, win_length: int, like: Tensor) -> Tensor:
    """The window in the middle of n_fft elements."""
    if window is None:
        window = pydl.ones(win_length, dtype=like.dtype.to_real())  # type: ignore[attr-defined]
    check_tensor(op, window, "window")
    if window.dim() != 1 or window.shape[0] != win_length:
        raise pydl.ShapeError(
            f"{op}(): expected a 1D window tensor of size equal to win_length={win_length}, "
            f"but got window with size {list(window.shape)}"
        )
    if win_length == n_fft:
        return window
    left = (n_fft - win_length) // 2
    ends = [pydl.zeros(k, dtype=window.dtype) for k in (left, n_fft - win_length - left)]  # type: ignore[attr-defined]
    return pydl.cat([ends[0], window, ends[1]])


def _padded(x: Tensor, count: int, mode: str) -> Tensor:
    """``count`` elements more at both ends of the last dim."""
    n = x.shape[-1]
    if mode == "constant":
        end = pydl.zeros((*x.shape[:-1], count), dtype=x.dtype)
        return pydl.cat([end, x, end], -1)
    places = pydl.arange(-count, n + count)  # type: ignore[attr-defined]
    if mode == "reflect":
        if count >= n:
            raise RuntimeError(
                f"stft(): Padding size should be less than the corresponding input dimension, but got: padding "
                f"({count}, {count}) at dimension {x.dim() - 1} of input {list(x.shape)}"
            )
        places = places.abs()
        places = (n - 1) - ((n - 1) - places).abs()
    elif mode == "replicate":
        places = places.clamp(0, n - 1)
    elif mode == "circular":
        places = places % n
    else:
        raise NotImplementedError(f"stft(): Unrecognised padding mode {mode}")
    return x.index_select(-1, places)


def _lengths(op: str, n_fft: int, hop_length: Any, win_length: Any) -> tuple[int, int]:
    hop = n_fft // 4 if hop_length is None else hop_length
    win = n_fft if win_length is None else win_length
    if n_fft <= 0:
        raise RuntimeError(f"{op}(): expected n_fft > 0, but got n_fft={n_fft}")
    if hop <= 0:
        raise RuntimeError(f"{op}(): expected hop_length > 0, but got hop_length={hop}")
    if not 0 < win <= n_fft:
        raise RuntimeError(f"{op}(): expected 0 < win_length <= n_fft, but got win_length={win}")
    return hop, win


def stft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
    window: Tensor | None = None, center: bool = True, pad_mode: str = "reflect", normalized: bool = False,
    onesided: bool | None = None, return_complex: bool | None = None, align_to_window: bool | None = None,
) -> Tensor:  # fmt: skip
    """Fourier transforms of windows of a signal (n,) or (batch, n): (batch, frequencies, frames).

    Frame t starts at t * hop_length (default n_fft // 4) and is multiplied by the ``window`` of win_length (default
    n_fft) elements. With ``center`` the signal is padded by n_fft // 2 at both ends as ``pad_mode`` says ('reflect',
    'constant', 'replicate', 'circular'). ``normalized`` divides by the root of n_fft. ``onesided`` (default for real
    input) keeps n_fft // 2 + 1 frequencies. ``return_complex`` must be given for real input; False returns the parts
    in a last dim of 2.

    Raises:
        RuntimeError: for lengths that do not fit.

    Example:
        >>> import pydl
        >>> pydl.stft(pydl.ones(16), 8, window=pydl.ones(8), return_complex=True).shape
        torch.Size([5, 9])
    """
    check_float("stft", input, "input")
    hop, win = _lengths("stft", n_fft, hop_length, win_length)
    complex_input = input.is_complex() or (window is not None and window.is_complex())
    if return_complex is None:
        if not complex_input:
            raise RuntimeError(
                "stft(): requires the return_complex parameter be given for real inputs, and will further require that "
                "return_complex=True in a future release."
            )
        return_complex = True
    if center and align_to_window is not None:
        raise RuntimeError("stft(): align_to_window should only be set when center = false")
    if input.dim() not in (1, 2):
        raise pydl.ShapeError(f"stft(): expected a 1D or 2D tensor, got {input.dim()}D")
    onesided = not complex_input if onesided is None else onesided
    if onesided and complex_input:
        raise RuntimeError("stft(): Cannot have onesided output if window or input is complex")
    x = input if input.dim() == 2 else input.unsqueeze(0)
    if center:
        x = _padded(x, n_fft // 2, pad_mode)
    elif align_to_window:
        x = _padded(x, (n_fft - win) // 2, "constant")
    if not n_fft <= x.shape[-1]:
        raise RuntimeError(f"stft(): expected 0 < n_fft <= {x.shape[-1]}, but got n_fft={n_fft}")
    frames = x.unfold(-1, n_fft, hop)
    if window is not None or win < n_fft:
        frames = frames * _window("stft", window, n_fft, win, input)
    norm = "ortho" if normalized else None
    found = (rfft(frames, norm=norm) if onesided else fft(frames, norm=norm)).transpose(1, 2)
    found = found if input.dim() == 2 else found.squeeze(0)
    return found if return_complex else pydl.view_as_real(found)  # type: ignore[attr-defined]


def _overlapped(frames: Tensor, hop: int) -> Tensor:
    """Frames (b, t, n) added up at their places: (b, (t - 1) hop + n)."""
    batch, count, n = frames.shape
    places = (pydl.arange(count).unsqueeze(1) * hop + pydl.arange(n)).reshape(-1)  # type: ignore[attr-defined]
    total = pydl.zeros((batch, (count - 1) * hop + n), dtype=frames.dtype)
    return total.index_add(1, places, frames.reshape(batch, count * n))


def _check_spectrum(input: Tensor, n_fft: int, onesided: bool | None, return_complex: bool) -> bool:
    if not input.is_complex():
        raise RuntimeError("istft(): requires a complex-valued input tensor matching the output from stft")
    if input.numel() == 0:
        raise RuntimeError("istft(): input tensor cannot be empty.")
    if input.dim() not in (2, 3):
        raise pydl.ShapeError(f"istft(): expected a tensor with 2 or 3 dimensions, but got {input.dim()}")
    size = input.shape[-2]
    onesided = size != n_fft if onesided is None else onesided
    expected = n_fft // 2 + 1 if onesided else n_fft
    if size != expected:
        raise RuntimeError(
            f"istft(): expected the frequency dimension (3rd to the last) of the input tensor to match "
            f"{'n_fft / 2 + 1' if onesided else 'n_fft'} = {expected}, but got {size}"
        )
    if return_complex and onesided:
        raise RuntimeError("istft(): Cannot have onesided with return_complex")
    return onesided


def istft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
    window: Tensor | None = None, center: bool = True, normalized: bool = False, onesided: bool | None = None,
    length: int | None = None, return_complex: bool = False,
) -> Tensor:  # fmt: skip
    """The signal of which `stft` gives ``input`` (frequencies, frames) or (batch, frequencies, frames).

    Least squares over the overlapping windows (Griffin and Lim, "Signal estimation from modified short-time Fourier
    transform", 1984). ``length`` cuts the result or fills it up with zeros; the other arguments are those of `stft`.

    Raises:
        RuntimeError: if the windows leave a gap, or lengths do not fit.

    Example:
        >>> import pydl
        >>> spectrum = pydl.stft(pydl.ones(16), 8, window=pydl.ones(8), return_complex=True)
        >>> pydl.istft(spectrum, 8, window=pydl.ones(8)).shape
        torch.Size([16])
    """
    check_tensor("istft", input, "input")
    hop, win = _lengths("istft", n_fft, hop_length, win_length)
    if hop > win:
        raise RuntimeError(f"istft(): expected 0 < hop_length <= win_length, but got hop_length={hop}")
    onesided = _check_spectrum(input, n_fft, onesided, return_complex)
    shape = _window("istft", window, n_fft, win, input)
    if shape.is_complex() and not return_complex:
        raise RuntimeError("istft(): Complex windows are incompatible with return_complex=False")
    spectrum = (input if input.dim() == 3 else input.unsqueeze(0)).transpose(1, 2)
    norm = "ortho" if normalized else None
    if return_complex:
        frames = ifft(spectrum, norm=norm)
    else:
        frames = irfft(spectrum if onesided else spectrum[..., : n_fft // 2 + 1], n_fft, norm=norm)
    signal = _overlapped(frames * shape, hop)
    count = spectrum.shape[1]
    envelope = _overlapped((shape * shape).expand(1, count, n_fft), hop)
    total = signal.shape[-1]
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else total - n_fft // 2 if center else total
    signal, envelope = signal[:, start:end], envelope[:, start:end]
    if envelope.numel() == 0 or float(envelope.detach().abs().min()) < 1e-11:
        raise RuntimeError("istft(): window overlap add min: 1: the windows leave a gap in the signal")
    signal = signal / envelope
    if end > total:
        warnings.warn(
            "The length of signal is shorter than the length parameter. Result is being padded with zeros in the tail.",
            stacklevel=2,
        )
        tail = pydl.zeros((signal.shape[0], end - total), dtype=signal.dtype)
        signal = pydl.cat([signal, tail], 1)
    return signal if input.dim() == 3 else signal.squeeze(0)
