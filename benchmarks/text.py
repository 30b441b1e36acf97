"""Accuracy of the SST-2 recipes from scratch, each file's, and of linear models on n-grams, on the same sentences.

    TKIT_TEST_DATA=DIR python benchmarks/text.py          # DIR holds sst2/{train,dev,test}.tsv
    TKIT_TEST_DATA=DIR python benchmarks/text.py PART     # only the runs whose names contain PART

6,920 sentences train, 872 (dev) choose, 1,821 measure once. Each run is whole commands: `tkit run`, of one seed of each
best recipe also `tkit compress` with `STEPS` and `tkit export`. The linear models are scikit-learn's, on TF-IDF of word
1-2-grams and, for the last one, character 2-5-grams within words; their strength of regularization is chosen on dev.
What is measured stays in benchmarks/results/text.jsonl, and a run that is there is not made again.
"""

from __future__ import annotations

import os
import sys
import time
import zlib
from pathlib import Path
from statistics import mean
from typing import Any

from _report import publish
from _sides import RESULTS, append, machine, read
from accuracy import called, identity

RECIPES, SEEDS = ("sst2_fasttext", "sst2_transformer", "sst2_cnn", "sst2_lstm"), range(3)
BEST = "sst2_fasttext"
STEPS = ("prune:sparsity=0.2,epochs=1", "cluster:clusters=12,epochs=1", "quantize:aware=true,epochs=1")
LINEAR = {
    "linear SVM, words": ("svm", False),
    "logistic regression, words": ("logistic", False),
    "linear SVM, words and characters": ("svm", True),
}
FORMATS = ("float32", "float16", "dynamic", "int8")


def main() -> None:
    folder = os.environ.get("TKIT_TEST_DATA")
    if not folder:
        print("text.py is left out: TKIT_TEST_DATA doesn't say where sst2/ is.")
        return
    data, part = str(Path(folder) / "sst2"), sys.argv[1] if len(sys.argv) > 1 else ""
    path = RESULTS / "text.jsonl"
    wanted = {f"{recipe}, seed {seed}": (recipe, seed) for recipe in RECIPES for seed in SEEDS}
    for name in (*wanted, *LINEAR):
        key = identity(wanted[name][0], (f"seed={wanted[name][1]}",)) if name in wanted else name
        if part not in name or any((row["run"], row["recipe"]) == (name, key) for row in read(path, anywhere=True)):
            continue
        print(f"{name} ...", file=sys.stderr, flush=True)
        began = time.perf_counter()
        figures = once(*wanted[name], data) if name in wanted else linear(data, *LINEAR[name])
        append(path, {"run": name, "recipe": key, **figures, "minutes": round((time.perf_counter() - began) / 60, 1)})
    report(read(path, anywhere=True))


def once(recipe: str, seed: int, data: str) -> dict[str, Any]:
    """One run's figures; accuracies are shares of the test sentences."""
    tkit = str(Path(sys.executable).with_name("tkit"))
    runs = ("--runs-dir", str(RESULTS / "runs"))
    quick = ("bench.threads=1", "bench.kernels=xnnpack", "bench.seconds=0.2")
    made = called(tkit, "run", "--recipe", recipe, "--data", data, *runs, *quick, f"seed={seed}", "--json")
    run = made["fit"]["run"]
    keras = called(tkit, "evaluate", run, "--json")
    found = {
        "keras": keras["accuracy"],
        "dev": made["fit"]["metrics"]["val_accuracy"],
        "samples": keras["samples"],
        "parameters": made["fit"]["parameters"],
        "files": files(Path(run) / "float" / "export", made["bench"]["metrics"]["results"]),
    }
    if recipe == BEST:
        made = called(tkit, "compress", run, *STEPS, "--json")
        called(tkit, "export", run, "--variant", made["variant"], "--json")
        rows = called(tkit, "bench", run, "--variant", made["variant"], *quick, "--json")["results"]
        found["compressed"] = files(Path(run) / made["variant"] / "export", rows)
    return found


