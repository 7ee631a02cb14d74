"""Changing parts of a model folder of nnU-Net."""

import json

import torch


def rewrite(folder, file, change):
    document = json.loads((folder / file).read_text())
    change(document)
    (folder / file).write_text(json.dumps(document))


def change_checkpoint(folder, change, fold="0"):
    path = folder / f"fold_{fold}" / "checkpoint_final.pth"
    document = torch.load(path, weights_only=True)
    change(document)
    torch.save(document, path)
