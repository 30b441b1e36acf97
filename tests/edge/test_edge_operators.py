"""Times of single operators, by timing prefixes of the file."""

import json

import numpy as np
import pytest

from tkit_edge import flatbuffer, operators, prefixes, runtime
from tkit_edge.bench import bench
from tkit_edge.errors import InputError
from tkit_edge.graph import Graph, Operator, Tensor
from tkit_edge.table import table


def run(data, kernels, image):
    """The outputs of a file, by tensor number."""
    interpreter = runtime.load(data, 1, kernels)
    (item,) = interpreter.get_input_details()
    interpreter.set_tensor(item["index"], image.astype(item["dtype"]))
    interpreter.invoke()
    return {item["index"]: interpreter.get_tensor(item["index"]) for item in interpreter.get_output_details()}


@pytest.mark.parametrize("name", ["float32", "int8", "int16x8", "dynamic", "sparse"])
def test_each_prefix_gives_what_the_whole_file_has_there(made, originals, name):
    """Against the runtime's own intermediate tensors, which it keeps when asked."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    data = (made / f"{name}.tflite").read_bytes()
    graph = flatbuffer.read(data)
    image = originals[0][:1].astype(np.int32) - (128 if name == "int8" else 0)
    whole = Interpreter(
        model_content=data,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
    )
    whole.allocate_tensors()
    (item,) = whole.get_input_details()
    whole.set_tensor(item["index"], image.astype(item["dtype"]))
    whole.invoke()
    ends = prefixes.ends(graph)
    assert ends == list(range(1, len(graph.operators) + 1))
    for end in ends:
        found = run(prefixes.prefix(data, end, name), "reference", image)
        assert found
        for index, values in found.items():
            np.testing.assert_array_equal(values, whole.get_tensor(index))


def test_what_later_operators_take_stays_an_output(made):
    """Both ends of two branches, so that nothing of a prefix is left out."""
    data = (made / "pair.tflite").read_bytes()
    graph = flatbuffer.read(data)
    for end in prefixes.ends(graph):
        cut = flatbuffer.read(prefixes.prefix(data, end, "pair"))
        made_here = {number for operator in cut.operators for number in operator.outputs}
        taken = {number for operator in cut.operators for number in operator.inputs}
        assert set(cut.outputs) == (made_here - taken if end < len(graph.operators) else set(graph.outputs))
        runtime.load(prefixes.prefix(data, end, "pair")).invoke()


def test_operators_that_give_no_numbers_go_with_the_next():
    def tensor(dtype):
        nothing = np.empty(0)
        return Tensor("", (1,), (1,), dtype, 0, memoryview(b""), nothing, nothing, 0, None)

    tensors = tuple(map(tensor, ("float32", "resource", "float32")))
    steps = (Operator("VAR_HANDLE", (), (1,)), Operator("ADD", (0, 1), (2,)), Operator("ASSIGN_VARIABLE", (1, 2), ()))
    assert prefixes.ends(Graph(tensors, steps, (0,), (2,))) == [2, 3]


@pytest.mark.parametrize("kernels", ["xnnpack", "builtin"])
def test_the_operators_of_a_file_add_up_to_it(made, kernels):
    report = bench(made / "float32.tflite", kernels=[kernels], threads=[1], seconds=0.05, operator_times=True)
    (times,) = report.operators
    graph = flatbuffer.read((made / "float32.tflite").read_bytes())
    assert [item.name for item in times.operators] == [operator.name for operator in graph.operators]
    assert (times.method, times.kernels, times.threads) == ("prefixes", kernels, 1)
    assert sum(item.share for item in times.operators) == pytest.approx(1)
    assert sum(item.time_ms for item in times.operators) == pytest.approx(times.total_ms, rel=0.5)
    for item in times.operators:
        assert item.interval_ms[0] <= item.time_ms <= item.interval_ms[1]
    lines = table(report).splitlines()
    start = next(number for number, line in enumerate(lines) if "operators by timing prefixes of the file" in line)
    assert [line.split()[1] for line in lines[start + 2 :]] == [item.name for item in times.operators]
    json.dumps(report.as_dict(), allow_nan=False)


def test_a_slow_operator_shows(made):
    """The convolutions have most of the file's work."""
    graph = flatbuffer.read((made / "float32.tflite").read_bytes())
    found = operators.timed(made / "float32.tflite", graph, None, 1, "reference", 60)
    slowest = max(found.operators, key=lambda item: item.time_ms)
    assert slowest.name in ("CONV_2D", "DEPTHWISE_CONV_2D")


def test_a_damaged_file_is_not_cut(made):
    data = bytearray((made / "float32.tflite").read_bytes())
    at, _ = flatbuffer.main_graph_places(bytes(data), "x")
    with pytest.raises(InputError):
        prefixes.prefix(bytes(data[: at + 2]), 1, "x.tflite")
