"""AG News, four topics of 120,000 descriptions, with a one-block Transformer encoder over WordPieces.

    tkit run --recipe ag_news_transformer      # downloads AG News through TensorFlow Datasets

Source of the data: Zhang et al. 2015. Not yet measured.
"""

from tkit.models.transformer import Transformer
from tkit.recipe import Recipe
from tkit.tasks.classification import Classification
from tkit.training.config import Fit
from tkit.training.optimizers.adamw import AdamW
from tkit.training.schedules.cosine import Cosine
from tkit_pipelines.data.texts import Texts
from tkit_pipelines.tokenizers.wordpiece import WordPiece


def recipe() -> Recipe:
    """64 features, 4 heads, 8,192 pieces."""
    return Recipe(
        name="ag_news_transformer",
        task=Classification(label_smoothing=0.05),
        data=Texts(
            source="tfds:ag_news_subset", length=64, batch_size=128, tokenizer=WordPiece(size=8192), word_dropout=0.1
        ),
        model=Transformer(depth=1, width=64, dropout=0.1),
        fit=Fit(epochs=5, optimizer=AdamW(learning_rate=1e-3), schedule=Cosine(warmup=0.1), ema=0.999),
    )
