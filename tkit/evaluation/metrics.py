"""A classifier's metrics from its probabilities, computed by scikit-learn except for the calibration error.

Source of the calibration error: Naeini et al. 2015 (expected calibration error), as Guo et al. 2017 use it for
networks: "On Calibration of Modern Neural Networks", 15 bins of equal width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn import metrics

from tkit_edge.accuracy import wilson

BINS = 15
TOP = 5


def figures(labels: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str]) -> dict[str, Any]:
    """Accuracy with its interval, top-5, per-class metrics, confusion matrix and calibration.

    Args:
        labels: int [n], the true classes.
        probabilities: float32 [n, classes].
        class_names: the classes in order.

    Returns:
        JSON values: samples, accuracy, interval (95 %, Wilson), top5 (None up to 5 classes), macro (means over the
        classes), per_class (precision, recall, f1, support), confusion (rows the true class), calibration.
    """
    classes = range(len(class_names))
    predicted = probabilities.argmax(axis=1)
    correct = int(np.sum(predicted == labels))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=list(classes), zero_division=0.0
    )
    top5 = None
    if len(class_names) > TOP:
        top5 = float(metrics.top_k_accuracy_score(labels, probabilities, k=TOP, labels=list(classes)))
    return {
        "samples": len(labels),
        "accuracy": float(metrics.accuracy_score(labels, predicted)),
        "interval": list(wilson(correct, len(labels))),
        "top5": top5,
        "macro": {"precision": float(precision.mean()), "recall": float(recall.mean()), "f1": float(f1.mean())},
        "per_class": [
            {
                "name": name,
                "precision": float(precision[index]),
                "recall": float(recall[index]),
                "f1": float(f1[index]),
                "support": int(support[index]),
            }
            for index, name in enumerate(class_names)
        ],
        "confusion": metrics.confusion_matrix(labels, predicted, labels=list(classes)).tolist(),
        "calibration": calibration(labels, probabilities),
    }


def calibration(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    """The expected calibration error, and each bin's mean confidence and accuracy.

    The error is the mean over the images of |accuracy - confidence| of their bin; confidence is the likeliest
    class's probability.
    """
    confidence = np.clip(probabilities.max(axis=1).astype(np.float64), 0.0, 1.0)
    correct = probabilities.argmax(axis=1) == labels
    numbers = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)  # bins (a, b], as in the paper
    bins: list[dict[str, Any]] = []
    error = 0.0
    for number in range(BINS):
        members = numbers == number
        count = int(members.sum())
        item = {
            "from": number / BINS,
            "to": (number + 1) / BINS,
            "samples": count,
            "confidence": None,
            "accuracy": None,
        }
        if count:
            item |= {"confidence": float(confidence[members].mean()), "accuracy": float(correct[members].mean())}
            error += count / len(labels) * abs(correct[members].mean() - confidence[members].mean())
        bins.append(item)
    return {"error": float(error), "bins": bins}


def mistakes(labels: np.ndarray, probabilities: np.ndarray, most: int) -> list[dict[str, Any]]:
    """The wrong predictions with the highest confidence: index, true, predicted, confidence; at most `most`."""
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    chosen = wrong[np.argsort(-confidence[wrong], kind="stable")][:most]
    return [
        {
            "index": int(index),
            "true": int(labels[index]),
            "predicted": int(predicted[index]),
            "confidence": float(confidence[index]),
        }
        for index in chosen
    ]
