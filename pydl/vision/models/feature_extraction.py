"""The same as :mod:`pydl.vision.feature_extraction`."""

from pydl.vision.feature_extraction import create_feature_extractor, get_graph_node_names

__all__ = ["create_feature_extractor", "get_graph_node_names"]
