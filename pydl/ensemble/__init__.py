"""Several models as one: voting, bagging, stacking, snapshots of one training. With scikit-learn's conventions."""

from __future__ import annotations

from pydl.ensemble.bagging import BaggingEnsemble
from pydl.ensemble.snapshot import SnapshotEnsemble
from pydl.ensemble.stacking import StackingEnsemble
from pydl.ensemble.voting import VotingEnsemble

__all__ = ["BaggingEnsemble", "SnapshotEnsemble", "StackingEnsemble", "VotingEnsemble"]
