"""What several folders of tests need."""

import shutil
import signal
import subprocess

import numpy as np
import pytest

# Jobs started with `&` and some CI runners ignore SIGINT, and what is ignored stays so in children: the tests of Ctrl-C
# would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def tmpfs(tmp_path):
    """Makes a folder on a real file system of its own: `tmpfs("300k")`; skips where mounting is not allowed."""
    folder = tmp_path / "disk"

    def make(size):
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
            folder.rmdir()
            pytest.skip("a file system can't be mounted here; root may")
        return folder

    yield make
    if folder.exists():
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="session")
def generators(tmp_path_factory):
    """A folder with bundles of untrained generators: `plain`, 8x8 in grey, and `classes`, 8x8 in colour of three."""
    from tkit.conversion.converter import Converter, file_outputs
    from tkit.models import Spec
    from tkit.models.dcgan import DCGAN
    from tkit_edge.bundle_writing import write
    from tkit_edge.inputs.noise import Noise
    from tkit_edge.outputs.image import Image

    folder = tmp_path_factory.mktemp("generators")
    for name, input, output in (
        ("plain", Noise(6), Image(8, 8, 1)),
        ("classes", Noise(6, ("ant", "bee", "cat")), Image(8, 8, 3)),
    ):
        model = DCGAN(width=8).build(Spec(input.tensors, output.tensors, {}, input.sizes))
        for number, variable in enumerate(
            model.trainable_variables
        ):  # larger than at first, so that images have contrast
            random = np.random.default_rng(number)
            variable.assign(variable + random.normal(0, 0.2, variable.shape).astype(np.float32))
        noise = input.drawn(64, 0)
        with Converter(model, noise, io="int8", outputs=file_outputs(output)) as convert:
            models = {fmt: convert(fmt) for fmt in ("float32", "int8")}
        examples = {key: array[:4] for key, array in noise.items()}
        write(
            folder / name,
            task="noise-generation",
            input=input,
            output=output,
            models=models,
            examples=examples,
            targets={},
        )
    return folder
