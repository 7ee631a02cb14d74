"""nnU-Net v2's model folders: both generations of plans, safe loading, what is refused and how, and the way back."""

import numpy as np
import pytest
import torch
from nnunet_changes import change_checkpoint, rewrite
from small_unets import REGIONS, cascade_plan, image, small_unet
from unet_plans import architecture, configuration, plan

from mtann import segment
from mtann.cli import main
from mtann.errors import ImageError, ModelError, OutputError
from mtann.models.bundle import load_bundle, save_bundle
from mtann.models.nnunet.export import export_bundle
from mtann.models.nnunet.folder import import_folder, is_nnunet_folder
from mtann.models.nnunet.plans import read_plan
from mtann.segmentation.result import SegmentationSettings

CPU = SegmentationSettings(device="cpu", backend="torch", precision="fp32")


@pytest.fixture
def folder(tmp_path):
    """A model folder of two folds, as nnU-Net itself would write it."""
    (made,) = export_bundle(small_unet(folds=("0", "1"), mirror=(0, 1)), tmp_path / "nnunet")
    return made


@pytest.mark.parametrize(
    ("made", "names"),
    [
        (plan(channels=2, configurations=(configuration(channels=2, normalisation=("ct", "z_score")),)), None),
        (plan(configurations=(configuration("2d", spacing=(0.5, 0.7)),), transpose_forward=(1, 0, 2)), None),
        (plan(**REGIONS, ignore_label=3), None),
        (plan(configurations=(configuration(architecture=architecture(network="residual_unet")),)), None),
        (cascade_plan(), ("3d_cascade_fullres",)),
    ],
    ids=["channels", "2d", "regions", "residual", "cascade"],
)
def test_what_is_exported_is_imported_as_it_was(tmp_path, made, names):
    bundle = small_unet(made, ("0", "2"), (1,), **({"configurations": names} if names else {}))
    folders = export_bundle(bundle, tmp_path)
    assert all(is_nnunet_folder(one) for one in folders)
    again = import_folder(folders[-1])
    same = {"reasons": again.card.plan.reasons}
    assert again.card.plan == made.model_copy(update=same)
    assert list(again.card.plan.labels) == list(made.labels)
    assert (again.card.folds, again.card.mirror_axes) == (bundle.card.folds, bundle.card.mirror_axes)
    assert again.weights.keys() == bundle.weights.keys()
    for name, array in bundle.weights.items():
        np.testing.assert_array_equal(again.weights[name], array)


def test_a_folder_is_segmented_with_like_its_bundle_and_converts_to_one(folder, tmp_path, capsys):
    expected = segment(image(), small_unet(folds=("0", "1"), mirror=(0, 1)), CPU).label_map.array
    np.testing.assert_array_equal(segment(image(), folder, CPU).label_map.array, expected)
    assert main(["models", "convert", str(folder), "--output", str(tmp_path / "bundle")]) == 0
    np.testing.assert_array_equal(segment(image(), tmp_path / "bundle", CPU).label_map.array, expected)
    assert main(["models", "verify", str(tmp_path / "bundle")]) == 0
    assert main(["models", "info", str(tmp_path / "bundle")]) == 0
    assert "segments: oedema, core" in capsys.readouterr().out
    one = import_folder(folder, ["1"])
    assert one.card.folds == ("1",) and not any(name.startswith("fold_0") for name in one.weights)


def test_the_command_exports_and_never_overwrites(tmp_path, capsys):
    save_bundle(small_unet(), tmp_path / "bundle")
    command = ["models", "export", str(tmp_path / "bundle"), "--output", str(tmp_path / "out")]
    assert main(command) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["nnUNetTrainer__nnUNetPlans__3d_fullres"]
    assert main(command) == 2
    assert "is not overwritten" in capsys.readouterr().err
    with pytest.raises(OutputError, match="is not overwritten"):
        export_bundle(load_bundle(tmp_path / "bundle"), tmp_path / "out")


def test_every_tensor_is_written_under_all_names_that_nnunet_stores_it_by(folder):
    stored = torch.load(folder / "fold_0" / "checkpoint_final.pth", weights_only=True)
    names = set(stored["network_weights"])
    assert {
        "encoder.stages.0.0.convs.0.conv.weight",
        "encoder.stages.0.0.convs.0.all_modules.0.weight",
        "encoder.stages.0.0.convs.0.norm.bias",
        "encoder.stages.0.0.convs.0.all_modules.1.bias",
        "decoder.encoder.stages.1.0.convs.0.all_modules.1.weight",
        "decoder.stages.0.convs.0.all_modules.0.weight",
        "decoder.transpconvs.0.weight",
        "decoder.seg_layers.0.bias",
    } <= names
    assert not any("transpconvs" in name and "all_modules" in name for name in names)


OLDER = {
    "UNet_class_name": "PlainConvUNet",
    "UNet_base_num_features": 4,
    "unet_max_num_features": 6,
    "n_conv_per_stage_encoder": [1, 1],
    "n_conv_per_stage_decoder": [1],
    "num_pool_per_axis": [1, 1, 1],
    "pool_op_kernel_sizes": [[1, 1, 1], [2, 2, 2]],
    "conv_kernel_sizes": [[3, 3, 3], [3, 3, 3]],
}


