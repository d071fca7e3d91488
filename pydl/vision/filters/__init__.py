"""Edges and smoothing, as layers."""

from pydl.vision.filters.canny import Canny
from pydl.vision.filters.edges import Laplacian, Scharr, Sobel
from pydl.vision.filters.smoothing import BilateralFilter, GaussianFilter, bilateral_filter

__all__ = ["BilateralFilter", "Canny", "GaussianFilter", "Laplacian", "Scharr", "Sobel", "bilateral_filter"]
