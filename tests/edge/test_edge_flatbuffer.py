import struct
import time

import numpy as np
import pytest

from tkit_edge import anatomy, flatbuffer, runtime
from tkit_edge.errors import InputError
from tkit_edge.graph import Graph, Operator, macs, parameters
from tkit_edge.options import LAYOUTS


@pytest.mark.parametrize("name", ["float32", "float16", "dynamic", "int8", "uint8", "int16x8"])
def test_tensors_and_operators_are_those_that_the_runtime_sees(made, name):
    graph = flatbuffer.read((made / f"{name}.tflite").read_bytes())
    # The reference kernels fold nothing into a delegate.
    theirs = runtime.load(made / f"{name}.tflite", kernels="reference")
    details = {item["index"]: item for item in theirs.get_tensor_details()}
    assert len(details) >= len(graph.tensors)
    for index, tensor in enumerate(graph.tensors):
        item = details[index]
        assert tensor.name == item["name"]
        assert tensor.shape == tuple(item["shape"])
        assert tensor.signature == tuple(item["shape_signature"])
        assert tensor.dtype == np.dtype(item["dtype"]).name
        quantization = item["quantization_parameters"]
        assert np.array_equal(tensor.scales, quantization["scales"])
        assert np.array_equal(tensor.zero_points, quantization["zero_points"])
        assert tensor.axis == quantization["quantized_dimension"]
        if len(tensor.data):
            assert tensor.data == theirs.get_tensor(index).tobytes()
    operators = [(item["op_name"], *map(list, (item["inputs"], item["outputs"]))) for item in theirs._get_ops_details()]
    assert [(item.name, list(item.inputs), list(item.outputs)) for item in graph.operators] == operators
    assert list(graph.inputs) == [item["index"] for item in theirs.get_input_details()]
    assert list(graph.outputs) == [item["index"] for item in theirs.get_output_details()]


def test_names_of_builtin_operators_are_the_schemas():
    from ai_edge_litert import schema_py_generated as schema

    from tkit_edge.opnames import BUILTIN_OPERATORS, TENSOR_TYPES

    theirs = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    assert dict(enumerate(BUILTIN_OPERATORS)).items() <= theirs.items()
    types = {number: name.lower() for name, number in vars(schema.TensorType).items() if isinstance(number, int)}
    assert dict(enumerate(TENSOR_TYPES)).items() <= types.items()


@pytest.mark.parametrize("name", ["float32", "float16", "int8", "int16x8"])
def test_macs_and_parameters_by_hand(made, name):
    graph = flatbuffer.read((made / f"{name}.tflite").read_bytes())
    convolution = (4 * 4) * 4 * (3 * 3 * 3)
    depthwise = (4 * 4 * 4) * (3 * 3)
    dense = (4 * 4 * 4) * 5
    assert macs(graph) == convolution + depthwise + dense == 2624
    weights = (3 * 3 * 3 * 4 + 4) + (3 * 3 * 4 + 4) + (64 * 5 + 5)
    assert parameters(graph) == weights + 2  # and Rescaling's scale and offset


def test_macs_of_matrix_products_and_of_what_cannot_be_counted(made):
    tensors = flatbuffer.read((made / "float32.tflite").read_bytes()).tensors

    def graph(name, *shapes):
        made = tuple(tensors[0].__class__(**{**vars(tensors[0]), "shape": shape}) for shape in shapes)
        return Graph(made, (Operator(name, tuple(range(len(shapes) - 1)), (len(shapes) - 1,)),), (0,), ())

    product = 2 * 3 * 5 * 7
    assert macs(graph("BATCH_MATMUL", (2, 3, 7), (2, 7, 5), (2, 3, 5))) == product
    assert macs(graph("BATCH_MATMUL", (2, 7, 3), (2, 7, 5), (2, 3, 5))) == product  # the left one transposed
    assert macs(graph("TRANSPOSE_CONV", (4,), (8, 2, 2, 3), (1, 5, 5, 3), (1, 10, 10, 8))) == 5 * 5 * 3 * 8 * 2 * 2
    assert macs(graph("WHILE", (1,), (1,))) is None
    assert macs(graph("CUSTOM:mine", (1,), (1,))) is None
    with pytest.raises(InputError, match="CONV_2D"):
        macs(graph("CONV_2D", (1, 8, 8, 3), (4, 3), (1, 8, 8, 4)))


def test_every_truncation_is_an_input_error(made):
    data = (made / "int8.tflite").read_bytes()
    for length in range(0, len(data) - 64, 7):
        try:
            flatbuffer.read(data[:length])
        except InputError:
            continue
        # Only what lies behind the last byte that is referred to may be missing.
        assert length > len(data) * 0.9


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\x1c\0\0\0TFL3", b"PK\3\4" * 10, b"\xff\xff\xff\xffTFL3" + bytes(64)])
def test_foreign_bytes(data):
    with pytest.raises(InputError, match=r"my.tflite"):
        flatbuffer.read(data, "my.tflite")


