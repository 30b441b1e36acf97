"""IMDB's reviews with a two-block Transformer encoder over WordPieces, the first 255 of a review.

    tkit run --recipe imdb_transformer      # downloads IMDB through TensorFlow Datasets; or --data ./aclImdb

Source of the data: Maas et al. 2011. Not yet measured.
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
        name="imdb_transformer",
        task=Classification(label_smoothing=0.1),
        data=Texts(
            source="tfds:imdb_reviews", length=256, batch_size=64, tokenizer=WordPiece(size=8192), word_dropout=0.1
        ),
        model=Transformer(depth=2, width=64, dropout=0.2),
        fit=Fit(epochs=10, optimizer=AdamW(learning_rate=1e-3), schedule=Cosine(warmup=0.1), ema=0.995),
    )
