"""The deepset toolset: tools for the deepset AI platform, whose large results are passed by reference.

    coatcheck serve --toolset deepset

``coatcheck.toolsets.deepset.client`` is a client of the platform that can be used separately,
``coatcheck.toolsets.deepset.simulator`` a simulated platform. See ``docs/deepset.md``.
"""

from coatcheck.toolsets.deepset.containers import DeepsetContainer
from coatcheck.toolsets.deepset.deepset_settings import DeepsetSettings
from coatcheck.toolsets.deepset.deepset_toolset import TOOLSET
from coatcheck.toolsets.deepset.text_ranking import BM25Ranker, EmbeddingRanker, Ranker

__all__ = ["TOOLSET", "BM25Ranker", "DeepsetContainer", "DeepsetSettings", "EmbeddingRanker", "Ranker"]