@pytest.mark.parametrize("name", ["int8", "sparse"])
def test_random_damage_ends_in_an_input_error_or_a_graph(made, name):
    data = (made / f"{name}.tflite").read_bytes()
    random = np.random.default_rng(0)
    outcomes = set()
    for _ in range(1500):
        damaged = bytearray(data)
        for position in random.integers(8, len(data), 4):
            damaged[position] = random.choice([0, 1, 127, 128, 255])
        try:
            graph = flatbuffer.read(bytes(damaged))
            macs(graph), parameters(graph)
            anatomy.dissect(bytes(damaged))  # the values too
            outcomes.add("graph")
        except InputError:
            outcomes.add("error")
    assert outcomes == {"graph", "error"}


def bomb(copies):
    """A file whose vector of tensors names one table `copies` times: small on disk, enormous when unfolded."""
    vector = 80
    table = vector + 4 + 4 * copies + 4
    data = bytearray(table + 8)
    struct.pack_into("<I4s", data, 0, 20, b"TFL3")
    struct.pack_into("<HHHHH", data, 8, 10, 8, 0, 0, 4)  # vtable of Model: field 2, subgraphs
    struct.pack_into("<iI", data, 20, 20 - 8, 32 - 24)
    struct.pack_into("<II", data, 32, 1, 52 - 36)
    struct.pack_into("<HHH", data, 40, 6, 8, 4)  # vtable of SubGraph: field 0, tensors
    struct.pack_into("<iI", data, 52, 52 - 40, vector - 56)
    struct.pack_into("<I", data, vector, copies)
    struct.pack_into("<HHi", data, table - 4, 4, 4, 4)  # a Tensor without fields behind its vtable
    places = vector + 4 + 4 * np.arange(copies)
    data[vector + 4 : vector + 4 + 4 * copies] = (table - places).astype("<u4").tobytes()
    return bytes(data)


def test_a_small_file_that_describes_an_enormous_graph_is_refused_quickly():
    assert len(flatbuffer.read(bomb(10)).tensors) == 10
    began = time.process_time()
    with pytest.raises(InputError, match="larger graph"):
        flatbuffer.read(bomb(3_000_000))
    assert time.process_time() - began < 20


def test_options_of_operators_are_those_that_the_runtimes_schema_reads(made):
    from ai_edge_litert import schema_py_generated as schema

    data = (made / "float32.tflite").read_bytes()
    theirs = schema.ModelT.InitFromPackedBuf(data, 0).subgraphs[0].operators
    ours = flatbuffer.read(data).operators
    convolution, depthwise = (item for item in ours if "CONV" in item.name)
    assert convolution.options == {
        "padding": "SAME",
        "stride_width": 2,
        "stride_height": 2,
        "activation": "RELU",
        "dilation_width": 1,
        "dilation_height": 1,
    }
    assert depthwise.options["multiplier"] == 1
    assert depthwise.options["stride_height"] == 1
    for place, operator in enumerate(ours):
        if operator.options:
            assert LAYOUTS[operator.name].number == theirs[place].builtinOptionsType


def test_places_of_options_fields_are_the_schemas():
    from ai_edge_litert import schema_py_generated as schema

    def spelled(name):
        """The schema's name in lower case without what it has more of than ours."""
        other = {"activation": "fusedactivationfunction", "multiplier": "depthmultiplier"}
        axis = {"stride_width": "stridew", "stride_height": "strideh"}
        factor = {"dilation_width": "dilationwfactor", "dilation_height": "dilationhfactor"}
        product = {"adjoint_x": "adjx", "adjoint_y": "adjy", "batch_dimensions": "batchdims"}
        return {**other, **axis, **factor, **product}.get(name, name.replace("_", ""))

    unions = {number: name for name, number in vars(schema.BuiltinOptions).items() if isinstance(number, int)}
    for name, layout in LAYOUTS.items():
        table = unions[layout.number]
        assert table.lower() == name.replace("AVERAGE_", "").replace("MAX_", "").replace("_", "").lower() + "options"
        fields = list(vars(getattr(schema, table + "T")()).items())
        ours = [(spelled(field.name), field.default) for field in layout.fields]
        assert ours == [(theirs.lower(), default) for theirs, default in fields[: len(ours)]]


def test_options_of_another_operator_are_damage(made):
    from ai_edge_litert import schema_py_generated as schema

    data = bytearray((made / "float32.tflite").read_bytes())
    operator = schema.Model.GetRootAs(data, 0).Subgraphs(0).Operators(2)
    place = operator._tab.Pos + operator._tab.Offset(10)
    assert data[place] == LAYOUTS["CONV_2D"].number
    data[place] = LAYOUTS["ADD"].number
    with pytest.raises(InputError, match="CONV_2D has options of type 11"):
        flatbuffer.read(bytes(data))