def test_the_older_generation_of_plans_says_the_same(folder):
    expected = import_folder(folder).card.plan

    def older(plans):
        own = plans["configurations"]["3d_fullres"]
        del own["architecture"]
        own.update(OLDER)
        plans["foreground_intensity_properties_by_modality"] = plans.pop("foreground_intensity_properties_per_channel")

    rewrite(folder, "plans.json", older)
    rewrite(folder, "dataset.json", lambda dataset: dataset.update(modality=dataset.pop("channel_names")))
    assert import_folder(folder).card.plan == expected


def test_configurations_inherit():
    bundle = small_unet()
    from mtann.models.nnunet.export import dataset_document, plans_document

    plans = plans_document(bundle.card.plan)
    plans["configurations"]["big"] = {"inherits_from": "3d_fullres", "batch_size": 7}
    own = read_plan(plans, dataset_document(bundle.card), "big", "here").configuration("big")
    assert own == bundle.card.plan.configuration("3d_fullres").model_copy(update={"name": "big", "batch_size": 7})
    plans["configurations"]["3d_fullres"]["inherits_from"] = "big"
    with pytest.raises(ModelError, match="inherit in a circle: big, 3d_fullres"):
        read_plan(plans, dataset_document(bundle.card), "big", "here")
    with pytest.raises(ModelError, match="no configuration '2d'; it has: 3d_fullres, big"):
        read_plan(plans, dataset_document(bundle.card), "2d", "here")


def set_architecture(**values):
    def change(plans):
        plans["configurations"]["3d_fullres"]["architecture"].update(values)

    return change


def set_kwargs(**values):
    def change(plans):
        plans["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"].update(values)

    return change


def set_configuration(**values):
    def change(plans):
        plans["configurations"]["3d_fullres"].update(values)

    return change


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            set_architecture(network_class_name="os.system"),
            "network class 'os.system', which is not known and is not imported. Known are: PlainConvUNet, Residual",
        ),
        (set_architecture(network_class_name="evil.PlainConvUNet"), "network class 'evil.PlainConvUNet'"),
        (set_kwargs(norm_op="torch.nn.modules.batchnorm.BatchNorm3d"), "norm_op = 'torch.nn.modules.batchnorm"),
        (set_kwargs(dropout_op="torch.nn.Dropout3d"), "dropout_op = 'torch.nn.Dropout3d'"),
        (set_kwargs(nonlin_kwargs={"negative_slope": 0.2}), "nonlin_kwargs"),
        (set_configuration(normalization_schemes=["MyNormalization"]), "normalisation 'MyNormalization', not known"),
        (set_configuration(resampling_fn_data="my_resampling"), "resampling function 'my_resampling', not known"),
        (set_configuration(resampling_fn_data_kwargs={"order": 5}), "has data resampled with"),
        (set_configuration(preprocessor_name="Mine"), "preprocessor 'Mine', not known"),
        (lambda plans: plans.update(image_reader_writer="NibabelIOWithReorient"), "image reader 'NibabelIOWithReor"),
        (lambda plans: plans.pop("transpose_forward"), "not as nnU-Net v2 writes it"),
        (set_configuration(patch_size=[0, 16, 16]), "'patch_size.0'"),
    ],
)
def test_a_plan_that_names_something_unknown_is_refused(folder, change, complaint):
    rewrite(folder, "plans.json", change)
    with pytest.raises(ModelError, match=complaint):
        import_folder(folder)


def test_labels_that_are_not_consecutive_are_refused(folder):
    rewrite(folder, "dataset.json", lambda dataset: dataset.update(labels={"background": 0, "a": 1, "b": 3}))
    with pytest.raises(ModelError, match="labels of .* are 1, 3; without regions they must be consecutive"):
        import_folder(folder)


def test_labels_are_in_the_order_of_their_values_whatever_the_file_says(folder):
    rewrite(folder, "dataset.json", lambda dataset: dataset.update(labels={"b": 2, "a": 1, "background": 0}))
    assert list(import_folder(folder).card.plan.labels) == ["a", "b"]


def test_weights_of_another_network_and_a_wrong_number_of_channels_are_told(folder, tmp_path, capsys):
    with pytest.raises(ImageError, match=r"needs 1 channel\(s\) \(t1\) but 2"):
        segment([image(), image()], folder, CPU)
    rewrite(folder, "dataset.json", lambda dataset: dataset.update(channel_names={"0": "t1", "1": "t2"}))
    rewrite(
        folder,
        "plans.json",
        lambda plans: (
            set_configuration(normalization_schemes=["ZScoreNormalization"] * 2, use_mask_for_norm=[False] * 2)(plans),
            plans["foreground_intensity_properties_per_channel"].update(
                {"1": plans["foreground_intensity_properties_per_channel"]["0"]}
            ),
        ),
    )
    assert main(["models", "convert", str(folder), "--output", str(tmp_path / "bundle")]) == 2
    assert "'fold_0.3d_fullres.encoder.stages.0.0.convs.0.conv.weight' should have" in capsys.readouterr().err
    assert not (tmp_path / "bundle").exists()


def test_names_of_tensors_from_several_devices_or_compiling_are_understood(folder):
    expected = import_folder(folder).weights

    def wrapped(document):
        document["network_weights"] = {f"module.{key}": own for key, own in document["network_weights"].items()}

    change_checkpoint(folder, wrapped)
    again = import_folder(folder).weights
    assert again.keys() == expected.keys()
