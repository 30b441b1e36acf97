"""Google's litert-quantizer (formerly ai-edge-quantizer): static int8 from the float32 file."""

from _peers.given import Given


def make(given: Given) -> bytes:
    from ai_edge_litert.interpreter import Interpreter
    from litert_quantizer import Quantizer, recipe

    signatures = Interpreter(str(given.float32)).get_signature_list()
    ((key, signature),) = signatures.items()
    quantizer = Quantizer(str(given.float32), recipe.static_wi8_ai8())
    examples = [{signature["inputs"][0]: batch} for (batch,) in given.examples()]
    return bytes(quantizer.quantize(quantizer.calibrate({key: examples})).quantized_model)
