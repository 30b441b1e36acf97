"""A recurrent network over a text, in both directions.

Sources: Hochreiter and Schmidhuber 1997 (LSTM), Cho et al. 2014 (GRU), Schuster and Paliwal 1997 (both directions).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt

from tkit.models import Model, Spec

if TYPE_CHECKING:
    import keras


class Recurrent(Model):
    """One layer of LSTM or GRU cells, the mean of whose outputs is classified."""

    takes = ("text",)
    gives = ("classes", "number")
    kind: Literal["recurrent"] = "recurrent"
    cell: Literal["lstm", "gru"] = "lstm"
    """The kind of cell."""
    width: PositiveInt = 64
    """Features of a token."""
    units: PositiveInt = 64
    """Cells of each direction."""
    bidirectional: bool = True
    """Whether the text is read backwards too."""
    dropout: float = Field(0.5, ge=0, lt=1)
    """Share of the features that is dropped in training, of tokens and of the text."""

    def build(self, spec: Spec) -> keras.Model:
        """Int32 ids [batch, tokens] to the outputs of `head`."""
        from keras import layers, ops

        from tkit.models import _text
        from tkit.models._blocks import head

        ids, present = _text.tokens(spec)
        x = layers.Dropout(self.dropout, name="embedding_dropout")(_text.embedding(ids, spec, self.width))
        kind, mask = layers.LSTM if self.cell == "lstm" else layers.GRU, ops.not_equal(ids, 0)
        read = kind(self.units, return_sequences=True, name=self.cell)(x, mask=mask)
        if self.bidirectional:
            # Keras's Bidirectional masks other steps where it is unrolled, as int8 needs it (3.15).
            back = kind(self.units, return_sequences=True, go_backwards=True, name=f"{self.cell}_back")
            read = layers.Concatenate(name="directions")([read, ops.flip(back(x, mask=mask), axis=1)])
        x = layers.Dropout(self.dropout, name="dropout")(_text.mean(read, present))
        return _text.model(ids, head(x, spec), "recurrent")