def files(folder: Path, rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Of each format bytes, bytes of its zip, test accuracy and latency."""
    return {
        row["format"]: {
            "bytes": row["bytes"],
            "zip": len(zlib.compress((folder / row["file"]).read_bytes(), 9)),
            "accuracy": row["score"]["value"],
            "p50_ms": row["p50_ms"],
        }
        for row in rows
    }


def linear(data: str, kind: str, characters: bool) -> dict[str, Any]:
    """A linear model's test accuracy, its regularization chosen on dev."""
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    from tkit_pipelines.corpus import read_corpus

    corpus = read_corpus(data, labels="classes", text=None, label=None, skip_bad=False)
    own = corpus.train - corpus.validation
    parts = slice(own), slice(own, corpus.train), slice(corpus.train, None)
    (train, dev, test), (known, chosen, truth) = (
        [items[part] for part in parts] for items in (corpus.texts, corpus.labels)
    )

    def model(strength: float) -> Any:
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
        within = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
        last = LinearSVC(C=strength) if kind == "svm" else LogisticRegression(C=strength, max_iter=2000)
        return make_pipeline(make_union(words, within) if characters else words, last).fit(train, known)

    tried = [model(strength) for strength in (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)]
    best = max(tried, key=lambda found: found.score(dev, chosen))
    weights = int(np.prod(best[-1].coef_.shape))
    return {
        "dev": best.score(dev, chosen),
        "keras": best.score(test, truth),
        "samples": len(test),
        "parameters": weights,
    }


def report(rows: list[dict[str, Any]]) -> None:
    """The page's section and the README's rows."""
    newest = {row["run"]: row for row in rows}
    if not newest:
        return
    lines = ["| run | weights | dev | Keras, test | " + " | ".join(FORMATS) + " | int8 bytes | int8 zip | on |"]
    lines.append("| --- " * (len(FORMATS) + 7) + "|")
    for name, row in newest.items():
        stored = row.get("files", {})
        cells = [f"{row['parameters']:,}", *(f"{row[key]:.2%}" for key in ("dev", "keras"))]
        cells += [f"{stored[fmt]['accuracy']:.2%}" if fmt in stored else "" for fmt in FORMATS]
        cells += [f"{stored['int8'][key]:,}" if "int8" in stored else "" for key in ("bytes", "zip")]
        lines.append(f"| {name} | {' | '.join(cells)} | {machine(row)} |")
    samples = next(iter(newest.values()))["samples"]
    body = f"Test accuracy on {samples:,} sentences, trained from scratch on 6,920.\n\n" + "\n".join(lines)
    main_rows = [row for recipe in RECIPES for row in summary(recipe, newest)]
    main_rows += [
        (f"SST-2, {name}, test accuracy", f"{newest[name]['keras']:.2%}") for name in LINEAR if name in newest
    ]
    publish("text", "Accuracy of the SST-2 recipes", body, main_rows, {"all": list(newest.values())})


def summary(recipe: str, rows: dict[str, dict[str, Any]]) -> list[tuple[str, str]]:
    """A recipe's rows of the README: mean and range of its seeds."""
    seeds = [row for name, row in rows.items() if name.startswith(f"{recipe}, seed")]
    if not seeds:
        return []
    fmt = "int8" if all("int8" in row["files"] for row in seeds) else "dynamic"
    values = [100 * row["files"][fmt]["accuracy"] for row in seeds]
    found = [
        (
            f"SST-2, `{recipe}`, {fmt} file of {seeds[0]['files'][fmt]['bytes']:,} bytes, test accuracy, mean of "
            f"{len(seeds)} seeds (range)",
            f"{mean(values):.2f} % ({min(values):.2f} to {max(values):.2f})",
        )
    ]
    small = [row for row in seeds if "compressed" in row]
    if small:
        ratio = mean(row["files"]["int8"]["zip"] / row["compressed"]["int8"]["zip"] for row in small)
        drop = mean(100 * (row["files"]["int8"]["accuracy"] - row["compressed"]["int8"]["accuracy"]) for row in small)
        found.append(
            (
                f"SST-2, `{recipe}` pruned, clustered, quantized: zip of the int8 file, times smaller; drop",
                f"{ratio:.2f} x; {drop:.2f} points",
            )
        )
    return found


if __name__ == "__main__":
    main()
